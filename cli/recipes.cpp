// `apical recipes`: what can be reproduced here.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/text.h"
#include "apical/recipe/driver.h"
#include "apical/recipe/recipe.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using recipe::RecipeInfo;

recipe::Expected expected_of(const RecipeInfo& info) {
  return recipe::Expected::parse(info.expected_toml, "recipes/" + info.slug + "/expected.toml");
}

nlohmann::ordered_json to_json(const RecipeInfo& info) {
  nlohmann::ordered_json j = {{"slug", info.slug},     {"title", info.title}, {"paper", info.paper},  {"family", info.family},
                              {"scales", info.scales}, {"data", info.data},   {"trains", info.trains}};
  auto claims = nlohmann::ordered_json::array();
  for (const auto& line : expected_of(info).lines) {
    if (line.gate) continue;
    const auto& r = line.recorded;
    nlohmann::ordered_json c = {
        {"id", line.id}, {"statement", line.statement}, {"verdict", r.verdict}, {"measured", nullptr}, {"date", r.date}};
    if (r.measured) c["measured"] = *r.measured;
    claims.push_back(std::move(c));
  }
  j["claims"] = std::move(claims);
  return j;
}

// "3 of 4 claims hold (2026-11-24)" or "not yet verified".
std::string last_verified(const RecipeInfo& info) {
  std::size_t claims = 0, held = 0;
  std::string date;
  for (const auto& line : expected_of(info).lines) {
    claims += !line.gate;
    held += !line.gate && line.recorded.verdict == "holds";
    date = std::max(date, line.recorded.date);
  }
  if (!claims) return "gates only";
  return date.empty() ? "not yet verified" : std::to_string(held) + " of " + std::to_string(claims) + " claims hold (" + date + ")";
}

void print(const RecipeInfo& info) {
  std::printf("%s\n    %s\n", info.slug.c_str(), info.title.c_str());
  if (!info.paper.empty()) std::printf("    paper    %s\n", info.paper.c_str());
  std::printf("    family   %s%s\n    scales   %s\n    data     %s\n    verified %s\n", info.family.c_str(),
              info.trains ? "" : " (runs without torch)", join(info.scales, ", ").c_str(),
              info.data.empty() ? "none" : join(info.data, ", ").c_str(), last_verified(info).c_str());
}

}  // namespace

void add_recipes(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  auto* sub = app.add_subcommand("recipes", "List the recipes: paper, family, scales, data, last verified figure");
  sub->add_flag("--json", *json, "Print one JSON document");
  sub->footer("Examples:\n  apical recipes\n  apical recipes --json\n  apical run digits --scale smoke");
  sub->callback([json] {
    if (*json) {
      auto all = nlohmann::ordered_json::array();
      for (const auto& info : recipe::catalogue()) all.push_back(to_json(info));
      std::printf("%s\n", all.dump(2).c_str());
      return;
    }
    for (const auto& info : recipe::catalogue()) print(info);
  });
}

}  // namespace apical::cli
