#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/recipe/expected.h"
#include "apical/recipe/metrics_log.h"

namespace apical::recipe {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* gate = R"(
[[gate]]
id = "parity"
statement = "they agree"
metric = "disagreements"
relation = "<="
target = 2
)";
constexpr const char* claim = R"(
[[claim]]
id = "better"
statement = "it is better"
paper = 0.3
source = "table 1"
metric = "gain"
relation = ">="
target = 1.0
)";

std::string recorded(const std::string& verdict) {
  return std::string(claim) + "recorded = { verdict = \"" + verdict + "\", measured = 1.5, date = \"2026-01-31\" }\n";
}

Result real_result(const std::string& scale = "desk") {
  Result r;
  r.recipe = "demo";
  r.scale = scale;
  r.data = {{"mnist", std::string(64, 'a'), false, false}};
  return r;
}

Result with_gains(std::initializer_list<double> values) {
  Result r = real_result();
  std::int64_t seed = 0;
  for (double v : values) r.set_seed("gain", ++seed, v);
  return r;
}

Claim judged(const std::string& toml, Result& r, bool strict = false) {
  judge(Expected::parse(toml, "expected.toml"), r, strict);
  return r.claims.at(0);
}

TEST(Gate, HoldsAtTheTargetAndFailsBeyondIt) {
  for (const auto& [value, holds] : {std::pair{2.0, true}, {2.0001, false}, {-5.0, true}}) {
    Result r = real_result("smoke");
    r.set("disagreements", value);
    const Claim c = judged(gate, r);
    EXPECT_EQ(c.holds, holds) << value;
    EXPECT_EQ(c.failure, !holds);
    EXPECT_EQ(exit_code(r), holds ? 0 : 1);
  }
}

TEST(Gate, AbsentOrNotANumberIsAFailure) {
  Result r = real_result();
  EXPECT_EQ(judged(gate, r).verdict, "does not hold: not measured");
  EXPECT_EQ(exit_code(r), 1);
  for (double v : {std::nan(""), -static_cast<double>(INFINITY)}) {
    r.set("disagreements", v);
    EXPECT_TRUE(judged(gate, r).failure);
  }
}

TEST(Gate, IsJudgedOnATwinUnlessItAsksForRealData) {
  Result r = real_result();
  r.data[0].synthetic = true;
  r.set("disagreements", 3);
  EXPECT_TRUE(judged(gate, r).failure);
  EXPECT_EQ(judged(std::string(gate) + "real_data = true\n", r).verdict, "not judged: synthetic data");
  EXPECT_EQ(exit_code(r), 0);
}

TEST(Gate, IsJudgedAtItsScalesOnly) {
  Result r = real_result("smoke");
  EXPECT_EQ(judged(std::string(gate) + "scales = [\"desk\"]\n", r).verdict, "not judged: smoke scale");
  EXPECT_EQ(exit_code(r), 0);
}

TEST(Within, TakesToleranceOrBounds) {
  const std::string head = "[[gate]]\nid = \"a\"\nstatement = \"s\"\nmetric = \"m\"\nrelation = \"within\"\n";
  for (const auto* body : {"target = 1.0\ntolerance = 0.25\n", "lo = 0.75\nhi = 1.25\n"})
    for (const auto& [value, holds] : {std::pair{0.75, true}, {0.74, false}, {1.25, true}, {1.26, false}}) {
      Result r = real_result();
      r.set("m", value);
      EXPECT_EQ(judged(head + body, r).holds, holds) << body << value;
    }
}

TEST(JudgeClaim, HoldsOnTheMeanAndIsMarginalWhenTheIntervalStraddles) {
  Result clear = with_gains({1.50, 1.51, 1.52});
  EXPECT_EQ(judged(claim, clear).verdict, "holds");
  EXPECT_THAT(clear.claims[0].seeds, ElementsAre(1, 2, 3));
  EXPECT_NEAR(*clear.claims[0].measured, 1.51, 1e-12);
  EXPECT_NEAR(clear.claims[0].interval->second - 1.51, 4.302652730 * 0.01 / std::sqrt(3.0), 1e-9);
  EXPECT_EQ(clear.claims[0].paper, "0.3 (table 1)");

  Result wide = with_gains({0.5, 1.2, 1.6});
  EXPECT_EQ(judged(claim, wide).verdict, "marginal");
  EXPECT_EQ(wide.claims[0].holds, true);

  Result below = with_gains({0.5, 0.51, 0.52});
  EXPECT_EQ(judged(claim, below).verdict, "does not hold here");
  EXPECT_EQ(exit_code(below), 0);  // nothing on record says that it holds
}

TEST(JudgeClaim, RecordedAsHoldingThatNoLongerHoldsIsExitCodeOne) {
  Result below = with_gains({0.5, 0.51, 0.52});
  EXPECT_TRUE(judged(recorded("holds"), below).failure);
  EXPECT_EQ(exit_code(below), 1);
  for (const char* verdict : {"partly", "marginal", "does not hold here"}) EXPECT_FALSE(judged(recorded(verdict), below).failure);
  EXPECT_FALSE(judged(recorded("holds") + "wall_time = true\n", below).failure);
  below.metrics["gain"] = std::nan("");
  EXPECT_TRUE(judged(recorded("holds"), below).failure);
}

TEST(JudgeClaim, RefusesTwinsSubsetsFewSeedsAndSmoke) {
  Result r = with_gains({1.5, 1.6, 1.7});
  r.data[0].synthetic = true;
  EXPECT_EQ(judged(recorded("holds"), r).verdict, "not judged: synthetic data");
  EXPECT_FALSE(r.claims[0].holds.has_value());
  r.data[0] = {"mnist", "", false, true};
  EXPECT_THAT(judged(claim, r).verdict, HasSubstr("only a part of mnist"));
  EXPECT_EQ(judged(std::string(claim) + "subset_ok = true\n", r).verdict, "holds");
  r.data.push_back({"fsdd", "", false, false});
  EXPECT_EQ(judged(std::string(claim) + "data = [\"fsdd\"]\n", r).verdict, "holds");
  EXPECT_EQ(judged(std::string(claim) + "data = [\"n-mnist\"]\n", r).verdict, "not judged: n-mnist was not used");

  Result two = with_gains({1.5, 1.6});
  EXPECT_EQ(judged(claim, two).verdict, "not judged: needs 3 seeds, has 2");
  EXPECT_EQ(exit_code(two), 0);
  EXPECT_TRUE(judged(recorded("holds"), two, true).failure);
  EXPECT_EQ(judged(std::string(claim) + "exact = true\n", two).verdict, "holds");

  Result none = real_result();
  EXPECT_EQ(judged(claim, none).verdict, "not judged: not measured");
  EXPECT_TRUE(judged(recorded("holds"), none, true).failure);
  Result smoke = with_gains({1.5, 1.6, 1.7});
  smoke.scale = "smoke";
  EXPECT_EQ(judged(claim, smoke).verdict, "not judged: smoke scale");
}

TEST(Expected, RefusesWhatItCannotJudge) {
  const auto message = [](const std::string& toml) -> std::string {
    try {
      Expected::parse(toml, "expected.toml");
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(std::string(gate) + "tolerence = 1\n"), HasSubstr("'tolerence'"));
  EXPECT_THAT(message(std::string(gate) + gate), HasSubstr("stands twice"));
  EXPECT_THAT(message(std::string(gate) + "scales = [\"dest\"]\n"), HasSubstr("'desk'"));
  EXPECT_THAT(message(std::string(gate) + "scales = []\n"), HasSubstr("never be judged"));
  EXPECT_THAT(message(std::string(claim) + "scales = [\"smoke\"]\n"), HasSubstr("not judged at smoke"));
  EXPECT_THAT(message(std::string(gate) + "lo = 1\n"), HasSubstr("within"));
  EXPECT_THAT(message("[[gate]]\nid = \"a\"\nstatement = \"s\"\nmetric = \"m\"\nrelation = \"<\"\ntarget = 1\n"), HasSubstr("relation"));
  EXPECT_THAT(message("[[gate]]\nid = \"a\"\nstatement = \"s\"\nmetric = \"m\"\nrelation = \"<=\"\n"), HasSubstr("target"));
  EXPECT_THAT(message("[[gate]]\nid = \"a\"\nstatement = \"s\"\nmetric = \"m\"\nrelation = \"<=\"\ntarget = nan\n"), HasSubstr("finite"));
  EXPECT_THAT(message("[[gate]]\nid = \"a\"\nstatement = \"s\"\nmetric = \"Test Acc\"\nrelation = \"<=\"\ntarget = 1\n"),
              HasSubstr("snake_case"));
  EXPECT_THAT(message(std::string(claim) + "recorded = { verdict = \"holds\" }\n"), HasSubstr("'measured' and 'date'"));
  EXPECT_THAT(message(std::string(claim) + "recorded = { verdict = \"hold\" }\n"), HasSubstr("holds"));
  EXPECT_THAT(message("seeds = [1, 1]\n"), HasSubstr("seeds"));
  EXPECT_EQ(message(std::string("seeds = [3, 4]\n") + gate + claim), "accepted");
}

TEST(ResultFile, ComesBackAsItWas) {
  Result r = with_gains({1.5, 1.6, 1.7});
  r.set("broken", std::nan(""));
  r.version = "0.1.0";
  r.machine = {{"cpu", "x"}};
  r.wall_s = 1.5;
  judge(Expected::parse(std::string(gate) + claim, "e"), r);
  const auto path = std::filesystem::path(::testing::TempDir()) / "apical_result.json";
  write_result(r, path);
  const Result back = read_result(path);
  EXPECT_EQ(to_json(back), to_json(r));
  EXPECT_TRUE(to_json(r)["metrics"]["broken"].is_null());
  EXPECT_EQ(to_json(r)["metrics"]["gain_seed_2"], 1.6);
  write_file(path, "{\"schema\": 2}");
  EXPECT_THROW(read_result(path), Error);
  write_file(path, "{\"schema\": 1}");
  EXPECT_THROW(read_result(path), Error);
  write_file(path, "[");
  EXPECT_THROW(read_result(path), Error);
  std::filesystem::remove(path);
}

TEST(ResultData, SeveralSetsAreOneObject) {
  Result r;
  r.data = {{"mnist", "a", false, false}, {"mnist", "b", false, false}, {"n-mnist", "c", true, false}};
  const auto j = to_json(r)["data"];
  EXPECT_EQ(j["name"], "mnist + n-mnist");
  EXPECT_EQ(j["synthetic"], true);
  const std::string lines = "mnist a\nmnist b\nn-mnist c\n";
  EXPECT_EQ(j["sha256"], sha256_hex({reinterpret_cast<const uint8_t*>(lines.data()), lines.size()}));
}

TEST(MetricsLog, IsCutBackToTheCheckpoint) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "apical_metrics.jsonl";
  std::uint64_t recorded_size = 0;
  {
    MetricsLog log(path);
    log.append("step", {{"loss", 0.5}, {"bad", std::nan("")}});
    recorded_size = log.size();
    log.append("step", {{"loss", 0.25}});
  }
  {
    MetricsLog log(path, true);
    log.truncate(recorded_size);
    log.append("{\"kind\":\"end\"}");
    EXPECT_THROW(log.truncate(log.size() + 1), Error);
  }
  EXPECT_EQ(read_text(path), "{\"kind\":\"step\",\"loss\":0.5,\"bad\":null}\n{\"kind\":\"end\"}\n");
  EXPECT_EQ(MetricsLog(path).size(), 0u);  // a fresh run begins with an empty log
  EXPECT_THROW(MetricsLog("/dev/full", true).append("{}"), Error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace apical::recipe
