#pragma once
// Random numbers of circuits by the thousand: Philox 4x32-10 (base/philox.h), whose words are pure functions of (seed, stream, row, place),
// and Poisson counts drawn from them. Every SIMD level gives the same numbers.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace apical::kernels {

/// Words of groups [group, group + groups) of row `row`, 64 a group: out[64 g + 16 w + l] is word w of
/// Random(seed, stream).block_at(row << 32 | 16 (group + g) + l). Lanes hold neighbouring blocks, so nothing is shuffled.
void random_words(std::uint64_t seed, std::uint64_t stream, std::uint32_t row, std::uint32_t group, std::size_t groups,
                  std::uint32_t* out) noexcept;

/// The inverse of the Poisson distribution: count(u) = k where cdf(k - 1) <= u / 2^32 < cdf(k). What is less likely than 2^-32 is left out.
class PoissonTable {
 public:
  explicit PoissonTable(double mean);  ///< 0 <= mean <= kMaxMean
  static constexpr double kMaxMean = 1e5;
  std::int32_t base = 0;             ///< smallest count
  std::vector<std::int32_t> bounds;  ///< ascending: count = base + how many are < u - 2^31 (signed comparisons are faster)
};

/// to[i] += weight * count of neuron first + i at step `step`, for i < n; n and first multiples of 64. Counts: of word first + i of
/// row `step` of random_words.
void add_poisson(const PoissonTable& table, std::uint64_t seed, std::uint64_t stream, std::uint32_t step, std::size_t first, std::size_t n,
                 float weight, float* to) noexcept;
void add_poisson(const PoissonTable& table, std::uint64_t seed, std::uint64_t stream, std::uint32_t step, std::size_t first, std::size_t n,
                 double weight, double* to) noexcept;

}  // namespace apical::kernels
