// Rows of weights as floats, whether they are floats or (where a lane holds a pair) bfloat16 (narrow.h). Included inside each target's namespace.

// Vectors of floats that a row comes in multiples of.
template <class W>
constexpr size_t kUnit = sizeof(W) == sizeof(float) ? 1 : 32 / hn::MaxLanes(hn::ScalableTag<float>());

// Calls each(k, vector k) for the first K vectors of a row; K is a multiple of kUnit<W>.
template <size_t K, class Each>
HWY_INLINE void row_vectors(const float* row, Each each) {
  const hn::ScalableTag<float> d;
  for (size_t k = 0; k < K; ++k) each(k, hn::LoadU(d, row + k * hn::MaxLanes(d)));
}
#if HWY_TARGET != HWY_SCALAR
template <size_t K, class Each>
HWY_INLINE void row_vectors(const Bfloat16* row, Each each) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Repartition<uint16_t, decltype(d)> halves;
  constexpr size_t L = hn::MaxLanes(d);
  for (size_t j = 0; j < K / 2; ++j) {
    const auto pair = hn::BitCast(du, hn::LoadU(halves, row + j * 2 * L));
    const size_t k = pair_output(j * L) / L;
    each(k, hn::BitCast(d, hn::ShiftLeft<16>(pair)));
    each(k + 16 / L, hn::BitCast(d, hn::And(pair, hn::Set(du, 0xffff0000u))));
  }
}
#endif
