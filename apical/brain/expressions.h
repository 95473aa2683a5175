#pragma once
// Arithmetic on the values of a neuron as a graph: constants are folded, and what is the same is there once. compile() makes a program of
// it (kernels/circuit/program.h). Private to the room.
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "apical/kernels/circuit/program.h"

namespace apical::brain {

class Expressions {
 public:
  using Id = std::uint32_t;
  enum class Kind : std::uint8_t {
    constant,
    truth,
    state,
    current,
    input,
    awake,  // only choose() takes it
    fired,  // leaves
    add,
    sub,
    mul,
    div,
    min,
    max,
    gt,
    ge,
    eq,
    both,
    either,
    no,
    choose,  // choose(a, b, c): a ? b : c
    abs,
    sqrt,
    exp,
    log,
    expm1,
    exprel,
    sin,
    cos,
    tanh
  };
  struct Node {
    Kind kind;
    std::uint16_t depth;  ///< of what it is made of
    Id a = 0, b = 0, c = 0;
    double value = 0;           ///< constant, truth: it; state, input: which
    std::uint64_t depends = 0;  ///< bits of leaves: states from 0 on, then current, inputs, awake and fired
  };
  static constexpr std::size_t kMostNodes = 50000;
  static constexpr int kMostDepth = 1500;

  Id constant(double value);
  Id truth(bool value);
  Id state(int k);
  Id current();
  Id input(int port);
  Id awake();
  Id fired();
  /// Everything else. Usage error when the graph grows beyond all bounds.
  Id make(Kind kind, Id a, Id b = 0, Id c = 0);
  Id add(Id a, Id b) { return make(Kind::add, a, b); }
  Id mul(Id a, Id b) { return make(Kind::mul, a, b); }
  Id power(Id x, int n);

  const Node& node(Id id) const { return nodes_[id]; }
  bool is(Id id, double value) const { return nodes_[id].kind == Kind::constant && nodes_[id].value == value; }
  std::optional<double> value(Id id) const;  ///< of a constant
  bool depends(Id f, Id leaf) const { return (nodes_[f].depends & nodes_[leaf].depends) != 0; }
  /// df/dleaf where f is linear in the leaf; nothing where it is not, or not seen to be.
  std::optional<Id> slope(Id f, Id leaf);
  std::size_t size() const { return nodes_.size(); }

 private:
  Id insert(Node node);
  std::optional<Id> fold(Kind kind, Id a, Id b, Id c);
  std::vector<Node> nodes_;
  std::map<std::tuple<Kind, Id, Id, Id, std::uint64_t>, Id> known_;
};

/// What a program is for, in order.
struct Root {
  enum class Kind : std::uint8_t { check, fire, store, out } kind;
  Expressions::Id node;
  int state = 0;       ///< store: which
  bool check = false;  ///< store: as well
};
/// States are read as they were before the program, whenever they are stored. reset: what else happens to neurons that fired, and to no
/// other one; there states are those that the first part left. `states`: how many there are.
kernels::Program compile(const Expressions& all, const std::vector<Root>& roots, const std::vector<Root>& reset, int states);

}  // namespace apical::brain
