// Writes the first inputs of the fuzz corpora of idx, npy, npz, safetensors, audio, png, evt21, es, csv, aedat3, csv_rows, edges,
// graph_json and model, all made by our own writers but for a few lines of events written by hand.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "apical/base/philox.h"
#include "apical/exchange/model.h"
#include "apical/formats/audio.h"
#include "apical/formats/bytes.h"
#include "apical/formats/events/event.h"
#include "apical/formats/hdf5_arrays.h"
#include "apical/formats/idx.h"
#include "apical/formats/npy.h"
#include "apical/formats/png.h"
#include "apical/formats/safetensors.h"
#include "apical/graph/graph_json.h"
#include "apical/graph/quantise.h"
#include "apical/runtime/testing_nets.h"

using namespace apical::formats;
using Bytes = std::vector<std::uint8_t>;

namespace {

std::filesystem::path root;

void put(const std::string& name, const Bytes& bytes) {
  const auto path = root / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Array array(DType dtype, std::vector<std::uint64_t> shape) {
  Array a{dtype, std::move(shape), {}};
  a.bytes.resize(checked_bytes(a.shape, dtype, ""));
  apical::Random random(static_cast<std::uint64_t>(dtype), "seeds");
  for (auto& b : a.bytes) b = static_cast<std::uint8_t>(random.below(dtype == DType::boolean ? 2 : 256));
  return a;
}

void arrays() {
  for (const DType d : {DType::u8, DType::i8, DType::i16, DType::i32, DType::f32, DType::f64})
    put("idx/" + name(d), idx_bytes(array(d, {2, 3})));
  put("idx/empty", idx_bytes(array(DType::u8, {0, 28})));
  put("idx/packed", gzip(idx_bytes(array(DType::u8, {3, 4, 4}))));
  put("idx/packed_labels", gzip(idx_bytes(array(DType::u8, {10}))));
  for (const DType d : {DType::boolean, DType::u16, DType::f16, DType::f64}) put("npy/" + name(d), npy_bytes(array(d, {2, 3})));
  put("npy/scalar", npy_bytes(array(DType::i64, {})));
  put("npy/fortran", npy_bytes(array(DType::f32, {2, 3, 2}), {.fortran = true}));
  put("npy/big", npy_bytes(array(DType::i32, {5}), {.big_endian = true, .version = 2}));
  put("npy/version3", npy_bytes(array(DType::u64, {1, 0, 3}), {.version = 3}));
  put("npz/none", npz_bytes({}));
  put("npz/stored", npz_bytes({{"x", array(DType::u8, {2, 2})}}, false));
  put("npz/deflated", npz_bytes({{"images", array(DType::u8, {2, 4, 4})}, {"labels", array(DType::i32, {2})}}));
}

void tensors() {
  const Array w = array(DType::f32, {2, 3}), b = array(DType::i8, {3}), e = array(DType::boolean, {0});
  const std::vector<NamedTensor> all{
      {"conv.weight", w.dtype, w.shape, w.bytes}, {"conv.bias", b.dtype, b.shape, b.bytes}, {"none", e.dtype, e.shape, e.bytes}};
  put("safetensors/model", safetensors_bytes(all, {{"apical.graph", "{\"schema\":1,\"nodes\":[]}"}, {"format", "pt"}}));
  put("safetensors/one", safetensors_bytes(std::span(all).first(1)));
  put("safetensors/nothing", safetensors_bytes({}));
  put("safetensors/metadata", safetensors_bytes({}, {{"a", "\xC3\xA9\n\"\\"}}));
  for (const DType d : {DType::boolean, DType::u16, DType::i64, DType::f16, DType::bf16, DType::f64}) {
    const Array a = array(d, {2});
    const NamedTensor one[] = {{"t", a.dtype, a.shape, a.bytes}};
    put("safetensors/" + name(d), safetensors_bytes(one));
  }
}

void sound() {
  for (const int channels : {1, 2})
    for (const int frames : {0, 60}) {
      Audio a{8000, channels, {}};
      for (int i = 0; i < frames * channels; ++i) a.samples.push_back(0.7f * std::sin(0.3f * static_cast<float>(i)));
      const std::string end = "_" + std::to_string(channels) + "_" + std::to_string(frames);
      put("audio/wav16" + end, audio_bytes(a, AudioFormat::wav16));
      put("audio/float" + end, audio_bytes(a, AudioFormat::wav_float));
      put("audio/flac16" + end, audio_bytes(a, AudioFormat::flac16));
      put("audio/flac24" + end, audio_bytes(a, AudioFormat::flac24));
    }
}

void pictures() {
  for (const int channels : {1, 3, 4})
    put("png/c" + std::to_string(channels),
        png_bytes({5, 4, channels, array(DType::u8, {5 * 4 * static_cast<std::uint64_t>(channels)}).bytes}));
  const auto path = root / "png/animated";
  ApngWriter animated(path, 3, 2, 1);
  for (int i = 0; i < 3; ++i) animated.add(Bytes(6, static_cast<std::uint8_t>(80 * i)), 40);
  animated.finish();
}

void recordings() {
  for (const EventFormat format : {EventFormat::aedat3, EventFormat::csv, EventFormat::es, EventFormat::evt21})
    for (const int n : {0, 3, 40}) {
      apical::Random random(static_cast<std::uint64_t>(n), "events");
      std::vector<Event> events;
      std::int64_t t = 0;
      for (int i = 0; i < n; ++i) {
        if (random.below(3) != 0) t += random.below(300);
        const auto x = static_cast<std::uint16_t>(random.below(64)), y = static_cast<std::uint16_t>(random.below(3) * 20);
        events.push_back({t, x, y, static_cast<std::uint8_t>(random.below(2))});
      }
      std::filesystem::create_directories(root / name(format));
      write_events(root / name(format) / ("written_" + std::to_string(n)), format, 64, 48, events);
    }
  const auto text = [](std::string_view bytes) { return Bytes(bytes.begin(), bytes.end()); };
  Bytes words = text("% format EVT21;endianness=legacy\n");
  for (const std::uint32_t w : {0x80000001u, 0u, 0x10820003u, 6u, 0xa0000000u, 0u, 0x50000000u, 0u}) append_le(words, w);
  put("evt21/upper_half_first", words);
  Bytes atis = text("Event Stream");
  atis.insert(atis.end(), {2, 0, 0, 2, 10, 0, 5, 0, 0xff, 0xfd, 0xfc, 0x06, 3, 0, 0, 0, 0x09, 3, 0, 0, 0, 0x00, 0, 0, 4, 0});
  put("es/atis", atis);
  put("csv/names", text("% by hand\ny;x;polarity;ts\n4;3;-1;100\n\n# so\n6;5;1;50\n"));
  put("csv/blanks", text("1 2 3 1\n4\t5  6 0"));
  Bytes packets = text("#!AER-DAT3.1\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n");
  for (const std::uint32_t w :
       {0x00010000u, 8u, 4u, 0u, 1u, 1u, 1u, 7u, 7u, 0x00010001u, 8u, 4u, 1u, 2u, 2u, 1u, 0x000a001fu, 9u, 0x000a001eu, 10u})
    append_le(packets, w);
  put("aedat3/packets", packets);
}

// Rows of text, and edges as text and as SONATA has them.
void tables() {
  const auto text = [](std::string_view bytes) { return Bytes(bytes.begin(), bytes.end()); };
  put("csv_rows/commas", text("# so\na,b\n1,\"2,3\"\n,x\n"));
  put("csv_rows/blanks", text("edge_type_id \"a b\"\n1\t \"\"\n"));
  put("csv_rows/semicolons", text("\xef\xbb\xbf"
                                  "a;b;c\r\n1;2;3\r\n"));
  put("edges/all.csv", text("source,target,weight,delay\n1,3,2.5,1\n99,52,-1e3,0.1\n"));
  put("edges/bare.csv", text("target source\n4 5\n"));
  const auto column = [](std::vector<std::int32_t> v) { return Array::of<std::int32_t>({v.size()}, {v.data(), v.size()}); };
  const double reals[] = {1.5, 2.5};
  Npz npz{{"edges/p/source_node_id", column({1, 2, 3})}, {"edges/p/target_node_id", column({3, 4, 5})}};
  std::filesystem::create_directories(root / "edges");
  write_hdf5_arrays(root / "edges" / "bare.h5", npz);
  npz["edges/p/edge_type_id"] = column({1, 1, 1});
  npz["edges/p/edge_group_id"] = column({0, 1, 0}), npz["edges/p/edge_group_index"] = column({1, 0, 0});
  npz["edges/p/0/syn_weight"] = npz["edges/p/0/delay"] = Array::of<double>({2}, reals);
  npz["edges/p/1/delay"] = Array::of<double>({1}, {reals, 1});
  write_hdf5_arrays(root / "edges" / "groups.h5", npz);
}

void networks() {
  using namespace apical::graph;
  Graph tiny;
  tiny.name = "tiny", tiny.input_shape = {2}, tiny.classes = {"a", "b"};
  tiny.tensors["w"] = {{2, 2}, {1, -1, 0.5f, 2}}, tiny.tensors["s"] = {{2}, {1, 2}};
  tiny.nodes = {{"in", Input{}, {}, {}},    {"l", Linear{"w", ""}, {"in"}, {}}, {"a", Affine{"s", "s"}, {"l"}, {}},
                {"n", Neuron{}, {"a"}, {}}, {"sum", Add{}, {"n", "l"}, {}},     {"out", Readout{ReadoutKind::last}, {"sum"}, {}}};
  validate(tiny);
  Graph cells;
  cells.name = "two_point", cells.input_shape = {3}, cells.T = 1;
  cells.tensors["w"] = {{2, 2}, {0, 1, -1, 0}};
  cells.nodes = {{"in", Input{}, {}, {}},
                 {"r", Slice{1, 2}, {"in"}, {}},
                 {"phi", Tanh{}, {"r"}, {}},
                 {"p", Linear{"w", ""}, {"phi"}, {}},
                 {"h", TwoPoint{{apical::kernels::Mtf::tm3}}, {"r", "p"}, {}},
                 {"both", Concat{}, {"h", "r"}, {}}};
  validate(cells);
  using apical::kernels::Alif, apical::kernels::Cuba, apical::kernels::MultiLif, apical::kernels::RefractoryLif;
  Graph neurons = tiny;
  neurons.name = "neurons", neurons.tensors["k"] = {{3}, {1, 0.5f, -0.25f}};
  neurons.nodes.resize(3);
  const Op ops[] = {SpikingNeuron{Cuba{{}, 0.75f}, {}}, SpikingNeuron{Alif{}, {}}, SpikingNeuron{RefractoryLif{{}, 2}, {}},
                    SpikingNeuron{MultiLif{}, {}}, SlidingNeuron{"k", 0.5f, {}}};
  for (const Op& op : ops) neurons.nodes.push_back({"n" + std::to_string(neurons.nodes.size()), op, {neurons.nodes.back().name}, {}});
  validate(neurons);
  Graph mixed;
  mixed.name = "attention", mixed.input_shape = {2, 3, 1}, mixed.T = 1;
  mixed.nodes = {{"in", Input{}, {}, {}}, {"y", Attention{2}, {"in", "in", "in"}, {}}};
  validate(mixed);
  for (const Graph& g : {tiny, apical::testing::small_net(), cells, neurons, mixed}) {
    const std::string text = to_json(g);
    put("graph_json/" + g.name, Bytes(text.begin(), text.end()));
    std::filesystem::create_directories(root / "model");
    apical::exchange::save_model(root / "model" / g.name, g);
  }
  Graph integer = apical::testing::small_net();
  quantise(integer, 8, {1, false});
  apical::exchange::save_model(root / "model" / "int8", integer);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  root = argv[1];
  arrays();
  tensors();
  sound();
  pictures();
  recordings();
  tables();
  networks();
  return 0;
}
