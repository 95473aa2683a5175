#include "apical/formats/events/detail.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "apical/base/log.h"

namespace apical::formats::detail {
namespace {
constexpr std::size_t block = std::size_t{1} << 15;  // bytes decoded at once
constexpr std::uint64_t longest_header = std::uint64_t{1} << 22;
}  // namespace

std::size_t ReaderBase::read(std::span<Event> out) {
  std::size_t n = 0;
  while (n < out.size()) {
    if (served_ == batch_.size() && !refill()) {
      if (damage_ && n == 0) std::rethrow_exception(damage_);
      return n;
    }
    const std::size_t k = std::min(out.size() - n, batch_.size() - served_);
    for (std::size_t i = 0; i < k; ++i) {
      out[n + i] = batch_[served_ + i];
      info_.steps_back += out[n + i].t < before_;
      before_ = out[n + i].t;
    }
    served_ += k;
    n += k;
  }
  return n;
}

// False at the end and at damage. The events before the damage are handed out first; the error comes with the next call.
bool ReaderBase::refill() {
  batch_.clear();
  served_ = 0;
  try {
    while (!damage_ && batch_.empty())
      if (!decode()) return false;
  } catch (const Error&) {
    damage_ = std::current_exception();
  }
  return !batch_.empty();
}

std::span<const std::uint8_t> ReaderBase::records(std::size_t size, const char* what) {
  const auto bytes = in_.peek(block / size * size);
  const std::size_t whole = bytes.size() / size * size;
  if (whole > 0) begun_ = true;
  if (whole == 0 && !bytes.empty()) {
    info_.cut_bytes = bytes.size();
    const Error cut = cut_off(what, size, bytes.size(), at_byte(in_.source().name(), in_.offset()));
    if (!begun_) throw cut;
    log_warn(cut.what());
    in_.skip(bytes.size());
  }
  return bytes.first(whole);
}

Error cut_off(const char* what, std::size_t size, std::size_t left, const std::string& where) {
  return data_error("the file ends inside " + std::string(what) + ": " + std::to_string(left) + " bytes are left of " + std::to_string(size),
                    where, "The file is cut off; copy or download it again.");
}

void ReaderBase::read_header(std::string_view lead, std::string_view end) {
  while (auto line = in_.text_line(lead)) {
    const bool last = *line == end;
    info_.header.push_back(std::move(*line));
    if (last) break;
    if (in_.offset() > longest_header) throw in_.error("the header is longer than " + std::to_string(longest_header) + " bytes");
  }
}

void WriterBase::write(std::span<const Event> events) {
  if (finished_) throw internal_error("events written after finish()", where_);
  for (const Event& e : events) {
    const auto which = [&] { return "event " + std::to_string(count_) + " "; };
    if (e.t < last_ && format_ != EventFormat::csv && format_ != EventFormat::npz) {  // these show any time
      if (e.t < 0)
        throw refuse(which() + "has the negative time " + std::to_string(e.t) + " us", "Shift the times so that they begin at 0.");
      throw refuse(which() + "at " + std::to_string(e.t) + " us comes after " + std::to_string(last_) + " us",
                   "Sort the events by time first.");
    }
    if (e.x >= width_ || e.y >= height_)
      throw refuse(which() + "at x " + std::to_string(e.x) + ", y " + std::to_string(e.y) + " lies outside the sensor of " +
                       std::to_string(width_) + "x" + std::to_string(height_),
                   "Give the true sensor size (--width, --height).");
    if (e.polarity > 1) throw refuse(which() + "has polarity " + std::to_string(e.polarity) + "; it must be 0 or 1");
    encode(e);
    last_ = e.t;
    ++count_;
  }
}

void WriterBase::finish() {
  if (finished_) return;
  close();
  file_.commit();
  finished_ = true;
}

void WriterBase::check_clock(std::int64_t t, std::int64_t period) const {
  if (t >= period && t - last_ >= period / 2)
    throw refuse("the clock of " + name(format_) + " starts again every " + std::to_string(period) + " us and cannot show the step from " +
                     std::to_string(last_) + " to " + std::to_string(t) + " us",
                 "Shift the times so that they begin at 0 (--rebase), or choose another format.");
}

std::pair<int, int> largest_sensor(EventFormat format) {
  switch (format) {
    case EventFormat::aedat2:
      return {1024, 512};
    case EventFormat::aedat3:
    case EventFormat::aedat4:
      return {32768, 32768};
    case EventFormat::csv:
    case EventFormat::hdf5:
    case EventFormat::npz:
      return {65536, 65536};
    case EventFormat::dat:
      return {16384, 16384};
    case EventFormat::es:
      return {65535, 65535};
    case EventFormat::evt2:
    case EventFormat::evt21:
    case EventFormat::evt3:
    case EventFormat::hdf5_ecf:
      return {2048, 2048};
    case EventFormat::nmnist:
      return {256, 240};
  }
  return {0, 0};
}

std::string header_value(const std::vector<std::string>& header, std::string_view key) {
  for (const std::string& line : header) {
    std::string_view rest = line;
    rest.remove_prefix(std::min<std::size_t>(rest.size(), 1));
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    if (rest.size() <= key.size() || rest[key.size()] != ' ') continue;
    const bool same = std::equal(key.begin(), key.end(), rest.begin(),
                                 [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
    if (!same) continue;
    rest.remove_prefix(key.size());
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
    return std::string(rest);
  }
  return {};
}

std::string format_option(const std::vector<std::string>& header, const std::string& key) {
  const std::string format = header_value(header, "format");
  const auto at = format.find(";" + key + "=");
  if (at == std::string::npos) return {};
  const auto from = at + key.size() + 2;
  return format.substr(from, format.find(';', from) - from);
}

long whole_number(std::string_view text, long limit) {
  if (text.empty() || text.size() > 9) return -1;
  long v = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return -1;
    v = v * 10 + (c - '0');
  }
  return v <= limit ? v : -1;
}

void sensor_from_header(EventInfo& info) {
  const auto limits = largest_sensor(info.format);
  const auto set = [&](std::string_view w, std::string_view h) {
    const long width = whole_number(w, limits.first), height = whole_number(h, limits.second);
    if (width <= 0 || height <= 0) return false;
    info.width = static_cast<int>(width);
    info.height = static_cast<int>(height);
    return true;
  };
  const std::string geometry = header_value(info.header, "geometry");
  if (const auto cross = geometry.find('x'); cross != std::string::npos)
    if (set(std::string_view(geometry).substr(0, cross), std::string_view(geometry).substr(cross + 1))) return;

  if (set(format_option(info.header, "width"), format_option(info.header, "height"))) return;
  if (set(header_value(info.header, "Width"), header_value(info.header, "Height"))) return;

  const std::string plugin = header_value(info.header, "plugin_name");
  if (plugin.find("gen3") != std::string::npos)
    set("640", "480");
  else if (plugin.find("gen4") != std::string::npos || plugin.find("imx636") != std::string::npos)
    set("1280", "720");
  else if (plugin.find("genx320") != std::string::npos)
    set("320", "320");
}

}  // namespace apical::formats::detail
