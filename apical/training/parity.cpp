#include "apical/training/parity.h"

#include <algorithm>

#include "apical/base/clock.h"
#include "apical/kernels/bits.h"
#include "apical/runtime/batch.h"

namespace apical::training {
namespace {

std::vector<float> frames_of(const Loader& loader, std::size_t i, const graph::Graph& graph) {
  std::vector<float> frames(static_cast<std::size_t>(graph.T * graph::elements(graph.input_shape)));
  data::encode(graph.encoder, graph.preprocess, loader.set(), i, graph.T, frames.data());
  return frames;
}

}  // namespace

double Parity::largest_distance() const {
  double largest = 0;
  for (const auto& d : disagreements)
    if (d.first) largest = std::max(largest, d.first->distance);
  return largest;
}

std::vector<runtime::SpikeRecord> record_spikes(nn::Network& network, const nn::Sequence& sample) {
  torch::NoGradGuard no_grad;
  const bool was_training = network->is_training();
  network->eval();
  std::vector<runtime::SpikeRecord> records;
  nn::Sequence x = sample;
  const auto record = [&](const std::string& layer, const torch::Tensor& frames) {
    runtime::SpikeRecord r;
    r.layer = layer;
    r.steps = static_cast<int>(x.T);
    r.neurons = frames.numel() / x.T;
    r.bits.resize(r.words() * static_cast<std::size_t>(r.steps));
    const auto counts = frames.contiguous(), rows = counts.clamp_max(1);  // channel first, as the graph counts neurons
    if (counts.gt(1).any().item<bool>()) {
      const auto bytes = counts.to(torch::kUInt8);
      r.counts.assign(bytes.data_ptr<std::uint8_t>(), bytes.data_ptr<std::uint8_t>() + bytes.numel());
    }
    kernels::pack_bits(rows.data_ptr<float>(), static_cast<std::size_t>(r.steps), static_cast<std::size_t>(r.neurons), r.bits.data());
    records.push_back(std::move(r));
  };
  for (std::size_t i = 0; i < network->layers().size(); ++i) {
    const auto& layer = network->layers()[i];
    if (auto* const cells = dynamic_cast<nn::SpikingTwoPointImpl*>(layer.get())) {  // two neurons of the graph a cell
      const auto response = cells->respond(x, {});
      record(layer->label + ".soma", response.soma), record(layer->label + ".apex", response.apex);
    }
    x = network->run(x, i, i + 1);  // layer by layer: the spikes between a neuron and its pool are wanted
    if (layer->has_state()) record(layer->label, x.frames);
  }
  network->train(was_training);
  return records;
}

Parity check_parity(nn::Network& network, const graph::Graph& graph, const Loader& loader, const Evaluation& evaluation) {
  Parity p;
  p.samples = loader.size();
  runtime::Options options;
  options.count = true;
  const double start = clock_seconds();
  const auto result = runtime::run_batch(
      graph, p.samples,
      [&](std::size_t i, std::span<float> frames) { data::encode(graph.encoder, graph.preprocess, loader.set(), i, graph.T, frames.data()); }, options);
  p.seconds = clock_seconds() - start;
  p.counts = result.counts;
  p.layers = result.layers;
  p.predicted.assign(result.predicted.begin(), result.predicted.end());
  options.count = false;
  options.record_spikes = true;
  runtime::Session session(graph, options);
  for (std::size_t i = 0; i < p.samples; ++i) {
    if (p.predicted[i] == evaluation.predicted[i]) continue;
    const auto frames = frames_of(loader, i, graph);
    session.run(frames);
    const std::uint32_t index = static_cast<std::uint32_t>(i);
    const auto trained = record_spikes(network, loader.batch({&index, 1}));
    p.disagreements.push_back({i, evaluation.predicted[i], p.predicted[i], runtime::first_difference(graph, frames, session.spikes(), trained)});
  }
  return p;
}

}  // namespace apical::training
