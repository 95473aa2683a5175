#pragma once
// Tables as text: a row a line, columns by name.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apical/base/error.h"

namespace apical::formats {

/// Rows one after the other. The first line has the names of the columns; names and fields stand between commas, semicolons or blanks
/// (whichever the first line has), and may stand between double quotes. Empty lines and those that begin with # do not count. Data error
/// that names file and line: no names, a row of more or fewer fields than names, a quote that does not end.
class CsvRows {
 public:
  CsvRows(std::string_view text, std::string where);  ///< the text must outlive it
  const std::vector<std::string>& names() const noexcept { return names_; }
  /// The next row; false when there is none.
  bool next();
  std::string_view operator[](std::size_t column) const { return fields_[column]; }  ///< of the row, without blanks around it
  /// A data error at this line.
  Error error(std::string what, std::string hint = {}) const;

 private:
  bool next_line(std::string_view& line);
  void split(std::string_view line);
  std::string_view text_;
  std::string where_;
  std::uint64_t line_ = 0;
  char mark_ = 0;  // 0: blanks
  std::vector<std::string> names_;
  std::vector<std::string_view> fields_;
};

/// What stands there, fit to be shown.
std::string shown(std::string_view text);

}  // namespace apical::formats
