#include "apical/brain/description_rules.h"

#include <cmath>

namespace apical::brain {
namespace {

constexpr const char* kLength = "mm";

Point point(const Table& t, const std::string& key, const Point& standard) {
  if (!t.has(key)) return standard;
  const auto p = t.reals(key, kLength);
  if (p.size() != 2) throw usage_error("'" + key + "' must be two lengths", t.where(key), "Example: [1, 0.5]");
  return {p[0], p[1]};
}

// A table {kernel = "gaussian", std = 0.2}; values have `unit`.
Kernel read_kernel(const Table& t, const std::string& unit) {
  const std::string kind = t.text("kernel");
  const double offset = t.real("offset", unit, 0);
  if (kind == "linear") {
    t.allow_only({"kernel", "factor", "offset"});
    return Kernel::linear(t.real("factor", (unit.empty() ? "1" : unit) + "/" + kLength, 1), offset);
  }
  const double factor = t.real("factor", unit, 1);
  if (kind == "exponential") {
    t.allow_only({"kernel", "factor", "offset", "beta"});
    return Kernel::exponential(t.real("beta", kLength), factor, offset);
  }
  if (kind == "gaussian") {
    t.allow_only({"kernel", "factor", "offset", "mean", "std"});
    return Kernel::gaussian(t.real("std", kLength), t.real("mean", kLength, 0), factor, offset);
  }
  throw usage_error("no kernel is called '" + kind + "'", t.where("kernel"), did_you_mean(kind, {"linear", "exponential", "gaussian"}));
}
bool is_kernel(const Table& t, const std::string& key) { return t.is_table(key) && t.table(key).has("kernel"); }

Mask read_mask(const Table& t) {
  t.allow_only({"circular", "rectangular"});
  if (t.has("circular") == t.has("rectangular")) throw usage_error("a mask is circular or rectangular", t.where());
  if (t.has("circular")) {
    const Table circle = t.table("circular");
    circle.allow_only({"radius"});
    return Mask::circular(circle.real("radius", kLength));
  }
  const Table box = t.table("rectangular");
  box.allow_only({"lower_left", "upper_right"});
  box.need("lower_left"), box.need("upper_right");
  return Mask::rectangular(point(box, "lower_left", {}), point(box, "upper_right", {}));
}

}  // namespace

DescribedRule read_rule(const Table& t) {
  const std::string name = t.text("rule");
  const RuleOptions o{t.boolean("allow_autapses", true), t.boolean("allow_multapses", true)};
  std::vector<std::string> keys{"allow_autapses", "allow_multapses"};
  const auto count = [&](const char* key) { return keys.push_back(key), t.count(key); };
  const auto kernel = [&] {  // of p, a number or a kernel; 1 where it may be left out
    return is_kernel(t, "p") ? read_kernel(t.table("p"), "") : Kernel::constant(t.real("p", "", 1));
  };
  const auto mask = [&] { return t.has("mask") ? read_mask(t.table("mask")) : Mask{}; };
  if (name == "one_to_one") return {Rule::one_to_one(), keys};
  if (name == "all_to_all") return {Rule::all_to_all(o), keys};
  if (name == "fixed_outdegree") return {Rule::fixed_outdegree(count("outdegree"), o), keys};
  if (name == "fixed_total_number") return {Rule::fixed_total_number(count("N"), o), keys};
  if (name == "fixed_indegree") {
    const std::uint64_t n = count("indegree");
    keys.insert(keys.end(), {"p", "mask"});
    if (!t.has("p") && !t.has("mask")) return {Rule::fixed_indegree(n, o), keys};
    return {Rule::fixed_indegree(n, kernel(), mask(), o), keys};
  }
  if (name == "pairwise_bernoulli") {
    t.need("p");
    keys.insert(keys.end(), {"p", "mask"});
    if (!is_kernel(t, "p") && !t.has("mask")) return {Rule::pairwise_bernoulli(t.real("p", ""), o), keys};
    return {Rule::pairwise_bernoulli(kernel(), mask(), o), keys};
  }
  if (name == "file") return {{Rule::Kind::listed}, {"file", "edge_population", "edge_types"}};
  throw usage_error("no connection rule is called '" + name + "'", t.where("rule"),
                    did_you_mean(name, {"one_to_one", "all_to_all", "fixed_indegree", "fixed_outdegree", "fixed_total_number",
                                        "pairwise_bernoulli", "file"}));
}

SynapseTable read_edges(const Table& t, const EdgeLimits& limits) {
  const auto types = t.has("edge_types") ? t.beside(t.text("edge_types")) : std::filesystem::path();
  SynapseTable table = read_edges(t.beside(t.text("file")), t.text("edge_population", ""), types, limits);
  for (const auto& [key, column] : {std::pair{"weight", &table.weight}, {"delay", &table.delay}})
    if (t.has(key) && !column->empty()) throw usage_error("the file says '" + std::string(key) + "' of each synapse", t.where(key));
  return table;
}

Synapses read_synapses(const Table& t, const std::string& weight_unit) {
  Synapses s;
  s.procedural = t.boolean("procedural", false);
  if (is_kernel(t, "weight"))
    s.weight_by_distance = read_kernel(t.table("weight"), weight_unit);
  else if (t.has("weight"))
    s.weight = t.value("weight", weight_unit);
  if (is_kernel(t, "delay"))
    s.delay_by_distance = read_kernel(t.table("delay"), "ms");
  else if (t.has("delay"))
    s.delay = t.value("delay", "ms");
  return s;
}

Positions read_positions(const Table& t) {
  t.allow_only({"grid", "x", "y", "distribution", "extent", "center", "edge_wrap"});
  const Point extent = point(t, "extent", {1, 1}), center = point(t, "center", {0, 0});
  const bool wrap = t.boolean("edge_wrap", false);
  if (t.has("grid") + t.has("x") + t.has("distribution") != 1)
    throw usage_error("positions are a grid, a distribution, or lists x and y", t.where(), "Example: positions = {grid = [40, 40]}");
  if (t.has("grid")) {
    const auto n = t.reals("grid", "");
    if (n.size() != 2 || !(n[0] >= 1 && n[1] >= 1 && n[0] <= 65535 && n[1] <= 65535) || n[0] != std::floor(n[0]) ||
        n[1] != std::floor(n[1]))
      throw usage_error("a grid is so many columns and rows", t.where("grid"), "Example: [40, 40]");
    return Positions::grid(static_cast<std::uint32_t>(n[0]), static_cast<std::uint32_t>(n[1]), extent, center, wrap);
  }
  Positions p{.points = {}, .extent = extent, .center = center, .edge_wrap = wrap};
  if (t.has("distribution")) {
    if (t.text("distribution") != "uniform") throw usage_error("positions are drawn from \"uniform\"", t.where("distribution"));
    return p;
  }
  const auto x = t.reals("x", kLength), y = t.reals("y", kLength);
  if (x.size() != y.size() || x.empty()) throw usage_error("x and y must have a number for each neuron", t.where("y"));
  for (std::size_t i = 0; i < x.size(); ++i) p.points.push_back({x[i], y[i]});
  return p;
}

}  // namespace apical::brain
