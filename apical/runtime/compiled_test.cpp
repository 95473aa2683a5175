// The C source of networks, compiled by gcc, against the runtime, or of integer ones against their reference: the same bits.
// (exchange/c_source.h; here, because exchange knows no runtime.)
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>

#include "apical/base/files.h"
#include "apical/base/process.h"
#include "apical/exchange/c_source.h"
#include "apical/runtime/integer_reference.h"
#include "apical/runtime/session.h"
#include "apical/runtime/testing_neurons.h"

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

std::vector<float> scores_of(const Graph& g, const std::vector<float>& frames) {
  return g.integer ? run_integer_reference(integer_network(g), frames).scores : Session(g).run(frames).scores;
}

// Frames as the network was quantised for, and some far beyond, with halves of its unit, NaN and infinity.
std::vector<float> frames_for(const Graph& g, int sample) {
  auto frames = random_frames(g, static_cast<std::uint64_t>(sample), sample % 2);
  if (!g.integer || sample < 2) return frames;
  const float unit = std::ldexp(1.0f, -g.integer->input_exponent);
  Random random(9, "odd values");
  for (float& x : frames) {
    const std::uint32_t kind = random.below(6);
    if (kind == 0) x = (static_cast<float>(random.below(300)) - 150) * unit / 2;
    if (kind == 1) x = random.uniform(-1, 1) * 200 * unit;
    if (kind == 2 && random.below(8) == 0) x = std::array{NAN, INFINITY, -INFINITY, 1e-40f, -0.0f}[random.below(5)];
  }
  return frames;
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
    for (int s = 0; s < samples; ++s) {
      const auto frames = frames_for(nets[k], s), scores = scores_of(nets[k], frames);
      input.insert(input.end(), frames.begin(), frames.end()), expected.insert(expected.end(), scores.begin(), scores.end());
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
  const std::vector<Graph> attention{apical::testing::attention_net(), apical::testing::attention_net(true)};
  for (auto& more : {odd_ends(), readouts(), apical::testing::two_point_nets(), apical::testing::other_neurons_nets(), attention})
    nets.insert(nets.end(), more.begin(), more.end());
  return nets;
}

// So many neurons and steps that one unit of a membrane more or less, a half rounded the other way, shows in the rates. Currents in steps
// larger than the membrane's unit (shift > 0), and smaller (shift < 0).
std::vector<Graph> fine_print() {
  Graph g;
  g.name = "fine print", g.input_shape = {1, 25, 20}, g.T = 60;
  g.nodes = {{"in", Input{}, {}, {}}, {"n", Neuron{Lif{.decay = 0.75f, .v_th = 2.0f}, {}, ""}, {"in"}, {}}, {"out", Readout{}, {"n"}, {}}};
  Graph small = g;
  small.tensors["w"] = {{1, 1, 1, 1}, {0.55f}};
  small.nodes[1].inputs = {"c"};
  small.nodes.insert(small.nodes.begin() + 1, {"c", Conv2d{"w", "", 1, 1, 0, 0, 1}, {"in"}, {}});
  Graph large = g;  // currents beyond what a membrane takes in at once
  std::get<Neuron>(large.nodes[1].op).lif.v_th = 0.07f;
  for (Graph* net : {&g, &small, &large}) validate(*net);
  return {g, small, large};
}

// Every form of neuron, every kind of node and readout, networks drawn by chance, in 8 bits and in 4.
std::vector<Graph> integer_nets() {
  std::vector<Graph> floats = every_form_of_neuron(), nets;
  for (Graph& g : odd_ends()) {  // without its norms, which do not fold
    if (g.nodes.size() != 5) continue;
    g.nodes.erase(g.nodes.begin() + 1), g.nodes[1].inputs = {"in"}, g.tensors.erase("s"), g.tensors.erase("b");
    floats.push_back(g);
    g.nodes.pop_back(), g.tensors.erase("d");  // the sums as they are
    floats.push_back(g);
  }
  for (const auto& more : {readouts(), fine_print()}) floats.insert(floats.end(), more.begin(), more.end());
  for (std::uint64_t seed = 0; seed < 30; ++seed) floats.push_back(apical::testing::random_net(seed));
  for (Graph& g : floats) {
    if (const Neuron* n = std::get_if<Neuron>(&g.nodes[2].op); n && n->lif.decay_input && g.tensors.count("n2.decay"))
      for (float& d : g.tensors["n2.decay"].values.own()) d = 0.4f;  // one factor of the input a layer
    nets.push_back(apical::testing::quantised(g, random_frames(g, 1, true), nets.size() % 3 == 1 ? 4 : 8));
  }
  return nets;
}

TEST(Compiled, StrictC99GivesTheRuntimesBits) {
  expect_same_bits(all_nets(), {"-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"});
}

TEST(Compiled, SoDoesACompilerThatWouldContract) { expect_same_bits(all_nets(), {"-std=gnu99", "-O2", "-march=native"}); }

const std::vector<Graph>& checked_integer_nets() {
  static const std::vector<Graph> nets = integer_nets();
  return nets;
}

TEST(Compiled, IntegerNetworksAreExactInStrictC99) {
  std::set<int> shifts;  // what the arithmetic must have met
  std::size_t leaks = 0;
  for (const Graph& g : checked_integer_nets())
    for (const IntegerNode& n : integer_network(g).nodes) shifts.insert(n.lif.shift), leaks += !n.leak.empty();
  EXPECT_LT(*shifts.begin(), 0);
  EXPECT_GT(*shifts.rbegin(), 0);
  EXPECT_GT(leaks, 0u);
  expect_same_bits(checked_integer_nets(), {"-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"});
}

std::vector<Graph> some_integer_nets() {
  std::vector<Graph> some;
  for (std::size_t i = 0; i < checked_integer_nets().size(); i += 4) some.push_back(checked_integer_nets()[i]);
  return some;
}

TEST(Compiled, IntegerNetworksAreExactWhenOptimised) { expect_same_bits(some_integer_nets(), {"-std=gnu99", "-O3", "-march=native"}); }

TEST(Compiled, IntegerNetworksOverflowNowhere) {
  expect_same_bits(some_integer_nets(), {"-std=c99", "-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all"});
}

}  // namespace
}  // namespace apical::runtime
