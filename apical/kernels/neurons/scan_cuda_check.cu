// scan_cuda_check: are the CUDA scans the CPU's scalar reference bit for bit, and how fast are they? A program of its own, because the
// machine with a GPU is seldom the one that builds.
//   scan_cuda_check [--quick] [--time] [--json FILE] [--sample FILE]
// --quick: small sizes alone (for compute-sanitizer). --sample: one scan's input and results for another program to compare
// (int32 T, N, then float32 x, grad_s, spikes, grad_x [T, N]). Exit code: 0 equal, 1 a difference, 2 no CUDA device, 3 FILE cannot be
// written, 4 anything else.
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/scan_cuda.h"
#include "apical/kernels/neurons/scan_cuda_testing.h"

namespace apical::kernels::cuda {
namespace {

const char* const kResets[] = {"hard", "soft", "none"};
const char* const kResetAts[] = {"same_step", "next_step", "next_step_decayed"};

enum class Decay { constant, shared, each };

/// One case: all that is drawn for it.
struct Case {
  Lif lif;
  Surrogate surrogate;
  std::size_t T, N;
  Decay decay = Decay::constant;
  Input input = Input::normal;
  bool constant_x = false, v0 = true, grad_v_last = true, in_place = false;
  int outputs = 0;  // 0: all; 1: bits alone; 2: floats alone; 3: membranes alone
  std::size_t x_at = 0, gs_at = 0;

  std::string text() const {
    std::string s = std::string(kResets[int(lif.reset)]) + " " + kResetAts[int(lif.reset_at)] + (lif.compare == Compare::ge ? " ge " : " gt ");
    s += surrogate_names[int(surrogate.kind)];
    s += " T " + std::to_string(T) + " N " + std::to_string(N) + " decay " + std::to_string(int(decay)) + " input " + std::to_string(int(input));
    const std::pair<bool, const char*> flags[] = {{lif.decay_input, " decay_input"},   {lif.detach_reset, " detach_reset"},
                                                  {lif.detach_temporal, " detach_temporal"}, {constant_x, " constant_x"},
                                                  {!v0, " no v0"},                      {!grad_v_last, " no grad_v_last"},
                                                  {in_place, " in place"}};
    for (auto [on, name] : flags)
      if (on) s += name;
    return s + " outputs " + std::to_string(outputs);
  }
};

class LifChecker {
 public:
  explicit LifChecker(Checks& c)
      : c_(c), v_(kMaxN + kGuard), bits_(kMaxT * words_per_row(kMaxN) + kGuard), s_(kMax + kGuard), h_(kMax + kGuard), gx_(kMax + kGuard),
        gv0_(kMaxN + kGuard), gd_(kMaxN + kGuard), scratch_(lif_backward_scratch(kMaxT, kMaxN)) {}

  void all();
  void write_sample(const std::string& path);

 private:
  void forward(const Case& c);
  void backward(const Case& c);
  void nothing_to_do();
  void draw_options(Case& c);

  Checks& c_;
  Device<float> v_;
  Device<std::uint64_t> bits_;
  Device<float> s_, h_, gx_, gv0_;
  Device<double> gd_;
  Device<unsigned char> scratch_;
};

void LifChecker::draw_options(Case& c) {
  const std::uint32_t r = c_.draw.bits();
  c.decay = Decay{int(r % 3)};
  c.lif.decay_input = r >> 8 & 1;
  c.lif.detach_reset = r >> 9 & 1;
  c.lif.detach_temporal = (r >> 10 & 7) == 0;
  c.constant_x = (r >> 13 & 7) == 0;
  c.v0 = (r >> 16 & 3) != 0;
  c.grad_v_last = (r >> 18 & 3) != 0;
  c.in_place = !c.constant_x && (r >> 20 & 7) == 0;
  c.outputs = (r >> 23 & 1) ? 0 : int(r >> 24 & 3);
  c.x_at = c_.draw.bits() % kShift;
  c.gs_at = c_.draw.bits() % kShift;
}

void LifChecker::forward(const Case& c) {
  const std::string family = std::string("forward   ") + kResets[int(c.lif.reset)] + " " + kResetAts[int(c.lif.reset_at)];
  const std::string text = c.text();
  const std::size_t T = c.T, N = c.N, cells = T * N, step = c.constant_x ? 0 : N;
  std::vector<float> v(N), s(cells), h(cells);
  std::vector<std::uint64_t> bits(T * words_per_row(N));
  Lif lif = c.lif;
  const bool each = c.decay == Decay::each && N > 1;
  if (lif.reset == Reset::none) lif.reset_at = ResetAt::same_step;  // as the driver of scan.cpp
  const scan::Forward f{lif, c.decay == Decay::constant ? nullptr : c_.unit_host(), each, c_.host(c.input) + c.x_at, T, N,
                        c.v0 ? c_.host() + c.gs_at : nullptr, v.data(), bits.data(), s.data(), h.data(), step};
  by_tiles(N, [&](std::size_t begin, std::size_t end) { scan::forward_reference(f, begin, end); });

  v_.poison(N + kGuard), bits_.poison(bits.size() + kGuard), s_.poison(cells + kGuard), h_.poison(cells + kGuard);
  const bool all = c.outputs == 0, want_bits = all || c.outputs == 1, want_s = all || c.outputs == 2, want_h = all || c.outputs == 3;
  const float *x = c_.device(c.input) + c.x_at, *v0 = c.v0 ? c_.device() + c.gs_at : nullptr;
  if (c.in_place) {
    Device<float>& over = want_s ? s_ : h_;
    if (want_s || want_h) {
      Device<float>::copy(over.data(), x, cells);
      x = over.data();
    }
    if (c.v0) {
      Device<float>::copy(v_.data(), v0, N);
      v0 = v_.data();
    }
  }
  succeed(cudaDeviceSynchronize(), "before lif_forward");
  lif_forward(c.lif, f.decay ? c_.unit() : nullptr, each ? N : f.decay ? 1 : 0, x, T, N, v0, v_.data(), want_bits ? bits_.data() : nullptr,
              want_s ? s_.data() : nullptr, want_h ? h_.data() : nullptr, c.constant_x, c_.stream);
  c_.finish(family);
  c_.compare(family, text, "v", v, v_);
  if (want_bits) c_.compare(family, text, "spike bits", bits, bits_);
  if (want_s) c_.compare(family, text, "spikes", s, s_);
  if (want_h) c_.compare(family, text, "h", h, h_);
}

void LifChecker::backward(const Case& c) {
  const std::string family = std::string("backward  ") + surrogate_names[int(c.surrogate.kind)];
  const std::string text = c.text();
  const std::size_t T = c.T, N = c.N, cells = T * N, step = c.constant_x ? 0 : N;
  std::vector<float> gx(c.constant_x ? N : cells), gv0(N);
  std::vector<double> lanes(N);
  Lif lif = c.lif;
  if (lif.reset == Reset::none) lif.reset_at = ResetAt::same_step;
  const bool each = c.decay == Decay::each && N > 1;
  const float* decay = c.decay == Decay::constant ? nullptr : c_.unit_host();
  const scan::Backward b{lif, c.surrogate, decay, each, c_.host(c.input) + c.x_at, c.v0 ? c_.host() + c.gs_at : nullptr,
                         c_.host() + c.gs_at, c.grad_v_last ? c_.host() + c.x_at : nullptr, T, N, gx.data(), gv0.data(), step};
  by_tiles(N, [&](std::size_t begin, std::size_t end) { scan::backward_reference(b, begin, end, lanes.data() + begin); });

  gx_.poison(cells + kGuard), gv0_.poison(N + kGuard), gd_.poison(N + kGuard);
  const double start = 0.25;
  const bool want_x = c.outputs != 1, want_v0 = c.outputs != 2, want_decay = c.outputs != 3;
  if (want_decay) gd_.set(std::vector<double>(each ? N : 1, start));
  const float* gs = c_.device() + c.gs_at;
  if (c.in_place && want_x) {
    Device<float>::copy(gx_.data(), gs, cells);
    gs = gx_.data();
  }
  const auto run = [&] {
    succeed(cudaDeviceSynchronize(), "before lif_backward");
    lif_backward(c.lif, c.surrogate, decay ? c_.unit() : nullptr, each ? N : decay ? 1 : 0, c_.device(c.input) + c.x_at,
                 c.v0 ? c_.device() + c.gs_at : nullptr, gs, c.grad_v_last ? c_.device() + c.x_at : nullptr, T, N, want_x ? gx_.data() : nullptr,
                 want_v0 ? gv0_.data() : nullptr, want_decay ? gd_.data() : nullptr, c.constant_x, scratch_.data(), c_.stream);
  };
  run();
  c_.finish(family);
  if (want_x) c_.compare(family, text, "grad_x", gx, gx_);
  if (want_v0) c_.compare(family, text, "grad_v0", gv0, gv0_);
  if (!want_decay) return;
  const std::string decay_family = each ? "grad_decay each" : "grad_decay shared (1e-12 of the sum of sizes; twice the same bits)";
  ++c_.tallies[decay_family].cases;
  if (each) {
    for (double& d : lanes) d += start;
    c_.compare(decay_family, text, "grad_decay", lanes, gd_);
    return;
  }
  double want = start, sizes = start;
  for (const double d : lanes) want += d, sizes += std::fabs(d);
  const double got = gd_.get(1)[0];
  double again = got;
  if (!(c.in_place && want_x)) {
    gd_.set({start});
    run();
    succeed(cudaStreamSynchronize(c_.stream), "lif_backward");
    again = gd_.get(1)[0];
  }
  c_.compare_sum(decay_family, text, "shared grad_decay", want, sizes, got, again);
}

/// N = 0 touches nothing; T = 0 hands states and gradients through.
void LifChecker::nothing_to_do() {
  const std::string family = "nothing to do (N = 0, T = 0)";
  const Case c{{}, {}, 0, 5};
  const std::string text = c.text();
  lif_forward({}, nullptr, 0, nullptr, 4, 0, nullptr, nullptr, nullptr, nullptr, nullptr, false, c_.stream);
  lif_backward({}, {}, nullptr, 0, nullptr, nullptr, nullptr, nullptr, 4, 0, nullptr, nullptr, nullptr, false, nullptr, c_.stream);
  v_.poison(c.N + kGuard), gv0_.poison(c.N + kGuard), gd_.poison(1 + kGuard);
  gd_.set({3.0});
  succeed(cudaDeviceSynchronize(), "before T = 0");
  lif_forward({}, nullptr, 0, nullptr, 0, c.N, c_.device(), v_.data(), bits_.data(), nullptr, nullptr, false, c_.stream);
  lif_backward({}, {}, nullptr, 0, nullptr, nullptr, nullptr, c_.device() + 5, 0, c.N, nullptr, gv0_.data(), gd_.data(), false, scratch_.data(), c_.stream);
  c_.finish(family);
  c_.compare(family, text, "v", {c_.host(), c_.host() + 5}, v_);
  c_.compare(family, text, "grad_v0", {c_.host() + 5, c_.host() + 10}, gv0_);
  c_.compare(family, text, "grad_decay", {3.0}, gd_);
}

void LifChecker::all() {
  nothing_to_do();
  const std::size_t Ns[] = {1, 31, 1000, kMaxN}, Ts[] = {1, 4, 33, kMaxT};
  for (int form = 0; form < 18; ++form) {
    for (std::size_t N : Ns) {
      if (c_.quick && N == kMaxN) continue;
      for (std::size_t T : Ts)
        for (int kind = 0; kind < int(std::size(surrogate_names)); ++kind)
          for (int draw = 0; draw < (N == kMaxN || c_.quick ? 1 : 7); ++draw) {
            Case c{{}, {SurrogateKind(kind), 0.9f, 1.3f}, T, N};
            c.lif = {.decay = 0.8f, .input_scale = 0.7f, .v_th = 0.6f, .v_reset = -0.1f};
            c.lif.reset = Reset(form % 3), c.lif.reset_at = ResetAt(form / 3 % 3), c.lif.compare = Compare(form / 9);
            draw_options(c);
            if (draw == 4) c.input = Input::special;
            if (draw == 5) c.input = Input::denormal, c.v0 = false;
            if (draw == 6) c.input = Input::quarters, c.v0 = false, c.decay = Decay::constant;
            fit(c.lif, c.input), fit(c.surrogate, c.input);
            forward(c);
            backward(c);
          }
    }
    std::fprintf(stderr, "\rplain family: %d of 18 forms", form + 1);
  }
  std::fprintf(stderr, "\n");
}

void LifChecker::write_sample(const std::string& path) {
  const std::size_t T = 16, N = 4096;
  const Lif lif{.decay = 0.75f};  // soft reset, ge, triangle
  const float* gs = c_.device() + 1024;
  succeed(cudaDeviceSynchronize(), "before the sample");
  lif_forward(lif, nullptr, 0, c_.device(), T, N, nullptr, nullptr, nullptr, s_.data(), nullptr, false, c_.stream);
  lif_backward(lif, {}, nullptr, 0, c_.device(), nullptr, gs, nullptr, T, N, gx_.data(), nullptr, nullptr, false, scratch_.data(), c_.stream);
  succeed(cudaStreamSynchronize(c_.stream), "sample");
  const std::vector<float> s = s_.get(T * N), gx = gx_.get(T * N);
  const std::int32_t head[] = {std::int32_t(T), std::int32_t(N)};
  std::FILE* file = std::fopen(path.c_str(), "wb");
  bool good = file && std::fwrite(head, sizeof head, 1, file) == 1;
  const float* const parts[] = {c_.host(), c_.host() + 1024, s.data(), gx.data()};
  for (const float* part : parts)
    good = good && std::fwrite(part, sizeof(float), T * N, file) == T * N;
  if (file) good = std::fclose(file) == 0 && good;
  if (!good) throw data_error("cannot write the sample", path);
}

std::string device_json() {
  cudaDeviceProp p;
  int runtime = 0, driver = 0;
  succeed(cudaGetDeviceProperties(&p, 0), "cudaGetDeviceProperties");
  succeed(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  succeed(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  std::printf("%s, compute capability %d.%d, %d multiprocessors, %.0f MiB L2, CUDA runtime %d, driver %d\n", p.name, p.major, p.minor,
              p.multiProcessorCount, double(p.l2CacheSize) / (1 << 20), runtime, driver);
  return std::string("{\"name\": \"") + p.name + "\", \"compute_capability\": \"" + std::to_string(p.major) + "." + std::to_string(p.minor) +
         "\", \"multiprocessors\": " + std::to_string(p.multiProcessorCount) + ", \"l2_bytes\": " + std::to_string(p.l2CacheSize) +
         ", \"cuda_runtime\": " + std::to_string(runtime) + ", \"cuda_driver\": " + std::to_string(driver) + "}";
}

int run(bool quick, bool timing, const std::string& json, const std::string& sample) {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess || devices == 0) {
    std::printf("no CUDA device: %s; nothing was checked\n", status == cudaSuccess ? "none is there" : cudaGetErrorString(status));
    return 2;
  }
  std::string text = "{\"schema\": 1, \"device\": " + device_json() + ",\n \"equality\": [";
  Checks checker(quick);
  LifChecker lif(checker);
  lif.all();
  check_models(checker);
  check_sliding(checker);
  check_two_point(checker);
  const char* separator = "\n  ";
  for (const auto& [family, t] : checker.tallies) {
    std::printf("%-68s %6zu cases %12zu values %6zu differing\n", family.c_str(), t.cases, t.values, t.differing);
    text += separator + std::string("{\"family\": \"") + family + "\", \"cases\": " + std::to_string(t.cases) + ", \"values\": " +
            std::to_string(t.values) + ", \"differing\": " + std::to_string(t.differing) + "}";
    separator = ",\n  ";
  }
  text += "],\n \"timing\": " + (timing ? time_scans(checker.device(), kMax) : std::string("[]")) + "}\n";
  if (!sample.empty()) lif.write_sample(sample);
  if (!json.empty()) {
    std::FILE* file = std::fopen(json.c_str(), "w");
    bool good = file && std::fputs(text.c_str(), file) >= 0;
    if (file) good = std::fclose(file) == 0 && good;
    if (!good) throw data_error("cannot write the results", json);
  }
  std::printf(checker.differing() ? "DIFFERENT from the scalar reference\n" : "equal to the scalar reference\n");
  return checker.differing() ? 1 : 0;
}

}  // namespace
}  // namespace apical::kernels::cuda

int main(int argc, char** argv) {
  bool quick = false, timing = false;
  std::string json, sample;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--quick")
      quick = true;
    else if (arg == "--time")
      timing = true;
    else if (arg == "--json" && i + 1 < argc)
      json = argv[++i];
    else if (arg == "--sample" && i + 1 < argc)
      sample = argv[++i];
    else {
      std::fprintf(stderr, "usage: scan_cuda_check [--quick] [--time] [--json FILE] [--sample FILE]\n");
      return 4;
    }
  }
  try {
    return apical::kernels::cuda::run(quick, timing, json, sample);
  } catch (const apical::Error& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return int(e.code());
  }
}
