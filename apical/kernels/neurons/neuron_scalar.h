#pragma once
// The equations of models-inl.h on plain numbers, as lif_scalar.h does for lif-inl.h, and what every model is asked for.
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/models.h"

namespace apical::kernels::plain {
namespace detail {
#include "apical/kernels/neurons/models-inl.h"
}
using detail::NeuronCell;
using detail::NeuronStep;

/// The model's own values of its parameters, in the order of models.h.
APICAL_FN void shared_params(const Cuba& m, float* p) { p[0] = m.alpha, p[1] = m.lif.decay; }
APICAL_FN void shared_params(const Alif& m, float* p) { p[0] = m.lif.decay, p[1] = m.rho; }
APICAL_FN void shared_params(const RefractoryLif& m, float* p) { p[0] = m.lif.decay; }
APICAL_FN void shared_params(const MultiLif& m, float* p) { p[0] = m.decay; }

template <class Model>
APICAL_FN bool detach_temporal(const Model& m) { return m.lif.detach_temporal; }
APICAL_FN bool detach_temporal(const MultiLif& m) { return m.detach_temporal; }

template <class Model>
APICAL_FN bool detach_reset(const Model& m) { return m.lif.detach_reset; }
APICAL_FN bool detach_reset(const MultiLif& m) { return m.detach_reset; }

template <class Model>
inline constexpr bool kReadsSurrogate = true;
template <>
inline constexpr bool kReadsSurrogate<MultiLif> = false;

/// The form that the kernels are compiled for: reset_at same_step where it does not matter.
template <class Model>
Model normal(Model m) {
  if (m.lif.reset == Reset::none) m.lif.reset_at = ResetAt::same_step;
  return m;
}
inline Alif normal(Alif m) {
  m.lif.reset_at = ResetAt::same_step;
  return m;
}
inline MultiLif normal(MultiLif m) { return m; }

/// The cell of neuron n of N; params: [kParams, N] or null.
template <class T, class Form = LifAnyForm, class Model>
APICAL_FN NeuronCell<Model, Ops<T>, Form> neuron(const Model& m, const float* params, std::size_t n, std::size_t N) {
  float shared[Model::kParams];
  shared_params(m, shared);
  T p[Model::kParams];
  for (std::size_t k = 0; k < Model::kParams; ++k) p[k] = params ? params[k * N + n] : shared[k];
  return {m, p};
}

}  // namespace apical::kernels::plain
