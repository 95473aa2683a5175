#pragma once
// What every trained network goes through: test, export, run without torch, compare, count, report.
#include <filesystem>
#include <optional>

#include "apical/recipe/result.h"
#include "apical/report/html.h"
#include "apical/training/parity.h"
#include "apical/training/trainer.h"

namespace apical::training {

struct Finished {
  Evaluation evaluation;
  graph::Graph graph;  ///< as read back from the model file
  Parity parity;
};

/// Evaluates on `test`, lowers the network to a graph with the loader's encoder, preprocessing and classes and the measured
/// densities, saves it as `model`, reads it back, runs it torch-free over the whole set and compares.
Finished finish(nn::Network& network, const Loader& test, const std::string& name, const std::filesystem::path& model);

/// Metrics <prefix>test_accuracy (Wilson interval), <prefix>runtime_disagreements, runtime_samples, runtime_accuracy,
/// largest_distance, samples_per_second, operation counts per sample.
void put_metrics(recipe::Result& result, const Finished& finished, const std::string& prefix = "");

/// Cards "Test accuracy" (`good`: whether it is as it should be, if that is known) and "Same without torch".
void put_cards(report::Html& html, const Finished& finished, const Loader& test, std::optional<bool> good = {});

/// Sections of the report: learning curve, confusion, raster, firing rates, parity, energy, sample predictions.
void put_report(report::Html& html, const Finished& finished, nn::Network& network, const Loader& test, const std::vector<Epoch>& history,
                const std::string& title = "");

}  // namespace apical::training
