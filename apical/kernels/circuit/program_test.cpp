#include "apical/kernels/circuit/program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "apical/base/philox.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t n = 128;

// Three states and a current of n neurons, and what a program makes of them.
struct Neurons {
  std::vector<double> states, current, out;
  std::vector<float> in;
  std::vector<std::int32_t> wakes;
  std::vector<std::uint64_t> spikes;
  Neurons() : states(3 * n), current(n), out(n), in(2 * n), wakes(n), spikes(n / 64, ~std::uint64_t{0}) {}

  template <class Row>
  NeuronArrays<Row> arrays(Row* rows, std::int32_t step = 0) {
    NeuronArrays<Row> a{};
    a.n = n, a.step = step;
    for (std::size_t k = 0; k < 3; ++k) a.state[k] = states.data() + k * n;
    a.wakes = wakes.data(), a.current = current.data(), a.spikes = spikes.data();
    a.in[0] = rows, a.in[1] = rows ? rows + n : nullptr;
    return a;
  }
  std::vector<double> values(const Program& p) {
    program_values(p, arrays<double>(nullptr), out.data());
    for (double& v : out)
      if (std::isnan(v)) v = nan;  // whichever
    return out;
  }
};

using I = ProgramInstruction;
Program program(std::vector<I> code, std::vector<double> constants = {}) {
  return {.code = std::move(code), .constants = std::move(constants), .states = 3, .temporaries = Program::kMostTemporaries};
}

// Calls check(level) at every level.
void at_every_level(const std::function<void(const std::string&)>& check) {
  for (const auto& level : simd_levels()) set_simd_level(level), check(level);
  set_simd_level("");
}

TEST(Program, FunctionsAreThoseOfTheLibrary) {
  const struct {
    ProgramOp op;
    double (*want)(double);
    double low, high, ulps;
  } all[] = {{ProgramOp::exp, std::exp, -700, 700, 4},
             {ProgramOp::exp, std::exp, -1, 1, 4},
             {ProgramOp::log, std::log, 1e-300, 10, 4},
             {ProgramOp::log, std::log, 0.5, 2, 4},
             {ProgramOp::expm1, std::expm1, -1e-5, 1e-5, 4},
             {ProgramOp::expm1, std::expm1, -40, 40, 4},
             {ProgramOp::exprel, [](double x) { return std::expm1(x) / x; }, -3, 3, 6},
             {ProgramOp::tanh, std::tanh, -1e-3, 1e-3, 6},
             {ProgramOp::tanh, std::tanh, -20, 20, 6},
             {ProgramOp::sqrt, std::sqrt, 0, 1e6, 0},
             {ProgramOp::abs, std::fabs, -1, 1, 0},
             {ProgramOp::sin, std::sin, -4, 4, 0},
             {ProgramOp::cos, std::cos, -4, 4, 0},
             {ProgramOp::sin, std::sin, -1e5, 1e5, 0},
             {ProgramOp::cos, std::cos, -1e5, 1e5, 0}};
  Random random(1, "functions");
  for (const auto& f : all) {
    Neurons neurons;
    for (std::size_t i = 0; i < n; ++i) neurons.states[i] = f.low + (f.high - f.low) * random.uniform(0, 1);
    const auto got = neurons.values(program({{.op = ProgramOp::load, .a = 0}, {.op = f.op, .to = Program::kOut}}));
    for (std::size_t i = 0; i < n; ++i) {
      const double want = f.want(neurons.states[i]), unit = f.ulps > 0 ? std::fabs(want) : 1;
      EXPECT_NEAR(got[i], want, std::max(f.ulps, 2.0) * 0x1p-53 * unit) << static_cast<int>(f.op) << " of " << neurons.states[i];
    }
  }
}

TEST(Program, FunctionsKnowTheirEnds) {
  const struct {
    ProgramOp op;
    double x, want;
  } all[] = {{ProgramOp::log, 0, -inf},    {ProgramOp::log, -1, nan},   {ProgramOp::log, inf, inf},
             {ProgramOp::log, nan, nan},   {ProgramOp::log, 1, 0},      {ProgramOp::log, 0x1p-1060, std::log(0x1p-1060)},
             {ProgramOp::exprel, 0, 1},    {ProgramOp::exp, nan, nan},  {ProgramOp::exp, -inf, std::exp(-708.0)},
             {ProgramOp::exp, 0, 1},       {ProgramOp::sqrt, -1, nan},  {ProgramOp::tanh, 800, 1},
             {ProgramOp::tanh, -800, -1},  {ProgramOp::tanh, nan, nan}, {ProgramOp::exprel, nan, nan},
             {ProgramOp::expm1, -inf, -1}, {ProgramOp::sin, 0, 0},      {ProgramOp::cos, 0, 1}};
  for (const auto& f : all) {
    Neurons neurons;
    neurons.states.assign(3 * n, f.x);
    at_every_level([&](const std::string& level) {
      const double got = neurons.values(program({{.op = ProgramOp::load, .a = 0}, {.op = f.op, .to = Program::kOut}}))[n - 1];
      EXPECT_TRUE(std::isnan(f.want) ? std::isnan(got) : std::fabs(got - f.want) <= 1e-15 * std::fabs(f.want) || got == f.want)
          << level << " " << static_cast<int>(f.op) << "(" << f.x << ") = " << got;
    });
  }
}

// Every operation with operands of every kind, beside what it means.
TEST(Program, OperationsDoWhatTheySay) {
  Neurons neurons;
  Random random(2, "operations");
  for (double& v : neurons.states) v = random.uniform(-2, 2);
  neurons.states[0] = neurons.states[n], neurons.states[1] = 0;
  const double c[2] = {0.75, -1.25};
  const struct {
    ProgramOp op;
    std::function<double(double x, double a, double b)> want;
  } all[] = {{ProgramOp::same, [](double x, double, double) { return x; }},
             {ProgramOp::load, [](double, double a, double) { return a; }},
             {ProgramOp::add, [](double x, double a, double) { return x + a; }},
             {ProgramOp::sub, [](double x, double a, double) { return x - a; }},
             {ProgramOp::from, [](double x, double a, double) { return a - x; }},
             {ProgramOp::mul, [](double x, double a, double) { return x * a; }},
             {ProgramOp::div, [](double x, double a, double) { return x / a; }},
             {ProgramOp::under, [](double x, double a, double) { return a / x; }},
             {ProgramOp::min, [](double x, double a, double) { return std::min(x, a); }},
             {ProgramOp::max, [](double x, double a, double) { return std::max(x, a); }},
             {ProgramOp::mul_add, [](double x, double a, double b) { return x + a * b; }},
             {ProgramOp::mul_less, [](double x, double a, double b) { return x - a * b; }},
             {ProgramOp::scale_add, [](double x, double a, double b) { return x * a + b; }},
             {ProgramOp::scale_sub, [](double x, double a, double b) { return x * a - b; }},
             {ProgramOp::scale_from, [](double x, double a, double b) { return b - x * a; }}};
  const struct {
    ProgramOp op;
    std::function<bool(double x, double a)> want;
  } comparisons[] = {{ProgramOp::gt, [](double x, double a) { return x > a; }},
                     {ProgramOp::ge, [](double x, double a) { return x >= a; }},
                     {ProgramOp::lt, [](double x, double a) { return x < a; }},
                     {ProgramOp::le, [](double x, double a) { return x <= a; }},
                     {ProgramOp::eq, [](double x, double a) { return x == a; }}};
  for (int kinds = 0; kinds < 4; ++kinds) {
    const bool ca = kinds & 1, cb = kinds & 2;
    const auto constants = static_cast<std::uint8_t>(kinds);
    const auto a = static_cast<std::uint16_t>(ca ? 0 : 1), b = static_cast<std::uint16_t>(cb ? 1 : Program::kCurrent);
    for (std::size_t i = 0; i < n; ++i) neurons.current[i] = neurons.states[2 * n + i];
    const auto operand = [&](std::size_t i) { return ca ? c[0] : neurons.states[n + i]; };
    const auto second = [&](std::size_t i) { return cb ? c[1] : neurons.current[i]; };
    at_every_level([&](const std::string& level) {
      for (const auto& o : all) {
        const auto got = neurons.values(program(
            {{.op = ProgramOp::load, .a = 0}, {.op = o.op, .constants = constants, .a = a, .b = b, .to = Program::kOut}}, {c[0], c[1]}));
        for (std::size_t i = 0; i < n; ++i)
          ASSERT_EQ(got[i], o.want(neurons.states[i], operand(i), second(i))) << level << " " << static_cast<int>(o.op) << " " << kinds;
      }
      for (const auto& o : comparisons)  // and masks: (x ? a), not, kept in a temporary place
        for (const bool negated : {false, true})
          for (const auto use : {ProgramOp::choose, ProgramOp::keep, ProgramOp::unless}) {
            std::vector<I> code{{.op = ProgramOp::load, .a = 0}, {.op = o.op, .constants = ca, .a = a, .to = Program::kTemporaries}};
            if (negated) code.push_back({.op = ProgramOp::no, .to = Program::kTemporaries});
            if (use != ProgramOp::choose) code.push_back({.op = ProgramOp::load, .a = 0});
            code.push_back({.op = use,
                            .a = static_cast<std::uint16_t>(use == ProgramOp::choose ? 0 : Program::kTemporaries),
                            .b = 2,
                            .to = Program::kOut});
            const auto got = neurons.values(program(code, {c[0]}));
            for (std::size_t i = 0; i < n; ++i) {
              const bool first = (o.want(neurons.states[i], operand(i)) != negated) != (use == ProgramOp::unless);
              ASSERT_EQ(got[i], first ? neurons.states[i] : neurons.states[2 * n + i]) << level << " " << static_cast<int>(o.op);
            }
          }
    });
  }
}

// Programs drawn at random, on all kinds of numbers: the same bits at every level.
TEST(Program, SameBitsAtEveryLevel) {
  Random random(3, "programs");
  for (int round = 0; round < 20; ++round) {
    Neurons neurons;
    const double strange[] = {0, -0.0, inf, -inf, nan, 1e308, 5e-324, -1e-310, 1, -1};
    for (double& v : neurons.states) v = random.below(8) == 0 ? strange[random.below(10)] : random.uniform(-30, 30);
    std::vector<I> code{{.op = ProgramOp::load, .a = 0}};
    std::uint32_t numbers = 0, masks = 0;  // so many were stored, numbers in twenty even temporary places, masks in odd ones
    const auto below = [&](std::uint32_t most) { return static_cast<std::uint16_t>(random.below(most)); };
    const auto number_place = [&](std::uint32_t k) { return static_cast<std::uint16_t>(Program::kTemporaries + 2 * (k % 20)); };
    const auto mask_place = [&](std::uint32_t k) { return static_cast<std::uint16_t>(number_place(k) + 1); };
    const auto any_mask = [&] { return mask_place(below(std::min(masks, 20u))); };
    const auto operand = [&](bool constant) {
      if (constant) return below(2);
      return numbers > 0 && below(2) ? number_place(below(std::min(numbers, 20u))) : below(3);
    };
    for (int k = 0; k < 200; ++k) {
      const bool ca = below(4) == 0, cb = below(3) == 0;
      I i{.op = static_cast<ProgramOp>(below(static_cast<std::uint32_t>(ProgramOp::hold))),
          .constants = static_cast<std::uint8_t>(ca + 2 * cb),
          .a = operand(ca),
          .b = operand(cb)};
      using enum ProgramOp;
      if (i.op >= gt && i.op <= eq) {
        i.to = mask_place(masks++);
        code.push_back(i);
        if (below(2)) code.push_back({.op = below(2) ? both : either, .a = any_mask(), .to = i.to});
        if (below(2)) code.push_back({.op = no, .to = i.to});
        if (below(2))
          code.push_back({.op = choose, .constants = i.constants, .a = ca ? i.a : below(3), .b = i.b});
        else
          code.push_back({.op = load, .a = 1});
      } else if (i.op != both && i.op != either && i.op != no && i.op != choose) {
        if (i.op == keep || i.op == unless) {
          if (masks == 0) continue;
          i.constants &= 2, i.a = any_mask();
        }
        if (below(2)) i.to = number_place(numbers++);
        code.push_back(i);
      }
    }
    code.push_back({.op = ProgramOp::same, .to = Program::kOut});
    const Program p = program(code, {0.5, -3});
    set_simd_level("scalar");
    const auto want = neurons.values(p);
    at_every_level([&](const std::string& level) {
      EXPECT_EQ(std::memcmp(neurons.values(p).data(), want.data(), n * sizeof(double)), 0) << level << ", program " << round;
    });
  }
}

// Joined programs are shorter and give the same bits.
TEST(Program, JoinedIsTheSame) {
  Neurons neurons;
  Random random(5, "pairs");
  for (double& v : neurons.states) v = random.uniform(-2, 2);
  const struct {
    ProgramOp pair, first, second;
    std::uint8_t constants, of_second;
  } all[] = {
#define APICAL_PAIR(name, first, operands, numbers, second, more_operands, more_numbers) \
  {ProgramOp::name, ProgramOp::first, ProgramOp::second, numbers, more_numbers},
      APICAL_PROGRAM_PAIRS(APICAL_PAIR)
#undef APICAL_PAIR
  };
  for (const auto& pair : all) {
    const Program apart = program({{.op = ProgramOp::load, .a = 2},
                                   {.op = pair.first, .constants = pair.constants, .a = 0, .b = 1},
                                   {.op = pair.second, .constants = pair.of_second, .a = 1, .b = 2},
                                   {.op = ProgramOp::same, .to = Program::kOut}},
                                  {0.75, -1.25});
    Program joined = apart;
    join(joined);
    ASSERT_EQ(joined.code.size(), 3u);
    EXPECT_EQ(joined.code[1].op, pair.pair);
    EXPECT_EQ(joined.code[2].op, pair.second);
    set_simd_level("scalar");
    const auto want = neurons.values(apart);
    at_every_level([&](const std::string& level) {
      EXPECT_EQ(std::memcmp(neurons.values(joined).data(), want.data(), n * sizeof(double)), 0)
          << level << " " << static_cast<int>(pair.pair);
    });
    for (const I& told : {I{.op = pair.first, .to = 2}, I{.op = pair.first, .check = 1}}) {  // what the first has to store or check
      Program two = apart;
      two.code[1].to = told.to, two.code[1].check = told.check;
      join(two);
      EXPECT_EQ(two.code[1].op, pair.first);
    }
  }
}

// v = 0.9 v + in, held while refractory; fires above 1. Another variable is 1 from the first rest on.
Program lif() {
  constexpr auto t = static_cast<std::uint16_t>(Program::kTemporaries);
  Program p = program({{.op = ProgramOp::input, .a = 0, .to = t},
                       {.op = ProgramOp::input, .a = 1},
                       {.op = ProgramOp::add, .a = t},
                       {.op = ProgramOp::mul_add, .constants = 1, .a = 0, .b = 0},
                       {.op = ProgramOp::hold, .a = 0, .to = 0, .check = 1},
                       {.op = ProgramOp::load, .a = 1},
                       {.op = ProgramOp::hold, .constants = 1, .a = 1, .to = 1},
                       {.op = ProgramOp::load, .a = 0},
                       {.op = ProgramOp::gt, .constants = 1, .a = 1},
                       {.op = ProgramOp::fire},
                       {.op = ProgramOp::fired},
                       {.op = ProgramOp::choose, .constants = 1, .a = 2, .b = 0, .to = 0}},
                      {0.9, 1, -0.5});
  p.refractory = 3;
  return p;
}

template <class Row>
void fires_and_rests() {
  std::vector<double> bits;
  at_every_level([&](const std::string& level) {
    Neurons neurons;
    std::vector<Row> in(2 * n);
    std::vector<double> v(n), left(n), rested(n), all;
    Random random(4, "lif");
    for (int t = 0; t < 50; ++t) {
      for (Row& x : in) x = random.uniform(0, 0.2f);
      const auto before = in;
      const auto a = neurons.arrays<Row>(in.data(), t);
      ASSERT_TRUE(neuron_step(lif(), a));
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(in[i], 0);
        ASSERT_EQ(in[n + i], 0);
        const bool rests = left[i] > 0;
        if (rests) rested[i] = 1;
        if (!rests) v[i] = (static_cast<double>(before[n + i]) + before[i]) + 0.9 * v[i];
        const bool fired = !rests && v[i] > 1;
        left[i] = fired ? 3 : std::max(left[i] - 1, 0.0);
        if (fired) v[i] = -0.5;
        ASSERT_EQ(neurons.spikes[i / 64] >> (i % 64) & 1, fired) << level << " step " << t;
        ASSERT_EQ(neurons.states[i], v[i]) << level << " step " << t;
        ASSERT_EQ(neurons.states[n + i], rested[i]) << level << " step " << t;
        ASSERT_EQ(std::max(neurons.wakes[i] - (t + 1), 0), left[i]);
        all.push_back(fired);
      }
    }
    EXPECT_GT(std::count(all.begin(), all.end(), 1.0), 200);
    in[77] = static_cast<Row>(inf);
    EXPECT_FALSE(neuron_step(lif(), neurons.arrays<Row>(in.data(), 60))) << level;
  });
}
TEST(Program, NeuronsFireAndRest) { fires_and_rests<float>(), fires_and_rests<double>(); }

}  // namespace
}  // namespace apical::kernels
