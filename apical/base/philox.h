#pragma once
// Counter-based random numbers: the value at (seed, stream, index) is a pure function of the three, so results do not
// depend on the number of threads or on the order of calls.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox 4x32, 10 rounds).
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <string_view>
#include <vector>

namespace apical {

/// One Philox 4x32-10 block: counter (4 words) and key (2 words) to four random words.
constexpr std::array<uint32_t, 4> philox4x32_10(std::array<uint32_t, 4> ctr, std::array<uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * ctr[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * ctr[2];
    ctr = {static_cast<uint32_t>(p1 >> 32) ^ ctr[1] ^ key[0], static_cast<uint32_t>(p1),
           static_cast<uint32_t>(p0 >> 32) ^ ctr[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return ctr;
}

/// A stable 64-bit stream number from a name (FNV-1a), e.g. stream_id("weights/conv1").
constexpr uint64_t stream_id(std::string_view name) noexcept {
  uint64_t h = 0xcbf29ce484222325ull;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

/// A random stream. `at`-functions are pure; the others walk through the indices and `index()` is the whole state.
class Random {
 public:
  constexpr Random(uint64_t seed, uint64_t stream, uint64_t index = 0) noexcept : seed_(seed), stream_(stream), index_(index) {}
  Random(uint64_t seed, std::string_view stream, uint64_t index = 0) noexcept : Random(seed, stream_id(stream), index) {}

  constexpr std::array<uint32_t, 4> block_at(uint64_t index) const noexcept {
    return philox4x32_10({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), static_cast<uint32_t>(stream_),
                          static_cast<uint32_t>(stream_ >> 32)},
                         {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  }
  constexpr uint32_t bits_at(uint64_t index) const noexcept { return block_at(index >> 2)[index & 3]; }
  /// Uniform in [0, 1) with 24 bits.
  constexpr float uniform_at(uint64_t index) const noexcept { return static_cast<float>(bits_at(index) >> 8) * 0x1p-24f; }

  uint32_t bits() noexcept { return bits_at(index_++); }
  float uniform() noexcept { return uniform_at(index_++); }
  float uniform(float lo, float hi) noexcept { return lo + (hi - lo) * uniform(); }
  /// Unbiased integer in [0, n), n > 0 (Lemire's method with rejection).
  uint32_t below(uint32_t n) noexcept {
    uint64_t m = uint64_t{bits()} * n;
    if (static_cast<uint32_t>(m) < n)
      for (const uint32_t threshold = (0u - n) % n; static_cast<uint32_t>(m) < threshold;) m = uint64_t{bits()} * n;
    return static_cast<uint32_t>(m >> 32);
  }
  /// Standard normal (Box-Muller; two words a value, so that the index alone is the state).
  float normal() noexcept {
    const float u = 1.0f - uniform(), v = uniform();
    return std::sqrt(-2.0f * std::log(u)) * std::cos(2.0f * std::numbers::pi_v<float> * v);
  }
  uint64_t index() const noexcept { return index_; }

 private:
  uint64_t seed_, stream_, index_;
};

/// A random permutation of 0..n-1 (Fisher-Yates), e.g. the order of samples in one epoch.
inline std::vector<uint32_t> permutation(uint32_t n, Random random) {
  std::vector<uint32_t> p(n);
  std::iota(p.begin(), p.end(), 0u);
  for (uint32_t i = n; i > 1; --i) std::swap(p[i - 1], p[random.below(i)]);
  return p;
}

}  // namespace apical
