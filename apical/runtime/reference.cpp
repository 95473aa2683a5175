#include "apical/runtime/reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "apical/base/error.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/runtime/plain_layers.h"

namespace apical::runtime {
namespace {

using graph::Graph, graph::Node, graph::Shape;
using Values = std::vector<double>;

const SpikeRecord* find(const std::vector<SpikeRecord>* records, const std::string& layer) {
  if (records)
    for (const auto& r : *records)
      if (r.layer == layer) return &r;
  return nullptr;
}

class Reference {
 public:
  Reference(const Graph& graph, const std::vector<SpikeRecord>* forced) : graph_(graph), forced_(forced) { graph::validate(graph_); }

  ReferenceResult run(std::span<const float> frames) {
    const auto n = static_cast<std::size_t>(graph::elements(graph_.input_shape));
    if (frames.empty() || frames.size() % n) throw usage_error("the number of values is no multiple of a frame's " + std::to_string(n));
    ReferenceResult result;
    for (const Node& node : graph_.nodes)
      if (graph::is_neuron(node.op)) {
        record_[node.name] = result.spikes.size();
        result.spikes.push_back({node.name, graph::elements(node.shape), 0, {}});
        result.membranes.emplace_back();
      }
    for (t_ = 0; static_cast<std::size_t>(t_) * n < frames.size(); ++t_) {
      frame_ = frames.subspan(static_cast<std::size_t>(t_) * n, n);
      for (const Node& node : graph_.nodes) {
        Values y(static_cast<std::size_t>(graph::elements(node.shape)), 0.0);
        std::visit([&](const auto& op) { step(op, node, y, result); }, node.op);
        out_[node.name] = std::move(y);
      }
    }
    result.scores = out_[graph_.nodes.back().name];
    return result;
  }

 private:
  const Values& in(const Node& node, std::size_t i = 0) const { return out_.at(node.inputs[i]); }
  const Shape& in_shape(const Node& node) const { return graph::node(graph_, node.inputs[0]).shape; }
  const graph::Floats& tensor(const std::string& name) const { return graph_.tensors.at(name).values; }
  auto bias(const std::string& name) const {
    return [values = name.empty() ? nullptr : tensor(name).data()](std::size_t o) { return values ? static_cast<double>(values[o]) : 0.0; };
  }

  void step(const graph::Input&, const Node&, Values& y, ReferenceResult&) const { std::copy(frame_.begin(), frame_.end(), y.begin()); }

  void step(const graph::Conv2d& op, const Node& node, Values& y, ReferenceResult&) const {
    plain_conv(op, in_shape(node), graph_.tensors.at(op.weight).shape, node.shape, in(node), tensor(op.weight), bias(op.bias), y);
  }

  void step(const graph::Linear& op, const Node& node, Values& y, ReferenceResult&) const {
    plain_linear(in(node), tensor(op.weight), bias(op.bias), y);
  }

  void step(const graph::AvgPool2d& op, const Node& node, Values& y, ReferenceResult&) const {
    plain_pool(op.kernel, op.stride, in_shape(node), node.shape, in(node), y, [](double a, double b) { return a + b; });
    for (double& v : y) v /= op.kernel * op.kernel;
  }
  void step(const graph::MaxPool2d& op, const Node& node, Values& y, ReferenceResult&) const {
    plain_pool(op.kernel, op.stride, in_shape(node), node.shape, in(node), y, [](double a, double b) { return std::max(a, b); });
  }
  void step(const graph::Flatten&, const Node& node, Values& y, ReferenceResult&) const { y = in(node); }

  void step(const graph::Affine& op, const Node& node, Values& y, ReferenceResult&) const {
    const std::size_t plane = y.size() / static_cast<std::size_t>(node.shape[0]);
    for (std::size_t k = 0; k < y.size(); ++k) y[k] = double{tensor(op.scale)[k / plane]} * in(node)[k] + tensor(op.shift)[k / plane];
  }

  // A step of a layer of neurons. fire(k) gives h and the number of spikes, which may be replaced by a forced one; settle(k, h, spikes, forced)
  // leaves the state after it.
  struct Fired {
    double h;
    int spikes;
  };
  template <class Fire, class Settle>
  void neurons(const Node& node, Values& y, ReferenceResult& result, const Fire& fire, const Settle& settle) const {
    SpikeRecord& record = result.spikes[record_.at(node.name)];
    Values& membranes = result.membranes[record_.at(node.name)];
    record.bits.resize(record.bits.size() + record.words(), 0);
    const SpikeRecord* forced = find(forced_, node.name);
    for (std::size_t k = 0; k < y.size(); ++k) {
      auto [h, spikes] = fire(k);
      bool other = false;
      if (forced && t_ < forced->steps) other = std::exchange(spikes, forced->spikes(t_, static_cast<std::int64_t>(k))) != spikes;
      settle(k, h, spikes, other);
      membranes.push_back(h);
      y[k] = spikes;
      if (spikes) record.bits[static_cast<std::size_t>(t_) * record.words() + k / 64] |= std::uint64_t{1} << (k % 64);
      if (graph::sends_counts(node.op)) record.counts.push_back(static_cast<std::uint8_t>(spikes));
    }
    ++record.steps;
  }
  Values& state(const Node& node, std::size_t n) {
    Values& v = state_[node.name];
    v.resize(n, 0.0);
    return v;
  }

  using Cell = kernels::plain::AnyLif<double>;
  // The membrane after h and a spike or none.
  static double after(const kernels::Lif& lif, const Cell& cell, double h, bool s, bool forced) {
    return forced && lif.reset_at != kernels::ResetAt::same_step ? beside_threshold(lif, s) : cell.state(h, s);
  }
  // The pending reset of the next_step forms is told by the state itself: the nearest state that says what was forced.
  static double beside_threshold(const kernels::Lif& lif, bool fires) {
    const bool exact = lif.compare == kernels::Compare::ge ? fires : !fires;
    const double inf = std::numeric_limits<double>::infinity();
    return exact ? double{lif.v_th} : std::nextafter(double{lif.v_th}, fires ? inf : -inf);
  }

  void step(const graph::Neuron& op, const Node& node, Values& y, ReferenceResult& result) {
    Values& v = state(node, y.size());
    const graph::Floats* each = op.decay.empty() ? nullptr : &tensor(op.decay);
    const auto cell = [&](std::size_t k) {
      return kernels::plain::cell<double>(op.lif, each ? (*each)[each->size() == 1 ? 0 : k] : op.lif.decay);
    };
    neurons(node, y, result, [&](std::size_t k) { const double h = cell(k).charge(v[k], in(node)[k]); return Fired{h, cell(k).fire(h)}; },
            [&](std::size_t k, double h, int s, bool forced) { v[k] = after(op.lif, cell(k), h, s, forced); });
  }

  void step(const graph::SpikingNeuron& op, const Node& node, Values& y, ReferenceResult& result) {
    std::visit([&](const auto& model) { run(model, node, y, result); }, op.model);
  }
  void run(const kernels::Cuba& m, const Node& node, Values& y, ReferenceResult& result) {
    const std::size_t n = y.size();
    Values& v = state(node, 2 * n);  // current, membrane
    const Cell cell = kernels::plain::cell<double>(m.lif);
    neurons(node, y, result,
            [&](std::size_t k) {
              v[k] = double{m.alpha} * v[k] + in(node)[k];
              const double h = cell.charge(v[n + k], v[k]);
              return Fired{h, cell.fire(h)};
            },
            [&](std::size_t k, double h, int s, bool forced) { v[n + k] = after(m.lif, cell, h, s, forced); });
  }
  void run(const kernels::Alif& m, const Node& node, Values& y, ReferenceResult& result) {
    const std::size_t n = y.size();
    Values& v = state(node, 2 * n);  // membrane, adaptation
    const double decay = m.lif.decay, scale = m.lif.decay_input ? 1 - decay : double{m.lif.input_scale};
    neurons(node, y, result,
            [&](std::size_t k) {
              v[k] = decay * v[k] + scale * in(node)[k];
              const double above = v[k] - double{m.beta} * v[n + k], th = m.lif.v_th;
              return Fired{above, m.lif.compare == kernels::Compare::ge ? above >= th : above > th};
            },
            [&](std::size_t k, double, int s, bool) {
              if (s && m.lif.reset == kernels::Reset::hard) v[k] = m.lif.v_reset;
              if (s && m.lif.reset == kernels::Reset::soft) v[k] -= m.reset_by;
              v[n + k] = double{m.rho} * v[n + k] + s;
            });
  }
  void run(const kernels::RefractoryLif& m, const Node& node, Values& y, ReferenceResult& result) {
    const std::size_t n = y.size();
    Values& v = state(node, 2 * n);  // membrane, steps still to wait
    const Cell cell = kernels::plain::cell<double>(m.lif);
    neurons(node, y, result,
            [&](std::size_t k) {
              if (v[n + k] > 0) return Fired{v[k], 0};
              const double h = cell.charge(v[k], in(node)[k]);
              return Fired{h, cell.fire(h)};
            },
            [&](std::size_t k, double h, int s, bool forced) {
              if (v[n + k] == 0 || s) v[k] = after(m.lif, cell, h, s, forced);
              v[n + k] = s ? m.steps : std::max(v[n + k] - 1, 0.0);
            });
  }
  void run(const kernels::MultiLif& m, const Node& node, Values& y, ReferenceResult& result) {
    Values& v = state(node, y.size());
    neurons(node, y, result,
            [&](std::size_t k) {
              const double h = double{m.decay} * v[k] + double{m.input_scale} * in(node)[k];
              return Fired{h, std::isnan(h) ? 0 : static_cast<int>(std::nearbyint(std::clamp(h, 0.0, double(m.levels))))};
            },
            [&](std::size_t k, double h, int s, bool) { v[k] = h - s; });
  }

  void step(const graph::SlidingNeuron& op, const Node& node, Values& y, ReferenceResult& result) {
    const auto& weights = tensor(op.weights);
    const std::size_t n = y.size(), K = weights.size();
    Values& past = state(node, K * n);  // newest first, that of this step too
    std::copy_backward(past.begin(), past.end() - static_cast<std::ptrdiff_t>(n), past.end());
    std::copy(in(node).begin(), in(node).end(), past.begin());
    neurons(node, y, result,
            [&](std::size_t i) {
              double h = 0;
              for (std::size_t k = 0; k < K; ++k) h += double{weights[k]} * past[k * n + i];
              return Fired{h, h >= double{op.v_th}};
            },
            [](std::size_t, double, int, bool) {});
  }

  void step(const graph::Add&, const Node& node, Values& y, ReferenceResult&) const {
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      for (std::size_t k = 0; k < y.size(); ++k) y[k] += in(node, i)[k];
  }

  void step(const graph::Readout& op, const Node& node, Values& y, ReferenceResult&) {
    Values& kept = state_[node.name];
    const Values& x = in(node);
    if (t_ == 0 || op.kind == graph::ReadoutKind::last)
      kept = x;
    else
      for (std::size_t k = 0; k < y.size(); ++k) kept[k] = op.kind == graph::ReadoutKind::rate ? kept[k] + x[k] : std::max(kept[k], x[k]);
    for (std::size_t k = 0; k < y.size(); ++k) y[k] = op.kind == graph::ReadoutKind::rate ? kept[k] / (t_ + 1) : kept[k];
  }

  void step(const graph::Slice& op, const Node& node, Values& y, ReferenceResult&) const {
    std::copy_n(in(node).begin() + op.begin, op.size, y.begin());
  }
  void step(const graph::Concat&, const Node& node, Values& y, ReferenceResult&) const {
    auto at = y.begin();
    for (std::size_t i = 0; i < node.inputs.size(); ++i) at = std::copy(in(node, i).begin(), in(node, i).end(), at);
  }
  void step(const graph::Tanh&, const Node& node, Values& y, ReferenceResult&) const {
    for (std::size_t k = 0; k < y.size(); ++k) y[k] = std::tanh(in(node)[k]);
  }

  void step(const graph::TwoPoint& op, const Node& node, Values& y, ReferenceResult&) const {
    const double c_max = op.cell.c_max;
    for (std::size_t k = 0; k < y.size(); ++k) {
      const double C = node.inputs.size() > 1 ? c_max * std::tanh(in(node, 1)[k] / c_max) : 0;
      const double T = std::max(modulated(op.cell.mtf, in(node)[k], C), 0.0);
      y[k] = op.cell.output == kernels::TwoPointOutput::relu6  ? std::min(T, 6.0)
             : op.cell.output == kernels::TwoPointOutput::relu ? T
                                                               : 1 - std::exp(-T * T / 2);
    }
  }
  static double modulated(kernels::Mtf mtf, double R, double C) {
    switch (mtf) {
      case kernels::Mtf::tm1:
        return R / 2 * (1 + std::exp(std::min(R * C, 8.0)));
      case kernels::Mtf::tm2:
        return R + R * C;
      case kernels::Mtf::tm3:
        return R * (1 + std::tanh(R * C));
      case kernels::Mtf::tm4:
        return R * std::exp2(std::min(R * C, 8.0));
      case kernels::Mtf::coop:
        return R * R + 2 * R + C * (1 + std::fabs(R));
      case kernels::Mtf::add:
        return R + C;
      case kernels::Mtf::gate:
        return 2 * R / (1 + std::exp(-C));
    }
    return 0;
  }

  void step(const graph::Attention& op, const Node& node, Values& y, ReferenceResult&) const {
    const Values &q = in(node, 0), &k = in(node, 1), &v = in(node, 2);
    const auto F = static_cast<std::size_t>(node.shape[0]), N = y.size() / F, each = F / static_cast<std::size_t>(op.heads);
    for (std::size_t n = 0; n < N; ++n)
      for (std::size_t first = 0; first < F; first += each) {
        Values weight(N, 0.0);
        double sum = 0;
        for (std::size_t m = 0; m < N; ++m) {
          double score = 0;
          for (std::size_t f = first; f < first + each; ++f) score += q[f * N + n] * k[f * N + m];
          weight[m] = score / std::sqrt(static_cast<double>(each));
        }
        const double most = *std::max_element(weight.begin(), weight.end());
        for (double& w : weight) sum += w = std::exp(w - most);
        for (std::size_t f = first; f < first + each; ++f)
          for (std::size_t m = 0; m < N; ++m) y[f * N + n] += weight[m] / sum * v[f * N + m];
      }
  }

  Graph graph_;
  const std::vector<SpikeRecord>* forced_;
  std::map<std::string, Values> out_, state_;
  std::map<std::string, std::size_t> record_;
  std::span<const float> frame_;
  int t_ = 0;
};

// What a membrane of the layer is compared with to fire, as SpikeRecord and ReferenceResult::membranes tell them.
struct Threshold {
  double membrane;
  double operator()(const graph::Neuron& op) const { return op.lif.v_th; }
  double operator()(const graph::SlidingNeuron& op) const { return op.v_th; }
  double operator()(const graph::SpikingNeuron& op) const { return std::visit(*this, op.model); }
  double operator()(const kernels::MultiLif& m) const { return std::clamp(std::floor(membrane), 0.0, m.levels - 1.0) + 0.5; }
  template <class Model>
    requires requires(const Model& m) { m.lif; }
  double operator()(const Model& m) const { return m.lif.v_th; }
  template <class Other>
  double operator()(const Other&) const { return 0; }
};

// The first neuron whose spikes of step t differ; that behind the last when none do.
std::int64_t first_neuron(const SpikeRecord& a, const SpikeRecord& b, int t) {
  if (a.counts.empty() && b.counts.empty()) {
    for (std::size_t w = 0; w < a.words(); ++w)
      if (const std::uint64_t differ = a.row(t)[w] ^ b.row(t)[w]) {
        const auto neuron = static_cast<std::int64_t>(w * 64) + std::countr_zero(differ);
        if (neuron >= a.neurons) throw usage_error("a record has spikes behind the last neuron of '" + a.layer + "'");
        return neuron;
      }
    return a.neurons;
  }
  std::int64_t neuron = 0;
  while (neuron < a.neurons && a.spikes(t, neuron) == b.spikes(t, neuron)) ++neuron;
  return neuron;
}

void check_sizes(const SpikeRecord& x, const SpikeRecord& y) {
  const auto steps = static_cast<std::size_t>(x.steps), all = static_cast<std::size_t>(x.neurons) * steps;
  if (x.neurons != y.neurons || x.steps != y.steps || x.bits.size() != y.bits.size() || x.bits.size() != x.words() * steps ||
      (!x.counts.empty() && x.counts.size() != all) || (!y.counts.empty() && y.counts.size() != all))
    throw usage_error("the two records of the layer '" + x.layer + "' have different sizes");
}

}  // namespace

ReferenceResult run_reference(const Graph& graph, std::span<const float> frames, const std::vector<SpikeRecord>* forced) {
  return Reference(graph, forced).run(frames);
}

std::optional<FirstDifference> first_difference(const Graph& graph, std::span<const float> frames, const std::vector<SpikeRecord>& a,
                                                const std::vector<SpikeRecord>& b) {
  struct Layer {
    const SpikeRecord *a, *b;
    const graph::Op* op;
  };
  std::vector<Layer> layers;
  int steps = std::numeric_limits<int>::max();
  for (const Node& node : graph.nodes) {
    if (!graph::is_neuron(node.op)) continue;
    const SpikeRecord *x = find(&a, node.name), *y = find(&b, node.name);
    if (!x || !y) throw usage_error("the spikes of the layer '" + node.name + "' were not recorded on both sides");
    check_sizes(*x, *y);
    layers.push_back({x, y, &node.op});
    steps = std::min(steps, x->steps);
  }
  for (int t = 0; !layers.empty() && t < steps; ++t)
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const SpikeRecord& record = *layers[l].a;
      FirstDifference d{t, record.layer, first_neuron(record, *layers[l].b, t)};
      if (d.neuron == record.neurons) continue;
      // Everything before (t, layer) is the same on both sides, so forcing a's spikes forces what both agreed on.
      const auto size = static_cast<std::size_t>(graph::elements(graph.input_shape));
      if (frames.size() < size * static_cast<std::size_t>(t + 1)) throw usage_error("there are fewer frames than recorded steps");
      const auto r = run_reference(graph, frames.first(size * static_cast<std::size_t>(t + 1)), &a);
      d.membrane = r.membranes[l][static_cast<std::size_t>(t * record.neurons + d.neuron)];
      d.threshold = std::visit(Threshold{d.membrane}, *layers[l].op), d.distance = std::fabs(d.membrane - d.threshold);
      return d;
    }
  return {};
}

}  // namespace apical::runtime
