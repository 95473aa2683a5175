// How executed synapses are compared with those that were counted.
#include <gtest/gtest.h>

#include "recipes/mcc-two-point-cells/study.h"

namespace apical::mcc {
namespace {

using torch::Tensor;

// Two samples of three cells; a weight of the last one is 0.
struct Example {
  nn::MccTrace trace;
  std::map<std::string, Tensor> seen;
  std::map<std::string, double> executed{{"a", 4 + 4 + 1}};  // sources 1 and 0 send to two cells, twice; the last to one, once
};
Example example() {
  Example e;
  const Tensor source = torch::tensor({{2.f, 1.f, 0.f}, {3.f, 4.f, 5.f}}), weight = torch::tensor({{1.f, 1.f, 0.f}, {1.f, 1.f, 2.f}});
  e.trace.sent = {{"a", nn::Field::receptive, true, source, weight}};
  e.seen["a"] = source.clone();
  return e;
}

TEST(Miscounted, NothingWhereAllAgree) {
  const auto e = example();
  const auto m = miscounted(e.trace, e.seen, e.executed);
  EXPECT_EQ(m.synapses, 0);
  EXPECT_EQ(m.counted, 9);
  EXPECT_EQ(m.apart, 0);
}

TEST(Miscounted, ACellWithinRoundingOfZeroIsCountedAsItRan) {
  auto e = example();
  e.seen["a"][0][2] = 1e-6;  // silent in training
  e.executed["a"] += 1;
  const auto m = miscounted(e.trace, e.seen, e.executed);
  EXPECT_EQ(m.synapses, 0);
  EXPECT_EQ(m.counted, 10);
  EXPECT_EQ(m.apart, 1);
  e.executed["a"] -= 1;  // what it sends was not executed
  EXPECT_EQ(miscounted(e.trace, e.seen, e.executed).synapses, 1);
}

TEST(Miscounted, EveryOtherDifferenceIsOne) {
  auto e = example();
  e.seen["a"][1][0] = 3.1f;  // not what the cell sent in training
  EXPECT_EQ(miscounted(e.trace, e.seen, e.executed).synapses, 1);
  e = example();
  e.executed["b"] = 7;  // a product that nobody counted
  EXPECT_EQ(miscounted(e.trace, e.seen, e.executed).synapses, 7);
  e = example();
  e.executed.clear();  // one that was not executed
  EXPECT_EQ(miscounted(e.trace, e.seen, e.executed).synapses, 9);
  e = example();
  e.seen.clear();  // one that nobody looked at
  EXPECT_GE(miscounted(e.trace, e.seen, e.executed).synapses, 6);
}

}  // namespace
}  // namespace apical::mcc
