#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/program.cpp"
#include "apical/kernels/circuit/program.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/exp-inl.h"

struct ProgramOps : Doubles {
  using U = hn::RebindToUnsigned<D>;
  static HWY_INLINE V sqrt(V x) { return hn::Sqrt(x); }
  static HWY_INLINE M mask(V x) { return hn::MaskFromVec(x); }
  static HWY_INLINE V value(M m) { return hn::VecFromMask(D(), m); }
  static HWY_INLINE M either(M m, M n) { return hn::Or(m, n); }
  static HWY_INLINE M no(M m) { return hn::Not(m); }
  static HWY_INLINE V exponent(V x) {
    const auto biased = hn::Or(hn::ShiftRight<52>(hn::BitCast(U(), x)), hn::Set(U(), 0x4330000000000000u));  // 2^52 + it
    return hn::Sub(hn::BitCast(D(), biased), hn::Set(D(), 4503599627370496.0 + 1023));
  }
  static HWY_INLINE V fraction(V x) {
    const auto bits = hn::And(hn::BitCast(U(), x), hn::Set(U(), 0x000fffffffffffffu));
    return hn::BitCast(D(), hn::Or(bits, hn::Set(U(), 0x3ff0000000000000u)));
  }
};

#include "apical/kernels/circuit/program-inl.h"

using O = ProgramOps;
using V = O::V;
constexpr size_t kVectors = 8, kMostLanes = 8;

struct Array {
  const double* p;
  HWY_INLINE V at(size_t i) const { return O::load(p + i * O::lanes()); }
};
struct Constant {
  V v;
  HWY_INLINE V at(size_t) const { return v; }
};

// Indices are written out, so that the accumulator stays in registers.
template <ProgramOp op, class A, class B>
HWY_INLINE void eight(V (&x)[kVectors], A a, B b) {
  x[0] = program_apply<O, op>(x[0], a.at(0), b.at(0));
  x[1] = program_apply<O, op>(x[1], a.at(1), b.at(1));
  x[2] = program_apply<O, op>(x[2], a.at(2), b.at(2));
  x[3] = program_apply<O, op>(x[3], a.at(3), b.at(3));
  x[4] = program_apply<O, op>(x[4], a.at(4), b.at(4));
  x[5] = program_apply<O, op>(x[5], a.at(5), b.at(5));
  x[6] = program_apply<O, op>(x[6], a.at(6), b.at(6));
  x[7] = program_apply<O, op>(x[7], a.at(7), b.at(7));
}
HWY_INLINE void store_eight(const V (&x)[kVectors], double* p) {
  const size_t L = O::lanes();
  O::store(x[0], p), O::store(x[1], p + L), O::store(x[2], p + 2 * L), O::store(x[3], p + 3 * L);
  O::store(x[4], p + 4 * L), O::store(x[5], p + 5 * L), O::store(x[6], p + 6 * L), O::store(x[7], p + 7 * L);
}

HWY_INLINE void load_eight(V (&x)[kVectors], const double* p) { eight<ProgramOp::load>(x, Array{p}, Constant{x[0]}); }

// The rest works on the accumulator in memory: it needs the registers itself, or is seldom.
template <ProgramOp op>
HWY_NOINLINE void function(double* x) {
  const size_t L = O::lanes();
  for (size_t i = 0; i < kVectors * L; i += 2 * L) {  // two at a time: while one waits the other computes
    const V u = O::load(x + i), v = O::load(x + i + L);
    O::store(program_apply<O, op>(u, u, u), x + i), O::store(program_apply<O, op>(v, v, v), x + i + L);
  }
}
HWY_INLINE void awake(const float* refractory, double* x) {
  const size_t L = O::lanes();
  for (size_t i = 0; i < kVectors * L; i += L) O::store(O::value(O::ge(O::set(0), O::load(refractory + i))), x + i);
}
template <class Row>
HWY_INLINE void input(Row* row, double* x) {
  const size_t L = O::lanes();
  for (size_t i = 0; i < kVectors * L; i += L) O::store(O::load(row + i), x + i), O::zero(row + i);
}
// 0, or NaN.
HWY_INLINE V strange_of(const V (&x)[kVectors]) {
  const V a = O::add(O::sub(x[0], x[0]), O::sub(x[1], x[1])), b = O::add(O::sub(x[2], x[2]), O::sub(x[3], x[3]));
  const V c = O::add(O::sub(x[4], x[4]), O::sub(x[5], x[5])), d = O::add(O::sub(x[6], x[6]), O::sub(x[7], x[7]));
  return O::add(O::add(a, b), O::add(c, d));
}
HWY_INLINE uint64_t fire(const double* x, double refractory, float* left) {
  const size_t L = O::lanes();
  uint64_t fired = 0;
  for (size_t i = 0; i < kVectors * L; i += L) {
    const auto m = O::mask(O::load(x + i));
    const V r = O::max(O::sub(O::load(left + i), O::set(1)), O::set(0));
    O::store(O::select(m, O::set(refractory), r), left + i);
    fired |= O::bits(m) << i;
  }
  return fired;
}

// single: the inputs where they are float32. Not a template: this is much code.
bool run(const Program& program, const NeuronArrays<double>& a, float* const* single, double* out) {
  HWY_ALIGN double temporaries[Program::kMostTemporaries][kVectors * kMostLanes], work[kVectors * kMostLanes];
  static constexpr double zeros[kVectors * kMostLanes] = {};
  const size_t block = kVectors * O::lanes();
  double* place[Program::kTemporaries + Program::kMostTemporaries];
  for (int k = 0; k < program.states; ++k) place[k] = a.state[k];
  place[Program::kCurrent] = const_cast<double*>(a.current ? a.current : zeros);  // read only
  place[Program::kOut] = out;
  for (int k = 0; k < program.temporaries; ++k) place[Program::kTemporaries + k] = temporaries[k];
  const double* c = program.constants.data();
  const ProgramInstruction *begin = program.code.data(), *end = begin + program.code.size();
  V x[kVectors], strange = O::set(0);
  load_eight(x, zeros);
  for (size_t n = 0; n < a.n; n += block) {
    for (const ProgramInstruction* i = begin; i != end; ++i) {
      double* m = i->to != ProgramInstruction::kNowhere ? place[i->to] : work;  // the accumulator in memory
      switch (i->op) {
#define APICAL_OPERANDS_0(name) eight<ProgramOp::name>(x, Constant{x[0]}, Constant{x[0]});
#define APICAL_OPERANDS_1(name)                                           \
  if (i->constant_a)                                                      \
    eight<ProgramOp::name>(x, Constant{O::set(c[i->a])}, Constant{x[0]}); \
  else                                                                    \
    eight<ProgramOp::name>(x, Array{place[i->a]}, Constant{x[0]});
#define APICAL_OPERANDS_2(name)                                                      \
  if (i->constant_a && i->constant_b)                                                \
    eight<ProgramOp::name>(x, Constant{O::set(c[i->a])}, Constant{O::set(c[i->b])}); \
  else if (i->constant_a)                                                            \
    eight<ProgramOp::name>(x, Constant{O::set(c[i->a])}, Array{place[i->b]});        \
  else if (i->constant_b)                                                            \
    eight<ProgramOp::name>(x, Array{place[i->a]}, Constant{O::set(c[i->b])});        \
  else                                                                               \
    eight<ProgramOp::name>(x, Array{place[i->a]}, Array{place[i->b]});
#define APICAL_LIGHT(name, operands) \
  case ProgramOp::name:              \
    APICAL_OPERANDS_##operands(name) break;
        APICAL_PROGRAM_LIGHT(APICAL_LIGHT)
#define APICAL_FUNCTION(name, operands)                                \
  case ProgramOp::name:                                                \
    store_eight(x, m), function<ProgramOp::name>(m), load_eight(x, m); \
    continue;
        APICAL_PROGRAM_FUNCTIONS(APICAL_FUNCTION)
        case ProgramOp::awake:
          awake(a.refractory + n, m), load_eight(x, m);
          continue;
        case ProgramOp::input:
          single ? input(single[i->a] + n, m) : input(a.in[i->a] + n, m);
          load_eight(x, m);
          continue;
        case ProgramOp::check:
          strange = O::add(strange, strange_of(x));
          break;
        case ProgramOp::fire:
          store_eight(x, work);
          if (n % 64 == 0) a.spikes[n / 64] = 0;
          a.spikes[n / 64] |= fire(work, program.refractory, a.refractory + n) << (n % 64);
          break;
#undef APICAL_OPERANDS_0
#undef APICAL_OPERANDS_1
#undef APICAL_OPERANDS_2
#undef APICAL_LIGHT
#undef APICAL_FUNCTION
      }
      if (m != work) store_eight(x, m);
    }
    for (int k = 0; k < program.states; ++k) place[k] += block;
    if (a.current) place[Program::kCurrent] += block;
    if (out) place[Program::kOut] += block;
  }
  return O::is_zero(strange);
}

bool step_float(const Program& p, const NeuronArrays<float>& a) {
  NeuronArrays<double> b{};
  b.n = a.n, b.refractory = a.refractory, b.current = a.current, b.spikes = a.spikes;
  for (int k = 0; k < p.states; ++k) b.state[k] = a.state[k];
  return run(p, b, a.in, nullptr);
}
bool step_double(const Program& p, const NeuronArrays<double>& a) { return run(p, a, nullptr, nullptr); }
void values(const Program& p, const NeuronArrays<double>& a, double* out) { run(p, a, nullptr, out); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
struct ProgramOps : Ops<double> {
  static double sqrt(double x) { return std::sqrt(x); }
  static bool mask(double x) { return x != 0; }
  static double value(bool m) { return m ? 1 : 0; }
  static bool either(bool m, bool n) { return m || n; }
  static bool no(bool m) { return !m; }
  static std::uint64_t bits(double x) {
    std::uint64_t b;
    std::memcpy(&b, &x, sizeof b);
    return b;
  }
  static double exponent(double x) { return static_cast<double>(bits(x) >> 52) - 1023; }
  static double fraction(double x) {
    const std::uint64_t b = (bits(x) & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    std::memcpy(&x, &b, sizeof x);
    return x;
  }
};
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/program-inl.h"
}  // namespace plain::detail
namespace {

HWY_EXPORT(step_float);
HWY_EXPORT(step_double);
HWY_EXPORT(values);

template <class Row>
bool reference(const Program& program, const NeuronArrays<Row>& a, double* out) {
  using plain::detail::program_apply;
  using O = plain::detail::ProgramOps;
  double temporaries[Program::kMostTemporaries] = {}, x = 0, strange = 0;
  for (std::size_t n = 0; n < a.n; ++n) {
    double current = a.current ? a.current[n] : 0;
    const auto place = [&](int k) -> double& {
      return k < program.states       ? a.state[k][n]
             : k == Program::kCurrent ? current
             : k == Program::kOut     ? out[n]
                                      : temporaries[k - Program::kTemporaries];
    };
    for (const ProgramInstruction& i : program.code) {
      switch (i.op) {
#define APICAL_APPLY(name, operands)                                              \
  case ProgramOp::name:                                                           \
    x = program_apply<O, ProgramOp::name>(x,                                      \
                                          operands < 1   ? 0                      \
                                          : i.constant_a ? program.constants[i.a] \
                                                         : place(i.a),            \
                                          operands < 2   ? 0                      \
                                          : i.constant_b ? program.constants[i.b] \
                                                         : place(i.b));           \
    break;
        APICAL_PROGRAM_LIGHT(APICAL_APPLY)
        APICAL_PROGRAM_FUNCTIONS(APICAL_APPLY)
#undef APICAL_APPLY
        case ProgramOp::awake:
          x = a.refractory[n] <= 0;
          break;
        case ProgramOp::input:
          x = a.in[i.a][n], a.in[i.a][n] = 0;
          break;
        case ProgramOp::check:
          strange += x - x;
          break;
        case ProgramOp::fire:
          a.refractory[n] = x != 0 ? static_cast<float>(program.refractory) : std::max(a.refractory[n] - 1, 0.0f);
          if (n % 64 == 0) a.spikes[n / 64] = 0;
          a.spikes[n / 64] |= std::uint64_t{x != 0} << (n % 64);
          break;
      }
      if (i.to != ProgramInstruction::kNowhere) place(i.to) = x;
    }
  }
  return strange == 0;
}

}  // namespace

bool neuron_step(const Program& p, const NeuronArrays<float>& a) noexcept {
  return scalar_level() ? reference(p, a, nullptr) : HWY_DYNAMIC_DISPATCH(step_float)(p, a);
}
bool neuron_step(const Program& p, const NeuronArrays<double>& a) noexcept {
  return scalar_level() ? reference(p, a, nullptr) : HWY_DYNAMIC_DISPATCH(step_double)(p, a);
}
void program_values(const Program& p, const NeuronArrays<double>& a, double* out) noexcept {
  if (scalar_level())
    reference(p, a, out);
  else
    HWY_DYNAMIC_DISPATCH(values)(p, a, out);
}

}  // namespace apical::kernels
#endif
