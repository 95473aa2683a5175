#include "apical/exchange/c_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"

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
