// Neurons over time: forward to spike bits, and forward and backward as training calls them. Operations are counted off the equations.
#include <memory>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/integer_lif.h"
#include "apical/kernels/neurons/neuron_scan.h"
#include "apical/kernels/neurons/scan.h"
#include "apical/kernels/neurons/sliding.h"
#include "bench/micro/micro.h"

namespace apical::bench {
namespace {

using namespace kernels;

constexpr std::size_t T = 16, small = std::size_t{1} << 18, large = std::size_t{1} << 22;  // neurons: 4 Mi and 64 Mi neuron-steps

struct Tape {
  std::size_t N;
  std::vector<float> x, grad, grad_x;
  std::vector<std::uint64_t> bits;
  Tape(std::size_t n, bool train)
      : N(n), x(noise(T * n, 1)), grad(train ? noise(T * n, 2) : std::vector<float>()), grad_x(grad.size()), bits(T * words_per_row(n)) {}
};

constexpr double exponential = 12;  // multiply-adds and more of exp2_negative_float, lif-inl.h
constexpr double surrogate_operations[] = {exponential + 6, 4, 4, 3, exponential + 3, 4, 3 * exponential + 9};  // in the order of SurrogateKind

// Forward reads x and writes bits; backward reads x and dL/ds and writes dL/dx.
Work work(std::size_t N, bool train, double forward, double backward) {
  const double n = static_cast<double>(T * N);
  return {n, train ? 12 * n : 4 * n, train ? 4.125 * n : 0.125 * n, n * (train ? forward + backward : forward)};
}

// A scan in its two uses: run(tape, train).
template <class Run>
void add_scan(const std::string& name, std::size_t N, bool train, double forward, double backward, Run run) {
  add(name + (train ? "_train" : "_forward") + (N == small ? "/4Mi" : "/64Mi"), Threads::all, [=] {
    auto tape = std::make_shared<Tape>(N, train);
    return Case{work(N, train, forward, backward), [=] { run(*tape, train); }};
  });
}

void add_lif(SurrogateKind kind, std::size_t N, bool train) {
  const std::string name = train ? std::string("lif_") + surrogate_names[static_cast<int>(kind)] : "lif";
  add_scan(name, N, train, 3, 6 + surrogate_operations[static_cast<int>(kind)], [kind](Tape& a, bool back) {
    const Lif lif;
    lif_forward(lif, nullptr, 0, a.x.data(), T, a.N, nullptr, nullptr, a.bits.data(), nullptr, nullptr);
    if (back)
      lif_backward(lif, {kind, 1, 1}, nullptr, 0, a.x.data(), nullptr, a.grad.data(), nullptr, T, a.N, a.grad_x.data(), nullptr, nullptr);
  });
}

template <class Model>
void add_model(const std::string& name, double operations) {
  for (const bool train : {false, true})
    add_scan(name, small, train, operations, 2 * operations + 4, [](Tape& a, bool back) {
      neuron_forward(Model{}, {.x = a.x.data(), .T = T, .N = a.N, .spikes = a.bits.data()});
      if (back) neuron_backward(Model{}, {}, {.x = a.x.data(), .T = T, .N = a.N, .grad_s = a.grad.data(), .grad_x = a.grad_x.data()});
    });
}

void add_sliding() {
  constexpr std::size_t K = 4;
  for (const bool train : {false, true})
    add_scan("sliding_psn", small, train, K + 1, 2 * K + 6, [](Tape& a, bool back) {
      constexpr float weights[K] = {0.5f, 0.25f, 0.125f, 0.0625f};
      const SlidingPsn m{weights, K};
      sliding_forward(m, a.x.data(), T, a.N, nullptr, nullptr, a.bits.data(), nullptr, nullptr);
      if (back) sliding_backward(m, {}, a.x.data(), T, a.N, nullptr, a.grad.data(), a.grad_x.data(), nullptr, nullptr);
    });
}

template <class Current>
void add_integer_lif(const std::string& name) {
  add(name, Threads::one, [] {
    struct Data {
      std::vector<Current> current;
      std::vector<std::int16_t> v;
      std::vector<std::uint64_t> bits;
    };
    constexpr std::size_t n = 8192;
    auto a = std::make_shared<Data>(Data{std::vector<Current>(n), std::vector<std::int16_t>(n), std::vector<std::uint64_t>(words_per_row(n))});
    const auto values = noise(n, 3);
    for (std::size_t i = 0; i < n; ++i) a->current[i] = static_cast<Current>(1500 * values[i]);
    return Case{{n, n * (sizeof(Current) + 2.0), n * 2.125, 6 * n / 2.0},
                [=] { integer_lif_step({}, nullptr, a->current.data(), n, a->v.data(), a->bits.data()); }};
  });
}

}  // namespace

void add_neurons() {
  for (const std::size_t N : {small, large}) {
    add_lif(SurrogateKind::sigmoid, N, false);
    add_lif(SurrogateKind::sigmoid, N, true);
  }
  for (const auto kind : {SurrogateKind::atan, SurrogateKind::triangle, SurrogateKind::rectangle, SurrogateKind::gaussian,
                          SurrogateKind::fast_sigmoid, SurrogateKind::multi_gaussian})
    add_lif(kind, small, true);
  add_model<Cuba>("cuba", 4);
  add_model<Alif>("alif", 5);
  add_model<RefractoryLif>("refractory_lif", 5);
  add_model<MultiLif>("multi_lif", 5);
  add_sliding();
  add_integer_lif<std::int32_t>("integer_lif/8192");
  add_integer_lif<std::int16_t>("integer_lif_int16/8192");
}

}  // namespace apical::bench
