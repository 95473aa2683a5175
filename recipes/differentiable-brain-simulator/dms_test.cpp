#include "recipes/differentiable-brain-simulator/dms.h"

#include <gtest/gtest.h>

#include <numeric>

#include "apical/base/error.h"

namespace apical::dms {
namespace {

double mean(const std::vector<double>& v, std::size_t from, std::size_t to) {
  return std::accumulate(v.begin() + static_cast<std::ptrdiff_t>(from), v.begin() + static_cast<std::ptrdiff_t>(to), 0.0) /
         static_cast<double>(to - from);
}

TEST(Dms, WhatHasLearntIsSimulatedAsItIs) {
  Options o;
  o.delay_min = 50, o.delay_max = 100, o.steps = 60, o.batch = 32, o.rates = {8}, o.test = 128, o.simulated = 24;
  std::int64_t reports = 0;
  const auto outcome = study(o, {1}, [&](const std::string&, std::int64_t, std::int64_t, double, double) { ++reports; });
  ASSERT_EQ(outcome.runs.size(), 2u);
  EXPECT_EQ(reports, 2 * o.steps);
  const dms::Run &gif = outcome.runs[0], &lif = outcome.runs[1];
  EXPECT_EQ(gif.model, "gif");
  EXPECT_EQ(lif.model, "lif");
  EXPECT_LT(mean(gif.loss, 50, 60), mean(gif.loss, 0, 10) - 0.05) << "it learns";
  EXPECT_GT(gif.test_accuracy, 0.6);
  for (const dms::Run& run : outcome.runs) {
    EXPECT_GT(run.mean_rate, 0.5) << run.model;
    EXPECT_GE(run.equal_spikes, 0.999) << run.model;
    EXPECT_GE(run.equal_decisions, 0.95) << run.model;
  }
  EXPECT_GT(outcome.raster.size(), 50u);
  EXPECT_LT(outcome.raster.step.back(), outcome.raster_end);
}

TEST(Dms, RefusesWhatIsNoTask) {
  Options o;
  o.delay_max = 100;  // below delay_min
  EXPECT_THROW(study(o, {1}), Error);
  EXPECT_THROW(study({}, {}), Error);
}

}  // namespace
}  // namespace apical::dms
