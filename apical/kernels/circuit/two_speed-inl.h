// Steps of neurons whose equations need more care at some times than at others. Most take the short way, a vector at a time; those for
// which Cell::is_fast() says so are gathered, 64 neurons at most, into vectors of their own. A neuron's way depends on its own state alone,
// so that results do not depend on the width of vectors. Included after doubles-inl.h in a target's namespace. A cell gives
//   kStates, kInputs   drive(current)       what devices and I_e do       note(s)   a number kept from the start of the step for finish()
//   is_fast(s, r, drive)   slow(s, r, drive)  fast(s, r, drive)  move the state; r: refractory steps left
//   finish(s, noted, r, in)   the rest; says who fired
template <class Cell, class Row>
bool two_speed_step(const Cell& cell, const NeuronArrays<Row>& a) {
  using O = PairsOfDoubles;
  constexpr int kStates = Cell::kStates;
  const size_t L = O::lanes();
  const O::V rest = cell.drive(O::set(0));
  O::V strange = O::set(0);
  for (size_t word = 0; word < a.n / 64; ++word) {
    HWY_ALIGN double noted[64], gathered[kStates + 2][64];
    uint8_t who[64];
    uint64_t all_fast = 0, all_fired = 0;
    for (size_t k = 0; k < 64; k += L) {
      const size_t i = 64 * word + k;
      O::V s[kStates], moved[kStates], r = O::load(a.refractory + i), moved_r = r;
      for (int j = 0; j < kStates; ++j) moved[j] = s[j] = O::load(a.state[j] + i);
      O::store(cell.note(s), noted + k);
      const O::V drive = a.current ? cell.drive(O::load(a.current + i)) : rest;
      const auto fast = cell.is_fast(s, r, drive);
      const uint64_t bits = O::bits(fast);
      all_fast |= bits << k;
      if (bits == (uint64_t{1} << L) - 1) continue;
      cell.slow(moved, moved_r, drive);
      for (int j = 0; j < kStates; ++j) O::store(O::select(fast, s[j], moved[j]), a.state[j] + i);
      O::store(O::select(fast, r, moved_r), a.refractory + i);
    }
    size_t n = 0;
    for (uint64_t left = all_fast; left; left &= left - 1) who[n++] = static_cast<uint8_t>(hwy::Num0BitsBelowLS1Bit_Nonzero64(left));
    for (size_t k = 0; k < n; k += L) {
      for (size_t l = k; l < k + L; ++l) {  // the last vector is filled up with copies
        const size_t i = 64 * word + who[l < n ? l : n - 1];
        for (int j = 0; j < kStates; ++j) gathered[j][l] = a.state[j][i];
        gathered[kStates][l] = a.refractory[i];
        gathered[kStates + 1][l] = a.current ? a.current[i] : 0;
      }
      O::V s[kStates], r = O::load(gathered[kStates] + k);
      for (int j = 0; j < kStates; ++j) s[j] = O::load(gathered[j] + k);
      cell.fast(s, r, cell.drive(O::load(gathered[kStates + 1] + k)));
      O::store(r, gathered[kStates] + k);
      for (int j = 0; j < kStates; ++j) O::store(s[j], gathered[j] + k);
      for (size_t l = k; l < k + L && l < n; ++l) {
        for (int j = 0; j < kStates; ++j) a.state[j][64 * word + who[l]] = gathered[j][l];
        a.refractory[64 * word + who[l]] = static_cast<float>(gathered[kStates][l]);
      }
    }
    for (size_t k = 0; k < 64; k += L) {
      const size_t i = 64 * word + k;
      O::V s[kStates], in[Cell::kInputs], r = O::load(a.refractory + i);
      for (int j = 0; j < kStates; ++j) s[j] = O::load(a.state[j] + i);
      for (int j = 0; j < Cell::kInputs; ++j) {
        in[j] = O::load(a.in[j] + i);
        O::zero(a.in[j] + i);
      }
      strange = O::add(strange, O::sub(s[0], s[0]));
      all_fired |= O::bits(cell.finish(s, O::load(noted + k), r, in)) << k;
      for (int j = 0; j < kStates; ++j) O::store(s[j], a.state[j] + i);
      O::store(r, a.refractory + i);
    }
    a.spikes[word] = all_fired;
  }
  return O::is_zero(strange);
}
