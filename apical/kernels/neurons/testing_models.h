#pragma once
// For tests of the neurons of models.h: members of each model, and inputs that find what is wrong.
#include <cstddef>
#include <vector>

#include "apical/kernels/neurons/models.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {

inline std::vector<Lif> lifs(bool every_reset_at) {
  std::vector<Lif> all;
  for (Reset reset : {Reset::hard, Reset::soft, Reset::none})
    for (ResetAt at : {ResetAt::same_step, ResetAt::next_step, ResetAt::next_step_decayed})
      for (Compare compare : {Compare::ge, Compare::gt}) {
        if (at != ResetAt::same_step && !every_reset_at) continue;
        Lif l{.decay = 0.8f, .input_scale = 0.7f, .v_th = 0.6f, .v_reset = -0.1f, .reset = reset, .compare = compare, .reset_at = at};
        l.decay_input = compare == Compare::gt;
        l.detach_reset = false;
        all.push_back(l);
      }
  return all;
}

template <class Model>
std::vector<Model> members();
template <>
inline std::vector<Cuba> members() {
  std::vector<Cuba> all;
  for (const Lif& l : lifs(true)) all.push_back({l, 0.6f});
  return all;
}
template <>
inline std::vector<Alif> members() {
  std::vector<Alif> all;
  for (const Lif& l : lifs(false)) all.push_back({l, 0.85f, 0.3f, 0.7f});
  return all;
}
template <>
inline std::vector<RefractoryLif> members() {
  std::vector<RefractoryLif> all;
  for (const Lif& l : lifs(true))
    for (int steps : {1, 3}) all.push_back({l, steps});
  return all;
}
template <>
inline std::vector<MultiLif> members() {
  return {{0.7f, 1.3f, 1, false}, {0.7f, 1.3f, 4, false}, {0.9f, 2.0f, 255, false}};
}

inline void set_detach(MultiLif& m, bool reset, bool temporal) { m.detach_reset = reset, m.detach_temporal = temporal; }
template <class Model>
void set_detach(Model& m, bool reset, bool temporal) { m.lif.detach_reset = reset, m.lif.detach_temporal = temporal; }

/// Start states [kStates, N] from any values: pauses are whole numbers.
template <class Model>
void make_start(std::vector<float>&, std::size_t) {}
template <>
inline void make_start<RefractoryLif>(std::vector<float>& state, std::size_t N) {
  for (std::size_t i = 0; i < N; ++i) state[N + i] = static_cast<float>(i % 3);
}

/// What makes an input tell more. denormal: membranes, threshold and surrogate are denormal, a flush to zero would show;
/// quarters: membranes that meet the threshold tell ge from gt.
inline void fit(Lif& l, Input kind) {
  if (kind == Input::denormal) l.v_th = 6e-40f, l.v_reset = -1e-40f;
  if (kind == Input::quarters) l.decay = 0.5f, l.input_scale = 1.0f, l.v_th = 0.75f, l.v_reset = -0.25f, l.decay_input = false;
}
inline void fit(Cuba& m, Input kind) {
  fit(m.lif, kind);
  if (kind == Input::quarters) m.alpha = 0.5f;
}
inline void fit(Alif& m, Input kind) {
  fit(m.lif, kind);
  if (kind == Input::denormal) m.beta = 1e-40f, m.reset_by = 7e-40f;
  if (kind == Input::quarters) m.rho = 0.5f, m.beta = 0.25f, m.reset_by = 0.75f;
}
inline void fit(RefractoryLif& m, Input kind) { fit(m.lif, kind); }
inline void fit(MultiLif& m, Input kind) {
  if (kind == Input::quarters) m.decay = 0.5f, m.input_scale = 1.0f;
}
inline void fit(Surrogate& s, Input kind) {
  if (kind == Input::denormal) s.width = 1.3e-38f;
}

}  // namespace apical::kernels
