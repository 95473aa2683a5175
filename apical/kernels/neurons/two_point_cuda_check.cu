// The part of scan_cuda_check about two-point cells.
#include "apical/kernels/neurons/scan_cuda_testing.h"
#include "apical/kernels/neurons/two_point_cuda.h"
#include "apical/kernels/neurons/two_point_rows.h"
#include "apical/kernels/neurons/two_point_scalar.h"

namespace apical::kernels::cuda {
namespace {

const char* const kMtfs[] = {"tm1", "tm2", "tm3", "tm4", "coop", "add", "gate"};
const char* const kOutputs[] = {"relu6", "relu", "half_gaussian"};
constexpr std::size_t kMost = std::size_t{1} << 20;
const char *const kForward = "forward   TwoPoint", *const kBackward = "backward  TwoPoint", *const kTanh = "tanh, its gradient";

struct Buffers {
  Device<float> h{kMost + kGuard}, grad_r{kMost + kGuard}, grad_context{kMost + kGuard};
  Device<unsigned long long> active{1};
};

struct Case {
  TwoPoint m;
  std::size_t n;
  Input input = Input::normal;
  bool context = true, grad_context = true, in_place = false;
  std::size_t r_at = 0, context_at = 0, grad_at = 0;

  std::string text() const {
    return std::string("two-point ") + kMtfs[int(m.mtf)] + " " + kOutputs[int(m.output)] + " n " + std::to_string(n) + " input " +
           std::to_string(int(input)) + (context ? "" : " no context") + (grad_context ? "" : " no grad_context") + (in_place ? " in place" : "");
  }
};

void check_forward(Checks& c, Buffers& b, const Case& k) {
  const float *r = c.host(k.input) + k.r_at, *context = k.context ? c.host(k.input) + k.context_at : nullptr;
  std::vector<float> h(k.n);
  const scan::TwoPointForward f{k.m, r, context, h.data(), false};
  std::size_t active = 1;
  by_tiles(k.n, [&](std::size_t begin, std::size_t end) { scan::two_point_forward_reference(f, begin, end); });
  for (const float a : h) active += a != 0;
  b.h.poison(k.n + kGuard);
  b.active.set({1});
  const float* from = c.device(k.input) + k.r_at;
  if (k.in_place) Device<float>::copy(b.h.data(), from, k.n);
  succeed(cudaDeviceSynchronize(), "before two_point_forward");
  two_point_forward(k.m, k.in_place ? b.h.data() : from, k.context ? c.device(k.input) + k.context_at : nullptr, k.n, b.h.data(), b.active.data(),
                    c.stream);
  c.finish(kForward);
  c.compare(kForward, k.text(), "h", h, b.h);
  ++c.tallies[kForward].values;
  if (b.active.get(1)[0] == active) return;
  ++c.tallies[kForward].differing;
  c.complain(k.text(), "active cells", 0, 1);
}

void check_backward(Checks& c, Buffers& b, const Case& k) {
  const float *r = c.host(k.input) + k.r_at, *context = k.context ? c.host(k.input) + k.context_at : nullptr, *grad = c.host() + k.grad_at;
  std::vector<float> grad_r(k.n), grad_context(k.grad_context ? k.n : 0);
  const scan::TwoPointBackward want{k.m, r, context, grad, grad_r.data(), k.grad_context ? grad_context.data() : nullptr, false};
  by_tiles(k.n, [&](std::size_t begin, std::size_t end) { scan::two_point_backward_reference(want, begin, end); });
  b.grad_r.poison(k.n + kGuard), b.grad_context.poison(k.n + kGuard);
  if (k.in_place) Device<float>::copy(b.grad_r.data(), c.device() + k.grad_at, k.n);
  succeed(cudaDeviceSynchronize(), "before two_point_backward");
  two_point_backward(k.m, c.device(k.input) + k.r_at, k.context ? c.device(k.input) + k.context_at : nullptr,
                     k.in_place ? b.grad_r.data() : c.device() + k.grad_at, k.n, b.grad_r.data(), k.grad_context ? b.grad_context.data() : nullptr,
                     c.stream);
  c.finish(kBackward);
  c.compare(kBackward, k.text(), "grad_r", grad_r, b.grad_r);
  c.compare(kBackward, k.text(), "grad_context", grad_context, b.grad_context);  // where there is none: still the poison
}

void check_tanh(Checks& c, Buffers& b, Input input, std::size_t n, std::size_t at) {
  const std::string text = "n " + std::to_string(n) + " input " + std::to_string(int(input));
  std::vector<float> y(n), grad(n);
  for (std::size_t i = 0; i < n; ++i) y[i] = plain::tanh(c.host(input)[at + i]);
  for (std::size_t i = 0; i < n; ++i) grad[i] = c.host()[i] * plain::tanh_slope(y[i]);
  b.h.poison(n + kGuard), b.grad_r.poison(n + kGuard);
  succeed(cudaDeviceSynchronize(), "before tanh_forward");
  tanh_forward(c.device(input) + at, n, b.h.data(), c.stream);
  tanh_backward(b.h.data(), c.device(), n, b.grad_r.data(), c.stream);
  c.finish(kTanh);
  c.compare(kTanh, text, "tanh", y, b.h);
  c.compare(kTanh, text, "its gradient", grad, b.grad_r);
}

}  // namespace

void check_two_point(Checks& c) {
  Buffers buffers;
  two_point_forward({}, nullptr, nullptr, 0, nullptr, nullptr, c.stream);
  two_point_backward({}, nullptr, nullptr, nullptr, 0, nullptr, nullptr, c.stream);
  c.finish("nothing to do (N = 0, T = 0)");
  std::uint32_t drawn = 0;
  for (int mtf = 0; mtf < 7; ++mtf)
    for (int output = 0; output < 3; ++output)
      for (const std::size_t n : {std::size_t{1}, std::size_t{31}, std::size_t{1000}, std::size_t{1024}, kMaxN, kMost}) {
        if (c.quick && n > 1024) continue;
        for (int draw = 0; draw < (n == kMost ? 2 : 8); ++draw, ++drawn) {
          Case k{{Mtf(mtf), TwoPointOutput(output), drawn % 3 ? 3.0f : 0.8f}, n, Input(draw % 4)};
          k.context = draw != 5, k.grad_context = draw != 6, k.in_place = draw % 2;
          k.r_at = c.draw.bits() % kShift, k.context_at = kMost + c.draw.bits() % kShift, k.grad_at = c.draw.bits() % kShift;
          check_forward(c, buffers, k);
          check_backward(c, buffers, k);
        }
      }
  for (const std::size_t n : {std::size_t{1}, std::size_t{1000}, kMaxN})
    for (int input = 0; input < 4 && !(c.quick && n == kMaxN); ++input) check_tanh(c, buffers, Input(input), n, c.draw.bits() % kShift);
  std::fprintf(stderr, "two-point cells done\n");
}

}  // namespace apical::kernels::cuda
