#pragma once
// What the recipe measures: sequences of operations, on both forms of the memory, against a dictionary.
#include <array>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/data/dataset.h"
#include "recipes/hippocampus-cam/cam.h"

namespace apical::cam {

/// The paper's functional test, n = 5, m = 10.
std::vector<Operation> functional_operations();
/// All spikes of Output that these operations should cause, by time, then neuron: a learn shows its pair after 5 and 7 ms, and between the
/// two what the cue held before; a recall shows what is asked after 5 ms and the answer after 6.
std::vector<Spike> expected_output(const std::vector<Operation>& operations, const Options& options);
/// The paper's map: 16 cells learn one of 6 states each, then all cells of some states are recalled.
inline constexpr std::array<std::uint32_t, 16> kMap = {0, 5, 1, 3, 0, 3, 4, 5, 0, 5, 4, 3, 2, 4, 4, 3};
std::vector<Operation> map_operations();
/// Our reading of the paper's stress test (n = 5, m = 10, 30 operations): pyramids of width 1, 3, ... 9 are learnt and recalled by all
/// cues, then their complements, then the pyramids again; 14 ms between operations.
std::vector<Operation> stress_operations();
/// How operations are drawn.
struct Mix {
  double density = 0.25;      ///< share of active content neurons; there is always one
  std::int64_t spacing = 20;  ///< ms
  bool unions = false;        ///< recalls by two or three content neurons, too
  bool union_last = false;    ///< one such recall, as the last operation
};
/// Learns of random contents (40 %), the others recalls, as many of each kind, of any cue whether it holds something or not.
std::vector<Operation> random_operations(const Options& options, std::size_t count, const Mix& mix, std::uint64_t seed);
Neurons random_content(std::uint32_t m, double density, Random& draw);
Neurons some_of(Neurons from, std::size_t count, Random& draw);  ///< `count` of them, in ascending order

/// Share of recalls that are exactly what the dictionary says.
struct Score {
  std::array<double, 3> right{}, of{};  ///< by cue, by one content neuron, by several
  void add(const std::vector<Operation>& operations, const std::vector<Neurons>& expected, const std::vector<Neurons>& got);
  Score& operator+=(const Score& o);
  double share(std::size_t kind) const { return of[kind] > 0 ? right[kind] / of[kind] : 0; }
};

/// Both forms on the same operations.
struct Both {
  Run clock, events;
  Weights forward, backward;    ///< of the run on apical/brain
  std::uint64_t different = 0;  ///< spikes of one form alone, events that were counted otherwise, weights that differ by more than 1e-9 nA
};
Both run_both(const Options& options, const std::vector<Operation>& operations);

/// Many random sequences on both forms, or (`both` false) event by event alone.
struct Sequences {
  Score score;
  std::uint64_t different = 0, spikes = 0;
};
Sequences run_sequences(const Options& options, std::size_t sequences, std::size_t operations, const Mix& mix, std::uint64_t seed,
                        bool both);

/// The memory beside two Hopfield networks: rates over trials with `pairs` stored pairs.
struct Rival {
  double by_cue = 0, fragment = 0, overwritten = 0, macs = 0;  ///< macs: a recall
};
struct Comparison {
  Rival cam, classical, modern;
  /// Of an operation of the memory (learn, by cue, by content), event by event: means.
  struct Cost {
    double spikes = 0, events = 0, learnt = 0, cell_updates = 0, clock_updates = 0;
  };
  std::array<Cost, 3> cost{};
};
Comparison compare(const Options& options, std::size_t pairs, double density, std::size_t trials, std::uint64_t seed);

/// Pictures of 28 x 28 as contents of 14 x 14: means of 2 x 2 pixels of at least `threshold`. Empty ones are left out.
std::vector<Neurons> binarised(const data::Set& set, std::size_t count, std::uint64_t seed, int threshold);

}  // namespace apical::cam
