#include "apical/exchange/c_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/graph/quantise.h"

namespace apical::exchange {
namespace {

using namespace graph;
using ::testing::HasSubstr, ::testing::Not;

Graph net(const std::string& name) {
  Graph g;
  g.name = name, g.input_shape = {3}, g.T = 4, g.classes = {"a", "*/ int x;"};
  g.tensors["w"] = {{2, 3}, {1, -2, 3.5f, 1e-30f, 0, 0.1f}};
  g.nodes = {{"in", Input{}, {}, {}}, {"l \n*/ #error", Linear{"w", ""}, {"in"}, {}}, {"n", Neuron{}, {"l \n*/ #error"}, {}}};
  return g;
}

// What executes is compared with the runtime in runtime/compiled_test.cpp.

TEST(CSource, NamesOfAFileCannotLeaveTheirComments) {
  const std::string s = c_source(net("7 */ nets@P"));
  EXPECT_THAT(s, HasSubstr("void net7____nets_P_step("));
  EXPECT_THAT(s, Not(HasSubstr("*/ int x")));
  EXPECT_THAT(s, Not(HasSubstr("#error\n")));
  EXPECT_THAT(s, Not(HasSubstr("@")));
}

TEST(CSource, NumbersReadBackAsTheSameFloats) {
  const std::string s = c_source(net("digits"));
  EXPECT_THAT(s, HasSubstr(" 1.0f, 1e-30f, -2.0f, 0.0f, 3.5f, 0.1f};"));
  EXPECT_EQ(s, c_source(net("digits"), "digits")) << "the same network, the same text";
  EXPECT_THAT(s, HasSubstr("#define DIGITS_FRAME 3\n#define DIGITS_SCORES 2\n"));
}

Graph whole_net() {
  Graph g = net("whole");
  g.tensors["w"].values = std::vector<float>{1, -2, 3.5f, 63.5f, 0, 0.5f};
  quantise(g, 8, {100, true});
  return g;
}

TEST(CSource, AQuantisedNetworkHasFloatsAtItsEndsAlone) {
  const std::string s = c_source(whole_net());
  EXPECT_THAT(s, HasSubstr("static const int8_t whole_w1[6] = {\n    2, 127, -4, 0, 7, 1};"));
  EXPECT_THAT(s, HasSubstr("int16_t v2[2];"));
  EXPECT_THAT(s, Not(HasSubstr("static const float")));
  // All layers stand between the conversion of a frame and that of the scores.
  const std::size_t first = s.find("static void whole_layer1"), last = s.find("void whole_reset(whole_net *net) {");
  const std::string layers = s.substr(first, last - first);
  EXPECT_THAT(layers, HasSubstr(">> 15"));
  for (const char* word : {"float", "double", "."}) EXPECT_THAT(layers, Not(HasSubstr(word))) << word;
}

TEST(CSource, RefusesAQuantisedNetworkThatDoesNotFitIntegers) {
  Graph g = whole_net();
  std::get<Neuron>(g.nodes[2].op).lif.v_th = 1e-6f;
  try {
    c_source(g);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.what(), ::testing::AllOf(HasSubstr("'n'"), HasSubstr("threshold")));
  }
}

TEST(CSource, RefusesOtherNamesAndBadGraphs) {
  for (const char* name : {"7up", "a-b", "_x", "int main(void){}", "an identifier"}) {
    try {
      c_source(net("n"), name);
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      EXPECT_THAT(e.what(), HasSubstr(name));
    }
  }
  Graph bad = net("n");
  bad.tensors["w"].values[0] = INFINITY;
  EXPECT_THROW(c_source(bad), Error);
}

}  // namespace
}  // namespace apical::exchange
