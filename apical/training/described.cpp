#include "apical/training/described.h"

#include <algorithm>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/data/folder.h"
#include "apical/data/registry.h"
#include "apical/training/finish.h"
#include "apical/training/setup.h"

namespace apical::training {
namespace {

data::Encoder parse_encoder(const Config& table, data::Kind kind, std::uint64_t seed) {
  data::Encoder e;
  e.kind = table.has("kind") ? table.text("kind") : kind == data::Kind::image ? "direct" : kind == data::Kind::events ? "event_frames" : "delta";
  e.seed = seed;
  for (const auto& key : table.top())
    if (key != "kind") e.parameters[key] = table.real(key);
  data::validate(e);
  return e;
}

data::Preprocess parse_preprocess(const Config& table) {
  table.allow_only({"mean", "std"});
  data::Preprocess p;
  for (const char* key : {"mean", "std"})
    if (table.has(key))
      for (const double v : table.reals(key)) (std::string(key) == "mean" ? p.mean : p.std).push_back(static_cast<float>(v));
  if (p.mean.size() != p.std.size()) throw usage_error("mean and std need the same number of channels", table.where());
  if (std::any_of(p.std.begin(), p.std.end(), [](float v) { return !(v > 0); })) throw usage_error("std must be > 0", table.where());
  return p;
}

struct DataSettings {
  data::FolderOptions folder;
  double held_out = 0.2;
};
DataSettings parse_data(const Config& table) {
  table.allow_only({"height", "width", "channels", "fit", "held_out"});
  DataSettings d;
  if (table.has("height") != table.has("width")) throw usage_error("height and width go together", table.where());
  if (table.has("height")) {
    data::FitOptions fit;
    fit.height = static_cast<int>(table.integer("height"));
    fit.width = static_cast<int>(table.integer("width"));
    fit.channels = table.has("channels") ? static_cast<int>(table.integer("channels")) : 1;
    const std::string how = table.has("fit") ? table.text("fit") : "stretch";
    if (how != "stretch" && how != "keep" && how != "digit")
      throw usage_error("there is no fit '" + how + "'", table.where(), did_you_mean(how, {"stretch", "keep", "digit"}));
    fit.fit = how == "stretch" ? data::Fit::stretch : how == "keep" ? data::Fit::keep : data::Fit::digit;
    if (fit.height < 1 || fit.width < 1 || (fit.channels != 1 && fit.channels != 3))
      throw usage_error("pictures need height and width >= 1 and 1 or 3 channels", table.where());
    d.folder.fit = fit;
  }
  if (table.has("held_out")) d.held_out = table.real("held_out");
  if (!(d.held_out > 0 && d.held_out < 1)) throw usage_error("the share held out must lie between 0 and 1", table.where() + ", held_out");
  return d;
}

// The training part and a function that opens the test part when learning is over.
struct Parts {
  data::Set train;
  std::function<data::Set()> test;
};
Parts open(const recipe::RunContext& c, const DataSettings& settings) {
  const std::string what = c.source.data;
  if (const std::string name = std::filesystem::path(what).filename().string(); data::is_known(name) && !std::filesystem::exists(what)) {
    data::Source source = c.source;
    source.data.clear();
    return {data::load(name, "train", source), [name, source] {
              data::TestGuard guard;
              guard.finish_choices();
              return guard.open(name, source);
            }};
  }
  Parts p{data::load_path(what, "train", settings.folder), {}};
  if (std::find(p.train.labels.begin(), p.train.labels.end(), -1) != p.train.labels.end())
    throw data_error("these data have no labels", what, "Put the samples into one folder a class: DIR/<class>/*.png");
  if (data::has_test(what)) {
    auto options = settings.folder;
    options.classes = p.train.classes;
    p.test = [what, options] { return data::load_path(what, "test", options); };
  } else {
    auto [train, held] = data::split_validation(p.train, settings.held_out);
    held.split = "test";
    p.train = std::move(train);
    p.test = [held = std::move(held)] { return held; };
  }
  return p;
}

}  // namespace

void check_description(const Config& d) {
  d.allow_only({"name", "data", "encoder", "preprocess", "net", "train"});
  parse_data(d.table("data"));
  parse_preprocess(d.table("preprocess"));
  learning::check_rule(parse_training(d.table("train"), 1).rule, nn::parse_network(d.table("net"), {1, 1, 1}).T);
}

recipe::RecipeInfo describe(const std::filesystem::path& path) {
  const Config description = Config::load(path);
  check_description(description);
  std::string title = description.has("name") ? description.text("name") : path.stem().string();
  std::replace_if(title.begin(), title.end(), [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' '; }, ' ');
  const std::string about = "\n[recipe]\ntitle = \"" + title + "\"\npaper = \"\"\nfamily = \"own\"\ndata = []\nscales = [\"smoke\", \"desk\"]\n";
  return recipe::make_info(path.stem().string(), read_text(path, std::size_t{1} << 20) + about, "seeds = [1]\n");
}

void train_described(recipe::RunContext& c) {
  prepare_torch(c.threads);
  const auto parts = open(c, parse_data(c.config.table("data")));
  const data::Set& train = parts.train;
  if (train.size() == 0) throw data_error("there is nothing to train on", c.source.data);
  c.result.use(train);
  const auto encoder = parse_encoder(c.config.table("encoder"), train.kind, c.seed);
  const auto preprocess = parse_preprocess(c.config.table("preprocess"));
  const auto frame = data::frame_shape(encoder, train);
  const auto spec = nn::parse_network(c.config.table("net"), {frame.channels, frame.height, frame.width});
  nn::Network network(spec, c.seed);
  const std::int64_t outputs = network->outputs();
  if (outputs != static_cast<std::int64_t>(train.classes.size()))
    throw usage_error("the network has " + std::to_string(outputs) + " outputs, the data have " + std::to_string(train.classes.size()) + " classes", "net.layer",
                      "Give the last dense layer units = " + std::to_string(train.classes.size()) + ".");
  const Loader loader(train, encoder, preprocess, spec.T);
  Trainer trainer(network, loader, nullptr, parse_training(c.config.table("train"), c.seed), c.file("network.checkpoint"), &c.metrics, c.info.slug);
  trainer.run(c.resume);

  const data::Set test = parts.test();
  c.result.use(test);
  const Loader held(test, encoder, preprocess, spec.T);
  const auto f = finish(network, held, c.info.slug, c.file("model.safetensors"));
  put_metrics(c.result, f);
  c.html.summary("Trained on " + std::to_string(train.size()) + " samples, tested on " + std::to_string(test.size()) + ", exported, and run without torch.");
  put_cards(c.html, f, held);
  put_report(c.html, f, network, held, trainer.history());
}

}  // namespace apical::training
