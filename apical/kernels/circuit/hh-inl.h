// The equations of hh.h, written once, on the operations of lif-inl.h in float64. Included as iaf-inl.h is, after exp-inl.h.

// a and b of a gate over a common denominator, which saves divisions: a = A/D, a + b = S/D.
template <class O>
struct HhRate {
  typename O::V D, S, A;
  // After dt of x' = (A - S x)/D by the midpoint rule, as a fraction; half = dt/2.
  APICAL_FN void after(typename O::V x, typename O::V half, typename O::V& top, typename O::V& bottom) const {
    const typename O::V s = O::mul(half, S), a = O::mul(half, A);
    top = O::add(O::mul(x, O::sub(D, s)), O::add(a, a)), bottom = O::add(D, s);
  }
};
template <class O>
struct HhRates {
  HhRate<O> m, h, n;
  // One division for three gates; the product of what is below stays finite.
  APICAL_FN void move(typename O::V half, typename O::V& x, typename O::V& y, typename O::V& z) const {
    typename O::V x_top, x_bottom, y_top, y_bottom, z_top, z_bottom;
    m.after(x, half, x_top, x_bottom), h.after(y, half, y_top, y_bottom), n.after(z, half, z_top, z_bottom);
    const typename O::V yz = O::mul(y_bottom, z_bottom), per_all = O::div(O::set(1), O::mul(x_bottom, yz)),
                        per_yz = O::mul(per_all, x_bottom);
    x = O::mul(x_top, O::mul(per_all, yz)), y = O::mul(O::mul(y_top, z_bottom), per_yz), z = O::mul(O::mul(z_top, y_bottom), per_yz);
  }
};

// scale x / (exp(x/k) - 1) as a fraction, given exp(x/k) over `below`; where x may be near 0, by the first terms of its series there.
template <class O, bool kMayBeNear>
APICAL_FN void hh_fraction(typename O::V x, double k, double scale, typename O::V e, typename O::V below, typename O::V& top,
                           typename O::V& bottom) {
  top = O::mul(x, below), bottom = O::sub(e, below);
  if constexpr (kMayBeNear) {
    const typename O::M near = O::gt(O::set(1e-4), O::abs(x));
    top = O::select(near, O::sub(O::set(k), O::mul(O::set(0.5), x)), top), bottom = O::select(near, O::set(1), bottom);
  }
  top = O::mul(O::set(scale), top);
}

// All exponentials of the model are powers of w = exp((V_T - V)/360): of V as it begins, and near it by Taylor's polynomial (its error
// is 3e-11 of a rate 3 mV away, 1e-7 at 15 mV), which is never negative.
template <class O>
struct HhBegin {
  typename O::V u, w;  // u = V - V_T
};
template <class O>
APICAL_FN typename O::V hh_within(typename O::V x, double most) {
  x = O::select(O::gt(x, O::set(most)), O::set(most), x);
  return O::select(O::gt(O::set(-most), x), O::set(-most), x);
}
template <class O>
APICAL_FN HhBegin<O> hh_begin(typename O::V u) {
  u = hh_within<O>(u, 500);  // beyond any membrane; powers stay finite
  return {u, exp_of<O>(O::mul(u, O::set(-1.0 / 360)))};
}
// kQuiet: u is below 1 as it begins, so that no fraction comes near its 0.
template <class O, bool kQuiet>
APICAL_FN HhRates<O> hh_rates(const HhBegin<O>& begin, typename O::V moved) {
  using V = typename O::V;
  moved = hh_within<O>(moved, kQuiet ? 10 : 200);
  const V one = O::set(1), u = O::add(begin.u, moved), z = O::mul(moved, O::set(-1.0 / 360)), z2 = O::mul(z, z);
  const V far = O::mul(z2, O::add(O::add(O::set(0.5), O::mul(z, O::set(1.0 / 6))), O::mul(z2, O::set(1.0 / 24))));
  const V w = O::mul(begin.w, O::add(O::add(one, z), far)), w2 = O::mul(w, w), w4 = O::mul(w2, w2), w8 = O::mul(w4, w4), w9 = O::mul(w8, w);
  const V w18 = O::mul(w9, w9), w20 = O::mul(w18, w2), w36 = O::mul(w18, w18), w72 = O::mul(w36, w36), w90 = O::mul(w72, w18);
  const V to_40 = O::mul(O::set(2980.9579870417283), w72);  // exp((40 - u)/5)
  HhRates<O> r = {{one, one, one}, {one, one, one}, {one, one, one}};
  V top_a, bottom_a, top_b, bottom_b;
  hh_fraction<O, !kQuiet>(O::sub(O::set(13), u), 4, 0.32, O::mul(O::set(25.790339917193062), w90), one, top_a, bottom_a);
  hh_fraction<O, !kQuiet>(O::sub(u, O::set(40)), 5, 0.28, one, to_40, top_b, bottom_b);
  r.m.D = O::mul(bottom_a, bottom_b), r.m.A = O::mul(top_a, bottom_b), r.m.S = O::add(r.m.A, O::mul(top_b, bottom_a));
  r.h.D = O::add(one, to_40);
  r.h.A = O::mul(O::mul(O::set(0.3291372076528678), w20), r.h.D), r.h.S = O::add(r.h.A, O::set(4));
  hh_fraction<O, !kQuiet>(O::sub(O::set(15), u), 5, 0.032, O::mul(O::set(20.085536923187668), w72), one, r.n.A, r.n.D);
  r.n.S = O::add(r.n.A, O::mul(O::mul(O::set(0.6420127083438707), w9), r.n.D));
  return r;
}

template <class O>
struct HhCell {
  using V = typename O::V;
  static constexpr int kStates = HhCondExpTraub::kStates, kMoved = 4, kInputs = 2, kWays = HhCondExpTraub::kWays;
  HhCondExpTraub c;  // a copy: what is stored does not change it

  APICAL_FN V drive(V current) const { return O::add(O::add(current, O::set(c.I_e)), O::set(c.g_L * c.E_L)); }
  APICAL_FN V note(const V* s) const { return s[0]; }  // kept for finish()

  struct Slope {
    V a, b, ions;  // C_m V' = a - b V; what channels add to b
  };
  APICAL_FN Slope slope(V m, V h, V n, V g_ex, V g_in, V drive) const {
    const V n2 = O::mul(n, n), na = O::mul(O::mul(O::set(c.g_Na), O::mul(O::mul(m, m), m)), h), k = O::mul(O::set(c.g_K), O::mul(n2, n2));
    const V currents = O::add(O::mul(na, O::set(c.E_Na)), O::mul(k, O::set(c.E_K))), ions = O::add(na, k);
    const V synapses = O::add(O::mul(g_ex, O::set(c.E[0])), O::mul(g_in, O::set(c.E[1])));
    return {O::add(O::add(drive, synapses), currents), O::add(O::add(O::set(c.g_L), O::add(g_ex, g_in)), ions), ions};
  }

  APICAL_FN V way(const V* s, V, V drive) const {
    const Slope f = slope(s[1], s[2], s[3], s[4], s[5], drive);
    const V change = O::mul(O::set(c.per_C), O::sub(f.a, O::mul(f.b, s[0]))), size = O::abs(change), ions = O::mul(O::set(c.per_C), f.ions);
    const auto below = [&](double mV) { return O::gt(O::set(c.V_T + mV), s[0]); };
    const auto quiet = O::both(O::both(below(c.kQuietBelow), O::gt(O::set(c.kQuietSlope), size)), O::gt(O::set(c.kQuietIons), ions));
    const auto calm = O::both(below(c.kCalmBelow), O::gt(O::set(c.kCalmSlope), size));
    const V moving = O::select(O::gt(change, O::set(c.kSteepSlope)), O::set(3), O::set(2));
    const double shortest = c.block[0].count == 1 ? 0 : 1;  // quiet at the beginning is quiet for one stretch only
    return O::select(quiet, O::set(shortest), O::select(calm, O::set(1), moving));
  }
  template <int Way>
  APICAL_FN void move(V* s, V&, V drive) const {
    V g_ex = s[4], g_in = s[5];
    const HhBlock block = c.block[Way];
    for (int i = 0; i < block.count; ++i) {
      stretch<HhCondExpTraub::kOrders[Way], Way == 0>(block, s, g_ex, g_in, drive);
      g_ex = O::mul(g_ex, O::set(block.left[0][0])), g_in = O::mul(g_in, O::set(block.left[1][0]));
    }
  }
  template <int K, bool kQuiet>
  APICAL_FN void stretch(const HhBlock& block, V* s, V g_ex, V g_in, V drive) const {
    // Sequence j has j + 1 sub-steps. They walk side by side: each waits for itself only.
    constexpr double weight[3][4] = {
        {-1.0 / 3, 4.0 / 3}, {1.0 / 24, -16.0 / 15, 81.0 / 40}, {-1.0 / 360, 16.0 / 45, -729.0 / 280, 1024.0 / 315}};
    const V one = O::set(1), before = s[0];
    V v[K], m[K], h[K], n[K];
    const HhBegin<O> begin = hh_begin<O>(O::sub(before, O::set(c.V_T)));
    const Slope first = slope(s[1], s[2], s[3], g_ex, g_in, drive);
    for (int j = 0; j < K; ++j) {
      const V half = O::set(block.dt * c.per_C / (2 * (j + 1)));
      v[j] = O::div(O::add(before, O::mul(half, first.a)), O::add(one, O::mul(half, first.b)));
      m[j] = s[1], h[j] = s[2], n[j] = s[3];
    }
    for (int i = 0; i < K; ++i)
      for (int j = i; j < K; ++j) {
        const V half = O::set(block.dt / (2 * (j + 1))), half_v = O::set(block.dt * c.per_C / (2 * (j + 1)));
        const HhRates<O> r = hh_rates<O, kQuiet>(begin, O::sub(v[j], before));
        r.move(half, m[j], h[j], n[j]);
        const int end = j * (j + 1) / 2 + i;
        const Slope f = slope(m[j], h[j], n[j], O::mul(g_ex, O::set(block.left[0][end])), O::mul(g_in, O::set(block.left[1][end])), drive);
        const V a = O::mul(half_v, f.a), b = O::mul(half_v, f.b);
        if (i < j)
          v[j] = O::div(O::add(O::mul(v[j], O::sub(one, b)), O::add(a, a)), O::add(one, b));
        else
          v[j] = O::add(v[j], O::sub(a, O::mul(b, v[j])));
      }
    for (int x = 0; x < 4; ++x) s[x] = O::set(0);
    for (int j = 0; j < K; ++j) {
      const V w = O::set(weight[K - 2][j]);
      s[0] = O::add(s[0], O::mul(w, v[j])), s[1] = O::add(s[1], O::mul(w, m[j]));
      s[2] = O::add(s[2], O::mul(w, h[j])), s[3] = O::add(s[3], O::mul(w, n[j]));
    }
  }

  // Conductances decay, spikes arrive, the peak is looked at. `before`: V at the start of the step.
  APICAL_FN typename O::M finish(V* s, V before, V& r, const V* in) const {
    s[4] = O::add(O::mul(O::set(c.P11[0]), s[4]), in[0]);
    s[5] = O::sub(O::mul(O::set(c.P11[1]), s[5]), in[1]);
    const auto awake = O::ge(O::set(0), r);
    const auto peak = O::both(O::ge(s[0], O::set(c.V_T + c.kPeakAbove)), O::gt(before, s[0]));
    const auto fired = O::both(awake, peak);
    r = O::select(fired, O::set(c.refractory), O::max(O::sub(r, O::set(1)), O::set(0)));
    return fired;
  }
};
