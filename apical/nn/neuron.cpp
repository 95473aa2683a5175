#include "apical/nn/neuron.h"

#include <torch/csrc/autograd/graph_task.h>

#include <cmath>

#include "apical/base/error.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/scan.h"
#include "apical/kernels/pool.h"
#include "apical/nn/layers.h"
#include "apical/nn/recompute.h"

namespace apical::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::MemoryFormat format_of(const torch::Tensor& x) {
  return x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast) ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

// What forward and backward need beside tensors.
struct Setting : torch::CustomClassHolder {
  std::int64_t T, pool;
  bool constant, own_x;
  kernels::Lif lif;
  kernels::Surrogate surrogate;
  std::uint64_t* fired;  // read by forward only
};

const float* data_or_null(const torch::Tensor& t) { return t.defined() ? t.data_ptr<float>() : nullptr; }
float* data_or_null(torch::Tensor& t) { return t.defined() ? t.data_ptr<float>() : nullptr; }

// The windows of s.pool x s.pool pixels of images x.
std::optional<kernels::Pool2d> windows(const torch::Tensor& x, const Setting& s) {
  if (s.pool == 1) return std::nullopt;
  return pool_shape(x.sizes(), s.pool, s.pool);
}

// Spikes (or their averages) and last membrane of a sequence; backward computes the membrane again from x.
struct LifScan : torch::autograd::Function<LifScan> {
  using Optional = c10::optional<torch::Tensor>;  // apply() takes no undefined tensors
  static variable_list forward(AutogradContext* ctx, const torch::Tensor& x_in, const Optional& v0_in, const Optional& decay_in,
                               const c10::intrusive_ptr<Setting>& s) {
    const auto v0 = v0_in.value_or(torch::Tensor()), decay = decay_in.value_or(torch::Tensor());
    const auto x = Sequence::dense(x_in);
    const auto format = format_of(x);
    auto shape = x.sizes().vec();
    if (s->constant) shape[0] *= s->T;
    const auto pool = windows(x, *s);
    if (pool) shape[2] = static_cast<std::int64_t>(pool->out_height()), shape[3] = static_cast<std::int64_t>(pool->out_width());
    auto out = at::empty(shape, x.options().memory_format(format));
    shape = x.sizes().vec();
    if (!s->constant) shape[0] /= s->T;
    const auto before = v0.defined() ? v0.detach().contiguous(format) : torch::Tensor();
    auto v = at::empty(shape, x.options().memory_format(format));
    const auto T = static_cast<std::size_t>(s->T), neurons = static_cast<std::size_t>(v.numel());
    torch::Tensor bits;
    std::uint64_t* words = nullptr;
    if (pool || s->fired) {
      bits = at::empty({static_cast<std::int64_t>(T * kernels::words_per_row(neurons))}, x.options().dtype(torch::kInt64));
      words = reinterpret_cast<std::uint64_t*>(bits.data_ptr<std::int64_t>());
    }
    kernels::lif_forward(s->lif, data_or_null(decay), decay.defined() ? 1 : 0, x.data_ptr<float>(), T, neurons, data_or_null(before),
                         v.data_ptr<float>(), words, pool ? nullptr : out.data_ptr<float>(), nullptr, s->constant);
    if (pool) kernels::average_pool_bits(*pool, T, static_cast<std::size_t>(v.size(0)), words, out.data_ptr<float>());
    if (s->fired) *s->fired = kernels::count_bits(words, T, neurons);
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({x, v0, decay});
    ctx->saved_data["grad_v0"] = v0.defined() && v0.requires_grad();
    ctx->saved_data["setting"] = c10::IValue::make_capsule(s);
    return {out, v};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto s = c10::static_intrusive_pointer_cast<Setting>(ctx->saved_data["setting"].toCapsule());
    const auto &x = saved[0], &decay = saved[2];
    const auto format = format_of(x);
    const auto neurons = x.numel() / (s->constant ? 1 : s->T);
    const auto grad_s = grads[0].defined() ? grads[0].contiguous(format) : at::zeros({s->T * neurons}, x.options());  // enough for averages too
    const auto grad_v = grads[1].defined() ? grads[1].contiguous(format) : torch::Tensor();
    const auto v0 = saved[1].defined() ? saved[1].contiguous(format) : torch::Tensor();
    // Nobody reads x any more but this function, should it be called once more.
    const bool over_x = s->own_x && !s->constant && !torch::autograd::get_current_graph_task_keep_graph();
    auto grad_x = over_x ? x.detach() : at::empty_like(x);
    auto grad_v0 = ctx->saved_data["grad_v0"].toBool() ? at::empty_like(v0) : torch::Tensor();
    double grad_decay = 0;
    const auto pool = windows(x, *s);
    kernels::lif_backward(s->lif, s->surrogate, data_or_null(decay), decay.defined() ? 1 : 0, x.data_ptr<float>(), data_or_null(v0),
                          grad_s.data_ptr<float>(), data_or_null(grad_v), static_cast<std::size_t>(s->T),
                          static_cast<std::size_t>(neurons), grad_x.data_ptr<float>(), data_or_null(grad_v0),
                          decay.defined() ? &grad_decay : nullptr, s->constant, pool ? &*pool : nullptr);
    return {grad_x, grad_v0, decay.defined() ? at::full_like(decay, grad_decay) : torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

std::pair<torch::Tensor, torch::Tensor> lif_scan(const Sequence& x, const torch::Tensor& v, const torch::Tensor& decay,
                                                 const kernels::Lif& lif, const kernels::Surrogate& surrogate, std::int64_t pool,
                                                 std::uint64_t* fired, bool own_x) {
  if (x.frames.scalar_type() == torch::kFloat64) {
    const auto narrow = [](const torch::Tensor& t) { return t.defined() ? t.to(torch::kFloat32) : t; };
    const auto [spikes, last] = lif_scan({narrow(x.frames), x.T, x.constant}, narrow(v), narrow(decay), lif, surrogate, pool, fired, own_x);
    return {spikes.to(torch::kFloat64), last.to(torch::kFloat64)};
  }
  auto setting = c10::make_intrusive<Setting>();
  setting->T = x.T;
  setting->pool = pool;
  setting->constant = x.constant;
  setting->own_x = own_x;
  setting->lif = lif;
  setting->surrogate = surrogate;
  const auto maybe = [](const torch::Tensor& t) { return t.defined() ? LifScan::Optional(t) : LifScan::Optional(); };
  setting->fired = fired;
  const auto out = LifScan::apply(x.frames, maybe(v), maybe(decay), setting);
  return {out[0], out[1]};
}

double decay_of_tau(double tau, const char* key) {
  if (!(tau >= 1)) throw usage_error(std::string(key) + " must be >= 1 step (1 means no memory)", std::string(key) + " = " + std::to_string(tau));
  return 1.0 - 1.0 / tau;
}

void check_surrogate(const kernels::Surrogate& s) {
  if (!(s.width > 0)) throw usage_error("the surrogate's width must be > 0", "width = " + std::to_string(s.width));
}

kernels::Lif make_lif(const NeuronOptions& o, double decay) {
  if (!(o.v_th > 0)) throw usage_error("v_th must be > 0", "v_th = " + std::to_string(o.v_th));
  check_surrogate(o.surrogate);
  kernels::Lif l;
  l.decay = static_cast<float>(decay);
  l.input_scale = o.decay_input && decay < 1 ? static_cast<float>(1.0 - decay) : 1.0f;
  l.decay_input = o.decay_input && decay < 1;
  l.v_th = static_cast<float>(o.v_th);
  l.reset = o.v_reset ? kernels::Reset::hard : kernels::Reset::soft;
  l.v_reset = static_cast<float>(o.v_reset.value_or(0.0));
  l.detach_reset = o.detach_reset;
  l.detach_temporal = o.detach_temporal;
  return l;
}

LIFNodeImpl::LIFNodeImpl(const NeuronOptions& o) : LIFNodeImpl(o, decay_of_tau(o.tau)) {}
LIFNodeImpl::LIFNodeImpl(const NeuronOptions& o, double decay) : lif_(make_lif(o, decay)), surrogate_(o.surrogate) {}

Sequence LIFNodeImpl::fire(const Sequence& x, torch::Tensor* v, std::int64_t pool, std::uint64_t* fired, bool own_x) {
  auto [spikes, last] = lif_scan(x, v ? *v : torch::Tensor(), decay(), lif_, surrogate_, pool, fired, own_x);
  if (v) *v = last;
  return {spikes, x.T, false};
}

std::optional<Sequence> LIFNodeImpl::fire_behind(const std::shared_ptr<LayerImpl>& before, const Sequence& x, torch::Tensor* v,
                                                 std::uint64_t* fired, bool recompute) {
  const auto state = v ? *v : torch::Tensor();
  const auto* const dense = dynamic_cast<const DenseImpl*>(before.get());
  auto out = dense ? dense->spikes_behind(x, state, lif_, fired) : std::nullopt;
  if (!out && recompute) out = lif_recomputed(before, x, state, lif_, surrogate_, fired);
  if (!out) return std::nullopt;
  if (v) *v = out->second;
  return Sequence{out->first, x.T, false};
}

std::string LIFNodeImpl::lower(graph::Graph& graph, const std::string& input) const {
  graph::Neuron op;
  op.lif = lif_;
  op.lif.detach_temporal = false;  // a matter of training
  op.surrogate = surrogate_;
  graph.nodes.push_back({label, op, {input}, {}});
  return label;
}

ParametricLIFNodeImpl::ParametricLIFNodeImpl(const NeuronOptions& o) : LIFNodeImpl(o) {
  if (!(o.tau > 1)) throw usage_error("a learnt tau must start above 1", "tau = " + std::to_string(o.tau));
  w_ = register_parameter("w", torch::full({1}, -std::log(o.tau - 1.0)));
}

std::string ParametricLIFNodeImpl::lower(graph::Graph& graph, const std::string& input) const {
  const std::string name = LIFNodeImpl::lower(graph, input);
  auto& lif = std::get<graph::Neuron>(graph.nodes.back().op).lif;
  lif.decay = decay().item<float>();
  if (lif.decay_input) lif.input_scale = 1.0f - lif.decay;
  return name;
}

}  // namespace apical::nn
