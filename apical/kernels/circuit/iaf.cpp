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
#include "apical/kernels/circuit/rows-inl.h"
// both before their users
#include "apical/kernels/circuit/iaf-inl.h"

bool delta_float(const IafPscDelta& m, const NeuronArrays<float>& a) { return iaf_step<Doubles>(m, a); }
bool delta_double(const IafPscDelta& m, const NeuronArrays<double>& a) { return iaf_step<Doubles>(m, a); }
bool exp_float(const IafPscExp& m, const NeuronArrays<float>& a) { return iaf_step<Doubles>(m, a); }
bool exp_double(const IafPscExp& m, const NeuronArrays<double>& a) { return iaf_step<Doubles>(m, a); }
bool curr_float(const IfCurrExp& m, const NeuronArrays<float>& a) { return iaf_step<Doubles>(m, a); }
bool curr_double(const IfCurrExp& m, const NeuronArrays<double>& a) { return iaf_step<Doubles>(m, a); }
bool alpha_float(const IafPscAlpha& m, const NeuronArrays<float>& a) { return iaf_step<Doubles>(m, a); }
bool alpha_double(const IafPscAlpha& m, const NeuronArrays<double>& a) { return iaf_step<Doubles>(m, a); }
bool cond_float(const IafCond& m, const NeuronArrays<float>& a) { return iaf_step<Doubles>(m, a); }
bool cond_double(const IafCond& m, const NeuronArrays<double>& a) { return iaf_step<Doubles>(m, a); }
bool izhikevich_float(const Izhikevich& m, const NeuronArrays<float>& a) { return iaf_step<Doubles>(m, a); }
bool izhikevich_double(const Izhikevich& m, const NeuronArrays<double>& a) { return iaf_step<Doubles>(m, a); }
bool parrot_float(const Parrot& m, const NeuronArrays<float>& a) { return iaf_step<Doubles>(m, a); }
bool parrot_double(const Parrot& m, const NeuronArrays<double>& a) { return iaf_step<Doubles>(m, a); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/rows-inl.h"
// both before their users
#include "apical/kernels/circuit/iaf-inl.h"
}  // namespace plain::detail
namespace {

template <class Model, class Row>
bool reference(const Model& m, const NeuronArrays<Row>& a) {
  return plain::detail::iaf_step<plain::Rows>(m, a);
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
