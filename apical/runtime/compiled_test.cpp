// The C source of networks, compiled by gcc, against the runtime: the same bits. (exchange/c_source.h; here, because exchange knows no
// runtime.)
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "apical/base/files.h"
#include "apical/base/process.h"
#include "apical/exchange/c_source.h"
#include "apical/runtime/session.h"
#include "apical/runtime/testing_nets.h"

namespace apical::runtime {
namespace {

using namespace apical::graph;
using apical::testing::branched_net, apical::testing::random_frames, apical::testing::random_tensor, apical::testing::small_net;
using kernels::Compare, kernels::Lif, kernels::Reset, kernels::ResetAt;

constexpr int samples = 4;

std::vector<Graph> every_form_of_neuron() {
  std::vector<Graph> nets;
  for (const Reset reset : {Reset::hard, Reset::soft, Reset::none})
    for (const ResetAt at : {ResetAt::same_step, ResetAt::next_step, ResetAt::next_step_decayed})
      for (const Compare compare : {Compare::ge, Compare::gt})
        for (const bool decay_input : {false, true}) {
          Lif lif;
          lif.reset = reset, lif.reset_at = at, lif.compare = compare, lif.decay_input = decay_input;
          lif.decay = 0.6f, lif.input_scale = 0.9f, lif.v_th = 0.5f, lif.v_reset = -0.1f;
          nets.push_back(small_net(lif));
        }
  return nets;
}

// The output as it is: an image of currents, then spikes, then a flattened image; analog max pool, affine of a flattened image, a decay
// tensor of one element, thresholds that are met exactly.
std::vector<Graph> odd_ends() {
  Graph g;
  g.name = "odd ends */", g.input_shape = {3, 7, 5}, g.T = 4;
  g.tensors["s"] = random_tensor({3}, "s", 1.0f), g.tensors["b"] = random_tensor({3}, "b", 0.5f);
  g.tensors["w"] = random_tensor({4, 3, 2, 3}, "w", 0.7f), g.tensors["d"] = {{1}, {0.75f}};
  g.tensors["s2"] = random_tensor({36}, "s2", 1.0f), g.tensors["b2"] = random_tensor({36}, "b2", 0.5f);
  g.nodes = {{"in", Input{}, {}, {}},
             {"norm", Affine{"s", "b"}, {"in"}, {}},
             {"mp", MaxPool2d{2, 1}, {"norm"}, {}},
             {"c", Conv2d{"w", "", 2, 1, 1, 1, 1}, {"mp"}, {}},
             {"n", Neuron{Lif{.decay = 0.5f, .v_th = 0.5f}, {}, "d"}, {"c"}, {}},
             {"ap", AvgPool2d{2, 1}, {"n"}, {}},
             {"flat", Flatten{}, {"ap"}, {}},
             {"norm2", Affine{"s2", "b2"}, {"flat"}, {}},
             {"n2", Neuron{}, {"norm2"}, {}}};
  validate(g);
  std::vector<Graph> nets{g};
  const auto shortened = [&](std::size_t nodes, std::initializer_list<const char*> unread) {
    Graph h = g;
    h.nodes.resize(nodes);
    for (const char* t : unread) h.tensors.erase(t);
    validate(h);
    nets.push_back(h);
  };
  shortened(4, {"d", "s2", "b2"});
  shortened(5, {"s2", "b2"});
  shortened(7, {"s2", "b2"});
  shortened(1, {"s", "b", "w", "d", "s2", "b2"});
  return nets;
}

std::vector<Graph> readouts() {
  std::vector<Graph> nets;
  for (const ReadoutKind kind : {ReadoutKind::rate, ReadoutKind::max_membrane, ReadoutKind::last}) {
    Graph g = branched_net();
    std::get<Readout>(g.nodes.back().op).kind = kind;
    nets.push_back(g);
    g.nodes.resize(g.nodes.size() - 2), g.tensors.erase("m.w");  // of spikes and of an image's order
    g.nodes.push_back({"out", Readout{kind}, {"flat"}, {}});
    validate(g);
    nets.push_back(g);
  }
  return nets;
}

// Builds one program of all networks and runs it; compares every score.
void expect_same_bits(const std::vector<Graph>& nets, const std::vector<std::string>& flags) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / ("apical-compiled-" + std::to_string(::getpid()));
  make_folder(folder);
  std::string program, runs;
  std::vector<float> input, expected;
  for (std::size_t k = 0; k < nets.size(); ++k) {
    const std::string name = "n" + std::to_string(k);
    write_file(folder / (name + ".c"), exchange::c_source(nets[k], name));
    program += "#include \"" + name + ".c\"\n", runs += "  RUN(" + name + ", N" + std::to_string(k) + ")\n";
    Session session(nets[k]);
    for (int s = 0; s < samples; ++s) {
      const auto frames = random_frames(nets[k], static_cast<std::uint64_t>(s), s % 2);
      const Result r = session.run(frames);
      input.insert(input.end(), frames.begin(), frames.end()), expected.insert(expected.end(), r.scores.begin(), r.scores.end());
    }
  }
  program +=
      "#include <stdio.h>\n#define RUN(N, U) { static N##_net net; static float frame[U##_FRAME], scores[U##_SCORES]; N##_init(&net); \\\n"
      "  for (int s = 0; s < " +
      std::to_string(samples) +
      "; ++s) { N##_reset(&net); for (long t = 0; t < U##_STEPS; ++t) { \\\n"
      "  if (fread(frame, sizeof frame, 1, stdin) != 1) { return 1; } N##_step(&net, frame); } \\\n"
      "  N##_scores(&net, scores); fwrite(scores, sizeof scores, 1, stdout); } }\nint main(void) {\n" +
      runs + "  return 0;\n}\n";
  write_file(folder / "main.c", program);
  write_file(folder / "input", {reinterpret_cast<const char*>(input.data()), input.size() * sizeof(float)});
  std::vector<std::string> compile{"gcc"};
  compile.insert(compile.end(), flags.begin(), flags.end());
  for (const std::string& word : {std::string("-o"), (folder / "main").string(), (folder / "main.c").string()}) compile.push_back(word);
  ASSERT_EQ(run_process(compile), 0);
  ASSERT_EQ(run_process({"sh", "-c", "'" + (folder / "main").string() + "' < '" + (folder / "input").string() + "'"}, folder / "output"),
            0);
  const auto bytes = read_file(folder / "output");
  ASSERT_EQ(bytes.size(), expected.size() * sizeof(float));
  std::vector<float> said(expected.size());
  std::memcpy(said.data(), bytes.data(), bytes.size());
  std::size_t at = 0, nonzero = 0;
  for (const Graph& g : nets)
    for (std::size_t i = 0; i < samples * static_cast<std::size_t>(elements(g.nodes.back().shape)); ++i, ++at) {
      ASSERT_EQ(std::memcmp(&said[at], &expected[at], sizeof(float)), 0)
          << g.name << " of " << g.nodes.size() << " nodes, score " << i << ": " << said[at] << " for " << expected[at];
      nonzero += expected[at] != 0.0f;
    }
  EXPECT_GT(nonzero, expected.size() / 4) << "a silent network proves nothing";
  std::filesystem::remove_all(folder);
}

std::vector<Graph> all_nets() {
  std::vector<Graph> nets = every_form_of_neuron();
  for (auto& more : {odd_ends(), readouts()}) nets.insert(nets.end(), more.begin(), more.end());
  return nets;
}

TEST(Compiled, StrictC99GivesTheRuntimesBits) {
  expect_same_bits(all_nets(), {"-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"});
}

TEST(Compiled, SoDoesACompilerThatWouldContract) { expect_same_bits(all_nets(), {"-std=gnu99", "-O2", "-march=native"}); }

}  // namespace
}  // namespace apical::runtime
