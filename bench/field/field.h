#pragma once
// What our sides of the field benchmarks share: arrays in and out, times, one JSON line.
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "apical/formats/npy.h"

namespace apical::bench {

inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Seconds of each of `runs` calls after one that warms up.
template <class Run>
std::vector<double> seconds(int runs, Run run) {
  std::vector<double> all;
  for (int i = 0; i < runs + 1; ++i) {
    const double start = now();
    run();
    if (i > 0) all.push_back(now() - start);
  }
  return all;
}

/// A matrix of float32.
inline torch::Tensor read(const std::string& path) {
  const auto a = formats::read_npy(path);
  return torch::from_blob(const_cast<float*>(a.as<float>(path).data()), {static_cast<std::int64_t>(a.shape.at(0)), static_cast<std::int64_t>(a.shape.at(1))}).clone();
}
inline void write(const std::string& path, const torch::Tensor& t) {
  formats::write_npy(path, formats::Array::of<float>({static_cast<std::uint64_t>(t.size(0)), static_cast<std::uint64_t>(t.size(1))},
                                                     {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())}));
}

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
  std::printf("%s}\n", text.c_str());
}

}  // namespace apical::bench
