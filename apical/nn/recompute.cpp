#include "apical/nn/recompute.h"

#include <algorithm>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/scan.h"

namespace apical::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Of a convolution enough to be busy. A product of fewer rows is hardly faster on two threads than on one (512 columns, OpenBLAS 0.3.21).
constexpr std::int64_t frames_at_once = 512, vectors_at_once = 896;

struct Work : torch::CustomClassHolder {
  std::shared_ptr<LayerImpl> layer;
  std::int64_t T;
  kernels::Lif lif;
  kernels::Surrogate surrogate;
  std::uint64_t* fired;  // read by forward only

  std::int64_t steps_at_once(const torch::Tensor& x) const {
    return std::clamp<std::int64_t>((x.dim() > 2 ? frames_at_once : vectors_at_once) / (x.size(0) / T), 1, T);
  }
  torch::Tensor currents(const torch::Tensor& frames, std::int64_t steps) const { return Sequence::dense(layer->run({frames, steps, false}, nullptr).frames); }
};

std::size_t size_of(std::int64_t n) { return static_cast<std::size_t>(n); }

struct LifRecomputed : torch::autograd::Function<LifRecomputed> {
  using Optional = c10::optional<torch::Tensor>;  // apply() takes no undefined tensors
  static variable_list forward(AutogradContext* ctx, const torch::Tensor& x, const Optional& v0, const c10::intrusive_ptr<Work>& w,
                               at::TensorList) {  // the layer's parameters: for autograd to know
    const std::int64_t batch = x.size(0) / w->T, stride = w->steps_at_once(x);
    torch::Tensor spikes, starts, last, bits;  // starts: membranes before each block
    std::uint64_t fired = 0;
    for (std::int64_t t = 0; t < w->T; t += stride) {
      const std::int64_t steps = std::min(stride, w->T - t);
      const auto y = w->currents(x.narrow(0, t * batch, steps * batch), steps);
      const std::int64_t neurons = y.numel() / steps;
      if (!spikes.defined()) {
        const auto format = y.suggest_memory_format();
        auto shape = y.sizes().vec();
        shape[0] = batch;
        last = v0 ? v0->detach().contiguous(format).clone() : at::zeros(shape, y.options()).contiguous(format);
        shape[0] = batch * w->T;
        spikes = at::empty(shape, y.options().memory_format(format));
        starts = at::empty({(w->T + stride - 1) / stride, neurons}, y.options());
        if (w->fired) bits = at::empty({stride * static_cast<std::int64_t>(kernels::words_per_row(size_of(neurons)))}, y.options().dtype(torch::kInt64));
      }
      float* const v = last.data_ptr<float>();
      std::copy_n(v, neurons, starts.data_ptr<float>() + t / stride * neurons);
      auto* const words = w->fired ? reinterpret_cast<std::uint64_t*>(bits.data_ptr<std::int64_t>()) : nullptr;
      kernels::lif_forward(w->lif, nullptr, 0, y.data_ptr<float>(), size_of(steps), size_of(neurons), starts.data_ptr<float>() + t / stride * neurons, v, words,
                           spikes.data_ptr<float>() + t * neurons, nullptr, false);
      if (words) fired += kernels::count_bits(words, size_of(steps), size_of(neurons));
    }
    if (w->fired) *w->fired = fired;
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({x, starts});
    ctx->saved_data["needs"] = std::vector<bool>{x.requires_grad(), v0 && v0->requires_grad()};
    ctx->saved_data["work"] = c10::IValue::make_capsule(w);
    return {spikes, last};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto w = c10::static_intrusive_pointer_cast<Work>(ctx->saved_data["work"].toCapsule());
    const auto needs = ctx->saved_data["needs"].toBoolList();
    const auto &x = saved[0], &starts = saved[1];
    const auto parameters = w->layer->parameters();
    const std::int64_t batch = x.size(0) / w->T, stride = w->steps_at_once(x), neurons = starts.size(1);
    variable_list sums(parameters.size());
    auto grad_x = needs[0] ? at::empty_like(x) : torch::Tensor();
    torch::Tensor carried, grad_s;
    for (std::int64_t block = starts.size(0) - 1; block >= 0; --block) {
      const std::int64_t t = block * stride, steps = std::min(stride, w->T - t);
      auto frames = x.narrow(0, t * batch, steps * batch).detach();
      frames.requires_grad_(needs[0]);
      at::AutoGradMode on(true);
      const auto y = w->currents(frames, steps);
      const auto format = y.suggest_memory_format();
      if (!carried.defined()) {  // dL/dv behind the last step, then before each block
        carried = grads[1].defined() ? grads[1].contiguous(format).clone() : at::zeros_like(y.detach().narrow(0, 0, batch));
        grad_s = grads[0].defined() ? grads[0].contiguous(format) : at::zeros({w->T * neurons}, y.options());
      }
      const auto grad_y = y.detach();  // in place: neither a product nor a convolution keeps its output for backward
      const auto before = at::empty_like(carried);
      kernels::lif_backward(w->lif, w->surrogate, nullptr, 0, y.data_ptr<float>(), starts.data_ptr<float>() + block * neurons,
                            grad_s.data_ptr<float>() + t * neurons, carried.data_ptr<float>(), size_of(steps), size_of(neurons), grad_y.data_ptr<float>(),
                            before.data_ptr<float>(), nullptr, false);
      carried = before;
      auto grad_frames = needs[0] ? grad_x.narrow(0, t * batch, steps * batch) : torch::Tensor();
      if (w->layer->add_gradients(frames.detach(), grad_y, sums, needs[0] ? &grad_frames : nullptr)) continue;
      variable_list leaves = parameters;
      if (needs[0]) leaves.push_back(frames);
      const auto parts = torch::autograd::grad({y}, leaves, {grad_y}, false, false, true);
      for (std::size_t i = 0; i < sums.size(); ++i) {
        if (!parts[i].defined()) continue;
        sums[i] = sums[i].defined() ? sums[i].add_(parts[i]) : parts[i];
      }
      if (needs[0]) grad_frames.copy_(parts.back());
    }
    variable_list all{grad_x, needs[1] ? carried : torch::Tensor(), torch::Tensor()};
    all.insert(all.end(), sums.begin(), sums.end());
    return all;
  }
};

}  // namespace

std::pair<torch::Tensor, torch::Tensor> lif_recomputed(const std::shared_ptr<LayerImpl>& layer, const Sequence& x, const torch::Tensor& v,
                                                       const kernels::Lif& lif, const kernels::Surrogate& surrogate, std::uint64_t* fired) {
  auto work = c10::make_intrusive<Work>();
  work->layer = layer, work->T = x.T, work->lif = lif, work->surrogate = surrogate, work->fired = fired;
  const auto parameters = layer->parameters();
  const auto out = LifRecomputed::apply(x.frames, v.defined() ? LifRecomputed::Optional(v) : LifRecomputed::Optional(), work, at::TensorList(parameters));
  return {out[0], out[1]};
}

}  // namespace apical::nn
