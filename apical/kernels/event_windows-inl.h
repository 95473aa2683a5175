// How an event convolution in gather form (event_conv.h) walks: the events in the window of each output. Included inside each target's namespace.

// What lies in a window: the weight rows of its events, in the order of the list, and their values (null: spikes).
template <class V>
struct Window {
  const uint32_t* rows;
  const V* values;
  size_t count;
};

// to[i] = from[i] + shift for i < n, modulo 2^32. `to` has room for two vectors more, `there` elements can be read at `from`.
HWY_INLINE void copy_shifted(const uint32_t* from, size_t n, size_t there, uint32_t shift, uint32_t* to) {
  const hn::ScalableTag<uint32_t> d;
  const size_t L = hn::Lanes(d), step = 2 * L;  // two vectors without asking: most runs are short, and a wrong guess costs more
  const auto by = hn::Set(d, shift);
  size_t i = 0;
  for (; i < n && i + step <= there; i += step) {
    hn::StoreU(hn::Add(hn::LoadU(d, from + i), by), d, to + i);
    hn::StoreU(hn::Add(hn::LoadU(d, from + i + L), by), d, to + i + L);
  }
  for (; i < n; ++i) to[i] = from[i] + shift;
}

// Calls gather(window, from, y) for the channels y of each output of the rows [first_y, last_y), which are `from` (null: 0) plus the events of the
// window; several times, from = y, for a window of more than kWindow events. y begins with those rows.
template <class V, class T, class Gather>
HWY_INLINE void each_window(const Conv2d& s, const T* bias, const uint32_t* list, const V* value, size_t count, const uint32_t* starts, size_t first_y,
                            size_t last_y, T* y, Gather gather) {
  if (s.height * s.width * s.kernel_h * s.kernel_w == 1 && s.pad_h + s.pad_w == 0) {  // a dense layer: weight rows are inputs
    if (first_y < last_y) gather(Window<V>{list, value, count}, bias, y);
    return;
  }
  uint32_t rows[kWindow + 2 * hn::MaxLanes(hn::ScalableTag<uint32_t>())];
  V values[kWindow];
  const uint32_t channels = static_cast<uint32_t>(s.in_channels), w_row = static_cast<uint32_t>(s.kernel_w) * channels;
  for (size_t oy = first_y; oy < last_y; ++oy)
    for (size_t ox = 0; ox < s.out_width(); ++ox, y += s.out_channels) {
      const ptrdiff_t left = static_cast<ptrdiff_t>(ox * s.stride_w) - static_cast<ptrdiff_t>(s.pad_w);
      const size_t x = static_cast<size_t>(std::max<ptrdiff_t>(left, 0));
      const size_t x_end = static_cast<size_t>(std::clamp<ptrdiff_t>(left + static_cast<ptrdiff_t>(s.kernel_w), 0, static_cast<ptrdiff_t>(s.width)));
      const T* from = bias;
      size_t n = 0;
      for (size_t ky = 0; ky < s.kernel_h && x < x_end; ++ky) {
        const size_t down = oy * s.stride_h + ky, at = (down - s.pad_h) * s.width;
        if (down < s.pad_h || down >= s.height + s.pad_h) continue;
        const uint32_t shift = static_cast<uint32_t>(ky) * w_row - (static_cast<uint32_t>(at) + static_cast<uint32_t>(left)) * channels;
        for (size_t e = starts[at + x]; e < starts[at + x_end];) {
          const size_t some = std::min<size_t>(starts[at + x_end] - e, kWindow - n);
          copy_shifted(list + e, some, count - e, shift, rows + n);
          if (value) std::copy(value + e, value + e + some, values + n);
          n += some, e += some;
          if (n == kWindow) gather(Window<V>{rows, value ? values : nullptr, n}, from, y), from = y, n = 0;
        }
      }
      if (n > 0 || from == bias) gather(Window<V>{rows, value ? values : nullptr, n}, from, y);
    }
}
