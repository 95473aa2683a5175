#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/program.cpp"
#include "apical/kernels/circuit/program.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/rows-inl.h"

struct ProgramOps : Doubles {
  using U = hn::RebindToUnsigned<D>;
  static HWY_INLINE V sqrt(V x) { return hn::Sqrt(x); }
  static HWY_INLINE M mask(V x) { return hn::MaskFromVec(x); }
  static HWY_INLINE M mask_of(uint64_t bits) {
    uint8_t bytes[8] = {static_cast<uint8_t>(bits)};
    return hn::LoadMaskBits(D(), bytes);
  }
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
template <ProgramOp op, ProgramOp next, class A, class B, class C, class D>
HWY_INLINE void eight(V (&x)[kVectors], A a, B b, C c, D d) {
  x[0] = program_apply<O, next>(program_apply<O, op>(x[0], a.at(0), b.at(0)), c.at(0), d.at(0));
  x[1] = program_apply<O, next>(program_apply<O, op>(x[1], a.at(1), b.at(1)), c.at(1), d.at(1));
  x[2] = program_apply<O, next>(program_apply<O, op>(x[2], a.at(2), b.at(2)), c.at(2), d.at(2));
  x[3] = program_apply<O, next>(program_apply<O, op>(x[3], a.at(3), b.at(3)), c.at(3), d.at(3));
  x[4] = program_apply<O, next>(program_apply<O, op>(x[4], a.at(4), b.at(4)), c.at(4), d.at(4));
  x[5] = program_apply<O, next>(program_apply<O, op>(x[5], a.at(5), b.at(5)), c.at(5), d.at(5));
  x[6] = program_apply<O, next>(program_apply<O, op>(x[6], a.at(6), b.at(6)), c.at(6), d.at(6));
  x[7] = program_apply<O, next>(program_apply<O, op>(x[7], a.at(7), b.at(7)), c.at(7), d.at(7));
}
HWY_INLINE void store_eight(const V (&x)[kVectors], double* p) {
  const size_t L = O::lanes();
  O::store(x[0], p), O::store(x[1], p + L), O::store(x[2], p + 2 * L), O::store(x[3], p + 3 * L);
  O::store(x[4], p + 4 * L), O::store(x[5], p + 5 * L), O::store(x[6], p + 6 * L), O::store(x[7], p + 7 * L);
}

HWY_INLINE void load_eight(V (&x)[kVectors], const double* p) { eight<ProgramOp::load>(x, Array{p}, Constant{x[0]}); }

// The functions work on the accumulator in memory: they need the registers themselves.
template <ProgramOp op>
HWY_NOINLINE void function(double* x) {
  const size_t L = O::lanes();
  for (size_t i = 0; i < kVectors * L; i += 2 * L) {  // two at a time: while one waits the other computes
    const V u = O::load(x + i), v = O::load(x + i + L);
    O::store(program_apply<O, op>(u, u, u), x + i), O::store(program_apply<O, op>(v, v, v), x + i + L);
  }
}
// What f gives of each vector, and where its neurons are in the block.
template <class X, class F>
HWY_INLINE void each(X (&x)[kVectors], F f) {
  const size_t L = O::lanes();
  f(x[0], 0), f(x[1], L), f(x[2], 2 * L), f(x[3], 3 * L), f(x[4], 4 * L), f(x[5], 5 * L), f(x[6], 6 * L), f(x[7], 7 * L);
}
template <class A>
HWY_INLINE void hold(V (&x)[kVectors], A a, const int32_t* wakes, int32_t step) {
  each(x, [=](V& v, size_t i) HWY_ATTR { v = O::select(O::awake(wakes + i, step), v, a.at(i / O::lanes())); });
}
template <class Row>
HWY_INLINE void input(V (&x)[kVectors], Row* row) {
  each(x, [=](V& v, size_t i) HWY_ATTR { v = O::load(row + i), O::zero(row + i); });
}
HWY_INLINE V watch(const V (&x)[kVectors], V strange) {  // two chains, which need not wait for each other
  const V a = O::watch(x[6], O::watch(x[4], O::watch(x[2], O::watch(x[0], strange))));
  const V b = O::watch(x[7], O::watch(x[5], O::watch(x[3], O::mul(x[1], O::set(0)))));
  return O::add(a, b);
}
HWY_INLINE uint64_t fire(const V (&x)[kVectors], const int32_t* wakes, int32_t step) {
  uint64_t fired = 0, awake = 0;
  each(x, [&](V v, size_t i) HWY_ATTR { fired |= O::bits(O::mask(v)) << i; });
  if (fired != 0) each(x, [&](V, size_t i) HWY_ATTR { awake |= O::bits(O::awake(wakes + i, step)) << i; });
  return fired & awake;
}
HWY_INLINE void fired_of(V (&x)[kVectors], uint64_t fired) {
  each(x, [=](V& v, size_t i) HWY_ATTR { v = O::value(O::mask_of(fired >> i)); });
}
constexpr unsigned key(ProgramOp op, unsigned constants) { return static_cast<unsigned>(op) | constants << 8; }

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
    uint64_t fired = 0;
    for (const ProgramInstruction* i = begin; i != end; ++i) {
      switch (key(i->op, i->constants)) {
#define APICAL_KEYS(name, a) key(name, a) : case key(name, a + 2)
#define APICAL_ALL_KEYS(name) APICAL_KEYS(name, 0) : case APICAL_KEYS(name, 1)
#define APICAL_OPERANDS_0(name)                     \
  case APICAL_ALL_KEYS(name):                       \
    eight<name>(x, Constant{x[0]}, Constant{x[0]}); \
    break;
#define APICAL_OPERANDS_1(name)                                \
  case APICAL_KEYS(name, 0):                                   \
    eight<name>(x, Array{place[i->a]}, Constant{x[0]});        \
    break;                                                     \
  case APICAL_KEYS(name, 1):                                   \
    eight<name>(x, Constant{O::set(c[i->a])}, Constant{x[0]}); \
    break;
#define APICAL_OPERANDS_2(name)                                           \
  case key(name, 0):                                                      \
    eight<name>(x, Array{place[i->a]}, Array{place[i->b]});               \
    break;                                                                \
  case key(name, 1):                                                      \
    eight<name>(x, Constant{O::set(c[i->a])}, Array{place[i->b]});        \
    break;                                                                \
  case key(name, 2):                                                      \
    eight<name>(x, Array{place[i->a]}, Constant{O::set(c[i->b])});        \
    break;                                                                \
  case key(name, 3):                                                      \
    eight<name>(x, Constant{O::set(c[i->a])}, Constant{O::set(c[i->b])}); \
    break;
#define APICAL_LIGHT(name, operands) APICAL_OPERANDS_##operands(ProgramOp::name)
        APICAL_PROGRAM_LIGHT(APICAL_LIGHT)
#define APICAL_A_0(at) Array{place[at]}
#define APICAL_A_1(at) \
  Constant { O::set(c[at]) }
#define APICAL_B_1(at) \
  Constant { x[0] }
#define APICAL_B_2(at) \
  Array { place[at] }
#define APICAL_PAIR(name, first, operands, numbers, second, more_operands, more_numbers)                           \
  case key(ProgramOp::name, numbers):                                                                              \
    eight<ProgramOp::first, ProgramOp::second>(x, APICAL_A_##numbers(i[0].a), APICAL_B_##operands(i[0].b),         \
                                               APICAL_A_##more_numbers(i[1].a), APICAL_B_##more_operands(i[1].b)); \
    ++i;                                                                                                           \
    break;
        APICAL_PROGRAM_PAIRS(APICAL_PAIR)
#define APICAL_FUNCTION(name, operands)                                         \
  case APICAL_ALL_KEYS(ProgramOp::name):                                        \
    store_eight(x, work), function<ProgramOp::name>(work), load_eight(x, work); \
    break;
        APICAL_PROGRAM_FUNCTIONS(APICAL_FUNCTION)
        case APICAL_KEYS(ProgramOp::hold, 0):
          hold(x, Array{place[i->a]}, a.wakes + n, a.step);
          break;
        case APICAL_KEYS(ProgramOp::hold, 1):
          hold(x, Constant{O::set(c[i->a])}, a.wakes + n, a.step);
          break;
        case APICAL_ALL_KEYS(ProgramOp::input):
          single ? input(x, single[i->a] + n) : input(x, a.in[i->a] + n);
          break;
        case APICAL_ALL_KEYS(ProgramOp::fire): {
          fired = fire(x, a.wakes + n, a.step);
          rest(fired, a.step, program.refractory, a.wakes + n);
          if (n % 64 == 0) a.spikes[n / 64] = 0;
          a.spikes[n / 64] |= fired << (n % 64);
          break;
        }
        case APICAL_ALL_KEYS(ProgramOp::fired):
          if (fired == 0) {
            i = end - 1;
            continue;
          }
          fired_of(x, fired);
          break;
        default:
          __builtin_unreachable();
#undef APICAL_OPERANDS_0
#undef APICAL_OPERANDS_1
#undef APICAL_OPERANDS_2
#undef APICAL_LIGHT
#undef APICAL_A_0
#undef APICAL_A_1
#undef APICAL_B_1
#undef APICAL_B_2
#undef APICAL_PAIR
#undef APICAL_FUNCTION
#undef APICAL_KEYS
#undef APICAL_ALL_KEYS
      }
      if ((i->to | static_cast<uint32_t>(i->check) << 16) == ProgramInstruction::kNowhere) continue;  // most: one comparison
      if (i->to != ProgramInstruction::kNowhere) store_eight(x, place[i->to]);
      if (i->check) strange = watch(x, strange);
    }
    for (int k = 0; k < program.states; ++k) place[k] += block;
    if (a.current) place[Program::kCurrent] += block;
    if (out) place[Program::kOut] += block;
  }
  return O::is_zero(strange);
}

bool step_float(const Program& p, const NeuronArrays<float>& a) {
  NeuronArrays<double> b{};
  b.n = a.n, b.step = a.step, b.wakes = a.wakes, b.current = a.current, b.spikes = a.spikes;
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
    bool fired = false;
    double current = a.current ? a.current[n] : 0;
    const auto place = [&](int k) -> double& {
      return k < program.states       ? a.state[k][n]
             : k == Program::kCurrent ? current
             : k == Program::kOut     ? out[n]
                                      : temporaries[k - Program::kTemporaries];
    };
    for (const ProgramInstruction& i : program.code) {
      switch (i.op) {
#define APICAL_APPLY(name, operands)                                                 \
  case ProgramOp::name:                                                              \
    x = program_apply<O, ProgramOp::name>(x,                                         \
                                          operands < 1      ? 0                      \
                                          : i.constants & 1 ? program.constants[i.a] \
                                                            : place(i.a),            \
                                          operands < 2      ? 0                      \
                                          : i.constants & 2 ? program.constants[i.b] \
                                                            : place(i.b));           \
    break;
        APICAL_PROGRAM_LIGHT(APICAL_APPLY)
        APICAL_PROGRAM_FUNCTIONS(APICAL_APPLY)
#undef APICAL_APPLY
#define APICAL_FIRST(name, first, operands, numbers, ...)                                                                    \
  case ProgramOp::name: /* the second comes by itself */                                                                     \
    x = program_apply<O, ProgramOp::first>(x, numbers ? program.constants[i.a] : place(i.a), operands < 2 ? 0 : place(i.b)); \
    break;
        APICAL_PROGRAM_PAIRS(APICAL_FIRST)
#undef APICAL_FIRST
        case ProgramOp::hold:
          if (a.wakes[n] > a.step) x = i.constants & 1 ? program.constants[i.a] : place(i.a);
          break;
        case ProgramOp::input:
          x = a.in[i.a][n], a.in[i.a][n] = 0;
          break;
        case ProgramOp::fire:
          fired = x != 0 && a.wakes[n] <= a.step;
          if (fired) a.wakes[n] = a.step + 1 + static_cast<std::int32_t>(program.refractory);
          if (n % 64 == 0) a.spikes[n / 64] = 0;
          a.spikes[n / 64] |= std::uint64_t{fired} << (n % 64);
          break;
        case ProgramOp::fired:
          x = fired;
          break;
      }
      if (i.op == ProgramOp::fired && !fired) break;
      if (i.to != ProgramInstruction::kNowhere) place(i.to) = x;
      if (i.check) strange += x - x;
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
void join(Program& program) {
  using I = ProgramInstruction;
  std::vector<I> code;
  for (const I& i : program.code) {
    if (i.op == ProgramOp::same && !code.empty() && code.back().to == I::kNowhere)
      code.back().to = i.to, code.back().check |= i.check;
    else
      code.push_back(i);
  }
  for (std::size_t k = 0; k + 1 < code.size(); ++k) {
    I& i = code[k];
    const I& next = code[k + 1];
    if (i.to != I::kNowhere || i.check) continue;
    const auto before = i.op;
#define APICAL_JOIN(name, first, operands, numbers, second, more_operands, more_numbers)                                      \
  if (before == ProgramOp::first && i.constants == numbers && next.op == ProgramOp::second && next.constants == more_numbers) \
    i.op = ProgramOp::name;
    APICAL_PROGRAM_PAIRS(APICAL_JOIN)
#undef APICAL_JOIN
    if (i.op != before) ++k;
  }
  program.code = std::move(code);
}
void program_values(const Program& p, const NeuronArrays<double>& a, double* out) noexcept {
  if (scalar_level())
    reference(p, a, out);
  else
    HWY_DYNAMIC_DISPATCH(values)(p, a, out);
}

}  // namespace apical::kernels
#endif
