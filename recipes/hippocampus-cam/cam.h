#pragma once
// A spiking content-addressable memory after CA3 of the hippocampus: pairs (cue, content), learnt in three spikes, recalled by the cue or
// by any part of the content. Source: Casanueva-Morato et al., Neural Networks 178 (2024) 106474, re-derived from its description.
//
// Time is in ms, steps of 1 ms. The circuit is said once (circuit()); SpikingCam runs it on apical/brain step by step, EventCam by itself,
// from event to event, and nothing but the description is common to the two.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace apical::cam {

using Neurons = std::vector<std::uint32_t>;  ///< ascending indices

struct Options {
  std::uint32_t cues = 5, content = 10;  ///< n, m
  double cue_inhibition = 1000;          ///< nA of a cue on the recall of all others; 6 as published
  bool tie_depression = true;            ///< a spike of the source and an effective one of the target at once: a step down; false: no pair
  double spike_loss = 0;                 ///< EventCam: share of spikes that are lost on their way through a synapse
  double weight_noise = 0;               ///< EventCam: every synapse has a factor of its own, normal of mean 1 and this deviation
  std::uint64_t seed = 1;                ///< of the two
};

/// What happens at a time: some neurons of Input spike, `pulses` ms in a row.
struct Operation {
  enum class Kind : std::uint8_t { learn, by_cue, by_content };
  Kind kind = Kind::learn;
  std::int64_t time = 0;
  Neurons cues{}, content{};
  int pulses = 1;

  static Operation learn(std::int64_t time, std::uint32_t cue, Neurons content) {
    return {Kind::learn, time, {cue}, std::move(content), 3};
  }
  static Operation by_cue(std::int64_t time, std::uint32_t cue) { return {Kind::by_cue, time, {cue}, {}, 1}; }
  static Operation by_content(std::int64_t time, Neurons content) { return {Kind::by_content, time, {}, std::move(content), 1}; }
};
inline constexpr std::int64_t kAfterLearn = 7, kAfterRecall = 6;  ///< ms until the next operation, at least

/// Usage error that names the operation (counted from 1): a cue or content neuron that does not exist or stands twice, not exactly one cue
/// to learn or recall, no content, an operation too soon after the one before.
void check(const std::vector<Operation>& operations, const Options& options, const std::string& where = "operations");
/// A JSON list: {"op": "learn", "time": 0, "cue": 0, "content": [0, 1]}, {"op": "recall", "cue": 0}, {"op": "recall", "content": [6]}.
/// Without a time: `spacing` ms after the one before. Usage or data error that names the operation.
std::vector<Operation> read_operations(const std::filesystem::path& path, const Options& options, std::int64_t spacing);

/// What a dictionary would answer: by cue its content, by content every cue that holds one of them. Learning answers nothing.
std::vector<Neurons> expected_answers(const std::vector<Operation>& operations, const Options& options);

struct Cells {
  const char* name;
  std::uint32_t size;
  double C, tau_m, v_th;  ///< nF, ms, mV
};
struct Wires {
  enum class Rule : std::uint8_t { one_to_one, all_to_all, all_but_own };
  int from, to;  ///< populations; -1 and -2: the cue and the content part of Input
  Rule rule;
  double weight;        ///< nA; < 0: inhibition
  int delay;            ///< ms
  bool learns = false;  ///< weight: where it starts
};
struct Circuit {
  std::vector<Cells> cells;
  std::vector<Wires> wires;
};
enum Population : int { cue_cue, cont_cue, cont_cond, cont_cond_int, cont_cont, cue_cont, merge_cue, merge_cont, output };
Circuit circuit(const Options& options);

// All cells: mV and ms.
inline constexpr double kRest = -60, kTauSyn = 0.3, kRefractory = 1;
// STDP: ms, nA.
inline constexpr double kTauStdp = 3, kStep = 6, kLargest = 6;

struct Spike {
  std::int64_t time;
  int population;
  std::uint32_t neuron;
  auto operator<=>(const Spike&) const = default;
};
/// What one run of operations has given.
struct Run {
  std::vector<Spike> spikes;       ///< by time, population, neuron
  std::vector<Neurons> answers;    ///< of each operation: the other part of Output, 4 to 9 ms after it; of a learn empty
  std::uint64_t events = 0;        ///< spikes that passed a synapse, Input's too
  std::uint64_t learnt = 0;        ///< weights looked at by STDP: EventCam
  std::uint64_t cell_updates = 0;  ///< cells moved: SpikingCam all of them in every step
};
using Weights = std::vector<double>;  ///< nA, [source, target]

/// The memory on apical/brain.
class SpikingCam {
 public:
  explicit SpikingCam(const Options& options);
  ~SpikingCam();

  /// One operation now; `spacing` ms pass.
  void learn(std::uint32_t cue, const Neurons& content, std::int64_t spacing = 20);
  Neurons recall_by_cue(std::uint32_t cue, std::int64_t spacing = 20);
  Neurons recall_by_content(const Neurons& content, std::int64_t spacing = 20);
  /// Operations at times from now on, checked before the first of them; then `after` ms pass.
  Run run(const std::vector<Operation>& operations, std::int64_t after = 20);

  Weights forward() const;   ///< [n, m]: what a cue recalls
  Weights backward() const;  ///< [m, n]: what a content neuron recalls
  std::int64_t time() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The same memory, event by event: cells move only when something arrives (or when what has arrived carries them over the threshold
/// later).
class EventCam {
 public:
  explicit EventCam(const Options& options);
  ~EventCam();
  Run run(const std::vector<Operation>& operations, std::int64_t after = 20);
  Weights forward() const, backward() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The part of Output that an operation asks for, from spikes of one run.
std::vector<Neurons> answers(const std::vector<Operation>& operations, const std::vector<Spike>& spikes, const Options& options);

}  // namespace apical::cam
