#pragma once
// Rate units of circuits, one step of the clock (NEST's lin_rate_ipn and tanh_rate_ipn: noise at the input), state in float64; ms.
//   tau X' = -lambda X + mu + phi(h) + sqrt(tau) sigma xi(t),   phi(h) = g h, or tanh(g (h - theta))
// h: what devices and other units send. Source: Hahne et al., Front. Neuroinform. 11 (2017) 34, eq. 1 and stochastic exponential Euler:
//   X <- P1 X + P2 (mu + phi(h)) + noise z,   P1 = exp(-lambda h/tau), P2 = (1 - P1)/lambda, noise = sigma sqrt((1 - P1^2)/(2 lambda)),
// lambda = 0: P1 = 1, P2 = h/tau, noise = sigma sqrt(h/tau). With rectify X is at least rectify_rate. It never fires.
//
// Chance: z is the normal quantile of the caller's number in (0, 1) (draws.h). Every SIMD level gives the same bits as the scalar
// reference.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

struct RateIpn {
  static constexpr int kStates = 2;  ///< X, sigma z of this step
  bool tanh, rectify;
  double P1, P2, noise, sigma, mu, g, theta, rectify_rate;  ///< noise: of z times sigma
};

/// One step. False when a rate is not a finite number.
bool neuron_step(const RateIpn& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const RateIpn& model, const NeuronArrays<double>& a) noexcept;

/// x with P(z < x) = p of a standard normal z, 0 < p < 1, to 1e-15. Source: Wichura, Appl. Stat. 37 (1988) 477-484, algorithm AS 241.
double normal_quantile(double p) noexcept;

}  // namespace apical::kernels
