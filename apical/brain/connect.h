#pragma once
// Who is connected to whom: rules by their names in NEST, drawn so that the result depends on the seed alone, not on threads.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apical/brain/plasticity.h"
#include "apical/brain/space.h"

namespace apical::brain {

/// Neurons of one population, or a range of them.
struct Population {
  std::uint32_t index = 0;  ///< which population of the network
  std::uint32_t begin = 0;  ///< its first neuron here
  std::uint32_t size = 0;
  std::uint8_t receptor = 0;                                         ///< where what is connected to them arrives (Network::receptor)
  Population slice(std::uint32_t first, std::uint32_t count) const;  ///< usage error when it does not lie inside
};

struct RuleOptions {
  bool allow_autapses = true;   ///< a neuron may be connected to itself
  bool allow_multapses = true;  ///< the same two neurons may be connected more than once
};

/// How sources and targets are paired.
struct Rule {
  enum class Kind : std::uint8_t {
    one_to_one,
    all_to_all,
    fixed_indegree,
    fixed_outdegree,
    fixed_total_number,
    pairwise_bernoulli,
    listed
  };
  Kind kind;
  std::uint64_t number = 0;  ///< in-degree, out-degree or total
  double p = 0;              ///< of pairwise_bernoulli
  RuleOptions options{};
  std::optional<Kernel> kernel{};  ///< what distance does to p; which sources fixed_indegree prefers
  Mask mask{};                     ///< of pairwise_bernoulli and fixed_indegree

  static Rule one_to_one() { return {Kind::one_to_one}; }
  static Rule all_to_all(RuleOptions o = {}) { return {Kind::all_to_all, 0, 0, o}; }
  static Rule fixed_indegree(std::uint64_t n, RuleOptions o = {}) { return {Kind::fixed_indegree, n, 0, o}; }    ///< n sources a target
  static Rule fixed_outdegree(std::uint64_t n, RuleOptions o = {}) { return {Kind::fixed_outdegree, n, 0, o}; }  ///< n targets a source
  static Rule fixed_total_number(std::uint64_t n, RuleOptions o = {}) { return {Kind::fixed_total_number, n, 0, o}; }
  static Rule pairwise_bernoulli(double p, RuleOptions o = {}) {
    return {Kind::pairwise_bernoulli, 0, p, o};
  }  ///< each pair with probability p
  /// Of neurons that have positions (Network::place): each pair whose target lies in the mask around its source, with probability
  /// p(distance) (below 0 is 0, above 1 is 1).
  static Rule pairwise_bernoulli(const Kernel& p, const Mask& mask = {}, RuleOptions o = {}) {
    return {Kind::pairwise_bernoulli, 0, 0, o, p, mask};
  }
  /// n sources of those in the mask around each target, each as likely as p(distance) is large beside that of the others. Usage error while
  /// it is drawn: there are not so many.
  static Rule fixed_indegree(std::uint64_t n, const Kernel& p, const Mask& mask = {}, RuleOptions o = {}) {
    return {Kind::fixed_indegree, n, 0, o, p, mask};
  }
};

/// What the synapses of a connection are. Delays are rounded to steps.
struct Synapses {
  Value weight = 1;                            ///< pA, or mV for iaf_psc_delta
  Value delay = 1;                             ///< ms
  std::string model = "static_synapse";        ///< plasticity.h
  std::map<std::string, double> parameters{};  ///< of the model
  /// Not kept in memory but drawn anew for each spike: static synapses of fixed_outdegree, or of pairwise_bernoulli without distances.
  bool procedural = false;
  /// Instead of weight and delay: what they are at a distance. Neurons need positions.
  std::optional<Kernel> weight_by_distance{}, delay_by_distance{};
  Population volume_transmitter{};  ///< of stdp_dopamine_synapse: whose spikes release dopamine
  std::string receptor{};           ///< of the targets (Network::receptor); "": as `to` says
};

/// Synapses by source, then target, then delay; neurons are numbered as in their populations. Of those that are to be connected the order
/// is free, and weight or delay may be empty.
struct SynapseTable {
  std::vector<std::uint32_t> source, target;
  std::vector<double> weight, delay;  ///< delay: ms, as rounded
};

/// A table for a connection: by target, then as listed.
struct Edges {
  std::vector<std::uint64_t> first;   ///< of each target of `to`, and of one past the last
  std::vector<std::uint32_t> source;  ///< among those of `from`
  std::vector<double> weight, delay;  ///< empty: as the Synapses say
  std::uint64_t fingerprint = 0;      ///< of all of them
};

struct Connection {
  Population from, to;
  Rule rule;
  Synapses synapses;
  std::uint32_t first_source = 0;                     ///< number of from's first neuron in the network
  std::uint32_t first_modulator = 0, modulators = 0;  ///< the same of the volume transmitter; how many it has
  std::uint64_t stream = 0;                           ///< of its random numbers; + 1 the weights', + 2 the delays'
  std::vector<std::uint32_t> block_totals{};          ///< fixed_total_number: of each 64 targets
  Plasticity plasticity{};
  std::shared_ptr<const Edges> edges{};  ///< of the rule `listed`
  std::shared_ptr<const Space> space{};  ///< where something depends on distance
};

/// Checks what can be told before anything is drawn; usage errors. dt: ms.
void check_connection(const Connection& c, double dt);
/// Synapses this will have: exact, but for pairwise_bernoulli (mean; where it depends on distance, from 64 targets).
double expected_synapses(const Connection& c);
/// Shares a fixed total among blocks of targets.
void share_total(Connection& c, std::uint64_t seed);

/// Some of the sources of a connection; only for rules that look from the source.
struct Sources {
  std::uint32_t begin = 0, end = ~std::uint32_t{0};
};

/// Calls unit(row) before the synapses of each target (rules that look from the source, procedural ones all: of each source;
/// fixed_total_number: of each block), and synapse(source, target, mine): source in the network, target in its population. Targets outside
/// [begin, end), multiples of 64 but for the population's end, are left out, or have `mine` false where the others' draws must be made to
/// come to ours.
template <class Unit, class Visit>
void each_synapse(const Connection& c, std::uint32_t begin, std::uint32_t end, std::uint64_t seed, Unit unit, Visit synapse,
                  Sources only = {});

}  // namespace apical::brain

#include "apical/brain/connect-inl.h"
