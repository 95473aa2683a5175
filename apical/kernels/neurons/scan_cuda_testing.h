#pragma once
// What the parts of the program scan_cuda_check share. Not for other rooms.
#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/neurons/scan_tile.h"
#include "apical/kernels/neurons/testing_models.h"

namespace apical::kernels::cuda {

inline void succeed(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw internal_error(std::string("CUDA: ") + cudaGetErrorString(status), what);
}

/// Device memory.
template <class T>
class Device {
 public:
  explicit Device(std::size_t count) { succeed(cudaMalloc(&data_, count * sizeof(T)), "cudaMalloc"); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { cudaFree(data_); }

  T* data() const { return data_; }
  /// Every byte of the first `count` 0xff: NaN as a float, all spikes as bits. What a kernel must write shows when it does not.
  void poison(std::size_t count) { succeed(cudaMemset(data_, 0xff, count * sizeof(T)), "cudaMemset"); }
  void set(const std::vector<T>& from) { copy(data_, from.data(), from.size(), cudaMemcpyHostToDevice); }
  std::vector<T> get(std::size_t count) const {
    std::vector<T> to(count);
    copy(to.data(), data_, count, cudaMemcpyDeviceToHost);
    return to;
  }
  static void copy(T* to, const T* from, std::size_t count, cudaMemcpyKind kind = cudaMemcpyDeviceToDevice) {
    if (count) succeed(cudaMemcpy(to, from, count * sizeof(T), kind), "cudaMemcpy");
  }

 private:
  T* data_ = nullptr;
};

constexpr std::size_t kMaxN = 65537, kMaxT = 100, kMax = kMaxN * kMaxT;
constexpr std::size_t kGuard = 64;  ///< elements behind each output that must stay as they are
constexpr std::size_t kShift = 4096;

inline bool same(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b)); }
inline bool same(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) || (std::isnan(a) && std::isnan(b)); }
inline bool same(std::uint64_t a, std::uint64_t b) { return a == b; }
inline bool same(std::uint8_t a, std::uint8_t b) { return a == b; }

template <class T>
T poisoned() {
  T a;
  std::memset(&a, 0xff, sizeof a);
  return a;
}

/// run(begin, end) for each tile of N neurons, on all cores.
template <class Run>
void by_tiles(std::size_t N, const Run& run) {
  parallel_for(0, (N + scan::kTile - 1) / scan::kTile, 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t tile = first; tile < last; ++tile) run(tile * scan::kTile, std::min(N, (tile + 1) * scan::kTile));
  });
}

struct Tally {
  std::size_t cases = 0, values = 0, differing = 0;
};

/// Inputs, the same on both sides, and what was found.
class Checks {
 public:
  explicit Checks(bool quick_) : quick(quick_), unit_(2 * kMaxN) {
    succeed(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    for (std::vector<float>& v : host_) v.resize(kMax + kShift);
    parallel_for(0, kMax + kShift, 1 << 16, [&](std::size_t begin, std::size_t end) {
      Random r(7, 1, 4 * begin);
      for (std::size_t i = begin; i < end; ++i) {
        const float normal = r.normal();
        for (int kind = 0; kind < 4; ++kind) host_[kind][i] = input_value(Input(kind), normal, Random(7, 2).bits_at(i));
      }
    });
    for (const std::vector<float>& v : host_) device_.emplace_back(new Device<float>(v.size()))->set(v);
    for (std::size_t i = 0; i < 2 * kMaxN; ++i) unit_host_.push_back(std::min(1.0f, std::fabs(0.3f * host_[0][i])));
    unit_.set(unit_host_);
  }

  const bool quick;  ///< small sizes alone
  cudaStream_t stream = nullptr;
  std::map<std::string, Tally> tallies;
  Random draw{7, 3};

  /// [kMax + kShift] values of a kind.
  const float* host(Input kind = Input::normal) const { return host_[int(kind)].data(); }
  const float* device(Input kind = Input::normal) const { return device_[int(kind)]->data(); }
  /// [2 kMaxN] values in [0, 1].
  const float* unit_host() const { return unit_host_.data(); }
  const float* unit() const { return unit_.data(); }

  std::size_t differing() const {
    return std::accumulate(tallies.begin(), tallies.end(), std::size_t{0}, [](std::size_t n, const auto& t) { return n + t.second.differing; });
  }
  void finish(const std::string& family) {
    ++tallies[family].cases;
    succeed(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }
  void complain(const std::string& text, const char* what, std::size_t at, std::size_t count) {
    if (++complaints_ <= 20) std::fprintf(stderr, "differs: %s: %s: %zu values, the first at %zu\n", text.c_str(), what, count, at);
  }
  template <class T>
  void compare(const std::string& family, const std::string& text, const char* what, const std::vector<T>& want, const Device<T>& got);

  /// One sum over many neurons, started from `start`: want by the CPU's order, sizes the sum of |terms|; again: what a second run gave.
  void compare_sum(const std::string& family, const std::string& text, const char* what, double want, double sizes, double got, double again) {
    const bool good = (same(got, want) || std::fabs(got - want) <= 1e-12 * sizes || (!std::isfinite(want) && !std::isfinite(got))) && same(got, again);
    ++tallies[family].values;
    if (good) return;
    ++tallies[family].differing;
    complain(text, what, 0, 1);
  }

 private:
  std::vector<float> host_[4];  // in the order of Input
  std::vector<std::unique_ptr<Device<float>>> device_;
  Device<float> unit_;
  std::vector<float> unit_host_;
  int complaints_ = 0;
};

/// `got` has the values of `want`, and behind them still the poison.
template <class T>
void Checks::compare(const std::string& family, const std::string& text, const char* what, const std::vector<T>& want, const Device<T>& got) {
  const std::vector<T> values = got.get(want.size() + kGuard);
  std::vector<std::size_t> bad(values.size() / (1 << 16) + 1), first(bad.size());
  parallel_for(0, values.size(), 1 << 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = end; i-- > begin;)
      if (!same(values[i], i < want.size() ? want[i] : poisoned<T>())) ++bad[begin >> 16], first[begin >> 16] = i;
  });
  const std::size_t count = std::accumulate(bad.begin(), bad.end(), std::size_t{0});
  if (count) complain(text, what, first[std::size_t(std::find_if(bad.begin(), bad.end(), [](auto n) { return n > 0; }) - bad.begin())], count);
  tallies[family].values += want.size();
  tallies[family].differing += count;
}

void check_models(Checks& c);
void check_sliding(Checks& c);
void check_two_point(Checks& c);

/// Times forward, backward and both beside a copy, prints a table and returns it as a JSON array. noise: [noise_count] in device memory.
std::string time_scans(const float* noise, std::size_t noise_count);

}  // namespace apical::kernels::cuda
