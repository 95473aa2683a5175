#pragma once
// The text of a neuron model, parsed and its units checked: what equations.h describes, as trees. Private to the room.
#include <optional>
#include <string>
#include <vector>

#include "apical/base/units.h"
#include "apical/brain/equations.h"
#include "apical/brain/expressions.h"

namespace apical::brain {

struct EquationText {
  /// Numbers, conditions, and what they are made of. Numbers are in units of mV, ms, pA, nS, pF, mM and products of them.
  struct Node {
    enum class Kind : std::uint8_t { number, name, power, operation } kind;
    Expressions::Kind operation{};  ///< of a, b and c
    double value = 0;               ///< number: it; power: the exponent
    int name = 0;                   ///< of names
    int a = -1, b = -1, c = -1;     ///< of nodes; -1: none
    Unit unit{};                    ///< only its powers count
    bool condition = false;
    bool any_unit = false;  ///< a literal 0
  };
  struct Name {
    enum class Kind : std::uint8_t { state, parameter, subexpression, current, weight } kind;
    std::string name, unit;
    int ten;  ///< a number of `unit` is 10^ten units of the nodes
    Unit powers{};
    bool held = false;                 ///< state: (unless refractory)
    std::optional<double> standard{};  ///< parameter: of `unit`
    int node = -1;                     ///< state: its derivative; subexpression: it
    std::string text{};                ///< of the line
  };
  struct Statement {
    int name, node;  ///< name = node
  };

  std::vector<Node> nodes;
  std::vector<Name> names;        ///< states first
  int current = -1, weight = -1;  ///< of names; -1: not used
  std::vector<int> order;         ///< subexpressions, those they are made of first
  int states = 0;
  int threshold = -1, refractory = -1;               ///< nodes; -1: none
  std::vector<Statement> reset, initial, arrive[2];  ///< arrive: of each port, with the weight as a name
  int ports = 1;
};

/// Usage error that says where in the text, and why.
EquationText parse_equations(const Equations& text);

}  // namespace apical::brain
