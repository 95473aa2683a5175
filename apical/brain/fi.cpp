#include "apical/brain/fi.h"

#include <cmath>

#include "apical/base/error.h"
#include "apical/base/named.h"
#include "apical/base/text.h"
#include "apical/base/units.h"
#include "apical/brain/network.h"
#include "apical/report/svg.h"

namespace apical::brain {

Parameters parse_parameters(std::string_view model, const std::vector<std::string>& assignments) {
  const ModelInfo& info = model_info(model);
  Parameters all;
  for (const auto& a : assignments) {
    const auto eq = a.find('=');
    if (eq == std::string::npos) throw usage_error("a parameter is written name=value", a, "Example: tau_m=20ms");
    const std::string name = a.substr(0, eq);
    const ParameterInfo& parameter = named(info.parameters, name, info.name + " has no parameter");
    all.insert_or_assign(name, quantity(a.substr(eq + 1), parameter.unit, name));
  }
  return all;
}

std::vector<FiPoint> fi_curve(std::string_view model, const Parameters& parameters, const FiOptions& o) {
  if (o.steps < 1 || o.steps > 10000) throw usage_error("an f-I curve has 1 to 10000 steps", std::to_string(o.steps));
  if (!std::isfinite(o.low) || !std::isfinite(o.high) || o.low > o.high)
    throw usage_error("the currents are no range", number(o.low) + " to " + number(o.high) + " pA");
  Network net({.dt = o.dt, .double_precision = true});
  const auto n = net.create(model, static_cast<std::uint32_t>(o.steps), parameters);
  std::vector<FiPoint> curve;
  for (int k = 0; k < o.steps; ++k) {
    const double current = o.steps == 1 ? o.low : o.low + (o.high - o.low) * k / (o.steps - 1);
    net.connect(DcGenerator{current}, n.slice(static_cast<std::uint32_t>(k), 1), 1, o.dt);
    curve.push_back({current, 0, 0, 0, std::nan("")});
  }
  const SpikeRecord& spikes = net.record_spikes(n);
  net.simulate(o.time);
  std::vector<double> last(curve.size(), std::nan(""));
  for (std::size_t i = 0; i < spikes.size(); ++i) {
    FiPoint& p = curve[spikes.neuron[i]];
    const double t = spikes.time(i), interval = t - last[spikes.neuron[i]];
    p.rate += 1000 / o.time;
    if (std::isnan(p.latency)) p.latency = t;
    if (interval > 0) {
      if (p.first_rate == 0) p.first_rate = 1000 / interval;
      p.last_rate = 1000 / interval;
    }
    last[spikes.neuron[i]] = t;
  }
  return curve;
}

std::string fi_csv(const std::vector<FiPoint>& curve) {
  std::string csv = "current_pA,rate_hz,first_rate_hz,last_rate_hz,latency_ms\n";
  for (const auto& p : curve)
    csv += number(p.current, 10) + "," + number(p.rate, 10) + "," + number(p.first_rate, 10) + "," + number(p.last_rate, 10) + "," +
           (std::isnan(p.latency) ? "" : number(p.latency, 10)) + "\n";
  return csv;
}

std::string fi_svg(const std::vector<FiPoint>& curve, const std::string& model) {
  report::Series rate, first;
  rate.name = "rate", rate.markers = curve.size() <= 50;
  first.name = "1 / first interval", first.dashed = true;
  for (const auto& p : curve) {
    rate.x.push_back(p.current), rate.y.push_back(p.rate);
    first.x.push_back(p.current), first.y.push_back(p.first_rate);
  }
  report::Axes axes;
  axes.title = "f-I curve of " + model, axes.x_label = "current (pA)", axes.y_label = "rate (Hz)", axes.y_min = 0;
  return report::line_chart({rate, first}, axes);
}

}  // namespace apical::brain
