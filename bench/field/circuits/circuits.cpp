// Our side of the workload `circuits`: builds a published network, lets it run, prints one JSON line: times of the build and of `--runs`
// stretches of `--time` ms after `--warmup` ms; parts, spikes and synaptic events of the mean stretch, how many events a second the median
// one delivered; rates, CV and correlation of populations, weights of synapses that learn after the first stretch, memory, and the limit:
// how many floats a second as many threads add to random places of a ring buffer of all delays.
// --out FILE.npz takes the recorded spikes up to the end of the first stretch: <population>.times (ms), <population>.neurons.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>

#include "apical/base/clock.h"
#include "apical/base/error.h"
#include "apical/base/huge_array.h"
#include "apical/base/machine.h"
#include "apical/base/philox.h"
#include "apical/brain/network.h"
#include "apical/brain/statistics.h"
#include "apical/brain/testing_models.h"
#include "apical/formats/npy.h"
#include "apical/kernels/circuit/deliver.h"
#include "bench/measure.h"

namespace {

using namespace apical;
using namespace apical::brain;

struct Recorded {
  std::string name;
  Population all;
  const SpikeRecord* spikes;
};
struct Workload {
  Network net;
  std::vector<Recorded> recorded{};
  std::vector<Projection> learns{};  // at most one
  double longest_delay = 0.1;        // ms
  int ports = 1;
  std::uint32_t neurons = 0;

  template <class M>  // a name or equations
  Population add(const std::string& name, const M& model, std::uint32_t n, const Parameters& parameters, std::uint32_t watched) {
    const auto p = net.create(model, n, parameters);
    recorded.push_back({name, p, &net.record_spikes(p.slice(0, std::min(n, watched)))});
    neurons += n;
    return p;
  }
};

// The peak of the potential (mV) that an alpha current of 1 pA gives.
double psp_peak(double tau_m, double C_m, double tau_syn) {
  const double b = 1 / tau_syn - 1 / tau_m;
  double best = 0;
  for (double t = 0; t < 10 * tau_m; t += 1e-4)
    best = std::max(
        best, std::numbers::e / (tau_syn * C_m * b) * ((std::exp(-t / tau_m) - std::exp(-t / tau_syn)) / b - t * std::exp(-t / tau_syn)));
  return best;
}

// NEST's brunel_alpha_nest.py.
Workload brunel(const Options& options, double) {
  Workload w{Network(options)};
  const std::uint32_t order = 2500, CE = order * 4 / 10, CI = order / 10;
  const double tau_m = 20, tau_syn = 0.5, C_m = 250, theta = 20, J = 0.1 / psp_peak(tau_m, C_m, tau_syn);
  const double nu_ex = 2 * theta * C_m / (J * CE * std::numbers::e * tau_m * tau_syn);
  const Parameters p{{"C_m", C_m},     {"tau_m", tau_m}, {"tau_syn_ex", tau_syn}, {"tau_syn_in", tau_syn}, {"t_ref", 2.0}, {"E_L", 0.0},
                     {"V_reset", 0.0}, {"V_m", 0.0},     {"V_th", theta}};
  const auto e = w.add("E", "iaf_psc_alpha", 4 * order, p, 1000), i = w.add("I", "iaf_psc_alpha", order, p, 1000);
  for (const auto to : {e, i}) {
    w.net.connect(e, to, Rule::fixed_indegree(CE), {.weight = J, .delay = 1.5});
    w.net.connect(i, to, Rule::fixed_indegree(CI), {.weight = -5 * J, .delay = 1.5});
    w.net.connect(PoissonGenerator{.rate = 1000 * nu_ex * CE}, to, J, 1.5);
  }
  w.longest_delay = 1.5;
  return w;
}

// The network of Vogels and Abbott, in the variants of Brette et al. 2007.
template <class M>
Workload vogels_abbott(const Options& options, const M& model, double w_ex, double w_in, const Parameters& p, bool kick,
                       bool bernoulli = false) {
  Workload w{Network(options)};
  const auto e = w.add("E", model, 3200, p, 500), i = w.add("I", model, 800, p, 500);
  for (const auto to : {e, i}) {
    w.net.connect(e, to, bernoulli ? Rule::pairwise_bernoulli(0.02) : Rule::fixed_indegree(64), {.weight = w_ex, .delay = 0.1});
    w.net.connect(i, to, bernoulli ? Rule::pairwise_bernoulli(0.02) : Rule::fixed_indegree(16), {.weight = w_in, .delay = 0.1});
  }
  if (kick) w.net.connect(PoissonGenerator{.rate = 300, .start = 1, .stop = 51}, e.slice(0, 50), w_ex, 0.1);
  w.ports = 2;
  return w;
}
Parameters cuba_neuron(Value V_m) {
  return {{"E_L", -49.0},  {"V_m", V_m},        {"V_th", -50.0},      {"V_reset", -60.0}, {"C_m", 200.0},
          {"tau_m", 20.0}, {"tau_syn_ex", 5.0}, {"tau_syn_in", 10.0}, {"t_ref", 5.0}};
}
// NEST's brette_et_al_2007/cuba.py.
Workload cuba_nest(const Options& options, double) { return vogels_abbott(options, "iaf_psc_exp", 16.2, -139.5, cuba_neuron(-49.0), true); }
// Brian2's CUBA.py; its weights are mV of a current variable: 1.62 mV = 16.2 pA * tau_m / C_m.
Workload cuba_brian(const Options& options, double) {
  return vogels_abbott(options, "iaf_psc_exp", 16.2, -90.0, cuba_neuron(Value::uniform(-60, -50)), false, true);
}
// coba.py and hh_coba.py beside it.
Workload coba(const Options& options, double) {
  return vogels_abbott(options, "iaf_cond_exp", 6, -67,
                       {{"E_L", -60.0},
                        {"V_m", -60.0},
                        {"V_th", -50.0},
                        {"V_reset", -60.0},
                        {"C_m", 200.0},
                        {"g_L", 10.0},
                        {"E_ex", 0.0},
                        {"E_in", -80.0},
                        {"tau_syn_ex", 5.0},
                        {"tau_syn_in", 10.0},
                        {"t_ref", 5.0}},
                       true);
}
Workload hh_coba(const Options& options, double) { return vogels_abbott(options, "hh_cond_exp_traub", 6, -67, {}, true); }
// Brian2's COBAHH.py: its equations, and exponential Euler as there.
Workload hh_brian(const Options& options, double) {
  const Parameters p{{"V_m", Value::normal(-65, 5)},  {"m", 0.0}, {"h", 0.0}, {"n", 0.0}, {"g_ex", Value::normal(40, 15)},
                     {"g_in", Value::normal(200, 120)}};
  return vogels_abbott(options, EquationModel(traub("exponential_euler", "0 pA")), 6, -67, p, false, true);
}

// NEST's brette_et_al_2007/cuba_stdp.py.
Workload cuba_stdp(const Options& options, double) {
  Workload w{Network(options)};
  const Parameters p{{"E_L", 0.0},   {"V_th", 20.0},  {"V_reset", 0.0},
                     {"C_m", 250.0}, {"tau_m", 20.0}, {"V_m", Value::normal(7, 5).clipped(-kForever, 19.9)}};
  const auto e = w.add("E", "iaf_psc_exp", 9000, p, 500), i = w.add("I", "iaf_psc_exp", 2250, p, 500);
  for (const auto to : {e, i}) w.net.connect(PoissonGenerator{.rate = 4050}, to, 35, 1.5);
  const Rule excitatory = Rule::fixed_indegree(900), inhibitory = Rule::fixed_indegree(225);
  w.learns.push_back(w.net.connect(
      e, e, excitatory,
      {.weight = Value::normal(35, 3), .delay = 1.5, .model = "stdp_synapse", .parameters = {{"alpha", 1.05}, {"Wmax", 70}}}));
  w.net.connect(e, i, excitatory, {.weight = 35, .delay = 1.5});
  for (const auto to : {e, i}) w.net.connect(i, to, inhibitory, {.weight = -175, .delay = 1.5});
  w.longest_delay = 1.5;
  return w;
}

// Potjans and Diesmann 2014. Below full scale, neurons and in-degrees are times `scale`, weights over its root, and a current keeps the
// mean of the input at the published rates (as in their downscaling).
Workload microcircuit(const Options& options, double scale) {
  Workload w{Network(options)};
  static constexpr const char* names[] = {"23E", "23I", "4E", "4I", "5E", "5I", "6E", "6I"};
  static constexpr double N[] = {20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948},
                          external[] = {1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100},
                          rates[] = {.971, 2.868, 4.746, 5.396, 8.142, 9.078, .991, 7.523};
  static constexpr double p[8][8] = {
      {.1009, .1689, .0437, .0818, .0323, 0, .0076, 0},         {.1346, .1371, .0316, .0515, .0755, 0, .0042, 0},
      {.0077, .0059, .0497, .135, .0067, .0003, .0453, 0},      {.0691, .0029, .0794, .1597, .0033, 0, .1057, 0},
      {.1004, .0622, .0505, .0057, .0831, .3726, .0204, 0},     {.0548, .0269, .0257, .0022, .06, .3158, .0086, 0},
      {.0156, .0066, .0211, .0166, .0572, .0197, .0396, .2252}, {.0364, .001, .0034, .0005, .0277, .008, .0658, .1443}};
  constexpr double J = 87.8, g = -4, tau_syn = 0.5, background = 8;
  const auto synapses = [&](int t, int s) { return p[t][s] == 0 ? 0 : std::log1p(-p[t][s]) / std::log1p(-1 / (N[t] * N[s])); };
  const auto weight = [&](int t, int s) { return s % 2 ? g * J : t == 0 && s == 2 ? 2 * J : J; };
  Population pop[8];
  for (int t = 0; t < 8; ++t) {
    double input = J * external[t] * background;
    for (int s = 0; s < 8; ++s) input += weight(t, s) * synapses(t, s) / N[t] * rates[s];
    Parameters neuron{{"E_L", -65.0},  {"V_th", -50.0}, {"V_reset", -65.0},      {"C_m", 250.0},
                      {"tau_m", 10.0}, {"t_ref", 2.0},  {"tau_syn_ex", tau_syn}, {"tau_syn_in", tau_syn}};
    neuron.insert({{"V_m", Value::normal(-58, 5)}, {"I_e", 0.001 * tau_syn * (1 - std::sqrt(scale)) * input}});
    pop[t] = w.add(names[t], "iaf_psc_exp", static_cast<std::uint32_t>(std::llround(N[t] * scale)), neuron, 1000);
  }
  for (int t = 0; t < 8; ++t) {
    for (int s = 0; s < 8; ++s) {
      if (p[t][s] == 0) continue;
      const double mean = weight(t, s) / std::sqrt(scale), sd = std::fabs(mean) * (t == 0 && s == 2 ? 0.05 : 0.1);
      w.net.connect(pop[s], pop[t], Rule::fixed_total_number(static_cast<std::uint64_t>(std::llround(synapses(t, s) * scale * scale))),
                    {.weight = s % 2 ? Value::normal(mean, sd).redrawn(-kForever, 0) : Value::normal(mean, sd).redrawn(0, kForever),
                     // from half a step on: a delay is rounded to the grid, and the least is one step
                     .delay = (s % 2 ? Value::normal(0.75, 0.375) : Value::normal(1.5, 0.75)).redrawn(options.dt / 2, kForever)});
    }
    w.net.connect(PoissonGenerator{.rate = background * std::round(external[t] * scale)}, pop[t], J / std::sqrt(scale), 1.5);
  }
  w.longest_delay = 5;  // of nearly all
  return w;
}

// Weights (pA) of the synapses of the first 100 sources: what nest_cuba_stdp.py looks at too.
nlohmann::ordered_json describe_weights(Workload& w) {
  const SynapseTable t = w.net.synapses(w.learns[0]);
  std::vector<double> all;
  double sum = 0, square = 0;
  for (std::size_t i = 0; i < t.source.size() && t.source[i] < 100; ++i) all.push_back(t.weight[i]), sum += t.weight[i];
  const double n = static_cast<double>(all.size()), mean = sum / n;
  for (const double v : all) square += (v - mean) * (v - mean);
  std::sort(all.begin(), all.end());
  const auto quantile = [&](double q) { return all[static_cast<std::size_t>(q * (n - 1))]; };
  return {{"mean", mean}, {"sd", std::sqrt(square / n)}, {"q10", quantile(0.1)}, {"q90", quantile(0.9)}};
}

// Floats that `threads` threads add a second to random places of rings of so many floats each, synapses read one after the other.
double random_adds_per_s(std::size_t floats, int threads) {
  constexpr std::size_t n = std::size_t{1} << 21;
  struct One {
    HugeArray<float> ring;
    HugeArray<kernels::Synapse<float>> synapses;
  };
  std::vector<One> all(static_cast<std::size_t>(threads));
  for (auto& one : all) {
    one.ring.resize(floats), one.synapses.resize(n);
    Random random(7, "limit");
    for (std::size_t i = 0; i < n; ++i) one.synapses.data()[i] = {1, random.below(static_cast<std::uint32_t>(floats))};
  }
  const auto tries = bench::seconds(9, [&] {
    parallel_for(0, all.size(), 1, [&](std::size_t k, std::size_t) {
      float* ring = all[k].ring.data();
      const kernels::Synapse<float>* const s = all[k].synapses.data();
#pragma GCC unroll 8
      for (std::size_t i = 0; i < n; ++i) ring[s[i].at] += s[i].weight;
    });
  });
  return static_cast<double>(n) * threads / *std::min_element(tries.begin(), tries.end());
}

// The recorded spikes so far, times in ms.
void write_spikes(const Workload& w, const std::string& path) {
  formats::Npz npz;
  for (const Recorded& r : w.recorded) {
    std::vector<double> times(r.spikes->size());
    for (std::size_t i = 0; i < times.size(); ++i) times[i] = r.spikes->time(i);
    npz[r.name + ".times"] = formats::Array::of<double>({times.size()}, times);
    npz[r.name + ".neurons"] = formats::Array::of<std::uint32_t>({times.size()}, r.spikes->neuron);
  }
  formats::write_npz(path, npz);
}

struct Arguments {
  std::string workload, out;
  int threads = 2, runs = 5;
  double time = 1000, warmup = 100, scale = 1;  // warmup: as the peers'
  Options options;
};

int measure(const Arguments& args, Workload (*make)(const Options&, double)) {
  set_thread_count(args.threads);
  const double start = clock_seconds();
  Workload w = make(args.options, args.scale);
  w.net.build();
  const double build = clock_seconds() - start;
  if (args.warmup > 0) w.net.simulate(args.warmup);
  const Timing before = w.net.timing();
  std::vector<std::uint64_t> spikes;
  for (const auto& r : w.recorded) spikes.push_back(w.net.spikes(r.all));
  const std::uint64_t events = w.net.events();
  std::vector<double> seconds, per_s;  // of each run
  nlohmann::ordered_json weights;
  for (int i = 0; i < args.runs; ++i) {
    const double s = clock_seconds();
    const std::uint64_t passed = w.net.events();
    const double took = w.net.timing().delivery;
    w.net.simulate(args.time);
    seconds.push_back(clock_seconds() - s);
    per_s.push_back(static_cast<double>(w.net.events() - passed) / (w.net.timing().delivery - took));
    if (i == 0 && !args.out.empty()) write_spikes(w, args.out);
    if (i == 0 && !w.learns.empty()) weights = describe_weights(w);
  }
  const Timing& t = w.net.timing();
  const double runs = args.runs, passed = static_cast<double>(w.net.events() - events);
  std::nth_element(per_s.begin(), per_s.begin() + args.runs / 2, per_s.end());
  nlohmann::ordered_json rates, cvs, correlations;
  const double stop = w.net.time();
  double all = 0;
  for (std::size_t i = 0; i < w.recorded.size(); ++i) {
    const auto& r = w.recorded[i];
    const double n = static_cast<double>(w.net.spikes(r.all) - spikes[i]);
    all += n;
    const Activity a = activity(*r.spikes, 0, stop, 5);  // NaN, where there is none, is null in JSON
    rates[r.name] = n / r.all.size / (runs * args.time / 1000), cvs[r.name] = a.cv, correlations[r.name] = a.correlation;
  }
  const double rss = peak_rss_mb() * 1e6;
  const auto ring =
      static_cast<std::size_t>(std::lround(w.longest_delay / args.options.dt)) * w.neurons * static_cast<std::size_t>(w.ports);
  const double limit = random_adds_per_s(std::max<std::size_t>(ring / static_cast<std::size_t>(args.threads), 1), args.threads);
  const nlohmann::ordered_json line{{"workload", args.workload},
                                    {"threads", args.threads},
                                    {"seed", args.options.seed},
                                    {"time_ms", args.time},
                                    {"build_s", build},
                                    {"simulate_s", seconds},
                                    {"update_s", (t.update - before.update) / runs},
                                    {"learning_s", (t.learning - before.learning) / runs},
                                    {"delivery_s", (t.delivery - before.delivery) / runs},
                                    {"other_s", (t.other - before.other) / runs},
                                    {"spikes", all / runs},
                                    {"synapses", w.net.synapses()},
                                    {"events", passed / runs},
                                    {"events_per_s", per_s[per_s.size() / 2]},  // the median of the runs
                                    {"limit_events_per_s", limit},
                                    {"rates", rates},
                                    {"cv", cvs},
                                    {"correlation", correlations},
                                    {"weights", weights},
                                    {"rss_bytes", rss}};
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

int run(int argc, char** argv) {
  const std::map<std::string, Workload (*)(const Options&, double)> workloads{
      {"brunel", brunel},   {"cuba_nest", cuba_nest}, {"cuba_brian", cuba_brian},    {"coba", coba},
      {"hh_coba", hh_coba}, {"hh_brian", hh_brian},   {"cuba_stdp", cuba_stdp},      {"microcircuit", microcircuit}};
  CLI::App app("published circuits");
  Arguments args;
  app.add_option("workload", args.workload)->required()->check(CLI::IsMember(workloads));
  app.add_option("--threads", args.threads);
  app.add_option("--seed", args.options.seed);
  app.add_option("--time", args.time, "ms of a run");
  app.add_option("--warmup", args.warmup, "ms before the first run");
  app.add_option("--runs", args.runs)->check(CLI::PositiveNumber);
  app.add_option("--scale", args.scale, "of the microcircuit")->check(CLI::Range(0.001, 1.0));
  app.add_option("--out", args.out, "NPZ file for the recorded spikes of the first run");
  app.add_flag("--double", args.options.double_precision);
  app.add_flag("--progress", args.options.progress);
  CLI11_PARSE(app, argc, argv);
  return measure(args, workloads.at(args.workload));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& e) {
    std::fprintf(stderr, "circuits: %s\n", e.what());
    return static_cast<int>(e.code());
  }
}
