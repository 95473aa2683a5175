#include "recipes/hippocampus-cam/hopfield.h"

#include <algorithm>
#include <cmath>

namespace apical::cam {

Neurons Hopfield::recall_by_cue(std::uint32_t cue) {
  std::vector<double> known(n_ + m_, 0.0);
  std::fill_n(known.begin(), n_, -1.0);
  known[cue] = 1;
  const auto field = complete(known);
  Neurons content;
  for (std::uint32_t i = 0; i < m_; ++i)
    if (field[n_ + i] > 0) content.push_back(i);
  return content;
}

std::uint32_t Hopfield::recall_by_content(const Neurons& content) {
  std::vector<double> known(n_ + m_, 0.0);
  for (const auto i : content) known[n_ + i] = 1;
  const auto field = complete(known);
  return static_cast<std::uint32_t>(std::max_element(field.begin(), field.begin() + n_) - field.begin());
}

ClassicalHopfield::ClassicalHopfield(std::uint32_t cues, std::uint32_t content, double density)
    : Hopfield(cues, content), density_(density), w_(std::size_t{cues + content} * (cues + content)) {}

void ClassicalHopfield::learn(std::uint32_t cue, const Neurons& content) {
  const std::size_t N = n_ + m_;
  std::vector<double> x(N);
  for (std::size_t i = 0; i < N; ++i) x[i] = -share(i);
  x[cue] += 1;
  for (const auto i : content) x[n_ + i] += 1;
  for (std::size_t i = 0; i < N; ++i)
    for (std::size_t j = 0; j < N; ++j)
      if (i != j) w_[i * N + j] += x[i] * x[j];
}

std::vector<double> ClassicalHopfield::complete(const std::vector<double>& known) {
  const std::size_t N = known.size();
  std::vector<double> x(N), field(N);
  for (std::size_t i = 0; i < N; ++i) x[i] = known[i] == 0 ? 0 : (known[i] > 0) - share(i);
  bool changed = true;
  for (int round = 0; round < 20 && changed; ++round) {
    for (std::size_t i = 0; i < N; ++i) {
      field[i] = 0;
      for (std::size_t j = 0; j < N; ++j) field[i] += w_[i * N + j] * x[j];
    }
    macs_ += N * N;
    changed = false;
    for (std::size_t i = 0; i < N; ++i) {
      if (known[i] != 0) continue;
      const double now = (field[i] > 0) - share(i);
      changed = changed || now != x[i];
      x[i] = now;
    }
  }
  return field;
}

void ModernHopfield::learn(std::uint32_t cue, const Neurons& content) {
  patterns_.emplace_back(n_ + m_, -1.0);
  patterns_.back()[cue] = 1;
  for (const auto i : content) patterns_.back()[n_ + i] = 1;
}

std::vector<double> ModernHopfield::complete(const std::vector<double>& known) {
  constexpr double beta = 2;
  std::vector<double> score, out(known.size());
  for (const auto& p : patterns_) {
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * known[i];
    score.push_back(beta * sum);
  }
  const double most = score.empty() ? 0 : *std::max_element(score.begin(), score.end());
  for (std::size_t k = 0; k < patterns_.size(); ++k)
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += std::exp(score[k] - most) * patterns_[k][i];
  macs_ += 2 * patterns_.size() * out.size();
  return out;
}

}  // namespace apical::cam
