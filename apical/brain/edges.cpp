#include "apical/brain/edges.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/formats/bytes.h"
#include "apical/formats/csv_rows.h"

namespace apical::brain {
namespace {

using formats::CsvRows, formats::Hdf5Columns, formats::shown;

// What is wrong with an edge; "": nothing.
std::string trouble(std::uint32_t source, std::uint32_t target, double weight, double delay, const EdgeLimits& l) {
  const auto outside = [](const char* who, std::uint32_t i, const Population& p) {
    return std::string(who) + " " + std::to_string(i) + " is not among neurons " + std::to_string(p.begin) + " to " +
           std::to_string(std::uint64_t{p.begin} + p.size - 1);
  };
  if (source - l.from.begin >= l.from.size) return outside("source", source, l.from);
  if (target - l.to.begin >= l.to.size) return outside("target", target, l.to);
  if (!std::isfinite(weight)) return "weight is not a finite number";
  if (!(std::floor(delay / l.dt + 0.5) >= 1)) return "a delay is below the step: " + number(delay) + " ms, step " + number(l.dt) + " ms";
  return std::isfinite(delay) ? "" : "delay is not a finite number";
}
std::string trouble(const SynapseTable& t, std::size_t i, const EdgeLimits& l) {
  return trouble(t.source[i], t.target[i], t.weight.empty() ? 0 : t.weight[i], t.delay.empty() ? l.dt : t.delay[i], l);
}

void mix(std::uint64_t& hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  hash ^= hash >> 29;
}

// --- SONATA

// What an edge may get from its type.
struct Type {
  std::optional<double> weight, delay;
};
using Types = std::map<std::int64_t, Type>;

Types parse_types(std::string_view text, const std::string& where) {
  CsvRows rows(text, where);
  const auto column = [&](const char* name) {
    const auto i = std::find(rows.names().begin(), rows.names().end(), name);
    return static_cast<std::size_t>(i - rows.names().begin());
  };
  const std::size_t id = column("edge_type_id"), none = rows.names().size();
  if (id == none) throw rows.error("the edge types have no column edge_type_id", did_you_mean("edge_type_id", rows.names()));
  Types types;
  while (rows.next()) {
    const auto real = [&](const char* name) -> std::optional<double> {
      const std::size_t c = column(name);
      if (c == none || rows[c].empty() || rows[c] == "NULL") return {};
      const auto value = as_number<double>(rows[c]);
      if (!value) throw rows.error(shown(rows[c]) + " is no number", name);
      return value;
    };
    const auto number = as_number<std::int64_t>(rows[id]);
    if (!number) throw rows.error(shown(rows[id]) + " is no edge_type_id");
    if (!types.emplace(*number, Type{real("syn_weight"), real("delay")}).second)
      throw rows.error("an edge type is there twice", std::to_string(*number));
  }
  return types;
}

// Whole numbers of any type; those beyond int64 are -1.
std::vector<std::int64_t> whole(const Hdf5Columns& file, const std::string& path) {
  const formats::Array a = file.read(path);
  std::vector<std::int64_t> out(a.size());
  const auto copy = [&]<class T>(T) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const T v = formats::load_le<T>(a.bytes.data() + i * sizeof(T));
      out[i] = std::in_range<std::int64_t>(v) ? static_cast<std::int64_t>(v) : -1;
    }
  };
  switch (a.dtype) {
    case formats::DType::u8:
      copy(std::uint8_t{});
      break;
    case formats::DType::i8:
      copy(std::int8_t{});
      break;
    case formats::DType::u16:
      copy(std::uint16_t{});
      break;
    case formats::DType::i16:
      copy(std::int16_t{});
      break;
    case formats::DType::u32:
      copy(std::uint32_t{});
      break;
    case formats::DType::i32:
      copy(std::int32_t{});
      break;
    case formats::DType::u64:
      copy(std::uint64_t{});
      break;
    case formats::DType::i64:
      copy(std::int64_t{});
      break;
    default:
      throw data_error(path + " does not hold whole numbers", file.where());
  }
  return out;
}

std::vector<double> reals(const Hdf5Columns& file, const std::string& path) {
  const formats::Array a = file.read(path);
  std::vector<double> out(a.size());
  if (a.dtype == formats::DType::f64) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = formats::load_le<double>(a.bytes.data() + i * sizeof(double));
    return out;
  }
  const auto floats = a.floats();
  return {floats.begin(), floats.end()};
}

// The rows of one population, and what they share.
class Sonata {
 public:
  Sonata(const Hdf5Columns& file, const std::string& population, const Types& types)
      : file_(file), at_("edges/" + population), types_(types), source_(column("source_node_id")), target_(column("target_node_id")) {
    if (!types.empty() || file.has(at_ + "/edge_type_id")) type_ = column("edge_type_id");
    if (file.has(at_ + "/edge_group_id")) group_ = column("edge_group_id"), index_ = column("edge_group_index");
  }

  SynapseTable table() {
    SynapseTable t;
    for (std::size_t i = 0; i < source_.size(); ++i) t.source.push_back(node(source_[i], i)), t.target.push_back(node(target_[i], i));
    t.weight = attribute("syn_weight", &Type::weight), t.delay = attribute("delay", &Type::delay);
    return t;
  }
  Error error(std::size_t row, const std::string& what) const {
    return data_error(what, file_.where() + ": " + at_ + ", row " + std::to_string(row));
  }

 private:
  std::vector<std::int64_t> column(const char* name) const {
    auto all = whole(file_, at_ + "/" + name);
    if (!source_.empty() && all.size() != source_.size())
      throw data_error(at_ + "/" + name + " has " + std::to_string(all.size()) + " rows, not " + std::to_string(source_.size()),
                       file_.where());
    return all;
  }
  std::uint32_t node(std::int64_t id, std::size_t row) const {
    if (!std::in_range<std::uint32_t>(id)) throw error(row, "a node has no possible number");
    return static_cast<std::uint32_t>(id);
  }
  // Of all edges: from their groups, else from their types. Empty when no edge has it.
  std::vector<double> attribute(const char* name, std::optional<double> Type::*of_type) const {
    std::map<std::int64_t, std::optional<std::vector<double>>> groups;
    std::vector<double> all(source_.size());
    std::size_t found = 0, lacks = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::int64_t id = group_.empty() ? 0 : group_[i], index = group_.empty() ? static_cast<std::int64_t>(i) : index_[i];
      auto group = groups.find(id);
      if (group == groups.end()) {
        if (id < 0 || groups.size() == 256) throw error(i, "there are more than 256 edge groups, or one of a negative number");
        const std::string path = at_ + "/" + std::to_string(id) + "/" + name;
        group = groups.emplace(id, file_.has(path) ? std::optional(reals(file_, path)) : std::nullopt).first;
      }
      if (const auto& values = group->second) {
        if (index < 0 || static_cast<std::uint64_t>(index) >= values->size())
          throw error(i, "group " + std::to_string(id) + " has no " + name + " of index " + std::to_string(index));
        all[i] = (*values)[static_cast<std::size_t>(index)], ++found;
        continue;
      }
      const auto type = type_.empty() ? types_.end() : types_.find(type_[i]);
      if (!types_.empty() && type == types_.end()) throw error(i, "there is no edge type " + std::to_string(type_[i]));
      if (type != types_.end() && type->second.*of_type)
        all[i] = *(type->second.*of_type), ++found;
      else
        lacks = i;
    }
    if (found == 0) return {};
    if (found < all.size()) throw error(lacks, "neither the group nor the type of an edge has a " + std::string(name));
    return all;
  }

  const Hdf5Columns& file_;
  std::string at_;
  const Types& types_;
  std::vector<std::int64_t> source_, target_, type_, group_, index_;
};

std::string text_of(const std::filesystem::path& path) {
  const auto bytes = formats::read_bytes(path, std::size_t{1} << 36);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Edges make_edges(const SynapseTable& t, const EdgeLimits& limits) {
  const std::size_t n = t.source.size();
  if (t.target.size() != n || (!t.weight.empty() && t.weight.size() != n) || (!t.delay.empty() && t.delay.size() != n))
    throw usage_error("the columns of a table of synapses have different lengths");
  Edges e;
  e.first.assign(std::size_t{limits.to.size} + 1, 0);
  for (std::size_t i = 0; i < n; ++i) {
    if (const std::string what = trouble(t, i, limits); !what.empty()) throw usage_error(what, "edge " + std::to_string(i));
    ++e.first[t.target[i] - limits.to.begin + 1];
  }
  for (std::size_t k = 1; k < e.first.size(); ++k) e.first[k] += e.first[k - 1];
  e.source.resize(n), e.weight.resize(t.weight.size()), e.delay.resize(t.delay.size());
  auto next = e.first;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t at = next[t.target[i] - limits.to.begin]++;
    e.source[at] = t.source[i] - limits.from.begin;
    if (!t.weight.empty()) e.weight[at] = t.weight[i];
    if (!t.delay.empty()) e.delay[at] = t.delay[i];
  }
  for (const auto k : e.first) mix(e.fingerprint, k);
  for (const auto s : e.source) mix(e.fingerprint, s);
  for (const auto* values : {&e.weight, &e.delay})
    for (const double v : *values) mix(e.fingerprint, std::bit_cast<std::uint64_t>(v));
  return e;
}

SynapseTable parse_edges_csv(std::string_view text, const std::string& where, const EdgeLimits& limits) {
  static const std::vector<std::string> known{"source", "target", "weight", "delay"};
  CsvRows rows(text, where);
  std::size_t column[4];
  std::fill_n(column, 4, rows.names().size());
  for (std::size_t i = 0; i < rows.names().size(); ++i) {
    const auto k = static_cast<std::size_t>(std::find(known.begin(), known.end(), rows.names()[i]) - known.begin());
    if (k == known.size()) throw rows.error("no column of edges is called " + shown(rows.names()[i]), did_you_mean(rows.names()[i], known));
    if (column[k] < rows.names().size()) throw rows.error("two columns are called '" + known[k] + "'");
    column[k] = i;
  }
  const auto has = [&](std::size_t k) { return column[k] < rows.names().size(); };
  for (std::size_t k = 0; k < 2; ++k)
    if (!has(k))
      throw rows.error("the edges have no column '" + known[k] + "'", "The first line names the columns: source,target,weight,delay");
  SynapseTable t;
  while (rows.next()) {
    const auto neuron = [&](std::size_t k) {
      const auto i = as_number<std::uint32_t>(rows[column[k]]);
      if (!i) throw rows.error(known[k] + " " + shown(rows[column[k]]) + " is no number of a neuron");
      return *i;
    };
    const auto real = [&](std::size_t k) {
      const auto v = as_number<double>(rows[column[k]]);
      if (!v) throw rows.error(known[k] + " " + shown(rows[column[k]]) + " is no number");
      return *v;
    };
    t.source.push_back(neuron(0)), t.target.push_back(neuron(1));
    if (has(2)) t.weight.push_back(real(2));
    if (has(3)) t.delay.push_back(real(3));
    if (const std::string what = trouble(t, t.source.size() - 1, limits); !what.empty()) throw rows.error(what);
  }
  return t;
}

SynapseTable read_edges_csv(const std::filesystem::path& path, const EdgeLimits& limits) {
  return parse_edges_csv(text_of(path), path.string(), limits);
}

void write_edges_csv(const std::filesystem::path& path, const SynapseTable& t) {
  AtomicFile file(path);
  file.write(std::string("source,target") + (t.weight.empty() ? "" : ",weight") + (t.delay.empty() ? "" : ",delay") + "\n");
  for (std::size_t i = 0; i < t.source.size(); ++i) {
    std::string line = std::to_string(t.source[i]) + "," + std::to_string(t.target[i]);
    if (!t.weight.empty()) line += "," + number(t.weight[i], 17);
    if (!t.delay.empty()) line += "," + number(t.delay[i], 17);
    file.write(line + "\n");
  }
  file.commit();
}

SynapseTable parse_sonata_edges(const Hdf5Columns& file, const std::string& population, std::string_view types,
                                const std::string& types_where, const EdgeLimits& limits) {
  const Types of = types.empty() ? Types{} : parse_types(types, types_where);
  Sonata edges(file, population, of);
  SynapseTable t = edges.table();
  for (std::size_t i = 0; i < t.source.size(); ++i)
    if (const std::string what = trouble(t, i, limits); !what.empty()) throw edges.error(i, what);
  return t;
}

SynapseTable read_edges(const std::filesystem::path& path, const std::string& population, const std::filesystem::path& types,
                        const EdgeLimits& limits) {
  static constexpr std::uint8_t magic[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  bool hdf5 = false;
  {
    const MappedFile file(path);
    hdf5 = file.bytes().size() >= sizeof magic && std::equal(std::begin(magic), std::end(magic), file.bytes().begin());
  }
  if (hdf5) {
    if (population.empty())
      throw usage_error("which edge population of the file is not said", path.string(), "Give its name below /edges.");
    return parse_sonata_edges(Hdf5Columns(path), population, types.empty() ? "" : text_of(types), types.string(), limits);
  }
  if (!population.empty() || !types.empty()) throw usage_error("a CSV file has no edge populations and no edge types", path.string());
  return read_edges_csv(path, limits);
}

}  // namespace apical::brain
