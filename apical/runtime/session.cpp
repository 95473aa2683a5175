#include "apical/runtime/session.h"

#include <algorithm>
#include <cstddef>

#include "apical/kernels/bits.h"
#include "apical/kernels/event_linear.h"
#include "apical/kernels/event_pool.h"
#include "apical/kernels/neurons/neuron_scan.h"
#include "apical/kernels/neurons/scan.h"
#include "apical/kernels/neurons/sliding.h"
#include "apical/kernels/neurons/two_point.h"
#include "apical/runtime/attention.h"
#include "apical/runtime/program.h"
#include "apical/runtime/stepping.h"

namespace apical::runtime {
namespace {

/// The memory of one slot (BufferPlan), in the session's block. Empty where there is none.
struct Buffer {
  std::span<float> x;
  std::span<std::uint64_t> bits;
  std::span<std::uint32_t> list;  // the first `count` are set
  std::span<float> listed;        // values of those; of bits none, as each is 1
  std::span<float> padded;
  std::span<std::uint32_t> starts;
  std::size_t count = 0;
  bool ones = true;  // every nonzero listed is +1 or -1
};

double stored_bytes(const Slot& s) { return s.spikes ? static_cast<double>((s.n + 7) / 8) : 4.0 * static_cast<double>(s.n); }

}  // namespace

struct Session::Impl {
  std::shared_ptr<const Program> program;
  MemoryBlock memory;
  std::vector<Buffer> buffers;
  std::vector<std::size_t> source;  // of each slot: whose buffer holds its output (a flatten has none of its own)
  std::span<float> values;          // State::values, channel last
  std::span<float> frame, output;
  std::span<float> reordered, ordered;  // of one slot's inputs, used at once
  std::vector<graph::OpCounts> counts;
  SpikeRecorder recorder;
  int steps = 0;
  bool have_frame = false;

  explicit Impl(std::shared_ptr<const Program> p) : program(std::move(p)), memory(program->memory), recorder(*program) {
    const auto& slots = program->slots;
    buffers.resize(slots.size()), source.resize(slots.size()), counts.resize(slots.size());
    std::size_t most = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Slot& s = slots[i];
      most = std::max(most, s.n);
      source[i] = program->source(i);
      buffers[i] = {memory.at<float>(s.at.x, s.n), memory.at<std::uint64_t>(s.at.bits, kernels::words_per_row(s.n)), memory.at<std::uint32_t>(s.at.list, s.n),
                    memory.at<float>(s.at.listed, s.n), memory.at<float>(s.at.padded, s.conv.padded()),
                    memory.at<std::uint32_t>(s.at.starts, s.conv.shape.height * s.conv.shape.width + 1)};
    }
    values = memory.at<float>(program->values_at, program->state_size);
    frame = memory.at<float>(program->frame_at, program->frame_size), output = memory.at<float>(program->output_at, slots.back().n);
    reordered = memory.at<float>(program->reordered_at, most), ordered = memory.at<float>(program->ordered_at, most);
  }

  const Slot& slot(std::size_t i) const { return program->slots[i]; }
  Buffer& of(std::size_t i) { return buffers[source[i]]; }

  void step(std::span<const float> next) {
    const bool same = same_frame(frame, next, have_frame);
    for (std::size_t i = 0; i < program->slots.size(); ++i) {
      const Slot& s = slot(i);
      const bool run = s.changing || !same;
      if (run && s.kind != Kind::flatten) {
        compute(i, s);
        finish(i, s);
      }
      if (program->options.count) count(i, s, run);
    }
    ++steps;
    const Slot& last = program->slots.back();
    const float* y = of(program->slots.size() - 1).x.data();
    for (std::size_t k = 0; k < last.n; ++k) output[last.order.empty() ? k : last.order[k]] = y[k];
  }

  void compute(std::size_t i, const Slot& s) {
    Buffer& b = buffers[i];
    const Buffer* in = s.inputs.empty() ? nullptr : &of(s.inputs[0]);
    switch (s.kind) {
      case Kind::input:
        for (std::size_t k = 0; k < s.n; ++k) b.x[k] = frame[s.order.empty() ? k : s.order[k]];
        break;
      case Kind::conv:
      case Kind::linear:
        product(i, s, *in, b.x);
        break;
      case Kind::avg_pool:
        kernels::average_pool(s.pool, 1, in->x.data(), b.x.data());
        break;
      case Kind::max_pool:
        if (s.spikes)
          kernels::max_pool_spikes(s.pool, in->bits.data(), in->list.data(), in->count, b.bits.data());
        else
          kernels::max_pool(s.pool, 1, in->x.data(), b.x.data());
        break;
      case Kind::flatten:
        break;
      case Kind::affine:
        for (std::size_t k = 0; k < s.n; ++k) b.x[k] = s.weight[k] * in->x[k] + s.bias[k];
        break;
      case Kind::neuron:
        kernels::lif_forward(s.lif, s.decay.empty() ? nullptr : s.decay.data(), s.decay.size(), in->x.data(), 1, s.n,
                             values.data() + s.state_at, values.data() + s.state_at, b.bits.data(), nullptr, nullptr);
        break;
      case Kind::spiking_neuron:
        std::visit([&](const auto& model) { fire(model, s, in->x.data(), b); }, s.model);
        break;
      case Kind::sliding_neuron:
        slide(s, in->x.data(), b.bits.data());
        break;
      case Kind::add:
        add(s, b.x);
        break;
      case Kind::readout:
        readout(s, in->x.data(), values.data() + s.state_at, b.x.data());
        break;
      case Kind::slice:
        slice(s, in->x, b.x);
        break;
      case Kind::concat:
        concat(s, b.x);
        break;
      case Kind::tanh:
        kernels::tanh_forward(in->x.data(), s.n, b.x.data());
        break;
      case Kind::two_point:
        kernels::two_point_forward(s.cell, in->x.data(), s.inputs.size() > 1 ? in_order(s, s.inputs[1]) : nullptr, s.n, b.x.data());
        break;
      case Kind::attention:  // images of one shape: all channel last, so a token's values lie side by side
        attention(in->x.data(), of(s.inputs[1]).x.data(), of(s.inputs[2]).x.data(), tokens(s), static_cast<std::size_t>(s.channels), s.heads, ordered.data(), b.x.data());
        break;
    }
  }
  static std::size_t tokens(const Slot& s) { return s.n / static_cast<std::size_t>(s.channels); }

  template <class Model>
  void fire(const Model& model, const Slot& s, const float* x, Buffer& b) {
    float* const state = values.data() + s.state_at;
    kernels::neuron_forward(model, {.x = x, .T = 1, .N = s.n, .state0 = state, .state = state, .spikes = b.bits.empty() ? nullptr : b.bits.data(),
                                    .spikes_f = s.counts ? b.x.data() : nullptr});
  }

  void slide(const Slot& s, const float* x, std::uint64_t* bits) {
    float* const past = values.data() + s.state_at;
    kernels::sliding_forward({s.window.data(), s.window.size(), s.v_th}, x, 1, s.n, past, nullptr, bits, nullptr, nullptr);
    if (s.state_rows == 0) return;
    std::copy(past + s.n, past + s.state_rows * s.n, past);
    std::copy_n(x, s.n, past + (s.state_rows - 1) * s.n);
  }

  void product(std::size_t i, const Slot& s, const Buffer& in, std::span<float> y) {
    s.half.empty() ? product(i, s, s.weight.data(), in, y) : product(i, s, s.half.data(), in, y);
  }
  template <class W>
  void product(std::size_t i, const Slot& s, const W* weight, const Buffer& in, std::span<float> y) {
    const Slot& from = slot(s.inputs[0]);
    if (s.kind == Kind::conv && !s.event) {
      s.conv.pad(in.x.data(), buffers[i].padded.data());
      s.conv.run(s.weight.data(), s.bias.data(), buffers[i].padded.data(), y.data());
      return;
    }
    const float *bias = s.bias.empty() ? nullptr : s.bias.data(), *values = from.spikes ? nullptr : in.listed.data();  // spikes are all 1
    if (s.kind == Kind::conv) {
      kernels::event_conv(s.conv.shape, weight, bias, in.list.data(), values, in.count, buffers[i].starts.data(), y.data());
      return;
    }
    if (bias)
      std::copy(bias, bias + s.n, y.begin());
    else
      std::fill(y.begin(), y.end(), 0.0f);
    if (s.event)
      kernels::event_linear(weight, s.n, in.list.data(), values, in.count, y.data());
    else
      kernels::dense_linear(weight, s.n, from.n, in.x.data(), y.data());
  }

  // The output of slot i, of as many elements as s, in the order of s: a flattened image may stand beside a linear layer. Until the next call.
  const float* in_order(const Slot& s, std::size_t i) {
    const auto& from = slot(i).order;
    const float* x = of(i).x.data();
    if (from == s.order) return x;
    for (std::size_t k = 0; k < s.n; ++k) reordered[from.empty() ? k : from[k]] = x[k];
    if (s.order.empty()) return reordered.data();
    for (std::size_t k = 0; k < s.n; ++k) ordered[k] = reordered[s.order[k]];
    return ordered.data();
  }

  void add(const Slot& s, std::span<float> y) {
    std::fill(y.begin(), y.end(), 0.0f);
    for (const auto i : s.inputs) {
      const float* x = in_order(s, i);
      for (std::size_t k = 0; k < s.n; ++k) y[k] += x[k];
    }
  }

  void slice(const Slot& s, std::span<const float> x, std::span<float> y) {
    const auto& from = slot(s.inputs[0]).order;
    if (from.empty())
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(s.begin), s.n, y.begin());
    else
      for (std::size_t k = 0; k < x.size(); ++k)
        if (from[k] >= s.begin && from[k] - s.begin < s.n) y[from[k] - s.begin] = x[k];
  }

  void concat(const Slot& s, std::span<float> y) {
    std::size_t at = 0;
    for (const auto i : s.inputs) {
      const Slot& from = slot(i);
      const float* x = of(i).x.data();
      for (std::size_t k = 0; k < from.n; ++k) y[at + (from.order.empty() ? k : from.order[k])] = x[k];
      at += from.n;
    }
  }

  void readout(const Slot& s, const float* x, float* kept, float* y) const {
    for (std::size_t k = 0; k < s.n; ++k) {
      if (s.readout == graph::ReadoutKind::rate)
        kept[k] = steps == 0 ? x[k] : kept[k] + x[k];
      else
        kept[k] = steps == 0 || s.readout == graph::ReadoutKind::last ? x[k] : std::max(kept[k], x[k]);
      y[k] = s.readout == graph::ReadoutKind::rate ? kept[k] / static_cast<float>(steps + 1) : kept[k];
    }
  }

  // The other forms of the output that its readers want.
  void finish(std::size_t i, const Slot& s) {
    Buffer& b = buffers[i];
    if (s.spikes && s.wants_floats) kernels::unpack_bits(b.bits.data(), 1, s.n, b.x.data());
    if (s.wants_list) {
      b.ones = true;
      b.count = s.spikes ? kernels::bits_to_list(b.bits.data(), s.n, b.list.data()) : kernels::nonzero_list(b.x.data(), s.n, b.list.data(), b.listed.data(), b.ones);
    }
    if (s.fires) recorder.add(i, s, b.bits, b.list.first(b.count), b.x);
  }

  // See graph::OpCounts for what counts. `run` is false when the output of the step before was used again.
  void count(std::size_t i, const Slot& s, bool run) {
    graph::OpCounts& c = counts[i];
    const bool first = steps == 0, weights = s.kind == Kind::conv || s.kind == Kind::linear;
    if (i + 1 == program->slots.size()) c.steps += 1, c.samples += first;
    if (s.kind == Kind::flatten || s.kind == Kind::input) return;
    double in_bytes = 0, dense_bytes = stored_bytes(s), ann_bytes = 4.0 * static_cast<double>(s.n);
    for (const auto k : s.inputs) in_bytes += stored_bytes(slot(k)), ann_bytes += 4.0 * static_cast<double>(slot(k).n);
    dense_bytes += in_bytes;
    const double tensors = s.weight_size * static_cast<double>(s.weights) + 4.0 * static_cast<double>(s.biases);
    const bool window = s.kind == Kind::sliding_neuron;
    const double n = static_cast<double>(s.n), rows = static_cast<double>(s.state_rows);
    const double products = weights ? s.synapses : s.kind == Kind::affine ? n : window ? n * static_cast<double>(s.window.size())
                            : s.kind == Kind::attention                   ? 2.0 * static_cast<double>(tokens(s)) * n
                                                                          : 0;
    c.dense += products, c.dense_weight_bytes += tensors, c.dense_activation_bytes += dense_bytes;
    if (first && s.kind != Kind::readout) c.ann_activation_bytes += ann_bytes;
    if (first && s.kind != Kind::readout && !window) c.ann += products, c.ann_weight_bytes += tensors;
    if (s.fires) c.membrane_updates += n;
    c.state_bytes += !window ? 8.0 * n * rows : rows > 0 ? 4.0 * n * (rows + 1) : 0;
    if (!run) return;
    if (s.kind == Kind::affine || window) c.effective_macs += products;
    if (s.kind == Kind::attention)
      c.effective_macs += attention_products(of(s.inputs[0]).x.data(), of(s.inputs[1]).x.data(), of(s.inputs[2]).x.data(), tokens(s), static_cast<std::size_t>(s.channels));
    if (s.kind == Kind::two_point) c.membrane_updates += n;
    if (!weights) {
      c.weight_bytes += tensors, c.activation_bytes += dense_bytes;
      return;
    }
    const Buffer& in = of(s.inputs[0]);
    double reached = 0, effective = 0;
    for (std::size_t e = 0; e < in.count; ++e) reached += s.reach[in.list[e]], effective += s.fan[in.list[e]];
    (in.ones ? c.effective_acs : c.effective_macs) += effective;
    c.active_inputs += static_cast<double>(in.count), c.inputs += static_cast<double>(slot(s.inputs[0]).n);
    if (s.event)
      c.weight_bytes += s.weight_size * reached + 4.0 * static_cast<double>(s.biases),
          c.activation_bytes += 4.0 * static_cast<double>(in.count) + 8 * reached;
    else
      c.weight_bytes += tensors, c.activation_bytes += dense_bytes;
  }

  void reset() {
    std::fill(values.begin(), values.end(), 0.0f);
    steps = 0, have_frame = false;
    recorder.clear();
  }

  // Copies the state between the graph's order (State) and ours.
  template <class Copy>
  void each_state(const Copy& copy) const {
    for (const Slot& s : program->slots)
      for (std::size_t row = s.state_at; row < s.state_at + s.state_rows * s.n; row += s.n)
        for (std::size_t k = 0; k < s.n; ++k) copy(row + (s.order.empty() ? k : s.order[k]), row + k);
  }
};

Session::Session(const graph::Graph& graph, const Options& options) : Session(prepare(graph, options)) {}
Session::Session(std::shared_ptr<const Program> program) : impl_(std::make_unique<Impl>(std::move(program))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::reset() { impl_->reset(); }

std::span<const float> Session::step(std::span<const float> frame) {
  check_frame(impl_->program->frame_size, frame.size());
  impl_->step(frame);
  return impl_->output;
}

Result Session::run(std::span<const float> frames) {
  return run_frames(*impl_, impl_->program->frame_size, frames);
}

std::span<const float> Session::scores() const noexcept { return impl_->output; }
int Session::steps() const noexcept { return impl_->steps; }

State Session::state() const {
  State s{std::vector<float>(impl_->values.size()), impl_->steps};
  impl_->each_state([&](std::size_t theirs, std::size_t ours) { s.values[theirs] = impl_->values[ours]; });
  return s;
}

void Session::set_state(const State& state) {
  check_state(impl_->program->state_size, state.values.size(), state.steps);
  impl_->each_state([&](std::size_t theirs, std::size_t ours) { impl_->values[ours] = state.values[theirs]; });
  impl_->steps = state.steps, impl_->have_frame = false;
}

std::vector<float> Session::output(const std::string& node) const {
  const auto& slots = impl_->program->slots;
  const auto at = std::find_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.name == node; });
  if (at == slots.end()) throw usage_error("there is no node '" + node + "'", "Session::output");
  const Buffer& b = impl_->of(static_cast<std::size_t>(at - slots.begin()));
  std::vector<float> as_it_lies(b.x.begin(), b.x.end()), out(at->n);
  if (as_it_lies.empty()) as_it_lies.resize(at->n), kernels::unpack_bits(b.bits.data(), 1, at->n, as_it_lies.data());
  for (std::size_t k = 0; k < at->n; ++k) out[at->order.empty() ? k : at->order[k]] = as_it_lies[k];
  return out;
}

const std::vector<SpikeRecord>& Session::spikes() const noexcept { return impl_->recorder.records(); }

graph::OpCounts Session::counts() const {
  graph::OpCounts sum;
  for (const auto& c : impl_->counts) sum += c;
  return sum;
}

std::vector<LayerCounts> Session::layer_counts() const {
  std::vector<LayerCounts> out;
  for (std::size_t i = 0; i < impl_->counts.size(); ++i) {
    const Slot& s = impl_->slot(i);
    if (s.kind != Kind::input && s.kind != Kind::flatten) out.push_back({s.name, s.op, s.event, impl_->counts[i]});
  }
  return out;
}

void Session::clear_counts() { std::fill(impl_->counts.begin(), impl_->counts.end(), graph::OpCounts{}); }

}  // namespace apical::runtime
