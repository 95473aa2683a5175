#include "apical/nn/neuron_models.h"

#include <cmath>

#include "apical/base/error.h"
#include "apical/kernels/neurons/neuron_scan.h"
#include "apical/kernels/neurons/sliding.h"

namespace apical::nn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = c10::optional<Tensor>;  // apply() takes no undefined tensors

Optional maybe(const Tensor& t) { return t.defined() ? Optional(t) : Optional(); }
float* data_or_null(const Tensor& t) { return t.defined() ? t.data_ptr<float>() : nullptr; }
std::size_t size_of(std::int64_t n) { return static_cast<std::size_t>(n); }

// States [rows, B, ...] as the kernels want them, each row in the memory order of the frames (Sequence::dense), and back.
Tensor as_rows(const Tensor& state) { return state.dim() == 5 ? state.permute({0, 1, 3, 4, 2}).contiguous() : state.contiguous(); }
Tensor from_rows(const Tensor& rows) { return rows.dim() == 5 ? rows.permute({0, 1, 4, 2, 3}) : rows; }
Tensor new_rows(std::int64_t rows, std::int64_t batch, const Tensor& x) {
  std::vector<std::int64_t> shape{rows, batch};
  for (std::int64_t d = 1; d < x.dim(); ++d) shape.push_back(x.size(d));
  if (x.dim() == 4) shape = {rows, batch, x.size(2), x.size(3), x.size(1)};
  return at::empty(shape, x.options());
}

// Rows of the state that was given, or undefined.
Tensor checked_rows(const Optional& state, const Tensor& like) {
  if (!state) return {};
  const auto wanted = from_rows(like).sizes();
  if (state->sizes() != wanted)
    throw usage_error("the state is " + graph::shape_text(state->sizes().vec()) + ", " + graph::shape_text(wanted.vec()) + " is needed", "neurons");
  return as_rows(state->detach());
}

// The values of the parameters in the order of models.h.
void set_params(kernels::Cuba& m, const float* p) { m.alpha = p[0], m.lif.decay = p[1]; }
void set_params(kernels::Alif& m, const float* p) { m.lif.decay = p[0], m.rho = p[1]; }
void set_params(kernels::RefractoryLif& m, const float* p) { m.lif.decay = p[0]; }
void set_params(kernels::MultiLif& m, const float* p) { m.decay = p[0]; }

void set_detach_temporal(kernels::MultiLif& m, bool on) { m.detach_temporal = on; }
template <class Model>
void set_detach_temporal(Model& m, bool on) { m.lif.detach_temporal = on; }

graph::NeuronModel with_params(graph::NeuronModel model, const Tensor& params) {
  if (params.defined()) std::visit([&](auto& m) { set_params(m, params.detach().contiguous().data_ptr<float>()); }, model);
  return model;
}

struct Setting : torch::CustomClassHolder {
  std::int64_t T;
  graph::NeuronModel model;  // with the values of the parameters
  kernels::Surrogate surrogate;
};

struct NeuronScan : torch::autograd::Function<NeuronScan> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x_in, const Optional& state, const Optional& params, const c10::intrusive_ptr<Setting>& s) {
    const auto x = Sequence::dense(x_in);
    auto out = at::empty_like(x);
    Tensor last, before;
    std::visit(
        [&](const auto& model) {
          last = new_rows(static_cast<std::int64_t>(model.kStates), x.size(0) / s->T, x);
          before = checked_rows(state, last);
          kernels::neuron_forward(model, {.x = x.data_ptr<float>(), .T = size_of(s->T), .N = size_of(x.numel() / s->T), .state0 = data_or_null(before),
                                          .state = last.data_ptr<float>(), .spikes_f = out.data_ptr<float>()});
        },
        s->model);
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({x, before});
    ctx->saved_data["needs"] = std::vector<bool>{x_in.requires_grad(), state && state->requires_grad(), params && params->requires_grad()};
    ctx->saved_data["setting"] = c10::IValue::make_capsule(s);
    return {out, from_rows(last)};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto s = c10::static_intrusive_pointer_cast<Setting>(ctx->saved_data["setting"].toCapsule());
    const auto needs = ctx->saved_data["needs"].toBoolList();
    const auto &x = saved[0], &before = saved[1];
    const auto grad_s = grads[0].defined() ? Sequence::dense(grads[0]) : at::zeros_like(x);
    const auto grad_last = grads[1].defined() ? as_rows(grads[1]) : Tensor();
    auto grad_x = needs[0] ? at::empty_like(x) : Tensor(), grad_state = needs[1] ? at::empty_like(before) : Tensor();
    Tensor grad_params;
    std::visit(
        [&](const auto& model) {
          std::vector<double> sums(needs[2] ? model.kParams : 0);
          kernels::neuron_backward(model, s->surrogate,
                                   {.x = x.data_ptr<float>(), .T = size_of(s->T), .N = size_of(x.numel() / s->T), .state0 = data_or_null(before),
                                    .grad_s = grad_s.template data_ptr<float>(), .grad_state_last = data_or_null(grad_last),
                                    .grad_x = data_or_null(grad_x), .grad_state0 = data_or_null(grad_state), .grad_params = needs[2] ? sums.data() : nullptr});
          if (needs[2]) grad_params = at::tensor(sums, torch::kFloat64).to(torch::kFloat32);
        },
        s->model);
    return {grad_x, needs[1] ? from_rows(grad_state) : Tensor(), grad_params, Tensor()};
  }
};

struct SlidingScan : torch::autograd::Function<SlidingScan> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x_in, const Optional& past, const Tensor& weights, const Tensor& v_th,
                               const c10::intrusive_ptr<Setting>& s) {
    const auto x = Sequence::dense(x_in), w = weights.detach().contiguous();
    auto out = at::empty_like(x), next = new_rows(w.numel() - 1, x.size(0) / s->T, x);
    const auto before = checked_rows(past, next);
    kernels::sliding_forward({w.data_ptr<float>(), size_of(w.numel()), v_th.item<float>()}, x.data_ptr<float>(), size_of(s->T), size_of(x.numel() / s->T),
                             data_or_null(before), next.data_ptr<float>(), nullptr, out.data_ptr<float>(), nullptr);
    const auto after = from_rows(next);
    ctx->mark_non_differentiable({after});
    ctx->save_for_backward({x, before, w, v_th.detach()});
    ctx->saved_data["grad_x"] = x_in.requires_grad();
    ctx->saved_data["setting"] = c10::IValue::make_capsule(s);
    return {out, after};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto s = c10::static_intrusive_pointer_cast<Setting>(ctx->saved_data["setting"].toCapsule());
    const auto &x = saved[0], &w = saved[2], &v_th = saved[3];
    const auto grad_s = Sequence::dense(grads[0]);
    auto grad_x = ctx->saved_data["grad_x"].toBool() ? at::empty_like(x) : Tensor();
    std::vector<double> grad_w(size_of(w.numel()));
    double grad_th = 0;
    kernels::sliding_backward({w.data_ptr<float>(), size_of(w.numel()), v_th.item<float>()}, s->surrogate, x.data_ptr<float>(), size_of(s->T),
                              size_of(x.numel() / s->T), data_or_null(saved[1]), grad_s.data_ptr<float>(), data_or_null(grad_x), grad_w.data(), &grad_th);
    return {grad_x, Tensor(), at::tensor(grad_w, torch::kFloat64).to(torch::kFloat32), at::full_like(v_th, grad_th), Tensor()};
  }
};

c10::intrusive_ptr<Setting> setting(std::int64_t T, const graph::NeuronModel& model, const kernels::Surrogate& surrogate) {
  auto s = c10::make_intrusive<Setting>();
  s->T = T, s->model = model, s->surrogate = surrogate;
  return s;
}

void within(std::int64_t value, std::int64_t least, std::int64_t most, const char* name) {
  if (value < least || value > most)
    throw usage_error(std::string(name) + " must lie in " + std::to_string(least) + " .. " + std::to_string(most), std::string(name) + " = " + std::to_string(value));
}

kernels::Lif lif_of(const NeuronOptions& o) { return make_lif(o, decay_of_tau(o.tau)); }

kernels::Alif alif_of(const NeuronOptions& o, double tau_adapt, double beta) {
  if (!(beta >= 0) || !std::isfinite(beta)) throw usage_error("beta must be >= 0: a spike raises the threshold", "beta = " + std::to_string(beta));
  const auto lif = lif_of(o);
  return {lif, static_cast<float>(decay_of_tau(tau_adapt, "tau_adapt")), static_cast<float>(beta), lif.v_th};
}

kernels::RefractoryLif refractory_of(const NeuronOptions& o, std::int64_t steps) {
  within(steps, 0, (1 << 24) - 1, "refractory");
  return {lif_of(o), static_cast<int>(steps)};
}

kernels::MultiLif integer_of(const NeuronOptions& o, std::int64_t levels) {
  within(levels, 1, 255, "levels");
  return {static_cast<float>(decay_of_tau(o.tau)), 1.0f, static_cast<int>(levels), o.detach_reset, o.detach_temporal};
}

}  // namespace

std::pair<Tensor, Tensor> neuron_scan(const Sequence& x, const Tensor& state, const Tensor& params, const graph::NeuronModel& model,
                                      const kernels::Surrogate& surrogate) {
  const auto out = NeuronScan::apply(x.expanded().frames, maybe(state), maybe(params), setting(x.T, with_params(model, params), surrogate));
  return {out[0], out[1]};
}

std::pair<Tensor, Tensor> sliding_scan(const Sequence& x, const Tensor& past, const Tensor& weights, const Tensor& v_th, const kernels::Surrogate& surrogate) {
  const auto out = SlidingScan::apply(x.expanded().frames, maybe(past), weights, v_th, setting(x.T, {}, surrogate));
  return {out[0], out[1]};
}

ModelNodeImpl::ModelNodeImpl(const graph::NeuronModel& model, const kernels::Surrogate& surrogate, const std::vector<double>& taus, bool learn)
    : model_(model), surrogate_(surrogate) {
  if (!learn) return;
  std::vector<float> w;
  for (const double tau : taus) {
    if (!(tau > 1)) throw usage_error("a learnt tau must start above 1", "tau = " + std::to_string(tau));
    w.push_back(static_cast<float>(-std::log(tau - 1)));
  }
  w_ = register_parameter("w", torch::tensor(w));
}

Tensor ModelNodeImpl::params() const { return w_.defined() ? 1.0 - torch::sigmoid(w_) : Tensor(); }

Sequence ModelNodeImpl::run(const Sequence& x, Tensor* state) {
  auto [spikes, last] = neuron_scan(x, state ? *state : Tensor(), params(), model_, surrogate_);
  if (state) *state = last;
  return {spikes, x.T, false};
}

void ModelNodeImpl::detach_temporal(bool on) {
  std::visit([&](auto& m) { set_detach_temporal(m, on); }, model_);
}

std::string ModelNodeImpl::lower(graph::Graph& graph, const std::string& input) const {
  auto model = with_params(model_, params());
  std::visit([](auto& m) { set_detach_temporal(m, false); }, model);  // a matter of training
  return add_node(graph, label, graph::SpikingNeuron{model, surrogate_}, {input});
}

CubaLIFImpl::CubaLIFImpl(const NeuronOptions& o, double tau_syn, bool learn)
    : ModelNodeImpl(kernels::Cuba{lif_of(o), static_cast<float>(decay_of_tau(tau_syn, "tau_syn"))}, o.surrogate, {tau_syn, o.tau}, learn) {}
AdaptiveLIFImpl::AdaptiveLIFImpl(const NeuronOptions& o, double tau_adapt, double beta, bool learn)
    : ModelNodeImpl(alif_of(o, tau_adapt, beta), o.surrogate, {o.tau, tau_adapt}, learn) {}
RefractoryLIFImpl::RefractoryLIFImpl(const NeuronOptions& o, std::int64_t steps, bool learn)
    : ModelNodeImpl(refractory_of(o, steps), o.surrogate, {o.tau}, learn) {}
IntegerLIFImpl::IntegerLIFImpl(const NeuronOptions& o, std::int64_t levels, bool learn)
    : ModelNodeImpl(integer_of(o, levels), {}, {o.tau}, learn) {}

SlidingPSNImpl::SlidingPSNImpl(std::int64_t window, double v_th, const kernels::Surrogate& surrogate) : surrogate_(surrogate) {
  within(window, 1, static_cast<std::int64_t>(kernels::max_window), "window");
  check_surrogate(surrogate);
  weights_ = register_parameter("weights", torch::pow(0.5, torch::arange(window, torch::kFloat32)));
  v_th_ = register_parameter("v_th", torch::full({1}, v_th));
}

Sequence SlidingPSNImpl::run(const Sequence& x, Tensor* past) {
  auto [spikes, next] = sliding_scan(x, past ? *past : Tensor(), weights_, v_th_, surrogate_);
  if (past) *past = next;
  return {spikes, x.T, false};
}

std::string SlidingPSNImpl::lower(graph::Graph& graph, const std::string& input) const {
  const std::string weights = label + ".weights";
  graph.tensors[weights] = graph_tensor(weights_);
  return add_node(graph, label, graph::SlidingNeuron{weights, v_th_.item<float>(), surrogate_}, {input});
}

}  // namespace apical::nn
