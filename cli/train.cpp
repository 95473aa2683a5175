// `apical train`: a network of one's own, described in a TOML file, on data of one's own.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/recipe/driver.h"
#include "apical/training/described.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

struct TrainArguments {
  std::string file;
  recipe::RunOptions options;
  bool json = false;
};

void train(TrainArguments& a) {
  a.options.verb = "train " + a.file;
  const auto outcome = recipe::run_recipe(training::describe(a.file), training::train_described, a.options);
  if (!outcome.result_file.empty()) {
    if (a.json) std::printf("%s\n", recipe::to_json(outcome.result).dump(2).c_str());
    else
      std::printf("test accuracy %.2f %%\nmodel   %s\nreport  %s\nresult  %s\n", 100 * outcome.result.get("test_accuracy").value_or(0),
                  (outcome.out / "model.safetensors").c_str(), outcome.report.c_str(), outcome.result_file.c_str());
  }
  if (outcome.code) throw Exit{outcome.code};
}

}  // namespace

void add_train(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  auto* sub = app.add_subcommand("train", "Train a network described in a TOML file on your own data");
  sub->add_option("FILE", a->file, "The description: [net], [train], [encoder], [data]; see examples/")->required();
  auto* data = sub->add_option("--data", a->options.data, "Folder with one folder a class, IDX or NPZ, recordings, or the name of a known set")->type_name("PATH");
  sub->add_option("--out", a->options.out, "Folder of the run (default: runs/<file>-desk-<date and time>)")->type_name("DIR");
  sub->add_option("--seed", a->options.seeds, "Seed of weights, order and augmentation (default 1)")->type_name("N")->expected(1)->check(CLI::NonNegativeNumber);
  sub->add_option("--set", a->options.set, "Change a setting of the file; may be given again")->type_name("KEY=VALUE")->expected(1)->allow_extra_args(false)->take_all();
  auto* resume = sub->add_option("--resume", a->options.resume, "Go on with an interrupted run")->type_name("DIR");
  sub->add_flag("--json", a->json, "Print result.json");
  sub->footer(
      "Examples:\n  apical train examples/images.toml --data photos/\n  apical train net.toml --data mnist --set train.epochs=2\n"
      "  apical train net.toml --resume runs/mine\n  apical infer runs/mine/model.safetensors photo.png");
  sub->callback([a, data, resume] {
    if (data->empty() && resume->empty()) throw CLI::RequiredError("--data");
    train(*a);
  });
}

}  // namespace apical::cli
