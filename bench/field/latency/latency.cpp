// Our side of the workload `latency`: steps of a model, one sample at a time. Reads model.safetensors and x.npy [T, n] in a folder; writes
// spikes<i>.npy [T, neurons] of each neuron layer; prints the times of a step (mean of a run over all T), and the least time in which the
// weights of its synaptic operations can be read, as one JSON line; the same of the network with bfloat16 weights, and of it quantised to int8.
#include <CLI/CLI.hpp>

#include "apical/base/thread_pool.h"
#include "apical/exchange/model.h"
#include "apical/formats/npy.h"
#include "apical/graph/quantise.h"
#include "apical/runtime/integer_reference.h"
#include "apical/runtime/session.h"
#include "bench/measure.h"

int main(int argc, char** argv) {
  using namespace apical;
  CLI::App app("steps of a spiking network");
  std::string folder;
  int threads = 1, runs = 7;
  app.add_option("folder", folder)->required();
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);

  const auto array = formats::read_npy(folder + "/x.npy");
  const auto x = array.as<float>(folder + "/x.npy");
  const std::size_t T = array.shape.at(0), n = array.shape.at(1);
  const auto graph = exchange::load_model(folder + "/model.safetensors");
  const auto time_steps = [&](auto& session) {
    auto step = bench::seconds(runs, [&] {
      session.reset();
      for (std::size_t t = 0; t < T; ++t) session.step(x.subspan(t * n, n));
    });
    for (double& s : step) s /= static_cast<double>(T);
    return step;
  };
  runtime::Session session(graph);
  const auto step = time_steps(session);
  graph::Graph half = graph;
  graph::quantise(half, 16, {});
  runtime::Session half_session(half);
  const auto half_step = time_steps(half_session);

  runtime::Session watched(graph, {.record_spikes = true, .count = true});
  watched.run(x);
  for (std::size_t i = 0; i < watched.spikes().size(); ++i) {
    const auto& record = watched.spikes()[i];
    const auto neurons = static_cast<std::size_t>(record.neurons);
    std::vector<float> fired(T * neurons);
    kernels::unpack_bits(record.bits.data(), T, neurons, fired.data());
    formats::write_npy(folder + "/spikes" + std::to_string(i) + ".npy", formats::Array::of<float>({T, neurons}, {fired.data(), fired.size()}));
  }

  // The same network in int8, and whether every spike and score is the reference's.
  graph::Graph quantised = graph;
  graph::InputRange range;
  range.see(x);
  graph::quantise(quantised, 8, range);
  const auto integer = graph::integer_network(quantised);
  runtime::IntegerSession int8(integer), int8_watched(integer, {.record_spikes = true});
  const auto int8_step = time_steps(int8);
  const auto said = int8_watched.run(x);
  const auto reference = runtime::run_integer_reference(integer, x);
  const bool exact = said.scores == reference.scores && int8_watched.spikes() == reference.spikes;

  const auto counts = watched.counts();
  const double bytes = (counts.effective_acs + counts.effective_macs) * sizeof(float) / static_cast<double>(T);
  bench::print({{"step_s", step}, {"limit_s", {bench::read_seconds(bytes, threads)}}, {"half_step_s", half_step},
                {"half_limit_s", {bench::read_seconds(bytes / 2, threads)}}, {"int8_step_s", int8_step},
                {"int8_limit_s", {bench::read_seconds(bytes / 4, threads)}}, {"int8_exact", {exact ? 1.0 : 0.0}}});
}
