#pragma once
// Numbers of a model that may be drawn: constants and distributions, and the random numbers they are drawn from.
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace apical::brain {

/// A constant (a plain number converts), or what to draw it from.
struct Value {
  enum class Kind : std::uint8_t { constant, uniform, normal, lognormal, list };
  Kind kind = Kind::constant;
  double a = 0, b = 0;  ///< constant a; uniform in [a, b); normal of mean a and deviation b; exp of such a normal
  double min = -std::numeric_limits<double>::infinity(), max = std::numeric_limits<double>::infinity();
  bool clip = false;           ///< outside [min, max]: to the nearest bound, else drawn again
  std::vector<double> list{};  ///< for the few parameters that are several numbers

  Value(double constant) : a(constant) {}
  Value(std::vector<double> numbers) : kind(Kind::list), list(std::move(numbers)) {}
  static Value uniform(double low, double high) { return {Kind::uniform, low, high}; }
  static Value normal(double mean, double sd) { return {Kind::normal, mean, sd}; }
  static Value lognormal(double mean, double sd) { return {Kind::lognormal, mean, sd}; }
  /// The same, drawn again until it lies in [low, high].
  Value redrawn(double low, double high) const { return bounded(low, high, false); }
  /// The same, moved to the nearest of [low, high].
  Value clipped(double low, double high) const { return bounded(low, high, true); }

  bool constant() const noexcept { return kind == Kind::constant; }
  /// Usage error that names `what` ("delay"): not finite, a negative deviation, an empty range.
  void check(const std::string& what) const;

 private:
  Value(Kind k, double x, double y) : kind(k), a(x), b(y) {}
  Value bounded(double low, double high, bool to_bounds) const {
    Value v = *this;
    v.min = low, v.max = high, v.clip = to_bounds;
    return v;
  }
};

/// A sequence of random numbers that is a function of (seed, stream, row) alone; rows are what threads share among them.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t stream) noexcept : seed_(seed), stream_(stream) {}
  void start(std::uint32_t row) noexcept { row_ = row, group_ = 0, at_ = end_ = 0; }

  std::uint32_t bits() noexcept {
    if (at_ == end_) refill();
    return words_[at_++];
  }
  /// Unbiased integer in [0, n), n > 0 (Lemire's method).
  std::uint32_t below(std::uint32_t n) noexcept {
    std::uint64_t m = std::uint64_t{bits()} * n;
    if (static_cast<std::uint32_t>(m) < n)
      for (const std::uint32_t threshold = (0u - n) % n; static_cast<std::uint32_t>(m) < threshold;) m = std::uint64_t{bits()} * n;
    return static_cast<std::uint32_t>(m >> 32);
  }
  std::uint64_t bits64() noexcept {
    const std::uint64_t high = bits();
    return high << 32 | bits();
  }
  double uniform() noexcept { return static_cast<double>(bits64() >> 11) * 0x1p-53; }  ///< in [0, 1)
  /// Standard normal by a ziggurat of 128 layers, exact. Source: Marsaglia, Tsang, J. Stat. Software 5 (2000) 8; Doornik 2005.
  double normal() noexcept;
  /// One value. Usage error when the bounds can hardly be met.
  double draw(const Value& v);

 private:
  void refill() noexcept;
  std::uint64_t seed_, stream_;
  std::uint32_t row_ = 0, group_ = 0;
  std::uint32_t at_ = 0, end_ = 0;
  std::array<std::uint32_t, 256> words_;
};

}  // namespace apical::brain
