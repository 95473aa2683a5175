#include "apical/base/config.h"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"

namespace apical {

struct Config::Impl {
  toml::table root;
};

namespace {

void collect(const toml::table& t, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [key, node] : t) {
    const std::string path = prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
    if (const auto* sub = node.as_table())
      collect(*sub, path, out);
    else
      out.push_back(path);
  }
}

std::string type_name(const toml::node& n) {
  if (n.is_string()) return "a string";
  if (n.is_integer()) return "an integer";
  if (n.is_floating_point()) return "a number";
  if (n.is_boolean()) return "true or false";
  if (n.is_array()) return "a list";
  if (n.is_table()) return "a table";
  return "a date";
}

bool compatible(const toml::node& old, const toml::node& value) {
  return old.type() == value.type() || (old.is_floating_point() && value.is_integer());
}

void assign(toml::table& root, const std::string& key, toml::node& value, const std::string& where) {
  const auto view = root.at_path(key);
  if (!view || key.find('[') != std::string::npos) {  // at_path also knows list[0], which no setting is
    std::vector<std::string> known;
    collect(root, "", known);
    throw usage_error("there is no setting '" + key + "'", where, did_you_mean(key, known));
  }
  toml::node& old = *view.node();
  if (old.is_table()) {
    std::vector<std::string> known;
    collect(*old.as_table(), key, known);
    throw usage_error("'" + key + "' is a group of settings", where, "Set one of them: " + join(known, ", ") + ".");
  }
  if (!compatible(old, value)) throw usage_error("'" + key + "' must be " + type_name(old) + ", not " + type_name(value), where);
  toml::table* parent = &root;
  std::string leaf = key;
  if (const auto dot = key.rfind('.'); dot != std::string::npos) {
    parent = root.at_path(key.substr(0, dot)).as_table();
    leaf = key.substr(dot + 1);
  }
  if (old.is_floating_point() && value.is_integer())
    parent->insert_or_assign(leaf, static_cast<double>(value.as_integer()->get()));
  else
    value.visit([&](auto& v) { parent->insert_or_assign(leaf, std::move(v)); });
}

// The list a value without brackets stands for: "1,2" is [1, 2], "a,b" is ["a", "b"], anything else a list of one.
toml::array list_from(const std::string& text, toml::node& parsed) {
  toml::array list;
  if (text.empty()) return list;
  if (!parsed.is_string() || text.front() == '"' || text.front() == '\'') {
    parsed.visit([&](auto& v) { list.push_back(std::move(v)); });
    return list;
  }
  try {
    toml::table numbers = toml::parse("v = [" + text + "]");
    return std::move(*numbers.at("v").as_array());
  } catch (const toml::parse_error&) {
  }
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) list.push_back(item);
  return list;
}

template <class T>
std::vector<T> list_of(const toml::table& root, std::string_view key, const std::string& where) {
  const auto view = root.at_path(key);
  const toml::array* array = view.as_array();
  if (!array) throw usage_error("'" + std::string(key) + "' must be a list", where);
  std::vector<T> out;
  for (const auto& item : *array) {
    const auto v = item.value<T>();
    if (!v) throw usage_error("'" + std::string(key) + "' holds an item of the wrong type", where);
    out.push_back(*v);
  }
  return out;
}

template <class T>
T one(const toml::table& root, std::string_view key, const char* expected, const std::string& where) {
  const auto view = root.at_path(key);
  if (!view) throw usage_error("the setting '" + std::string(key) + "' is missing", where);
  const auto v = view.value<T>();
  if (!v) throw usage_error("'" + std::string(key) + "' must be " + expected, where);
  return *v;
}

// key=value.
std::pair<std::string, std::string> split(std::string_view assignment, const std::string& example) {
  const auto eq = assignment.find('=');
  if (eq == std::string_view::npos || eq == 0)
    throw usage_error("a setting is written key=value", "--set " + std::string(assignment), "Example: --set " + example);
  return {std::string(assignment.substr(0, eq)), std::string(assignment.substr(eq + 1))};
}

// JSON as TOML text. Both escape texts alike.
std::string toml_key(const std::string& key) { return nlohmann::json(key).dump(); }
std::string toml_value(const nlohmann::ordered_json& v, int depth, const std::string& where) {
  if (depth > 32) throw usage_error("this JSON is nested too deeply", where);
  std::vector<std::string> parts;
  if (v.is_object()) {
    for (const auto& [key, value] : v.items()) parts.push_back(toml_key(key) + " = " + toml_value(value, depth + 1, where));
    return "{" + join(parts, ", ") + "}";
  }
  if (v.is_array()) {
    for (const auto& value : v) parts.push_back(toml_value(value, depth + 1, where));
    return "[" + join(parts, ", ") + "]";
  }
  if (v.is_null()) throw usage_error("null is no value of a setting", where, "Leave the key away.");
  return v.dump();
}

}  // namespace

Config::Config() : impl_(std::make_unique<Impl>()) {}
Config::Config(const Config& o) : impl_(std::make_unique<Impl>(*o.impl_)), where_(o.where_) {}
Config& Config::operator=(const Config& o) {
  *impl_ = *o.impl_;
  where_ = o.where_;
  return *this;
}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

Config Config::parse(std::string_view text, const std::string& where) {
  Config c;
  c.where_ = where;
  try {
    c.impl_->root = toml::parse(text);
  } catch (const toml::parse_error& e) {
    throw usage_error("this is not valid TOML: " + std::string(e.description()),
                      where + ", line " + std::to_string(e.source().begin.line) + ", column " + std::to_string(e.source().begin.column));
  }
  return c;
}

Config Config::parse_json(std::string_view text, const std::string& where) {
  nlohmann::ordered_json json;
  try {
    json = nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::json::parse_error& e) {
    throw usage_error("this is not valid JSON", where + ", byte " + std::to_string(e.byte));
  }
  if (!json.is_object()) throw usage_error("a JSON file of settings is one object", where);
  std::string toml;  // by way of TOML, which keeps the order of keys
  for (const auto& [key, value] : json.items()) toml += toml_key(key) + " = " + toml_value(value, 0, where) + "\n";
  return parse(toml, where);
}

Config Config::load(const std::filesystem::path& path) {
  const std::string text = read_text(path, std::size_t{1} << 24);
  return path.extension() == ".json" ? parse_json(text, path.string()) : parse(text, path.string());
}

void Config::put(std::string_view assignment) {
  const auto [key, value] = split(assignment, "population.e.n=100");
  toml::table parsed;
  try {
    parsed = toml::parse("v = " + value);
  } catch (const toml::parse_error&) {
    parsed.insert("v", value);
  }
  toml::table* at = &impl_->root;
  std::istringstream parts(key);
  std::string part, path;
  std::vector<std::string> names;
  while (std::getline(parts, part, '.')) names.push_back(part);
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    path += (i ? "." : "") + names[i];
    at->insert(names[i], toml::table{});
    at = at->get(names[i])->as_table();
    if (!at) throw usage_error("'" + path + "' is no table", "--set " + std::string(assignment));
  }
  parsed.at("v").visit([&](auto& v) { at->insert_or_assign(names.back(), std::move(v)); });
}

void Config::set(std::string_view assignment) {
  const std::string where = "--set " + std::string(assignment);
  const auto [key, value] = split(assignment, "train.lr=0.1");
  toml::table parsed;
  const auto view = impl_->root.at_path(key);
  if (view.is_string() && (value.empty() || (value.front() != '"' && value.front() != '\''))) {
    parsed.insert("v", value);  // a bare word where a string is expected
  } else {
    try {
      parsed = toml::parse("v = " + value);
    } catch (const toml::parse_error&) {
      parsed.insert("v", value);
    }
  }
  // `--set seeds=1`, `--set arms=all` and `--set arms=a,b` where a list is expected
  if (view.is_array() && !parsed.at("v").is_array()) parsed.insert_or_assign("v", list_from(value, parsed.at("v")));
  assign(impl_->root, key, parsed.at("v"), where);
}

void Config::merge(const Config& other) {
  for (const auto& key : other.keys()) {
    toml::table copy = other.impl_->root;
    assign(impl_->root, key, *copy.at_path(key).node(), other.where_);
  }
}

Config::Kind Config::kind(std::string_view key) const {
  const auto v = impl_->root.at_path(key);
  if (!v) return Kind::absent;
  if (v.is_string()) return Kind::text;
  if (v.is_number()) return Kind::number;
  if (v.is_boolean()) return Kind::boolean;
  if (v.is_array()) return Kind::list;
  return v.is_table() ? Kind::table : Kind::other;
}

bool Config::has(std::string_view key) const { return static_cast<bool>(impl_->root.at_path(key)); }
bool Config::boolean(std::string_view key) const { return one<bool>(impl_->root, key, "true or false", where_); }
std::int64_t Config::integer(std::string_view key) const { return one<std::int64_t>(impl_->root, key, "an integer", where_); }
double Config::real(std::string_view key) const { return one<double>(impl_->root, key, "a number", where_); }
std::string Config::text(std::string_view key) const { return one<std::string>(impl_->root, key, "a string", where_); }
std::vector<std::int64_t> Config::integers(std::string_view key) const { return list_of<std::int64_t>(impl_->root, key, where_); }
std::vector<double> Config::reals(std::string_view key) const { return list_of<double>(impl_->root, key, where_); }
std::vector<std::string> Config::texts(std::string_view key) const { return list_of<std::string>(impl_->root, key, where_); }

Config Config::table(std::string_view key) const {
  Config c;
  c.where_ = where_ + " [" + std::string(key) + "]";
  if (const auto* t = impl_->root.at_path(key).as_table()) c.impl_->root = *t;
  return c;
}

std::vector<Config> Config::tables(std::string_view key) const {
  std::vector<Config> out;
  if (const auto* array = impl_->root.at_path(key).as_array())
    for (const auto& item : *array) {
      const auto* t = item.as_table();
      if (!t) throw usage_error("'" + std::string(key) + "' must be a list of tables", where_);
      Config c;
      c.where_ = where_ + " [[" + std::string(key) + "]] number " + std::to_string(out.size() + 1);
      c.impl_->root = *t;
      out.push_back(std::move(c));
    }
  return out;
}

std::vector<std::string> Config::keys() const {
  std::vector<std::string> out;
  collect(impl_->root, "", out);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> Config::top() const {
  std::vector<std::string> out;
  for (const auto& [key, node] : impl_->root) out.emplace_back(key.str());
  return out;
}

std::vector<std::string> Config::in_order(std::string_view key) const {
  std::vector<std::pair<toml::source_position, std::string>> found;
  const auto* table = key.empty() ? &impl_->root : impl_->root.at_path(key).as_table();
  if (table)
    for (const auto& [name, node] : *table) found.emplace_back(node.source().begin, name.str());
  const auto after = [](const toml::source_position& p) { return p.line ? p.line : ~toml::source_index{0}; };  // put() comes last
  std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
    return std::pair(after(a.first), a.first.column) < std::pair(after(b.first), b.first.column);
  });
  std::vector<std::string> out;
  for (auto& [at, name] : found) out.push_back(std::move(name));
  return out;
}

void Config::allow_only(const std::vector<std::string>& known) const {
  for (const auto& key : top())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw usage_error("unknown key '" + key + "'", where_, did_you_mean(key, known));
}

std::string Config::to_toml() const {
  std::ostringstream s;
  s << impl_->root << "\n";
  return s.str();
}

}  // namespace apical
