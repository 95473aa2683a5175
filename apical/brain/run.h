#pragma once
// A described circuit from its file to its results: what `apical simulate` does.
#include <filesystem>
#include <string>
#include <vector>

#include "apical/brain/description.h"
#include "apical/brain/outcome.h"

namespace apical::brain {

struct RunOptions {
  std::string model{};             ///< the description, a file
  std::vector<std::string> set{};  ///< laid over it
  std::string out{};               ///< folder; empty: that of `resume`, or a new one below runs/
  std::string resume{};            ///< a checkpoint to go on from
  std::string format = "npz";      ///< of recordings
  bool report = false;             ///< report.html
  bool checkpoint = false;         ///< keep the state at the end too, so that it can go on
  std::string checkpoint_every{};  ///< keep it again and again, after so much wall time ("10s"); "": not
};

struct Run {
  Described circuit;
  Outcome outcome;
  std::filesystem::path out;
  std::vector<std::filesystem::path> files;  ///< recordings, result.json, report.html, checkpoint
};

/// Simulates and writes. A checkpoint takes the place of the one before it when it is whole. On Ctrl-C, and where results cannot be
/// written, state and recordings go to out/checkpoint if that is possible, and the error says how to go on. A run that fails before leaves
/// no folder behind. Of several processes (ranks.h) the first one writes.
Run run(const RunOptions& options);

}  // namespace apical::brain
