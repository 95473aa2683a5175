#include "apical/formats/npy.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <limits>
#include <string_view>

#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/formats/bytes.h"
#include "apical/formats/npy_header.h"

namespace apical::formats {
namespace {

struct Descr {
  const char* code;
  DType dtype;
};
constexpr Descr descrs[] = {{"b1", DType::boolean}, {"u1", DType::u8},  {"i1", DType::i8},  {"u2", DType::u16},
                            {"i2", DType::i16},     {"u4", DType::u32}, {"i4", DType::i32}, {"u8", DType::u64},
                            {"i8", DType::i64},     {"f2", DType::f16}, {"f4", DType::f32}, {"f8", DType::f64}};

// A strict reader of the one dict literal NPY allows. Positions are offsets in the file.
class Literal {
 public:
  Literal(std::string_view text, std::size_t base, const std::string& where) : text_(text), base_(base), where_(where) {}

  void read(NpyHeader& h) {
    bool have[3] = {};
    expect('{');
    while (peek() != '}') {
      const std::string key = string();
      expect(':');
      const int k = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (k < 0) fail("the NPY header has an unknown key '" + key + "'");
      if (have[k]) fail("the NPY header has the key '" + key + "' twice");
      have[k] = true;
      if (k == 0) descr(h);
      if (k == 1) h.fortran = boolean();
      if (k == 2) h.shape = tuple();
      if (peek() == '}') break;
      expect(',');
    }
    expect('}');
    skip();
    if (at_ != text_.size()) fail("text follows the dict of the NPY header");
    if (!have[0] || !have[1] || !have[2]) fail("the NPY header needs descr, fortran_order and shape");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw data_error(what, at_byte(where_, base_ + at_)); }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  void expect(char c) {
    if (peek() != c) fail(std::string("the NPY header needs '") + c + "' here");
    ++at_;
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("the NPY header needs a quoted word here");
    const std::size_t end = text_.find(quote, ++at_);
    if (end == std::string_view::npos || end - at_ > 64) fail("a quoted word of the NPY header does not end");
    std::string s(text_.substr(at_, end - at_));
    if (s.find('\\') != std::string::npos) fail("the NPY header has an escape in a word");
    at_ = end + 1;
    return s;
  }
  bool boolean() {
    skip();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return value;
      }
    }
    fail("fortran_order of the NPY header must be True or False");
  }
  std::uint64_t integer() {
    skip();
    const std::size_t from = at_;
    std::uint64_t v = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      if (__builtin_mul_overflow(v, std::uint64_t{10}, &v) || __builtin_add_overflow(v, static_cast<std::uint64_t>(text_[at_] - '0'), &v))
        fail("a dimension of the NPY header is too large");
      ++at_;
    }
    if (at_ == from || (text_[from] == '0' && at_ - from > 1)) fail("the shape of the NPY header needs whole numbers");
    return v;
  }
  // (), (3,) or (3, 4) with an optional comma at the end; (3) is a number in Python and is refused.
  std::vector<std::uint64_t> tuple() {
    std::vector<std::uint64_t> shape;
    bool comma = false;
    expect('(');
    while (peek() != ')') {
      if (!shape.empty() && !comma) fail("the shape of the NPY header needs a comma here");
      shape.push_back(integer());
      if (shape.size() > 64) fail("the NPY header has more than 64 dimensions");
      if ((comma = peek() == ',')) ++at_;
    }
    if (shape.size() == 1 && !comma) fail("the shape of the NPY header is no tuple");
    ++at_;
    return shape;
  }
  void descr(NpyHeader& h) {
    if (peek() == '[') return fields(h);
    type(string(), h.dtype, h.big_endian);
  }
  // [('x', '<i2'), ('', '|V2'), ...]
  void fields(NpyHeader& h) {
    expect('[');
    while (peek() != ']') {
      expect('(');
      NpyField f;
      f.name = string();
      expect(',');
      const std::string code = string();
      expect(')');
      if (f.name.empty() && code.starts_with("|V")) {
        f.size = as_number<std::size_t>(std::string_view(code).substr(2)).value_or(0);
        if (f.size < 1 || f.size > 1 << 16) fail("the NPY type has strange padding");
      } else {
        type(code, f.dtype, f.big_endian);
        f.size = size_of(f.dtype);
        const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
        if (f.name.empty() || !std::all_of(f.name.begin(), f.name.end(), plain) ||
            std::any_of(h.fields.begin(), h.fields.end(), [&](const NpyField& g) { return g.name == f.name; }))
          fail("a field of the NPY type needs a name of its own, of letters, digits and _");
      }
      h.fields.push_back(std::move(f));
      if (h.fields.size() > 256) fail("the NPY type has more than 256 fields");
      if (peek() != ']') expect(',');
    }
    expect(']');
    if (h.fields.empty()) fail("the NPY type has no fields");
  }
  void type(const std::string& s, DType& dtype, bool& big_endian) {
    if (s.find('O') != std::string::npos) fail("NPY files of pickled Python objects are refused");
    for (const Descr& d : descrs) {
      if (s.size() != 3 || s.substr(1) != d.code) continue;
      const char order = s[0];
      if (order != '<' && order != '>' && order != '=' && !(order == '|' && size_of(d.dtype) == 1)) break;
      dtype = d.dtype;
      big_endian = order == '>';
      return;
    }
    fail("the NPY type '" + s + "' is not supported");
  }

  std::string_view text_;
  std::size_t base_, at_ = 0;
  const std::string& where_;
};

// Reorders between Fortran and C order: `to_c` tells the direction.
std::vector<std::uint8_t> transpose(std::span<const std::uint8_t> in, std::span<const std::uint64_t> shape, std::size_t item, bool to_c) {
  std::vector<std::uint8_t> out(in.size());
  if (in.empty()) return out;
  std::vector<std::size_t> stride(shape.size()), index(shape.size(), 0);  // stride of the Fortran side, in items
  std::size_t product = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    stride[d] = product;
    product *= shape[d];
  }
  std::size_t f = 0;
  for (std::size_t c = 0; c * item < in.size(); ++c) {
    if (to_c)
      std::memcpy(out.data() + c * item, in.data() + f * item, item);
    else
      std::memcpy(out.data() + f * item, in.data() + c * item, item);
    for (std::size_t d = shape.size(); d-- > 0;) {  // count up, last dimension fastest
      f += stride[d];
      if (++index[d] < shape[d]) break;
      f -= stride[d] * index[d];
      index[d] = 0;
    }
  }
  return out;
}

std::uint64_t record_size(const NpyHeader& h) {
  std::uint64_t size = 0;
  for (const NpyField& f : h.fields) size += f.size;
  return size;
}

constexpr std::uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

}  // namespace

bool parse_npy_header(std::span<const std::uint8_t> b, const std::string& where, NpyHeader& h) {
  const std::size_t seen = std::min<std::size_t>(b.size(), 6);
  if (!std::equal(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(seen), magic))
    throw data_error("this is not an NPY file", at_byte(where, 0));
  if (b.size() < 8) return false;
  const int version = b[6];
  if (version < 1 || version > 3 || b[7] != 0)
    throw data_error("NPY version " + std::to_string(b[6]) + "." + std::to_string(b[7]) + " is unknown", at_byte(where, 6));
  const std::size_t start = version == 1 ? 10 : 12;
  if (b.size() < start) return false;
  const std::size_t length = version == 1 ? load_le<std::uint16_t>(b.data() + 8) : load_le<std::uint32_t>(b.data() + 8);
  if (length > npy_header_limit) throw data_error("the NPY header has " + std::to_string(length) + " bytes", at_byte(where, 8));
  if (b.size() - start < length) return false;
  Literal({reinterpret_cast<const char*>(b.data()) + start, length}, start, where).read(h);
  h.offset = start + length;
  h.bytes = checked_bytes(h.shape, h.fields.empty() ? h.dtype : DType::u8, at_byte(where, start));
  if (!h.fields.empty() && __builtin_mul_overflow(h.bytes, record_size(h), &h.bytes))
    throw data_error("the shape of the NPY header is too large", at_byte(where, start));
  return true;
}

namespace {

// Header and elements, as many as it promises.
std::span<const std::uint8_t> elements(std::span<const std::uint8_t> bytes, const std::string& where, bool structured, NpyHeader& h) {
  if (!parse_npy_header(bytes, where, h))
    throw data_error("the NPY header is cut off", at_byte(where, bytes.size()), "Get the file again.");
  if (!structured && !h.fields.empty()) throw data_error("structured NPY types are not supported here", at_byte(where, 10));
  const auto data = bytes.subspan(h.offset);
  if (data.size() != h.bytes)
    throw data_error("the NPY header promises " + shape_text(h.shape) + " of " + (h.fields.empty() ? name(h.dtype) : "records") + ", " +
                         std::to_string(h.bytes) + " bytes, but " + std::to_string(data.size()) + " follow",
                     at_byte(where, h.offset), "The file is cut off or damaged.");
  return data;
}

Array finished(Array a, bool big_endian, const std::string& where) {
  if (big_endian) swap_bytes(a.bytes, size_of(a.dtype));
  if (a.dtype == DType::boolean)
    if (const auto bad = std::find_if(a.bytes.begin(), a.bytes.end(), [](std::uint8_t v) { return v > 1; }); bad != a.bytes.end())
      throw data_error("a bool of the NPY file is neither 0 nor 1", where);
  return a;
}

}  // namespace

Array parse_npy(std::span<const std::uint8_t> bytes, const std::string& where) {
  NpyHeader h;
  const auto data = elements(bytes, where, false, h);
  Array a{h.dtype, std::move(h.shape), {}};
  if (h.fortran)
    a.bytes = transpose(data, a.shape, size_of(h.dtype), true);
  else
    a.bytes.assign(data.begin(), data.end());
  return finished(std::move(a), h.big_endian, where);
}

Npz parse_npy_fields(std::span<const std::uint8_t> bytes, const std::string& where) {
  NpyHeader h;
  const auto data = elements(bytes, where, true, h);
  if (h.fields.empty()) return {{"", parse_npy(bytes, where)}};
  const auto record = static_cast<std::size_t>(record_size(h));
  const auto moved = h.fortran ? transpose(data, h.shape, record, true) : std::vector<std::uint8_t>();
  const std::uint8_t* from = h.fortran ? moved.data() : data.data();
  Npz result;
  std::size_t at = 0;
  for (const NpyField& f : h.fields) {
    if (!f.name.empty()) {
      Array a{f.dtype, h.shape, std::vector<std::uint8_t>(data.size() / record * f.size)};
      for (std::size_t i = 0; i < data.size() / record; ++i) std::memcpy(a.bytes.data() + i * f.size, from + i * record + at, f.size);
      result.emplace(f.name, finished(std::move(a), f.big_endian, where));
    }
    at += f.size;
  }
  return result;
}

Array read_npy(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_npy(file.bytes(), path.string());
}

std::vector<std::uint8_t> npy_header(DType dtype, std::span<const std::uint64_t> shape, NpyLayout layout) {
  std::string code;
  for (const Descr& d : descrs)
    if (d.dtype == dtype) code = d.code;
  if (code.empty()) throw usage_error("NPY cannot hold elements of " + name(dtype));
  if (layout.version < 0 || layout.version > 3) throw usage_error("NPY has the versions 1, 2 and 3");
  if (shape.size() > 64) throw usage_error("NPY holds at most 64 dimensions");
  std::string text = "{'descr': '" +
                     std::string(size_of(dtype) == 1 ? "|"
                                 : layout.big_endian ? ">"
                                                     : "<") +
                     code + "', 'fortran_order': " + (layout.fortran ? "True" : "False") + ", 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  const int version = layout.version ? layout.version : 1;  // 64 dimensions of 20 digits fit version 1
  const std::size_t start = version == 1 ? 10 : 12;
  text.append(63 - (start + text.size()) % 64, ' ');  // the data start at a multiple of 64
  text += '\n';
  std::vector<std::uint8_t> out(std::begin(magic), std::end(magic));
  out.push_back(static_cast<std::uint8_t>(version));
  out.push_back(0);
  if (version == 1)
    append_le(out, static_cast<std::uint16_t>(text.size()));
  else
    append_le(out, static_cast<std::uint32_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
  return out;
}

std::vector<std::uint8_t> npy_bytes(const Array& array, NpyLayout layout) {
  array.check("");
  const std::size_t item = size_of(array.dtype);
  auto out = npy_header(array.dtype, array.shape, layout);
  const std::size_t offset = out.size();
  if (layout.fortran) {
    const auto moved = transpose(array.bytes, array.shape, item, false);
    out.insert(out.end(), moved.begin(), moved.end());
  } else {
    out.insert(out.end(), array.bytes.begin(), array.bytes.end());
  }
  if (layout.big_endian) swap_bytes(std::span(out).subspan(offset), item);
  return out;
}

void write_npy(const std::filesystem::path& path, const Array& array, NpyLayout layout) {
  const auto bytes = npy_bytes(array, layout);
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace apical::formats
