#include "apical/formats/idx.h"

#include <string_view>

#include "apical/base/files.h"
#include "apical/formats/bytes.h"

namespace apical::formats {
namespace {

struct Code {
  std::uint8_t code;
  DType dtype;
};
constexpr Code codes[] = {{0x08, DType::u8},  {0x09, DType::i8},  {0x0B, DType::i16},
                          {0x0C, DType::i32}, {0x0D, DType::f32}, {0x0E, DType::f64}};

struct Header {
  Array empty;              // type and shape
  std::size_t offset = 0;   // of the data
  std::uint64_t bytes = 0;  // of the data, as promised
};

Header parse_header(std::span<const std::uint8_t> b, const std::string& where) {
  if (b.size() < 4 || b[0] != 0 || b[1] != 0)
    throw data_error("this is not an IDX file: it must begin with two zero bytes, a type and a number of dimensions", at_byte(where, 0));
  Header h;
  const Code* found = nullptr;
  for (const Code& c : codes)
    if (c.code == b[2]) found = &c;
  if (!found) throw data_error("IDX has no element type " + std::to_string(b[2]), at_byte(where, 2));
  const std::size_t dims = b[3];
  if (dims == 0) throw data_error("the IDX file has no dimensions", at_byte(where, 3));
  h.empty.dtype = found->dtype;
  h.offset = 4 + 4 * dims;
  if (b.size() < h.offset) throw data_error("the IDX header is cut off", at_byte(where, b.size()), "Get the file again.");
  for (std::size_t i = 0; i < dims; ++i) h.empty.shape.push_back(load_be<std::uint32_t>(b.data() + 4 + 4 * i));
  h.bytes = checked_bytes(h.empty.shape, h.empty.dtype, at_byte(where, 4));
  return h;
}

Error length_error(const Header& h, std::uint64_t there, const std::string& where) {
  return data_error("the IDX header promises " + shape_text(h.empty.shape) + " of " + name(h.empty.dtype) + ", " + std::to_string(h.bytes) +
                        " bytes, but " + std::to_string(there) + " follow",
                    at_byte(where, h.offset), "The file is cut off or damaged: get it again.");
}

Array take(Header h, std::span<const std::uint8_t> data) {
  Array a = std::move(h.empty);
  a.bytes.assign(data.begin(), data.end());
  swap_bytes(a.bytes, size_of(a.dtype));
  return a;
}

}  // namespace

Array parse_idx(std::span<const std::uint8_t> bytes, const std::string& where) {
  if (!is_gzip(bytes)) {
    Header h = parse_header(bytes, where);
    const auto data = bytes.subspan(h.offset);
    if (data.size() != h.bytes) throw length_error(h, data.size(), where);
    return take(std::move(h), data);
  }
  // The header's promise bounds what is unpacked, and the packed size bounds what the header may promise.
  Header h = parse_header(gunzip_prefix(bytes, where, 4 + 4 * 255), where);
  const std::uint64_t most = bytes.size() * deflate_max_ratio;
  if (h.bytes > most || h.offset + h.bytes > gunzip_limit)
    throw data_error("the IDX header promises " + shape_text(h.empty.shape) + " of " + name(h.empty.dtype) + ", " +
                         std::to_string(h.bytes) + " bytes, more than " + std::to_string(bytes.size()) + " packed bytes can hold",
                     at_byte(where, 4), "The file is cut off or damaged: get it again.");
  const std::vector<std::uint8_t> plain = gunzip(bytes, where, h.offset + h.bytes);
  const auto data = std::span<const std::uint8_t>(plain).subspan(h.offset);
  if (data.size() != h.bytes) throw length_error(h, data.size(), where);
  return take(std::move(h), data);
}

Array read_idx(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_idx(file.bytes(), path.string());
}

std::vector<std::uint8_t> idx_bytes(const Array& array) {
  array.check("");
  const Code* found = nullptr;
  for (const Code& c : codes)
    if (c.dtype == array.dtype) found = &c;
  if (!found) throw usage_error("IDX cannot hold elements of " + name(array.dtype), "", "It holds u8, i8, i16, i32, f32 and f64.");
  if (array.shape.empty() || array.shape.size() > 255) throw usage_error("IDX holds 1 to 255 dimensions");
  std::vector<std::uint8_t> out{0, 0, found->code, static_cast<std::uint8_t>(array.shape.size())};
  for (const std::uint64_t n : array.shape) {
    if (n > 0xFFFFFFFFu) throw usage_error("a dimension of " + std::to_string(n) + " does not fit IDX's 32 bits");
    append_be(out, static_cast<std::uint32_t>(n));
  }
  const std::size_t offset = out.size();
  out.insert(out.end(), array.bytes.begin(), array.bytes.end());
  swap_bytes(std::span(out).subspan(offset), size_of(array.dtype));
  return out;
}

void write_idx(const std::filesystem::path& path, const Array& array) {
  std::vector<std::uint8_t> bytes = idx_bytes(array);
  if (path.extension() == ".gz") bytes = gzip(bytes);
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace apical::formats
