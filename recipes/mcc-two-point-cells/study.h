#pragma once
// What the parts of the recipe share: its data, its arms, its training runs.
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "apical/data/paired.h"
#include "apical/learning/burst.h"
#include "apical/nn/mcc.h"
#include "apical/recipe/recipe.h"
#include "apical/report/svg.h"
#include "apical/training/loop.h"

namespace apical::mcc {

/// What is learnt from and tested on.
struct Pairs {
  data::PairedSet train, held_out;
  std::vector<std::vector<float>> noise;  ///< recordings; none: voices and pink noise
  std::function<data::PairedSet()> test;  ///< opens the test split: once, when every choice is made
};
/// Spoken digits with pictures, or what lies in av.folder. Errors name what is missing.
Pairs open_pairs(recipe::RunContext& context);

enum class Task { recognition, enhancement };

/// One kind of network. Streams: 0 audio, 1 visual.
struct Arm {
  std::string name, metric;  // "no context", "no_context"
  nn::MccSpec spec;
  bool audio = true, visual = true;

  /// The inputs of this arm's network.
  std::vector<torch::Tensor> streams(const torch::Tensor& audio_in, const torch::Tensor& image_in) const;
};

/// Rows of features.
struct Drawn {
  torch::Tensor audio, image, clean, labels;  // [B, 736], [B, 784], [B, 736], [B] int64
  std::int64_t size() const { return labels.size(0); }
};
Drawn joined(const std::vector<Drawn>& parts);  ///< one below the other
/// Without `with_clean` its member is undefined.
Drawn draw(const data::PairedSet& pairs, const data::PairSettings& settings, const data::BandStatistics& statistics, std::uint64_t epoch, bool with_clean = true);

struct Study;
/// All test pairs at one ratio, the same whatever the seed of the training. `conflict`: each picture is of another class than its sound.
Drawn test_pairs(const Study& study, const data::PairedSet& test, double snr, bool conflict = false);

/// The training pairs of one seed, drawn once an epoch and kept: every arm sees the same.
class Draws {
 public:
  Draws(const data::PairedSet& pairs, data::PairSettings settings, const data::BandStatistics& statistics);
  Drawn batch(std::span<const std::uint32_t> indices, std::uint64_t epoch);
  std::size_t size() const { return pairs_.size(); }

 private:
  const data::PairedSet& pairs_;
  data::PairSettings settings_;
  const data::BandStatistics& statistics_;
  std::vector<Drawn> epochs_;
};

using Curve = std::vector<std::pair<std::uint64_t, double>>;  ///< (step, score on held-out pairs)
std::string curve_text(const Curve& curve);  ///< as a checkpoint keeps it
Curve curve_of(const std::string& text);

/// A training run and what it left.
struct Run {
  Arm arm;
  Task task = Task::recognition;
  double lambda = 0;
  std::size_t lambda_index = 0;
  std::int64_t seed = 1;
  double lr = 1e-3;
  bool killed = false;                             // a part of the cells dies at half of the training
  nn::MccNetwork network{nullptr};
  Curve curve;  // (step, score on held-out pairs): accuracy, or minus the squared error
  std::uint64_t steps = 0;

  std::string name() const;
  /// "coop", "coop_lambda1": behind the names of metrics.
  std::string metric() const;
};

/// A network of cells that send events and bursts (learning/burst.h), without context: both streams side by side, as many layers and cells as
/// the others have. It learns by bursts, or the same error by back-propagation.
struct BurstRun {
  bool by_bursts = true;
  std::int64_t seed = 1;
  double lr = 1e-3;
  learning::BurstNetwork network{nullptr};
  Curve curve;  // (step, accuracy on held-out pairs)

  std::string kind() const { return by_bursts ? "bursts" : "bursts, back-propagation"; }
  std::string metric() const { return by_bursts ? "burst_rule" : "burst_backprop"; }
  std::string name() const { return kind() + ", seed " + std::to_string(seed); }
};

struct Study {
  recipe::RunContext& c;
  data::PairedSet train, held_out;
  data::BandStatistics statistics;
  std::vector<std::vector<float>> recorded_noise;

  data::PairSettings pairs(std::uint64_t seed) const;
  std::vector<double> snrs() const { return c.config.reals("snr"); }
  nn::MccSpec spec(kernels::Mtf mtf) const;
  training::LoopOptions options(std::uint64_t seed, double lr) const;
  double killed_share() const { return c.config.real("damage.training"); }
};

report::Axes axes(const std::string& title, const std::string& x, const std::string& y, int height = 360);

/// Usage error with the names there are.
kernels::Mtf mtf_from(const std::string& name, const std::string& where);
/// add and coop, then (all or the desk's) the others.
std::vector<Arm> arms_of(const Study& study);

/// Trains run.network from scratch, or on from its checkpoint. The lines of metrics.jsonl begin at log_start; returns where they end.
std::uint64_t train(const Study& study, Draws& draws, const Drawn& held_out, Run& run, std::uint64_t log_start);
std::uint64_t train(const Study& study, Draws& draws, const Drawn& held_out, BurstRun& run, std::uint64_t log_start);
/// A name for a file: letters, digits, hyphens and points.
std::string file_name(std::string text);

/// Scores of a network on drawn pairs, without learning.
torch::Tensor scores(const Run& run, const Drawn& drawn, const nn::Survivors* survivors = nullptr, nn::MccTrace* trace = nullptr);
double accuracy(const torch::Tensor& scores, const torch::Tensor& labels);
/// The same cells in every arm: `fraction` of each layer, drawn by `mask`.
nn::Survivors survivors_of(const nn::MccSpec& spec, double fraction, std::uint64_t mask);

/// What the test pairs say of the recognition runs: accuracy at every SNR, synapses, damage, conflict. Metrics, figures, tables, CSV.
void test_recognition(const Study& study, std::vector<Run>& runs, const data::PairedSet& test);
/// The local rule beside back-propagation: accuracy at every SNR, curves over the training.
void test_bursts(const Study& study, const std::vector<BurstRun>& runs, const data::PairedSet& test);
/// Enhancement: error at every SNR, spectrograms, sound before and after.
void test_enhancement(const Study& study, std::vector<Run>& runs, const data::PairedSet& test);
/// Events against dense products of the same networks, without torch: where is which faster.
void test_speed(const Study& study, const std::vector<Run>& runs, const data::PairedSet& test);
/// What the runtime executed against what was counted of a pass. Cells whose sums lie within rounding of 0 may be silent on one side alone: so
/// every product's sources as the runtime has them (`seen`, by node) must be those of `trace` within 1e-5 of the largest, and what was executed
/// exactly the synapses of the sources seen.
struct Miscounted {
  double synapses = 0;  ///< executed and not counted or the other way round, product by product; sources that differ count as one each
  double counted = 0;   ///< by the sources seen
  double apart = 0;     ///< sources that are 0 on one side alone, within the tolerance
};
Miscounted miscounted(const nn::MccTrace& trace, const std::map<std::string, torch::Tensor>& seen, const std::map<std::string, double>& executed);

/// The network without torch: same predictions, executed synapses = counted ones.
void test_runtime(const Study& study, const Run& run, const data::PairedSet& test);
/// Figures of what the cells do: rasters before and after training, R and C of samples on the transfer function.
void show_cells(const Study& study, const Run& run, const data::PairedSet& test);

}  // namespace apical::mcc
