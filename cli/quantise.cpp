// `apical quantise MODEL --data DATA -o OUT`: a trained network with narrower weights, in integers too, and what that costs in accuracy.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/progress.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/exchange/model.h"
#include "apical/graph/integer.h"
#include "apical/graph/quantise.h"
#include "apical/runtime/evaluate.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using runtime::Evaluation;
using Json = nlohmann::ordered_json;

constexpr std::size_t calibration_samples = 256;

struct QuantiseOptions {
  std::string model, data, out;
  int bits = 8;
  std::size_t limit = 0;
  bool json = false;
};

// What the first training samples hold, encoded.
graph::InputRange input_range(const graph::Graph& graph, const std::string& what) {
  const data::Set set = runtime::samples_for(graph, what, "train", calibration_samples);
  std::vector<float> frames(static_cast<std::size_t>(graph::elements(graph.input_shape) * graph.T));
  graph::InputRange range;
  for (std::size_t i = 0; i < set.size(); ++i) {
    data::encode(graph.encoder, graph.preprocess, set, i, graph.T, frames.data());
    range.see(frames);
  }
  return range;
}

std::string kind(int bits) { return bits == 16 ? "bfloat16" : "int" + std::to_string(bits); }

struct Outcome {
  Evaluation before, after;
  std::size_t agree = 0;
  std::uintmax_t bytes_before = 0, bytes_after = 0;
};

void print_json(const QuantiseOptions& o, const graph::Graph& graph, const data::Set& set, const Outcome& r) {
  Json j = {{"model", o.model}, {"out", o.out}, {"network", graph.name}, {"bits", o.bits}};
  if (graph.integer) j["input_exponent"] = graph.integer->input_exponent, j["exponents"] = graph.integer->exponents;
  j["bytes_before"] = r.bytes_before, j["bytes_after"] = r.bytes_after;
  j["data"] = {{"name", set.name}, {"split", set.split}, {"synthetic", set.synthetic}, {"subset", set.subset}};
  j["samples"] = set.size(), j["same_predictions"] = r.agree;
  if (const auto before = r.before.accuracy(), after = r.after.accuracy(); before && after) j["accuracy_before"] = *before, j["accuracy_after"] = *after;
  std::printf("%s\n", j.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void print(const QuantiseOptions& o, const data::Set& set, const Outcome& r) {
  if (const auto before = r.before.accuracy(), after = r.after.accuracy(); before && after)
    std::printf("accuracy %.2f %% in float32, %.2f %% in %s (%+.2f points)%s\n", 100 * *before, 100 * *after, kind(o.bits).c_str(), 100 * (*after - *before),
                set.synthetic ? "  on the synthetic twin" : "");
  std::printf("%zu of %zu predictions are the same\n", r.agree, set.size());
  std::printf("wrote %s, %s (was %s)\n", o.out.c_str(), bytes_text(static_cast<double>(r.bytes_after)).c_str(), bytes_text(static_cast<double>(r.bytes_before)).c_str());
}

void quantise(QuantiseOptions o) {
  install_stop_handler();
  graph::Graph graph = exchange::load_model(o.model);
  const data::Set set = runtime::samples_for(graph, o.data, "test", o.limit);
  const graph::Graph before = graph;
  graph::quantise(graph, o.bits, o.bits == 16 ? graph::InputRange() : input_range(graph, o.data));
  Progress progress("quantise", 2 * set.size(), "samples");
  const auto advance = [&](std::size_t n) {
    end_if_stopped();
    progress.advance(n);
  };
  Outcome r;
  r.before = runtime::evaluate(before, set, {}, advance);
  r.after = graph.integer ? runtime::evaluate(graph::integer_network(graph), set, advance) : runtime::evaluate(graph, set, {}, advance);
  progress.finish();
  for (std::size_t i = 0; i < set.size(); ++i) r.agree += r.before.batch.predicted[i] == r.after.batch.predicted[i];
  if (o.out.empty()) o.out = std::filesystem::path(o.model).stem().string() + "." + kind(o.bits) + ".safetensors";
  r.bytes_before = std::filesystem::file_size(o.model);
  exchange::save_model(o.out, graph);
  r.bytes_after = std::filesystem::file_size(o.out);
  o.json ? print_json(o, graph, set, r) : print(o, set, r);
}

}  // namespace

void add_quantise(CLI::App& app) {
  auto o = std::make_shared<QuantiseOptions>();
  auto* sub = app.add_subcommand("quantise", "Make a trained network smaller and faster: int8 weights and no floating point, or bfloat16 weights");
  sub->add_option("MODEL", o->model, "The model, a .safetensors file of apical run or train")->required();
  sub->add_option("--data", o->data, "A set's name, a folder, or one file: training samples give the input's range, test samples the accuracy")->required();
  sub->add_option("--bits", o->bits, "Bits of a weight: 16 is bfloat16 with sums in float32, 8 and 4 are integers throughout")->check(CLI::IsMember({"16", "8", "4"}))->capture_default_str();
  sub->add_option("-o,--out", o->out, "The file to write (default: the model's name with .int8.safetensors or the like, here)");
  sub->add_option("--limit", o->limit, "Take at most this many test samples (0: all)");
  sub->add_flag("--json", o->json, "Print one JSON document");
  sub->footer(
      "Nothing is trained anew. apical infer runs int8 and int4 files in integers; everything else reads them as any model.\n\n"
      "Examples:\n  apical quantise model.safetensors --data mnist\n  apical quantise model.safetensors --data mnist --bits 4 -o small.safetensors\n"
      "  apical infer model.int8.safetensors mnist");
  sub->callback([o] { quantise(*o); });
}

}  // namespace apical::cli
