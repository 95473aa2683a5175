#include "apical/brain/equations.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "apical/base/error.h"
#include "apical/base/named.h"
#include "apical/base/text.h"
#include "apical/brain/equation_text.h"

namespace apical::brain {
namespace {

using Id = Expressions::Id;
using Kind = Expressions::Kind;
using Name = EquationText::Name;
using Matrix = std::vector<std::vector<double>>;

double scaled(double value, int ten) { return ten >= 0 ? value * std::pow(10.0, ten) : value / std::pow(10.0, -ten); }

double norm(const Matrix& m) {
  double largest = 0;
  for (const auto& row : m) {
    double sum = 0;
    for (const double x : row) sum += std::fabs(x);
    largest = std::max(largest, sum);
  }
  return largest;
}

// exp(m) by squaring, and Taylor's polynomial of a matrix of norm 1/2 or less.
Matrix exponential(Matrix m) {
  const std::size_t n = m.size();
  const int halvings = static_cast<int>(std::ceil(std::log2(std::max(norm(m), 0.5) / 0.5)));
  for (auto& row : m)
    for (double& x : row) x = std::ldexp(x, -halvings);
  const auto product = [n](const Matrix& a, const Matrix& b) {
    Matrix c(n, std::vector<double>(n));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t j = 0; a[i][k] != 0 && j < n; ++j) c[i][j] += a[i][k] * b[k][j];
    return c;
  };
  // e = exp(m) - 1: what is added to 1 keeps its digits. (1 + e)^2 = 1 + 2 e + e^2
  Matrix e(n, std::vector<double>(n)), term = m;
  for (int k = 2; k <= 18; ++k) {
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) e[i][j] += term[i][j];
    term = product(term, m);
    for (auto& row : term)
      for (double& x : row) x /= k;
  }
  for (int k = 0; k < halvings; ++k) {
    const Matrix square = product(e, e);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) e[i][j] += e[i][j] + square[i][j];
  }
  for (std::size_t i = 0; i < n; ++i) e[i][i] += 1;
  return e;
}

// A step of the clock, put together from the text and the values of parameters.
class Maker {
 public:
  Maker(const EquationText& text, const Equations& equations, const ModelInfo& info, const Parameters& given, double dt)
      : t_(text), equations_(equations), info_(info), given_(given), dt_(dt) {}

  Model make() {
    Model m{.name = info_.name,
            .step = {},
            .E_L = 0,
            .V_m = 0,
            .ports = t_.ports,
            .states = 0,
            .variables = {},
            .variable_state = {},
            .start = {}};
    parameters(m);
    starts(m);
    kernels::Program program = step(m);
    program.refractory = refractory_;
    m.step = std::move(program);
    subexpressions(m);
    m.takes_spikes = t_.weight >= 0, m.takes_current = t_.current >= 0;
    m.tau_minus = trace("tau_minus", m.tau_minus), m.tau_minus_triplet = trace("tau_minus_triplet", m.tau_minus_triplet);
    return m;
  }

 private:
  using Moment = std::vector<Id>;  // what names stand for: states as they are then, constants, and what is made of them

  const Name& name(int i) const { return t_.names[static_cast<std::size_t>(i)]; }
  Id as_number(Id stored, int ten) { return ten == 0 ? stored : ex_.mul(ex_.constant(scaled(1, ten)), stored); }
  Id as_stored(Id number, int ten) { return ten == 0 ? number : ex_.mul(ex_.constant(scaled(1, -ten)), number); }

  double trace(const char* name, double standard) const {
    const auto i = given_.find(name);
    if (i == given_.end()) return standard;
    if (!i->second.constant() || !(i->second.a > 0)) throw usage_error(std::string(name) + " must be a positive number", info_.name);
    return i->second.a;
  }

  // Constants, and parameters that are drawn: states without an equation.
  void parameters(Model& m) {
    for (const auto& [key, value] : given_) {
      named(info_.parameters, key, info_.name + " has no parameter");
      if (value.kind == Value::Kind::list) throw usage_error(key + " is one number, not a list", info_.name);
      value.check(key);
    }
    constants_.resize(t_.names.size());
    states_ = t_.states;
    for (int i = 0; i < t_.states; ++i) m.variables.push_back(name(i).name), m.variable_state.push_back(i);
    m.start.resize(static_cast<std::size_t>(states_), Value(0));
    for (std::size_t i = 0; i < t_.names.size(); ++i) {
      const Name& n = t_.names[i];
      if (n.kind != Name::Kind::parameter) continue;
      const auto value = given_.find(n.name);
      if (value == given_.end() && !n.standard)
        throw usage_error(
            "parameter '" + n.name + "' has no value", info_.name,
            "Give it with the others, or in the text: " + n.name + " = 1 " + n.unit + " : " + (n.unit.empty() ? "1" : n.unit));
      if (value == given_.end() || value->second.constant()) {
        constants_[i] = ex_.constant(scaled(value == given_.end() ? *n.standard : value->second.a, n.ten));
        continue;
      }
      if (states_ == kernels::Program::kMostStates) throw usage_error("too many parameters are drawn", info_.name);
      m.variables.push_back(n.name), m.variable_state.push_back(states_);
      m.start.push_back(value->second);
      constants_[i] = as_number(ex_.state(states_++), n.ten);
    }
    m.states = states_;
  }

  // Where neurons start: by the text, by what is given.
  void starts(Model& m) {
    std::vector<Id> zeros(static_cast<std::size_t>(t_.states), ex_.constant(0));
    Moment now = moment(zeros, ex_.constant(0));
    for (const auto& s : t_.initial) {
      if (given_.count(name(s.name).name)) continue;
      const Id stored = as_stored(value(now, s.node), name(s.name).ten);
      const auto number = ex_.value(stored);
      if (!number || !std::isfinite(*number))
        throw usage_error("'" + name(s.name).name + "' does not start at a number", info_.name + ": initial",
                          "Only constants can stand here.");
      m.start[static_cast<std::size_t>(s.name)] = *number;
      zeros[static_cast<std::size_t>(s.name)] = stored;
      now = moment(zeros, ex_.constant(0));
    }
    for (int i = 0; i < t_.states; ++i)
      if (const auto g = given_.find(name(i).name); g != given_.end()) m.start[static_cast<std::size_t>(i)] = g->second;
    m.V_m = m.start[0];
  }

  // `stored`: states as they lie in memory.
  Moment moment(const std::vector<Id>& stored, Id current, Id weight = 0) {
    Moment m = constants_;
    for (int i = 0; i < t_.states; ++i) m[static_cast<std::size_t>(i)] = as_number(stored[static_cast<std::size_t>(i)], name(i).ten);
    if (t_.current >= 0) m[static_cast<std::size_t>(t_.current)] = current;
    if (t_.weight >= 0) m[static_cast<std::size_t>(t_.weight)] = as_number(weight, name(t_.weight).ten);
    for (const int i : t_.order) m[static_cast<std::size_t>(i)] = value(m, name(i).node);
    return m;
  }
  Id value(const Moment& m, int index) {
    const EquationText::Node& n = t_.nodes[static_cast<std::size_t>(index)];
    switch (n.kind) {
      case EquationText::Node::Kind::number:
        return ex_.constant(n.value);
      case EquationText::Node::Kind::name:
        return m[static_cast<std::size_t>(n.name)];
      case EquationText::Node::Kind::power:
        return ex_.power(value(m, n.a), static_cast<int>(n.value));
      default:
        break;
    }
    const Id a = value(m, n.a), b = n.b < 0 ? 0 : value(m, n.b), c = n.c < 0 ? 0 : value(m, n.c);
    return ex_.make(n.operation, a, b, c);
  }
  // Of what is stored, in a ms.
  std::vector<Id> derivatives(const std::vector<Id>& stored, Id current) {
    const Moment m = moment(stored, current);
    std::vector<Id> all;
    for (int i = 0; i < t_.states; ++i) all.push_back(as_stored(value(m, name(i).node), name(i).ten));
    return all;
  }

  kernels::Program step(Model& m) {
    for (int i = 0; i < t_.states; ++i) old_.push_back(ex_.state(i));
    if (t_.refractory >= 0) {
      const auto t_ref = ex_.value(value(moment(old_, ex_.current()), t_.refractory));
      if (!t_ref)
        throw usage_error("the refractory time is the same for all neurons of a population", info_.name, "Only constants can stand here.");
      refractory_ = whole_steps(*t_ref, "t_ref", dt_);
    }
    awake_ = refractory_ > 0 ? ex_.awake() : ex_.truth(true);

    std::vector<Id> now = integrate(m);
    for (int port = 0; port < t_.ports; ++port) arrive(now, port);
    std::vector<Root> roots = stores(now, true);
    const Id fires = t_.threshold >= 0 ? value(moment(now, ex_.current()), t_.threshold) : ex_.truth(false);
    // While what is compared is at hand, where nothing that follows asks who is awake.
    auto at = std::find_if(roots.begin(), roots.end(), [&](const Root& r) { return r.node == ex_.node(fires).a; });
    if (at != roots.end()) ++at;
    if (std::any_of(at, roots.end(), [&](const Root& r) { return ex_.depends(r.node, ex_.awake()); })) at = roots.end();
    roots.insert(at, {Root::Kind::fire, fires});
    std::vector<Id> after = old_;  // as they are stored by now
    for (const auto& s : t_.reset)
      after[static_cast<std::size_t>(s.name)] = as_stored(value(moment(after, ex_.current()), s.node), name(s.name).ten);
    for (std::size_t i = 0; i < after.size(); ++i) after[i] = ex_.make(Kind::choose, ex_.fired(), after[i], old_[i]);
    return compile(ex_, roots, stores(after, false), states_);
  }
  // Of new values of the states.
  std::vector<Root> stores(const std::vector<Id>& now, bool check) const {
    std::vector<Root> roots;
    std::vector<std::size_t> rest(now.size());
    std::iota(rest.begin(), rest.end(), std::size_t{0});
    while (!rest.empty()) {  // first those whose value of before no other one needs: they can be stored at once
      const auto needed = [&](std::size_t i) {
        return std::any_of(rest.begin(), rest.end(), [&](std::size_t j) { return i != j && ex_.depends(now[j], old_[i]); });
      };
      auto next = std::find_if_not(rest.begin(), rest.end(), needed);
      if (next == rest.end()) next = rest.begin();
      const std::size_t i = *next;
      rest.erase(next);
      if (now[i] != old_[i])
        roots.push_back({Root::Kind::store, now[i], static_cast<int>(i), check});
      else if (check)
        roots.push_back({Root::Kind::check, now[i]});
    }
    return roots;
  }

  void arrive(std::vector<Id>& now, int port) {
    const std::uint64_t drawn = (std::uint64_t{1} << states_) - (std::uint64_t{1} << t_.states);
    for (const auto& s : t_.arrive[port]) {
      const auto i = static_cast<std::size_t>(s.name);
      const int added = t_.nodes[static_cast<std::size_t>(s.node)].b;
      const auto slope = ex_.slope(value(moment(now, ex_.current(), ex_.input(port)), added), ex_.input(port));
      const Id nothing = value(moment(now, ex_.current(), ex_.constant(0)), added);
      if (!slope || (ex_.node(*slope).depends & ~drawn) != 0 || !ex_.is(nothing, 0))
        throw usage_error("what a spike adds to '" + name(s.name).name + "' must be its weight times a constant", info_.name,
                          "The weights of all spikes of a step are added up before.");
      const Id moved = as_stored(value(moment(now, ex_.current(), ex_.input(port)), s.node), name(s.name).ten);
      now[i] = name(s.name).held ? ex_.make(Kind::choose, awake_, moved, now[i]) : moved;
    }
  }

  // --- methods --------------------------------------------------------------------------------------------------------------
  std::vector<Id> integrate(Model& m) {
    const std::string& wanted = equations_.method;
    static const std::vector<std::string> known{"exact", "exponential_euler", "rk4", "euler"};
    if (!wanted.empty() && std::find(known.begin(), known.end(), wanted) == known.end())
      throw usage_error("no method is called '" + wanted + "'", info_.name, did_you_mean(wanted, known));
    for (const auto& method : known) {
      if (!wanted.empty() && wanted != method) continue;
      const auto now = method == "exact"               ? exact()
                       : method == "exponential_euler" ? exponential_euler()
                       : method == "rk4"               ? rk4()
                                                       : euler();
      if (!now) continue;
      m.method = method;
      return *now;
    }
    throw usage_error(
        "d" + culprit_ + "/dt is not linear in " + (wanted == "exact" ? "the variables, with constant coefficients" : culprit_), info_.name,
        "Without 'method' one is chosen that can do it.");
  }
  bool held(int i) const { return name(i).held && refractory_ > 0; }
  // The new value of a state, if it is not held.
  Id moved(int i, Id now) { return held(i) ? ex_.make(Kind::choose, awake_, now, old_[static_cast<std::size_t>(i)]) : now; }

  std::optional<std::vector<Id>> euler() {
    const auto f = derivatives(old_, ex_.current());
    std::vector<Id> now;
    for (int i = 0; i < t_.states; ++i) {
      const auto k = static_cast<std::size_t>(i);
      now.push_back(moved(i, ex_.add(old_[k], ex_.mul(ex_.constant(dt_), f[k]))));
    }
    return now;
  }

  // x' = a - b x with a and b as at the start of the step: x += x' (1 - exp(-b dt))/b.
  std::optional<std::vector<Id>> exponential_euler() {
    const auto f = derivatives(old_, ex_.current());
    std::vector<Id> now;
    for (int i = 0; i < t_.states; ++i) {
      const auto k = static_cast<std::size_t>(i);
      const auto slope = ex_.slope(f[k], old_[k]);
      if (!slope) return culprit_ = name(i).name, std::nullopt;
      const Id weight = ex_.mul(ex_.constant(dt_), ex_.make(Kind::exprel, ex_.mul(ex_.constant(dt_), *slope)));
      now.push_back(moved(i, ex_.add(old_[k], ex_.mul(weight, f[k]))));
    }
    return now;
  }

  std::optional<std::vector<Id>> rk4() {
    std::vector<Id> at = old_, sum;
    static constexpr double share[] = {0.5, 0.5, 1}, weight[] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
    for (int stage = 0; stage < 4; ++stage) {
      auto f = derivatives(at, ex_.current());
      for (int i = 0; i < t_.states; ++i) {
        const auto k = static_cast<std::size_t>(i);
        if (held(i)) f[k] = ex_.make(Kind::choose, awake_, f[k], ex_.constant(0));
        const Id part = ex_.mul(ex_.constant(dt_ * weight[stage]), f[k]);
        if (stage == 0)
          sum.push_back(part);
        else
          sum[k] = ex_.add(sum[k], part);
        if (stage < 3) at[k] = ex_.add(old_[k], ex_.mul(ex_.constant(dt_ * share[stage]), f[k]));
      }
    }
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] = ex_.add(old_[k], sum[k]);
    return sum;
  }

  // x' = B x + d I + c with constant coefficients: the exponential of the matrix of (x, I, 1). One for neurons that rest, too, whose held
  // variables do not move.
  std::optional<std::vector<Id>> exact() {
    const auto f = derivatives(old_, ex_.current());
    const auto n = static_cast<std::size_t>(states_), all = n + 2;
    const auto constants = constants_;
    for (Id& id : constants_)
      if (!ex_.value(id)) id = ex_.constant(0);  // drawn
    const auto c = derivatives(std::vector<Id>(old_.size(), ex_.constant(0)), ex_.constant(0));
    constants_ = constants;
    Matrix B(all, std::vector<double>(all));
    for (std::size_t i = 0; i < f.size(); ++i) {
      culprit_ = name(static_cast<int>(i)).name;
      for (std::size_t j = 0; j < all; ++j) {
        const auto slope = j == n + 1 ? std::optional(c[i]) : ex_.slope(f[i], j < n ? ex_.state(static_cast<int>(j)) : ex_.current());
        const auto number = slope ? ex_.value(*slope) : std::nullopt;
        if (!number || !std::isfinite(*number)) return std::nullopt;
        B[i][j] = *number * dt_;
      }
    }
    if (norm(B) > 1e6) return std::nullopt;  // time constants of a millionth of a step
    const Matrix E = exponential(B);
    Matrix resting = B;
    std::vector<bool> other(f.size());  // moves otherwise while the neuron rests
    for (std::size_t i = 0; i < f.size(); ++i)
      if (held(static_cast<int>(i))) other[i] = true, std::fill(resting[i].begin(), resting[i].end(), 0.0);
    for (std::size_t round = 0; round < f.size(); ++round)
      for (std::size_t i = 0; i < f.size(); ++i)
        for (std::size_t j = 0; j < f.size(); ++j)
          if (B[i][j] != 0 && other[j]) other[i] = true;
    const Matrix R = std::find(other.begin(), other.end(), true) == other.end() ? E : exponential(resting);
    const auto row = [&](const std::vector<double>& of) {
      Id sum = ex_.constant(of[n + 1]);
      for (std::size_t j = n + 1; j-- > 0;)
        sum = ex_.add(sum, ex_.mul(ex_.constant(of[j]), j < n ? ex_.state(static_cast<int>(j)) : ex_.current()));
      return sum;
    };
    std::vector<Id> now;
    for (std::size_t i = 0; i < f.size(); ++i) {
      const Id awake = row(E[i]);
      now.push_back(other[i] ? ex_.make(Kind::choose, awake_, awake, held(static_cast<int>(i)) ? old_[i] : row(R[i])) : awake);
    }
    return now;
  }

  void subexpressions(Model& m) {
    const Moment now = moment(old_, ex_.current());
    for (const int i : t_.order) {
      const Id out = as_stored(now[static_cast<std::size_t>(i)], name(i).ten);
      m.variables.push_back(name(i).name), m.variable_state.push_back(m.states + static_cast<int>(m.computed.size()));
      m.computed.push_back(compile(ex_, {{Root::Kind::out, out}}, {}, states_));
    }
  }

  const EquationText& t_;
  const Equations& equations_;
  const ModelInfo& info_;
  const Parameters& given_;
  double dt_, refractory_ = 0;
  Expressions ex_;
  std::vector<Id> constants_, old_;
  Id awake_ = 0;
  int states_ = 0;
  std::string culprit_;
};

ModelInfo information(const Equations& e, const EquationText& text) {
  ModelInfo info{.name = e.name, .text = "equations", .parameters = {}, .weight_unit = "", .equations = e.equations};
  for (const Name& n : text.names) {
    if (n.kind == Name::Kind::state) info.parameters.push_back({n.name, n.unit, "where it starts", 0});
    if (n.kind == Name::Kind::parameter)
      info.parameters.push_back({n.name, n.unit, "parameter", n.standard.value_or(std::numeric_limits<double>::quiet_NaN())});
  }
  if (text.weight >= 0) info.weight_unit = text.names[static_cast<std::size_t>(text.weight)].unit;
  const auto trace = [&](const char* name, const char* what, double standard) {
    const bool taken = std::any_of(text.names.begin(), text.names.end(), [&](const Name& n) { return n.name == name; });
    if (!taken) info.parameters.push_back({name, "ms", what, standard});
  };
  trace("tau_minus", "time constant of the trace of its spikes that STDP reads", 20);
  trace("tau_minus_triplet", "the same of stdp_triplet_synapse's slower trace", 110);
  return info;
}

}  // namespace

EquationModel::EquationModel(const Equations& equations)
    : equations_(equations), text_(std::make_shared<EquationText>(parse_equations(equations))), info_(information(equations, *text_)) {}

Model EquationModel::make(const Parameters& parameters, double dt) const { return Maker(*text_, equations_, info_, parameters, dt).make(); }

}  // namespace apical::brain
