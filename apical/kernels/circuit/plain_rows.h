#pragma once
// What a source of circuit neurons has beside its equations: the operations of doubles-inl.h on one neuron at a time, and neuron_step() for
// both kinds of rows.
#include "apical/kernels/circuit/neuron_arrays.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/simd.h"

namespace apical::kernels::plain {

struct Rows : Ops<double> {
  template <class T>
  static APICAL_FN double load(const T* p) {
    return *p;
  }
  template <class T>
  static APICAL_FN void store(double v, T* p) {
    *p = static_cast<T>(v);
  }
  template <class T>
  static APICAL_FN void zero(T* p) {
    *p = 0;
  }
  static APICAL_FN double watch(double v, double strange) { return v * 0 + strange; }
  static APICAL_FN bool awake(const std::int32_t* wakes, std::int32_t step) { return *wakes <= step; }
  static APICAL_FN std::uint64_t bits(bool m) { return m; }
  static APICAL_FN std::size_t lanes() { return 1; }
  static APICAL_FN bool is_zero(double v) { return v == 0; }
};

}  // namespace apical::kernels::plain

/// FUNCTION(MODEL, arrays) for both kinds of rows: NAME_float and NAME_double of a target's namespace, and REFERENCE, any function of model
/// and arrays, at the scalar level.
#define APICAL_BOTH_ROWS(FUNCTION, MODEL, NAME, REFERENCE)                               \
  HWY_EXPORT(NAME##_float);                                                              \
  HWY_EXPORT(NAME##_double);                                                             \
  bool FUNCTION(const MODEL& m, const NeuronArrays<float>& a) noexcept {                 \
    return scalar_level() ? REFERENCE(m, a) : HWY_DYNAMIC_DISPATCH(NAME##_float)(m, a);  \
  }                                                                                      \
  bool FUNCTION(const MODEL& m, const NeuronArrays<double>& a) noexcept {                \
    return scalar_level() ? REFERENCE(m, a) : HWY_DYNAMIC_DISPATCH(NAME##_double)(m, a); \
  }                                                                                      \
  static_assert(true)
#define APICAL_NEURON_STEP(MODEL, NAME, REFERENCE) APICAL_BOTH_ROWS(neuron_step, MODEL, NAME, REFERENCE)
