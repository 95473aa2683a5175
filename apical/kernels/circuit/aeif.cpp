#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/aeif.cpp"
#include "apical/kernels/circuit/aeif.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "apical/kernels/circuit/two_speed_reference.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/exp-inl.h"
// the exponential before its users
#include "apical/kernels/circuit/aeif-inl.h"
#include "apical/kernels/circuit/two_speed-inl.h"

bool aeif_float(const AeifCondExp& m, const NeuronArrays<float>& a) { return two_speed_step(AeifCell<PairsOfDoubles>{m}, a); }
bool aeif_double(const AeifCondExp& m, const NeuronArrays<double>& a) { return two_speed_step(AeifCell<PairsOfDoubles>{m}, a); }

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

HWY_EXPORT(aeif_float);
HWY_EXPORT(aeif_double);
using Plain = plain::detail::AeifCell<plain::Ops<double>>;

}  // namespace

bool neuron_step(const AeifCondExp& m, const NeuronArrays<float>& a) noexcept {
  return scalar_level() ? two_speed_reference(Plain{m}, a) : HWY_DYNAMIC_DISPATCH(aeif_float)(m, a);
}
bool neuron_step(const AeifCondExp& m, const NeuronArrays<double>& a) noexcept {
  return scalar_level() ? two_speed_reference(Plain{m}, a) : HWY_DYNAMIC_DISPATCH(aeif_double)(m, a);
}

}  // namespace apical::kernels
#endif
