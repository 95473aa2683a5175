// apical simulate: a circuit described in a file.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/brain/ranks.h"
#include "apical/brain/recordings.h"
#include "apical/brain/run.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

constexpr const char* examples = R"(Examples:
  apical simulate examples/brunel.toml --time 1s --report --out runs/brunel
  apical simulate examples/cuba.toml --seed 7 --format csv --out runs/cuba
  apical simulate examples/brunel.toml --set device.drive.rate="18 kHz" --set population.e.n=4000 --json
  apical simulate examples/brunel.toml --time 10s --out runs/long         # Ctrl-C keeps runs/long/checkpoint
  apical simulate examples/brunel.toml --time 10s --resume runs/long/checkpoint
  apical simulate examples/brunel.toml --time 100s --checkpoint-every 60s --out runs/night    # survives kill -9 and power cuts
  mpirun -n 4 apical simulate examples/brunel.toml --out runs/brunel      # in a build with -DAPICAL_MPI=ON; the same spikes

The file: docs/reference/circuits.md. Models and devices: apical brain models.)";

}  // namespace

void add_simulate(CLI::App& app) {
  auto* sub = app.add_subcommand("simulate", "Simulate a circuit of point neurons described in a TOML or JSON file");
  sub->footer(examples);
  auto o = std::make_shared<brain::RunOptions>();
  auto set = std::make_shared<std::vector<std::string>>();
  auto json = std::make_shared<bool>(false);
  const auto setting = [&](const char* name, const char* key, const char* text) {  // an option that is a key of the file
    return sub->add_option_function<std::string>(
        name, [o, key](const std::string& value) { o->set.push_back(std::string(key) + "=" + value); }, text);
  };
  sub->add_option("MODEL", o->model, "The description, .toml or .json")->required();
  setting("--time", "simulation.time", "How long, from 0 on: 1s, 500ms, or a number of ms")->type_name("TIME");
  setting("--dt", "simulation.dt", "The step (default 0.1ms)")->type_name("TIME");
  setting("--seed", "simulation.seed", "Of all that is drawn (default 1)")->type_name("N");
  setting("--precision", "simulation.precision", "Of weights and what arrives (default single)")
      ->check(CLI::IsMember({"single", "double"}));
  sub->add_option("--set", *set, "Another value of a key of the file: population.e.n=100; may be given again")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  sub->add_option("--out", o->out, "Folder for recordings, result.json, report.html, checkpoint (default: a new one below runs/)")
      ->type_name("DIR");
  sub->add_option("--format", o->format, "Of recordings")->check(CLI::IsMember(brain::recording_formats()))->capture_default_str();
  sub->add_flag("--report", o->report, "Write report.html: raster, rates, CV of intervals, correlations, recorded variables and weights");
  sub->add_option("--resume", o->resume, "Go on from a checkpoint of the same circuit, bit for bit")->type_name("DIR/checkpoint");
  sub->add_flag("--checkpoint", o->checkpoint, "Keep a checkpoint at the end too, to go on with a longer --time");
  sub->add_option("--checkpoint-every", o->checkpoint_every, "Keep a checkpoint again and again, after so much wall time: 60s")
      ->type_name("TIME");
  sub->add_flag("--json", *json, "Print result.json");
  sub->callback([=] {
    install_stop_handler();
    o->set.insert(o->set.begin(), set->begin(), set->end());  // --seed wins over --set simulation.seed
    const brain::Run run = brain::run(*o);
    if (brain::Ranks::world().rank() != 0) return;
    const std::string text = *json ? to_json(run.circuit, run.outcome, run.files) + "\n"
                                   : to_text(run.circuit, run.outcome) + "written to " + run.out.string() + "\n";
    std::fputs(text.c_str(), stdout);
  });
}

}  // namespace apical::cli
