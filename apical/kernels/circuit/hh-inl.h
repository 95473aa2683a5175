// The equations of hh.h, written once, on the operations of lif-inl.h in float64. Included as iaf-inl.h is, after exp-inl.h.

// a and b of a gate over a common denominator, which saves divisions: a = A/D, a + b = S/D.
template <class O>
struct HhRate {
  typename O::V D, S, A;
  // After dt of x' = (A - S x)/D by half a step of implicit Euler, half a step of explicit Euler, or both; half = dt/2.
  APICAL_FN typename O::V implicit_half(typename O::V x, typename O::V half) const {
    return O::div(O::add(O::mul(x, D), O::mul(half, A)), O::add(D, O::mul(half, S)));
  }
  APICAL_FN typename O::V explicit_half(typename O::V x, typename O::V half) const {
    return O::add(x, O::div(O::mul(half, O::sub(A, O::mul(S, x))), D));
  }
  APICAL_FN typename O::V whole(typename O::V x, typename O::V half) const {
    const typename O::V s = O::mul(half, S), a = O::mul(half, A);
    return O::div(O::add(O::mul(x, O::sub(D, s)), O::add(a, a)), O::add(D, s));
  }
};
template <class O>
struct HhRates {
  HhRate<O> m, h, n;
};

// scale x / (exp(x/k) - 1) as a fraction, given exp(x/k) over `below`; near x = 0 by the first terms of its series.
template <class O>
APICAL_FN void hh_fraction(typename O::V x, double k, double scale, typename O::V e, typename O::V below, typename O::V& top,
                           typename O::V& bottom) {
  const typename O::M near = O::gt(O::set(1e-4), O::abs(x));
  top = O::mul(O::set(scale), O::select(near, O::sub(O::set(k), O::mul(O::set(0.5), x)), O::mul(x, below)));
  bottom = O::select(near, O::set(1), O::sub(e, below));
}

// One exponential: all those of the model are powers of w = exp((V_T - V)/360).
template <class O>
APICAL_FN HhRates<O> hh_rates(typename O::V u) {
  using V = typename O::V;
  const V most = O::set(500), one = O::set(1);  // beyond any membrane; powers stay finite
  u = O::select(O::gt(u, most), most, u);
  u = O::select(O::gt(O::sub(O::set(0), most), u), O::sub(O::set(0), most), u);
  const V w = exp_of<O>(O::mul(u, O::set(-1.0 / 360))), w2 = O::mul(w, w), w4 = O::mul(w2, w2), w8 = O::mul(w4, w4), w9 = O::mul(w8, w);
  const V w18 = O::mul(w9, w9), w20 = O::mul(w18, w2), w36 = O::mul(w18, w18), w72 = O::mul(w36, w36), w90 = O::mul(w72, w18);
  const V to_40 = O::mul(O::set(2980.9579870417283), w72);  // exp((40 - u)/5)
  HhRates<O> r;
  V top_a, bottom_a, top_b, bottom_b;
  hh_fraction<O>(O::sub(O::set(13), u), 4, 0.32, O::mul(O::set(25.790339917193062), w90), one, top_a, bottom_a);
  hh_fraction<O>(O::sub(u, O::set(40)), 5, 0.28, one, to_40, top_b, bottom_b);
  r.m.D = O::mul(bottom_a, bottom_b), r.m.A = O::mul(top_a, bottom_b), r.m.S = O::add(r.m.A, O::mul(top_b, bottom_a));
  r.h.D = O::add(one, to_40);
  r.h.A = O::mul(O::mul(O::set(0.3291372076528678), w20), r.h.D), r.h.S = O::add(r.h.A, O::set(4));
  hh_fraction<O>(O::sub(O::set(15), u), 5, 0.032, O::mul(O::set(20.085536923187668), w72), one, r.n.A, r.n.D);
  r.n.S = O::add(r.n.A, O::mul(O::mul(O::set(0.6420127083438707), w9), r.n.D));
  return r;
}

template <class O>
struct HhCell {
  using V = typename O::V;
  static constexpr int kStates = HhCondExpTraub::kStates, kInputs = 2;
  HhCondExpTraub c;  // a copy: what is stored does not change it

  APICAL_FN V drive(V current) const { return O::add(O::add(current, O::set(c.I_e)), O::set(c.g_L * c.E_L)); }
  APICAL_FN V note(const V* s) const { return s[0]; }  // kept for finish()

  struct Slope {
    V a, b;  // C_m V' = a - b V
  };
  APICAL_FN Slope slope(V m, V h, V n, V g_ex, V g_in, V drive) const {
    const V n2 = O::mul(n, n), na = O::mul(O::mul(O::set(c.g_Na), O::mul(O::mul(m, m), m)), h), k = O::mul(O::set(c.g_K), O::mul(n2, n2));
    const V ions = O::add(O::mul(na, O::set(c.E_Na)), O::mul(k, O::set(c.E_K)));
    const V synapses = O::add(O::mul(g_ex, O::set(c.E[0])), O::mul(g_in, O::set(c.E[1])));
    return {O::add(O::add(drive, synapses), ions), O::add(O::add(O::set(c.g_L), O::add(g_ex, g_in)), O::add(na, k))};
  }

  APICAL_FN typename O::M is_fast(const V* s, V, V drive) const {
    const Slope f = slope(s[1], s[2], s[3], s[4], s[5], drive);
    return O::gt(O::mul(O::set(c.per_C), O::abs(O::sub(f.a, O::mul(f.b, s[0])))), O::set(c.kFastSlope));
  }
  APICAL_FN void slow(V* s, V&, V drive) const { step<3>(c.slow, s, drive); }
  APICAL_FN void fast(V* s, V&, V drive) const { step<4>(c.fast, s, drive); }

  template <int K>
  APICAL_FN void step(const HhBlock& block, V* s, V drive) const {
    V g_ex = s[4], g_in = s[5];
    for (int i = 0; i < block.count; ++i) {
      stretch<K>(block, s, g_ex, g_in, drive);
      g_ex = O::mul(g_ex, O::set(block.end[0])), g_in = O::mul(g_in, O::set(block.end[1]));
    }
  }
  template <int K>
  APICAL_FN void stretch(const HhBlock& block, V* s, V g_ex, V g_in, V drive) const {
    // Sequence j has j + 1 sub-steps. They walk side by side: each waits for itself only.
    constexpr double weight[2][4] = {{1.0 / 24, -16.0 / 15, 81.0 / 40, 0}, {-1.0 / 360, 16.0 / 45, -729.0 / 280, 1024.0 / 315}};
    V v[K], m[K], h[K], n[K], half[K];
    const HhRates<O> start = hh_rates<O>(O::sub(s[0], O::set(c.V_T)));
    for (int j = 0; j < K; ++j) {
      half[j] = O::set(block.dt / (2 * (j + 1))), v[j] = s[0];
      m[j] = start.m.implicit_half(s[1], half[j]), h[j] = start.h.implicit_half(s[2], half[j]), n[j] = start.n.implicit_half(s[3], half[j]);
    }
    for (int i = 0; i < K; ++i)
      for (int j = i; j < K; ++j) {
        const int middle = j * (j + 1) / 2 + i;
        const Slope f =
            slope(m[j], h[j], n[j], O::mul(g_ex, O::set(block.middle[0][middle])), O::mul(g_in, O::set(block.middle[1][middle])), drive);
        const V scale = O::mul(half[j], O::set(c.per_C)), a = O::mul(scale, f.a), b = O::mul(scale, f.b), one = O::set(1);
        v[j] = O::div(O::add(O::mul(v[j], O::sub(one, b)), O::add(a, a)), O::add(one, b));
        const HhRates<O> r = hh_rates<O>(O::sub(v[j], O::set(c.V_T)));
        if (i < j)
          m[j] = r.m.whole(m[j], half[j]), h[j] = r.h.whole(h[j], half[j]), n[j] = r.n.whole(n[j], half[j]);
        else
          m[j] = r.m.explicit_half(m[j], half[j]), h[j] = r.h.explicit_half(h[j], half[j]), n[j] = r.n.explicit_half(n[j], half[j]);
      }
    for (int x = 0; x < 4; ++x) s[x] = O::set(0);
    for (int j = 0; j < K; ++j) {
      const V w = O::set(weight[K - 3][j]);
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
