#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_matmul.cpp"
#include "apical/kernels/event_matmul.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_panel.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kWidth = kPanel;

// Adds the listed rows of a panel to y[0 .. K vectors).
template <size_t K>
HWY_INLINE void add_rows(const float* panel, const uint32_t* list, size_t count, float* y) {
  const hn::ScalableTag<float> d;
  constexpr size_t L = hn::MaxLanes(d);
  hn::Vec<decltype(d)> sum[K];
  for (size_t k = 0; k < K; ++k) sum[k] = hn::LoadU(d, y + k * L);
  for (size_t e = 0; e < count; ++e) {
    const float* row = panel + list[e] * kWidth;
    for (size_t k = 0; k < K; ++k) sum[k] = hn::Add(sum[k], hn::LoadU(d, row + k * L));
  }
  for (size_t k = 0; k < K; ++k) hn::StoreU(sum[k], d, y + k * L);
}

// Rows [0, rows) over one panel; the spikes of row r are list[starts[r] .. starts[r + 1]).
void panel_rows(const float* panel, size_t width, const uint32_t* list, const size_t* starts, size_t rows, float* y, size_t y_stride) {
  constexpr size_t L = hn::MaxLanes(hn::ScalableTag<float>()), K = std::min<size_t>(8, kWidth / L);
  HWY_ALIGN float last[kWidth];
  for (size_t r = 0; r < rows; ++r, y += y_stride) {
    float* to = width == kWidth ? y : last;  // panels are padded, y is not
    if (to == last) std::copy(y, y + width, last);
    for (size_t o = 0; o < width; o += K * L) add_rows<K>(panel + o, list + starts[r], starts[r + 1] - starts[r], to + o);
    if (to == last) std::copy(last, last + width, y);
  }
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(panel_rows);

constexpr std::size_t kInputs = events::kPanelInputs, kRows = events::kPanelRows;
// Rows that a gradient takes at a time: as inputs of event_matmul. Fewer than kInputs, for their lists are long (measured: up to 1.3 times
// as fast).
constexpr std::size_t kGradientRows = 512;

void panel_rows_reference(const float* panel, std::size_t width, const std::uint32_t* list, const std::size_t* starts, std::size_t rows,
                          float* y, std::size_t y_stride) {
  for (std::size_t r = 0; r < rows; ++r, y += y_stride)
    for (std::size_t e = starts[r]; e < starts[r + 1]; ++e)
      for (std::size_t o = 0; o < width; ++o) y[o] = y[o] + panel[list[e] * kPanel + o];
}

}  // namespace

void events::add_panel(const float* panel, std::size_t width, const std::uint32_t* list, const std::size_t* starts, std::size_t rows,
                       float* y, std::size_t y_stride) noexcept {
  if (scalar_level())
    panel_rows_reference(panel, width, list, starts, rows, y, y_stride);
  else
    HWY_DYNAMIC_DISPATCH(panel_rows)(panel, width, list, starts, rows, y, y_stride);
}

void prepare_event_matmul(const float* weight, std::size_t outputs, std::size_t inputs, float* panels) noexcept {
  parallel_for(0, (outputs + kPanel - 1) / kPanel, 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t p = first; p < last; ++p) {
      float* panel = panels + p * inputs * kPanel;
      const std::size_t width = std::min(kPanel, outputs - p * kPanel);
      const float* from = weight + p * kPanel * inputs;
      std::fill(panel, panel + (width < kPanel ? inputs * kPanel : 0), 0.0f);
      for (std::size_t begin = 0; begin < inputs; begin += 16)  // a cache line of each output at a time
        for (std::size_t o = 0; o < width; ++o)
          for (std::size_t i = begin; i < std::min(inputs, begin + 16); ++i) panel[i * kPanel + o] = from[o * inputs + i];
    }
  });
}

void event_matmul(const float* panels, std::size_t outputs, std::size_t inputs, const std::uint64_t* bits, std::size_t rows,
                  float* y) noexcept {
  const std::size_t words = words_per_row(inputs), chunks = (rows + kRows - 1) / kRows, all_panels = (outputs + kPanel - 1) / kPanel;
  // Few rows: threads share the panels too, each with a list of the spikes of its own.
  const std::size_t threads = static_cast<std::size_t>(thread_count()), shares = chunks >= threads ? 1 : std::min(all_panels, threads);
  parallel_for(0, chunks * shares, 1, [&](std::size_t task, std::size_t) {
    thread_local std::vector<std::uint32_t> list(kRows * kInputs);
    std::size_t starts[kRows + 1];
    const std::size_t begin = task / shares * kRows, n = std::min(kRows, rows - begin), share = task % shares;
    for (std::size_t first = 0; first < inputs; first += kInputs) {
      const std::size_t part = std::min(kInputs, inputs - first);
      starts[0] = 0;
      for (std::size_t r = 0; r < n; ++r)
        starts[r + 1] = starts[r] + bits_to_list(bits + (begin + r) * words + first / 64, part, list.data() + starts[r]);
      for (std::size_t p = share * all_panels / shares; p < (share + 1) * all_panels / shares; ++p) {
        const float* panel = panels + (p * inputs + first) * kPanel;
        const std::size_t o = p * kPanel, width = std::min(kPanel, outputs - o);
        events::add_panel(panel, width, list.data(), starts, n, y + begin * outputs + o, outputs);
      }
    }
  });
}

void event_matmul_gradient(const float* grad_y, std::size_t outputs, const std::uint64_t* bits, std::size_t inputs, std::size_t rows,
                           float* grad_weight) noexcept {
  const std::size_t words = words_per_row(inputs), all_panels = (outputs + kPanel - 1) / kPanel;
  const auto panels = std::make_unique_for_overwrite<float[]>(matmul_floats(outputs, std::min(rows, kGradientRows)));
  const auto fired = std::make_unique_for_overwrite<std::uint64_t[]>(inputs * words_per_row(std::min(rows, kGradientRows)));
  std::vector<float> sums(inputs * outputs);  // [inputs, outputs]
  for (std::size_t first = 0; first < rows; first += kGradientRows) {
    // grad_y stands for the weights, its rows for their inputs; the transposed bits are those of `inputs` rows.
    const std::size_t part = std::min(kGradientRows, rows - first);
    parallel_for(0, part, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = 0; p < all_panels; ++p)
        for (std::size_t r = begin; r < end; ++r) {
          const float* from = grad_y + (first + r) * outputs + p * kPanel;
          float* to = panels.get() + (p * part + r) * kPanel;
          const std::size_t width = std::min(kPanel, outputs - p * kPanel);
          std::fill(std::copy(from, from + width, to), to + kPanel, 0.0f);
        }
    });
    transpose_bits(bits + first * words, part, inputs, fired.get());
    event_matmul(panels.get(), outputs, part, fired.get(), inputs, sums.data());
  }
  parallel_for(0, outputs, 16, [&](std::size_t begin, std::size_t end) {  // a cache line of each row of sums at a time
    for (std::size_t part = 0; part < inputs; part += 256)
      for (std::size_t o = begin; o < end; ++o)
        for (std::size_t i = part; i < std::min(inputs, part + 256); ++i) grad_weight[o * inputs + i] += sums[i * outputs + o];
  });
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
