// Sends the neurons of `fired` to rest. That few fire is why it is kept when a neuron wakes, not how long it still rests: only they are
// written.
APICAL_FN void rest(uint64_t fired, int32_t step, double refractory, int32_t* wakes) {
  for (; fired != 0; fired &= fired - 1) wakes[hwy::Num0BitsBelowLS1Bit_Nonzero64(fired)] = step + 1 + static_cast<int32_t>(refractory);
}

// Steps of neurons that all take the same way, written once for the vectors of a target (O: Doubles; included after doubles-inl.h in its
// namespace) and for the plain reference (O: plain::Rows). A cell gives
//   step(arrays, i, strange)   moves the neurons of the vector at i and says who fired; strange stays 0 while their membranes are numbers
// refractory: steps after a spike.
template <class O, class Cell, class Row>
bool each_vector(const Cell& cell, const NeuronArrays<Row>& arrays, double refractory) {
  const Cell c = cell;  // copies: what is stored does not change them
  const NeuronArrays<Row> a = arrays;
  typename O::V strange = O::set(0);
  for (size_t word = 0; word < a.n / 64; ++word) {
    uint64_t fired = 0;
    for (size_t k = 0; k < 64; k += O::lanes()) fired |= O::bits(c.step(a, 64 * word + k, strange)) << k;
    a.spikes[word] = fired;
    rest(fired, a.step, refractory, a.wakes + 64 * word);
  }
  return O::is_zero(strange);
}

// y after `part` (ms) by the classical Runge-Kutta method of fourth order. slope(y, stage, f) gives dy/dt at the beginning (stage 0), in
// the middle (1) and at the end (2).
template <class O, int N, class Slope>
APICAL_FN void runge_kutta(const Slope& slope, double part, typename O::V* y) {
  using V = typename O::V;
  V f[N], z[N], sum[N];
  slope.slope(y, 0, f);
  for (int x = 0; x < N; ++x) sum[x] = f[x], z[x] = O::add(y[x], O::mul(O::set(part / 2), f[x]));
  slope.slope(z, 1, f);
  for (int x = 0; x < N; ++x) sum[x] = O::add(sum[x], O::add(f[x], f[x])), z[x] = O::add(y[x], O::mul(O::set(part / 2), f[x]));
  slope.slope(z, 1, f);
  for (int x = 0; x < N; ++x) sum[x] = O::add(sum[x], O::add(f[x], f[x])), z[x] = O::add(y[x], O::mul(O::set(part), f[x]));
  slope.slope(z, 2, f);
  for (int x = 0; x < N; ++x) y[x] = O::add(y[x], O::mul(O::set(part / 6), O::add(sum[x], f[x])));
}
