#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/gif.cpp"
#include "apical/kernels/circuit/gif.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/exp-inl.h"
// the exponential before its users
#include "apical/kernels/circuit/gif-inl.h"

template <class Row>
bool step(const GifPscExp& model, const NeuronArrays<Row>& arrays) {
  using O = Doubles;
  const GifPscExp m = model;  // copies: what is stored does not change them
  const NeuronArrays<Row> a = arrays;
  O::V strange = O::set(0);
  for (size_t word = 0; word < a.n / 64; ++word) {
    uint64_t fired = 0;
    for (size_t k = 0; k < 64; k += O::lanes()) fired |= O::bits(gif_step<O>(m, a, 64 * word + k, strange)) << k;
    a.spikes[word] = fired;
  }
  return hn::AllTrue(O::D(), hn::Eq(strange, O::set(0)));
}
bool gif_float(const GifPscExp& m, const NeuronArrays<float>& a) { return step(m, a); }
bool gif_double(const GifPscExp& m, const NeuronArrays<double>& a) { return step(m, a); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/exp-inl.h"
// the exponential before its users
#include "apical/kernels/circuit/gif-inl.h"
}  // namespace plain::detail
namespace {

HWY_EXPORT(gif_float);
HWY_EXPORT(gif_double);

struct Plain : plain::Ops<double> {
  template <class T>
  static double load(const T* p) {
    return *p;
  }
  template <class T>
  static void store(double v, T* p) {
    *p = static_cast<T>(v);
  }
  template <class T>
  static void zero(T* p) {
    *p = 0;
  }
};
template <class Row>
bool reference(const GifPscExp& m, const NeuronArrays<Row>& a) {
  double strange = 0;
  for (std::size_t i = 0; i < a.n; ++i) {
    if (i % 64 == 0) a.spikes[i / 64] = 0;
    a.spikes[i / 64] |= std::uint64_t{plain::detail::gif_step<Plain>(m, a, i, strange)} << (i % 64);
  }
  return strange == 0;
}

}  // namespace

bool neuron_step(const GifPscExp& m, const NeuronArrays<float>& a) noexcept {
  return scalar_level() ? reference(m, a) : HWY_DYNAMIC_DISPATCH(gif_float)(m, a);
}
bool neuron_step(const GifPscExp& m, const NeuronArrays<double>& a) noexcept {
  return scalar_level() ? reference(m, a) : HWY_DYNAMIC_DISPATCH(gif_double)(m, a);
}

}  // namespace apical::kernels
#endif
