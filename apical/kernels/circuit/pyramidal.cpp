#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/pyramidal.cpp"
#include "apical/kernels/circuit/pyramidal.h"

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
#include "apical/kernels/circuit/pyramidal-inl.h"

bool pyramidal_float(const PyramidalNs2018& m, const NeuronArrays<float>& a) {
  return each_vector<Doubles>(PyramidalCell<Doubles>{m}, a, m.refractory);
}
bool pyramidal_double(const PyramidalNs2018& m, const NeuronArrays<double>& a) {
  return each_vector<Doubles>(PyramidalCell<Doubles>{m}, a, m.refractory);
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/rows-inl.h"
// both before their users
#include "apical/kernels/circuit/pyramidal-inl.h"
}  // namespace plain::detail
namespace {

template <class Row>
bool reference(const PyramidalNs2018& m, const NeuronArrays<Row>& a) {
  return plain::detail::each_vector<plain::Rows>(plain::detail::PyramidalCell<plain::Rows>{m}, a, m.refractory);
}

}  // namespace

APICAL_NEURON_STEP(PyramidalNs2018, pyramidal, reference);

}  // namespace apical::kernels
#endif
