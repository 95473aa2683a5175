// Differentiable brain simulator: replace this line by what the recipe shows.
#include <algorithm>
#include <vector>

#include "apical/base/philox.h"
#include "apical/base/progress.h"
#include "apical/base/text.h"
#include "apical/recipe/recipe.h"
#include "apical/report/statistics.h"
#include "apical/report/svg.h"

namespace {

using apical::data::Set;
using apical::recipe::RunContext;

/// Mean picture of each class, pixels 0..1: [classes][pixels].
using Means = std::vector<std::vector<double>>;

Means class_means(const Set& set, const std::vector<std::uint32_t>& order, std::size_t samples, double smoothing) {
  Means means(set.classes.size(), std::vector<double>(set.pixel_count(), 0.0));
  std::vector<double> count(set.classes.size(), smoothing);
  for (std::size_t k = 0; k < samples; ++k) {
    const std::size_t i = order[k], label = static_cast<std::size_t>(set.labels[i]);
    for (std::size_t p = 0; p < set.pixel_count(); ++p) means[label][p] += set.pixels[i * set.pixel_count() + p] / 255.0;
    count[label] += 1;
  }
  for (std::size_t c = 0; c < means.size(); ++c)
    for (double& v : means[c]) v /= count[c];
  return means;
}

std::size_t classify(const Means& means, const std::uint8_t* pixels) {
  std::vector<double> distance(means.size(), 0.0);
  for (std::size_t c = 0; c < means.size(); ++c)
    for (std::size_t p = 0; p < means[c].size(); ++p) {
      const double d = pixels[p] / 255.0 - means[c][p];
      distance[c] += d * d;
    }
  return static_cast<std::size_t>(std::min_element(distance.begin(), distance.end()) - distance.begin());
}

}  // namespace

void run_differentiable_brain_simulator(RunContext& context) {
  const auto& config = context.config;
  apical::data::Source source = context.source;
  source.synthetic_train = std::min<std::size_t>(source.synthetic_train, static_cast<std::size_t>(config.integer("train.samples")));
  source.synthetic_test = std::min<std::size_t>(source.synthetic_test, static_cast<std::size_t>(config.integer("test.samples")));
  const Set train = apical::data::load("mnist", "train", source);
  context.result.use(train);

  // All choices are made on the training split; then the test split is opened, once.
  const std::size_t samples = std::min<std::size_t>(static_cast<std::size_t>(config.integer("train.samples")), train.size());
  std::vector<Means> models;
  for (const auto seed : context.seeds) {
    const auto order =
        apical::permutation(static_cast<std::uint32_t>(train.size()), apical::Random(static_cast<std::uint64_t>(seed), "order"));
    models.push_back(class_means(train, order, samples, config.real("train.smoothing")));
    context.check_stop();
  }
  apical::data::TestGuard guard;
  guard.finish_choices();
  const Set test = guard.open("mnist", source);
  context.result.use(test);
  const std::size_t tested = std::min<std::size_t>(static_cast<std::size_t>(config.integer("test.samples")), test.size());

  std::vector<std::vector<std::uint64_t>> confusion(test.classes.size(), std::vector<std::uint64_t>(test.classes.size(), 0));
  apical::Progress progress("testing", models.size() * tested, "images");
  for (std::size_t m = 0; m < models.size(); ++m) {
    std::size_t right = 0;
    for (std::size_t i = 0; i < tested; ++i) {
      const std::size_t said = classify(models[m], test.pixels.data() + i * test.pixel_count());
      const auto label = static_cast<std::size_t>(test.labels[i]);
      right += said == label;
      confusion[label][said] += 1;
      progress.advance();
      if (i % 256 == 0) context.check_stop();
    }
    const double accuracy = static_cast<double>(right) / static_cast<double>(tested);
    context.result.set_seed("test_accuracy", context.seeds[m], accuracy);
    context.metrics.append("test", {{"seed", static_cast<double>(context.seeds[m])}, {"accuracy", accuracy}});
  }
  progress.finish();

  const double accuracy = context.result.get("test_accuracy").value_or(0);
  context.html.summary("Say here what was done and what came out, in two sentences.");
  context.html.card("Test accuracy", apical::number(100 * accuracy) + " %", "mean over " + std::to_string(context.seeds.size()) + " seeds");
  context.html.section("What it says");
  context.html.figure(apical::report::confusion_matrix(confusion, test.classes), "All seeds together.");
}
