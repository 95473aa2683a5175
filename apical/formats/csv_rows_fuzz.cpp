#include "apical/formats/csv_rows.h"
#include "apical/formats/roundtrip_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical::formats;
  return fuzz(data, size, [](std::span<const std::uint8_t> bytes) {
    CsvRows rows({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "input");
    std::size_t length = 0;
    while (rows.next())
      for (std::size_t i = 0; i < rows.names().size(); ++i) length += rows[i].size();
    must(length <= bytes.size(), "fields are longer than the text");
  });
}
