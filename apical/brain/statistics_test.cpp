#include "apical/brain/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace apical::brain {
namespace {
using testing::ElementsAre;

// Neuron 0: a clock of 10 ms; 1: intervals 10 and 30 ms; 2: silent; 3: two spikes. Steps of 0.1 ms, in order of time as the engine has
// them.
SpikeRecord record() {
  SpikeRecord r{{0, 0, 4}, 0.1, {}, {}};
  for (const auto& [step, neuron] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {100, 0}, {100, 1}, {200, 0}, {200, 1}, {200, 3}, {300, 0}, {400, 0}, {401, 3}, {500, 0}, {500, 1}})
    r.step.push_back(step), r.neuron.push_back(neuron);
  return r;
}

TEST(Statistics, CvOfIntervalsByHand) {
  const std::uint32_t clock[] = {100, 200, 300}, two[] = {100, 200, 500}, few[] = {100, 200};
  EXPECT_EQ(interval_cv(clock), 0);
  EXPECT_DOUBLE_EQ(interval_cv(two), 0.5);  // intervals 100 and 300: mean 200, deviation 100
  EXPECT_TRUE(std::isnan(interval_cv(few)));
}

TEST(Statistics, CorrelationByHand) {
  const double a[] = {0, 1, 2, 1}, b[] = {1, 1, 3, 3}, c[] = {2, 1, 0, 1}, flat[] = {1, 1, 1, 1};
  EXPECT_DOUBLE_EQ(correlation(a, b), 1 / std::sqrt(2.0));  // covariance 2, variances 2 and 4 (times 4)
  EXPECT_DOUBLE_EQ(correlation(a, c), -1);
  EXPECT_TRUE(std::isnan(correlation(a, flat)));
}

TEST(Statistics, ActivityOfARecord) {
  const Activity a = activity(record(), 0, 50, 10);
  EXPECT_EQ(a.neurons, 4u);
  EXPECT_THAT(a.rates, ElementsAre(100, 60, 0, 40));
  EXPECT_EQ(a.rate, 50);
  EXPECT_THAT(a.cvs, ElementsAre(0, 0.5));
  EXPECT_EQ(a.cv, 0.25);
  // A spike at the end of a bin belongs to it: counts 1 1 1 1 1 (no variance), 1 1 0 0 1, silent, 0 1 0 0 1.
  EXPECT_THAT(a.bins, ElementsAre(50, 75, 25, 25, 75));
  ASSERT_EQ(a.correlations.size(), 1u);
  EXPECT_DOUBLE_EQ(a.correlations[0], 2.0 / 3);  // sums of squares 6/5 and 6/5, of products 4/5
  EXPECT_DOUBLE_EQ(a.correlation, 2.0 / 3);
}

TEST(Statistics, OnlyFromStartToStop) {
  const Activity a = activity(record(), 10, 40, 10);  // a spike at 10 ms is before it, one at 40 ms within
  EXPECT_THAT(a.bins, ElementsAre(75, 25, 25));
  EXPECT_NEAR(a.rates[0], 100, 1e-9);
  EXPECT_THAT(a.cvs, ElementsAre(0));
  EXPECT_THAT(spike_trains(record(), 10, 40)[3], ElementsAre(200));
  const Activity none = activity(record(), 60, 50, 10);
  EXPECT_TRUE(none.bins.empty());
  EXPECT_EQ(none.rate, 0);
  EXPECT_TRUE(std::isnan(none.cv));
}

TEST(Statistics, HistogramTakesInWhatLiesOutside) {
  const double values[] = {-1, 0, 0.49, 0.5, 1, 7};
  EXPECT_THAT(histogram(values, 0, 1, 2), ElementsAre(3, 3));
}

}  // namespace
}  // namespace apical::brain
