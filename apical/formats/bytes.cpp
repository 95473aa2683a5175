#include "apical/formats/bytes.h"

#include <zlib.h>

#include <algorithm>

#include "apical/base/error.h"
#include "apical/base/files.h"

namespace apical::formats {
namespace {

// One z_stream that ends itself.
struct Inflater {
  z_stream z{};
  explicit Inflater(const std::string& where) {
    if (inflateInit2(&z, 15 + 16) != Z_OK) throw internal_error("zlib does not start", where);
  }
  ~Inflater() { inflateEnd(&z); }
};

// Unpacks until the end, or until more than `limit` bytes are there: then `complete` is false and `limit` + 1 or more bytes return.
std::vector<std::uint8_t> inflate_all(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit, bool& complete) {
  Inflater s(where);
  std::vector<std::uint8_t> out;
  std::size_t in_at = 0, out_at = 0;
  complete = false;
  for (;;) {
    if (out_at > limit) break;
    if (out_at == out.size()) out.resize(out_at + std::clamp<std::size_t>(out_at, std::size_t{1} << 16, std::size_t{1} << 26));
    // zlib counts in unsigned int: hand it at most 1 GiB at a time.
    const std::size_t in_size = std::min<std::size_t>(bytes.size() - in_at, std::size_t{1} << 30);
    const std::size_t out_size = std::min<std::size_t>(out.size() - out_at, std::size_t{1} << 30);
    s.z.next_in = const_cast<Bytef*>(bytes.data() + in_at);
    s.z.avail_in = static_cast<uInt>(in_size);
    s.z.next_out = out.data() + out_at;
    s.z.avail_out = static_cast<uInt>(out_size);
    const int code = inflate(&s.z, Z_NO_FLUSH);
    in_at += in_size - s.z.avail_in;
    out_at += out_size - s.z.avail_out;
    if (code == Z_STREAM_END) {
      if (in_at == bytes.size()) {
        complete = true;
        break;
      }
      if (!is_gzip(bytes.subspan(in_at))) throw data_error("bytes that are not gzip follow the gzip data", at_byte(where, in_at));
      if (inflateReset(&s.z) != Z_OK) throw internal_error("zlib does not start again", where);
    } else if (code == Z_BUF_ERROR || (code == Z_OK && in_at == bytes.size() && s.z.avail_out != 0)) {
      throw data_error("the gzip data are cut off", at_byte(where, in_at), "Get the file again.");
    } else if (code != Z_OK) {
      throw data_error(std::string("the gzip data are damaged: ") + (s.z.msg ? s.z.msg : "zlib error"), at_byte(where, in_at),
                       "Get the file again.");
    }
  }
  out.resize(out_at);
  return out;
}

}  // namespace

void swap_bytes(std::span<std::uint8_t> bytes, std::size_t size) noexcept {
  if (size < 2) return;
  for (std::size_t i = 0; i + size <= bytes.size(); i += size) std::reverse(bytes.data() + i, bytes.data() + i + size);
}

std::string at_byte(const std::string& where, std::uint64_t offset) { return where + ", byte " + std::to_string(offset); }

bool is_gzip(std::span<const std::uint8_t> bytes) noexcept { return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b; }

std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit) {
  bool complete = false;
  std::vector<std::uint8_t> out = inflate_all(bytes, where, limit, complete);
  if (out.size() > limit || !complete) throw data_error("the file unpacks to more than " + std::to_string(limit) + " bytes", where);
  return out;
}

std::vector<std::uint8_t> gunzip_prefix(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t count) {
  bool complete = false;
  std::vector<std::uint8_t> out = inflate_all(bytes, where, count, complete);
  if (out.size() > count) out.resize(count);
  return out;
}

std::vector<std::uint8_t> gzip(std::span<const std::uint8_t> bytes, int level) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw internal_error("zlib does not start");
  std::vector<std::uint8_t> out;
  std::size_t at = 0;
  std::vector<std::uint8_t> piece(std::size_t{1} << 16);
  int code = Z_OK;
  do {
    const std::size_t in_size = std::min<std::size_t>(bytes.size() - at, std::size_t{1} << 30);
    z.next_in = const_cast<Bytef*>(bytes.data() + at);
    z.avail_in = static_cast<uInt>(in_size);
    z.next_out = piece.data();
    z.avail_out = static_cast<uInt>(piece.size());
    code = deflate(&z, at + in_size == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    at += in_size - z.avail_in;
    out.insert(out.end(), piece.begin(), piece.end() - z.avail_out);
  } while (code == Z_OK);
  deflateEnd(&z);
  if (code != Z_STREAM_END) throw internal_error("zlib does not pack: code " + std::to_string(code));
  return out;
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path, std::size_t limit) {
  std::vector<std::uint8_t> bytes = read_file(path, limit);
  return is_gzip(bytes) ? gunzip(bytes, path.string(), limit) : bytes;
}

}  // namespace apical::formats
