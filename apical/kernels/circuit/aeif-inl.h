// The equations of aeif.h, written once, on the operations of lif-inl.h in float64. Included as iaf-inl.h is, after exp-inl.h.
template <class O>
struct AeifCell {
  using V = typename O::V;
  using M = typename O::M;
  static constexpr int kStates = AeifCondExp::kStates, kMoved = 2, kInputs = 2, kWays = 2;
  static constexpr double kFast = 4, kPart = 0.25;  // of Delta_T: 1/kFast in a part is too fast; as far as a part of fast() may go
  AeifCondExp c;                                    // a copy: what is stored does not change it

  APICAL_FN V drive(V current) const { return O::add(O::add(current, O::set(c.I_e)), O::set(c.g_L * c.E_L)); }
  APICAL_FN V note(const V* s) const { return s[0]; }
  APICAL_FN M awake(V r) const { return O::ge(O::set(0), r); }
  // V may change by so much (mV) where steps are long.
  APICAL_FN V scale() const { return O::set(c.Delta_T > 0 ? c.Delta_T : 1); }

  APICAL_FN void slope(const V* y, M free, V drive, V* f) const {
    const V peak = O::set(c.V_peak), v = O::select(O::gt(y[0], peak), peak, y[0]);
    V sum = O::sub(O::sub(drive, y[1]), O::mul(O::set(c.g_L), v));
    if (c.Delta_T > 0)
      sum = O::add(sum, O::mul(O::set(c.g_L * c.Delta_T), exp_of<O>(O::mul(O::set(1 / c.Delta_T), O::sub(v, O::set(c.V_th))))));
    sum = O::add(sum, O::mul(y[2], O::sub(O::set(c.E[0]), v)));
    sum = O::add(sum, O::mul(y[3], O::sub(O::set(c.E[1]), v)));
    f[0] = O::select(free, O::mul(O::set(c.per_C), sum), O::set(0));
    f[1] = O::mul(O::set(c.per_tau_w), O::sub(O::mul(O::set(c.a), O::sub(v, O::set(c.E_L))), y[1]));
    f[2] = O::mul(O::set(-c.per_tau_syn[0]), y[2]);
    f[3] = O::mul(O::set(-c.per_tau_syn[1]), y[3]);
  }
  // y after dt; f: its slope.
  template <int K>
  APICAL_FN void extrapolate(V* y, const V* f, M free, V drive, V dt) const {
    constexpr double weight[2][4] = {{1.0 / 24, -16.0 / 15, 81.0 / 40, 0}, {-1.0 / 360, 16.0 / 45, -729.0 / 280, 1024.0 / 315}};
    V sum[4];
    for (int x = 0; x < 4; ++x) sum[x] = O::set(0);
    for (int j = 0; j < K; ++j) {
      const V part = O::mul(dt, O::set(1.0 / (2 * j + 2))), twice = O::add(part, part);
      V before[4], now[4], g[4];
      for (int x = 0; x < 4; ++x) before[x] = y[x], now[x] = O::add(y[x], O::mul(part, f[x]));
      for (int i = 1; i < 2 * j + 2; ++i) {
        slope(now, free, drive, g);
        for (int x = 0; x < 4; ++x) {
          const V next = O::add(before[x], O::mul(twice, g[x]));
          before[x] = now[x], now[x] = next;
        }
      }
      for (int x = 0; x < 4; ++x) sum[x] = O::add(sum[x], O::mul(O::set(weight[K - 3][j]), now[x]));
    }
    for (int x = 0; x < 4; ++x) y[x] = sum[x];
  }

  APICAL_FN V way(const V* s, V r, V drive) const {
    V f[4];
    const M free = awake(r);
    slope(s, free, drive, f);
    const V moved = O::mul(O::set(c.dt / c.parts * kFast), O::abs(f[0]));
    return O::select(O::gt(moved, scale()), O::set(1), O::set(0));
  }
  template <int Way>
  APICAL_FN void move(V* s, V& r, V drive) const {
    if constexpr (Way == 0)
      slow(s, r, drive);
    else
      fast(s, r, drive);
  }
  APICAL_FN void slow(V* s, V& r, V drive) const {
    const M free = awake(r);
    const V dt = O::set(c.dt / c.parts);
    V y[4] = {s[0], s[1], s[2], s[3]}, f[4];
    for (int i = 0; i < c.parts; ++i) {
      slope(y, free, drive, f);
      extrapolate<3>(y, f, free, drive, dt);
    }
    s[0] = O::select(free, y[0], O::set(c.V_reset)), s[1] = y[1];
    spike(s, r, free);
  }
  // V_peak has been reached: says so by an r above the refractory steps. Decides for lanes in `free` only.
  APICAL_FN M spike(V* s, V& r, M free) const {
    const M at_peak = O::both(free, O::ge(s[0], O::set(c.V_peak)));
    s[0] = O::select(at_peak, O::set(c.V_reset), s[0]);
    s[1] = O::select(at_peak, O::add(s[1], O::set(c.b)), s[1]);
    r = O::select(at_peak, O::set(c.refractory + 1), r);
    return at_peak;
  }
  APICAL_FN void fast(V* s, V& r, V drive) const {
    const V least = O::set(c.dt / 2048), none = O::set(0), longest = O::set(c.dt / c.parts);
    V y[4] = {s[0], s[1], s[2], s[3]}, f[4], left = O::set(c.dt);
    for (M going = O::gt(left, none); O::any(going); going = O::gt(left, none)) {
      // After a spike without refractory time V is free again, although r tells of the spike.
      const M free = c.refractory > 0 ? awake(r) : O::ge(O::set(1), r);
      slope(y, free, drive, f);
      const V speed = O::abs(f[0]);
      // Parts of `least` are too long once V would move by all of Delta_T in one.
      const M now = O::both(O::both(going, free), O::gt(O::mul(least, f[0]), scale()));
      V dt =
          O::select(O::gt(O::mul(longest, speed), O::mul(O::set(kPart), scale())), O::div(O::mul(O::set(kPart), scale()), speed), longest);
      dt = O::select(O::gt(least, dt), least, dt);
      dt = O::select(O::gt(dt, left), left, dt);
      V z[4] = {y[0], y[1], y[2], y[3]};
      extrapolate<4>(z, f, free, drive, dt);
      z[0] = O::select(now, O::set(c.V_peak), O::select(free, z[0], O::set(c.V_reset)));
      for (int x = 0; x < 4; ++x) y[x] = O::select(going, z[x], y[x]);
      left = O::select(going, O::sub(left, dt), left);
      spike(y, r, O::both(going, free));
    }
    s[0] = y[0], s[1] = y[1];
  }

  APICAL_FN M finish(V* s, V, V& r, const V* in) const {
    s[2] = O::add(O::mul(O::set(c.P11[0]), s[2]), in[0]);
    s[3] = O::sub(O::mul(O::set(c.P11[1]), s[3]), in[1]);
    const M fired = O::gt(r, O::set(c.refractory));
    r = O::max(O::sub(r, O::set(1)), O::set(0));
    return fired;
  }
};
