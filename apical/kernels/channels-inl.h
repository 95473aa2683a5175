// Channel-last loops. No include guard: included inside each SIMD target's namespace, where hn is hwy::HWY_NAMESPACE.

// Calls lanes(d, c) for the channels c .. c + Lanes(d), the last few one by one. `vector` false: all one by one (the reference).
template <class Lanes>
HWY_INLINE void channels(size_t C, bool vector, Lanes lanes) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  size_t c = 0;
  for (; vector && c + hn::Lanes(d) <= C; c += hn::Lanes(d)) lanes(d, c);
  for (; c < C; ++c) lanes(one, c);
}
