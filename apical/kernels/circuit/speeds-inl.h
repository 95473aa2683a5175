// Steps of neurons whose equations need more care at some times than at others. Each neuron takes one of a few ways, by its own state
// alone, so that results do not depend on the width of vectors. A vector of neurons that all take the shortest is moved where it is; the
// others are gathered, from up to kTogether neurons, into vectors that take one way. Included after doubles-inl.h in a target's
// namespace. A cell gives
//   kStates, kInputs, kWays, kMoved   drive(current)   what devices and I_e do      note(s)   a number from the step's start for finish()
//   way(s, r, drive)   a number from 0, the shortest, below kWays; r: refractory steps left, 0 or less: none
//   move<Way>(s, r, drive)   moves states below kMoved                finish(s, noted, r, in)   moves the others; says who fired
constexpr size_t kTogether = 1024;

template <int kStates>
struct Gathered {
  HWY_ALIGN double s[kStates][16];
  HWY_ALIGN double r[16], current[16];

  template <class Row>
  HWY_INLINE void take(const NeuronArrays<Row>& a, const uint32_t* who, size_t n) {
    const size_t L = PairsOfDoubles::lanes();
    for (size_t l = 0; l < L; ++l) {  // filled up with copies
      const size_t i = who[l < n ? l : n - 1];
      for (int j = 0; j < kStates; ++j) s[j][l] = a.state[j][i];
      r[l] = a.wakes[i] - a.step;
      current[l] = a.current ? a.current[i] : 0;
    }
  }
};

template <int Way, class Cell, class Row>
HWY_NOINLINE void move_gathered(const Cell& cell, const NeuronArrays<Row>& a, const uint32_t* who, size_t n) {
  using O = PairsOfDoubles;
  constexpr int kStates = Cell::kStates;
  const size_t L = O::lanes();
  Gathered<kStates> two[2];  // the next are taken early: what was written in parts can be read as a whole only after a while
  if (n > 0) two[0].take(a, who, n);
  for (size_t k = 0; k < n; k += L) {
    Gathered<kStates>& now = two[k / L % 2];
    if (k + L < n) two[(k / L + 1) % 2].take(a, who + k + L, n - k - L);
    O::V s[kStates], r = O::load(now.r);
    for (int j = 0; j < kStates; ++j) s[j] = O::load(now.s[j]);
    cell.template move<Way>(s, r, cell.drive(O::load(now.current)));
    O::store(r, now.r);
    for (int j = 0; j < Cell::kMoved; ++j) O::store(s[j], now.s[j]);
    for (size_t l = 0; l < L && k + l < n; ++l) {
      for (int j = 0; j < Cell::kMoved; ++j) a.state[j][who[k + l]] = now.s[j][l];
      a.wakes[who[k + l]] = a.step + static_cast<int32_t>(now.r[l]);
    }
  }
}
template <int Way, class Cell, class Row, size_t N>
HWY_INLINE void move_all(const Cell& cell, const NeuronArrays<Row>& a, const uint32_t (&who)[N][kTogether], const size_t (&n)[N]) {
  move_gathered<Way>(cell, a, who[Way], n[Way]);
  if constexpr (Way + 1 < Cell::kWays) move_all<Way + 1>(cell, a, who, n);
}

template <class Cell, class Row>
bool step_by_ways(const Cell& cell, const NeuronArrays<Row>& arrays) {
  const NeuronArrays<Row> a = arrays;  // a copy: what is stored does not change it
  using O = PairsOfDoubles;
  constexpr int kStates = Cell::kStates;
  const size_t L = O::lanes();
  const O::V rest = cell.drive(O::set(0)), now = O::set(a.step), next = O::set(a.step + 1);
  O::V strange = O::set(0);
  for (size_t first = 0; first < a.n; first += kTogether) {
    const size_t end = HWY_MIN(a.n, first + kTogether);
    HWY_ALIGN double noted[kTogether], ways[16];
    uint32_t who[Cell::kWays][kTogether];
    size_t n[Cell::kWays] = {};
    for (size_t i = first; i < end; i += L) {
      O::V s[kStates], r = O::sub(O::load(a.wakes + i), now);
      for (int j = 0; j < kStates; ++j) s[j] = O::load(a.state[j] + i);
      O::store(cell.note(s), noted + (i - first));
      const O::V drive = a.current ? cell.drive(O::load(a.current + i)) : rest, way = cell.way(s, r, drive);
      if (O::is_zero(way)) {
        cell.template move<0>(s, r, drive);
        for (int j = 0; j < Cell::kMoved; ++j) O::store(s[j], a.state[j] + i);
        O::store(O::add(r, now), a.wakes + i);
        continue;
      }
      O::store(way, ways);
      for (size_t l = 0; l < L; ++l) {
        const auto w = static_cast<int>(ways[l]);
        who[w][n[w]++] = static_cast<uint32_t>(i + l);
      }
    }
    move_all<0>(cell, a, who, n);
    for (size_t word = first / 64; word < end / 64; ++word) {
      uint64_t fired = 0;
      for (size_t k = 0; k < 64; k += L) {
        const size_t i = 64 * word + k;
        O::V s[kStates], in[Cell::kInputs], r = O::sub(O::load(a.wakes + i), now);
        for (int j = 0; j < kStates; ++j) s[j] = O::load(a.state[j] + i);
        for (int j = 0; j < Cell::kInputs; ++j) {
          in[j] = O::load(a.in[j] + i);
          O::zero(a.in[j] + i);
        }
        strange = O::watch(s[0], strange);
        fired |= O::bits(cell.finish(s, O::load(noted + (i - first)), r, in)) << k;
        for (int j = Cell::kMoved; j < kStates; ++j) O::store(s[j], a.state[j] + i);
        O::store(O::add(r, next), a.wakes + i);
      }
      a.spikes[word] = fired;
    }
  }
  return O::is_zero(strange);
}
