#include "apical/kernels/event_lif.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_matmul.h"
#include "apical/kernels/event_panel.h"
#include "apical/kernels/neurons/scan.h"

namespace apical::kernels {
namespace {

struct Layer {
  const Lif* lif;
  const float* panels;
  std::size_t outputs, inputs;
  const float* bias;
  const std::uint64_t* bits;
  std::size_t T, batch;
  const float* v0;
  float *v, *spikes_f;
};

// Some samples and some panels over all steps, a block of steps at a time. Kept between calls: fresh pages cost more than a block.
class Piece {
 public:
  std::uint64_t run(const Layer& l, std::size_t first, std::size_t samples, std::size_t begin, std::size_t end) {
    layer_ = &l, first_ = first, samples_ = samples;
    const std::size_t steps = std::max<std::size_t>(1, events::kPanelRows / samples), width = samples * kPanel;
    parts_ = (l.inputs + events::kPanelInputs - 1) / events::kPanelInputs;
    list_.resize(steps * samples * l.inputs);
    starts_.resize(steps * samples * parts_ + 1);
    currents_.resize(steps * width);
    state_.resize((end - begin) * width);
    fired_.resize(steps * words_per_row(width));
    std::uint64_t fired = 0;
    for (std::size_t p = begin; p < end; ++p) exchange_state(p, state_.data() + (p - begin) * width, true);
    for (std::size_t t = 0; t < l.T; t += steps) {
      const std::size_t now = std::min(steps, l.T - t);
      find_spikes(t, now);
      for (std::size_t p = begin; p < end; ++p) fired += walk(p, t, now, state_.data() + (p - begin) * width);
    }
    for (std::size_t p = begin; p < end; ++p) exchange_state(p, state_.data() + (p - begin) * width, false);
    return fired;
  }

 private:
  std::size_t real_outputs(std::size_t p) const { return std::min(kPanel, layer_->outputs - p * kPanel); }

  // States of panel p from v0, or back to v.
  void exchange_state(std::size_t p, float* state, bool in) const {
    for (std::size_t b = 0; b < samples_; ++b, state += kPanel) {
      const std::size_t at = (first_ + b) * layer_->outputs + p * kPanel;
      if (!in) {
        std::copy_n(state, real_outputs(p), layer_->v + at);
        continue;
      }
      std::fill_n(state, kPanel, 0.0f);
      if (layer_->v0) std::copy_n(layer_->v0 + at, real_outputs(p), state);
    }
  }

  // Lists by part of the inputs, step and sample.
  void find_spikes(std::size_t t, std::size_t steps) {
    const std::size_t words = words_per_row(layer_->inputs);
    std::size_t at = starts_[0] = 0;
    for (std::size_t part = 0; part < parts_; ++part) {
      const std::size_t from = part * events::kPanelInputs, n = std::min(events::kPanelInputs, layer_->inputs - from);
      for (std::size_t k = 0; k < steps; ++k)
        for (std::size_t b = 0; b < samples_; ++b, ++at)
          starts_[at + 1] = starts_[at] + bits_to_list(layer_->bits + ((t + k) * layer_->batch + first_ + b) * words + from / 64, n,
                                                       list_.data() + starts_[at]);
    }
  }

  // Currents [steps, samples, 64] of panel p, and its neurons over them; the number of spikes.
  std::uint64_t walk(std::size_t p, std::size_t t, std::size_t steps, float* state) {
    const std::size_t o = p * kPanel, real = real_outputs(p), rows = steps * samples_, width = samples_ * kPanel;
    float* const x = currents_.data();
    float row[kPanel] = {};
    if (layer_->bias) std::copy_n(layer_->bias + o, real, row);
    for (std::size_t r = 0; r < rows; ++r) std::copy_n(row, kPanel, x + r * kPanel);
    for (std::size_t part = 0; part < parts_; ++part)
      events::add_panel(layer_->panels + (p * layer_->inputs + part * events::kPanelInputs) * kPanel, kPanel, list_.data(),
                        starts_.data() + part * rows, rows, x, kPanel);
    lif_forward(*layer_->lif, nullptr, 0, x, steps, width, state, state, fired_.data(), x, nullptr);
    const std::uint64_t mask = ~std::uint64_t{0} >> (64 - real);  // panels are padded
    std::uint64_t fired = 0;
    for (std::size_t k = 0; k < steps; ++k)
      for (std::size_t b = 0; b < samples_; ++b) {
        std::copy_n(x + (k * samples_ + b) * kPanel, real, layer_->spikes_f + ((t + k) * layer_->batch + first_ + b) * layer_->outputs + o);
        fired += static_cast<std::uint64_t>(std::popcount(fired_[k * words_per_row(width) + b] & mask));
      }
    return fired;
  }

  const Layer* layer_ = nullptr;
  std::size_t first_ = 0, samples_ = 0, parts_ = 0;
  std::vector<std::uint32_t> list_;
  std::vector<std::size_t> starts_;
  std::vector<float> currents_, state_;
  std::vector<std::uint64_t> fired_;
};

}  // namespace

std::uint64_t event_lif_forward(const Lif& lif, const float* panels, std::size_t outputs, std::size_t inputs, const float* bias,
                                const std::uint64_t* bits, std::size_t T, std::size_t batch, const float* v0, float* v,
                                float* spikes_f) noexcept {
  static_assert(kPanel == 64, "a word of spike bits a sample");
  const Layer layer{&lif, panels, outputs, inputs, bias, bits, T, batch, v0, v, spikes_f};
  // Several tasks a thread, so that one that is held up does not hold up all. Few samples: panels are shared out too, and each task makes
  // lists of its own.
  const std::size_t all_panels = (outputs + kPanel - 1) / kPanel, wanted = 4 * static_cast<std::size_t>(thread_count());
  const std::size_t groups = std::min(batch, wanted), shares = std::min(all_panels, wanted / std::max<std::size_t>(groups, 1));
  std::atomic<std::uint64_t> total{0};
  parallel_for(0, groups * shares, 1, [&](std::size_t task, std::size_t) {
    thread_local Piece piece;
    const std::size_t group = task / shares, share = task % shares, first = group * batch / groups;
    total += piece.run(layer, first, (group + 1) * batch / groups - first, share * all_panels / shares, (share + 1) * all_panels / shares);
  });
  return total;
}

}  // namespace apical::kernels
