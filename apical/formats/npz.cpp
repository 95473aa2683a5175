// NPZ: a zip of NPY files, through libarchive.
#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "apical/base/files.h"
#include "apical/formats/bytes.h"
#include "apical/formats/npy.h"
#include "apical/formats/npy_header.h"

namespace apical::formats {
namespace {

struct Free {
  void operator()(archive* a) const { archive_free(a); }
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

[[noreturn]] void fail(archive* a, const std::string& where) {
  const char* text = archive_error_string(a);
  throw data_error(std::string("the NPZ (zip) file is damaged: ") + (text ? text : "unknown reason"), where, "Get the file again.");
}

// One member, growing with what is really unpacked and never past what its NPY header promises.
std::vector<std::uint8_t> read_member(archive* a, const std::string& where, std::size_t limit) {
  std::vector<std::uint8_t> out;
  NpyHeader h;
  bool known = false;
  for (;;) {
    const void* piece = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int code = archive_read_data_block(a, &piece, &size, &offset);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK) fail(a, where);
    if (static_cast<std::uint64_t>(offset) != out.size()) throw data_error("the zip member has holes", where);
    if (size > limit - out.size()) throw data_error("the NPZ file unpacks to more than the limit", where);
    const auto* p = static_cast<const std::uint8_t*>(piece);
    out.insert(out.end(), p, p + size);
    if (!known) known = parse_npy_header(out, where, h);
    if (known && out.size() - h.offset > h.bytes)
      throw data_error("more bytes follow than the NPY header promises", at_byte(where, h.offset));
    if (!known && out.size() > 2 * npy_header_limit) throw data_error("the NPY header does not end", where);
  }
  return out;
}

}  // namespace

Npz parse_npz(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit) {
  // An archive of nothing is its 22-byte end record alone, which libarchive does not take for a zip.
  const auto zero = [](std::uint8_t b) { return b == 0; };
  if (bytes.size() == 22 && load_le<std::uint32_t>(bytes.data()) == 0x06054b50u && std::all_of(bytes.begin() + 4, bytes.end(), zero))
    return {};
  const std::unique_ptr<archive, Free> a(archive_read_new());
  // The seekable reader alone: it starts from the central directory at the end, so a cut-off file is never half accepted.
  if (!a || archive_read_support_format_zip_seekable(a.get()) != ARCHIVE_OK) throw internal_error("libarchive does not start", where);
  if (bytes.size() < 22 || archive_read_open_memory(a.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    throw data_error("this is not an NPZ (zip) file", where);
  Npz result;
  std::size_t total = 0;
  for (;;) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(a.get(), &entry);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK) fail(a.get(), where);
    const char* raw = archive_entry_pathname(entry);
    std::string member = raw ? raw : "";
    const std::string inside = where + ", member " + member;
    if (archive_entry_filetype(entry) != AE_IFREG || member.size() < 5 || !member.ends_with(".npy"))
      throw data_error("a member of the NPZ file is not an NPY file", inside);
    const std::vector<std::uint8_t> npy = read_member(a.get(), inside, limit - total);
    total += npy.size();
    member.resize(member.size() - 4);
    for (auto& [field, array] : parse_npy_fields(npy, inside))
      if (!result.emplace(field.empty() ? member : member + "." + field, std::move(array)).second)
        throw data_error("the NPZ file has a member twice", inside);
  }
  return result;
}

Npz read_npz(const std::filesystem::path& path, std::size_t limit) {
  const MappedFile file(path);
  return parse_npz(file.bytes(), path.string(), limit);
}

std::vector<std::uint8_t> npz_bytes(const Npz& arrays, bool compress) {
  std::vector<std::uint8_t> out;
  const std::unique_ptr<archive, Free> a(archive_write_new());
  const auto check = [&](int code) {
    if (code != ARCHIVE_OK) throw internal_error(std::string("libarchive does not write: ") + archive_error_string(a.get()));
  };
  const auto sink = [](archive*, void* data, const void* piece, std::size_t size) -> la_ssize_t {
    const auto* p = static_cast<const std::uint8_t*>(piece);
    auto* bytes = static_cast<std::vector<std::uint8_t>*>(data);
    bytes->insert(bytes->end(), p, p + size);
    return static_cast<la_ssize_t>(size);
  };
  if (!a) throw internal_error("libarchive does not start");
  check(archive_write_set_format_zip(a.get()));
  check(compress ? archive_write_zip_set_compression_deflate(a.get()) : archive_write_zip_set_compression_store(a.get()));
  check(archive_write_set_bytes_in_last_block(a.get(), 1));
  check(archive_write_open(a.get(), &out, nullptr, sink, nullptr));
  for (const auto& [key, array] : arrays) {
    if (key.empty() || key.find('\0') != std::string::npos) throw usage_error("an array of an NPZ file needs a name");
    const std::vector<std::uint8_t> npy = npy_bytes(array);
    const std::unique_ptr<archive_entry, Free> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), (key + ".npy").c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(npy.size()));
    check(archive_write_header(a.get(), entry.get()));  // no time is set: same arrays, same bytes
    for (std::size_t at = 0; at < npy.size();) {
      const la_ssize_t n = archive_write_data(a.get(), npy.data() + at, npy.size() - at);
      if (n <= 0) check(ARCHIVE_FATAL);
      at += static_cast<std::size_t>(n);
    }
    check(archive_write_finish_entry(a.get()));
  }
  check(archive_write_close(a.get()));
  return out;
}

void write_npz(const std::filesystem::path& path, const Npz& arrays, bool compress) {
  const auto bytes = npz_bytes(arrays, compress);
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace apical::formats
