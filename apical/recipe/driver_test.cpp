#include "apical/recipe/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "apical/base/files.h"
#include "apical/recipe/run_folder.h"
#include "apical/recipe/testing.h"

namespace apical::recipe {
namespace {
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* recipe_toml = R"(
value = 1.0
label = "x y"
list = [1, 2]

[recipe]
title = "A demo"
paper = "Nobody, 2026"
family = "test"
data = []
scales = ["smoke", "desk"]

[train]
steps = 10

[scale.smoke]
value = 0.5
[scale.smoke.train]
steps = 2
)";
constexpr const char* expected_toml = R"(
seeds = [5, 6, 7]
[[gate]]
id = "value"
statement = "the value is small"
metric = "value"
relation = "<="
target = 2
)";

RecipeInfo demo() { return make_info("demo", recipe_toml, expected_toml); }

std::vector<std::int64_t> seen_seeds;
bool seen_resume = false;

void good(RunContext& c) {
  seen_seeds = c.seeds;
  seen_resume = c.resume;
  c.result.set("value", c.config.real("value"));
  c.metrics.append("step", {{"value", c.config.real("value")}});
  c.html.section("Demo");
}
void stops(RunContext& c) {
  write_file(c.file("checkpoint"), "half");
  throw Interrupted();
}
void breaks(RunContext&) { throw data_error("no data", "somewhere"); }
void breaks_late(RunContext& c) {
  write_file(c.file("checkpoint"), "half");
  throw data_error("disk full");
}

class Driver : public testing::InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    fs::create_directories(dir);
    options.scale = "smoke";
    options.out = (dir / "run").string();
    options.threads = 1;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& e : fs::recursive_directory_iterator(dir)) out.push_back(fs::relative(e.path(), dir).string());
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string error(RunFunction run, const RunOptions& o, ExitCode code) {
    return error_of([&] { run_recipe(demo(), run, o); }, code);
  }
  RunOptions options;
};

TEST(Settings, AreLaidOverOneAnother) {
  const RecipeInfo info = demo();
  EXPECT_EQ(settings(info, "desk").real("value"), 1.0);
  EXPECT_EQ(settings(info, "smoke").real("value"), 0.5);
  EXPECT_EQ(settings(info, "smoke").integer("train.steps"), 2);
  const Config c = settings(info, "smoke", {"train.steps=7", "value=3"});
  EXPECT_EQ(c.integer("train.steps"), 7);
  EXPECT_EQ(c.real("value"), 3.0);
  EXPECT_THAT(c.keys(), ElementsAre("label", "list", "train.steps", "value"));
  try {
    settings(info, "smoke", {"train.step=7"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("Did you mean 'train.steps'"));
  }
  EXPECT_THROW(settings(info, "paper"), Error);
  EXPECT_THROW(make_info("demo", std::string(recipe_toml) + "unknown = 1\n", expected_toml), Error);  // in [scale.smoke.train]
}

TEST_F(Driver, WritesWhatItPromises) {
  const RunOutcome o = run_recipe(demo(), good, options);
  EXPECT_EQ(o.code, 0);
  EXPECT_THAT(files(), ElementsAre("run", "run/config.toml", "run/metrics.jsonl", "run/report.html", "run/result.json"));
  const Result r = read_result(o.result_file);
  EXPECT_EQ(r.metrics.at("value"), 0.5);
  EXPECT_EQ(r.seed, 5u);
  EXPECT_THAT(seen_seeds, ElementsAre(5));  // smoke: the first alone
  const std::string html = read_text(o.report);
  EXPECT_THAT(html, HasSubstr("the value is small"));
  EXPECT_THAT(html, HasSubstr("apical run demo --scale smoke --threads 1"));
  EXPECT_THAT(claim_table(r), HasSubstr("gate  value"));
}

TEST_F(Driver, RunsAllSeedsAtDeskAndOneWhenAsked) {
  options.scale = "desk";
  run_recipe(demo(), good, options);
  EXPECT_THAT(seen_seeds, ElementsAre(5, 6, 7));
  options.seeds = {9};
  run_recipe(demo(), good, options);
  EXPECT_THAT(seen_seeds, ElementsAre(9));
  options.seeds = parse_seeds("4,11..13");
  EXPECT_THAT(read_text(run_recipe(demo(), good, options).report), HasSubstr("--seeds 4,11,12,13"));
  EXPECT_THAT(seen_seeds, ElementsAre(4, 11, 12, 13));
  for (const char* wrong : {"", "1,", "x", "3..1", "1,1", "2..4,3", "1..2000", "-1", "1...3", "99999999999999999999"})
    EXPECT_THROW(parse_seeds(wrong), Error) << wrong;
}

TEST_F(Driver, FailedGateIsCodeOneAndStillReported) {
  options.set = {"value=2.5"};
  const RunOutcome o = run_recipe(demo(), good, options);
  EXPECT_EQ(o.code, 1);
  EXPECT_THAT(read_text(o.report), HasSubstr("✗ does not hold"));
}

TEST_F(Driver, ErrorLeavesNothingButCheckpoints) {
  options.out = (dir / "a" / "b").string();
  EXPECT_THAT(error(breaks, options, ExitCode::data), HasSubstr("no data (somewhere)"));
  EXPECT_THAT(files(), IsEmpty());
  error(breaks_late, options, ExitCode::data);
  EXPECT_THAT(files(), ElementsAre("a", "a/b", "a/b/checkpoint", "a/b/config.toml", "a/b/metrics.jsonl"));
}

TEST_F(Driver, StaleResultsDoNotSurviveAFailedRun) {
  run_recipe(demo(), good, options);
  error(breaks, options, ExitCode::data);
  EXPECT_FALSE(fs::exists(dir / "run" / "result.json"));
  EXPECT_FALSE(fs::exists(dir / "run" / "report.html"));
}

TEST_F(Driver, RefusesWhatCannotRun) {
  write_file(dir / "run", "a file");
  error(good, options, ExitCode::data);
  options.out = (dir / "other").string();
  options.device = "cuda";
  EXPECT_THAT(error(good, options, ExitCode::usage), HasSubstr("built without CUDA"));
  options.device = "cpu";
  options.scale = "paper";
  EXPECT_THAT(error(good, options, ExitCode::usage), HasSubstr("smoke, desk"));
  options.scale = "smoke";
  options.set = {"valu=1"};
  EXPECT_THAT(error(good, options, ExitCode::usage), HasSubstr("'value'"));
  EXPECT_THAT(files(), ElementsAre("run"));
}

TEST_F(Driver, InterruptedRunGoesOnWithItsOwnSettings) {
  options.set = {"value=1.5", "label=a \"b\" \\ c", "list=[3, 4]"};
  options.seeds = {8};
  RunOutcome o = run_recipe(demo(), stops, options);
  EXPECT_EQ(o.code, 130);
  EXPECT_TRUE(o.result_file.empty());
  EXPECT_FALSE(fs::exists(dir / "run" / "result.json"));

  RunOptions again;
  again.resume = options.out;
  again.threads = 1;
  again.set = {"value=1.25"};
  EXPECT_THAT(error(good, again, ExitCode::usage), HasSubstr("'value' differs"));
  again.set = {"label=other"};
  EXPECT_THAT(error(good, again, ExitCode::usage), HasSubstr("'label' differs"));
  again.set = {"list=[3, 5]"};
  EXPECT_THAT(error(good, again, ExitCode::usage), HasSubstr("'list' differs"));
  again.set = {"value=1.5"};  // the same: accepted
  again.scale = "desk";
  EXPECT_THAT(error(good, again, ExitCode::usage), HasSubstr("--scale differs"));
  again.scale.clear();
  again.seeds = {1};
  EXPECT_THAT(error(good, again, ExitCode::usage), HasSubstr("--seed differs"));
  again.seeds.clear();
  o = run_recipe(demo(), good, again);
  EXPECT_EQ(o.code, 0);
  EXPECT_TRUE(seen_resume);
  EXPECT_EQ(o.result.metrics.at("value"), 1.5);
  EXPECT_EQ(o.result.seed, 8u);
  EXPECT_EQ(o.result.scale, "smoke");
  const std::string report = read_text(o.report);
  EXPECT_THAT(report, HasSubstr("--seed 8 --threads 1 --set value=1.5 --set &#39;label=a &quot;b&quot; \\ c&#39;"));

  const auto before = fs::last_write_time(o.result_file);
  EXPECT_EQ(run_recipe(demo(), breaks, again).code, 0);  // complete: not run again
  EXPECT_EQ(fs::last_write_time(o.result_file), before);
}

TEST_F(Driver, AnOlderFolderKeepsItsSeed) {
  options.seeds = {8};
  run_recipe(demo(), stops, options);
  std::string text = read_text(dir / "run" / "config.toml");
  const std::string now = "seeds = [8]";
  ASSERT_NE(text.find(now), std::string::npos);
  write_file(dir / "run" / "config.toml", text.replace(text.find(now), now.size(), "seed = 8"));
  RunOptions again;
  again.resume = options.out;
  again.threads = 1;
  run_recipe(demo(), good, again);
  EXPECT_THAT(seen_seeds, ElementsAre(8));
}

TEST_F(Driver, ResumeNeedsARunOfThisRecipe) {
  RunOptions again;
  again.resume = (dir / "nowhere").string();
  EXPECT_THAT(error(good, again, ExitCode::data), HasSubstr("no run to resume"));
  run_recipe(demo(), stops, options);
  again.resume = options.out;
  EXPECT_THROW(run_recipe(make_info("other", recipe_toml, expected_toml), good, again), Error);
  std::string longer = recipe_toml;
  longer.insert(longer.find("value = 1.0"), "extra = 1\n");
  EXPECT_THROW(run_recipe(make_info("demo", longer, expected_toml), good, again), Error);
  write_file(dir / "run" / "config.toml", "nonsense");
  EXPECT_THROW(run_recipe(demo(), good, again), Error);
}

TEST_F(Driver, VerifyGoesOnAfterAnErrorAndRemembersIt) {
  const std::vector<RecipeInfo> infos{make_info("a", recipe_toml, expected_toml), make_info("b", recipe_toml, expected_toml)};
  options.out = dir.string();
  VerifyOutcome v = verify(infos, {{"a", breaks}, {"b", good}}, {}, options);
  EXPECT_EQ(v.code, 3);
  ASSERT_EQ(v.runs.size(), 1u);
  EXPECT_TRUE(fs::exists(dir / "b" / "result.json"));
  v = verify(infos, {{"a", good}, {"b", good}}, {"b"}, options);
  EXPECT_EQ(v.code, 0);
  EXPECT_EQ(v.runs.size(), 1u);
  v = verify(infos, {{"a", stops}, {"b", good}}, {}, options);
  EXPECT_EQ(v.code, 130);
  options.set = {"value=9"};
  EXPECT_EQ(verify(infos, {{"a", good}, {"b", good}}, {}, options).code, 1);
  EXPECT_THROW(verify(infos, {}, {"c"}, options), Error);
}

TEST(ShellWord, IsQuotedWhenItMust) {
  EXPECT_EQ(quoted("a/b=1,2"), "a/b=1,2");
  EXPECT_EQ(quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(quoted(""), "''");
}

}  // namespace
}  // namespace apical::recipe
