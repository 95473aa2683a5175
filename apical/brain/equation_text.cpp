#include "apical/brain/equation_text.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::brain {
namespace {

using Kind = Expressions::Kind;
using Node = EquationText::Node;
using Name = EquationText::Name;
using Powers = std::array<int, 6>;

constexpr std::size_t kMostText = 65536, kMostNodes = 4000, kMostNames = 500;
constexpr int kMostDepth = 100, kMostPower = 64;

// What 1 mV, 1 ms, 1 pA, 1 nS, 1 pF, 1 mM are made of has this power of ten in SI base units.
int own_ten(const Unit& u) { return -24 * u.powers[0] - 3 * u.powers[2] - 12 * u.powers[3]; }
double scaled(double value, int ten) { return ten >= 0 ? value * std::pow(10.0, ten) : value / std::pow(10.0, -ten); }

Unit times(const Unit& a, const Unit& b, int sign) {
  Unit u = a;
  for (std::size_t i = 0; i < u.powers.size(); ++i) u.powers[i] += sign * b.powers[i];
  return u;
}
bool plain(const Unit& u) { return u.powers == Powers{}; }

// In the words of the field where there are some.
std::string in_words(const Unit& u) {
  if (plain(u)) return "a plain number";
  static const char* const known[] = {"mV", "ms", "pA", "nS", "pF", "GOhm", "1/ms", "mM", "um", "pC"};
  const auto is = [&](const std::string& text) { return parse_unit(text)->same_kind(u); };
  for (const std::string one : known)
    if (is(one)) return one;
  for (const std::string one : known)
    for (const std::string two : known)
      for (const std::string& text : {one + "/" + two, one + "*" + two, "1/" + one + "/" + two})
        if (one != "1/ms" && two != "1/ms" && is(text)) return text;
  static const char* const base[] = {"kg", "m", "s", "A", "mol", "K"};
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < u.powers.size(); ++i)
    if (u.powers[i] != 0) parts.push_back(u.powers[i] == 1 ? base[i] : std::string(base[i]) + "^" + std::to_string(u.powers[i]));
  return join(parts, " ");
}

// One of the texts, e.g. the threshold, in tokens. A newline inside of brackets is a blank.
struct Token {
  enum class Kind : std::uint8_t { number, name, symbol, line, end } kind;
  std::size_t begin, end;
};
struct Source {
  std::string name;
  const std::string& text;
  std::vector<Token> tokens{};

  [[noreturn]] void fail(std::size_t begin, std::size_t end, const std::string& what, const std::string& hint = {}) const {
    begin = std::min(begin, text.size());
    const auto line_begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) == std::string::npos ? 0 : text.rfind('\n', begin - 1) + 1;
    const auto line_end = std::min(text.find('\n', begin), text.size());
    const auto line_number = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n');
    const std::size_t from = begin - line_begin > 100 ? begin - 60 : line_begin;  // of long lines a part
    std::string shown = text.substr(from, std::min<std::size_t>(line_end - from, 150)), below;
    for (char& c : shown)
      if (static_cast<unsigned char>(c) < ' ') c = ' ';
    for (std::size_t i = from; i < begin; ++i)
      if ((text[i] & 0xc0) != 0x80) below += ' ';  // one for each character
    below += std::string(std::clamp<std::size_t>(std::min(end, line_end) - std::min(begin, line_end), 1, 80), '^');
    throw usage_error(what + "\n  " + shown + "\n  " + below + "\n",
                      name + ", line " + std::to_string(line_number) + ", column " + std::to_string(begin - line_begin + 1), hint);
  }
  [[noreturn]] void fail(const Token& t, const std::string& what, const std::string& hint = {}) const { fail(t.begin, t.end, what, hint); }

  std::string word(const Token& t) const { return text.substr(t.begin, t.end - t.begin); }
  bool is(std::size_t i, std::string_view symbol) const {
    const Token& t = tokens[i];
    return t.kind != Token::Kind::number && t.end - t.begin == symbol.size() && text.compare(t.begin, symbol.size(), symbol) == 0;
  }

  void read() {
    if (text.size() > kMostText) throw usage_error("the text is too long", name + ": " + bytes_text(static_cast<double>(text.size())));
    const auto letter = [](unsigned char c) { return std::isalpha(c) || c == '_' || c >= 0x80; };
    int brackets = 0;
    for (std::size_t i = 0; i < text.size();) {
      const auto c = static_cast<unsigned char>(text[i]);
      const std::size_t begin = i;
      if (c == ' ' || c == '\t' || c == '\r') {
        ++i;
      } else if (c == '#') {
        i = std::min(text.find('\n', i), text.size());
      } else if (c == '\n' || c == ';') {
        ++i;
        if (brackets == 0) tokens.push_back({Token::Kind::line, begin, i});
      } else if (std::isdigit(c) || (c == '.' && i + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[i + 1])))) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), value);
        i = static_cast<std::size_t>(end - text.data());
        if (error != std::errc()) fail(begin, i, "this is no number that can be had");
        tokens.push_back({Token::Kind::number, begin, i});
      } else if (letter(c)) {
        while (i < text.size() && (letter(static_cast<unsigned char>(text[i])) || std::isdigit(static_cast<unsigned char>(text[i])))) ++i;
        tokens.push_back({Token::Kind::name, begin, i});
      } else {
        static const char* const symbols[] = {"**", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=", "&&", "||", "+",
                                              "-",  "*",  "/",  "^",  "(",  ")",  ",",  "<",  ">",  "=",  ":"};
        const auto s = std::find_if(std::begin(symbols), std::end(symbols),
                                    [&](const char* x) { return text.compare(i, std::char_traits<char>::length(x), x) == 0; });
        if (s == std::end(symbols)) fail(begin, begin + 1, "this is no sign of the language");
        i += std::char_traits<char>::length(*s);
        brackets += (c == '(') - (c == ')');
        tokens.push_back({Token::Kind::symbol, begin, i});
      }
    }
    tokens.push_back({Token::Kind::end, text.size(), text.size()});
  }
};

struct Function {
  const char* name;
  int arguments;
  Kind kind;
};
// Of plain numbers; the others are in Parser::call().
constexpr Function functions[] = {{"exp", 1, Kind::exp}, {"log", 1, Kind::log}, {"expm1", 1, Kind::expm1}, {"exprel", 1, Kind::exprel},
                                  {"sin", 1, Kind::sin}, {"cos", 1, Kind::cos}, {"tanh", 1, Kind::tanh},   {"sqrt", 1, Kind::sqrt},
                                  {"abs", 1, Kind::abs}, {"min", 2, Kind::min}, {"max", 2, Kind::max},     {"clip", 3, Kind::choose},
                                  {"pow", 2, Kind::mul}, {"int", 1, Kind::no},  {"where", 3, Kind::choose}};

// Expressions of one source.
class Parser {
 public:
  Parser(EquationText& all, const Source& source) : all_(all), s_(source) {}
  std::size_t at = 0;  ///< the token that is next

  const Token& next() const { return s_.tokens[at]; }
  bool take(std::string_view symbol) {
    if (!s_.is(at, symbol)) return false;
    ++at;
    return true;
  }
  bool ends() const { return next().kind == Token::Kind::line || next().kind == Token::Kind::end; }
  void expect_end(const char* what) const {
    if (!ends()) s_.fail(next(), std::string("this does not belong to ") + what);
  }

  int expression() { return either(); }
  // A number, of this unit.
  int number_of(const Unit& unit, const std::string& left) {
    const Token first = next();
    const int node = expression();
    const Node& n = all_.nodes[static_cast<std::size_t>(node)];
    if (n.condition) fail_from(first, "a number is needed here, not a condition");
    if (!n.any_unit && !n.unit.same_kind(unit))
      fail_from(first, "units differ: " + left + " is " + in_words(unit) + ", the right side is " + in_words(n.unit));
    return node;
  }
  int condition() {
    const Token first = next();
    const int node = expression();
    if (!all_.nodes[static_cast<std::size_t>(node)].condition) fail_from(first, "a condition is needed here, e.g. v > V_th");
    return node;
  }
  int find(const std::string& name) const {
    for (std::size_t i = 0; i < all_.names.size(); ++i)
      if (all_.names[i].name == name) return static_cast<int>(i);
    return -1;
  }
  [[noreturn]] void unknown(const Token& t) const {
    std::vector<std::string> known;
    for (const auto& n : all_.names) known.push_back(n.name);
    for (const auto& f : functions) known.emplace_back(f.name);
    known.emplace_back("I"), known.emplace_back("pi");
    const std::string near = nearest(s_.word(t), known);
    s_.fail(t, "unknown name '" + s_.word(t) + "'",
            near.empty() ? "A line such as '" + s_.word(t) + " : mV' makes it a parameter." : "Did you mean '" + near + "'?");
  }

 private:
  [[noreturn]] void fail_from(const Token& first, const std::string& what, const std::string& hint = {}) const {
    s_.fail(first.begin, s_.tokens[at - 1].end, what, hint);
  }
  const Node& node(int i) const { return all_.nodes[static_cast<std::size_t>(i)]; }
  int put(Node n) {
    if (all_.nodes.size() >= kMostNodes) s_.fail(s_.tokens[at ? at - 1 : 0], "the equations are too long");
    all_.nodes.push_back(n);
    return static_cast<int>(all_.nodes.size() - 1);
  }
  int number(double value, Unit unit = {}) {
    return put({.kind = Node::Kind::number, .value = value, .unit = unit, .any_unit = value == 0 && plain(unit)});
  }
  bool is_number(int i) const { return node(i).kind == Node::Kind::number; }
  int operation(Kind kind, Unit unit, int a, int b = -1, int c = -1) {
    const bool condition =
        kind == Kind::gt || kind == Kind::ge || kind == Kind::eq || kind == Kind::both || kind == Kind::either || kind == Kind::no;
    return put({.kind = Node::Kind::operation, .operation = kind, .a = a, .b = b, .c = c, .unit = unit, .condition = condition});
  }

  struct Deeper {
    Parser& p;
    explicit Deeper(Parser& parser) : p(parser) {
      if (++p.depth_ > kMostDepth) p.s_.fail(p.next(), "brackets and signs are nested too deeply");
    }
    ~Deeper() { --p.depth_; }
  };

  void need_condition(int i, const Token& first) const {
    if (!node(i).condition) fail_from(first, "a condition is needed here, e.g. v > V_th");
  }
  void need_number(int i, const Token& first) const {
    if (node(i).condition) fail_from(first, "a number is needed here, not a condition", "int(...) makes 1 or 0 of it.");
  }
  void need_plain(int i, const Token& first, const std::string& what) const {
    need_number(i, first);
    if (!node(i).any_unit && !plain(node(i).unit)) fail_from(first, what + " must be a plain number, not " + in_words(node(i).unit));
  }
  // The unit that two numbers have in common.
  Unit common(int a, int b, const Token& first, const char* what) const {
    need_number(a, first), need_number(b, first);
    if (node(a).any_unit) return node(b).unit;
    if (!node(b).any_unit && !node(a).unit.same_kind(node(b).unit))
      fail_from(first, "units differ: " + in_words(node(a).unit) + " " + what + " " + in_words(node(b).unit));
    return node(a).unit;
  }

  int either() {
    const Deeper deeper(*this);
    const Token first = next();
    int a = both();
    while (take("or") || take("||")) {
      const Token second = next();
      const int b = both();
      need_condition(a, first), need_condition(b, second);
      a = operation(Kind::either, {}, a, b);
    }
    return a;
  }
  int both() {
    const Token first = next();
    int a = no();
    while (take("and") || take("&&")) {
      const Token second = next();
      const int b = no();
      need_condition(a, first), need_condition(b, second);
      a = operation(Kind::both, {}, a, b);
    }
    return a;
  }
  int no() {
    if (!s_.is(at, "not")) return comparison();
    const Deeper deeper(*this);
    ++at;
    const Token first = next();
    const int a = no();
    need_condition(a, first);
    return operation(Kind::no, {}, a);
  }
  int comparison() {
    const Token first = next();
    const int a = sum();
    static constexpr struct {
      const char* sign;
      Kind kind;
      bool swapped, negated;
    } all[] = {{"<", Kind::gt, true, false},   {">", Kind::gt, false, false},  {"<=", Kind::ge, true, false},
               {">=", Kind::ge, false, false}, {"==", Kind::eq, false, false}, {"!=", Kind::eq, false, true}};
    for (const auto& c : all) {
      if (!take(c.sign)) continue;
      const int b = sum();
      common(a, b, first, c.sign);
      const int result = c.swapped ? operation(c.kind, {}, b, a) : operation(c.kind, {}, a, b);
      return c.negated ? operation(Kind::no, {}, result) : result;
    }
    return a;
  }
  int sum() {
    const Token first = next();
    int a = product();
    for (;;) {
      const bool plus = s_.is(at, "+");
      if (!plus && !s_.is(at, "-")) return a;
      ++at;
      const int b = product();
      const Unit unit = common(a, b, first, plus ? "+" : "-");
      a = operation(plus ? Kind::add : Kind::sub, unit, a, b);
    }
  }
  int product() {
    const Token first = next();
    int a = sign();
    for (;;) {
      const bool mul = s_.is(at, "*");
      if (!mul && !s_.is(at, "/")) return a;
      ++at;
      const Token second = next();
      const int b = sign();
      need_number(a, first), need_number(b, second);
      const Unit unit = times(node(a).unit, node(b).unit, mul ? 1 : -1);
      check_powers(unit, first);
      const bool zero = node(a).any_unit || (mul && node(b).any_unit);
      if (is_number(a) && is_number(b))
        a = number(mul ? node(a).value * node(b).value : node(a).value / node(b).value, unit);
      else
        a = operation(mul ? Kind::mul : Kind::div, unit, a, b);
      all_.nodes.back().any_unit = zero;
    }
  }
  void check_powers(const Unit& u, const Token& first) const {
    for (const int p : u.powers)
      if (p > 1000 || p < -1000) fail_from(first, "this is no unit of anything");
  }
  int sign() {
    const Deeper deeper(*this);
    if (take("+")) return sign();
    if (!s_.is(at, "-")) return power();
    ++at;
    const Token first = next();
    const int a = sign();
    need_number(a, first);
    if (is_number(a)) return number(-node(a).value, node(a).unit);
    return operation(Kind::sub, node(a).unit, number(0, node(a).unit), a);
  }
  int power() {
    const Token first = next();
    const int a = primary();
    if (!take("^") && !take("**")) return a;
    const Token second = next();
    const int b = sign();
    need_number(a, first);
    return raised(a, b, first, second);
  }
  int raised(int a, int b, const Token& first, const Token& second) {
    need_plain(b, second, "an exponent");
    const double n = node(b).value;
    if (is_number(b) && n == std::floor(n) && std::fabs(n) <= kMostPower) {
      Unit u;
      for (std::size_t i = 0; i < u.powers.size(); ++i) u.powers[i] = node(a).unit.powers[i] * static_cast<int>(n);
      check_powers(u, first);
      return put({.kind = Node::Kind::power, .value = n, .a = a, .unit = u});
    }
    need_plain(a, first, "what has an exponent that is no whole number");
    return operation(Kind::exp, {}, operation(Kind::mul, {}, b, operation(Kind::log, {}, a)));
  }

  int primary() {
    const Token t = next();
    if (t.kind == Token::Kind::number) return literal();
    if (take("(")) {
      const int a = expression();
      if (!take(")")) s_.fail(next(), "a ')' is missing");
      return a;
    }
    if (t.kind != Token::Kind::name) s_.fail(t, "a number, a name or '(' is needed here");
    ++at;
    const std::string word = s_.word(t);
    if (s_.is(at, "(")) return call(t, word);
    if (word == "w" && all_.weight >= 0) return of_name(all_.weight);
    if (const int i = find(word); i >= 0 && i != all_.weight) return of_name(i);
    if (word == "I") {
      all_.names.push_back({.kind = Name::Kind::current, .name = "I", .unit = "pA", .ten = 0, .powers = *parse_unit("pA")});
      return of_name(all_.current = static_cast<int>(all_.names.size() - 1));
    }
    if (word == "pi") return number(3.14159265358979323846);
    // One letter is rather a name that was forgotten than metres or grams.
    if (const auto u = word.size() > 1 ? parse_unit(word) : std::nullopt) return number(scaled(1, u->ten - own_ten(*u)), *u);
    unknown(t);
  }
  int of_name(int i) { return put({.kind = Node::Kind::name, .name = i, .unit = all_.names[static_cast<std::size_t>(i)].powers}); }
  // A number, and the unit that may follow it: 20 mV, 2 cm^2.
  int literal() {
    const Token t = next();
    const double value = as_number<double>(s_.word(t)).value_or(0);
    ++at;
    const Token unit = next();
    if (unit.kind != Token::Kind::name || s_.is(at, "and") || s_.is(at, "or")) return number(value);
    std::string text = s_.word(unit);
    ++at;
    if (s_.is(at, "^")) {
      std::size_t last = at + 1;
      if (s_.is(last, "-")) ++last;
      if (s_.tokens[last].kind == Token::Kind::number)
        text += s_.text.substr(next().begin, s_.tokens[last].end - next().begin), at = last + 1;
    }
    const auto u = parse_unit(text);
    if (!u) s_.fail(unit, "'" + text + "' is no unit", find(text) >= 0 ? "Write " + s_.word(t) + " * " + text + "." : "");
    return number(scaled(value, u->ten - own_ten(*u)), *u);
  }

  int call(const Token& t, const std::string& name) {
    const auto f = std::find_if(std::begin(functions), std::end(functions), [&](const Function& x) { return name == x.name; });
    if (f == std::end(functions)) {
      std::vector<std::string> known;
      for (const auto& x : functions) known.emplace_back(x.name);
      s_.fail(t, "no function is called '" + name + "'", did_you_mean(name, known));
    }
    ++at;
    int x[3] = {-1, -1, -1};
    Token first[3] = {t, t, t};
    for (int k = 0; k < f->arguments; ++k) {
      if (k > 0 && !take(",")) s_.fail(next(), "a ',' is missing: " + name + " takes " + std::to_string(f->arguments));
      first[k] = next();
      x[k] = expression();
    }
    if (!take(")")) s_.fail(next(), "a ')' is missing: " + name + " takes " + std::to_string(f->arguments));
    if (name == "where") {
      need_condition(x[0], first[0]);
      return operation(Kind::choose, common(x[1], x[2], first[1], "and"), x[0], x[1], x[2]);
    }
    if (name == "int") {
      need_condition(x[0], first[0]);
      return operation(Kind::choose, {}, x[0], number(1), number(0));
    }
    for (int k = 0; k < f->arguments; ++k) need_number(x[k], first[k]);
    if (name == "pow") return raised(x[0], x[1], first[0], first[1]);
    if (name == "min" || name == "max") return operation(f->kind, common(x[0], x[1], first[0], "and"), x[0], x[1]);
    if (name == "clip") {  // clip(x, low, high)
      const Unit unit = common(x[0], x[1], first[0], "and");
      const int low = operation(Kind::max, unit, x[0], x[1]);
      return operation(Kind::min, common(low, x[2], first[0], "and"), low, x[2]);
    }
    const Unit unit = node(x[0]).unit;
    if (name == "abs") return operation(f->kind, unit, x[0]);
    if (name == "sqrt") {
      Unit half;
      for (std::size_t i = 0; i < half.powers.size(); ++i) {
        if (unit.powers[i] % 2 != 0) fail_from(first[0], "the root of " + in_words(unit) + " is no unit");
        half.powers[i] = unit.powers[i] / 2;
      }
      return operation(f->kind, half, x[0]);
    }
    need_plain(x[0], first[0], "what " + name + " is of");
    return operation(f->kind, {}, x[0]);
  }

  EquationText& all_;
  const Source& s_;
  int depth_ = 0;
};

// The lines of the equations: names first, then what they are.
class Reader {
 public:
  explicit Reader(const Equations& text) : text_(text) {}

  EquationText read() {
    Source lines = source("equations", text_.equations);
    declare(lines);
    for (std::size_t i = 0; i < all_.names.size(); ++i) define(lines, i);
    order();
    if (!text_.threshold.empty()) {
      const Source s = source("threshold", text_.threshold);
      Parser p(all_, s);
      all_.threshold = (skip_lines(p), p.condition());
      skip_lines(p);
      if (p.next().kind != Token::Kind::end) s.fail(p.next(), "a threshold is one condition");
    }
    if (!text_.refractory.empty()) {
      const Source s = source("refractory", text_.refractory);
      Parser p(all_, s);
      all_.refractory = p.number_of(*parse_unit("ms"), "the refractory time");
      if (p.next().kind != Token::Kind::end) s.fail(p.next(), "a refractory time is one number");
    }
    all_.reset = statements("reset", text_.reset, false);
    all_.initial = statements("initial", text_.initial, false);
    arrivals();
    return std::move(all_);
  }

 private:
  static Source source(const char* name, const std::string& text) {
    Source s{name, text};
    s.read();
    return s;
  }
  static void skip_lines(Parser& p) {
    while (p.next().kind == Token::Kind::line) ++p.at;
  }

  struct Line {
    std::size_t expression = 0;  ///< token; 0: none
    std::size_t name = 0;
  };

  void declare(const Source& s) {
    std::vector<std::pair<Name, Line>> found;
    for (std::size_t at = 0; s.tokens[at].kind != Token::Kind::end;) {
      if (s.tokens[at].kind == Token::Kind::line) {
        ++at;
        continue;
      }
      const Token first = s.tokens[at];
      if (first.kind != Token::Kind::name)
        s.fail(first, "a line begins with dNAME/dt = , NAME = or NAME :", "Example: dv/dt = -v / tau : mV");
      Name n{.kind = Name::Kind::parameter, .name = s.word(first), .unit = {}, .ten = 0};
      Line line{.name = at++};
      if (s.is(at, "/")) {
        if (n.name.size() < 2 || n.name[0] != 'd' || !s.is(at + 1, "dt")) s.fail(first, "a derivative is written dNAME/dt");
        n.kind = Name::Kind::state, n.name.erase(0, 1), at += 2;
        if (!s.is(at, "=")) s.fail(s.tokens[at], "a '=' is missing");
      }
      if (s.is(at, "=")) {
        if (n.kind == Name::Kind::parameter) n.kind = Name::Kind::subexpression;
        line.expression = ++at;
        while (!s.is(at, ":")) {
          if (s.tokens[at].kind == Token::Kind::line || s.tokens[at].kind == Token::Kind::end)
            s.fail(first.begin, s.tokens[at].begin, "the unit is missing", "Write ': mV' behind it, or ': 1' for a plain number.");
          ++at;
        }
      }
      if (!s.is(at, ":")) s.fail(s.tokens[at], "'=' or ':' is missing");
      read_unit(s, at, n);
      n.text = s.text.substr(first.begin, s.tokens[at - 1].end - first.begin);
      const bool taken = std::any_of(found.begin(), found.end(), [&](const auto& f) { return f.first.name == n.name; });
      if (taken) s.fail(first, "'" + n.name + "' is there twice");
      static const char* const reserved[] = {"and", "or", "not", "dt", "pi"};
      if (std::find(std::begin(reserved), std::end(reserved), n.name) != std::end(reserved) ||
          std::any_of(std::begin(functions), std::end(functions), [&](const Function& f) { return n.name == f.name; }))
        s.fail(first, "'" + n.name + "' has a meaning of its own", "Choose another name.");
      found.emplace_back(std::move(n), line);
      if (found.size() > kMostNames) s.fail(first, "there are more than " + std::to_string(kMostNames) + " lines");
    }
    std::stable_partition(found.begin(), found.end(), [](const auto& f) { return f.first.kind == Name::Kind::state; });
    for (auto& [name, line] : found) all_.states += name.kind == Name::Kind::state, all_.names.push_back(name), lines_.push_back(line);
    if (all_.states == 0) throw usage_error("there is no differential equation", "equations", "Example: dv/dt = -v / tau : mV");
    if (all_.states > kernels::Program::kMostStates)
      throw usage_error("there are more than " + std::to_string(kernels::Program::kMostStates) + " differential equations", "equations");
  }

  // From ':' on: the unit, and what may stand in brackets behind it.
  static void read_unit(const Source& s, std::size_t& at, Name& n) {
    const Token colon = s.tokens[at++];
    const auto ends = [&] { return s.tokens[at].kind == Token::Kind::line || s.tokens[at].kind == Token::Kind::end; };
    while (!ends() && !s.is(at, "(")) ++at;
    n.unit = s.tokens[at - 1].end > colon.end ? s.text.substr(colon.end, s.tokens[at - 1].end - colon.end) : "";
    n.unit.erase(0, n.unit.find_first_not_of(" \t"));
    const auto unit = n.unit.empty() ? std::nullopt : parse_unit(n.unit);
    if (!unit || std::any_of(unit->powers.begin(), unit->powers.end(), [](int p) { return std::abs(p) > 100; }) ||
        std::abs(unit->ten) > 100)
      s.fail(colon.begin, s.tokens[at - 1].end, "a unit is needed here",
             "Units: mV, ms, pA, nS, pF, MOhm, Hz, mM, mV/ms, ...; 1 for a plain number.");
    n.powers = *unit, n.ten = unit->ten - own_ten(*unit);
    if (n.unit == "1") n.unit.clear();
    if (ends()) return;
    if (!(s.is(at + 1, "unless") && s.is(at + 2, "refractory") && s.is(at + 3, ")")) || n.kind != Name::Kind::state)
      s.fail(s.tokens[at], "only '(unless refractory)' may stand here, behind a differential equation");
    n.held = true, at += 4;
    if (!ends()) s.fail(s.tokens[at], "this does not belong to the line");
  }

  void define(const Source& s, std::size_t i) {
    if (i >= lines_.size() || lines_[i].expression == 0) return;  // I, or a parameter
    Parser p(all_, s);
    p.at = lines_[i].expression;
    Name n = all_.names[i];
    Unit unit = n.powers;
    if (n.kind == Name::Kind::state) unit.powers[2] -= 1;
    const int node = p.number_of(unit, n.kind == Name::Kind::state ? "d" + n.name + "/dt" : n.name);
    if (!s.is(p.at, ":")) s.fail(p.next(), "this does not belong to the equation");
    const auto& value = all_.nodes[static_cast<std::size_t>(node)];
    n.node = node;
    if (n.kind == Name::Kind::subexpression && value.kind == Node::Kind::number) {
      n.kind = Name::Kind::parameter, n.standard = scaled(value.value, -n.ten);
      if (!std::isfinite(*n.standard)) s.fail(s.tokens[lines_[i].name], "this is no number that can be had");
    }
    all_.names[i] = std::move(n);
  }

  // Subexpressions behind those they are made of.
  void order() {
    std::vector<char> state(all_.names.size());  // 1: being visited; 2: done
    for (std::size_t i = 0; i < all_.names.size(); ++i)
      if (all_.names[i].kind == Name::Kind::subexpression) visit(i, state);
  }
  void visit(std::size_t i, std::vector<char>& state) {
    if (state[i] == 2) return;
    if (state[i] == 1) throw usage_error("'" + all_.names[i].name + "' is made of itself", "equations: " + all_.names[i].text);
    state[i] = 1;
    std::vector<int> nodes{all_.names[i].node};
    while (!nodes.empty()) {
      const Node n = all_.nodes[static_cast<std::size_t>(nodes.back())];
      nodes.pop_back();
      if (n.kind == Node::Kind::name && all_.names[static_cast<std::size_t>(n.name)].kind == Name::Kind::subexpression)
        visit(static_cast<std::size_t>(n.name), state);
      for (const int child : {n.a, n.b, n.c})
        if (child >= 0) nodes.push_back(child);
    }
    state[i] = 2;
    all_.order.push_back(static_cast<int>(i));
  }

  std::vector<EquationText::Statement> statements(const char* where, const std::string& text, bool arrive) {
    std::vector<EquationText::Statement> all;
    const Source s = source(where, text);
    Parser p(all_, s);
    for (skip_lines(p); p.next().kind != Token::Kind::end; skip_lines(p)) {
      const Token first = p.next();
      const int name = first.kind == Token::Kind::name ? target(p, s, first) : -1;
      if (name < 0) s.fail(first, "a statement is written NAME = ... or NAME += ...");
      const Name n = all_.names[static_cast<std::size_t>(name)];
      ++p.at;
      static constexpr struct {
        const char* sign;
        Kind kind;
      } signs[] = {{"=", Kind::constant}, {"+=", Kind::add}, {"-=", Kind::sub}, {"*=", Kind::mul}, {"/=", Kind::div}};
      const auto sign = std::find_if(std::begin(signs), std::end(signs), [&](const auto& x) { return s.is(p.at, x.sign); });
      if (sign == std::end(signs)) s.fail(p.next(), "'=' or '+=' is missing");
      if (arrive && sign->kind != Kind::add && sign->kind != Kind::sub)
        s.fail(p.next(), "what arrives is added up: only += and -= are possible here");
      ++p.at;
      const bool factor = sign->kind == Kind::mul || sign->kind == Kind::div;
      int node = p.number_of(factor ? Unit{} : n.powers, factor ? "the factor" : n.name);
      p.expect_end("the statement");
      if (all_.nodes.size() + 2 > kMostNodes) s.fail(first, "the equations are too long");
      if (sign->kind != Kind::constant) {
        all_.nodes.push_back({.kind = Node::Kind::name, .name = name, .unit = n.powers});
        const int old = static_cast<int>(all_.nodes.size() - 1);
        all_.nodes.push_back({.kind = Node::Kind::operation, .operation = sign->kind, .a = old, .b = node, .unit = n.powers});
        node = old + 1;
      }
      all.push_back({name, node});
    }
    return all;
  }
  int target(const Parser& p, const Source& s, const Token& t) const {
    const int i = p.find(s.word(t));
    if (i < 0 || i == all_.weight) p.unknown(t);
    if (all_.names[static_cast<std::size_t>(i)].kind != Name::Kind::state)
      s.fail(t, "'" + s.word(t) + "' has no differential equation", "Only variables that have one can change.");
    return i;
  }

  void arrivals() {
    const bool two = !text_.excitatory.empty() || !text_.inhibitory.empty();
    if (two && !text_.synapses.empty()) throw usage_error("either 'synapses', or 'excitatory' and 'inhibitory'", "equations");
    if (two && (text_.excitatory.empty() || text_.inhibitory.empty()))
      throw usage_error(std::string("'") + (text_.excitatory.empty() ? "excitatory" : "inhibitory") + "' is missing", "equations",
                        "'synapses' is for weights of both signs.");
    all_.ports = two ? 2 : 1;
    const char* const names[2][2] = {{"synapses", ""}, {"excitatory", "inhibitory"}};
    const std::string* const texts[2][2] = {{&text_.synapses, &text_.synapses}, {&text_.excitatory, &text_.inhibitory}};
    for (int port = 0; port < all_.ports; ++port) {
      if (texts[two][port]->empty()) continue;
      if (all_.weight < 0) declare_weight(names[two][port], *texts[two][port]);
      all_.arrive[port] = statements(names[two][port], *texts[two][port], true);
    }
  }
  // w: in the unit that is given, or that of the first variable.
  void declare_weight(const char* where, const std::string& text) {
    Name w{.kind = Name::Kind::weight, .name = "w", .unit = text_.weight_unit, .ten = 0};
    if (w.unit.empty()) {
      const Source s = source(where, text);
      Parser p(all_, s);
      skip_lines(p);
      const int i = p.next().kind == Token::Kind::name ? target(p, s, p.next()) : -1;
      if (i < 0) s.fail(p.next(), "a statement is written NAME += w");
      w.unit = all_.names[static_cast<std::size_t>(i)].unit;
    }
    const auto unit = parse_unit(w.unit);
    if (!unit) throw usage_error("'" + w.unit + "' is no unit", "weight_unit");
    w.powers = *unit, w.ten = unit->ten - own_ten(*unit);
    all_.names.push_back(std::move(w));
    all_.weight = static_cast<int>(all_.names.size() - 1);
  }

  const Equations& text_;
  EquationText all_;
  std::vector<Line> lines_;
};

}  // namespace

EquationText parse_equations(const Equations& text) { return Reader(text).read(); }

}  // namespace apical::brain
