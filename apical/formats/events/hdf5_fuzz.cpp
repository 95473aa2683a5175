#include "apical/formats/events/event_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return apical::formats::fuzz_events(data, size, apical::formats::EventFormat::hdf5);
}
