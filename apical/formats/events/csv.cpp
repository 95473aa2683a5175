// Text, a line an event: t in whole us, x, y, polarity (0 or 1, or -1 or 1), between commas, semicolons, tabs or spaces. A line of names
// says another order of the columns; lines that begin with # or % are comments. Ours begin with "# geometry WxH" and "t,x,y,p".
#include <array>
#include <cctype>

#include "apical/base/text.h"
#include "apical/formats/events/detail.h"

namespace apical::formats::detail {
namespace {

constexpr std::size_t longest_line = 4096, lines_at_once = 4096;
constexpr std::uint64_t longest_header = std::uint64_t{1} << 22;
constexpr std::size_t columns = 4;
constexpr const char* names_hint = "The columns are t (us), x, y and p, in any order when a first line names them.";
constexpr std::string_view blank = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(blank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blank) - from + 1);
}

/// The beginning of what stands there, fit to be shown.
std::string quoted(std::string_view text) {
  std::string shown = "'";
  for (const char c : text.substr(0, 20)) shown += c >= 0x20 && c < 0x7f ? c : '?';
  return shown + (text.size() > 20 ? "...'" : "'");
}

struct Fields {
  std::array<std::string_view, columns> text;
  std::size_t count = 0;  // may be larger: what stands beyond is only counted
};

Fields split(std::string_view line) {
  Fields f;
  const char mark = line.find(',') != std::string_view::npos ? ',' : line.find(';') != std::string_view::npos ? ';' : '\0';
  const std::string_view ends = mark == '\0' ? blank : std::string_view(&mark, 1);
  for (;;) {
    const auto end = line.find_first_of(ends);
    if (f.count < columns) f.text[f.count] = trimmed(line.substr(0, end));
    ++f.count;
    if (end == std::string_view::npos) return f;
    line.remove_prefix(end + 1);
    if (mark == '\0') line = trimmed(line);  // several blanks are one
  }
}

/// 0 t, 1 x, 2 y, 3 polarity; or `columns` for names of nothing.
std::size_t column_of(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (text == "t" || text == "ts" || text == "timestamp") return 0;
  if (text == "x") return 1;
  if (text == "y") return 2;
  if (text == "p" || text == "pol" || text == "polarity") return 3;
  return columns;
}

class CsvReader final : public ReaderBase {
 public:
  explicit CsvReader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::csv) {
    for (std::string_view line; peek_line(line); consume()) {
      if (in_.offset() > longest_header) throw error("the header is longer than " + std::to_string(longest_header) + " bytes");
      if (line.empty()) continue;
      const bool names = std::isalpha(static_cast<unsigned char>(line[0])) != 0;
      if (!names && !comment(line)) break;
      info_.header.emplace_back(line);
      if (!names) continue;
      read_names(line);
      consume();
      break;
    }
    sensor_from_header(info_);
  }
  /// Whether the next line, after those of the header, is an event, or the columns have names.
  bool is_ours() {
    if (named_) return true;
    std::string_view line;
    if (!peek_line(line)) return false;
    row(line);
    return true;
  }

 private:
  static bool comment(std::string_view line) { return line[0] == '#' || line[0] == '%'; }
  Error error(const std::string& what, std::string hint = {}) const {
    return in_.error("line " + std::to_string(number_) + ": " + what, std::move(hint));
  }
  /// The next line without its end; consume() moves behind it. False at the end of the file.
  bool peek_line(std::string_view& line) {
    const auto bytes = in_.peek(longest_line);
    if (bytes.empty()) return false;
    line = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    const auto end = line.find('\n');
    if (end == std::string_view::npos && line.size() == longest_line)
      throw error("it is longer than " + std::to_string(longest_line) + " bytes");
    line = line.substr(0, end);
    length_ = line.size() + (end != std::string_view::npos ? 1 : 0);
    line = trimmed(line);
    return true;
  }
  void consume() {
    in_.skip(length_);
    ++number_;
  }
  void read_names(std::string_view line) {
    const Fields f = split(line);
    check_count(f);
    unsigned seen = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      const std::size_t which = column_of(f.text[i]);
      if (which == columns) throw error("the column " + quoted(f.text[i]) + " is not known", names_hint);
      if (((seen >> which) & 1) != 0) throw error("the column " + quoted(f.text[i]) + " stands twice", names_hint);
      seen |= 1u << which;
      at_[which] = i;
    }
    named_ = true;
  }
  void check_count(const Fields& f) const {
    if (f.count != columns) throw error(std::to_string(f.count) + " columns where an event has 4", names_hint);
  }
  std::int64_t number(std::string_view text, const char* what) const {
    if (const auto value = as_number<std::int64_t>(text)) return *value;
    throw error(std::string(what) + " " + quoted(text) + " is no whole number");
  }
  std::uint16_t address(std::string_view text, const char* what) const {
    const std::int64_t value = number(text, what);
    if (value < 0 || value > 0xffff) throw error(std::string(what) + " " + quoted(text) + " lies outside 0 to 65535");
    return static_cast<std::uint16_t>(value);
  }
  Event row(std::string_view line) const {
    const Fields f = split(line);
    check_count(f);
    Event e;
    e.t = number(f.text[at_[0]], "the time (us)");
    e.x = address(f.text[at_[1]], "x");
    e.y = address(f.text[at_[2]], "y");
    const std::int64_t p = number(f.text[at_[3]], "the polarity");
    if (p < -1 || p > 1) throw error("the polarity " + quoted(f.text[at_[3]]) + " is none of -1, 0, 1");
    e.polarity = p == 1;
    return e;
  }
  bool decode() override {
    std::string_view line;
    for (std::size_t n = 0; n < lines_at_once; ++n) {
      if (!peek_line(line)) return n > 0;
      if (!line.empty() && !comment(line)) {
        const Event e = row(line);
        emit(e.t, e.x, e.y, e.polarity);
      }
      consume();
    }
    return true;
  }

  std::array<std::size_t, columns> at_ = {0, 1, 2, 3};  // where t, x, y and polarity stand
  std::uint64_t number_ = 1;                            // of the next line
  std::size_t length_ = 0;                              // of the next line with its end
  bool named_ = false;
};

class CsvWriter final : public WriterBase {
 public:
  CsvWriter(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::csv, width, height) {
    file_.write("# geometry " + std::to_string(width) + "x" + std::to_string(height) + "\nt,x,y,p\n");
  }

 private:
  void encode(const Event& e) override {
    char line[64];
    char* p = std::to_chars(line, line + 24, e.t).ptr;
    for (const unsigned v : {unsigned{e.x}, unsigned{e.y}, unsigned{e.polarity}}) {
      *p++ = ',';
      p = std::to_chars(p, p + 8, v).ptr;
    }
    *p++ = '\n';
    file_.write(line, static_cast<std::size_t>(p - line));
  }
};

}  // namespace

bool is_csv(std::shared_ptr<ByteSource> source) {
  try {
    return CsvReader(std::move(source)).is_ours();
  } catch (const Error&) {
    return false;
  }
}
std::unique_ptr<EventReader> open_csv(std::shared_ptr<ByteSource> source) { return std::make_unique<CsvReader>(std::move(source)); }
std::unique_ptr<EventWriter> create_csv(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<CsvWriter>(path, width, height);
}

}  // namespace apical::formats::detail
