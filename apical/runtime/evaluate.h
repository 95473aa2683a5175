#pragma once
// A model over a data set: samples are found, prepared and encoded as the model says, and run.
#include <filesystem>
#include <optional>
#include <string>

#include "apical/data/dataset.h"
#include "apical/runtime/batch.h"

namespace apical::runtime {

/// The samples a model is asked about. `what`: a set's name ("mnist"), a folder, or one file (picture, recording, IDX, NPZ; see
/// data/folder.h). Pictures are fitted to the model's input, labels are matched with its class names. `split` is "train" or "test";
/// a path without a test part of its own is taken whole. At most `limit` samples (0: all), the first ones. Data error when there
/// is nothing, or it does not fit the model's input.
data::Set samples_for(const graph::Graph& graph, const std::string& what, const std::string& split, std::size_t limit);

struct Evaluation {
  BatchResult batch;
  std::size_t labelled = 0, correct = 0;  ///< samples whose class is known, and those predicted right
  double seconds = 0;                     ///< wall time of encoding and running
  std::vector<std::string> ids;           ///< one a sample
  double samples_per_second() const noexcept { return seconds > 0 ? static_cast<double>(ids.size()) / seconds : 0; }
  std::optional<double> accuracy() const noexcept;
};

/// Encodes (Graph::encoder, preprocess, T) and runs every sample.
Evaluation evaluate(const graph::Graph& graph, const data::Set& set, const Options& options = {}, const Advance& advance = {});

/// The same in integers.
Evaluation evaluate(const graph::IntegerNetwork& network, const data::Set& set, const Advance& advance = {});

/// Name of class i: Graph::classes, or the number.
std::string class_name(const graph::Graph& graph, std::int64_t i);

}  // namespace apical::runtime
