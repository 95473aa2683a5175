#include "apical/runtime/tune.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/graph/quantise.h"
#include "apical/runtime/testing_nets.h"

namespace apical::runtime {
namespace {

std::map<std::string, bool> events(const graph::Graph& g, Plan plan = Plan::automatic) {
  std::map<std::string, bool> event;
  const Session session(g, {.plan = plan, .count = true});
  for (const auto& layer : session.layer_counts())
    if (layer.op == "conv2d" || layer.op == "linear") event[layer.layer] = layer.event;
  return event;
}

TEST(Tune, AGraphsPlansAreFollowed) {
  graph::Graph g = testing::small_net();
  g.densities = {{"c1", 0.9}, {"c2", 0.1}, {"fc", 0.1}};
  EXPECT_EQ(events(g), (std::map<std::string, bool>{{"c1", false}, {"c2", true}, {"fc", true}}));
  g.plans = {{"c1", Plan::event}, {"c2", Plan::dense}};
  EXPECT_EQ(events(g), (std::map<std::string, bool>{{"c1", true}, {"c2", false}, {"fc", true}}));
  EXPECT_EQ(events(g, Plan::dense), (std::map<std::string, bool>{{"c1", false}, {"c2", false}, {"fc", false}})) << "who asks, decides";
}

TEST(Tune, TakesTheFasterPlanAndChangesNoResult) {
  graph::Graph g = testing::small_net();
  const graph::Graph before = g;
  std::vector<float> frames;
  for (const int seed : {1, 2, 3}) {
    const auto more = testing::random_frames(g, static_cast<std::uint64_t>(seed), false);
    frames.insert(frames.end(), more.begin(), more.end());
  }
  int rounds = 0;
  const Tuning tuning = tune(g, frames, 2, [&] { ++rounds; });
  EXPECT_EQ(rounds, 2 * 4);
  ASSERT_EQ(tuning.layers.size(), 3u);
  ASSERT_EQ(g.plans.size(), 3u);
  for (const LayerTiming& l : tuning.layers) {
    EXPECT_GT(std::min(l.dense_s, l.event_s), 0);
    EXPECT_EQ(g.plans.at(l.layer) == Plan::event, l.event_s <= l.dense_s) << l.layer;
    EXPECT_EQ(g.densities.at(l.layer), l.density);
  }
  EXPECT_NEAR(g.densities.at("c1"), 0.3, 0.05);  // of the frames
  EXPECT_GT(std::min(tuning.before_s, tuning.after_s), 0);
  const auto one = std::span<const float>(frames).first(frames.size() / 3);
  EXPECT_EQ(Session(g).run(one).scores, Session(before).run(one).scores);
}

TEST(Tune, RefusesWhatItCannotMeasure) {
  graph::Graph g = testing::small_net();
  std::vector<float> frames = testing::random_frames(g, 1, false);
  EXPECT_THROW(tune(g, frames, 0), Error);
  frames.pop_back();
  EXPECT_THROW(tune(g, frames, 1), Error);
  EXPECT_THROW(tune(g, {}, 1), Error);
  frames.push_back(0);
  graph::quantise(g, 8, {1, false});
  EXPECT_THROW(tune(g, frames, 1), Error);
}

}  // namespace
}  // namespace apical::runtime
