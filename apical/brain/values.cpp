#include "apical/brain/values.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/kernels/circuit/draws.h"

namespace apical::brain {
namespace {

// Layers of equal area under exp(-x^2/2), the lowest with the tail beyond kTail.
constexpr int kLayers = 128;
constexpr double kTail = 3.442619855899, kArea = 9.91256303526217e-3;
struct Layers {
  double x[kLayers + 1], ratio[kLayers];
  Layers() {
    double f = std::exp(-0.5 * kTail * kTail);
    x[0] = kArea / f, x[1] = kTail, x[kLayers] = 0;
    for (int i = 2; i < kLayers; ++i) {
      x[i] = std::sqrt(-2 * std::log(kArea / x[i - 1] + f));
      f = std::exp(-0.5 * x[i] * x[i]);
    }
    for (int i = 0; i < kLayers; ++i) ratio[i] = x[i + 1] / x[i];
  }
};
const Layers layers;

}  // namespace

void Value::check(const std::string& what) const {
  if (kind == Kind::list) throw usage_error(what + " is one number, not a list");
  if (!std::isfinite(a) || !std::isfinite(b)) throw usage_error(what + " is not a finite number");
  if ((kind == Kind::normal || kind == Kind::lognormal) && b < 0) throw usage_error(what + " has a negative deviation", number(b));
  if (kind == Kind::uniform && !(a <= b)) throw usage_error(what + " is drawn from an empty range", number(a) + " to " + number(b));
  if (!(min <= max)) throw usage_error("the bounds of " + what + " are no range", number(min) + " to " + number(max));
}

void Draws::refill() noexcept {
  const std::uint32_t groups = group_ == 0 ? 1 : 4;  // rows of few numbers are many
  kernels::random_words(seed_, stream_, row_, group_, groups, words_.data());
  group_ += groups;
  at_ = 0, end_ = 64 * groups;
}

double Draws::normal() noexcept {
  for (;;) {
    const std::uint64_t w = bits64();
    const double u = static_cast<double>(static_cast<std::int64_t>(w) >> 11) * 0x1p-52;
    const auto i = static_cast<std::size_t>(w & (kLayers - 1));
    if (std::fabs(u) < layers.ratio[i]) return u * layers.x[i];
    if (i == 0) {
      double x, y;
      do {
        x = std::log(1 - uniform()) / kTail;
        y = std::log(1 - uniform());
      } while (-2 * y < x * x);
      return u < 0 ? x - kTail : kTail - x;
    }
    const double x = u * layers.x[i];
    const double f0 = std::exp(-0.5 * (layers.x[i] * layers.x[i] - x * x)),
                 f1 = std::exp(-0.5 * (layers.x[i + 1] * layers.x[i + 1] - x * x));
    if (f1 + uniform() * (f0 - f1) < 1) return x;
  }
}

double Draws::draw(const Value& v) {
  for (int tries = 0; tries < 10000; ++tries) {
    double x = v.a;
    switch (v.kind) {
      case Value::Kind::constant:
      case Value::Kind::list:
        break;
      case Value::Kind::uniform:
        x = v.a + (v.b - v.a) * uniform();
        break;
      case Value::Kind::normal:
        x = v.a + v.b * normal();
        break;
      case Value::Kind::lognormal:
        x = std::exp(v.a + v.b * normal());
        break;
    }
    if (v.clip) return std::clamp(x, v.min, v.max);
    if (x >= v.min && x <= v.max) return x;
  }
  throw usage_error("of 10000 draws none lay within " + number(v.min) + " to " + number(v.max), {}, "Widen the bounds.");
}

}  // namespace apical::brain
