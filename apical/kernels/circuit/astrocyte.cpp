#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/astrocyte.cpp"
#include "apical/kernels/circuit/astrocyte.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "apical/kernels/circuit/plain_rows.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/rows-inl.h"
// the frame before its user
#include "apical/kernels/circuit/astrocyte-inl.h"

bool astrocyte_float(const AstrocyteLr1994& m, const NeuronArrays<float>& a) {
  return each_vector<Doubles>(AstrocyteCell<Doubles>{m}, a, 0);
}
bool astrocyte_double(const AstrocyteLr1994& m, const NeuronArrays<double>& a) {
  return each_vector<Doubles>(AstrocyteCell<Doubles>{m}, a, 0);
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/rows-inl.h"
// the frame before its user
#include "apical/kernels/circuit/astrocyte-inl.h"
}  // namespace plain::detail
namespace {

template <class Row>
bool reference(const AstrocyteLr1994& m, const NeuronArrays<Row>& a) {
  return plain::detail::each_vector<plain::Rows>(plain::detail::AstrocyteCell<plain::Rows>{m}, a, 0);
}

APICAL_BOTH_ROWS(equations, AstrocyteLr1994, astrocyte, reference);

// The logarithm is the library's at every level: few astrocytes need it.
template <class Row>
bool whole_step(const AstrocyteLr1994& m, const NeuronArrays<Row>& a) {
  const bool good = equations(m, a);
  for (std::size_t i = 0; i < a.n; ++i) {
    const double y = 1000 * (a.state[0][i] - m.SIC_th);
    a.state[3][i] = y > 1 ? m.SIC_scale * std::log(y) : 0;
  }
  return good;
}

}  // namespace

bool neuron_step(const AstrocyteLr1994& m, const NeuronArrays<float>& a) noexcept { return whole_step(m, a); }
bool neuron_step(const AstrocyteLr1994& m, const NeuronArrays<double>& a) noexcept { return whole_step(m, a); }

}  // namespace apical::kernels
#endif
