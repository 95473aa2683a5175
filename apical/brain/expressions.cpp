#include "apical/brain/expressions.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "apical/base/error.h"

namespace apical::brain {

using Kind = Expressions::Kind;
using Id = Expressions::Id;
using Op = kernels::ProgramOp;
using kernels::Program;

namespace {

constexpr int kCurrentBit = Program::kMostStates, kInputBit = kCurrentBit + 1, kFiringBit = kInputBit + 2;

// The functions of one number.
struct Function {
  Kind kind;
  Op op;
  double (*of)(double);
};
constexpr Function functions[] = {{Kind::no, Op::no, [](double x) { return x != 0 ? 0.0 : 1.0; }},
                                  {Kind::abs, Op::abs, [](double x) { return std::fabs(x); }},
                                  {Kind::sqrt, Op::sqrt, [](double x) { return std::sqrt(x); }},
                                  {Kind::exp, Op::exp, [](double x) { return std::exp(x); }},
                                  {Kind::log, Op::log, [](double x) { return std::log(x); }},
                                  {Kind::expm1, Op::expm1, [](double x) { return std::expm1(x); }},
                                  {Kind::exprel, Op::exprel, [](double x) { return x == 0 ? 1 : std::expm1(x) / x; }},
                                  {Kind::sin, Op::sin, [](double x) { return std::sin(x); }},
                                  {Kind::cos, Op::cos, [](double x) { return std::cos(x); }},
                                  {Kind::tanh, Op::tanh, [](double x) { return std::tanh(x); }}};
const Function* function(Kind kind) {
  for (const Function& f : functions)
    if (f.kind == kind) return &f;
  return nullptr;
}

// How x op a is done, and a op x (x: what is in the accumulator).
struct Binary {
  Kind kind;
  Op right, left;
};
constexpr Binary binaries[] = {{Kind::add, Op::add, Op::add},
                               {Kind::sub, Op::sub, Op::from},
                               {Kind::mul, Op::mul, Op::mul},
                               {Kind::div, Op::div, Op::under},
                               {Kind::min, Op::min, Op::min},
                               {Kind::max, Op::max, Op::max},
                               {Kind::gt, Op::gt, Op::lt},
                               {Kind::ge, Op::ge, Op::le},
                               {Kind::eq, Op::eq, Op::eq},
                               {Kind::both, Op::both, Op::both},
                               {Kind::either, Op::either, Op::either}};

}  // namespace

Id Expressions::insert(Node n) {
  const auto [at, is_new] =
      known_.try_emplace({n.kind, n.a, n.b, n.c, std::bit_cast<std::uint64_t>(n.value)}, static_cast<Id>(nodes_.size()));
  if (!is_new) return at->second;
  if (nodes_.size() >= kMostNodes || n.depth > kMostDepth)
    throw usage_error("the equations are too large", std::to_string(nodes_.size()) + " operations", "Cut the model in simpler ones.");
  nodes_.push_back(n);
  return at->second;
}

Id Expressions::constant(double value) { return insert({.kind = Kind::constant, .depth = 0, .value = value == 0 ? 0 : value}); }
Id Expressions::truth(bool value) { return insert({.kind = Kind::truth, .depth = 0, .value = value ? 1.0 : 0.0}); }
Id Expressions::state(int k) {
  return insert({.kind = Kind::state, .depth = 0, .value = static_cast<double>(k), .depends = std::uint64_t{1} << k});
}
Id Expressions::current() { return insert({.kind = Kind::current, .depth = 0, .depends = std::uint64_t{1} << kCurrentBit}); }
Id Expressions::input(int port) {
  return insert({.kind = Kind::input, .depth = 0, .value = static_cast<double>(port), .depends = std::uint64_t{1} << (kInputBit + port)});
}
Id Expressions::awake() { return insert({.kind = Kind::awake, .depth = 0, .depends = std::uint64_t{1} << kFiringBit}); }
Id Expressions::fired() { return insert({.kind = Kind::fired, .depth = 0, .depends = std::uint64_t{1} << kFiringBit}); }

std::optional<double> Expressions::value(Id id) const {
  return nodes_[id].kind == Kind::constant ? std::optional(nodes_[id].value) : std::nullopt;
}

// What needs no new node of this kind.
std::optional<Id> Expressions::fold(Kind kind, Id a, Id b, Id c) {
  const Node x = nodes_[a], y = nodes_[b];
  const bool cx = x.kind == Kind::constant, cy = y.kind == Kind::constant, both_constant = cx && cy;
  if (const Function* f = function(kind)) {
    if (kind == Kind::no) return x.kind == Kind::truth ? std::optional(truth(x.value == 0)) : std::nullopt;
    return cx ? std::optional(constant(f->of(x.value))) : std::nullopt;
  }
  switch (kind) {
    case Kind::add:
      if (both_constant) return constant(x.value + y.value);
      if (is(a, 0)) return b;
      if (cx && y.kind == Kind::add && value(y.a)) return add(constant(x.value + *value(y.a)), y.b);  // constants stand first
      return {};
    case Kind::sub:
      if (both_constant) return constant(x.value - y.value);
      if (cy) return add(constant(-y.value), a);
      return {};
    case Kind::mul:
      if (both_constant) return constant(x.value * y.value);
      if (is(a, 0)) return a;
      if (is(a, 1)) return b;
      if (cx && y.kind == Kind::mul && value(y.a)) return mul(constant(x.value * *value(y.a)), y.b);
      return {};
    case Kind::div:
      if (both_constant) return constant(x.value / y.value);
      if (cy && std::isnormal(1 / y.value)) return mul(constant(1 / y.value), a);
      if (is(a, 0)) return a;
      return {};
    case Kind::min:
      return both_constant ? std::optional(constant(y.value > x.value ? x.value : y.value)) : std::nullopt;
    case Kind::max:
      return both_constant ? std::optional(constant(x.value > y.value ? x.value : y.value)) : std::nullopt;
    case Kind::gt:
      return both_constant ? std::optional(truth(x.value > y.value)) : std::nullopt;
    case Kind::ge:
      return both_constant ? std::optional(truth(x.value >= y.value)) : std::nullopt;
    case Kind::eq:
      return both_constant ? std::optional(truth(x.value == y.value)) : std::nullopt;
    case Kind::both:
      if (x.kind == Kind::truth) return x.value != 0 ? b : a;
      if (y.kind == Kind::truth) return y.value != 0 ? a : b;
      return {};
    case Kind::either:
      if (x.kind == Kind::truth) return x.value != 0 ? a : b;
      if (y.kind == Kind::truth) return y.value != 0 ? b : a;
      return {};
    case Kind::choose:
      if (x.kind == Kind::truth) return x.value != 0 ? b : c;
      if (b == c) return b;
      return {};
    default:
      return {};
  }
}

Id Expressions::make(Kind kind, Id a, Id b, Id c) {
  if ((kind == Kind::add || kind == Kind::mul) && (value(b) || (!value(a) && b < a))) std::swap(a, b);
  if (const auto folded = fold(kind, a, b, c)) return *folded;
  Node n{.kind = kind, .depth = 0, .a = a, .b = b, .c = c};
  const int operands = function(kind) ? 1 : kind == Kind::choose ? 3 : 2;
  int depth = 0;
  for (const Id child : {a, operands > 1 ? b : a, operands > 2 ? c : a})
    n.depends |= nodes_[child].depends, depth = std::max<int>(depth, nodes_[child].depth);
  n.depth = static_cast<std::uint16_t>(depth + 1);
  return insert(n);
}

Id Expressions::power(Id x, int n) {
  if (n < 0) return make(Kind::div, constant(1), power(x, -n));
  if (n == 0) return constant(1);
  if (n == 1) return x;
  const Id half = power(x, n / 2), square = mul(half, half);
  return n % 2 ? mul(square, x) : square;
}

std::optional<Id> Expressions::slope(Id f, Id leaf) {
  if (f == leaf) return constant(1);
  if (!depends(f, leaf)) return constant(0);
  const Node n = nodes_[f];
  if (n.kind == Kind::add || n.kind == Kind::sub || (n.kind == Kind::choose && !depends(n.a, leaf))) {
    const Id left = n.kind == Kind::choose ? n.b : n.a, right = n.kind == Kind::choose ? n.c : n.b;
    const auto u = slope(left, leaf), v = slope(right, leaf);
    if (!u || !v) return {};
    return n.kind == Kind::choose ? make(Kind::choose, n.a, *u, *v) : make(n.kind, *u, *v);
  }
  if (n.kind == Kind::mul && !(depends(n.a, leaf) && depends(n.b, leaf))) {
    const bool first = depends(n.a, leaf);
    const auto u = slope(first ? n.a : n.b, leaf);
    return u ? std::optional(mul(*u, first ? n.b : n.a)) : std::nullopt;
  }
  if (n.kind == Kind::div && !depends(n.b, leaf)) {
    const auto u = slope(n.a, leaf);
    return u ? std::optional(make(Kind::div, *u, n.b)) : std::nullopt;
  }
  return {};
}

namespace {

// Code for one accumulator. A node that is used more than once, or that has to wait for another, is stored in a temporary place, which is
// free again after its last use.
class Compiler {
 public:
  Compiler(const Expressions& all, int states) : all_(all), uses_(all.size()), place_(all.size(), kNone) { program_.states = states; }

  Program compile(const std::vector<Root>& roots, const std::vector<Root>& reset) {
    part(roots);
    if (!reset.empty()) {
      std::fill(place_.begin(), place_.end(), kNone), std::fill(places_.begin(), places_.end(), false);
      x_ = kNothing;
      part(reset, all_.node(reset[0].node).a);
    }
    drop_unread();
    join(program_);
    program_.temporaries = static_cast<int>(places_.size());
    return std::move(program_);
  }

 private:
  // first: what is computed before all else.
  void part(const std::vector<Root>& roots, std::optional<Id> first = {}) {
    std::fill(uses_.begin(), uses_.end(), 0);
    std::vector<bool> seen(all_.size());
    for (const Root& r : roots) ++uses_[r.node], count(r.node, seen);
    struct Waiting {
      std::uint16_t place;
      int state;
    };
    std::vector<Waiting> waiting;
    if (first) compute(*first);
    for (const Root& r : roots) {
      compute(r.node, r.kind == Root::Kind::store);
      use(r.node);
      switch (r.kind) {
        case Root::Kind::check:
          program_.code.back().check = 1;
          break;
        case Root::Kind::fire:
          emit(Op::fire);
          break;
        case Root::Kind::out:
          store(Program::kOut);
          break;
        case Root::Kind::store: {
          const bool early = !unread(r.state);  // the value of before is still needed
          const auto to = early ? take_place() : static_cast<std::uint16_t>(r.state);
          if (early) waiting.push_back({to, r.state});
          store(to);
          if (r.check) program_.code.back().check = 1;
          if (in_memory(r.node)) break;
          uses_[r.node] += early;  // the last one is that by `waiting`
          place_[r.node] = to;
        }
      }
    }
    for (const auto& [place, state] : waiting) {
      program_.code.push_back({.op = Op::load, .a = place, .to = static_cast<std::uint16_t>(state)});
    }
  }

  static constexpr std::uint16_t kNone = kernels::ProgramInstruction::kNowhere;
  static constexpr Id kNothing = ~Id{0};
  struct Operand {
    bool constant;
    std::uint16_t at;
  };

  static int operands(const Expressions::Node& n) {
    return n.kind <= Kind::fired ? 0 : function(n.kind) ? 1 : n.kind == Kind::choose ? 3 : 2;
  }
  void count(Id id, std::vector<bool>& seen) {
    if (seen[id]) return;
    seen[id] = true;
    const auto& n = all_.node(id);
    const Id children[] = {n.a, n.b, n.c};
    for (int k = 0; k < operands(n); ++k) ++uses_[children[k]], count(children[k], seen);
  }
  bool unread(int state) const {
    for (Id id = 0; id < all_.size(); ++id)
      if (all_.node(id).kind == Kind::state && all_.node(id).value == state) return uses_[id] == 0;
    return true;
  }

  // Temporary values that were in the accumulator whenever they were needed.
  void drop_unread() {
    std::vector<bool> read(places_.size());
    const auto mark = [&](bool constant, std::uint16_t at) {
      if (!constant && at >= Program::kTemporaries) read[at - Program::kTemporaries] = true;
    };
    for (auto i = program_.code.rbegin(); i != program_.code.rend(); ++i) {
      if (i->to != kNone && i->to >= Program::kTemporaries) {
        if (!read[i->to - Program::kTemporaries])
          i->to = kNone;
        else
          read[i->to - Program::kTemporaries] = false;
      }
      mark(i->constants & 1, i->a), mark(i->constants & 2, i->b);
    }
  }

  std::uint16_t take_place() {
    auto free = std::find(places_.begin(), places_.end(), false);
    if (free == places_.end()) {
      if (places_.size() == Program::kMostTemporaries)
        throw usage_error("the equations need more than " + std::to_string(places_.size()) + " values at a time", {},
                          "Cut the model in simpler ones.");
      free = places_.insert(free, false);
    }
    *free = true;
    return static_cast<std::uint16_t>(Program::kTemporaries + (free - places_.begin()));
  }
  void use(Id id) {
    if (--uses_[id] == 0 && place_[id] != kNone && place_[id] >= Program::kTemporaries) {
      places_[place_[id] - Program::kTemporaries] = false;
      place_[id] = kNone;
    }
  }
  bool in_memory(Id id) const {
    const Kind k = all_.node(id).kind;
    return k == Kind::constant || k == Kind::state || k == Kind::current || place_[id] != kNone;
  }
  Operand operand(Id id) {
    const auto& n = all_.node(id);
    Operand o{n.kind == Kind::constant, 0};
    if (n.kind == Kind::constant)
      o.at = constant(n.value);
    else if (n.kind == Kind::state)
      o.at = static_cast<std::uint16_t>(n.value);
    else
      o.at = n.kind == Kind::current ? Program::kCurrent : place_[id];
    use(id);
    return o;
  }
  std::uint16_t constant(double value) {
    auto& all = program_.constants;
    const auto bits = [](double c) { return std::bit_cast<std::uint64_t>(c); };
    const auto at = std::find_if(all.begin(), all.end(), [&](double c) { return bits(c) == bits(value); });
    const auto index = static_cast<std::uint16_t>(at - all.begin());
    if (at == all.end()) all.push_back(value);
    return index;
  }

  void emit(Op op, Operand a = {}, Operand b = {}) {
    const auto constants = static_cast<std::uint8_t>((a.constant ? 1 : 0) | (b.constant ? 2 : 0));
    program_.code.push_back({.op = op, .constants = constants, .a = a.at, .b = b.at});
  }
  void store(std::uint16_t to) {
    if (program_.code.empty() || program_.code.back().to != kNone) emit(Op::same);
    program_.code.back().to = to;
  }
  // Into memory, where it has to be for an operand.
  void keep(Id id) {
    if (in_memory(id)) return;
    compute(id);
    if (in_memory(id)) return;
    place_[id] = take_place();
    store(place_[id]);
  }

  // Into the accumulator. stored: by who calls.
  void compute(Id id, bool stored = false) {
    if (x_ == id) return;
    if (in_memory(id)) {
      ++uses_[id];  // reading it is none of the uses that are counted
      emit(Op::load, operand(id));
      x_ = id;
      return;
    }
    operate(id);
    x_ = id;
    if (uses_[id] > 1 && !stored) {
      place_[id] = take_place();
      store(place_[id]);
    }
  }
  void operate(Id id) {
    const auto& n = all_.node(id);
    if (const Function* f = function(n.kind)) {
      compute(n.a), use(n.a);
      return emit(f->op);
    }
    switch (n.kind) {
      case Kind::input:
        return emit(Op::input, {false, static_cast<std::uint16_t>(n.value)});
      case Kind::fired:
        return emit(Op::fired);
      case Kind::truth:  // 0 > 0, or 0 >= 0
        emit(Op::load, {true, constant(0)});
        return emit(n.value != 0 ? Op::ge : Op::gt, {true, constant(0)});
      case Kind::choose:
        return choose(n);
      default:
        if (fused(n)) return;
        for (const Binary& b : binaries)
          if (b.kind == n.kind) return binary(n, b);
    }
  }
  // Which of two is computed first: what holds back fewer values.
  bool deeper(Id a, Id b) const { return all_.node(a).depth > all_.node(b).depth; }
  void binary(const Expressions::Node& n, const Binary& op) {
    bool right = x_ != n.b && in_memory(n.b);
    if (!right && !in_memory(n.a)) right = deeper(n.b, n.a), keep(right ? n.b : n.a);
    const Id first = right ? n.a : n.b, second = right ? n.b : n.a;
    compute(first), use(first);
    emit(right ? op.right : op.left, operand(second));
  }
  bool once(Id id) const { return all_.node(id).kind == Kind::mul && uses_[id] == 1 && place_[id] == kNone && x_ != id; }
  // A product that is added to something, or taken from it, needs no place of its own.
  bool fused(const Expressions::Node& n) {
    if (n.kind != Kind::add && n.kind != Kind::sub) return false;
    const bool right = once(n.b);
    if (!right && !once(n.a)) return false;
    const Id product = right ? n.b : n.a, other = right ? n.a : n.b;
    Id p = all_.node(product).a, q = all_.node(product).b;
    const bool less = n.kind == Kind::sub;
    if (in_memory(p) && in_memory(q) && (!less || right)) {
      compute(other), use(other), use(product);
      const Operand a = operand(p), b = operand(q);
      emit(less ? Op::mul_less : Op::mul_add, a, b);
      return true;
    }
    if (!in_memory(q) && (in_memory(p) || deeper(p, q))) std::swap(p, q);
    if (deeper(other, q)) keep(other);
    keep(q), keep(other);
    compute(p), use(p), use(product);
    const Operand a = operand(q), b = operand(other);
    emit(!less ? Op::scale_add : right ? Op::scale_from : Op::scale_sub, a, b);
    return true;
  }
  void choose(const Expressions::Node& n) {
    if (all_.node(n.a).kind == Kind::awake) {
      keep(n.c);
      compute(n.b), use(n.b), use(n.a);
      return emit(Op::hold, operand(n.c));
    }
    if (in_memory(n.b) && in_memory(n.c)) {
      compute(n.a), use(n.a);
      const Operand b = operand(n.b), c = operand(n.c);
      return emit(Op::choose, b, c);
    }
    keep(n.a);
    const bool first = !in_memory(n.b);
    const Id mine = first ? n.b : n.c, other = first ? n.c : n.b;
    keep(other);
    compute(mine), use(mine);
    const Operand a = operand(n.a), b = operand(other);
    emit(first ? Op::keep : Op::unless, a, b);
  }

  const Expressions& all_;
  Program program_;
  std::vector<std::uint32_t> uses_;   // still to come
  std::vector<std::uint16_t> place_;  // where a node is kept
  std::vector<bool> places_;          // which temporary places are taken
  Id x_ = kNothing;                   // what is in the accumulator
};

}  // namespace

Program compile(const Expressions& all, const std::vector<Root>& roots, const std::vector<Root>& reset, int states) {
  return Compiler(all, states).compile(roots, reset);
}

}  // namespace apical::brain
