#include "apical/base/config.h"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

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
  if (!compatible(old, value))
    throw usage_error("'" + key + "' must be " + type_name(old) + ", not " + type_name(value), where);
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

Config Config::load(const std::filesystem::path& path) { return parse(read_text(path, std::size_t{1} << 24), path.string()); }

void Config::set(std::string_view assignment) {
  const auto eq = assignment.find('=');
  const std::string where = "--set " + std::string(assignment);
  if (eq == std::string_view::npos || eq == 0)
    throw usage_error("a setting is written key=value", where, "Example: --set train.lr=0.1");
  const std::string key(assignment.substr(0, eq)), value(assignment.substr(eq + 1));
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
