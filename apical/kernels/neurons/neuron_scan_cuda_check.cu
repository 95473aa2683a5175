// The part of scan_cuda_check about the neurons of models.h.
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/neuron_scalar.h"
#include "apical/kernels/neurons/neuron_scan_cuda.h"
#include "apical/kernels/neurons/neuron_tile.h"
#include "apical/kernels/neurons/scan_cuda_testing.h"

namespace apical::kernels::cuda {
namespace {

constexpr std::size_t kMaxStates = 2, kMaxParams = 2;

struct Buffers {
  Device<float> state{kMaxStates * kMaxN + kGuard}, s{kMax + kGuard}, h{kMax + kGuard}, gx{kMax + kGuard}, gstate{kMaxStates * kMaxN + kGuard};
  Device<std::uint64_t> bits{kMaxT * words_per_row(kMaxN) + kGuard};
  Device<std::uint8_t> counts{kMax + kGuard};
  Device<double> params{kMaxParams * kMaxN + kGuard};
  Device<float> start{kMaxStates * kMaxN};
  Device<unsigned char> scratch{std::max(neuron_backward_scratch<Cuba>(kMaxT, kMaxN), neuron_backward_scratch<MultiLif>(kMaxT, kMaxN))};
};

/// One case: all that is drawn for it.
template <class Model>
struct Case {
  Model model;
  Surrogate surrogate;
  std::size_t T, N;
  Input input;
  bool own_params = false, start = true, grad_last = true, in_place = false;
  int outputs = 0;  // 0: all; 1, 2, 3: some are missing
  std::size_t x_at = 0, gs_at = 0;
  std::string name = {};

  std::string text() const {
    return name + " " + surrogate_names[int(surrogate.kind)] + " T " + std::to_string(T) + " N " + std::to_string(N) + " input " + std::to_string(int(input)) +
           (own_params ? " own parameters" : "") + (start ? "" : " no start") + (grad_last ? "" : " no grad_state_last") + (in_place ? " in place" : "") +
           " outputs " + std::to_string(outputs);
  }
};

template <class Model>
class Checker {
 public:
  static constexpr std::size_t S = Model::kStates, P = Model::kParams;
  Checker(Checks& c, Buffers& b, const Case<Model>& k) : c_(c), b_(b), k_(k), m_(plain::normal(k.model)), start_(S * k.N) {
    std::copy_n(c.host(k.input == Input::special ? Input::normal : k.input) + k.gs_at, S * k.N, start_.begin());
    make_start<Model>(start_, k.N);
    b.start.set(start_);
  }

  void forward() {
    const std::string family = "forward   " + k_.name, text = k_.text();
    const std::size_t T = k_.T, N = k_.N, cells = T * N;
    std::vector<float> state(S * N), s(cells), h(cells);
    std::vector<std::uint64_t> bits(T * words_per_row(N));
    std::vector<std::uint8_t> counts(cells);
    const NeuronForward want{c_.host(k_.input) + k_.x_at, T, N, k_.own_params ? c_.unit_host() : nullptr, k_.start ? start_.data() : nullptr,
                             state.data(), bits.data(), counts.data(), s.data(), h.data()};
    by_tiles(N, [&](std::size_t begin, std::size_t end) { scan::neuron_forward_reference(m_, want, begin, end); });

    b_.state.poison(S * N + kGuard), b_.bits.poison(bits.size() + kGuard), b_.counts.poison(cells + kGuard);
    b_.s.poison(cells + kGuard), b_.h.poison(cells + kGuard);
    NeuronForward f{c_.device(k_.input) + k_.x_at, T, N, k_.own_params ? c_.unit() : nullptr, k_.start ? b_.start.data() : nullptr, b_.state.data()};
    if (k_.outputs != 1) f.spikes_f = b_.s.data();
    if (k_.outputs != 2) f.spikes = b_.bits.data();
    if (k_.outputs == 0) f.h = b_.h.data(), f.counts = b_.counts.data();
    if (k_.in_place && f.spikes_f) {
      Device<float>::copy(b_.s.data(), f.x, cells);
      f.x = b_.s.data();
    }
    if (k_.in_place && k_.start) {
      Device<float>::copy(b_.state.data(), b_.start.data(), S * N);
      f.state0 = b_.state.data();
    }
    succeed(cudaDeviceSynchronize(), "before neuron_forward");
    neuron_forward(k_.model, f, c_.stream);
    c_.finish(family);
    c_.compare(family, text, "state", state, b_.state);
    if (f.spikes) c_.compare(family, text, "spike bits", bits, b_.bits);
    if (f.counts) c_.compare(family, text, "counts", counts, b_.counts);
    if (f.spikes_f) c_.compare(family, text, "spikes", s, b_.s);
    if (f.h) c_.compare(family, text, "h", h, b_.h);
  }

  void backward() {
    const std::string family = "backward  " + k_.name, text = k_.text();
    const std::size_t T = k_.T, N = k_.N, cells = T * N;
    std::vector<float> gx(cells), gstate(S * N);
    std::vector<double> lanes(P * N);
    NeuronBackward want{c_.host(k_.input) + k_.x_at, T, N, k_.own_params ? c_.unit_host() : nullptr, k_.start ? start_.data() : nullptr,
                        c_.host() + k_.gs_at, k_.grad_last ? c_.host() + k_.x_at : nullptr, gx.data(), gstate.data()};
    by_tiles(N, [&](std::size_t begin, std::size_t end) {
      std::vector<double> tile(P * scan::kTile);
      scan::neuron_backward_reference(m_, k_.surrogate, want, begin, end, tile.data());
      for (std::size_t k = 0; k < P; ++k) std::copy_n(tile.begin() + k * scan::kTile, end - begin, lanes.begin() + k * N + begin);
    });

    const double start = 0.25;
    b_.gx.poison(cells + kGuard), b_.gstate.poison(S * N + kGuard), b_.params.poison(P * N + kGuard);
    NeuronBackward b = want;
    b.x = c_.device(k_.input) + k_.x_at, b.params = k_.own_params ? c_.unit() : nullptr, b.state0 = k_.start ? b_.start.data() : nullptr;
    b.grad_s = c_.device() + k_.gs_at, b.grad_state_last = k_.grad_last ? c_.device() + k_.x_at : nullptr;
    b.grad_x = k_.outputs == 1 ? nullptr : b_.gx.data(), b.grad_state0 = k_.outputs == 2 ? nullptr : b_.gstate.data();
    b.grad_params = k_.outputs == 3 ? nullptr : b_.params.data();
    if (b.grad_params) b_.params.set(std::vector<double>(k_.own_params ? P * N : P, start));
    const bool over = k_.in_place && b.grad_x;
    if (over) {
      Device<float>::copy(b_.gx.data(), b.grad_s, cells);
      b.grad_s = b_.gx.data();
    }
    const auto run = [&] {
      succeed(cudaDeviceSynchronize(), "before neuron_backward");
      neuron_backward(k_.model, k_.surrogate, b, b_.scratch.data(), c_.stream);
      succeed(cudaStreamSynchronize(c_.stream), "neuron_backward");
    };
    run();
    c_.finish(family);
    if (b.grad_x) c_.compare(family, text, "grad_x", gx, b_.gx);
    if (b.grad_state0) c_.compare(family, text, "grad_state0", gstate, b_.gstate);
    if (!b.grad_params) return;
    const std::string params_family = k_.own_params ? "grad_params each" : "grad_params shared (1e-12 of the sum of sizes; twice the same bits)";
    ++c_.tallies[params_family].cases;
    if (k_.own_params) {
      for (double& d : lanes) d += start;
      return c_.compare(params_family, text, "grad_params", lanes, b_.params);
    }
    const std::vector<double> got = b_.params.get(P);
    if (!over) {
      b_.params.set(std::vector<double>(P, start));
      run();
    }
    const std::vector<double> again = b_.params.get(P);
    for (std::size_t k = 0; k < P; ++k) {
      double sum = start, sizes = start;
      for (std::size_t n = 0; n < N; ++n) sum += lanes[k * N + n], sizes += std::fabs(lanes[k * N + n]);
      c_.compare_sum(params_family, text, "shared grad_params", sum, sizes, got[k], again[k]);
    }
  }

 private:
  Checks& c_;
  Buffers& b_;
  const Case<Model>& k_;
  Model m_;  // as the driver of neuron_scan.cpp
  std::vector<float> start_;
};

template <class Model>
void check_model(Checks& c, Buffers& b, const std::string& name) {
  std::uint32_t drawn = 0;
  for (const Model& member : members<Model>())
    for (const std::size_t N : {std::size_t{1}, std::size_t{31}, std::size_t{1000}, kMaxN}) {
      if (c.quick && N == kMaxN) continue;
      for (const std::size_t T : {std::size_t{1}, std::size_t{8}, std::size_t{33}, kMaxT})
        for (int draw = 0; draw < (N == kMaxN || c.quick ? 1 : 7); ++draw, ++drawn) {
          const std::uint32_t r = c.draw.bits();
          const Input input = draw < 4 ? Input::normal : Input(draw - 3);
          Case<Model> k{member, {SurrogateKind(drawn % std::size(surrogate_names)), 0.9f, 1.3f}, T, N, input};
          k.own_params = (r & 1) && input != Input::quarters;
          k.start = r >> 1 & 3, k.grad_last = r >> 3 & 3, k.in_place = (r >> 5 & 7) == 0, k.outputs = (r >> 8 & 1) ? 0 : int(r >> 9 & 3);
          k.x_at = c.draw.bits() % kShift, k.gs_at = c.draw.bits() % kShift, k.name = name;
          set_detach(k.model, r >> 12 & 1, (r >> 13 & 7) == 0);
          fit(k.model, input), fit(k.surrogate, input);
          Checker<Model> checker(c, b, k);
          checker.forward();
          checker.backward();
        }
    }
}

/// N = 0 touches nothing; T = 0 hands states and gradients through.
template <class Model>
void nothing_to_do(Checks& c, Buffers& b) {
  const std::string family = "nothing to do (N = 0, T = 0)";
  const Model m{};
  const std::size_t N = 5, states = Model::kStates * N;
  neuron_forward(m, {.x = nullptr, .T = 4, .N = 0}, c.stream);
  neuron_backward(m, {}, {.x = nullptr, .T = 4, .N = 0, .grad_s = nullptr}, nullptr, c.stream);
  b.state.poison(states + kGuard), b.gstate.poison(states + kGuard), b.params.poison(Model::kParams + kGuard);
  b.params.set(std::vector<double>(Model::kParams, 3.0));
  succeed(cudaDeviceSynchronize(), "before T = 0");
  neuron_forward(m, {.x = nullptr, .T = 0, .N = N, .state0 = c.device(), .state = b.state.data(), .spikes = b.bits.data()}, c.stream);
  neuron_backward(m, {}, {.x = nullptr, .T = 0, .N = N, .grad_s = nullptr, .grad_state_last = c.device(), .grad_state0 = b.gstate.data(), .grad_params = b.params.data()},
                  b.scratch.data(), c.stream);
  c.finish(family);
  const std::vector<float> want(c.host(), c.host() + states);
  c.compare(family, "T = 0", "state", want, b.state);
  c.compare(family, "T = 0", "grad_state0", want, b.gstate);
  c.compare(family, "T = 0", "grad_params", std::vector<double>(Model::kParams, 3.0), b.params);
}

}  // namespace

void check_models(Checks& c) {
  Buffers buffers;
#define APICAL_CHECK(Model)               \
  nothing_to_do<Model>(c, buffers);       \
  check_model<Model>(c, buffers, #Model); \
  std::fprintf(stderr, #Model " done\n");
  APICAL_NEURON_MODELS(APICAL_CHECK)
#undef APICAL_CHECK
}

}  // namespace apical::kernels::cuda
