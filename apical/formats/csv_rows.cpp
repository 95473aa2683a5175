#include "apical/formats/csv_rows.h"

namespace apical::formats {
namespace {

constexpr std::string_view blank = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(blank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blank) - from + 1);
}

}  // namespace

std::string shown(std::string_view text) {
  std::string s = "'";
  for (const char c : text.substr(0, 20)) s += c >= 0x20 && c < 0x7f ? c : '?';
  return s + (text.size() > 20 ? "...'" : "'");
}

CsvRows::CsvRows(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {
  if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);  // the mark of UTF-8 that spreadsheets write
  std::string_view line;
  if (!next_line(line)) throw error("the table has no names of columns");
  const auto mark = line.find_first_of(",;");
  if (mark != std::string_view::npos) mark_ = line[mark];
  split(line);
  names_.assign(fields_.begin(), fields_.end());
}

bool CsvRows::next() {
  std::string_view line;
  if (!next_line(line)) return false;
  split(line);
  if (fields_.size() != names_.size())
    throw error("a row has " + std::to_string(fields_.size()) + " fields, not " + std::to_string(names_.size()));
  return true;
}

Error CsvRows::error(std::string what, std::string hint) const {
  return data_error(std::move(what), where_ + ", line " + std::to_string(line_), std::move(hint));
}

bool CsvRows::next_line(std::string_view& line) {
  while (!text_.empty()) {
    const auto end = text_.find('\n');
    line = trimmed(text_.substr(0, end));
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
    ++line_;
    if (!line.empty() && line[0] != '#') return true;
  }
  return false;
}

void CsvRows::split(std::string_view line) {
  fields_.clear();
  const std::string_view marks = mark_ ? std::string_view(&mark_, 1) : blank;
  for (;;) {
    const std::size_t quote = line.find_first_not_of(blank);
    std::size_t from = 0;  // where the end of the field may be
    if (quote != std::string_view::npos && line[quote] == '"') {
      from = line.find('"', quote + 1);
      if (from == std::string_view::npos) throw error("a quote does not end");
      ++from;
    }
    const std::size_t end = line.find_first_of(marks, from);
    std::string_view field = trimmed(line.substr(0, end));
    if (from > 0 && field.size() >= 2 && field.back() == '"') field = field.substr(1, field.size() - 2);
    fields_.push_back(field);
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + 1);
    if (!mark_) line = trimmed(line);  // several blanks are one
  }
}

}  // namespace apical::formats
