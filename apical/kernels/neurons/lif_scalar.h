#pragma once
// The equation of lif-inl.h on plain numbers: float is the scalar reference of the kernels (the same bits), double the reference
// of tests and of traces. A CUDA compiler makes the same functions for the device too.
#include <hwy/base.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>

#include "apical/kernels/neurons/lif.h"

#ifdef __CUDACC__
#define APICAL_FN __host__ __device__ __forceinline__
#else
#define APICAL_FN HWY_INLINE
#endif

namespace apical::kernels::plain {

template <class T>
struct Ops;

namespace detail {
#include "apical/kernels/neurons/lif-inl.h"
}
using detail::LifAnyForm;
using detail::LifCell;
using detail::LifForm;
using detail::ResetForm;
using detail::SurrogateCell;

template <class T>
struct Ops {
  using V = T;
  using M = bool;
  static APICAL_FN V set(double a) { return static_cast<T>(a); }
  static APICAL_FN V add(V a, V b) { return a + b; }
  static APICAL_FN V sub(V a, V b) { return a - b; }
  static APICAL_FN V mul(V a, V b) { return a * b; }
  static APICAL_FN V div(V a, V b) { return a / b; }
  static APICAL_FN M ge(V a, V b) { return a >= b; }
  static APICAL_FN M gt(V a, V b) { return a > b; }
  static APICAL_FN V select(M m, V a, V b) { return m ? a : b; }
  static APICAL_FN V abs(V a) { return std::fabs(a); }
  static APICAL_FN V max(V a, V b) { return a > b ? a : b; }
  static APICAL_FN M both(M m, M n) { return m && n; }
  static APICAL_FN bool any(M m) { return m; }
  static APICAL_FN V magic() { return sizeof(T) == sizeof(float) ? V{12582912} : V{6755399441055744}; }
  static APICAL_FN V round(V a) { return (a + magic()) - magic(); }  // |a| < 2^22
  static APICAL_FN float power_of_two(float shifted) {
    uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;
    std::memcpy(&shifted, &bits, sizeof bits);
    return shifted;
  }
  static APICAL_FN double power_of_two(double shifted) {
    uint64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 52) + 0x3ff0000000000000u;
    std::memcpy(&shifted, &bits, sizeof bits);
    return shifted;
  }
  static APICAL_FN float scaled(float p, float shifted) {
    uint32_t bits, power;
    std::memcpy(&bits, &p, sizeof bits);
    std::memcpy(&power, &shifted, sizeof power);
    bits += power << 23;
    std::memcpy(&p, &bits, sizeof p);
    return p;
  }
  static APICAL_FN V exp2_negative(V w) {
    if constexpr (sizeof(T) == sizeof(float))
      return detail::exp2_negative_float<Ops<float>>(w);
    else
      return std::exp2(w);
  }
};

template <class T>
using AnyLif = LifCell<Ops<T>, LifAnyForm>;

/// The cell of `lif`; `decay` overrides lif.decay (a neuron's own).
template <class T>
AnyLif<T> cell(const Lif& lif, float decay) {
  const T a = decay;
  return {{lif.reset, lif.compare, lif.reset_at}, a, lif.decay_input ? T{1} - a : T{lif.input_scale}, T{lif.v_th}, T{lif.v_reset}};
}
template <class T>
AnyLif<T> cell(const Lif& lif) {
  return cell<T>(lif, lif.decay);
}

/// The constant `a` of SurrogateCell.
inline float surrogate_constant(const Surrogate& s) {
  switch (s.kind) {
    case SurrogateKind::sigmoid:
      return -4 * std::numbers::log2e_v<float> / s.width;
    case SurrogateKind::atan:
      return std::numbers::pi_v<float> / s.width;
    case SurrogateKind::rectangle:
      return s.width / 2.0f;
    default:
      return 1.0f / s.width;
  }
}

/// Surrogate derivative at u = h - v_th.
template <class T>
T surrogate(const Surrogate& s, T u) {
  const T h = s.height, a = surrogate_constant(s);
  switch (s.kind) {
#define APICAL_CASE(kind)   \
  case SurrogateKind::kind: \
    return SurrogateCell<Ops<T>, SurrogateKind::kind>{h, a}(u);
    APICAL_SURROGATES(APICAL_CASE)
#undef APICAL_CASE
  }
  return 0;
}

/// One step: v in and out; returns whether the neuron fired, and the membrane before the reset in *h when asked.
template <class T>
bool step(const AnyLif<T>& c, T x, T& v, T* h = nullptr) {
  const T m = c.charge(v, x);
  const bool s = c.fire(m);
  v = c.state(m, s);
  if (h) *h = m;
  return s;
}

}  // namespace apical::kernels::plain
