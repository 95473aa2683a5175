#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_lif.cpp"
#include "apical/kernels/event_lif.h"

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_matmul.h"
#include "apical/kernels/event_panel.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/scan_tile.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/neurons/scan_rows-inl.h"

// Currents of a row are summed in registers, and its neurons fire from there.
template <class Form>
uint64_t fire_rows_form(const events::PanelRows& p) {
  const Ops::D d;
  constexpr size_t L = hn::MaxLanes(Ops::D()), K = HWY_MIN(8, kPanel / L);
  HWY_ALIGN float last[kPanel];
  const bool whole = p.width == kPanel;  // panels are padded, rows of spikes are not
  const hn::RebindToUnsigned<Ops::D> du;
  auto whole_rows = hn::Zero(du);  // spikes, lane by lane
  const LifCell<Ops, Form> cell = make_cell<Ops, Form>(*p.lif, p.lif->decay, nullptr, 0);
  uint64_t fired = 0;  // in rows of the last panel
  for (size_t step = 0, r = 0; step < p.steps; ++step)
    for (size_t sample = 0; sample < p.samples; ++sample, ++r) {
      float* const row = p.spikes + step * p.step_stride + sample * p.sample_stride;
      float* const out = whole ? row : last;
      for (size_t o = 0; o < kPanel; o += K * L) {
        Ops::V sum[K];
        for (size_t k = 0; k < K; ++k) sum[k] = hn::LoadU(d, p.before + r * p.before_stride + o + k * L);
        for (size_t e = p.starts[r]; e < p.starts[r + 1]; ++e) {
          const float* weights = p.panel + p.list[e] * kPanel + o;
          for (size_t k = 0; k < K; ++k) sum[k] = hn::Add(sum[k], hn::LoadU(d, weights + k * L));
        }
        float* const state = p.state + sample * kPanel + o;
        for (size_t k = 0; k < K; ++k) {
          const auto h = cell.charge(hn::LoadU(d, state + k * L), sum[k]);
          const auto s = cell.fire(h);
          hn::StoreU(cell.state(h, s), d, state + k * L);
          const auto one = hn::IfThenElseZero(s, hn::Set(d, 1.0f));
          p.stream ? Ops::stream(one, out + o, k * L) : Ops::store(one, out + o, k * L);
          whole_rows = hn::Sub(whole_rows, hn::BitCast(du, hn::VecFromMask(d, s)));
        }
      }
      if (whole) continue;
      for (size_t o = 0; o < p.width; ++o) fired += (row[o] = last[o]) != 0;
    }
  if (p.stream) hwy::FlushStream();
  return whole ? hn::GetLane(hn::SumOfLanes(du, whole_rows)) : fired;
}

uint64_t fire_rows(const events::PanelRows& p) {
  const Lif& lif = *p.lif;
#define APICAL_CASE(R, C, A) \
  if (lif.reset == Reset::R && lif.compare == Compare::C && lif.reset_at == ResetAt::A) return fire_rows_form<LifForm<Reset::R, Compare::C, ResetAt::A>>(p);
  APICAL_LIF_FORMS(APICAL_CASE)
#undef APICAL_CASE
  return 0;
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(fire_rows);

// Rows that pass over a panel before the next one comes from the last cache: more than in event_matmul, whose sums share the second
// level with the panel (measured: a tenth faster than 256 and than 2048).
constexpr std::size_t kBlockRows = 1024;
// Floats of panels that are laid out at a time: a large layer's would be as much as its weights once more. Each time spikes are listed anew,
// so there are panels enough for that not to count.
constexpr std::size_t kLaidOut = std::size_t{1} << 20, kPanelsAtOnce = 8;

std::uint64_t fire_rows_reference(const events::PanelRows& p) {
  const auto cell = plain::cell<float>(*p.lif);
  std::uint64_t fired = 0;
  for (std::size_t r = 0; r < p.steps * p.samples; ++r) {
    float x[kPanel];
    std::copy_n(p.before + r * p.before_stride, kPanel, x);
    events::add_panel(p.panel, p.width, p.list, p.starts + r, 1, x, kPanel);
    float* const row = p.spikes + r / p.samples * p.step_stride + r % p.samples * p.sample_stride;
    for (std::size_t o = 0; o < p.width; ++o) {
      const bool s = plain::step(cell, x[o], p.state[r % p.samples * kPanel + o]);
      row[o] = s ? 1.0f : 0.0f, fired += s;
    }
  }
  return fired;
}

struct Layer {
  Lif lif;
  const float* panels;  // from panel `first_panel` on
  std::size_t first_panel, outputs, inputs;
  const float* bias;
  const std::uint64_t* bits;
  std::size_t T, batch;
  const float* v0;
  float *v, *spikes_f;
  bool stream;
};

// Some samples and some panels over all steps, a block of steps at a time. Kept between calls: fresh pages cost more than a block.
class Piece {
 public:
  std::uint64_t run(const Layer& l, std::size_t first, std::size_t samples, std::size_t begin, std::size_t end) {
    layer_ = &l, first_ = first, samples_ = samples;
    const std::size_t steps = std::max<std::size_t>(1, kBlockRows / samples), width = samples * kPanel;
    parts_ = std::max<std::size_t>(1, (l.inputs + events::kPanelInputs - 1) / events::kPanelInputs);
    starts_.resize(steps * samples * parts_ + 1);
    if (parts_ > 1) currents_.resize(steps * width);
    state_.resize((end - begin) * width);
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
    std::size_t at = starts_[0] = 0, spikes = 0;
    for (std::size_t k = 0; k < steps; ++k) spikes += count_bits(layer_->bits + ((t + k) * layer_->batch + first_) * words, samples_, layer_->inputs);
    if (list_.size() < spikes + layer_->inputs) list_.resize(spikes + layer_->inputs);  // bits_to_list wants room for a whole row
    for (std::size_t part = 0; part < parts_; ++part) {
      const std::size_t from = part * events::kPanelInputs, n = std::min(events::kPanelInputs, layer_->inputs - from);
      for (std::size_t k = 0; k < steps; ++k)
        for (std::size_t b = 0; b < samples_; ++b, ++at)
          starts_[at + 1] = starts_[at] + bits_to_list(layer_->bits + ((t + k) * layer_->batch + first_ + b) * words + from / 64, n, list_.data() + starts_[at]);
    }
  }

  // Panel p over some steps; the number of spikes.
  std::uint64_t walk(std::size_t p, std::size_t t, std::size_t steps, float* state) {
    const Layer& l = *layer_;
    const std::size_t o = p * kPanel, rows = steps * samples_;
    float bias[kPanel] = {};
    if (l.bias) std::copy_n(l.bias + o, real_outputs(p), bias);
    const auto part_of = [&](std::size_t part) { return l.panels + ((p - l.first_panel) * l.inputs + part * events::kPanelInputs) * kPanel; };
    if (parts_ > 1)
      for (std::size_t r = 0; r < rows; ++r) std::copy_n(bias, kPanel, currents_.data() + r * kPanel);
    for (std::size_t part = 0; part + 1 < parts_; ++part)
      events::add_panel(part_of(part), kPanel, list_.data(), starts_.data() + part * rows, rows, currents_.data(), kPanel);
    const events::PanelRows last{&l.lif,
                                 part_of(parts_ - 1),
                                 real_outputs(p),
                                 list_.data(),
                                 starts_.data() + (parts_ - 1) * rows,
                                 parts_ > 1 ? currents_.data() : bias,
                                 parts_ > 1 ? kPanel : 0,
                                 steps,
                                 samples_,
                                 state,
                                 l.spikes_f + (t * l.batch + first_) * l.outputs + o,
                                 l.batch * l.outputs,
                                 l.outputs,
                                 l.stream};
    return scalar_level() ? fire_rows_reference(last) : HWY_DYNAMIC_DISPATCH(fire_rows)(last);
  }

  const Layer* layer_ = nullptr;
  std::size_t first_ = 0, samples_ = 0, parts_ = 0;
  std::vector<std::uint32_t> list_;
  std::vector<std::size_t> starts_;
  std::vector<float> currents_, state_;
};

}  // namespace

std::uint64_t event_lif_forward(const Lif& lif, const float* weight, std::size_t outputs, std::size_t inputs, const float* bias,
                                const std::uint64_t* bits, std::size_t T, std::size_t batch, const float* v0, float* v, float* spikes_f) noexcept {
  const bool stream = outputs % kPanel == 0 && scan::past_caches(spikes_f, T, batch * outputs);
  const std::size_t all_panels = (outputs + kPanel - 1) / kPanel;
  const std::size_t at_once = std::min(all_panels, std::max(kPanelsAtOnce, kLaidOut / (std::max<std::size_t>(inputs, 1) * kPanel)));
  const auto panels = std::make_unique_for_overwrite<float[]>(at_once * kPanel * inputs);
  std::atomic<std::uint64_t> total{0};
  for (std::size_t begin = 0; begin < all_panels; begin += at_once) {
    const std::size_t end = std::min(begin + at_once, all_panels);
    prepare_event_matmul(weight + begin * kPanel * inputs, std::min(outputs, end * kPanel) - begin * kPanel, inputs, panels.get());
    const Layer layer{scan::normal(lif), panels.get(), begin, outputs, inputs, bias, bits, T, batch, v0, v, spikes_f, stream};
    // Several tasks a thread, so that one that is held up does not hold up all. Few samples: panels are shared out too, and each task
    // makes lists of its own.
    const std::size_t wanted = 4 * static_cast<std::size_t>(thread_count());
    const std::size_t groups = std::min(batch, wanted), shares = std::min(end - begin, wanted / std::max<std::size_t>(groups, 1));
    parallel_for(0, groups * shares, 1, [&](std::size_t task, std::size_t) {
      thread_local Piece piece;
      const std::size_t group = task / shares, share = task % shares, first = group * batch / groups;
      total += piece.run(layer, first, (group + 1) * batch / groups - first, begin + share * (end - begin) / shares,
                         begin + (share + 1) * (end - begin) / shares);
    });
  }
  return total;
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
