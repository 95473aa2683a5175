#pragma once
// 2-D convolution driven by spikes, in scatter form: each event adds its weights to the outputs it touches. Events are indices
// into a channel-first input [I, H, W]. Outputs are accumulated channel last, [OH, OW, O], so that an event's additions are
// contiguous; channel_first() turns them. Sums run in the order of the list, one sum an output: the same bits at every SIMD level.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

struct Conv2d {
  std::size_t in_channels = 1, out_channels = 1, height = 1, width = 1;  ///< of the input
  std::size_t kernel_h = 1, kernel_w = 1;
  std::size_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
  std::size_t groups = 1;  ///< divides both numbers of channels

  /// floor((H + 2 pad - dilation (K - 1) - 1) / stride) + 1; 0 when the kernel does not fit.
  std::size_t out_height() const noexcept { return out(height, kernel_h, stride_h, pad_h, dilation_h); }
  std::size_t out_width() const noexcept { return out(width, kernel_w, stride_w, pad_w, dilation_w); }
  std::size_t inputs() const noexcept { return in_channels * height * width; }
  std::size_t outputs() const noexcept { return out_channels * out_height() * out_width(); }
  /// Number of weights, in the trained and in the prepared layout.
  std::size_t weights() const noexcept { return in_channels * kernel_h * kernel_w * (out_channels / groups); }

 private:
  static std::size_t out(std::size_t n, std::size_t k, std::size_t stride, std::size_t pad, std::size_t dilation) noexcept {
    const std::size_t reach = dilation * (k - 1) + 1, room = n + 2 * pad;
    return room < reach ? 0 : (room - reach) / stride + 1;
  }
};

/// Weights [O, I / groups, KH, KW] (as trained) to [I, KH, KW, O / groups]. Done once.
void prepare_conv(const Conv2d& shape, const float* weight, float* prepared) noexcept;

/// acc[oy, ox, o] += value[e] * weight for every output that event e touches; value null: spikes (1). index < inputs().
/// Returns the number of synaptic operations (additions of one weight) done. One sample, one thread: callers share out samples.
std::uint64_t event_conv(const Conv2d& shape, const float* prepared, const std::uint32_t* index, const float* value, std::size_t count,
                         float* acc) noexcept;

/// [positions, channels] to [channels, positions], and back.
void channel_first(const float* last, std::size_t positions, std::size_t channels, float* first) noexcept;
void channel_last(const float* first, std::size_t positions, std::size_t channels, float* last) noexcept;

}  // namespace apical::kernels
