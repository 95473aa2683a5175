#include "apical/training/loader.h"

#include <algorithm>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"

namespace apical::training {
namespace {

// Moves one [C, H, W] frame by (dx, dy) in place; what comes in from outside is `background`.
void shift_frame(float* frame, std::vector<float>& copy, const data::FrameShape& s, int dx, int dy, const std::vector<float>& background) {
  copy.assign(frame, frame + s.size());
  for (int c = 0; c < s.channels; ++c)
    for (int y = 0; y < s.height; ++y)
      for (int x = 0; x < s.width; ++x) {
        const int sx = x - dx, sy = y - dy;
        const bool inside = sx >= 0 && sx < s.width && sy >= 0 && sy < s.height;
        frame[(c * s.height + y) * s.width + x] =
            inside ? copy[static_cast<std::size_t>((c * s.height + sy) * s.width + sx)] : background[static_cast<std::size_t>(c)];
      }
}

}  // namespace

Loader::Loader(const data::Set& set, data::Encoder encoder, data::Preprocess preprocess, std::int64_t T, bool constant_frames)
    : set_(set), encoder_(std::move(encoder)), preprocess_(std::move(preprocess)), T_(T) {
  data::validate(encoder_);
  constant_ = constant_frames && encoder_.kind == "direct";
  shape_ = data::frame_shape(encoder_, set_);
}

nn::Sequence Loader::batch(std::span<const std::uint32_t> indices, const Augment& augment, std::uint64_t seed, std::uint64_t epoch) const {
  const std::int64_t B = static_cast<std::int64_t>(indices.size()), T = constant_ ? 1 : T_;
  // with one channel both formats are the same bytes, and torch would go on in the slower one
  const auto format = shape_.channels == 1 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  auto frames = torch::empty({T * B, shape_.channels, shape_.height, shape_.width}, torch::TensorOptions().memory_format(format));
  float* out = frames.data_ptr<float>();
  data::encode_batch(encoder_, preprocess_, set_, indices, static_cast<int>(T), out);
  if (augment.shift > 0) {
    std::vector<float> background(static_cast<std::size_t>(shape_.channels), 0.0f);
    for (std::size_t c = 0; c < preprocess_.mean.size() && c < background.size(); ++c)
      background[c] = -preprocess_.mean[c] / preprocess_.std[c];
    const std::uint32_t range = static_cast<std::uint32_t>(2 * augment.shift + 1);
    parallel_for(0, indices.size(), 64, [&](std::size_t begin, std::size_t end) {
      std::vector<float> copy;
      for (std::size_t b = begin; b < end; ++b) {
        Random random(seed, stream_id("augment") + epoch, std::uint64_t{indices[b]} * 64);
        const int dx = static_cast<int>(random.below(range)) - augment.shift, dy = static_cast<int>(random.below(range)) - augment.shift;
        for (std::int64_t t = 0; t < T; ++t) shift_frame(out + (static_cast<std::size_t>(t * B) + b) * shape_.size(), copy, shape_, dx, dy, background);
      }
    });
  }
  return {nn::Sequence::dense(frames), T_, constant_};
}

torch::Tensor Loader::labels(std::span<const std::uint32_t> indices) const {
  auto t = torch::empty({static_cast<std::int64_t>(indices.size())}, torch::kInt64);
  auto* p = t.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < indices.size(); ++i) p[i] = set_.labels[indices[i]];
  return t;
}

}  // namespace apical::training
