// Edges as CSV or as SONATA's HDF5: those that are accepted can be connected.
#include "apical/brain/edges.h"
#include "apical/formats/roundtrip_fuzz.h"

// As in formats/events/hdf5_fuzz.cpp: libhdf5 asks for as many bytes as a file says.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1:max_allocation_size_mb=1024:detect_leaks=0"; }
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical;
  return formats::fuzz(data, size, [](std::span<const std::uint8_t> bytes) {
    const brain::EdgeLimits limits{{0, 0, 100}, {0, 3, 50}, 0.1};
    const bool hdf5 = !bytes.empty() && bytes[0] == 0x89;
    const brain::SynapseTable table =
        hdf5 ? brain::parse_sonata_edges(formats::Hdf5Columns(bytes, "input"), "p", "edge_type_id syn_weight\n1 2\n", "types", limits)
             : brain::parse_edges_csv({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "input", limits);
    formats::must(brain::make_edges(table, limits).source.size() == table.source.size(), "edges are lost");
  });
}
