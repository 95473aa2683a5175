#include "apical/formats/png.h"

#include <png.h>
#include <zlib.h>

#include <csetjmp>
#include <cstring>
#include <string_view>
#include <utility>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/formats/bytes.h"

namespace apical::formats {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr int largest_side = 1 << 16;

// What libpng's callbacks see. libpng leaves by longjmp, so between setjmp and any libpng call there live no C++ objects
// with destructors: functions marked "C rules" hold plain values and pointers only, and callbacks never throw.
struct Context {
  std::span<const std::uint8_t> in;
  std::size_t at = 0;
  Bytes* out = nullptr;
  bool no_memory = false;
  char message[160] = {};
};

void on_error(png_structp png, png_const_charp text) {
  auto* c = static_cast<Context*>(png_get_error_ptr(png));
  std::strncpy(c->message, text, sizeof c->message - 1);
  longjmp(png_jmpbuf(png), 1);
}
void on_warning(png_structp, png_const_charp) {}
void on_read(png_structp png, png_bytep to, png_size_t n) {
  auto* c = static_cast<Context*>(png_get_io_ptr(png));
  if (n > c->in.size() - c->at) {
    c->at = c->in.size();
    png_error(png, "the file is cut off");
  }
  std::memcpy(to, c->in.data() + c->at, n);
  c->at += n;
}
void on_write(png_structp png, png_bytep from, png_size_t n) {
  auto* c = static_cast<Context*>(png_get_io_ptr(png));
  try {
    c->out->insert(c->out->end(), from, from + n);
  } catch (...) {
    c->no_memory = true;
  }
  if (c->no_memory) png_error(png, "out of memory");
}
void on_flush(png_structp) {}

// Reads the header and asks for 8-bit grey, RGB or RGBA. C rules.
bool start_read(png_structp png, png_infop info, Context* c, Image* image, std::uint64_t* row_bytes) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, c, on_read);
  png_set_user_limits(png, largest_side, largest_side);
  png_set_chunk_malloc_max(png, 1 << 23);
  png_set_chunk_cache_max(png, 128);
  png_read_info(png, info);
  const int colour = png_get_color_type(png, info);
  png_set_expand(png);  // palettes, fewer bits, a transparent colour
  png_set_scale_16(png);
  png_set_interlace_handling(png);
  const bool alpha = (colour & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png, info, PNG_INFO_tRNS) != 0;
  if (alpha) png_set_gray_to_rgb(png);
  png_read_update_info(png, info);
  image->width = static_cast<int>(png_get_image_width(png, info));
  image->height = static_cast<int>(png_get_image_height(png, info));
  image->channels = png_get_channels(png, info);
  *row_bytes = png_get_rowbytes(png, info);
  return true;
}

// C rules.
bool read_rows(png_structp png, png_infop end, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_image(png, rows);
  png_read_end(png, end);
  return true;
}

// C rules.
bool write_rows(png_structp png, png_infop info, Context* c, int width, int height, int colour, const std::uint8_t* pixels,
                std::size_t row_bytes) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, c, on_write, on_flush);
  png_set_user_limits(png, largest_side, largest_side);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8, colour, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int y = 0; y < height; ++y) png_write_row(png, pixels + static_cast<std::size_t>(y) * row_bytes);
  png_write_end(png, info);
  return true;
}

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  explicit Reader(Context* c) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, c, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw internal_error("libpng does not start");
    }
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer {
  png_structp png = nullptr;
  png_infop info = nullptr;
  explicit Writer(Context* c) {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, c, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) {
      png_destroy_write_struct(&png, nullptr);
      throw internal_error("libpng does not start");
    }
  }
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

void check_size(int width, int height, int channels) {
  if (width < 1 || height < 1 || width > largest_side || height > largest_side)
    throw usage_error("a PNG picture cannot be " + std::to_string(width) + " x " + std::to_string(height), "",
                      "Sides go from 1 to " + std::to_string(largest_side) + ".");
  if (channels != 1 && channels != 3 && channels != 4)
    throw usage_error("a PNG picture has 1, 3 or 4 channels, not " + std::to_string(channels));
}

Bytes encode(int width, int height, int channels, std::span<const std::uint8_t> pixels) {
  check_size(width, height, channels);
  const std::size_t row_bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  if (pixels.size() != row_bytes * static_cast<std::size_t>(height))
    throw usage_error("a picture of " + std::to_string(width) + " x " + std::to_string(height) + " x " + std::to_string(channels) +
                      " has " + std::to_string(row_bytes * static_cast<std::size_t>(height)) + " bytes, not " +
                      std::to_string(pixels.size()));
  Bytes out;
  Context c;
  c.out = &out;
  Writer w(&c);
  const int colour = channels == 1 ? PNG_COLOR_TYPE_GRAY : channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGB_ALPHA;
  if (!write_rows(w.png, w.info, &c, width, height, colour, pixels.data(), row_bytes))
    throw internal_error(std::string("libpng does not write: ") + c.message);
  return out;
}

}  // namespace

Image parse_png(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit) {
  if (bytes.size() < 8 || png_sig_cmp(bytes.data(), 0, 8) != 0) throw data_error("this is not a PNG file", at_byte(where, 0));
  Context c;
  c.in = bytes;
  Image image;
  Reader r(&c);
  const auto fail = [&] {
    return data_error(std::string("the PNG file is damaged: ") + c.message, at_byte(where, c.at), "Get the file again.");
  };
  std::uint64_t row_bytes = 0;
  if (!start_read(r.png, r.info, &c, &image, &row_bytes)) throw fail();
  const std::uint64_t total = row_bytes * static_cast<std::uint64_t>(image.height);
  const std::string size = std::to_string(image.width) + " x " + std::to_string(image.height);
  if (total > limit) throw data_error("the picture of " + size + " has " + std::to_string(total) + " bytes, more than the limit", where);
  // Expansion makes at most 32 bytes of 8 bits (a 1-bit palette with alpha), deflate at most 1032 bytes of one.
  if (total / 32 / deflate_max_ratio > bytes.size())
    throw data_error("the PNG header promises " + size + " pixels, more than " + std::to_string(bytes.size()) + " bytes can hold",
                     at_byte(where, 16));
  image.pixels.resize(total);
  std::vector<png_bytep> rows(static_cast<std::size_t>(image.height));
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = image.pixels.data() + y * row_bytes;
  if (!read_rows(r.png, r.info, rows.data())) throw fail();
  return image;
}

Image read_png(const std::filesystem::path& path, std::size_t limit) {
  const MappedFile file(path);
  return parse_png(file.bytes(), path.string(), limit);
}

std::vector<std::uint8_t> png_bytes(const Image& image) { return encode(image.width, image.height, image.channels, image.pixels); }

void write_png(const std::filesystem::path& path, const Image& image) {
  const Bytes bytes = png_bytes(image);
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

// ---- animated PNG: signature, IHDR, acTL, then for each frame fcTL and its data (IDAT for the first, fdAT after), IEND.

namespace {

Bytes chunk(const char* type, std::span<const std::uint8_t> data) {
  Bytes b(8 + data.size());
  const auto size = __builtin_bswap32(static_cast<std::uint32_t>(data.size()));
  std::memcpy(b.data(), &size, 4);
  std::memcpy(b.data() + 4, type, 4);
  if (!data.empty()) std::memcpy(b.data() + 8, data.data(), data.size());
  append_be(b, static_cast<std::uint32_t>(crc32_z(0, b.data() + 4, b.size() - 4)));
  return b;
}

Bytes animation_control(std::uint32_t frames, std::uint32_t loops) {
  Bytes data;
  append_be(data, frames);
  append_be(data, loops);
  return chunk("acTL", data);
}

}  // namespace

struct ApngWriter::Impl {
  Impl(const std::filesystem::path& path, int w, int h, int c, std::uint32_t l) : file(path), width(w), height(h), channels(c), loops(l) {}
  void put(const Bytes& b) { file.write(b.data(), b.size()); }

  AtomicFile file;
  int width, height, channels;
  std::uint32_t loops, frames = 0, sequence = 0;
  std::uint64_t control_at = 0;  // of acTL, whose number of frames is known at the end
};

ApngWriter::ApngWriter(const std::filesystem::path& path, int width, int height, int channels, std::uint32_t loops) {
  check_size(width, height, channels);
  impl_ = std::make_unique<Impl>(path, width, height, channels, loops);
}
ApngWriter::~ApngWriter() = default;

void ApngWriter::add(std::span<const std::uint8_t> pixels, int delay_ms) {
  Impl& s = *impl_;
  if (delay_ms < 0 || delay_ms > 65535) throw usage_error("the delay of a frame must be 0 to 65535 ms, not " + std::to_string(delay_ms));
  const Bytes png = encode(s.width, s.height, s.channels, pixels);  // our own bytes: the chunks below need no distrust
  bool control_written = false;
  for (std::size_t at = 8; at < png.size();) {
    const std::size_t n = load_be<std::uint32_t>(png.data() + at);
    const std::string_view type(reinterpret_cast<const char*>(png.data()) + at + 4, 4);
    const auto data = std::span(png).subspan(at + 8, n);
    if (type == "IHDR" && s.frames == 0) {
      s.file.write(png.data(), 8);
      s.put(chunk("IHDR", data));
      s.control_at = s.file.size();
      s.put(animation_control(0, s.loops));
    }
    if (type == "IDAT") {
      if (!std::exchange(control_written, true)) {
        Bytes control;
        for (const std::uint32_t v : {s.sequence++, static_cast<std::uint32_t>(s.width), static_cast<std::uint32_t>(s.height), 0u, 0u})
          append_be(control, v);
        append_be(control, static_cast<std::uint16_t>(delay_ms));
        append_be(control, std::uint16_t{1000});  // the delay's denominator
        control.insert(control.end(), {0, 0});    // leave the frame, replace what is there
        s.put(chunk("fcTL", control));
      }
      if (s.frames == 0) {
        s.put(chunk("IDAT", data));
      } else {
        Bytes numbered;
        numbered.reserve(4 + data.size());
        append_be(numbered, s.sequence++);
        numbered.insert(numbered.end(), data.begin(), data.end());
        s.put(chunk("fdAT", numbered));
      }
    }
    at += 12 + n;
  }
  ++s.frames;
}

void ApngWriter::finish() {
  Impl& s = *impl_;
  if (s.frames == 0) throw usage_error("an animated picture needs a frame");
  s.put(chunk("IEND", {}));
  const Bytes control = animation_control(s.frames, s.loops);
  s.file.write_at(s.control_at, control.data(), control.size());
  s.file.commit();
}

}  // namespace apical::formats
