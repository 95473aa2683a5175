#include "apical/formats/events/event_fuzz.h"

// libhdf5 asks for as many bytes as a file says (and copes with getting none), and does not give all of them back when it gives up.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1:max_allocation_size_mb=1024:detect_leaks=0"; }
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return apical::formats::fuzz_events(data, size, apical::formats::EventFormat::hdf5);
}
