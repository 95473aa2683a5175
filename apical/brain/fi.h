#pragma once
// The f-I curve of a neuron model: how fast it fires at which constant current.
#include <string>
#include <string_view>
#include <vector>

#include "apical/brain/models.h"

namespace apical::brain {

/// "tau_m=20 ms" as parameters of a model. Usage error: no such parameter, a wrong unit.
Parameters parse_parameters(std::string_view model, const std::vector<std::string>& assignments);

struct FiOptions {
  double low = 0, high = 1000;   ///< pA
  int steps = 21;                ///< currents from low to high
  double time = 1000, dt = 0.1;  ///< ms
};
struct FiPoint {
  double current;     ///< pA
  double rate;        ///< Hz: spikes over the time
  double first_rate;  ///< Hz: 1 over the first interval; 0 with fewer than two spikes. Above last_rate where the model adapts
  double last_rate;   ///< Hz: 1 over the last interval
  double latency;     ///< ms from the onset of the current to the first spike; NaN: none
};
/// A neuron for each current, from its start without other input.
std::vector<FiPoint> fi_curve(std::string_view model, const Parameters& parameters, const FiOptions& options);
/// current_pA,rate_hz,first_rate_hz,last_rate_hz,latency_ms; no latency: an empty cell.
std::string fi_csv(const std::vector<FiPoint>& curve);
std::string fi_svg(const std::vector<FiPoint>& curve, const std::string& model);

}  // namespace apical::brain
