#include "apical/recipe/recipe.h"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "apical/base/stop.h"
#include "apical/base/text.h"

namespace apical::recipe {
namespace {

const std::vector<std::string> all_scales = {"smoke", "desk", "paper"};

std::string where_of(const std::string& slug) { return "recipes/" + slug + "/recipe.toml"; }

// recipe.toml without what is about the recipe: [recipe] and [scale.*].
Config defaults(const RecipeInfo& info) {
  toml::table root = toml::parse(info.recipe_toml);
  root.erase("recipe");
  root.erase("scale");
  std::ostringstream s;
  s << root << "\n";
  return Config::parse(s.str(), where_of(info.slug));
}

}  // namespace

void RunContext::check_stop() const {
  if (stop_requested()) throw Interrupted();
}

RecipeInfo make_info(const std::string& slug, std::string recipe_toml, std::string expected_toml) {
  const std::string where = where_of(slug);
  const Config all = Config::parse(recipe_toml, where), about = all.table("recipe");
  about.allow_only({"title", "paper", "family", "data", "scales", "arms", "aliases", "trains"});
  RecipeInfo info;
  info.slug = slug;
  info.title = about.text("title");
  info.paper = about.text("paper");
  info.family = about.text("family");
  info.data = about.texts("data");
  info.scales = about.texts("scales");
  if (about.has("aliases")) info.aliases = about.texts("aliases");
  if (about.has("trains")) info.trains = about.boolean("trains");
  for (const auto& s : info.scales)
    if (std::find(all_scales.begin(), all_scales.end(), s) == all_scales.end())
      throw usage_error("unknown scale '" + s + "'", where, did_you_mean(s, all_scales));
  if (std::find(info.scales.begin(), info.scales.end(), "smoke") == info.scales.end())
    throw usage_error("every recipe has the scale 'smoke'", where);
  all.table("scale").allow_only(info.scales);
  info.recipe_toml = std::move(recipe_toml);
  info.expected_toml = std::move(expected_toml);
  for (const auto& s : info.scales) settings(info, s);  // every scale's table sets only what exists
  Expected::parse(info.expected_toml, "recipes/" + slug + "/expected.toml");
  return info;
}

const RecipeInfo& find_recipe(const std::vector<RecipeInfo>& recipes, const std::string& slug) {
  std::vector<std::string> slugs;
  for (const auto& r : recipes) {
    if (r.slug == slug || std::find(r.aliases.begin(), r.aliases.end(), slug) != r.aliases.end()) return r;
    slugs.push_back(r.slug);
    slugs.insert(slugs.end(), r.aliases.begin(), r.aliases.end());
  }
  throw usage_error("there is no recipe '" + slug + "'", {}, did_you_mean(slug, slugs));
}

RunFunction run_function(const std::vector<Entry>& runnable, const RecipeInfo& info) {
  for (const auto& entry : runnable)
    if (entry.slug == info.slug) return entry.run;
  if (!info.trains) throw internal_error("the recipe '" + info.slug + "' has no run function");
  throw usage_error("this apical was built without training, which the recipe '" + info.slug + "' needs", {},
                    "Build it with: cmake --preset release && cmake --build --preset release (needs libtorch-dev; tools/install_deps.sh "
                    "installs it)");
}

Config settings(const RecipeInfo& info, const std::string& scale, const std::vector<std::string>& assignments) {
  if (std::find(info.scales.begin(), info.scales.end(), scale) == info.scales.end())
    throw usage_error("the recipe '" + info.slug + "' has no scale '" + scale + "'", {}, "It has: " + join(info.scales, ", ") + ".");
  Config c = defaults(info);
  c.merge(Config::parse(info.recipe_toml, where_of(info.slug)).table("scale." + scale));
  for (const auto& a : assignments) c.set(a);
  return c;
}

}  // namespace apical::recipe
