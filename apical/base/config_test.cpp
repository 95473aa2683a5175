#include "apical/base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"

namespace apical {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

Config defaults() {
  return Config::parse(R"(
name = "net"
seeds = [1, 2, 3]
arms = ["bptt"]
[train]
lr = 0.1
steps = 100
clip = true
[data]
)",
                       "recipe.toml");
}

template <class F>
std::string usage_error_of(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code() == ExitCode::usage ? error.what() : "";
  }
  return "";
}

TEST(Config, SetTakesEveryFormOfValue) {
  Config c = defaults();
  for (const char* s : {"train.lr=2", "train.steps=7", "train.clip=false", "name=a b = c", "seeds=4"}) c.set(s);
  EXPECT_EQ(c.real("train.lr"), 2.0);
  EXPECT_EQ(c.integer("train.steps"), 7);
  EXPECT_FALSE(c.boolean("train.clip"));
  EXPECT_EQ(c.text("name"), "a b = c");
  EXPECT_THAT(c.integers("seeds"), ElementsAre(4));
  c.set("name=\"12\"");
  EXPECT_EQ(c.text("name"), "12");
  c.set("name=13");  // a bare word where a string is expected
  EXPECT_EQ(c.text("name"), "13");
  c.set("name=");
  EXPECT_EQ(c.text("name"), "");
  c.set("seeds=5,6");
  EXPECT_THAT(c.integers("seeds"), ElementsAre(5, 6));
  c.set("seeds=[7, 8]");
  EXPECT_THAT(c.reals("seeds"), ElementsAre(7.0, 8.0));
  c.set("arms=sltt");
  EXPECT_THAT(c.texts("arms"), ElementsAre("sltt"));
  c.set("arms=sltt,e-prop");
  EXPECT_THAT(c.texts("arms"), ElementsAre("sltt", "e-prop"));
  c.set("arms=");
  EXPECT_TRUE(c.texts("arms").empty());
}

TEST(Config, SetRefusesUnknownKeysWithTheNearestOne) {
  Config c = defaults();
  EXPECT_THAT(usage_error_of([&] { c.set("train.lrr=1"); }),
              testing::AllOf(HasSubstr("'train.lrr'"), HasSubstr("Did you mean 'train.lr'?")));
  EXPECT_THAT(usage_error_of([&] { c.set("seeds[0]=9"); }), HasSubstr("there is no setting"));
  EXPECT_THAT(usage_error_of([&] { c.set("name.x=9"); }), HasSubstr("there is no setting"));
  EXPECT_THAT(usage_error_of([&] { c.set("train={lr=1}"); }), HasSubstr("train.clip, train.lr, train.steps"));
  EXPECT_THAT(usage_error_of([&] { c.set("train.lr"); }), HasSubstr("key=value"));
  EXPECT_THAT(usage_error_of([&] { c.set("=1"); }), HasSubstr("key=value"));
  EXPECT_EQ(c.to_toml(), defaults().to_toml());
}

TEST(Config, SetRefusesValuesOfAnotherType) {
  Config c = defaults();
  EXPECT_THAT(usage_error_of([&] { c.set("train.steps=many"); }), HasSubstr("'train.steps' must be an integer, not a string"));
  EXPECT_THAT(usage_error_of([&] { c.set("train.steps=1.5"); }), HasSubstr("not a number"));
  EXPECT_THAT(usage_error_of([&] { c.set("train.clip=1"); }), HasSubstr("must be true or false"));
  EXPECT_THAT(usage_error_of([&] { c.set("train.lr={a=1}"); }), HasSubstr("must be a number, not a table"));
  c.set("seeds=[\"one\"]");
  EXPECT_THAT(usage_error_of([&] { c.integers("seeds"); }), HasSubstr("wrong type"));
}

TEST(Config, MergeLaysOneOverTheOther) {
  Config c = defaults();
  c.merge(Config::parse("seeds = [9]\n[train]\nlr = 1", "recipe.toml [desk]"));
  EXPECT_EQ(c.real("train.lr"), 1.0);
  EXPECT_EQ(c.integer("train.steps"), 100);
  EXPECT_THAT(c.integers("seeds"), ElementsAre(9));
  EXPECT_THAT(usage_error_of([&] { c.merge(Config::parse("[train]\nstep = 1", "my.toml")); }),
              testing::AllOf(HasSubstr("my.toml"), HasSubstr("Did you mean 'train.steps'?")));
}

TEST(Config, ReadsTablesListsAndSaysWhatIsMissing) {
  const Config c = Config::parse("[[layer]]\nkind = \"conv\"\n[[layer]]\nkind = \"dense\"\n[train]\nlr = 1", "net.toml");
  const auto layers = c.tables("layer");
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[1].text("kind"), "dense");
  EXPECT_THAT(usage_error_of([&] { layers[1].text("size"); }), HasSubstr("net.toml [[layer]] number 2"));
  EXPECT_EQ(c.table("train").real("lr"), 1.0);
  EXPECT_TRUE(c.table("none").keys().empty());
  EXPECT_THAT(usage_error_of([&] { c.allow_only({"layers", "train"}); }), HasSubstr("Did you mean 'layers'?"));
  c.allow_only({"layer", "train"});
  EXPECT_THAT(defaults().keys(), ElementsAre("arms", "name", "seeds", "train.clip", "train.lr", "train.steps"));
}

TEST(Config, JsonIsReadAsTomlIs) {
  const Config c = Config::parse_json(R"({"b": {"z": "1 \u00b5s \"x\"", "y.w": [1, 2.5], "x": true}, "a": -3e2})", "net.json");
  EXPECT_THAT(c.in_order(""), ElementsAre("b", "a"));
  EXPECT_THAT(c.in_order("b"), ElementsAre("z", "y.w", "x"));
  EXPECT_EQ(c.text("b.z"), "1 \u00b5s \"x\"");
  EXPECT_EQ(c.real("a"), -300);
  EXPECT_EQ(c.kind("b.x"), Config::Kind::boolean);
  EXPECT_EQ(c.kind("b"), Config::Kind::table);
  EXPECT_EQ(c.kind("c"), Config::Kind::absent);
  EXPECT_THAT(usage_error_of([] { Config::parse_json("{\"a\": }", "net.json"); }), HasSubstr("net.json, byte 7"));
  EXPECT_THAT(usage_error_of([] { Config::parse_json("[1]", "net.json"); }), HasSubstr("one object"));
  EXPECT_THAT(usage_error_of([] { Config::parse_json("{\"a\": null}", "net.json"); }), HasSubstr("null"));
  const std::string deep = "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}";
  EXPECT_THAT(usage_error_of([&] { Config::parse_json(deep, "net.json"); }), HasSubstr("nested too deeply"));
}

TEST(Config, PutTakesAnyKeyAndKeepsTheOrderOfTheFile) {
  Config c = Config::parse("[p.b]\nn = 1\n[p.a]\nn = 2\nw = {mean = 1}\n", "net.toml");
  c.put("p.a.n=7"), c.put("p.c.tau=20 ms"), c.put("p.a.w=0.5"), c.put("t=1s");
  EXPECT_THAT(c.in_order("p"), ElementsAre("b", "a", "c"));
  EXPECT_EQ(c.integer("p.a.n"), 7);
  EXPECT_EQ(c.text("p.c.tau"), "20 ms");
  EXPECT_EQ(c.real("p.a.w"), 0.5);
  EXPECT_EQ(c.text("t"), "1s");
  EXPECT_THAT(usage_error_of([&] { c.put("p.a.n.x=1"); }), HasSubstr("'p.a.n' is no table"));
  EXPECT_THAT(usage_error_of([&] { c.put("n"); }), HasSubstr("key=value"));
}

TEST(Config, BrokenTomlNamesLineAndColumn) {
  EXPECT_THAT(usage_error_of([] { Config::parse("a = 1\nb = = 2", "x.toml"); }), HasSubstr("x.toml, line 2, column"));
  EXPECT_THAT(usage_error_of([] { Config::parse("a = 1\na = 2", "x.toml"); }), HasSubstr("x.toml, line 2"));
}

TEST(Config, WhatItWritesItReadsAgain) {
  const Config c = defaults();
  EXPECT_EQ(Config::parse(c.to_toml(), "again").to_toml(), c.to_toml());
}

}  // namespace
}  // namespace apical
