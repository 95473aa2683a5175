#pragma once
// What the readers and writers of all event formats share. Not for use outside this folder and its fuzz targets.
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "apical/base/files.h"
#include "apical/formats/bytes.h"
#include "apical/formats/events/event.h"
#include "apical/formats/events/source.h"
#include "apical/formats/events/word_kernels.h"

namespace apical::formats::detail {

/// A counter that starts again at 0 after `period`, made continuous. A step back by more than half a period is a wrap; a step forward
/// by more than 15/16 of it, once wrapped, is a late event from before the wrap; other steps back are passed on as they are.
struct WrappingTime {
  std::int64_t period, base = 0, last = 0;
  bool operator==(const WrappingTime&) const = default;
  std::int64_t operator()(std::int64_t raw) noexcept {
    if (last - raw > period / 2)
      base += period;
    else if (base > 0 && raw - last > period - period / 16)
      return base - period + raw;
    last = raw;
    return base + raw;
  }
};

/// The error, or warning, that of a last record of `size` bytes only `left` are there.
Error cut_off(const char* what, std::size_t size, std::size_t left, const std::string& where);

/// Decodes block by block into a batch from which read() is served.
class ReaderBase : public EventReader {
 public:
  ReaderBase(std::shared_ptr<ByteSource> source, EventFormat format) : in_(std::move(source)) { info_.format = format; }
  std::size_t read(std::span<Event> out) final;
  const EventInfo& info() const final { return info_; }
  std::uint64_t position() const final { return std::min(in_.offset(), in_.size()); }
  std::uint64_t size() const final { return in_.size(); }

 protected:
  /// Appends the events of the next piece to batch_; false at the end of the file.
  virtual bool decode() = 0;
  void emit(std::int64_t t, std::uint32_t x, std::uint32_t y, std::uint32_t polarity) {
    if ((info_.width > 0 && x >= static_cast<std::uint32_t>(info_.width)) ||
        (info_.height > 0 && y >= static_cast<std::uint32_t>(info_.height)) || ((x | y) >> 16) != 0) {
      ++info_.outside;
      return;
    }
    batch_.push_back({t, static_cast<std::uint16_t>(x), static_cast<std::uint16_t>(y), static_cast<std::uint8_t>(polarity != 0)});
  }
  /// Appends a block to batch_.
  void pass_on(const EventBlock& block) {
    for (std::size_t i = 0; i < block.size; ++i)
      batch_.push_back({block.t[i], static_cast<std::uint16_t>(block.x[i]), static_cast<std::uint16_t>(block.y[i]), block.p[i]});
  }
  /// The next whole records of `size` bytes; empty at the end. A file that ends inside a record is noted in info() and warned about
  /// once, or is a data error when that is its first record.
  std::span<const std::uint8_t> records(std::size_t size, const char* what);
  /// Reads header lines that begin with `lead` into info().header, up to and with the line `end`.
  void read_header(std::string_view lead, std::string_view end);

  Cursor in_;
  EventInfo info_;
  std::vector<Event> batch_;

 private:
  bool refill();
  std::size_t served_ = 0;
  std::int64_t before_ = std::numeric_limits<std::int64_t>::min();  // time of the event before
  bool begun_ = false;                                              // a whole record has been read
  std::exception_ptr damage_;
};

/// Checks every event and hands it to encode().
class WriterBase : public EventWriter {
 public:
  WriterBase(const std::filesystem::path& path, EventFormat format, int width, int height)
      : file_(path), where_(path.string()), format_(format), width_(width), height_(height) {}
  void write(std::span<const Event> events) final;
  void finish() final;

 protected:
  virtual void encode(const Event& event) = 0;
  virtual void close() {}  ///< writes what is still held back
  /// Usage error when a clock that wraps after `period` cannot show t after last_ (see EventWriter::write).
  void check_clock(std::int64_t t, std::int64_t period) const;
  template <class T>
  void put(T value) {
    file_.write(&value, sizeof value);
  }
  Error refuse(std::string what, std::string hint = {}) const { return usage_error(std::move(what), where_, std::move(hint)); }

  AtomicFile file_;
  std::string where_;
  EventFormat format_;
  int width_, height_;
  std::int64_t last_ = 0;  ///< time of the event before
 private:
  std::uint64_t count_ = 0;
  bool finished_ = false;
};

/// Largest sensor a format can address.
std::pair<int, int> largest_sensor(EventFormat format);

/// Value of a "% key value" header line, or "".
std::string header_value(const std::vector<std::string>& header, std::string_view key);
/// Value of an option of the line "% format EVT3;height=720;width=1280", or "".
std::string format_option(const std::vector<std::string>& header, const std::string& key);
/// Sensor size from the header lines Prophesee's tools write: geometry, format, Width and Height, and the name of the plug-in.
void sensor_from_header(EventInfo& info);
/// A whole number in [0, limit], or -1.
long whole_number(std::string_view text, long limit);
/// Whether the content is lines of events, or names their columns.
bool is_csv(std::shared_ptr<ByteSource> source);

std::unique_ptr<EventReader> open_aedat2(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_aedat3(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_aedat4(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_csv(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_dat(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_es(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_evt2(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_evt21(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_evt3(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_hdf5_events(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_nmnist(std::shared_ptr<ByteSource> source);
std::unique_ptr<EventReader> open_npz(std::shared_ptr<ByteSource> source);

std::unique_ptr<EventWriter> create_aedat2(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_aedat3(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_aedat4(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_csv(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_dat(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_es(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_evt2(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_evt21(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_evt3(const std::filesystem::path& path, int width, int height);
/// hdf5 (deflate) or hdf5_ecf.
std::unique_ptr<EventWriter> create_hdf5_events(const std::filesystem::path& path, EventFormat format, int width, int height);
std::unique_ptr<EventWriter> create_nmnist(const std::filesystem::path& path, int width, int height);
std::unique_ptr<EventWriter> create_npz(const std::filesystem::path& path, int width, int height);

}  // namespace apical::formats::detail
