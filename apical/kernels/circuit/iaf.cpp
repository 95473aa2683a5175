#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/iaf.cpp"
#include "apical/kernels/circuit/iaf.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "apical/kernels/circuit/plain_rows.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/iaf-inl.h"

template <class Model, int kPorts, class Row>
bool step(const Model& model, const NeuronArrays<Row>& arrays) {
  using O = Doubles;
  using Cell = IafCell<Model, O, kPorts>;
  const Cell cell(model);
  const NeuronArrays<Row> a = arrays;  // a copy: what is stored does not change it
  const size_t L = hn::Lanes(O::D());
  const O::V rest = cell.drive(O::set(0));
  O::V strange = O::set(0);
  for (size_t word = 0; word < a.n / 64; ++word) {
    uint64_t fired = 0;
    for (size_t k = 0; k < 64; k += L) {
      const size_t i = 64 * word + k;
      O::V s[Cell::kStates], in[Cell::kInputs], r = O::load(a.refractory + i);
      for (int j = 0; j < Cell::kStates; ++j) s[j] = O::load(a.state[j] + i);
      for (int j = 0; j < Cell::kInputs; ++j) {
        in[j] = O::load(a.in[j] + i);
        O::zero(a.in[j] + i);
      }
      const auto m = iaf_fire<O>(cell, s, r, a.current ? cell.drive(O::load(a.current + i)) : rest, in, strange);
      for (int j = 0; j < Cell::kStates; ++j) O::store(s[j], a.state[j] + i);
      O::store(r, a.refractory + i);
      fired |= O::bits(m) << k;
    }
    a.spikes[word] = fired;
  }
  return O::is_zero(strange);
}

template <class Model, class Row>
bool any_step(const Model& m, const NeuronArrays<Row>& a) {
  return second_form(m) ? step<Model, 2>(m, a) : step<Model, 1>(m, a);
}
bool delta_float(const IafPscDelta& m, const NeuronArrays<float>& a) { return any_step(m, a); }
bool delta_double(const IafPscDelta& m, const NeuronArrays<double>& a) { return any_step(m, a); }
bool exp_float(const IafPscExp& m, const NeuronArrays<float>& a) { return any_step(m, a); }
bool exp_double(const IafPscExp& m, const NeuronArrays<double>& a) { return any_step(m, a); }
bool curr_float(const IfCurrExp& m, const NeuronArrays<float>& a) { return any_step(m, a); }
bool curr_double(const IfCurrExp& m, const NeuronArrays<double>& a) { return any_step(m, a); }
bool alpha_float(const IafPscAlpha& m, const NeuronArrays<float>& a) { return any_step(m, a); }
bool alpha_double(const IafPscAlpha& m, const NeuronArrays<double>& a) { return any_step(m, a); }
bool cond_float(const IafCond& m, const NeuronArrays<float>& a) { return any_step(m, a); }
bool cond_double(const IafCond& m, const NeuronArrays<double>& a) { return any_step(m, a); }
bool izhikevich_float(const Izhikevich& m, const NeuronArrays<float>& a) { return any_step(m, a); }
bool izhikevich_double(const Izhikevich& m, const NeuronArrays<double>& a) { return any_step(m, a); }
bool parrot_float(const Parrot& m, const NeuronArrays<float>& a) { return any_step(m, a); }
bool parrot_double(const Parrot& m, const NeuronArrays<double>& a) { return any_step(m, a); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/iaf-inl.h"
}  // namespace plain::detail
namespace {

template <class Model, int kPorts, class Row>
bool reference(const Model& model, const NeuronArrays<Row>& a) {
  using O = plain::Ops<double>;
  using Cell = plain::detail::IafCell<Model, O, kPorts>;
  const Cell cell(model);
  double strange = 0;
  for (std::size_t i = 0; i < a.n; ++i) {
    double s[Cell::kStates], in[Cell::kInputs], r = a.refractory[i];
    for (int j = 0; j < Cell::kStates; ++j) s[j] = a.state[j][i];
    for (int j = 0; j < Cell::kInputs; ++j) in[j] = a.in[j][i], a.in[j][i] = 0;
    const bool fired = plain::detail::iaf_fire<O>(cell, s, r, cell.drive(a.current ? a.current[i] : 0), in, strange);
    for (int j = 0; j < Cell::kStates; ++j) a.state[j][i] = s[j];
    a.refractory[i] = static_cast<float>(r);
    if (i % 64 == 0) a.spikes[i / 64] = 0;
    a.spikes[i / 64] |= std::uint64_t{fired} << (i % 64);
  }
  return strange == 0;
}

template <class Model, class Row>
bool reference(const Model& m, const NeuronArrays<Row>& a) {
  return plain::detail::second_form(m) ? reference<Model, 2>(m, a) : reference<Model, 1>(m, a);
}

}  // namespace

APICAL_NEURON_STEP(IafPscDelta, delta, reference);
APICAL_NEURON_STEP(IafPscExp, exp, reference);
APICAL_NEURON_STEP(IfCurrExp, curr, reference);
APICAL_NEURON_STEP(IafPscAlpha, alpha, reference);
APICAL_NEURON_STEP(IafCond, cond, reference);
APICAL_NEURON_STEP(Izhikevich, izhikevich, reference);
APICAL_NEURON_STEP(Parrot, parrot, reference);

}  // namespace apical::kernels
#endif
