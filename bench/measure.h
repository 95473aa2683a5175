#pragma once
// What the benchmarks share: times, the rates of the memory, one JSON line.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "apical/base/clock.h"
#include "apical/base/thread_pool.h"

namespace apical::bench {

/// Whether another call is to be timed: there are fewer than `runs`, or, unless one is all that is wanted, they took less than half a second
/// together (a disturbance of the machine would reach most of them). field.py times the peers by the same rule.
inline bool more(const std::vector<double>& times, int runs) {
  constexpr double least = 0.5;
  return times.size() < static_cast<std::size_t>(runs) || (runs > 1 && std::accumulate(times.begin(), times.end(), 0.0) < least);
}

/// Seconds of each call, after one that warms up; as many as more() says.
template <class Run>
std::vector<double> seconds(int runs, Run run) {
  std::vector<double> all;
  run();
  while (more(all, runs)) {
    const double start = clock_seconds();
    run();
    all.push_back(clock_seconds() - start);
  }
  return all;
}

extern "C" void peak_begin() __attribute__((weak));  // field/peak.cpp, preloaded
extern "C" long long peak_bytes() __attribute__((weak));

/// The most bytes that run() holds above what is held before, after a run that warms up; -1 when nothing counts.
template <class Run>
double peak_of(Run run) {
  if (!peak_begin || !peak_bytes) return -1;
  run();
  peak_begin();
  run();
  return static_cast<double>(peak_bytes());
}

/// Bytes read plus bytes written a second: `bytes` copied from one place to another, all threads, best of `runs`.
inline double copy_bytes_per_s(const void* from, void* to, std::size_t bytes, int runs) {
  double best = 0;
  for (int i = 0; i < runs; ++i) {
    const double start = clock_seconds();
    parallel_for(0, bytes, std::size_t{1} << 20,
                 [&](std::size_t b, std::size_t e) { std::memcpy(static_cast<char*>(to) + b, static_cast<const char*>(from) + b, e - b); });
    best = std::max(best, 2.0 * static_cast<double>(bytes) / (clock_seconds() - start));
  }
  return best;
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx2", "default")))  // narrower loads do not reach what the caches give
#endif
inline std::uint64_t read_words(const std::uint64_t* from, std::size_t words, std::size_t times) {
  constexpr std::size_t strand = 32;  // additions that do not wait for each other
  std::uint64_t strands[strand] = {}, sum = 0;
  for (std::size_t t = 0; t < times; ++t)
    for (std::size_t i = 0; i + strand <= words; i += strand)
      for (std::size_t j = 0; j < strand; ++j) strands[j] += from[i + j] ^ t;
  for (const auto s : strands) sum += s;
  return sum;
}

/// Bytes a second that `threads` threads read, each `bytes` (a multiple of 256) of its own again and again: best of many short tries.
inline double read_bytes_per_s(std::size_t bytes, int threads) {
  const std::size_t words = bytes / 8, times = std::max<std::size_t>(1, (std::size_t{1} << 22) / words);
  std::vector<std::vector<std::uint64_t>> buffers(static_cast<std::size_t>(threads), std::vector<std::uint64_t>(words, 3));
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads));
  const auto tries = seconds(20, [&] {
    parallel_for(0, buffers.size(), 1, [&](std::size_t k, std::size_t) { sums[k] += read_words(buffers[k].data(), words, times); });
  });
  volatile std::uint64_t used = sums[0];  // the sums are needed, in the compiler's eyes
  static_cast<void>(used);
  return static_cast<double>(threads) * static_cast<double>(words * 8 * times) / *std::min_element(tries.begin(), tries.end());
}

/// Least time of `threads` threads to read `bytes` from their second level caches.
inline double read_seconds(double bytes, int threads) { return bytes / read_bytes_per_s(std::size_t{1} << 18, threads); }

inline void print(const std::vector<std::pair<std::string, std::vector<double>>>& lists) {
  std::string text;
  for (const auto& [name, values] : lists) {
    text += (text.empty() ? "{\"" : ", \"") + name + "\": [";
    for (std::size_t i = 0; i < values.size(); ++i) {
      char number[32];
      std::snprintf(number, sizeof number, "%s%.9g", i ? ", " : "", values[i]);
      text += number;
    }
    text += "]";
  }
  std::printf("%s}\n", text.empty() ? "{" : text.c_str());
}

}  // namespace apical::bench
