#include "apical/runtime/evaluate.h"

#include <algorithm>
#include <numeric>

#include "apical/base/clock.h"
#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/data/encoders.h"
#include "apical/data/folder.h"
#include "apical/data/registry.h"

namespace apical::runtime {
namespace {

data::Set from_path(const graph::Graph& graph, const std::string& path, const std::string& split) {
  data::FolderOptions options;
  options.classes = graph.classes;
  if (graph.input_kind == "image") {
    // A population code makes several channels of each of the picture's.
    const data::FrameShape one = data::frame_shape(graph.encoder, [] {
      data::Set s;
      s.channels = s.height = s.width = 1;
      return s;
    }());
    data::FitOptions fit;
    fit.channels = static_cast<int>(graph.input_shape[0]) / std::max(1, one.channels);
    if (graph.input_shape.size() == 3)
      fit.height = static_cast<int>(graph.input_shape[1]), fit.width = static_cast<int>(graph.input_shape[2]);
    else
      fit.height = 1, fit.width = static_cast<int>(graph.input_shape[0]), fit.channels = 1;
    // MNIST-like input is fitted as MNIST was made; other pictures are only resampled.
    fit.fit = fit.channels == 1 && fit.height == 28 && fit.width == 28 ? data::Fit::digit : data::Fit::stretch;
    options.fit = fit;
  }
  return data::load_path(path, split == "test" && !data::has_test(path) ? "train" : split, options);
}

void check_fits(const graph::Graph& graph, const data::Set& set) {
  const char* kinds[] = {"image", "events", "audio"};
  const std::string kind = kinds[static_cast<int>(set.kind)];
  const std::string where = "data '" + set.name + "'";
  if (kind != graph.input_kind) throw data_error("the model reads " + graph.input_kind + ", these data are " + kind, where);
  const data::FrameShape f = data::frame_shape(graph.encoder, set);
  const graph::Shape shape{f.channels, f.height, f.width};
  if (graph.input_shape.size() == 3 ? shape != graph.input_shape : graph::elements(shape) != graph.input_shape[0])
    throw data_error("the samples have the shape " + graph::shape_text(shape) + ", the model reads " + graph::shape_text(graph.input_shape),
                     where, "Give the data the model was trained for.");
}

}  // namespace

data::Set samples_for(const graph::Graph& graph, const std::string& what, const std::string& split, std::size_t limit) {
  data::Set set;
  std::error_code error;
  if (data::is_known(what)) {
    set = data::load(what, split, {});
  } else if (std::filesystem::exists(what, error)) {
    set = from_path(graph, what, split);
  } else {
    std::vector<std::string> names;
    for (const auto& e : data::registry()) names.push_back(e.name);
    throw data_error("there is neither a file or folder nor a data set of this name", what, did_you_mean(what, names));
  }
  if (set.size() == 0) throw data_error("there are no samples", what);
  check_fits(graph, set);
  const bool labelled = std::any_of(set.labels.begin(), set.labels.end(), [](int l) { return l >= 0; });
  if (labelled && !graph.classes.empty() && set.classes != graph.classes) data::map_classes(set, graph.classes);
  if (limit == 0 || limit >= set.size()) return set;
  std::vector<std::uint32_t> first(limit);
  std::iota(first.begin(), first.end(), 0u);
  return data::select(set, first);
}

std::optional<double> Evaluation::accuracy() const noexcept {
  if (labelled == 0) return {};
  return static_cast<double>(correct) / static_cast<double>(labelled);
}

namespace {

// run(fill) gives a BatchResult.
template <class Run>
Evaluation evaluated(const graph::Graph& graph, const data::Set& set, const Run& run) {
  check_fits(graph, set);
  Evaluation e;
  const double start = clock_seconds();
  e.batch = run([&](std::size_t i, std::span<float> frames) { data::encode(graph.encoder, graph.preprocess, set, i, graph.T, frames.data()); });
  e.seconds = clock_seconds() - start;
  for (std::size_t i = 0; i < set.size(); ++i) {
    e.ids.push_back(set.ids.empty() ? std::to_string(i) : set.ids[i]);
    if (set.labels[i] < 0) continue;
    ++e.labelled;
    e.correct += e.batch.predicted[i] == set.labels[i];
  }
  return e;
}

}  // namespace

Evaluation evaluate(const graph::Graph& graph, const data::Set& set, const Options& options, const Advance& advance) {
  return evaluated(graph, set, [&](const FillFrames& fill) { return run_batch(graph, set.size(), fill, options, advance); });
}

Evaluation evaluate(const graph::IntegerNetwork& network, const data::Set& set, const Advance& advance) {
  return evaluated(network.graph, set, [&](const FillFrames& fill) { return run_batch(network, set.size(), fill, advance); });
}

std::string class_name(const graph::Graph& graph, std::int64_t i) {
  return static_cast<std::size_t>(i) < graph.classes.size() ? graph.classes[static_cast<std::size_t>(i)] : std::to_string(i);
}

}  // namespace apical::runtime
