#pragma once
// A circuit of point neurons, described and simulated in a few lines (examples/brunel.cpp):
//   Network net({.dt = 0.1, .seed = 1});
//   const auto e = net.create("iaf_psc_exp", 3200, {{"tau_m", 20.0}});
//   net.connect(e, e, Rule::fixed_indegree(64), {.weight = 16.2, .delay = 0.1});
//   net.connect(PoissonGenerator{.rate = 300}, e, 16.2);
//   const SpikeRecord& spikes = net.record_spikes(e);
//   net.simulate(1000);
// Times are ms, membranes mV, currents pA. The result is a function of the description and the seed: the number of threads, the SIMD level
// and how time is cut into calls of simulate() change no bit of it. Source of the scheme: NEST (Gewaltig, Diesmann 2007).
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "apical/brain/devices.h"
#include "apical/brain/equations.h"
#include "apical/formats/npy.h"

namespace apical::brain {

struct Options {
  double dt = 0.1;  ///< the step
  std::uint64_t seed = 1;
  bool double_precision = false;  ///< weights and what arrives in a step: float64 (16 bytes a synapse) instead of float32 (8)
  bool progress = false;          ///< a line on standard error with real-time factor and ETA
  double memory_gb = 0;           ///< synapses may take so much (1e9 bytes); 0: what the machine has left
};

/// Seconds. A part is the mean over the threads; `other` has the time of reading the clock, too.
struct Timing {
  double build = 0, simulate = 0;
  double update = 0;    ///< neurons and devices
  double learning = 0;  ///< weights that are brought up to date as a spike arrives
  double delivery = 0;  ///< what arrives is added up
  double other = 0;
};

class Network {
 public:
  explicit Network(Options options = {});
  ~Network();
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;

  /// n neurons of a model (models.h). Messages call them by `name`, or by their number. Usage error when they would not fit in memory.
  Population create(std::string_view model, std::uint32_t n, const Parameters& parameters = {}, std::string_view name = {});
  /// The same of a model from text (equations.h); "": called by the model's name.
  Population create(const EquationModel& model, std::uint32_t n, const Parameters& parameters = {}, std::string_view name = {});
  /// Where the neurons of a whole population are, for what depends on distance: before they are connected. Usage error: other than one
  /// point a neuron.
  void place(Population population, Positions positions);
  const Positions& positions(Population population) const;  ///< usage error: it has none
  bool placed(Population population) const;                 ///< whether it has positions

  /// The same neurons, with what is connected to them, synapses and devices, arriving at this receptor: "apical" of a model that has one
  /// (models.h); "" is the soma. Usage error with a did-you-mean.
  Population receptor(Population population, std::string_view name) const;
  /// Synapses between neurons. They are drawn before the first step, after which nothing can be created or connected any more.
  Projection connect(Population from, Population to, const Rule& rule, const Synapses& synapses = {});
  /// Those of a table (synapses() of another network, read_edges() of edges.h); `synapses` says what has no column in it.
  Projection connect(Population from, Population to, const SynapseTable& table, const Synapses& synapses = {});
  /// Devices: the same to each neuron of `to`, at any time between two calls of simulate(). Poisson spikes and noise are drawn anew for
  /// each.
  void connect(const PoissonGenerator& device, Population to, double weight = 1, double delay = 1);
  void connect(const InhomogeneousPoissonGenerator& device, Population to, double weight = 1, double delay = 1);
  void connect(const SpikeGenerator& device, Population to, double weight = 1, double delay = 1);
  void connect(const DcGenerator& device, Population to, double weight = 1, double delay = 1);
  void connect(const StepCurrentGenerator& device, Population to, double weight = 1, double delay = 1);
  void connect(const NoiseGenerator& device, Population to, double weight = 1, double delay = 1);

  /// What is recorded from here on; the reference stays good as long as the network.
  const SpikeRecord& record_spikes(Population population);
  const Multimeter& record(Population population, std::vector<std::string> variables = {"V_m"}, double interval = 1);
  /// Weights of at most `count` synapses, evenly from all of synapses(projection), at times interval, 2 interval, ...
  const WeightRecord& record_weights(Projection projection, double interval, std::size_t count = 1000);

  /// All synapses of a projection as they are now. Spikes of the targets count from when they are at the synapse, a delay after they
  /// were sent; NEST shows a weight as of the last spike of its source.
  SynapseTable synapses(Projection projection);

  /// Draws the synapses; simulate() does it where it was not done. Usage error when they would not fit in memory.
  void build();
  /// Lets `ms` pass, a multiple of the step. On Ctrl-C (base/stop.h) throws the error of exit code 130, at the end of a step: time() says
  /// which, and the network can go on. A membrane that is no finite number is a data error that names population and time.
  /// now_and_then: called at the end of a step, some times a second.
  void simulate(double ms, const std::function<void()>& now_and_then = {});

  double time() const noexcept;  ///< ms
  std::uint64_t synapses() const noexcept;
  std::uint64_t spikes(Population population) const;  ///< of the whole population so far
  std::uint64_t events() const noexcept;              ///< synapses that spikes have passed so far, devices not counted
  const Timing& timing() const noexcept;

  /// The state of everything that changes but recordings, spikes on their way too, as an NPZ file; load() into a network of the same
  /// description goes on bit for bit.
  void save(const std::filesystem::path& path) const { formats::write_npz(path, state(), false); }
  void load(const std::filesystem::path& path) { set_state(formats::read_npz(path), path.string()); }
  /// The same as arrays. With recordings, which set_state() takes up where they are there.
  formats::Npz state(bool recordings = false) const;
  void set_state(const formats::Npz& npz, const std::string& where);

  struct Impl;  ///< private

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace apical::brain
