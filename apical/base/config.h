#pragma once
// Settings: a TOML file with defaults, changed by `--set a.b=value`. Only keys that the defaults know may be set.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace apical {

/// A table of settings. Keys are dotted ("train.lr"). Reading a key that is not there is an internal error, so every key has
/// its default in the file; setting an unknown key or a value of another type is a usage error with a did-you-mean.
class Config {
 public:
  Config();
  static Config parse(std::string_view toml, const std::string& where);
  /// A JSON document; `null` is no value.
  static Config parse_json(std::string_view json, const std::string& where);
  static Config load(const std::filesystem::path& path);  ///< .json is JSON, anything else TOML
  Config(const Config&);
  Config& operator=(const Config&);
  Config(Config&&) noexcept;
  Config& operator=(Config&&) noexcept;
  ~Config();

  /// "train.lr=0.1"; the value is TOML, or a bare word for a string. Integers are accepted where a number is expected.
  void set(std::string_view assignment);
  /// The same for a file without defaults: any key, any type of value; text where the value is no TOML ("model.tau=20 ms"). Who reads it
  /// refuses what it does not know.
  void put(std::string_view assignment);
  /// Lays the values of `other` over these (e.g. the table of a scale over the defaults); unknown keys are refused.
  void merge(const Config& other);

  enum class Kind : std::uint8_t { absent, text, number, boolean, list, table, other };
  Kind kind(std::string_view key) const;
  bool has(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  double real(std::string_view key) const;  ///< integers are widened
  std::string text(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<double> reals(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  Config table(std::string_view key) const;                       ///< a sub-table; empty when absent
  std::vector<Config> tables(std::string_view key) const;         ///< an array of tables; empty when absent
  std::vector<std::string> keys() const;                          ///< dotted keys of all leaves, sorted
  std::vector<std::string> top() const;                           ///< keys of this level only, sorted
  std::vector<std::string> in_order(std::string_view key) const;  ///< keys of the table `key` as they follow in the file

  /// Refuses every key that is not in `known` (top level of this table), naming the nearest one.
  void allow_only(const std::vector<std::string>& known) const;
  std::string to_toml() const;
  const std::string& where() const noexcept { return where_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string where_;
};

}  // namespace apical
