// The equation of the leaky integrate-and-fire family (lif.h), written once. No include guard and no namespace of its own: it is
// included inside a namespace, once for plain numbers (lif_scalar.h) and once for each SIMD target (scan.cpp), so that no type
// is shared by targets. APICAL_FN, defined by the includer, stands before each function. O gives the operations:
//   V, M            value and mask
//   set add sub mul div ge gt select(m, a, b) abs max
//   exp2_negative(w)   2^w for w <= 0
// The order of operations below is the contract: every level gives the same bits.

// Which member of the family, fixed at compile time (LifForm) or read at run time (LifAnyForm, for tracing).
template <Reset R, Compare C, ResetAt A>
struct LifForm {
  static constexpr Reset reset = R;
  static constexpr Compare compare = C;
  static constexpr ResetAt reset_at = A;
};
// The comparison alone is read at run time: gradients seldom ask it, and half as many functions are compiled.
template <Reset R, ResetAt A>
struct ResetForm {
  static constexpr Reset reset = R;
  static constexpr ResetAt reset_at = A;
  Compare compare;
};
struct LifAnyForm {
  Reset reset;
  Compare compare;
  ResetAt reset_at;
};

template <class O, class Form>
struct LifCell {
  using V = typename O::V;
  using M = typename O::M;
  Form form;
  V decay, input_scale, v_th, v_reset;

  APICAL_FN M fire(V h) const { return form.compare == Compare::ge ? O::ge(h, v_th) : O::gt(h, v_th); }

  APICAL_FN V after_reset(V h, M s) const {
    if (form.reset == Reset::hard) return O::select(s, v_reset, h);
    if (form.reset == Reset::soft) return O::select(s, O::sub(h, v_th), h);
    return h;
  }

  // What is left of the state at the next charge.
  APICAL_FN V leaked(V v) const {
    if (form.reset_at == ResetAt::same_step) return O::mul(decay, v);
    const M s = fire(v);
    if (form.reset_at == ResetAt::next_step_decayed) return O::mul(decay, after_reset(v, s));
    return after_reset(O::mul(decay, v), s);
  }

  APICAL_FN V charge(V v, V x) const { return O::add(leaked(v), O::mul(input_scale, x)); }
  // State after the step.
  APICAL_FN V state(V h, M s) const { return form.reset_at == ResetAt::same_step ? after_reset(h, s) : h; }

  // --- gradients; d = surrogate ds/dh at h ---------------------------------------------------------------------------------
  // g times d after_reset(h) / dh.
  APICAL_FN V through_reset(V g, V h, V d, bool detach) const {
    if (form.reset == Reset::none) return g;
    if (form.reset == Reset::soft) return detach ? g : O::sub(g, O::mul(g, O::mul(v_th, d)));
    const V kept = O::select(fire(h), O::set(0), g);
    return detach ? kept : O::add(kept, O::mul(g, O::mul(O::sub(v_reset, h), d)));
  }
  // dL/dh[t] from dL/ds[t] and dL/dv[t].
  APICAL_FN V grad_charge(V grad_s, V grad_v, V h, V d, bool detach) const {
    const V g = form.reset_at == ResetAt::same_step ? through_reset(grad_v, h, d, detach) : grad_v;
    return O::add(O::mul(grad_s, d), g);
  }
  // dL/dv[t-1] from dL/dh[t]; v is v[t-1], d the surrogate there (read by the next_step forms only).
  APICAL_FN V grad_state(V grad_h, V v, V d, bool detach) const {
    if (form.reset_at != ResetAt::next_step) {
      const V g = O::mul(decay, grad_h);
      return form.reset_at == ResetAt::same_step ? g : through_reset(g, v, d, detach);
    }
    const V g = O::mul(decay, grad_h);
    if (form.reset == Reset::none) return g;
    if (form.reset == Reset::soft) return detach ? g : O::sub(g, O::mul(grad_h, O::mul(v_th, d)));
    const V kept = O::select(fire(v), O::set(0), g);
    return detach ? kept : O::add(kept, O::mul(grad_h, O::mul(O::sub(v_reset, O::mul(decay, v)), d)));
  }
  // dh[t]/d decay, with the factor of the input held.
  APICAL_FN V decay_slope(V v) const {
    if (form.reset_at == ResetAt::same_step || form.reset == Reset::none) return v;
    const M s = fire(v);
    if (form.reset_at == ResetAt::next_step_decayed) return after_reset(v, s);
    return form.reset == Reset::hard ? O::select(s, O::set(0), v) : v;
  }
};

// Surrogate derivatives (lif.h) at u = h - v_th.
template <class O, SurrogateKind K>
struct SurrogateCell {
  using V = typename O::V;
  V height, a;  // a: -4 log2(e) / width (sigmoid), pi / width (atan), width / 2 (rectangle), else 1 / width

  // exp(-q^2 / 2)
  APICAL_FN static V bell(V q) { return O::exp2_negative(O::mul(O::set(-0.721347520444481704), O::mul(q, q))); }

  APICAL_FN V operator()(V u) const {
    if constexpr (K == SurrogateKind::sigmoid) {
      const V e = O::exp2_negative(O::mul(O::abs(u), a));  // even in u: no cancellation on either side
      const V q = O::add(O::set(1), e);
      return O::div(O::mul(O::mul(O::set(4), height), e), O::mul(q, q));
    } else if constexpr (K == SurrogateKind::atan) {
      const V q = O::mul(u, a);
      return O::div(height, O::add(O::set(1), O::mul(q, q)));
    } else if constexpr (K == SurrogateKind::triangle) {
      return O::mul(height, O::max(O::sub(O::set(1), O::mul(O::abs(u), a)), O::set(0)));
    } else if constexpr (K == SurrogateKind::gaussian) {
      return O::mul(height, bell(O::mul(u, a)));
    } else if constexpr (K == SurrogateKind::fast_sigmoid) {
      const V q = O::add(O::set(1), O::mul(O::abs(u), a));
      return O::div(height, O::mul(q, q));
    } else if constexpr (K == SurrogateKind::multi_gaussian) {
      const V q = O::mul(u, a), s = O::set(1.0 / 6.0);
      const V sides = O::add(bell(O::mul(O::sub(q, O::set(1)), s)), bell(O::mul(O::add(q, O::set(1)), s)));
      return O::mul(height, O::sub(O::mul(O::set(1.15), bell(q)), O::mul(O::set(0.025), sides)));
    } else {
      return O::select(O::gt(a, O::abs(u)), height, O::set(0));
    }
  }
};

// 2^w for w <= 0 in float (below -125: 2^-125), within 2.1e-7 of it: a polynomial of ours for 2^f on [-1/2, 1/2] (9e-8), evaluated in
// pairs, which waits half as long as one term after another. P::scaled(p, k + 1.5 * 2^23) is p * 2^k. Library functions differ between
// levels, this does not.
template <class P>
APICAL_FN typename P::V exp2_negative_float(typename P::V w) {
  using V = typename P::V;
  w = P::max(w, P::set(-125.0f));
  const V magic = P::set(12582912.0f), shifted = P::add(w, magic), f = P::sub(w, P::sub(shifted, magic)), f2 = P::mul(f, f);
  const V low = P::add(P::set(1.0f), P::mul(P::set(0.693147f), f));
  const V middle = P::add(P::set(0.24022242f), P::mul(P::set(5.5507336e-2f), f));
  const V high = P::add(P::set(9.671513e-3f), P::mul(P::set(1.3264727e-3f), f));
  return P::scaled(P::add(low, P::mul(f2, P::add(middle, P::mul(f2, high)))), shifted);
}
