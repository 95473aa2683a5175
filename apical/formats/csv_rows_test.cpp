#include "apical/formats/csv_rows.h"

#include "apical/formats/testing.h"

namespace apical::formats {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

std::vector<std::vector<std::string>> rows(std::string_view text) {
  CsvRows csv(text, "file.csv");
  std::vector<std::vector<std::string>> all{csv.names()};
  while (csv.next()) {
    all.emplace_back();
    for (std::size_t i = 0; i < csv.names().size(); ++i) all.back().emplace_back(csv[i]);
  }
  return all;
}

TEST(CsvRows, FieldsStandBetweenCommasSemicolonsOrBlanks) {
  const std::vector<std::vector<std::string>> want{{"a", "b c"}, {"1", "2,x"}, {"", "-3"}};
  EXPECT_EQ(rows("# so\n\na,b c\r\n 1 , \"2,x\"\n#\n,-3"), want);
  EXPECT_EQ(rows("\xef\xbb\xbf"
                 "a;b c\n1;2,x\n;-3\n"),
            want);
  EXPECT_EQ(rows("a \"b c\"\n1\t  \"2,x\"\n\"\"  -3\n"), want);
}

TEST(CsvRows, DamageNamesItsLine) {
  EXPECT_THAT(error_of([] { rows("# nothing\n"); }), HasSubstr("file.csv, line 1"));
  EXPECT_THAT(error_of([] { rows("a,b\n1,2\n\n1,2,3\n"); }), HasSubstr("a row has 3 fields, not 2 (file.csv, line 4)"));
  EXPECT_THAT(error_of([] { rows("a,b\n1,\"2\n"); }), HasSubstr("line 2"));
  EXPECT_EQ(shown(std::string_view("x\0\xff", 3)), "'x??'");
}

}  // namespace
}  // namespace apical::formats
