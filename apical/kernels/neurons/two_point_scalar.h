#pragma once
// The equations of two_point-inl.h on plain numbers, as lif_scalar.h does for lif-inl.h: float is the scalar reference of the kernels (the
// same bits), double the reference of tests. A CUDA compiler makes the same functions for the device too.
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/two_point.h"

namespace apical::kernels::plain {
namespace detail {
#include "apical/kernels/neurons/two_point-inl.h"
}
using detail::Transfer;
using detail::TwoPointCell;
using detail::TwoPointGradient;

template <class T>
struct TwoPointOps : Ops<T> {
  static APICAL_FN T copysign(T size, T sign) { return std::copysign(size, sign); }
  static APICAL_FN detail::Exp2Parts<TwoPointOps> exp2_parts(T w) {
    if constexpr (sizeof(T) == sizeof(float))
      return detail::exp2_parts_float<TwoPointOps>(w);
    else
      return {std::expm1(w * std::numbers::ln2_v<T>), 1};
  }
};

template <class T>
APICAL_FN T tanh(T z) { return detail::tanh_of<TwoPointOps<T>>(z, -static_cast<T>(detail::kTanh)); }
/// From y = tanh(z).
template <class T>
APICAL_FN T tanh_slope(T y) { return detail::tanh_slope<TwoPointOps<T>>(y); }

template <class T, Mtf K, TwoPointOutput Y>
APICAL_FN TwoPointCell<TwoPointOps<T>, K, Y> two_point_cell(const TwoPoint& m) {
  return {T{m.c_max}, -static_cast<T>(detail::kTanh) / T{m.c_max}};
}

/// Calls call.run<Mtf, TwoPointOutput>() with the form that m names.
template <Mtf K, class Call>
auto with_output(const TwoPoint& m, const Call& call) {
  switch (m.output) {
    case TwoPointOutput::relu: return call.template run<K, TwoPointOutput::relu>();
    case TwoPointOutput::half_gaussian: return call.template run<K, TwoPointOutput::half_gaussian>();
    default: return call.template run<K, TwoPointOutput::relu6>();
  }
}
template <class Call>
auto with_form(const TwoPoint& m, const Call& call) {
  switch (m.mtf) {
#define APICAL_CASE(mtf) \
  case Mtf::mtf: return with_output<Mtf::mtf>(m, call);
    APICAL_MTFS(APICAL_CASE)
#undef APICAL_CASE
  }
  return with_output<Mtf::coop>(m, call);
}

}  // namespace apical::kernels::plain
