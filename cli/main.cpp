// `apical`: starts fast, never loads torch. Verbs that train are handed to apical-train.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstring>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "cli/frame.h"
#include "cli/verbs.h"

namespace {

using namespace apical;
using namespace apical::cli;

constexpr const char* examples = R"(Examples:
  apical run digits                          train a spiking network on digits, export it, run it on spikes, report
  apical recipes                             the papers that can be reproduced
  apical verify sltt --scale desk            judge a paper's claims; exit code 1 when one no longer holds
  apical sweep digits --over net.T=2,4,8      every figure over a setting and seeds: CSV and plots
  apical infer model.safetensors photo.png   classify, event by event, without torch
  apical tune m.safetensors --data mnist     each layer dense or event by event, as is faster on this machine
  apical quantise m.safetensors --data mnist int8 weights, integer membranes, and the accuracy they keep
  apical compile m.safetensors --target c    one C file without dependencies, for a small device
  apical energy model.safetensors mnist      operations and joules beside the dense twin
  apical events info recording.aedat4        what an event camera saw
  apical simulate net.toml --time 1s         a circuit of point neurons: rates, CV, correlations, report
  apical doctor                              is this machine ready, and how fast is it

Exit codes: 0 good, 1 a claim or check failed, 2 wrong usage, 3 data or file, 4 internal, 130 interrupted.)";

struct Elsewhere {
  const char *name, *description;
};
constexpr Elsewhere elsewhere[] = {{"run", "Run a recipe: train, export, run without torch, compare, report"},
                                   {"verify", "Run recipes and judge their gates and the paper's claims"},
                                   {"sweep", "Run a recipe at every point of a grid of settings: one table, one report"},
                                   {"train", "Train a network described in a TOML file on your own data"}};

int start_train(const char* verb, char** argv) {
  const auto path = find_train();
  if (path.empty()) {
    log_error(std::string("this apical was built without training, which '") + verb +
              "' needs. Build it with: cmake --preset release && cmake --build --preset release (needs libtorch-dev; "
              "tools/install_deps.sh installs it)");
    return static_cast<int>(ExitCode::usage);
  }
  set_blas_environment();
  argv[0] = const_cast<char*>(path.c_str());
  ::execv(path.c_str(), argv);
  log_error("cannot start " + path.string() + ": " + std::strerror(errno));
  return static_cast<int>(ExitCode::internal);
}

// Without training, recipes that need none are run here (where apical-train is found, it runs them all).
bool is_here(const char* verb) {
  for (const char* name : {
#define APICAL_ADD(verb) #verb,
#include "apical_verbs.inc"
#undef APICAL_ADD
       })
    if (std::strcmp(verb, name) == 0) return true;
  return false;
}

// The verb, when it is one of apical-train: the first word that is no option and no value of --threads.
const char* training_verb(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") == 0) {
      ++i;
      continue;
    }
    if (argv[i][0] == '-') continue;
    for (const auto& verb : elsewhere)
      if (std::strcmp(argv[i], verb.name) == 0 && (!is_here(verb.name) || !find_train().empty())) return verb.name;
    return nullptr;
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (const char* verb = training_verb(argc, argv)) return start_train(verb, argv);
  CLI::App app("Brain-inspired and neuromorphic AI: train, exchange, run event by event, count the energy, report.", "apical");
  app.footer(examples);
  add_common(app);
  for (const auto& verb : elsewhere)
    if (!is_here(verb.name)) app.add_subcommand(verb.name, verb.description);
#define APICAL_ADD(verb) add_##verb(app);
#include "apical_verbs.inc"
#undef APICAL_ADD
  group_verbs(app);
  return run_program(app, argc, argv);
}
