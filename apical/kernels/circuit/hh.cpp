#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/hh.cpp"
#include "apical/kernels/circuit/hh.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "apical/kernels/circuit/plain_rows.h"
#include "apical/kernels/circuit/speeds_reference.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/hh-inl.h"
#include "apical/kernels/circuit/speeds-inl.h"

bool hh_float(const HhCondExpTraub& m, const NeuronArrays<float>& a) { return step_by_ways(HhCell<PairsOfDoubles>{m}, a); }
bool hh_double(const HhCondExpTraub& m, const NeuronArrays<double>& a) { return step_by_ways(HhCell<PairsOfDoubles>{m}, a); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/hh-inl.h"
}  // namespace plain::detail
namespace {

template <class Row>
bool reference(const HhCondExpTraub& m, const NeuronArrays<Row>& a) {
  return reference_by_ways(plain::detail::HhCell<plain::Ops<double>>{m}, a);
}

}  // namespace

APICAL_NEURON_STEP(HhCondExpTraub, hh, reference);

}  // namespace apical::kernels
#endif
