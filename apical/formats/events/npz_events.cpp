// NPZ of events as tonic and others exchange them: arrays t, x, y and p of one length, or one structured array with these fields, e.g. x
// of member "events" as events.x. Times in us; p above 0 is ON. Source: tonic's events, numpy arrays of dtype (x, y, t, p).
// The format has no place for the sensor's size: ours is an array sensor_size (width, height), which others leave aside.
// Zipped arrays cannot be read piece by piece: memory holds the file and its arrays.
#include <algorithm>
#include <limits>

#include "apical/formats/events/detail.h"
#include "apical/formats/npy.h"

namespace apical::formats::detail {
namespace {

constexpr std::size_t at_once = 4096;
constexpr const char* layout_hint =
    "Events are arrays t, x, y and p of whole numbers, of one dimension and one length, or a structured array of them.";

// Element i of an array of whole numbers.
std::int64_t whole(const Array& a, std::size_t i) {
  const auto at = [&](auto type) { return load_le<decltype(type)>(a.bytes.data() + i * sizeof type); };
  switch (a.dtype) {
    case DType::boolean:
    case DType::u8:
      return at(std::uint8_t{});
    case DType::i8:
      return at(std::int8_t{});
    case DType::u16:
      return at(std::uint16_t{});
    case DType::i16:
      return at(std::int16_t{});
    case DType::u32:
      return at(std::uint32_t{});
    case DType::i32:
      return at(std::int32_t{});
    case DType::u64:  // beyond the last time
      return static_cast<std::int64_t>(std::min<std::uint64_t>(at(std::uint64_t{}), std::numeric_limits<std::int64_t>::max()));
    default:
      return at(std::int64_t{});
  }
}
bool is_whole(DType type) {
  return type != DType::f16 && type != DType::bf16 && type != DType::f32 && type != DType::f64;
}

class NpzReader final : public ReaderBase {
 public:
  explicit NpzReader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::npz) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(in_.size()));
    bytes.resize(in_.source().read_at(0, bytes.data(), bytes.size()));
    const std::string& where = in_.source().name();
    Npz arrays = parse_npz(bytes, where);
    in_.skip(bytes.size());
    static constexpr const char* names[] = {"t", "x", "y", "p"};
    const std::string prefix = prefix_of(arrays);
    for (std::size_t k = 0; k < 4; ++k) {
      const auto found = arrays.find(prefix + names[k]);
      if (found == arrays.end()) throw data_error("the NPZ file has no array '" + prefix + names[k] + "' of events", where, layout_hint);
      columns_[k] = std::move(found->second);
      const Array& a = columns_[k];
      if (a.shape.size() != 1 || !is_whole(a.dtype) || a.shape[0] != columns_[0].shape[0])
        throw data_error("the array '" + prefix + names[k] + "' " + shape_text(a.shape) + " of " + formats::name(a.dtype) + " holds no events",
                         where, layout_hint);
    }
    if (const auto size = arrays.find("sensor_size"); size != arrays.end() && is_whole(size->second.dtype) && size->second.size() >= 2) {
      const std::int64_t w = whole(size->second, 0), h = whole(size->second, 1);
      if (w > 0 && h > 0 && w <= 65536 && h <= 65536) {
        info_.width = static_cast<int>(w);
        info_.height = static_cast<int>(h);
      }
    }
  }

 private:
  // "" for arrays, "events." for the first structured array that has a field t.
  static std::string prefix_of(const Npz& arrays) {
    if (arrays.count("t") > 0) return {};
    for (const auto& [name, array] : arrays)
      if (name.ends_with(".t")) return name.substr(0, name.size() - 1);
    return {};
  }
  bool decode() override {
    const std::size_t end = std::min<std::size_t>(columns_[0].size(), next_ + at_once);
    if (next_ == end) return false;
    for (; next_ < end; ++next_) {
      const std::int64_t x = whole(columns_[1], next_), y = whole(columns_[2], next_);
      if (x < 0 || y < 0 || ((x | y) >> 16) != 0)
        ++info_.outside;
      else
        emit(whole(columns_[0], next_), static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), whole(columns_[3], next_) > 0);
    }
    return true;
  }

  Array columns_[4];
  std::size_t next_ = 0;
};

class NpzWriter final : public WriterBase {
 public:
  NpzWriter(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::npz, width, height) {}

 private:
  void encode(const Event& e) override {
    t_.push_back(e.t);
    x_.push_back(e.x);
    y_.push_back(e.y);
    p_.push_back(e.polarity);
  }
  void close() override {
    const std::int32_t size[] = {width_, height_};
    Npz arrays;
    arrays["t"] = Array::of<std::int64_t>({t_.size()}, t_);
    arrays["x"] = Array::of<std::uint16_t>({x_.size()}, x_);
    arrays["y"] = Array::of<std::uint16_t>({y_.size()}, y_);
    arrays["p"] = Array::of<std::uint8_t>({p_.size()}, p_);
    arrays["sensor_size"] = Array::of<std::int32_t>({2}, size);
    const auto bytes = npz_bytes(arrays);
    file_.write(bytes.data(), bytes.size());
  }

  std::vector<std::int64_t> t_;
  std::vector<std::uint16_t> x_, y_;
  std::vector<std::uint8_t> p_;
};

}  // namespace

std::unique_ptr<EventReader> open_npz(std::shared_ptr<ByteSource> source) { return std::make_unique<NpzReader>(std::move(source)); }
std::unique_ptr<EventWriter> create_npz(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<NpzWriter>(path, width, height);
}

}  // namespace apical::formats::detail
