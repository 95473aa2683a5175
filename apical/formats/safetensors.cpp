#include "apical/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "apical/base/text.h"
#include "apical/formats/bytes.h"

namespace apical::formats {
namespace {

constexpr std::uint64_t header_limit = 100'000'000;  // the official reader's MAX_HEADER_SIZE

struct Tag {
  const char* text;
  DType dtype;
};
constexpr std::array<Tag, 13> tags{{{"BOOL", DType::boolean},
                                    {"U8", DType::u8},
                                    {"I8", DType::i8},
                                    {"U16", DType::u16},
                                    {"I16", DType::i16},
                                    {"U32", DType::u32},
                                    {"I32", DType::i32},
                                    {"U64", DType::u64},
                                    {"I64", DType::i64},
                                    {"F16", DType::f16},
                                    {"BF16", DType::bf16},
                                    {"F32", DType::f32},
                                    {"F64", DType::f64}}};

const char* tag(DType dtype) {
  for (const Tag& t : tags)
    if (t.dtype == dtype) return t.text;
  return "";
}

struct Entry {
  std::optional<DType> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

// Reads the header as a stream of JSON events, so that neither depth nor size of foreign JSON costs memory: the form is
// {name: {dtype: text, shape: [n...], data_offsets: [begin, end]}..., "__metadata__": {key: text...}} and nothing else.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::map<std::string, Entry> tensors;
  SafeTensors::Metadata metadata;
  std::string problem;     // empty when all is well
  std::size_t offset = 0;  // of a syntax error, in the header

  bool start_object(std::size_t) override {
    if (in_array_ || depth_ >= 2) return refuse("a JSON object stands where none belongs");
    if (depth_ == 1 && !in_metadata_) entry_ = &tensors.at(key_);
    ++depth_;
    field_.clear();
    return true;
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 1) {
      if (entry_ && (!entry_->dtype || !entry_->shape || !entry_->offsets))
        return refuse("tensor '" + key_ + "' needs dtype, shape and data_offsets");
      entry_ = nullptr;
      in_metadata_ = waiting_ = false;
    }
    return true;
  }
  bool key(std::string& text) override {
    if (depth_ == 1) {
      key_ = text;
      waiting_ = true;
      in_metadata_ = text == "__metadata__";
      if (in_metadata_ ? std::exchange(metadata_seen_, true) : !tensors.try_emplace(text).second)
        return refuse("the key '" + text + "' stands twice in the header");
      return true;
    }
    field_ = text;
    if (in_metadata_) {
      if (!metadata.try_emplace(text).second) return refuse("the key '" + text + "' stands twice in __metadata__");
      return true;
    }
    const bool twice =
        (text == "dtype" && entry_->dtype) || (text == "shape" && entry_->shape) || (text == "data_offsets" && entry_->offsets);
    if (twice) return refuse("tensor '" + key_ + "' has " + text + " twice");
    if (text != "dtype" && text != "shape" && text != "data_offsets")
      return refuse("tensor '" + key_ + "' has an unknown field '" + text + "'");
    return true;
  }
  bool string(std::string& text) override {
    if (depth_ != 2 || in_array_) return refuse_value();
    if (in_metadata_) {
      metadata[field_] = text;
      return true;
    }
    if (field_ != "dtype") return refuse_value();
    for (const Tag& t : tags)
      if (text == t.text) entry_->dtype = t.dtype;
    return entry_->dtype ? true : refuse("tensor '" + key_ + "' has the unsupported type '" + text + "'");
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || (field_ != "shape" && field_ != "data_offsets")) return refuse_value();
    in_array_ = true;
    numbers_.clear();
    return true;
  }
  bool number_unsigned(std::uint64_t value) override {
    if (!in_array_) return refuse_value();
    if (numbers_.size() == 64) return refuse("tensor '" + key_ + "' has more than 64 dimensions or offsets");
    numbers_.push_back(value);
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    if (field_ == "shape")
      entry_->shape = numbers_;
    else if (numbers_.size() == 2)
      entry_->offsets = numbers_;
    else
      return refuse("tensor '" + key_ + "' needs two data_offsets");
    return true;
  }
  bool null() override { return refuse_value(); }
  bool boolean(bool) override { return refuse_value(); }
  bool number_integer(std::int64_t) override { return refuse_value(); }
  bool number_float(double, const std::string&) override { return refuse_value(); }
  bool binary(nlohmann::json::binary_t&) override { return refuse_value(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& e) override {
    // The library's text repeats the bytes it stumbled over; only its reason is of use.
    const std::string text = e.what();
    const std::size_t cut = text.find("syntax error");
    problem = "the header is not valid JSON: " + (cut == std::string::npos ? text : text.substr(cut, text.find("; last read") - cut));
    offset = position ? position - 1 : 0;
    return false;
  }

 private:
  bool refuse(std::string what) {
    problem = std::move(what);
    return false;
  }
  bool refuse_value() {
    if (in_metadata_ && depth_ == 2) return refuse("__metadata__ holds something that is not text at '" + field_ + "'");
    if (in_metadata_ && waiting_) return refuse("__metadata__ must map text to text");
    return refuse(depth_ == 0 ? "the header is not a JSON object" : "the header has a value of the wrong kind at '" + key_ + "'");
  }

  int depth_ = 0;
  bool in_array_ = false, in_metadata_ = false, metadata_seen_ = false, waiting_ = false;
  std::string key_, field_;
  Entry* entry_ = nullptr;
  std::vector<std::uint64_t> numbers_;
};

// The checks of the official reader: in order of offset the tensors touch each other, and the last ends with the file.
void check_offsets(const std::map<std::string, Entry>& tensors, std::uint64_t size, const std::string& where) {
  std::vector<std::pair<std::array<std::uint64_t, 2>, const std::string*>> order;
  for (const auto& [key, e] : tensors) {
    const std::uint64_t begin = (*e.offsets)[0], end = (*e.offsets)[1];
    const std::string at = where + ", tensor '" + key + "'";
    if (begin > end || end > size)
      throw data_error("data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "] lie outside the " + std::to_string(size) +
                           " data bytes of the file",
                       at, "The file is cut off or damaged.");
    const std::uint64_t wanted = checked_bytes(*e.shape, *e.dtype, at);
    if (wanted != end - begin)
      throw data_error(std::string(tag(*e.dtype)) + " " + shape_text(*e.shape) + " has " + std::to_string(wanted) +
                           " bytes, but the data_offsets span " + std::to_string(end - begin),
                       at);
    order.push_back({{begin, end}, &key});
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::uint64_t at = 0;
  for (const auto& [range, key] : order) {
    if (range[0] != at)
      throw data_error(range[0] < at ? "the tensor overlaps the one before it" : "there is a hole before the tensor",
                       where + ", tensor '" + *key + "'");
    at = range[1];
  }
  if (at != size)
    throw data_error("the tensors end at data byte " + std::to_string(at) + ", but the file has " + std::to_string(size), where);
}

struct Plan {
  std::string header;                     // 8 length bytes, JSON, padding
  std::vector<const NamedTensor*> order;  // of the data
};

Plan plan(std::span<const NamedTensor> tensors, const SafeTensors::Metadata& metadata) {
  Plan p;
  std::set<std::string_view> names;
  for (const NamedTensor& t : tensors) {
    if (t.name == "__metadata__") throw usage_error("a tensor cannot be called __metadata__");
    if (!names.insert(t.name).second) throw usage_error("two tensors are called '" + t.name + "'");
    if (t.shape.size() > 64) throw usage_error("tensor '" + t.name + "' has more than 64 dimensions");
    const std::uint64_t wanted = checked_bytes(t.shape, t.dtype, "tensor '" + t.name + "'");
    if (wanted != t.bytes.size())
      throw usage_error("tensor '" + t.name + "' of " + tag(t.dtype) + " " + shape_text(t.shape) + " has " + std::to_string(wanted) +
                        " bytes, not " + std::to_string(t.bytes.size()));
    p.order.push_back(&t);
  }
  std::sort(p.order.begin(), p.order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return size_of(a->dtype) != size_of(b->dtype) ? size_of(a->dtype) > size_of(b->dtype) : a->name < b->name;
  });
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  std::string body = "{";
  try {  // assembled by hand around dump(): ordered_json looks a key up by walking through all of them
    if (!metadata.empty()) {
      body = json.dump();
      body.back() = ',';
    }
    std::uint64_t at = 0;
    for (const NamedTensor* t : p.order) {
      body += nlohmann::json(t->name).dump() + ":{\"dtype\":\"" + tag(t->dtype) + "\",\"shape\":" + nlohmann::json(t->shape).dump() +
              ",\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + t->bytes.size()) + "]},";
      at += t->bytes.size();
    }
  } catch (const nlohmann::json::exception&) {
    throw usage_error("a name or a metadata text is not valid UTF-8");
  }
  if (body.back() == ',') body.pop_back();
  body += '}';
  body.append((8 - body.size() % 8) % 8, ' ');
  if (body.size() > header_limit)
    throw usage_error("the safetensors header would have " + std::to_string(body.size()) + " bytes, more than 100 MB");
  const std::uint64_t length = body.size();
  p.header.assign(reinterpret_cast<const char*>(&length), 8);
  p.header += body;
  return p;
}

}  // namespace

SafeTensors SafeTensors::parse(std::span<const std::uint8_t> bytes, const std::string& where) {
  if (bytes.size() < 8) throw data_error("the file is too short for safetensors", at_byte(where, bytes.size()));
  const auto length = load_le<std::uint64_t>(bytes.data());
  if (length > header_limit)
    throw data_error("the safetensors header claims " + std::to_string(length) + " bytes, more than the allowed 100 MB", at_byte(where, 0),
                     "This is not a safetensors file, or it is damaged.");
  if (length > bytes.size() - 8)
    throw data_error(
        "the safetensors header claims " + std::to_string(length) + " bytes, but the file ends after " + std::to_string(bytes.size() - 8),
        at_byte(where, 8), "The file is cut off: get it again.");
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + 8;
  if (length == 0 || *text != '{') throw data_error("the safetensors header does not begin with '{'", at_byte(where, 8));
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(text, text + length, &reader))
    throw data_error(reader.problem.empty() ? "the safetensors header is not understood" : reader.problem,
                     at_byte(where, 8 + reader.offset));
  const auto data = bytes.subspan(8 + length);
  check_offsets(reader.tensors, data.size(), where);
  SafeTensors s;
  s.where_ = where;
  s.metadata_ = std::move(reader.metadata);
  for (auto& [key, e] : reader.tensors) {
    const auto begin = static_cast<std::size_t>((*e.offsets)[0]), end = static_cast<std::size_t>((*e.offsets)[1]);
    s.tensors_.emplace_hint(s.tensors_.end(), key, TensorView{*e.dtype, std::move(*e.shape), data.subspan(begin, end - begin)});
  }
  return s;
}

SafeTensors SafeTensors::open(const std::filesystem::path& path) {
  auto map = std::make_shared<const MappedFile>(path);
  SafeTensors s = parse(map->bytes(), path.string());
  s.map_ = std::move(map);
  return s;
}

const TensorView& SafeTensors::at(std::string_view tensor) const {
  const auto found = tensors_.find(tensor);
  if (found != tensors_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [key, view] : tensors_) names.push_back(key);
  throw data_error("there is no tensor '" + std::string(tensor) + "'", where_, did_you_mean(tensor, names));
}

const TensorView& SafeTensors::at(std::string_view tensor, DType dtype, std::span<const std::uint64_t> shape) const {
  const TensorView& t = at(tensor);
  if (t.dtype != dtype || !std::equal(t.shape.begin(), t.shape.end(), shape.begin(), shape.end()))
    throw data_error("tensor '" + std::string(tensor) + "' is " + name(t.dtype) + " " + shape_text(t.shape) + ", expected " + name(dtype) +
                         " " + shape_text(shape),
                     where_);
  return t;
}

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors, const SafeTensors::Metadata& metadata) {
  const Plan p = plan(tensors, metadata);
  AtomicFile file(path);
  file.write(p.header);
  constexpr std::size_t piece = std::size_t{1} << 20;  // AtomicFile buffers what it is handed: keep that small
  for (const NamedTensor* t : p.order)
    for (std::size_t at = 0; at < t->bytes.size(); at += piece) file.write(t->bytes.data() + at, std::min(piece, t->bytes.size() - at));
  file.commit();
}

std::vector<std::uint8_t> safetensors_bytes(std::span<const NamedTensor> tensors, const SafeTensors::Metadata& metadata) {
  const Plan p = plan(tensors, metadata);
  std::vector<std::uint8_t> out(p.header.begin(), p.header.end());
  for (const NamedTensor* t : p.order) out.insert(out.end(), t->bytes.begin(), t->bytes.end());
  return out;
}

}  // namespace apical::formats
