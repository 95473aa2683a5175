#include "apical/nn/layers.h"

#include <cmath>

#include "apical/base/error.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_lif.h"
#include "apical/kernels/event_matmul.h"
#include "apical/kernels/pool.h"

namespace apical::nn {
torch::Tensor uniform(const std::vector<std::int64_t>& shape, double bound, Random random) {
  auto t = torch::empty(shape);
  float* p = t.data_ptr<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i) p[i] = random.uniform(static_cast<float>(-bound), static_cast<float>(bound));
  return t;
}

torch::Tensor normal(const std::vector<std::int64_t>& shape, double deviation, Random random) {
  auto t = torch::empty(shape);
  float* p = t.data_ptr<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i) p[i] = static_cast<float>(deviation) * random.normal();
  return t;
}

std::string add_node(graph::Graph& graph, const std::string& name, graph::Op op, std::vector<std::string> inputs) {
  graph.nodes.push_back({name, std::move(op), std::move(inputs), {}});
  return name;
}

kernels::Pool2d pool_shape(at::IntArrayRef sizes, std::int64_t kernel, std::int64_t stride) {
  const auto size = [](std::int64_t v) { return static_cast<std::size_t>(v); };
  return {size(sizes[1]), size(sizes[2]), size(sizes[3]), size(kernel), size(kernel), size(stride), size(stride), 0, 0};
}

graph::Tensor graph_tensor(const torch::Tensor& t) {
  const auto c = t.detach().to(torch::kFloat32).contiguous();
  return {c.sizes().vec(), std::vector<float>(c.data_ptr<float>(), c.data_ptr<float>() + c.numel())};
}

ConvImpl::ConvImpl(std::string name, const ConvOptions& o, std::uint64_t seed) : o_(o) {
  label = std::move(name);
  if (o.in < 1 || o.out < 1 || o.kernel < 1 || o.stride < 1 || o.padding < 0 || o.groups < 1 || o.in % o.groups || o.out % o.groups)
    throw usage_error("a convolution needs channels, kernel and stride >= 1, padding >= 0, and groups that divide the channels", label);
  const double bound = 1.0 / std::sqrt(static_cast<double>(o.in / o.groups * o.kernel * o.kernel));
  weight_ = register_parameter("weight", uniform({o.out, o.in / o.groups, o.kernel, o.kernel}, bound, Random(seed, label + ".weight")));
  if (o.bias) bias_ = register_parameter("bias", uniform({o.out}, bound, Random(seed, label + ".bias")));
}

Sequence ConvImpl::run(const Sequence& x, torch::Tensor*) {
  auto y = at::conv2d(Sequence::dense(x.frames), weight_, bias_, o_.stride, o_.padding, 1, o_.groups);
  return {y, x.T, x.constant};
}

std::string ConvImpl::lower(graph::Graph& graph, const std::string& input) const {
  graph::Conv2d op;
  op.weight = label + ".weight";
  graph.tensors[op.weight] = graph_tensor(weight_);
  if (bias_.defined()) {
    op.bias = label + ".bias";
    graph.tensors[op.bias] = graph_tensor(bias_);
  }
  op.stride_h = op.stride_w = static_cast<int>(o_.stride);
  op.pad_h = op.pad_w = static_cast<int>(o_.padding);
  op.groups = static_cast<int>(o_.groups);
  return add_node(graph, label, op, {input});
}

DenseImpl::DenseImpl(std::string name, std::int64_t in, std::int64_t out, bool bias, std::uint64_t seed) {
  label = std::move(name);
  if (in < 1 || out < 1) throw usage_error("a dense layer needs units >= 1", label);
  const double bound = 1.0 / std::sqrt(static_cast<double>(in));
  weight_ = register_parameter("weight", uniform({out, in}, bound, Random(seed, label + ".weight")));
  if (bias) bias_ = register_parameter("bias", uniform({out}, bound, Random(seed, label + ".bias")));
}

namespace {

std::size_t size_of(std::int64_t v) { return static_cast<std::size_t>(v); }
std::uint64_t* words_of(const torch::Tensor& bits) { return reinterpret_cast<std::uint64_t*>(bits.data_ptr<std::int64_t>()); }

// Frames [rows, inputs] as SpikeBits when every value is 0 or 1 and few are 1; else undefined.
torch::Tensor few_bits(const torch::Tensor& frames, double density) {
  const auto x = frames.detach().contiguous();
  const std::size_t rows = size_of(x.size(0)), inputs = size_of(x.size(1));
  auto bits = at::empty({x.size(0), static_cast<std::int64_t>(kernels::words_per_row(inputs))}, torch::kInt64);
  for (const std::size_t some : {std::size_t{1}, rows})  // the first row tells most numbers from spikes
    if (!kernels::pack_bits(x.data_ptr<float>(), some, inputs, words_of(bits))) return {};
  if (static_cast<double>(kernels::count_bits(words_of(bits), rows, inputs)) > density * static_cast<double>(rows * inputs)) return {};
  return bits;
}

torch::Tensor panels_of(const torch::Tensor& weight) {
  const std::size_t inputs = size_of(weight.size(1)), outputs = size_of(weight.size(0));
  auto panels = at::empty({static_cast<std::int64_t>(kernels::matmul_floats(outputs, inputs))}, weight.options());
  kernels::prepare_event_matmul(weight.contiguous().data_ptr<float>(), outputs, inputs, panels.data_ptr<float>());
  return panels;
}

torch::Tensor event_product(const torch::Tensor& bits, const torch::Tensor& weight, const torch::Tensor& bias) {
  const std::size_t rows = size_of(bits.size(0)), inputs = size_of(weight.size(1)), outputs = size_of(weight.size(0));
  const auto panels = panels_of(weight);
  auto y = bias.defined() ? bias.expand({bits.size(0), weight.size(0)}).contiguous()
                          : at::zeros({bits.size(0), weight.size(0)}, weight.options());
  kernels::event_matmul(panels.data_ptr<float>(), outputs, inputs, words_of(bits), rows, y.data_ptr<float>());
  return y;
}

// y = x W^T + b of spikes x, event by event; for backward their bits are kept, not x.
struct SpikeProduct : torch::autograd::Function<SpikeProduct> {
  static torch::Tensor forward(torch::autograd::AutogradContext* ctx, const torch::Tensor& x, const torch::Tensor& weight,
                               const c10::optional<torch::Tensor>& bias, const torch::Tensor& bits) {
    ctx->save_for_backward({weight, bits});
    ctx->saved_data["needs"] = std::vector<bool>{x.requires_grad(), weight.requires_grad(), bias && bias->requires_grad()};
    return event_product(bits, weight.detach(), bias ? bias->detach() : torch::Tensor());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &weight = saved[0], &bits = saved[1];
    const auto needs = ctx->saved_data["needs"].toBoolList();
    const auto g = grads[0].contiguous();
    torch::Tensor grad_x, grad_weight, grad_bias;
    if (needs[0]) grad_x = at::mm(g, weight);
    if (needs[1]) {
      grad_weight = at::zeros(weight.sizes(), weight.options());
      kernels::event_matmul_gradient(g.data_ptr<float>(), size_of(weight.size(0)), words_of(bits), size_of(weight.size(1)), size_of(bits.size(0)),
                                     grad_weight.data_ptr<float>());
    }
    if (needs[2]) grad_bias = g.sum(0);
    return {grad_x, grad_weight, grad_bias, torch::Tensor()};
  }
};

}  // namespace

torch::Tensor DenseImpl::few_spikes(const torch::Tensor& frames) const {
  if (frames.dim() != 2) throw usage_error("a dense layer needs flat input", label, "Put a flatten layer before it.");
  const bool narrow = frames.scalar_type() == torch::kFloat32;
  return narrow && size_of(frames.size(0)) >= event_rows && weight_.numel() >= 1 << 16 ? few_bits(frames, event_density) : torch::Tensor();
}

std::optional<std::pair<torch::Tensor, torch::Tensor>> DenseImpl::spikes_behind(const Sequence& x, const torch::Tensor& v,
                                                                                const kernels::Lif& lif, std::uint64_t* fired) const {
  if (x.constant || at::GradMode::is_enabled()) return std::nullopt;
  const auto bits = few_spikes(x.frames);
  if (!bits.defined()) return std::nullopt;
  const std::int64_t batch = bits.size(0) / x.T, outputs = weight_.size(0);
  const auto before = v.defined() ? v.contiguous() : torch::Tensor();
  auto spikes = at::empty({bits.size(0), outputs}, weight_.options()), last = at::empty({batch, outputs}, weight_.options());
  const auto count =
      kernels::event_lif_forward(lif, weight_.contiguous().data_ptr<float>(), size_of(outputs), size_of(weight_.size(1)),
                                 bias_.defined() ? bias_.data_ptr<float>() : nullptr, words_of(bits), size_of(x.T), size_of(batch),
                                 before.defined() ? before.data_ptr<float>() : nullptr, last.data_ptr<float>(), spikes.data_ptr<float>());
  if (fired) *fired = count;
  return std::pair{spikes, last};
}

Sequence DenseImpl::run(const Sequence& x, torch::Tensor*) {
  const auto bits = few_spikes(x.frames);
  if (!bits.defined()) return {at::linear(x.frames, weight_, bias_), x.T, x.constant};
  if (!at::GradMode::is_enabled()) return {event_product(bits, weight_, bias_), x.T, x.constant};
  return {SpikeProduct::apply(x.frames, weight_, bias_.defined() ? c10::optional<torch::Tensor>(bias_) : c10::nullopt, bits), x.T, x.constant};
}

bool DenseImpl::add_gradients(const torch::Tensor& frames, const torch::Tensor& grad_out, std::vector<torch::Tensor>& sums,
                              torch::Tensor* grad_frames) const {
  if (few_spikes(frames).defined()) return false;
  sums[0] = sums[0].defined() ? sums[0].addmm_(grad_out.t(), frames) : at::mm(grad_out.t(), frames);
  if (bias_.defined()) sums[1] = sums[1].defined() ? sums[1].add_(grad_out.sum(0)) : grad_out.sum(0);
  if (grad_frames) at::mm_out(*grad_frames, grad_out, weight_.detach());
  return true;
}

std::string DenseImpl::lower(graph::Graph& graph, const std::string& input) const {
  graph::Linear op{label + ".weight", ""};
  graph.tensors[op.weight] = graph_tensor(weight_);
  if (bias_.defined()) {
    op.bias = label + ".bias";
    graph.tensors[op.bias] = graph_tensor(bias_);
  }
  return add_node(graph, label, op, {input});
}

BatchNormImpl::BatchNormImpl(std::string name, std::int64_t channels, Stats stats, double momentum, double eps)
    : stats_(stats), momentum_(momentum), eps_(eps) {
  label = std::move(name);
  weight_ = register_parameter("weight", torch::ones({channels}));
  bias_ = register_parameter("bias", torch::zeros({channels}));
  mean_ = register_buffer("running_mean", torch::zeros({channels}));
  var_ = register_buffer("running_var", torch::ones({channels}));
}

torch::Tensor BatchNormImpl::normalise(const torch::Tensor& x, double momentum) {
  return at::batch_norm(Sequence::dense(x), weight_, bias_, mean_, var_, is_training(), momentum, eps_, false);
}

Sequence BatchNormImpl::run(const Sequence& x, torch::Tensor*) {
  if (!is_training() || x.T == 1) return {normalise(x.frames, momentum_), x.T, x.constant};
  if (x.constant) {
    // T equal steps: one pass gives every step's statistics; the running ones move T times
    const double moved = stats_ == Stats::step ? 1.0 - std::pow(1.0 - momentum_, static_cast<double>(x.T)) : momentum_;
    return {normalise(x.frames, moved), x.T, true};
  }
  if (stats_ == Stats::sequence) return {normalise(x.frames, momentum_), x.T, false};
  std::vector<torch::Tensor> steps;
  for (const auto& step : x.frames.split(x.batch())) steps.push_back(normalise(step, momentum_));  // one node of autograd, not T
  return {Sequence::dense(at::cat(steps)), x.T, false};
}

std::string BatchNormImpl::lower(graph::Graph& graph, const std::string& input) const {
  const auto scale = weight_.detach().to(torch::kFloat64) / torch::sqrt(var_.to(torch::kFloat64) + eps_);
  const auto shift = bias_.detach().to(torch::kFloat64) - mean_.to(torch::kFloat64) * scale;
  graph::Affine op{label + ".scale", label + ".shift"};
  graph.tensors[op.scale] = graph_tensor(scale);
  graph.tensors[op.shift] = graph_tensor(shift);
  return add_node(graph, label, op, {input});
}

namespace {

// Average pooling on channels-last frames; unlike torch's it keeps nothing of its input for backward.
struct AveragePool : torch::autograd::Function<AveragePool> {
  static torch::Tensor forward(torch::autograd::AutogradContext* ctx, const torch::Tensor& x_in, std::int64_t kernel, std::int64_t stride) {
    const auto x = Sequence::dense(x_in);
    const auto shape = pool_shape(x.sizes(), kernel, stride);
    auto y = at::empty({x.size(0), x.size(1), static_cast<std::int64_t>(shape.out_height()), static_cast<std::int64_t>(shape.out_width())},
                       x.options().memory_format(at::MemoryFormat::ChannelsLast));
    kernels::average_pool(shape, static_cast<std::size_t>(x.size(0)), x.data_ptr<float>(), y.data_ptr<float>());
    ctx->saved_data["sizes"] = x.sizes();
    ctx->saved_data["kernel"] = kernel;
    ctx->saved_data["stride"] = stride;
    return y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, torch::autograd::variable_list grads) {
    const auto sizes = ctx->saved_data["sizes"].toIntVector();
    const auto g = Sequence::dense(grads[0]);
    auto grad_x = at::empty(sizes, g.options().memory_format(at::MemoryFormat::ChannelsLast));
    kernels::average_pool_backward(pool_shape(sizes, ctx->saved_data["kernel"].toInt(), ctx->saved_data["stride"].toInt()),
                                   static_cast<std::size_t>(sizes[0]), g.data_ptr<float>(), grad_x.data_ptr<float>());
    return {grad_x, torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

PoolImpl::PoolImpl(std::string name, bool maximum, std::int64_t kernel, std::int64_t stride)
    : maximum_(maximum), kernel_(kernel), stride_(stride) {
  label = std::move(name);
  if (kernel < 1 || stride < 1) throw usage_error("a pool needs size and stride >= 1", label);
}

Sequence PoolImpl::run(const Sequence& x, torch::Tensor*) {
  if (maximum_) return {at::max_pool2d(Sequence::dense(x.frames), kernel_, stride_), x.T, x.constant};
  if (x.frames.scalar_type() == torch::kFloat64) return {at::avg_pool2d(Sequence::dense(x.frames), kernel_, stride_), x.T, x.constant};
  return {AveragePool::apply(x.frames, kernel_, stride_), x.T, x.constant};
}

std::string PoolImpl::lower(graph::Graph& graph, const std::string& input) const {
  const int k = static_cast<int>(kernel_), s = static_cast<int>(stride_);
  if (maximum_) return add_node(graph, label, graph::MaxPool2d{k, s}, {input});
  return add_node(graph, label, graph::AvgPool2d{k, s}, {input});
}

FlattenImpl::FlattenImpl(std::string name) { label = std::move(name); }

Sequence FlattenImpl::run(const Sequence& x, torch::Tensor*) { return {x.frames.contiguous().flatten(1), x.T, x.constant}; }

std::string FlattenImpl::lower(graph::Graph& graph, const std::string& input) const {
  return add_node(graph, label, graph::Flatten{}, {input});
}

DropoutImpl::DropoutImpl(std::string name, double p, std::uint64_t seed) : p_(p), seed_(seed) {
  label = std::move(name);
  if (!(p >= 0 && p < 1)) throw usage_error("dropout needs 0 <= p < 1", label);
}

Sequence DropoutImpl::run(const Sequence& x, torch::Tensor*) {
  if (!is_training() || p_ == 0) return x;
  auto shape = x.frames.sizes().vec();
  shape[0] = x.batch();
  auto mask = torch::empty(shape);
  const Random random(seed_, stream_id(label) ^ (step_ * 0x9E3779B97F4A7C15ull));
  const float keep = static_cast<float>(1.0 / (1.0 - p_));
  float* m = mask.data_ptr<float>();
  for (std::int64_t i = 0; i < mask.numel(); ++i) m[i] = random.uniform_at(static_cast<std::uint64_t>(i)) < p_ ? 0.0f : keep;
  if (!x.constant && x.T > 1) {
    std::vector<std::int64_t> repeats(shape.size(), 1);
    repeats[0] = x.T;
    mask = mask.repeat(repeats);
  }
  return {x.frames * mask, x.T, x.constant};
}

std::string DropoutImpl::lower(graph::Graph&, const std::string& input) const { return input; }  // nothing to do at inference

}  // namespace apical::nn
