#include "apical/recipe/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/files.h"
#include "apical/recipe/testing.h"

namespace apical::recipe {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* recipe_toml = R"(
a = 1
b = 0.5
word = "x"
list = [1.0]
[recipe]
title = "A demo"
paper = ""
family = "test"
data = []
scales = ["smoke", "desk"]
)";
constexpr const char* expected_toml = R"(
seeds = [1, 2, 3]
[[gate]]
id = "small"
statement = "a is small"
metric = "a"
relation = "<="
target = 2
[[gate]]
id = "other"
statement = "where a is 1 there is another figure"
metric = "other"
relation = ">="
target = 0
[[claim]]
id = "sum"
statement = "the sum is small"
paper = "small"
source = "nowhere"
metric = "sum"
relation = "<="
target = 100
)";
RecipeInfo demo() { return make_info("demo", recipe_toml, expected_toml); }

int runs = 0, stop_at = 0;
// The sum of a, b and the seed; stops once before run number stop_at, fails where b is 7.
void adds(RunContext& c) {
  if (++runs == stop_at) throw Interrupted();
  if (c.config.real("b") == 7) throw data_error("no sevens", "somewhere");
  c.result.set("a", c.config.real("a"));
  if (c.config.real("a") == 1) c.result.set("other", 1);
  for (const auto seed : c.seeds) c.result.set_seed("sum", seed, c.config.real("a") + c.config.real("b") + static_cast<double>(seed));
}

class Sweep : public testing::InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    runs = stop_at = 0;
    options.run.out = dir.string();
    options.run.threads = 1;
  }
  std::string error(const SweepOptions& o, ExitCode code) {
    return error_of([&] { sweep(demo(), adds, o); }, code);
  }
  SweepOptions options;
};

TEST(SweepAxes, CommasInBracketsAndQuotesBelongToAValue) {
  const auto axis = parse_axis(R"(list=[0.0,1.0],[2.0],"a,b")");
  EXPECT_EQ(axis.key, "list");
  EXPECT_THAT(axis.values, ElementsAre("[0.0,1.0]", "[2.0]", "\"a,b\""));
  for (const char* wrong : {"a", "=1", "a=", "a=1,,2", "a=1,1", "a=1,"}) EXPECT_THROW(parse_axis(wrong), Error) << wrong;
}

TEST_F(Sweep, RunsTheWholeGrid) {
  options.over = {"a=1,3", "b=0.5,1.5,2.5"};
  options.run.set = {"word=y"};
  options.run.seeds = {1, 2, 3, 4};
  const auto o = sweep(demo(), adds, options);
  EXPECT_EQ(o.code, 0);
  ASSERT_EQ(o.points.size(), 6u);
  EXPECT_THAT(o.points[4].values, ElementsAre("3", "1.5"));
  EXPECT_EQ(o.points[4].result.get("sum"), 3 + 1.5 + 2.5);
  EXPECT_THAT(o.metrics, ElementsAre("sum"));
  const std::string csv = read_text(o.csv);
  EXPECT_THAT(csv, HasSubstr("a,b,metric,seed,value,lo,hi\n"));
  EXPECT_THAT(csv, HasSubstr("3,1.5,sum,4,8.5,,\n"));
  // 2.5 + t(3) * s / 2 around the mean of 1, 2, 3, 4: t = 3.1824463, s = sqrt(5/3)
  EXPECT_THAT(csv, HasSubstr("3,1.5,sum,,7,4.94573974,9.05426026\n"));
  EXPECT_THAT(csv, AllOf(Not(HasSubstr("sum_lo")), Not(HasSubstr("sum_seed"))));
  EXPECT_THAT(read_text(o.report), AllOf(HasSubstr("6 of 6 points"), HasSubstr("--over a=1,3"), HasSubstr("<svg")));
  EXPECT_THAT(read_text(dir / "points" / "5" / "config.toml"), AllOf(HasSubstr("word = 'y'"), HasSubstr("b = 1.5")));
  EXPECT_THAT(sweep_table(o), AllOf(HasSubstr("failed: small; not measured: other"), HasSubstr("hold\n"), HasSubstr("7 [4.95, 9.05]")));  // a gate, where a is 3
}

TEST_F(Sweep, OneThatWasInterruptedGoesOn) {
  options.over = {"a=1,2", "list=[1.0,2.0],[3.0]"};
  options.metrics = {"sum", "a"};
  const auto whole = sweep(demo(), adds, options);
  const std::string csv = read_text(whole.csv);
  EXPECT_THAT(csv, HasSubstr("2,\"[1.0,2.0]\",a,,2,,\n"));
  fs::remove_all(dir);
  runs = 0, stop_at = 3;
  EXPECT_EQ(sweep(demo(), adds, options).code, 130);
  EXPECT_THAT(error(options, ExitCode::usage), HasSubstr("holds a sweep already"));
  SweepOptions again;
  again.run.resume = dir.string();
  EXPECT_EQ(swept_recipe(dir), "demo");
  again.run.set = {"word=z"};
  EXPECT_THAT(error(again, ExitCode::usage), HasSubstr("keeps its settings"));
  again.run.set.clear();
  runs = stop_at = 0;
  const auto o = sweep(demo(), adds, again);
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(runs, 2);  // two of four had a result
  const auto without_times = [](std::string text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at) + 1;
      if (text.substr(at, end - at).find("wall_s") == std::string::npos) out += text.substr(at, end - at);
      at = end;
    }
    return out;
  };
  EXPECT_EQ(without_times(read_text(o.csv)), without_times(csv));
  EXPECT_THAT(o.metrics, ElementsAre("sum", "a"));
}

TEST_F(Sweep, APointThatFailsDoesNotStopTheOthers) {
  options.over = {"b=7,1"};
  const auto o = sweep(demo(), adds, options);
  EXPECT_EQ(o.code, 3);
  EXPECT_FALSE(o.points[0].done);
  EXPECT_THAT(o.points[0].error, HasSubstr("no sevens"));
  EXPECT_TRUE(o.points[1].done);
  EXPECT_THAT(read_text(o.report), AllOf(HasSubstr("1 of 2 points"), HasSubstr("no sevens")));
}

TEST_F(Sweep, RefusesBeforeAnythingRuns) {
  const auto refused = [&](std::vector<std::string> over, const std::string& words) {
    options.over = std::move(over);
    EXPECT_THAT(error(options, ExitCode::usage), HasSubstr(words));
    EXPECT_EQ(runs, 0);
    EXPECT_FALSE(fs::exists(dir));
  };
  refused({"a=1", "wrd=x"}, "Did you mean 'word'");
  refused({"a=1,x"}, "a");
  refused({"a=1", "a=2"}, "two axes");
  std::string many = "=0";
  for (int i = 1; i < 101; ++i) many += "," + std::to_string(i);
  refused({"a" + many, "b" + many}, "more than 10000 points");
  SweepOptions nothing;
  nothing.run.resume = dir.string();
  EXPECT_THAT(error(nothing, ExitCode::data), HasSubstr("no sweep to resume"));
}

}  // namespace
}  // namespace apical::recipe
