// scan_cuda_check: are the CUDA scans the CPU's scalar reference bit for bit, and how fast are they? A program of its own, because the
// machine with a GPU is seldom the one that builds.
//   scan_cuda_check [--quick] [--time] [--json FILE] [--sample FILE]
// --quick: small sizes alone (for compute-sanitizer). --sample: one scan's input and results for another program to compare
// (int32 T, N, then float32 x, grad_s, spikes, grad_x [T, N]). Exit code: 0 equal, 1 a difference, 2 no CUDA device, 3 FILE cannot be
// written, 4 anything else.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <numeric>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/scan_cuda.h"
#include "apical/kernels/neurons/scan_cuda_testing.h"
#include "apical/kernels/neurons/scan_tile.h"

namespace apical::kernels::cuda {
namespace {

constexpr std::size_t kMaxN = 65537, kMaxT = 100, kMax = kMaxN * kMaxT;
constexpr std::size_t kGuard = 64;  // elements behind each output that must stay as they are
constexpr std::size_t kShift = 4096;

const char* const kResets[] = {"hard", "soft", "none"};
const char* const kResetAts[] = {"same_step", "next_step", "next_step_decayed"};

struct Tally {
  std::size_t cases = 0, values = 0, differing = 0;
};

enum class Input { normal, special, denormal, quarters };
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

bool same(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b)); }
bool same(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) || (std::isnan(a) && std::isnan(b)); }
bool same(std::uint64_t a, std::uint64_t b) { return a == b; }

template <class T>
T poisoned() {
  T a;
  std::memset(&a, 0xff, sizeof a);
  return a;
}

class Checker {
 public:
  explicit Checker(bool quick)
      : quick_(quick), host_(4, std::vector<float>(kMax + kShift)), noise_(kMax + kShift), special_(kMax + kShift), denormal_(kMax + kShift), quarters_(kMax + kShift), decay_(kMaxN), v_(kMaxN + kGuard),
        bits_(kMaxT * words_per_row(kMaxN) + kGuard), s_(kMax + kGuard), h_(kMax + kGuard), gx_(kMax + kGuard), gv0_(kMaxN + kGuard),
        gd_(kMaxN + kGuard), scratch_(lif_backward_scratch(kMaxT, kMaxN)) {
    std::vector<float>&a = host_[0], &b = host_[1], &c = host_[2], &d = host_[3];
    parallel_for(0, a.size(), 1 << 16, [&](std::size_t begin, std::size_t end) {
      Random r(7, 1, 4 * begin);
      for (std::size_t i = begin; i < end; ++i) a[i] = r.normal();
    });
    const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e-40f, -1e-40f, 3e38f, -3e38f, 0.6f, 1e-30f};
    for (std::size_t i = 0; i < a.size(); ++i) {
      const std::uint32_t draw = Random(7, 2).bits_at(i);
      b[i] = draw % 16 == 0 ? odd[(draw >> 8) % std::size(odd)] : a[i];
      c[i] = a[i] * 1e-39f;
      d[i] = std::round(4 * a[i]) / 4;
    }
    noise_.set(a), special_.set(b), denormal_.set(c), quarters_.set(d);
    decay_host_.resize(kMaxN);
    for (std::size_t i = 0; i < kMaxN; ++i) decay_host_[i] = std::min(1.0f, std::fabs(0.3f * a[i]));
    decay_.set(decay_host_);
    succeed(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  }

  void all();
  std::map<std::string, Tally> tallies;
  std::size_t differing() const {
    return std::accumulate(tallies.begin(), tallies.end(), std::size_t{0}, [](std::size_t n, const auto& t) { return n + t.second.differing; });
  }
  const float* noise() const { return noise_.data(); }
  void write_sample(const std::string& path);

 private:
  const float* device_input(Input i) const {
    return (i == Input::normal ? noise_ : i == Input::special ? special_ : i == Input::denormal ? denormal_ : quarters_).data();
  }

  void forward(const Case& c);
  void backward(const Case& c);
  void nothing_to_do();
  template <class T>
  void compare(const std::string& family, const Case& c, const char* what, const std::vector<T>& want, const Device<T>& got);
  void draw_options(Case& c);
  void finish(const std::string& family) {
    ++tallies[family].cases;
    succeed(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }
  void complain(const Case& c, const char* what, std::size_t at, std::size_t count) {
    if (++complaints_ <= 20) std::fprintf(stderr, "differs: %s: %s: %zu values, the first at %zu\n", c.text().c_str(), what, count, at);
  }

  bool quick_;
  std::vector<std::vector<float>> host_;  // in the order of Input
  Device<float> noise_, special_, denormal_, quarters_, decay_, v_;
  Device<std::uint64_t> bits_;
  Device<float> s_, h_, gx_, gv0_;
  Device<double> gd_;
  Device<unsigned char> scratch_;
  std::vector<float> decay_host_;
  cudaStream_t stream_ = nullptr;
  Random draw_{7, 3};
  int complaints_ = 0;
};

/// `got` has the values of `want`, and behind them still the poison.
template <class T>
void Checker::compare(const std::string& family, const Case& c, const char* what, const std::vector<T>& want, const Device<T>& got) {
  const std::vector<T> values = got.get(want.size() + kGuard);
  std::vector<std::size_t> bad(values.size() / (1 << 16) + 1), first(bad.size());
  parallel_for(0, values.size(), 1 << 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = end; i-- > begin;)
      if (!same(values[i], i < want.size() ? want[i] : poisoned<T>())) ++bad[begin >> 16], first[begin >> 16] = i;
  });
  const std::size_t count = std::accumulate(bad.begin(), bad.end(), std::size_t{0});
  if (count) complain(c, what, first[std::size_t(std::find_if(bad.begin(), bad.end(), [](auto n) { return n > 0; }) - bad.begin())], count);
  tallies[family].values += want.size();
  tallies[family].differing += count;
}

void Checker::draw_options(Case& c) {
  const std::uint32_t r = draw_.bits();
  c.decay = Decay{int(r % 3)};
  c.lif.decay_input = r >> 8 & 1;
  c.lif.detach_reset = r >> 9 & 1;
  c.lif.detach_temporal = (r >> 10 & 7) == 0;
  c.constant_x = (r >> 13 & 7) == 0;
  c.v0 = (r >> 16 & 3) != 0;
  c.grad_v_last = (r >> 18 & 3) != 0;
  c.in_place = !c.constant_x && (r >> 20 & 7) == 0;
  c.outputs = (r >> 23 & 1) ? 0 : int(r >> 24 & 3);
  c.x_at = draw_.bits() % kShift;
  c.gs_at = draw_.bits() % kShift;
}

template <class Scan>
void by_tiles(const Scan& scan) {
  parallel_for(0, (scan.N + scan::kTile - 1) / scan::kTile, 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t tile = first; tile < last; ++tile) scan.run(tile * scan::kTile, std::min(scan.N, (tile + 1) * scan::kTile));
  });
}

void Checker::forward(const Case& c) {
  const std::string family = std::string("forward   ") + kResets[int(c.lif.reset)] + " " + kResetAts[int(c.lif.reset_at)];
  const std::size_t T = c.T, N = c.N, cells = T * N, step = c.constant_x ? 0 : N;
  const std::vector<float>& host = host_[std::size_t(c.input)];
  std::vector<float> v(N), s(cells), h(cells);
  std::vector<std::uint64_t> bits(T * words_per_row(N));
  Lif lif = c.lif;
  const bool each = c.decay == Decay::each && N > 1;
  if (lif.reset == Reset::none) lif.reset_at = ResetAt::same_step;  // as the driver of scan.cpp
  const scan::Forward f{lif, c.decay == Decay::constant ? nullptr : decay_host_.data(), each, host.data() + c.x_at, T, N,
                        c.v0 ? host_[0].data() + c.gs_at : nullptr, v.data(), bits.data(), s.data(), h.data(), step};
  struct {
    const scan::Forward& f;
    std::size_t N;
    void run(std::size_t begin, std::size_t end) const { scan::forward_reference(f, begin, end); }
  } const reference{f, N};
  by_tiles(reference);

  v_.poison(N + kGuard), bits_.poison(bits.size() + kGuard), s_.poison(cells + kGuard), h_.poison(cells + kGuard);
  const bool all = c.outputs == 0, want_bits = all || c.outputs == 1, want_s = all || c.outputs == 2, want_h = all || c.outputs == 3;
  const float *x = device_input(c.input) + c.x_at, *v0 = c.v0 ? noise() + c.gs_at : nullptr;
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
  lif_forward(c.lif, f.decay ? decay_.data() : nullptr, each ? N : f.decay ? 1 : 0, x, T, N, v0, v_.data(), want_bits ? bits_.data() : nullptr,
              want_s ? s_.data() : nullptr, want_h ? h_.data() : nullptr, c.constant_x, stream_);
  finish(family);
  compare(family, c, "v", v, v_);
  if (want_bits) compare(family, c, "spike bits", bits, bits_);
  if (want_s) compare(family, c, "spikes", s, s_);
  if (want_h) compare(family, c, "h", h, h_);
}

void Checker::backward(const Case& c) {
  const std::string family = std::string("backward  ") + surrogate_names[int(c.surrogate.kind)];
  const std::size_t T = c.T, N = c.N, cells = T * N, step = c.constant_x ? 0 : N;
  std::vector<float> gx(c.constant_x ? N : cells), gv0(N);
  std::vector<double> lanes(N);
  Lif lif = c.lif;
  if (lif.reset == Reset::none) lif.reset_at = ResetAt::same_step;
  const bool each = c.decay == Decay::each && N > 1;
  const float* decay = c.decay == Decay::constant ? nullptr : decay_host_.data();
  const scan::Backward b{lif, c.surrogate, decay, each, host_[std::size_t(c.input)].data() + c.x_at, c.v0 ? host_[0].data() + c.gs_at : nullptr,
                         host_[0].data() + c.gs_at, c.grad_v_last ? host_[0].data() + c.x_at : nullptr, T, N, gx.data(), gv0.data(), step};
  struct {
    const scan::Backward& b;
    std::size_t N;
    double* lanes;
    void run(std::size_t begin, std::size_t end) const { scan::backward_reference(b, begin, end, lanes + begin); }
  } const reference{b, N, lanes.data()};
  by_tiles(reference);

  gx_.poison(cells + kGuard), gv0_.poison(N + kGuard), gd_.poison(N + kGuard);
  const double start = 0.25;
  const bool want_x = c.outputs != 1, want_v0 = c.outputs != 2, want_decay = c.outputs != 3;
  if (want_decay) gd_.set(std::vector<double>(each ? N : 1, start));
  const float* gs = noise() + c.gs_at;
  if (c.in_place && want_x) {
    Device<float>::copy(gx_.data(), gs, cells);
    gs = gx_.data();
  }
  const auto run = [&] {
    succeed(cudaDeviceSynchronize(), "before lif_backward");
    lif_backward(c.lif, c.surrogate, decay ? decay_.data() : nullptr, each ? N : decay ? 1 : 0, device_input(c.input) + c.x_at,
                 c.v0 ? noise() + c.gs_at : nullptr, gs, c.grad_v_last ? noise() + c.x_at : nullptr, T, N, want_x ? gx_.data() : nullptr,
                 want_v0 ? gv0_.data() : nullptr, want_decay ? gd_.data() : nullptr, c.constant_x, scratch_.data(), stream_);
  };
  run();
  finish(family);
  if (want_x) compare(family, c, "grad_x", gx, gx_);
  if (want_v0) compare(family, c, "grad_v0", gv0, gv0_);
  if (!want_decay) return;
  const std::string decay_family = each ? "grad_decay each" : "grad_decay shared (1e-12 of the sum of sizes; twice the same bits)";
  ++tallies[decay_family].cases;
  if (each) {
    for (double& d : lanes) d += start;
    compare(decay_family, c, "grad_decay", lanes, gd_);
    return;
  }
  double want = start, sizes = start;
  for (const double d : lanes) want += d, sizes += std::fabs(d);
  const double got = gd_.get(1)[0];
  bool good = same(got, want) || std::fabs(got - want) <= 1e-12 * sizes || (!std::isfinite(want) && !std::isfinite(got));
  if (!(c.in_place && want_x)) {
    gd_.set({start});
    run();
    succeed(cudaStreamSynchronize(stream_), "lif_backward");
    good = good && same(gd_.get(1)[0], got);
  }
  ++tallies[decay_family].values;
  if (good) return;
  ++tallies[decay_family].differing;
  complain(c, "shared grad_decay", 0, 1);
}

/// N = 0 touches nothing; T = 0 hands states and gradients through.
void Checker::nothing_to_do() {
  const std::string family = "nothing to do (N = 0, T = 0)";
  const Case c{{}, {}, 0, 5};
  lif_forward({}, nullptr, 0, nullptr, 4, 0, nullptr, nullptr, nullptr, nullptr, nullptr, false, stream_);
  lif_backward({}, {}, nullptr, 0, nullptr, nullptr, nullptr, nullptr, 4, 0, nullptr, nullptr, nullptr, false, nullptr, stream_);
  v_.poison(c.N + kGuard), gv0_.poison(c.N + kGuard), gd_.poison(1 + kGuard);
  gd_.set({3.0});
  succeed(cudaDeviceSynchronize(), "before T = 0");
  lif_forward({}, nullptr, 0, nullptr, 0, c.N, noise(), v_.data(), bits_.data(), nullptr, nullptr, false, stream_);
  lif_backward({}, {}, nullptr, 0, nullptr, nullptr, nullptr, noise() + 5, 0, c.N, nullptr, gv0_.data(), gd_.data(), false, scratch_.data(), stream_);
  finish(family);
  compare(family, c, "v", {host_[0].begin(), host_[0].begin() + 5}, v_);
  compare(family, c, "grad_v0", {host_[0].begin() + 5, host_[0].begin() + 10}, gv0_);
  compare(family, c, "grad_decay", {3.0}, gd_);
}

void Checker::all() {
  nothing_to_do();
  const std::size_t Ns[] = {1, 31, 1000, kMaxN}, Ts[] = {1, 4, 33, kMaxT};
  for (int form = 0; form < 18; ++form) {
    for (std::size_t N : Ns) {
      if (quick_ && N == kMaxN) continue;
      for (std::size_t T : Ts)
        for (int kind = 0; kind < int(std::size(surrogate_names)); ++kind)
          for (int draw = 0; draw < (N == kMaxN || quick_ ? 1 : 7); ++draw) {
            Case c{{}, {SurrogateKind(kind), 0.9f, 1.3f}, T, N};
            c.lif = {.decay = 0.8f, .input_scale = 0.7f, .v_th = 0.6f, .v_reset = -0.1f};
            c.lif.reset = Reset(form % 3), c.lif.reset_at = ResetAt(form / 3 % 3), c.lif.compare = Compare(form / 9);
            draw_options(c);
            if (draw == 4) c.input = Input::special;
            if (draw == 5) {  // membranes, threshold and surrogate are denormal: a flush to zero would show
              c.input = Input::denormal, c.v0 = false;
              c.lif.v_th = 6e-40f, c.lif.v_reset = -1e-40f, c.surrogate.width = 1.3e-38f;
            }
            if (draw == 6) {  // membranes that meet the threshold tell ge from gt
              c.input = Input::quarters;
              c.decay = Decay::constant, c.v0 = false;
              c.lif.decay = 0.5f, c.lif.input_scale = 1.0f, c.lif.v_th = 0.75f, c.lif.v_reset = -0.25f;
            }
            forward(c);
            backward(c);
          }
    }
    std::fprintf(stderr, "\r%d of 18 forms", form + 1);
  }
  std::fprintf(stderr, "\n");
}

void Checker::write_sample(const std::string& path) {
  const std::size_t T = 16, N = 4096;
  const Lif lif{.decay = 0.75f};  // soft reset, ge, triangle
  const float* gs = noise() + 1024;
  succeed(cudaDeviceSynchronize(), "before the sample");
  lif_forward(lif, nullptr, 0, noise(), T, N, nullptr, nullptr, nullptr, s_.data(), nullptr, false, stream_);
  lif_backward(lif, {}, nullptr, 0, noise(), nullptr, gs, nullptr, T, N, gx_.data(), nullptr, nullptr, false, scratch_.data(), stream_);
  succeed(cudaStreamSynchronize(stream_), "sample");
  const std::vector<float> s = s_.get(T * N), gx = gx_.get(T * N);
  const std::int32_t head[] = {std::int32_t(T), std::int32_t(N)};
  std::FILE* file = std::fopen(path.c_str(), "wb");
  bool good = file && std::fwrite(head, sizeof head, 1, file) == 1;
  const float* const parts[] = {host_[0].data(), host_[0].data() + 1024, s.data(), gx.data()};
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
  Checker checker(quick);
  checker.all();
  const char* separator = "\n  ";
  for (const auto& [family, t] : checker.tallies) {
    std::printf("%-68s %6zu cases %12zu values %6zu differing\n", family.c_str(), t.cases, t.values, t.differing);
    text += separator + std::string("{\"family\": \"") + family + "\", \"cases\": " + std::to_string(t.cases) + ", \"values\": " +
            std::to_string(t.values) + ", \"differing\": " + std::to_string(t.differing) + "}";
    separator = ",\n  ";
  }
  text += "],\n \"timing\": " + (timing ? time_scans(checker.noise(), kMax) : std::string("[]")) + "}\n";
  if (!sample.empty()) checker.write_sample(sample);
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
