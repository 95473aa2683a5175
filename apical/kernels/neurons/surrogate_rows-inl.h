// Surrogate derivatives of a row of neurons. A row of its own: a loop a surrogate and a loop a form of the neuron, not a loop for each
// pair. Included by the scans inside each target's namespace, after ops-inl.h.

// What is fetched early while a row is worked on: from these on, as many as the row has. Null: nothing.
struct Soon {
  const float *a, *b;
};

template <class O, SurrogateKind K>
HWY_INLINE void surrogate_lanes(const SurrogateCell<O, K>& surrogate, const float* u, float origin, float* d, size_t i) {
  O::store(surrogate(O::sub(O::load(u, i), O::set(origin))), d, i);
}

template <SurrogateKind K>
void surrogate_row(float height, float a, const float* u, float origin, float* d, size_t n, Soon soon) {
  const SurrogateCell<Ops, K> one{Ops::set(height), Ops::set(a)};
  const SurrogateCell<FourOps, K> four{FourOps::set(height), FourOps::set(a)};
  size_t i = 0;
  for (; i + FourOps::lanes() <= n; i += FourOps::lanes()) {
    if (soon.a) fetch_lanes<FourOps>(soon.a + i), fetch_lanes<FourOps>(soon.b + i);
    surrogate_lanes(four, u, origin, d, i);
  }
  for (; i < n; i += Ops::lanes()) surrogate_lanes(one, u, origin, d, i);
}

// d = the surrogate at u - origin, of whole vectors: n is a multiple of the lanes. d may be u.
inline void surrogate_row(const Surrogate& s, const float* u, float origin, float* d, size_t n, Soon soon = {}) {
  const float a = plain::surrogate_constant(s);
  switch (s.kind) {
#define APICAL_CASE(kind)   \
  case SurrogateKind::kind: \
    return surrogate_row<SurrogateKind::kind>(s.height, a, u, origin, d, n, soon);
    APICAL_SURROGATES(APICAL_CASE)
#undef APICAL_CASE
  }
}
