// The part of scan_cuda_check about the sliding neuron.
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/scan_cuda_testing.h"
#include "apical/kernels/neurons/sliding_cuda.h"
#include "apical/kernels/neurons/sliding_tile.h"

namespace apical::kernels::cuda {
namespace {

constexpr std::size_t kMaxK = 33;

struct Buffers {
  Device<float> past{(kMaxK - 1) * kMaxN + kGuard}, s{kMax + kGuard}, h{kMax + kGuard}, gx{kMax + kGuard}, weights{kMaxK};
  Device<std::uint64_t> bits{kMaxT * words_per_row(kMaxN) + kGuard};
  Device<double> sums{kMaxK + kGuard}, threshold{1 + kGuard};
  Device<unsigned char> scratch{sliding_backward_scratch(kMaxK, kMaxT, kMaxN)};
};

struct Case {
  std::size_t K, T, N;
  Surrogate surrogate;
  Input input;
  float v_th;
  bool past = false, all = true;
  std::size_t x_at = 0, gs_at = 0;

  std::string text() const {
    return std::string("sliding ") + surrogate_names[int(surrogate.kind)] + " K " + std::to_string(K) + " T " + std::to_string(T) + " N " + std::to_string(N) +
           " input " + std::to_string(int(input)) + (past ? " past" : "") + (all ? " all" : "");
  }
};

void check(Checks& c, Buffers& b, const Case& k) {
  const std::string text = k.text(), forward = "forward   SlidingPsn", backward = "backward  SlidingPsn";
  const std::size_t K = k.K, T = k.T, N = k.N, cells = T * N;
  const float *w = c.host(k.input == Input::quarters ? Input::quarters : Input::normal) + k.gs_at, *host = c.host(k.input), *device = c.device(k.input);
  b.weights.set({w, w + K});
  std::vector<float> s(cells), h(cells), gx(cells), past_out((K - 1) * N);
  std::vector<std::uint64_t> bits(T * words_per_row(N));
  const scan::Sliding a{{w, K, k.v_th}, k.surrogate, host + k.x_at, T, N, k.past ? host + k.gs_at : nullptr, bits.data(), s.data(), h.data(), c.host() + k.gs_at,
                        gx.data()};
  std::vector<double> lanes(N * (K + 1));  // a neuron's sums are the same on both sides: only the sums over neurons differ
  by_tiles(N, [&](std::size_t begin, std::size_t end) {
    scan::sliding_forward_reference(a, begin, end);
    for (std::size_t n = begin; n < end; ++n) scan::sliding_backward_reference(a, n, n + 1, lanes.data() + n * (K + 1));
  });
  for (std::size_t i = 1; i < K; ++i)
    if (const float* row = a.input(T, i)) std::copy_n(row, N, past_out.begin() + (K - 1 - i) * N);

  b.past.poison((K - 1) * N + kGuard), b.s.poison(cells + kGuard), b.h.poison(cells + kGuard), b.gx.poison(cells + kGuard);
  b.bits.poison(bits.size() + kGuard), b.sums.poison(K + kGuard), b.threshold.poison(1 + kGuard);
  const SlidingPsn m{b.weights.data(), K, k.v_th};
  const float *x = device + k.x_at, *past = k.past ? device + k.gs_at : nullptr;
  const auto start = [&] { b.sums.set(std::vector<double>(K, 0.25)), b.threshold.set({0.25}); };
  const auto run = [&] {
    succeed(cudaDeviceSynchronize(), "before sliding_backward");
    sliding_backward(m, k.surrogate, x, T, N, past, c.device() + k.gs_at, b.gx.data(), b.sums.data(), b.threshold.data(), b.scratch.data(), c.stream);
    succeed(cudaStreamSynchronize(c.stream), "sliding_backward");
  };
  start();
  succeed(cudaDeviceSynchronize(), "before sliding_forward");
  sliding_forward(m, x, T, N, past, k.all ? b.past.data() : nullptr, b.bits.data(), k.all ? b.s.data() : nullptr, k.all ? b.h.data() : nullptr, c.stream);
  c.finish(forward);
  run();
  c.finish(backward);
  c.compare(forward, text, "spike bits", bits, b.bits);
  if (k.all) {
    c.compare(forward, text, "past_out", past_out, b.past);
    c.compare(forward, text, "spikes", s, b.s);
    c.compare(forward, text, "h", h, b.h);
  }
  c.compare(backward, text, "grad_x", gx, b.gx);
  std::vector<double> got = b.sums.get(K);
  got.push_back(b.threshold.get(1)[0]);
  start();
  run();
  std::vector<double> again = b.sums.get(K);
  again.push_back(b.threshold.get(1)[0]);
  const std::string family = "grad_weights, grad_v_th (1e-12 of the sum of sizes; twice the same bits)";
  ++c.tallies[family].cases;
  for (std::size_t i = 0; i <= K; ++i) {
    double want = 0.25, sizes = 0.25;
    for (std::size_t n = 0; n < N; ++n) {
      const double sum = lanes[n * (K + 1) + i];
      want += i < K ? sum : -sum, sizes += std::fabs(sum);
    }
    c.compare_sum(family, text, i < K ? "grad_weights" : "grad_v_th", want, sizes, got[i], again[i]);
  }
}

void nothing_to_do(Checks& c, Buffers& b) {
  const std::string family = "nothing to do (N = 0, T = 0)";
  const SlidingPsn m{b.weights.data(), 3, 0.6f};
  sliding_forward(m, nullptr, 4, 0, nullptr, nullptr, nullptr, nullptr, nullptr, c.stream);
  sliding_backward(m, {}, nullptr, 4, 0, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, c.stream);
  b.past.poison(10 + kGuard), b.sums.poison(3 + kGuard);
  b.sums.set({3, 3, 3});
  succeed(cudaDeviceSynchronize(), "before T = 0");
  sliding_forward(m, nullptr, 0, 5, c.device(), b.past.data(), b.bits.data(), nullptr, nullptr, c.stream);
  sliding_backward(m, {}, nullptr, 0, 5, nullptr, nullptr, nullptr, b.sums.data(), nullptr, b.scratch.data(), c.stream);
  c.finish(family);
  c.compare(family, "sliding T = 0", "past_out", {c.host(), c.host() + 10}, b.past);
  c.compare(family, "sliding T = 0", "grad_weights", {3, 3, 3}, b.sums);
}

}  // namespace

void check_sliding(Checks& c) {
  Buffers buffers;
  nothing_to_do(c, buffers);
  std::uint32_t drawn = 0;
  for (const std::size_t K : {std::size_t{1}, std::size_t{2}, std::size_t{8}, std::size_t{9}, kMaxK})
    for (const std::size_t N : {std::size_t{1}, std::size_t{31}, std::size_t{1000}, kMaxN}) {
      if (c.quick && N == kMaxN) continue;
      for (const std::size_t T : {std::size_t{1}, std::size_t{8}, std::size_t{33}, kMaxT})
        for (int draw = 0; draw < (N == kMaxN || c.quick ? 1 : 14); ++draw, ++drawn) {
          const Input input = draw < 8 ? Input::normal : Input(draw % 3 + 1);
          const float v_th = input == Input::denormal ? 6e-40f : input == Input::quarters ? 0.75f : 0.6f;
          Case k{K, T, N, {SurrogateKind(drawn % std::size(surrogate_names)), 0.9f, 1.3f}, input, v_th};
          k.past = draw % 2, k.all = draw % 3 != 1, k.x_at = c.draw.bits() % kShift, k.gs_at = c.draw.bits() % kShift;
          fit(k.surrogate, input);
          check(c, buffers, k);
        }
    }
  std::fprintf(stderr, "sliding neuron done\n");
}

}  // namespace apical::kernels::cuda
