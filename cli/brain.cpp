// apical brain models | model | fi: what circuits are made of.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/console.h"
#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/base/units.h"
#include "apical/brain/description.h"
#include "apical/brain/fi.h"
#include "apical/brain/plasticity.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using Json = nlohmann::ordered_json;
using brain::FiPoint, brain::ModelInfo;

constexpr const char* examples = R"(Examples:
  apical brain models
  apical brain model iaf_psc_alpha
  apical brain fi iaf_psc_exp --set tau_m=20ms --current 0..1000pA --steps 41 --out fi.svg
  apical brain fi iaf_psc_exp --out fi.csv --out fi.svg --json)";

Json or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
void print(const Json& j) { std::printf("%s\n", j.dump(2, ' ', false, Json::error_handler_t::replace).c_str()); }

Json to_json(const ModelInfo& m, bool neuron) {
  Json j = {{"name", m.name}, {"text", m.text}};
  if (neuron) {
    j["weight_unit"] = m.weight_unit, j["equations"] = m.equations, j["variables"] = brain::make_model(m.name, {}, 0.1).variables;
    j["receptors"] = m.receptors;
  }
  j["parameters"] = Json::array();
  for (const auto& p : m.parameters)
    j["parameters"].push_back(
        {{"name", p.name}, {"unit", p.unit}, {"default", p.list ? Json::array() : or_null(p.standard)}, {"text", p.text}});
  return j;
}

void add_models(CLI::App& brain) {
  auto* sub = brain.add_subcommand("models", "The neuron models, synapses and devices");
  auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "Print one JSON document with all parameters");
  sub->callback([=] {
    Json neurons = Json::array(), synapses = Json::array(), devices = Json::array();
    std::vector<std::vector<std::string>> rows;
    for (const auto& m : brain::models()) neurons.push_back(to_json(m, true)), rows.push_back({m.name, m.text});
    rows.push_back({"", ""});
    for (const auto& m : brain::synapse_models()) synapses.push_back(to_json(m, false)), rows.push_back({m.name, m.text});
    rows.push_back({"", ""});
    for (const auto& m : brain::device_models()) devices.push_back(to_json(m, false)), rows.push_back({m.name, m.text});
    if (*json) return print({{"models", neurons}, {"synapses", synapses}, {"devices", devices}});
    std::fputs(aligned(rows).c_str(), stdout);
    std::printf("\nParameters and equations: apical brain model NAME\n");
  });
}

const ModelInfo& any_model(const std::string& name, bool& neuron) {
  for (const auto* others : {&brain::device_models(), &brain::synapse_models()})
    for (const auto& m : *others)
      if (m.name == name) return neuron = false, m;
  return neuron = true, brain::model_info(name);
}

void add_model(CLI::App& brain) {
  auto* sub = brain.add_subcommand("model", "Equations and parameters of a neuron model, synapse or device");
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  sub->add_option("NAME", *name, "Its name; apical brain models lists them")->required();
  sub->add_flag("--json", *json, "Print one JSON document");
  sub->callback([=] {
    bool neuron = true;
    const ModelInfo& m = any_model(*name, neuron);
    if (*json) return print(to_json(m, neuron));
    std::printf("%s: %s\n", m.name.c_str(), m.text.c_str());
    if (neuron)
      std::printf("\n%s\n\nw, the weight of a synapse: %s. Recorded: %s.\n", m.equations.c_str(), m.weight_unit.c_str(),
                  join(brain::make_model(m.name, {}, 0.1).variables, ", ").c_str());
    if (!m.receptors.empty()) std::printf("Receptors beside the soma: %s.\n", join(m.receptors, ", ").c_str());
    std::vector<std::vector<std::string>> rows{{"parameter", "default", "unit", "meaning"}};
    for (const auto& p : m.parameters) rows.push_back({p.name, p.list ? "[]" : number(p.standard, 6), p.unit, p.text});
    if (rows.size() > 1) std::printf("\n%s", aligned(rows).c_str());
  });
}

void show(const std::vector<FiPoint>& curve) {
  std::vector<std::vector<std::string>> rows{{"current", "rate", "first interval", "last interval", "first spike"}};
  for (const auto& p : curve)
    rows.push_back({number(p.current) + " pA", number(p.rate) + " Hz", number(p.first_rate) + " Hz", number(p.last_rate) + " Hz",
                    std::isnan(p.latency) ? "-" : number(p.latency) + " ms"});
  std::fputs(aligned(rows).c_str(), stdout);
}

void add_fi(CLI::App& brain) {
  auto* sub = brain.add_subcommand("fi", "The f-I curve of a model: its rate at constant currents");
  struct Options {
    std::string model, current = "0..1000pA", time = "1s", dt = "0.1ms";
    std::vector<std::string> set, out;
    brain::FiOptions fi;
    bool json = false;
  };
  auto o = std::make_shared<Options>();
  sub->add_option("MODEL", o->model, "A neuron model")->required();
  sub->add_option("--set", o->set, "A parameter of the model; may be given again")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  sub->add_option("--current", o->current, "From the first to the last current")->type_name("FROM..TO")->capture_default_str();
  sub->add_option("--steps", o->fi.steps, "How many currents")->capture_default_str();
  sub->add_option("--time", o->time, "How long each of them flows")->type_name("TIME")->capture_default_str();
  sub->add_option("--dt", o->dt, "The step")->type_name("TIME")->capture_default_str();
  sub->add_option("--out", o->out, "X.csv: the figures, X.svg: the curve; may be given again")
      ->type_name("FILE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  sub->add_flag("--json", o->json, "Print one JSON document");
  sub->callback([=] {
    const auto range = brain::quantity_range(o->current, "pA", "--current");
    o->fi.low = range.first, o->fi.high = range.second;
    o->fi.time = quantity(o->time, "ms", "--time"), o->fi.dt = quantity(o->dt, "ms", "--dt");
    for (const std::filesystem::path file : o->out)
      if (file.extension() != ".csv" && file.extension() != ".svg") throw usage_error("--out writes .csv and .svg", file.string());
    const auto curve = brain::fi_curve(o->model, brain::parse_parameters(o->model, o->set), o->fi);
    for (const std::filesystem::path file : o->out)
      write_file(file, file.extension() == ".csv" ? brain::fi_csv(curve) : brain::fi_svg(curve, o->model));
    if (!o->json) return show(curve);
    Json j = {{"model", o->model}, {"points", Json::array()}};
    for (const auto& p : curve)
      j["points"].push_back({{"current_pa", p.current},
                             {"rate_hz", p.rate},
                             {"first_rate_hz", p.first_rate},
                             {"last_rate_hz", p.last_rate},
                             {"latency_ms", or_null(p.latency)}});
    print(j);
  });
}

}  // namespace

void add_brain(CLI::App& app) {
  auto* brain = app.add_subcommand("brain", "The models that circuits are made of, and how fast they fire");
  brain->require_subcommand(1);
  brain->footer(examples);
  add_models(*brain);
  add_model(*brain);
  add_fi(*brain);
}

}  // namespace apical::cli
