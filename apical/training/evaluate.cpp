#include "apical/training/evaluate.h"

#include <numeric>

namespace apical::training {

double Evaluation::accuracy() const {
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += predicted[i] == labels[i];
  return labels.empty() ? 0.0 : static_cast<double>(right) / static_cast<double>(labels.size());
}

std::vector<std::vector<std::uint64_t>> Evaluation::confusion(std::size_t classes) const {
  std::vector<std::vector<std::uint64_t>> counts(classes, std::vector<std::uint64_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) ++counts.at(static_cast<std::size_t>(labels[i])).at(static_cast<std::size_t>(predicted[i]));
  return counts;
}

Evaluation evaluate(nn::Network& network, const Loader& loader, std::int64_t batch) {
  torch::NoGradGuard no_grad;
  const bool was_training = network->is_training();
  network->eval();
  Evaluation e;
  e.labels = loader.set().labels;
  std::vector<std::uint32_t> all(loader.size());
  std::iota(all.begin(), all.end(), 0u);
  std::vector<torch::Tensor> scores;
  std::map<std::string, std::size_t> position;
  std::vector<double> spikes, places;
  const auto tap = [&](const std::string& label, std::uint64_t fired, std::uint64_t neurons) {
    const auto [it, fresh] = position.emplace(label, e.rates.size());
    if (fresh) {
      e.rates.emplace_back(label, 0.0);
      spikes.push_back(0);
      places.push_back(0);
    }
    spikes[it->second] += static_cast<double>(fired);
    places[it->second] += static_cast<double>(neurons);
  };
  for (std::size_t begin = 0; begin < all.size(); begin += static_cast<std::size_t>(batch)) {
    const std::span<const std::uint32_t> indices(all.data() + begin, std::min(static_cast<std::size_t>(batch), all.size() - begin));
    const auto x = loader.batch(indices);
    scores.push_back(network->readout(network->forward(x, nullptr, tap), x.T));
    const auto best = scores.back().argmax(1);
    for (std::int64_t i = 0; i < best.size(0); ++i) e.predicted.push_back(static_cast<std::int32_t>(best[i].item<std::int64_t>()));
  }
  for (std::size_t i = 0; i < e.rates.size(); ++i) e.rates[i].second = spikes[i] / places[i];
  if (!scores.empty()) e.scores = at::cat(scores);
  network->train(was_training);
  return e;
}

}  // namespace apical::training
