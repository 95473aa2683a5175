#pragma once
// For tests and benchmarks: models as text that both of them take.
#include <string>

#include "apical/brain/equations.h"

namespace apical::brain {

/// The neuron of benchmark 3 of Brette et al. 2007 (Traub and Miles), which NEST has as hh_cond_exp_traub and Brian2 as COBAHH.py. current:
/// what is injected, `I` or a number of pA.
inline Equations traub(const std::string& method, const std::string& current = "I") {
  return {.equations = "I_e = " + current + " : pA" + R"(
            dV_m/dt = (g_L * (E_L - V_m) - g_Na * m^3 * h * (V_m - 50 mV) - g_K * n^4 * (V_m + 90 mV) - g_ex * V_m - g_in * (V_m + 80 mV) + I_e) / C_m : mV
            dm/dt = a_m * (1 - m) - b_m * m : 1
            dh/dt = a_h * (1 - h) - b_h * h : 1
            dn/dt = a_n * (1 - n) - b_n * n : 1
            dg_ex/dt = -g_ex / (5 ms) : nS
            dg_in/dt = -g_in / (10 ms) : nS
            u = V_m + 63 mV : mV
            a_m = 1.28 /ms / exprel((13 mV - u) / (4 mV)) : 1/ms
            b_m = 1.4 /ms / exprel((u - 40 mV) / (5 mV)) : 1/ms
            a_h = 0.128 /ms * exp((17 mV - u) / (18 mV)) : 1/ms
            b_h = 4 /ms / (1 + exp((40 mV - u) / (5 mV))) : 1/ms
            a_n = 0.16 /ms / exprel((15 mV - u) / (5 mV)) : 1/ms
            b_n = 0.5 /ms * exp((10 mV - u) / (40 mV)) : 1/ms
            E_L = -60 mV : mV
            C_m = 200 pF : pF
            g_L = 10 nS : nS
            g_Na = 20 uS : uS
            g_K = 6 uS : uS
          )",
          .threshold = "V_m > -20 mV",
          .refractory = "3 ms",
          .excitatory = "g_ex += w",
          .inhibitory = "g_in -= w",
          .initial = "V_m = E_L; m = 0.05; h = 0.6; n = 0.3",
          .method = method};
}

}  // namespace apical::brain
