#pragma once
// Tables of a described circuit, read with units. Private to the room.
#include <algorithm>
#include <filesystem>
#include <limits>

#include "apical/base/config.h"
#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/base/units.h"
#include "apical/brain/devices.h"

namespace apical::brain {

/// Runs `f`; what goes wrong in it is said to be at `where`.
template <class F>
auto located(const std::string& where, F f) {
  try {
    return f();
  } catch (const Error& e) {
    throw Error(e.code(), e.message(), e.where().empty() ? where : where + ": " + e.where(), e.hint());
  }
}

/// A table of the file, e.g. population.e.
class Table {
 public:
  Table(const Config& config, std::string path) : c_(config), path_(std::move(path)) {
    if (c_.kind(path_) != Config::Kind::table && c_.kind(path_) != Config::Kind::absent)
      throw usage_error("'" + path_ + "' must be a table", c_.where());
  }
  std::string at(const std::string& key) const { return path_ + "." + key; }
  std::string where() const { return c_.where() + ": " + path_; }
  std::string where(const std::string& key) const { return c_.where() + ": " + at(key); }
  bool has(const std::string& key) const { return c_.has(at(key)); }
  bool is_table(const std::string& key) const { return c_.kind(at(key)) == Config::Kind::table; }
  Table table(const std::string& key) const { return {c_, at(key)}; }
  /// `file`, where the description lies.
  std::filesystem::path beside(const std::string& file) const { return std::filesystem::path(c_.where()).parent_path() / file; }
  std::vector<std::string> keys() const { return c_.in_order(path_); }

  void allow_only(const std::vector<std::string>& known) const {
    for (const auto& key : keys())
      if (std::find(known.begin(), known.end(), key) == known.end())
        throw usage_error("unknown key '" + key + "'", where(), did_you_mean(key, known));
  }
  void need(const std::string& key) const {
    if (!has(key)) throw usage_error("'" + key + "' is missing", where());
  }
  std::string text(const std::string& key) const {
    need(key);
    return c_.text(at(key));
  }
  std::string text(const std::string& key, const std::string& standard) const { return has(key) ? text(key) : standard; }
  bool boolean(const std::string& key, bool standard) const { return has(key) ? c_.boolean(at(key)) : standard; }
  std::uint64_t count(const std::string& key, std::int64_t most = std::numeric_limits<std::int64_t>::max()) const {
    need(key);
    const auto n = c_.integer(at(key));
    if (n < 0 || n > most) throw usage_error("'" + key + "' must be 0 to " + std::to_string(most), where(key) + " = " + std::to_string(n));
    return static_cast<std::uint64_t>(n);
  }
  // A number of `unit`.
  double real(const std::string& key, const std::string& unit) const {
    need(key);
    switch (c_.kind(at(key))) {
      case Config::Kind::text:
        return quantity(c_.text(at(key)), unit, key, where(key));
      case Config::Kind::boolean:
        if (unit.empty()) return c_.boolean(at(key)) ? 1 : 0;
        [[fallthrough]];
      case Config::Kind::number:
        return c_.real(at(key));
      default:
        throw usage_error("'" + key + "' must be a number" + (unit.empty() ? "" : " of " + unit), where(key));
    }
  }
  double real(const std::string& key, const std::string& unit, double standard) const { return has(key) ? real(key, unit) : standard; }
  // A text, or a list of them.
  std::vector<std::string> texts(const std::string& key) const {
    need(key);
    if (c_.kind(at(key)) == Config::Kind::text) return {c_.text(at(key))};
    auto all = c_.texts(at(key));
    if (all.empty()) throw usage_error("'" + key + "' is empty", where(key));
    return all;
  }
  // Numbers of `unit`: [1, 2], ["1 ms", "2 ms"].
  std::vector<double> reals(const std::string& key, const std::string& unit) const {
    need(key);
    if (c_.kind(at(key)) != Config::Kind::list) throw usage_error("'" + key + "' must be a list", where(key));
    try {
      return c_.reals(at(key));
    } catch (const Error&) {
      std::vector<double> all;
      for (const auto& t : c_.texts(at(key))) all.push_back(quantity(t, unit, key, where(key)));
      return all;
    }
  }
  // A number, or a table {distribution = "normal", mean = ..., std = ...}.
  Value value(const std::string& key, const std::string& unit) const {
    if (!is_table(key)) return real(key, unit);
    const Table t = table(key);
    const std::string kind = t.text("distribution");
    Value v(0);
    if (kind == "uniform") {
      t.allow_only({"distribution", "min", "max"});
      v = Value::uniform(t.real("min", unit), t.real("max", unit));
    } else if (kind == "normal" || kind == "lognormal") {
      t.allow_only({"distribution", "mean", "std", "min", "max", "clip"});
      v = kind == "normal" ? Value::normal(t.real("mean", unit), t.real("std", unit))
                           : Value::lognormal(t.real("mean", ""), t.real("std", ""));
      const double low = t.real("min", unit, -kForever), high = t.real("max", unit, kForever);
      v = t.boolean("clip", false) ? v.clipped(low, high) : v.redrawn(low, high);
    } else {
      throw usage_error("no distribution is called '" + kind + "'", t.where("distribution"),
                        did_you_mean(kind, {"uniform", "normal", "lognormal"}));
    }
    located(t.where(), [&] { v.check(key); });
    return v;
  }

 private:
  const Config& c_;
  std::string path_;
};

/// Calls take(parameter) for those of a model that the table has. Usage error: a key that is neither one of them nor in `others`.
template <class Take>
void each_given(const Table& t, const ModelInfo& info, std::vector<std::string> others, Take take) {
  for (const auto& p : info.parameters) others.push_back(p.name);
  t.allow_only(others);
  for (const auto& p : info.parameters)
    if (t.has(p.name)) take(p);
}

}  // namespace apical::brain
