#pragma once
// Neurons whose equations come as text (brain/equations.h): one step of the clock as a flat program in float64 that works through many
// neurons an operation. There is one accumulator x, kept in registers for eight vectors of neurons; operands are arrays of the neurons,
// temporary values, or constants, and what an operation gives can be stored in one of the first two.
//
// Every SIMD level gives the same bits as the scalar reference.
#include <cstdint>
#include <vector>

#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

// X(name, operands). Masks are values, too: what a comparison gives goes to both, either, no, choose, keep, unless and fire only.
#define APICAL_PROGRAM_LIGHT(X)                                 \
  X(same, 0)  /* x */                                           \
  X(load, 1)  /* a */                                           \
  X(add, 1)   /* x + a */                                       \
  X(sub, 1)   /* x - a */                                       \
  X(from, 1)  /* a - x */                                       \
  X(mul, 1)   /* x a */                                         \
  X(div, 1)   /* x / a */                                       \
  X(under, 1) /* a / x */                                       \
  X(min, 1)   /* the smaller of x and a */                      \
  X(max, 1)                                                     \
  X(gt, 1) /* x > a */                                          \
  X(ge, 1)                                                      \
  X(lt, 1)                                                      \
  X(le, 1)                                                      \
  X(eq, 1)                                                      \
  X(both, 1)   /* x and a */                                    \
  X(either, 1) /* x or a */                                     \
  X(no, 0)     /* not x */                                      \
  X(abs, 0)                                                     \
  X(sqrt, 0)                                                    \
  X(mul_add, 2)    /* x + a b, rounded twice as all of these */ \
  X(mul_less, 2)   /* x - a b */                                \
  X(scale_add, 2)  /* x a + b */                                \
  X(scale_sub, 2)  /* x a - b */                                \
  X(scale_from, 2) /* b - x a */                                \
  X(choose, 2)     /* x ? a : b */                              \
  X(keep, 2)       /* a ? x : b */                              \
  X(unless, 2)     /* a ? b : x */
// Functions of x, precise to some 2 ulp. exp and expm1 are those of 708 beyond it; sin and cos need |x| < 1e5.
#define APICAL_PROGRAM_FUNCTIONS(X) X(exp, 0) X(log, 0) X(expm1, 0) X(exprel, 0) X(sin, 0) X(cos, 0) X(tanh, 0)
// What is not a function of numbers.
#define APICAL_PROGRAM_ACTS(X)                                   \
  X(hold, 1)  /* x where no refractory steps are left, else a */ \
  X(input, 1) /* what has arrived at port a, which is emptied */ \
  X(fire, 0)  /* those spike where x is true and no refractory steps are left; theirs begin */ \
  X(fired, 0) /* true where they did. Nothing that follows changes the others: where nobody did, the program ends here */
// Two that often follow each other, done at once. X(name, first, its operands, its constants, second, ...). The operands of the second are
// those of the next instruction; the first stores and checks nothing.
#define APICAL_PROGRAM_PAIRS(X)                    \
  X(load_mul_add, load, 1, 1, mul_add, 2, 1)       \
  X(mul_add_mul_add, mul_add, 2, 1, mul_add, 2, 1) \
  X(load_mul, load, 1, 0, mul, 1, 0)               \
  X(load_add, load, 1, 1, add, 1, 0)               \
  X(load_sub, load, 1, 1, sub, 1, 0)

enum class ProgramOp : std::uint8_t {
#define APICAL_NAME(name, ...) name,
  APICAL_PROGRAM_LIGHT(APICAL_NAME) APICAL_PROGRAM_FUNCTIONS(APICAL_NAME) APICAL_PROGRAM_ACTS(APICAL_NAME) APICAL_PROGRAM_PAIRS(APICAL_NAME)
#undef APICAL_NAME
};

struct ProgramInstruction {
  static constexpr std::uint16_t kNowhere = 0xffff;
  ProgramOp op;
  std::uint8_t constants = 0;  ///< 1: a is the number of a constant, not a place; 2: b is
  std::uint16_t a = 0, b = 0;
  std::uint16_t to = kNowhere;  ///< place x is stored in
  std::uint16_t check = 0;      ///< 1: the step returns false if any x is no finite number
};

struct Program {
  static constexpr int kMostStates = NeuronArrays<double>::kMostStates, kMostTemporaries = 64;
  // Places: states from 0 on, then
  static constexpr int kCurrent = kMostStates, kOut = kCurrent + 1, kTemporaries = kOut + 1;
  std::vector<ProgramInstruction> code;
  std::vector<double> constants;
  int states = 0, temporaries = 0;
  double refractory = 0;  ///< steps
};

/// The same program in fewer instructions: pairs, and no `same` where the instruction before can store.
void join(Program& program);

/// One step. False when a value that is checked is not a finite number.
bool neuron_step(const Program& program, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const Program& program, const NeuronArrays<double>& a) noexcept;
/// A program that stores into kOut, without acts: a value of each neuron.
void program_values(const Program& program, const NeuronArrays<double>& a, double* out) noexcept;

}  // namespace apical::kernels
