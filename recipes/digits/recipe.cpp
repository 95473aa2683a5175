// Digits from images and from events: train, export, run without torch, compare, count, report.
#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/data/saccade.h"
#include "apical/recipe/recipe.h"
#include "apical/report/statistics.h"
#include "apical/training/finish.h"
#include "apical/training/setup.h"

namespace {

using namespace apical;
using data::Set;
using recipe::RunContext;

// One network on one kind of input: what it learnt, and its history.
struct Trained {
  nn::Network network{nullptr};
  std::vector<training::Epoch> history;
  std::uint64_t log_size = 0;
};

Trained train(RunContext& c, const training::Loader& loader, const char* settings, const std::string& name, std::uint64_t log_start) {
  const Set& set = loader.set();
  const auto spec = nn::parse_network(c.config.table("net"), {set.channels, set.height, set.width});
  Trained t{nn::Network(spec, c.seed), {}, 0};
  training::Trainer trainer(t.network, loader, nullptr, training::parse_training(c.config.table(settings), c.seed), c.file(name + ".checkpoint"),
                            &c.metrics, name, log_start);
  trainer.run(c.resume);
  t.history = trainer.history();
  t.log_size = trainer.log_size();
  return t;
}

double median_epoch(const std::vector<training::Epoch>& history) {
  std::vector<double> seconds;
  for (const auto& e : history) seconds.push_back(e.seconds);
  return report::median(seconds);
}

// The network that learnt simulated recordings, on real ones it has never met.
void real_recordings(RunContext& c, Trained& t, const training::Finished& f, const training::Loader& simulated) {
  if (!data::find("n-mnist", c.source)) {
    c.html.paragraph("Real N-MNIST recordings are not at hand: nothing to classify beyond the simulated ones.");
    return;
  }
  data::Source real = c.source;
  real.allow_twin = false;
  report::Table table{{"recordings", "right", "of", "accuracy", "95 % interval", "runtime differs"}, {}};
  double right = 0, all = 0, differ = 0;
  const auto add_row = [&](const std::string& what, double r, double n, double d) {
    const auto [lo, hi] = report::wilson(r, n);
    table.rows.push_back({what, number(r), number(n), number(100 * r / n) + " %", number(100 * lo, 3) + " to " + number(100 * hi, 3) + " %", number(d)});
  };
  for (const std::string split : {"train", "test"}) {
    const Set set = data::load("n-mnist", split, real);
    if (split == "train" && !set.subset) continue;  // the whole set: its training part shows digits that were learnt
    c.result.use(set);
    const training::Loader loader(set, simulated.encoder(), simulated.preprocess(), simulated.T());
    const auto e = training::evaluate(t.network, loader);
    const auto parity = training::check_parity(t.network, f.graph, loader, e);
    const double n = static_cast<double>(set.size()), r = std::round(e.accuracy() * n), d = static_cast<double>(parity.disagreements.size());
    const auto [lo, hi] = report::wilson(r, n);
    c.result.set("nmnist_" + split + "_accuracy", r / n, lo, hi);
    add_row(split == "train" ? "of digits of the training part" : "of digits of the test part", r, n, d);
    right += r, all += n, differ += d;
  }
  const auto [lo, hi] = report::wilson(right, all);
  c.result.set("nmnist_accuracy", right / all, lo, hi);
  c.result.set("nmnist_samples", all);
  c.result.set("nmnist_runtime_disagreements", differ);
  if (table.rows.size() > 1) add_row("all", right, all, differ);
  c.html.section("Events: real recordings");
  c.html.paragraph("Recordings of a real event camera (N-MNIST), classified by the network that has only seen simulated ones.");
  c.html.table(table, "Digits of the training part may have been met as images by the camera's simulation; those of the test part were not.");
  c.html.card("Real N-MNIST recordings", number(100 * right / all) + " %",
              number(right) + " of " + number(all) + "; 95 % interval " + number(100 * lo, 3) + " to " + number(100 * hi, 3) + " %");
  log_info("n-mnist: " + number(right) + " of " + number(all) + " real recordings right");
}

}  // namespace

void run_digits(RunContext& c) {
  const std::string arms = c.config.text("arms");
  if (arms != "images" && arms != "all") throw usage_error("there is no arm '" + arms + "'", "arms", "Known: images, all.");
  const bool events = arms == "all";
  const std::int64_t T = c.config.integer("net.T");
  const auto count = [&](const char* key) {  // 0: all
    const auto n = static_cast<std::size_t>(std::max<std::int64_t>(0, c.config.integer(key)));
    return n ? n : ~std::size_t{0};
  };
  training::prepare_torch(c.threads);

  data::Source source = c.source;
  source.synthetic_train = std::min(source.synthetic_train, std::max(count("images.train"), count("events.train")));
  source.synthetic_test = std::min(source.synthetic_test, std::max(count("images.test"), count("events.test")));
  const Set whole = data::load("mnist", "train", source);
  c.result.use(whole);
  const data::Preprocess normal{{0.1307f}, {0.3081f}};  // mean and deviation of MNIST's training pixels
  const data::Encoder direct;
  const data::Encoder binned{"event_frames", 0, {{"clip", c.config.real("events.clip")}}};

  // Everything learns before the test split is opened.
  const Set train_images = data::slice(whole, 0, count("images.train"));
  Trained of_images = train(c, training::Loader(train_images, direct, normal, T), "train", "images", 0);
  Trained of_events;
  if (events) {
    const Set seen = data::slice(whole, 0, count("events.train"));
    log_info("simulating an event camera on " + std::to_string(seen.size()) + " images");
    const Set train_events = data::simulate_saccades(seen, {}, c.seed);
    of_events = train(c, training::Loader(train_events, binned, {}, T), "events_train", "events", of_images.log_size);
  }
  data::TestGuard guard;
  guard.finish_choices();
  const Set test = guard.open("mnist", source);
  c.result.use(test);
  c.check_stop();

  const Set test_images = data::slice(test, 0, count("images.test"));
  const training::Loader images(test_images, direct, normal, T);
  auto f = training::finish(of_images.network, images, "digits", c.file("model.safetensors"));
  training::put_metrics(c.result, f);
  c.result.set("seconds_per_epoch", median_epoch(of_images.history));
  c.html.summary("A network of spiking neurons learnt " + std::to_string(train_images.size()) + " images of digits, was exported, and ran event by event without torch. " +
                 std::to_string(f.parity.samples - f.parity.disagreements.size()) + " of " + std::to_string(f.parity.samples) + " predictions are the same.");
  training::put_cards(c.html, f, images, test.synthetic ? std::optional<bool>() : f.evaluation.accuracy() >= 0.99);
  c.html.card("Epoch", duration_text(median_epoch(of_images.history)), std::to_string(train_images.size()) + " images, " + std::to_string(c.threads) + " threads");
  training::put_report(c.html, f, of_images.network, images, of_images.history, events ? "Images" : "");
  if (!events) return;

  c.check_stop();
  const Set test_events = data::simulate_saccades(data::slice(test, 0, count("events.test")), {}, c.seed + 1);
  c.result.use(test_events);
  const training::Loader recordings(test_events, binned, {}, T);
  f = training::finish(of_events.network, recordings, "digits of events", c.file("events.safetensors"));
  training::put_metrics(c.result, f, "events_");
  c.html.card("Simulated recordings", number(100 * f.evaluation.accuracy()) + " %", std::to_string(test_events.size()) + " recordings of test digits");
  training::put_report(c.html, f, of_events.network, recordings, of_events.history, "Events");
  real_recordings(c, of_events, f, recordings);
}
