#include "apical/brain/outcome.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apical/base/console.h"
#include "apical/base/machine.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"

namespace apical::brain {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
std::string or_dash(double value) { return std::isfinite(value) ? number(value, 3) : "-"; }

std::uint64_t neurons(const Described& d) {
  std::uint64_t n = 0;
  for (const auto& p : d.populations) n += p.population.size;
  return n;
}

}  // namespace

Outcome outcome(const Described& d) {
  Outcome o;
  const double now = d.network.time(), wall = d.network.timing().simulate;
  for (std::size_t i = 0; i < d.populations.size(); ++i) {
    Outcome::Of of;
    const auto& p = d.populations[i].population;
    if (now > 0) of.rate = static_cast<double>(d.network.spikes(p)) / p.size / now * 1000;
    const auto first = std::find_if(d.spikes.begin(), d.spikes.end(), [&](const auto& s) { return s.population == i; });
    if (first != d.spikes.end()) of.recorded = activity(*first->record, d.start, now, d.bin);
    o.populations.push_back(std::move(of));
  }
  if (now > d.from) o.real_time_factor = wall * 1000 / (now - d.from);
  if (wall > 0) o.events_per_s = static_cast<double>(d.network.events()) / wall;
  return o;
}

std::string to_json(const Described& d, const Outcome& o, const std::vector<std::filesystem::path>& files) {
  const Timing& t = d.network.timing();
  Json j;
  j["schema"] = 1;
  j["name"] = d.name;
  j["version"] = version();
  j["seed"] = d.options.seed;
  j["dt_ms"] = d.options.dt;
  j["time_ms"] = d.network.time();
  j["precision"] = d.options.double_precision ? "double" : "single";
  j["neurons"] = neurons(d);
  j["synapses"] = d.network.synapses();
  j["analysis"] = {{"start_ms", d.start}, {"bin_ms", d.bin}};
  j["populations"] = Json::array();
  for (std::size_t i = 0; i < d.populations.size(); ++i) {
    const auto& p = d.populations[i];
    Json of = {{"name", p.name},
               {"model", p.model},
               {"neurons", p.population.size},
               {"spikes", d.network.spikes(p.population)},
               {"rate_hz", o.populations[i].rate},
               {"recorded", nullptr}};
    if (const auto& a = o.populations[i].recorded)
      of["recorded"] = {{"neurons", a->neurons},
                        {"rate_hz", or_null(a->rate)},
                        {"cv", or_null(a->cv)},
                        {"cv_neurons", a->cvs.size()},
                        {"correlation", or_null(a->correlation)},
                        {"pairs", a->correlations.size()}};
    j["populations"].push_back(std::move(of));
  }
  j["timing"] = {{"threads", thread_count()},    {"build_s", t.build},
                 {"simulate_s", t.simulate},     {"update_s", t.update},
                 {"delivery_s", t.delivery},     {"real_time_factor", o.real_time_factor},
                 {"events", d.network.events()}, {"events_per_s", o.events_per_s},
                 {"peak_rss_mb", peak_rss_mb()}};
  j["files"] = Json::array();
  for (const auto& f : files) j["files"].push_back(f.string());
  return j.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string to_text(const Described& d, const Outcome& o) {
  const Timing& t = d.network.timing();
  std::vector<std::vector<std::string>> rows{{"population", "model", "neurons", "rate", "cv", "correlation"}};
  for (std::size_t i = 0; i < d.populations.size(); ++i) {
    const auto& p = d.populations[i];
    const auto& a = o.populations[i].recorded;
    rows.push_back({p.name, p.model, std::to_string(p.population.size), number(o.populations[i].rate, 3) + " Hz", a ? or_dash(a->cv) : "-",
                    a ? or_dash(a->correlation) : "-"});
  }
  return d.name + ": " + si(static_cast<double>(neurons(d)), "neurons") + ", " + si(static_cast<double>(d.network.synapses()), "synapses") +
         ", " + number(d.network.time() / 1000) + " s in steps of " + number(d.options.dt) + " ms, seed " + std::to_string(d.options.seed) +
         "\n\n" + aligned(rows) + "\nbuilt in " + duration_text(t.build) + ", simulated in " + duration_text(t.simulate) +
         ": real-time factor " + number(o.real_time_factor, 3) + ", " + si(o.events_per_s, "synaptic events/s") + "\n";
}

}  // namespace apical::brain
