#include "apical/formats/roundtrip_fuzz.h"
#include "apical/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical::formats;
  return fuzz(data, size, [](std::span<const std::uint8_t> bytes) {
    const SafeTensors s = SafeTensors::parse(bytes, "input");
    std::vector<NamedTensor> tensors;
    for (const auto& [key, t] : s.tensors()) {
      must(t.floats().size() == t.size(), "floats() has another size");
      tensors.push_back({key, t.dtype, t.shape, t.bytes});
    }
    const auto written = safetensors_bytes(tensors, s.metadata());
    const SafeTensors again = SafeTensors::parse(written, "again");
    must(again.metadata() == s.metadata() && again.tensors().size() == tensors.size(), "metadata or names change when written and read");
    for (const NamedTensor& t : tensors) must(again.at(t.name).array() == s.at(t.name).array(), "a tensor changes when written and read");
  });
}
