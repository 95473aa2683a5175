#include "apical/learning/damage.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"

namespace apical::learning {
namespace {

TEST(Damage, KillsTheSameCellsEveryTimeAndMoreOfThemAtLargerFractions) {
  const auto some = survivors(128, 0.3, 5, "layer"), more = survivors(128, 0.7, 5, "layer");
  EXPECT_EQ(some.sum().item<float>(), 128 - 38);
  EXPECT_EQ(more.sum().item<float>(), 128 - 90);
  EXPECT_TRUE(some.equal(survivors(128, 0.3, 5, "layer")));
  EXPECT_TRUE((more <= some).all().item<bool>()) << "who is dead stays dead";
  EXPECT_FALSE(some.equal(survivors(128, 0.3, 6, "layer")));
  EXPECT_FALSE(some.equal(survivors(128, 0.3, 5, "another")));
  EXPECT_EQ(survivors(7, 0, 1, "a").sum().item<float>(), 7);
  EXPECT_EQ(survivors(7, 1, 1, "a").sum().item<float>(), 0);
}

TEST(Damage, CutsSynapsesOfEveryLayerAndNoBias) {
  torch::nn::Sequential net(torch::nn::Linear(40, 50), torch::nn::Linear(50, 10));
  torch::NoGradGuard no_grad;
  for (auto& p : net->parameters()) p.fill_(1);
  cut_synapses(*net, 0.25, 3);
  for (const auto& p : net->named_parameters())
    EXPECT_EQ(p.value().sum().item<double>(), p.value().dim() == 2 ? 0.75 * static_cast<double>(p.value().numel()) : static_cast<double>(p.value().numel())) << p.key();
}

TEST(Damage, FractionsOutsideOfRangeAreRefused) {
  for (const double f : {-0.1, 1.5, std::nan("")}) EXPECT_THROW(survivors(8, f, 1, "a"), Error);
}

}  // namespace
}  // namespace apical::learning
