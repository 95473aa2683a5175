#pragma once
// Neuron models of one's own, as text (docs/reference/circuits.md has the language):
//   EquationModel lif({.equations = R"(
//                        dv/dt = (E_L - v + R * (I_syn + I)) / tau : mV (unless refractory)
//                        dI_syn/dt = -I_syn / tau_syn : pA
//                        tau = 20 ms : ms
//                        tau_syn = 5 ms : ms
//                        E_L = -70 mV : mV
//                        R = 100 MOhm : MOhm
//                      )",
//                      .threshold = "v > -50 mV", .reset = "v = -60 mV", .refractory = "2 ms", .synapses = "I_syn += w", .initial = "v =
//                      E_L"});
//   const auto e = net.create(lif, 3200, {{"tau", 10.0}});
#include <memory>
#include <string>

#include "apical/brain/models.h"

namespace apical::brain {

/// Differential equations, parameters and subexpressions, one a line; conditions and statements as the built-in models have them. In a step
/// of the clock the equations are integrated, what arrives is added, and the threshold is looked at, in this order.
struct Equations {
  std::string equations;
  std::string threshold{};   ///< a condition; none: never fires
  std::string reset{};       ///< what a spike does: "v = V_reset; w += b"
  std::string refractory{};  ///< a time, e.g. "2 ms" or "t_ref": no spike, and variables `(unless refractory)` stay as they are
  std::string synapses{};    ///< what a spike of weight w that arrives does: "g += w"; or, by the sign of its weight,
  std::string excitatory{}, inhibitory{};  ///< "g_ex += w", "g_in -= w"
  std::string weight_unit{};               ///< of w; that of the first variable it is added to when not given
  std::string initial{};                   ///< where neurons start: "v = E_L"; 0 what is not given
  std::string method{};  ///< "exact", "exponential_euler", "rk4", "euler"; "": the first of the first three that can do it
  std::string name = "equations";
};

struct EquationText;

/// A model from text. Usage error with line, column and the words in question: what is no equation, an unknown name (did-you-mean), units
/// that do not fit.
class EquationModel {
 public:
  EquationModel(const Equations& equations);
  /// Parameters: those of the text, by their units there, and every variable of a differential equation: where it starts. NaN: not given.
  const ModelInfo& info() const noexcept { return info_; }
  /// dt: ms. A parameter that is drawn is a constant of each neuron. Usage error: a parameter without value, a method that cannot do it.
  Model make(const Parameters& parameters, double dt) const;

 private:
  Equations equations_;
  std::shared_ptr<const EquationText> text_;
  ModelInfo info_;
};

}  // namespace apical::brain
