#include "apical/brain/model_entry.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/named.h"
#include "apical/base/text.h"

namespace apical::brain {
namespace {

// What means the same in every model.
const ParameterInfo kShared[] = {
    {"E_L", "mV", "resting potential", 0},
    {"C_m", "pF", "capacity of the membrane", 0},
    {"tau_m", "ms", "time constant of the membrane", 0},
    {"g_L", "nS", "leak conductance", 0},
    {"t_ref", "ms", "refractory time, in which the membrane stays at V_reset", 0},
    {"V_th", "mV", "threshold", 0},
    {"V_reset", "mV", "the membrane after a spike", 0},
    {"V_min", "mV", "the membrane does not go below", kNone},
    {"I_e", "pA", "constant current", 0},
    {"tau_syn_ex", "ms", "time constant of excitatory synapses (weights >= 0)", 0},
    {"tau_syn_in", "ms", "time constant of inhibitory synapses (weights < 0)", 0},
    {"E_ex", "mV", "reversal potential of excitatory synapses", 0},
    {"E_in", "mV", "reversal potential of inhibitory synapses", 0},
    {"V_m", "mV", "the membrane at the start; E_L when not given", 0},
    {"tau_minus", "ms", "time constant of the trace of its spikes that STDP reads", 0},
    {"tau_minus_triplet", "ms", "the same of stdp_triplet_synapse's slower trace", 0},
};

}  // namespace

std::vector<ParameterInfo> with_defaults(std::initializer_list<std::pair<const char*, double>> shared, std::vector<ParameterInfo> own) {
  std::vector<ParameterInfo> all;
  for (const auto& [name, standard] : shared)
    for (const auto& p : kShared)
      if (p.name == name) all.push_back({p.name, p.unit, p.text, standard});
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

Given::Given(const ModelInfo& info, const Parameters& given) : info_(info), given_(given) {
  for (const auto& [name, value] : given) {
    if (named(info.parameters, name, info.name + " has no parameter").list) {
      if (value.kind != Value::Kind::list) throw usage_error(name + " is a list", info.name);
      continue;
    }
    if (!value.constant() && name != "V_m")
      throw usage_error(name + " is the same for all neurons of a population", info.name, "Only V_m, where neurons start, may be drawn.");
    if (name != "V_min") value.check(name);
  }
}
double Given::operator()(const std::string& name) const {
  if (const auto i = given_.find(name); i != given_.end()) return i->second.a;
  for (const auto& p : info_.parameters)
    if (p.name == name) return p.standard;
  throw internal_error(info_.name + " has no parameter " + name);
}
std::vector<double> Given::list(const std::string& name) const {
  const auto i = given_.find(name);
  return i == given_.end() ? std::vector<double>{} : i->second.list;
}
double Given::positive(const std::string& name) const {
  if (const double v = (*this)(name); v > 0) return v;
  throw usage_error(name + " must be positive", info_.name + ": " + number((*this)(name)));
}
double Given::not_negative(const std::string& name) const {
  if (const double v = (*this)(name); v >= 0) return v;
  throw usage_error(name + " must not be negative", info_.name + ": " + number((*this)(name)));
}

double whole_steps(const Given& given, const std::string& name, double dt) { return whole_steps(given(name), name, dt); }

}  // namespace apical::brain
