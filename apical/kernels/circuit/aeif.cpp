#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/aeif.cpp"
#include "apical/kernels/circuit/aeif.h"

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
// the exponential before its users
#include "apical/kernels/circuit/aeif-inl.h"
#include "apical/kernels/circuit/speeds-inl.h"

bool aeif_float(const AeifCondExp& m, const NeuronArrays<float>& a) { return step_by_ways(AeifCell<PairsOfDoubles>{m}, a); }
bool aeif_double(const AeifCondExp& m, const NeuronArrays<double>& a) { return step_by_ways(AeifCell<PairsOfDoubles>{m}, a); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/exp-inl.h"
// the exponential before its users
#include "apical/kernels/circuit/aeif-inl.h"
}  // namespace plain::detail
namespace {

template <class Row>
bool reference(const AeifCondExp& m, const NeuronArrays<Row>& a) {
  return reference_by_ways(plain::detail::AeifCell<plain::Ops<double>>{m}, a);
}

}  // namespace

APICAL_NEURON_STEP(AeifCondExp, aeif, reference);

}  // namespace apical::kernels
#endif
