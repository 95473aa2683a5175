// The equations of ei_walk.h and their adjoints for one trial, written once on the operations of lif-inl.h with load, store and lanes.
// Included inside each target's namespace, and for plain numbers.

// Lanes i.. of the constants. Objects, not lambdas, which would not be made for their target.
template <class O, class T>
struct EiLanes {
  const EiRows<T>& r;
  size_t i;
  APICAL_FN typename O::V operator()(size_t k) const { return O::load(r.constants + k * r.row, i); }
};
// Values where nothing fired, and where something did.
template <class O>
struct EiReset {
  typename O::V rests, fired;
  APICAL_FN typename O::V operator()(typename O::V before, typename O::V after) const {
    return O::add(O::mul(before, rests), O::mul(after, fired));
  }
};

// to[] += weight * from[], a row.
template <class O, class T>
APICAL_FN void ei_add(T* to, T weight, const T* from, size_t row) {
  const auto w = O::set(weight);
  for (size_t i = 0; i < row; i += O::lanes()) O::store(O::add(O::load(to, i), O::mul(w, O::load(from, i))), to, i);
}

// to[j] = sum over i of weights[i, j] * x[i].
template <class O, class T>
APICAL_FN void ei_product(const T* weights, const T* x, size_t n, T* to, size_t row) {
  const size_t L = O::lanes();
  size_t j = 0;
  for (; j + 4 * L <= row; j += 4 * L) {
    auto a = O::set(0), b = a, c = a, d = a;
    const T* w = weights + j;
    for (size_t i = 0; i < n; ++i, w += row) {
      const auto f = O::set(x[i]);
      a = O::add(a, O::mul(f, O::load(w, 0))), b = O::add(b, O::mul(f, O::load(w, L)));
      c = O::add(c, O::mul(f, O::load(w, 2 * L))), d = O::add(d, O::mul(f, O::load(w, 3 * L)));
    }
    O::store(a, to, j), O::store(b, to, j + L), O::store(c, to, j + 2 * L), O::store(d, to, j + 3 * L);
  }
  for (; j < row; j += L) {
    auto a = O::set(0);
    const T* w = weights + j;
    for (size_t i = 0; i < n; ++i, w += row) a = O::add(a, O::mul(O::set(x[i]), O::load(w, 0)));
    O::store(a, to, j);
  }
}

// Steps [from, to) of a trial. spikes: where those of the first of these steps go, or null; tape: [to - from, kEiTape, row], or null.
template <class O, class T>
APICAL_FN void ei_steps(const EiRows<T>& r, size_t trial, size_t from, size_t to, T* state, T* spikes, T* tape) {
  const auto& a = r.a;
  const size_t row = r.row, L = O::lanes();
  T *v = state + ei_v * row, *th = state + ei_th * row, *i1 = state + ei_1 * row, *i2 = state + ei_2 * row, *ex = state + ei_ex * row,
    *in = state + ei_in * row, *s = state + ei_s * row;
  const auto one = O::set(1), zero = O::set(0), half = O::set(0.5), height = O::set(static_cast<T>(a.height)),
             slope = O::set(static_cast<T>(1 / a.width));
  for (size_t t = from; t < to; ++t) {
    for (size_t i = 0; i < row; i += L) {
      const EiLanes<O, T> c{r, i};
      const auto v0 = O::load(v, i), c1 = O::load(i1, i), c2 = O::load(i2, i), ce = O::load(ex, i), ci = O::load(in, i);
      const auto current = O::add(O::add(c1, c2), O::add(ce, ci));
      O::store(O::add(O::mul(c(ei_membrane), v0), O::mul(c(ei_drive), current)), v, i);
      O::store(O::add(O::add(O::mul(c(ei_threshold), O::load(th, i)), O::mul(c(ei_follow), v0)), c(ei_rest)), th, i);
      O::store(O::mul(c(ei_current_1), c1), i1, i), O::store(O::mul(c(ei_current_2), c2), i2, i);
      O::store(O::mul(c(ei_excitatory), ce), ex, i), O::store(O::mul(c(ei_inhibitory), ci), in, i);
    }
    const uint8_t* inputs = a.in + (t * a.trials + trial) * a.inputs;
    for (size_t j = 0; j < a.inputs; ++j)
      if (inputs[j]) ei_add<O>(ex, T{1}, r.weights + j * row, row);
    for (size_t j = 0; j < a.neurons; ++j)
      if (s[j] != 0) ei_add<O>(j < a.excitatory ? ex : in, s[j], r.weights + (a.inputs + j) * row, row);
    for (size_t i = 0; i < row; i += L) {
      const EiLanes<O, T> c{r, i};
      const auto v1 = O::load(v, i), th1 = O::load(th, i), c1 = O::load(i1, i), c2 = O::load(i2, i), x = O::sub(v1, th1);
      auto fired = O::select(O::ge(x, zero), one, zero);
      if (a.smooth) {  // of the triangle: a parabola on either side of the middle
        const auto away = O::max(O::sub(one, O::abs(O::mul(slope, x))), zero), part = O::mul(O::mul(away, away), half);
        fired = O::mul(height, O::select(O::ge(x, zero), O::sub(one, part), part));
      }
      const EiReset<O> mix{O::sub(one, fired), fired};
      O::store(fired, s, i);
      O::store(mix(v1, c(ei_reset)), v, i), O::store(mix(th1, O::max(c(ei_threshold_reset), th1)), th, i);
      O::store(mix(c1, O::add(O::mul(c(ei_keep_1), c1), c(ei_jump_1))), i1, i);
      O::store(mix(c2, O::add(O::mul(c(ei_keep_2), c2), c(ei_jump_2))), i2, i);
      if (!tape) continue;
      T* at = tape + (t - from) * kEiTape * row;
      O::store(v1, at + tape_v * row, i), O::store(th1, at + tape_th * row, i);
      O::store(c1, at + tape_1 * row, i), O::store(c2, at + tape_2 * row, i), O::store(fired, at + tape_s * row, i);
    }
    if (spikes) {
      T* at = spikes + (t - from) * a.trials * a.neurons;
      for (size_t j = 0; j < a.neurons; ++j) at[j] = s[j];
    }
  }
}

// The adjoint of ei_steps. state: before step `from`; adjoint: of the state after step to - 1 where it comes in (its row ei_s: of the
// spikes of that step, by the synapses of the next), of the state before step `from` where it goes out. work: [row + ex_row + in_row].
template <class O, class T>
APICAL_FN void ei_steps_back(const EiRows<T>& r, size_t trial, size_t from, size_t to, const T* state, const T* tape, const T* grad_spikes,
                             T* adjoint, T* grad_weights, T* work) {
  const auto& a = r.a;
  const size_t row = r.row, L = O::lanes();
  T *v = adjoint + ei_v * row, *th = adjoint + ei_th * row, *i1 = adjoint + ei_1 * row, *i2 = adjoint + ei_2 * row,
    *ex = adjoint + ei_ex * row, *in = adjoint + ei_in * row, *s = adjoint + ei_s * row, *from_ex = work + row,
    *from_in = from_ex + r.ex_row;
  const auto one = O::set(1), zero = O::set(0), slope = O::set(static_cast<T>(1 / a.width)),
             height = O::set(static_cast<T>(a.height / a.width)), through_reset = O::set(a.detach_reset ? 0 : 1);
  for (size_t t = to; t-- > from;) {
    const T* grad = grad_spikes + (t * a.trials + trial) * a.neurons;
    for (size_t j = 0; j < a.neurons; ++j) work[j] = grad[j];
    const T* at = tape + (t - from) * kEiTape * row;
    for (size_t i = 0; i < row; i += L) {
      const EiLanes<O, T> c{r, i};
      const auto v1 = O::load(at + tape_v * row, i), th1 = O::load(at + tape_th * row, i), c1 = O::load(at + tape_1 * row, i),
                 c2 = O::load(at + tape_2 * row, i), fired = O::load(at + tape_s * row, i), rests = O::sub(one, fired);
      auto gv = O::load(v, i), gth = O::load(th, i), g1 = O::load(i1, i), g2 = O::load(i2, i);
      auto gs = O::add(O::load(s, i), O::load(work, i));
      gs = O::add(gs, O::mul(through_reset, O::mul(gv, O::sub(c(ei_reset), v1))));
      gs = O::add(gs, O::mul(gth, O::max(O::sub(c(ei_threshold_reset), th1), zero)));
      gs = O::add(gs, O::mul(g1, O::sub(O::add(O::mul(c(ei_keep_1), c1), c(ei_jump_1)), c1)));
      gs = O::add(gs, O::mul(g2, O::sub(O::add(O::mul(c(ei_keep_2), c2), c(ei_jump_2)), c2)));
      gv = O::mul(gv, rests), g1 = O::mul(g1, O::add(rests, O::mul(fired, c(ei_keep_1)))),
      g2 = O::mul(g2, O::add(rests, O::mul(fired, c(ei_keep_2))));
      gth = O::mul(gth, O::select(O::gt(c(ei_threshold_reset), th1), rests, one));
      const auto away = O::max(O::sub(one, O::abs(O::mul(slope, O::sub(v1, th1)))), zero), through = O::mul(gs, O::mul(height, away));
      gv = O::add(gv, through), gth = O::sub(gth, through);
      O::store(gv, v, i), O::store(gth, th, i), O::store(g1, i1, i), O::store(g2, i2, i);
    }
    const uint8_t* inputs = a.in + (t * a.trials + trial) * a.inputs;
    for (size_t j = 0; j < a.inputs; ++j)
      if (inputs[j]) ei_add<O>(grad_weights + j * row, T{1}, ex, row);
    const T* before = t > from ? at - kEiTape * row + tape_s * row : state + ei_s * row;
    for (size_t j = 0; j < a.neurons; ++j)
      if (before[j] != 0) ei_add<O>(grad_weights + (a.inputs + j) * row, before[j], j < a.excitatory ? ex : in, row);
    ei_product<O>(r.back_ex, ex, a.neurons, from_ex, r.ex_row), ei_product<O>(r.back_in, in, a.neurons, from_in, r.in_row);
    for (size_t j = 0; j < a.neurons; ++j) s[j] = j < a.excitatory ? from_ex[j] : from_in[j - a.excitatory];
    for (size_t i = 0; i < row; i += L) {
      const EiLanes<O, T> c{r, i};
      const auto gv = O::load(v, i), gth = O::load(th, i), current = O::mul(c(ei_drive), gv);
      O::store(O::add(O::mul(c(ei_membrane), gv), O::mul(c(ei_follow), gth)), v, i), O::store(O::mul(c(ei_threshold), gth), th, i);
      O::store(O::add(O::mul(c(ei_current_1), O::load(i1, i)), current), i1, i);
      O::store(O::add(O::mul(c(ei_current_2), O::load(i2, i)), current), i2, i);
      O::store(O::add(O::mul(c(ei_excitatory), O::load(ex, i)), current), ex, i);
      O::store(O::add(O::mul(c(ei_inhibitory), O::load(in, i)), current), in, i);
    }
  }
}
