// How an event convolution in gather form (event_conv.h) walks: the events in the window of each output, row by row of the kernel.
// Included inside each target's namespace.

// The events in a row of a window: list[first .. last), whose weight rows are weights + (list[e] - base) * row.
template <class W>
struct Run {
  const W* weights;
  size_t first, last;
  ptrdiff_t base;

  HWY_INLINE const W* row_of(uint32_t event, size_t row) const {
    return weights + static_cast<size_t>(static_cast<ptrdiff_t>(event) - base) * row;
  }
};

// Calls gather(runs, rows, from, y) for the channels y of each output of the rows [first_y, last_y), which are `from` (null: 0) plus the
// events of the runs. y begins with those rows.
template <class W, class T, class Gather>
HWY_INLINE void each_window(const Conv2d& s, size_t row, const W* prepared, const T* bias, const uint32_t* starts, size_t first_y, size_t last_y, T* y,
                            Gather gather) {
  constexpr size_t kRows = 16;  // of a kernel, at a time
  Run<W> runs[kRows];
  const size_t w_row = s.kernel_w * s.in_channels * row;
  for (size_t oy = first_y; oy < last_y; ++oy)
    for (size_t ox = 0; ox < s.out_width(); ++ox, y += s.out_channels) {
      const ptrdiff_t left = static_cast<ptrdiff_t>(ox * s.stride_w) - static_cast<ptrdiff_t>(s.pad_w);
      const size_t x = static_cast<size_t>(std::max<ptrdiff_t>(left, 0));
      const size_t x_end = static_cast<size_t>(std::clamp<ptrdiff_t>(left + static_cast<ptrdiff_t>(s.kernel_w), 0, static_cast<ptrdiff_t>(s.width)));
      size_t ky = 0, done = 0;
      do {
        size_t rows = 0;
        for (; ky < s.kernel_h && rows < kRows; ++ky) {
          const size_t down = oy * s.stride_h + ky, at = (down - s.pad_h) * s.width;
          if (down < s.pad_h || down >= s.height + s.pad_h || x >= x_end || starts[at + x] == starts[at + x_end]) continue;
          runs[rows++] = {prepared + ky * w_row, starts[at + x], starts[at + x_end], (static_cast<ptrdiff_t>(at) + left) * static_cast<ptrdiff_t>(s.in_channels)};
        }
        gather(runs, rows, done++ ? y : bias, y);  // a kernel of many rows goes on where it was
      } while (ky < s.kernel_h);
    }
}
