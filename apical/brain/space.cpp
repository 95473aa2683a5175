#include "apical/brain/space.h"

#include <limits>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::brain {
namespace {

constexpr double kInCell = 8;               // sources, about
constexpr std::uint32_t kMostCells = 2048;  // along an axis

bool finite(const Point& p) { return std::isfinite(p[0]) && std::isfinite(p[1]); }
std::string text(const Point& p) { return number(p[0]) + ", " + number(p[1]); }

}  // namespace

Positions Positions::grid(std::uint32_t columns, std::uint32_t rows, Point extent, Point center, bool edge_wrap) {
  if (std::uint64_t{columns} * rows > std::numeric_limits<std::int32_t>::max())
    throw usage_error("a grid has too many points", std::to_string(columns) + " x " + std::to_string(rows));
  Positions p{.points = {}, .extent = extent, .center = center, .edge_wrap = edge_wrap};
  p.points.reserve(std::size_t{columns} * rows);
  for (std::uint32_t i = 0; i < columns; ++i)
    for (std::uint32_t j = 0; j < rows; ++j)
      p.points.push_back({center[0] + extent[0] * ((i + 0.5) / columns - 0.5), center[1] + extent[1] * (0.5 - (j + 0.5) / rows)});
  return p;
}

void Positions::check() const {
  if (!finite(extent) || !finite(center)) throw usage_error("extent and center must be finite numbers");
  if ((points.empty() || edge_wrap) && !(extent[0] > 0 && extent[1] > 0)) throw usage_error("an extent must be positive", text(extent));
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!finite(points[i])) throw usage_error("a position is not a finite number", "neuron " + std::to_string(i));
    for (std::size_t k = 0; edge_wrap && k < 2; ++k)
      if (std::fabs(points[i][k] - center[k]) > extent[k] * (0.5 + 1e-9))
        throw usage_error("a position lies beside a sheet whose edges meet", "neuron " + std::to_string(i) + " at " + text(points[i]));
  }
}

double Kernel::operator()(double distance) const noexcept {
  double f = distance;
  if (kind == Kind::exponential) f = std::exp(-distance / scale);
  if (kind == Kind::gaussian) f = std::exp(-(distance - mean) * (distance - mean) / (2 * scale * scale));
  return offset + factor * f;
}

double Kernel::most(double near, double far) const noexcept {
  if (factor == 0) return offset;
  double most = std::max((*this)(near), (*this)(far));
  if (kind == Kind::gaussian) most = std::max(most, (*this)(std::clamp(mean, near, far)));
  return most + 1e-9 * (std::fabs(offset) + std::fabs(most));  // distances and exp() are rounded
}

void Kernel::check(const std::string& what) const {
  for (const double v : {factor, offset, mean, scale})
    if (!std::isfinite(v)) throw usage_error(what + " has a kernel with a number that is not finite");
  if (!(scale > 0)) throw usage_error(what + " has a kernel whose width is not positive", number(scale));
}

void Mask::check() const {
  if (kind == Kind::none) return;
  if (!finite(lower_left) || !finite(upper_right) || !(lower_left[0] < upper_right[0]) || !(lower_left[1] < upper_right[1]))
    throw usage_error("a mask is empty",
                      kind == Kind::circular ? "radius " + number(radius) : text(lower_left) + " to " + text(upper_right));
}

Space::Space(const Positions& from, std::uint32_t from_begin, std::uint32_t from_size, const Positions& to, std::uint32_t to_begin,
             std::uint32_t to_size)
    : from_(from.points.begin() + from_begin, from.points.begin() + from_begin + from_size),
      to_(to.points.begin() + to_begin, to.points.begin() + to_begin + to_size),
      wraps_(from.edge_wrap),
      extent_(from.extent) {
  if (from.edge_wrap != to.edge_wrap || (wraps_ && (from.extent != to.extent || from.center != to.center)))
    throw usage_error("sources and targets lie on different sheets", {}, "Give both the same extent, center and edge_wrap.");
  Point low, high;
  for (std::size_t k = 0; k < 2; ++k) {
    low[k] = from.center[k] - extent_[k] / 2, high[k] = low[k] + extent_[k];
    if (!wraps_) {
      const auto by = [k](const Point& a, const Point& b) { return a[k] < b[k]; };
      low[k] = (*std::min_element(from_.begin(), from_.end(), by))[k], high[k] = (*std::max_element(from_.begin(), from_.end(), by))[k];
    }
  }
  origin_ = low;
  const double width = high[0] - low[0], height = high[1] - low[1], wanted = std::max(1.0, from_size / kInCell);
  const double columns = width <= 0 ? 1 : height <= 0 ? wanted : std::sqrt(wanted * width / height);
  cells_[0] = static_cast<std::uint32_t>(std::clamp(std::round(columns), 1.0, double{kMostCells}));
  cells_[1] = static_cast<std::uint32_t>(std::clamp(std::round(height <= 0 ? 1 : wanted / columns), 1.0, double{kMostCells}));
  size_ = {width / cells_[0], height / cells_[1]};
  reach_ = 0.5 * std::sqrt(size_[0] * size_[0] + size_[1] * size_[1]) * (1 + 1e-9);
  first_.assign(std::size_t{cells_[0]} * cells_[1] + 1, 0);
  for (const Point& p : from_) ++first_[cell_of(p) + 1];
  for (std::size_t c = 1; c < first_.size(); ++c) first_[c] += first_[c - 1];
  sorted_.resize(from_.size());
  auto next = first_;
  for (std::uint32_t s = 0; s < from_.size(); ++s) sorted_[next[cell_of(from_[s])]++] = s;
}

void Space::check(const Mask& mask) const {
  mask.check();
  if (mask.kind == Mask::Kind::none || !wraps_) return;
  for (std::size_t k = 0; k < 2; ++k)
    if (mask.upper_right[k] - mask.lower_left[k] > extent_[k] * (1 + 1e-9))
      throw usage_error("a mask is larger than a sheet whose edges meet",
                        number(mask.upper_right[k] - mask.lower_left[k]) + " mm of " + number(extent_[k]) + " mm");
}

std::size_t Space::cell_of(const Point& p) const noexcept {
  std::uint32_t at[2];
  for (std::size_t k = 0; k < 2; ++k)
    at[k] = size_[k] > 0 ? static_cast<std::uint32_t>(std::clamp((p[k] - origin_[k]) / size_[k], 0.0, cells_[k] - 1.0)) : 0;
  return std::size_t{at[1]} * cells_[0] + at[0];
}

Space::Span Space::span(std::size_t axis, const Mask& mask, double at) const noexcept {
  const double n = cells_[axis];
  if (mask.kind == Mask::Kind::none || !(size_[axis] > 0)) return {0, cells_[axis]};
  // Where the first and the last cell are, a little more for rounding.
  double first = std::floor((at + mask.lower_left[axis] - origin_[axis]) / size_[axis] - 1e-6);
  double last = std::floor((at + mask.upper_right[axis] - origin_[axis]) / size_[axis] + 1e-6);
  if (wraps_) {
    if (last - first + 1 >= n) return {0, cells_[axis]};
    return {static_cast<std::uint32_t>(first - n * std::floor(first / n)), static_cast<std::uint32_t>(last - first + 1)};
  }
  first = std::max(first, 0.0), last = std::min(last, n - 1);
  return first > last ? Span{0, 0} : Span{static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last - first + 1)};
}

}  // namespace apical::brain
