#pragma once
// A circuit described in a TOML or JSON file: what `apical simulate` runs. docs/reference/circuits.md has every key.
//   [simulation]      time dt seed precision memory
//   [model.NAME]      copy = a model, and parameters: a model of one's own for [population]; or equations = a text (equations.h)
//   [population.NAME] model n positions, and parameters: numbers of the model's unit, or texts with any unit of that kind ("20 ms")
//   [connection.NAME] from to rule weight delay, ...
//   [device.NAME]     model to weight delay, ...
//   [record.NAME]     model from, ...
//   [analysis]        start bin
#include <filesystem>
#include <string>
#include <vector>

#include "apical/base/config.h"
#include "apical/brain/network.h"

namespace apical::brain {

struct Described {
  struct Neurons {
    std::string name, model;
    Population population;
    std::string weight_unit, membrane;  ///< membrane: the variable that multimeters record when they name none
  };
  struct Spikes {
    std::string name;
    std::size_t population;  ///< of populations
    const SpikeRecord* record;
  };
  struct Traces {
    std::string name;
    std::size_t population;
    const Multimeter* record;
  };
  struct Weights {
    std::string name;
    const WeightRecord* record;
  };
  std::string name, toml;  ///< toml: the settings in use, but for the time
  double time;             ///< ms to simulate, from 0
  double from = 0;         ///< ms: of the checkpoint it goes on from
  double start, bin;       ///< ms: [analysis]
  Options options;
  Network network;
  std::vector<Neurons> populations{};
  std::vector<Spikes> spikes{};  ///< of all populations when the file has no [record]
  std::vector<Traces> traces{};
  std::vector<Weights> weights{};
};

/// Usage error that names file and key for what cannot be: an unknown key, model or parameter (did-you-mean), a wrong unit, a delay below
/// the step, ...
Described describe(const Config& config);
/// The file at `path`, with `set` ("population.e.n=100") laid over it.
Described describe(const std::filesystem::path& path, const std::vector<std::string>& set = {});

/// State and recordings so far as an NPZ file; load_checkpoint() refuses that of another description (usage error), and then the network
/// goes on bit for bit (without recordings in it: what is recorded begins there).
void save_checkpoint(const Described& circuit, const std::filesystem::path& path, bool recordings = true);
void load_checkpoint(Described& circuit, const std::filesystem::path& path);

/// What may stand in [device] and [record], with its parameters. Lists have the unit of their items.
const std::vector<ModelInfo>& device_models();

/// A span of numbers with unit, "0..1000pA", in `unit`. Usage error.
std::pair<double, double> quantity_range(const std::string& text, const std::string& unit, const std::string& key);

}  // namespace apical::brain
