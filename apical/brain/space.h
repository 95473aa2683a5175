#pragma once
// Neurons in the plane: where they are, what distance does, and which pairs a mask leaves. NEST's names and meaning (nest.spatial,
// nest.spatial_distributions, masks of its connection rules). Lengths are mm.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace apical::brain {

using Point = std::array<double, 2>;  ///< x, y

/// Where the neurons of a population are.
struct Positions {
  std::vector<Point> points{};       ///< empty: drawn, uniform over the extent
  Point extent{1, 1}, center{0, 0};  ///< of the sheet they lie on
  bool edge_wrap = false;            ///< the sheet's edges meet: it is a torus
  /// Neurons in the middle of equal cells: down the first column, then down the second, ...
  static Positions grid(std::uint32_t columns, std::uint32_t rows, Point extent = {1, 1}, Point center = {0, 0}, bool edge_wrap = false);
  /// Usage error: no room, no finite number, a point beside a sheet whose edges meet.
  void check() const;
};

/// A number that depends on distance d (mm): offset + factor f(d).
struct Kernel {
  enum class Kind : std::uint8_t { linear, exponential, gaussian };
  Kind kind = Kind::linear;
  double factor = 0, offset = 0, mean = 0, scale = 1;
  static Kernel constant(double value) { return {Kind::linear, 0, value}; }
  static Kernel linear(double factor, double offset = 0) { return {Kind::linear, factor, offset}; }  ///< f = d
  static Kernel exponential(double beta, double factor = 1, double offset = 0) {
    return {Kind::exponential, factor, offset, 0, beta};
  }  ///< f = exp(-d / beta)
  static Kernel gaussian(double std, double mean = 0, double factor = 1, double offset = 0) {
    return {Kind::gaussian, factor, offset, mean, std};
  }  ///< f = exp(-(d - mean)^2 / (2 std^2))
  double operator()(double distance) const noexcept;
  /// No less than any value at distances near to far.
  double most(double near, double far) const noexcept;
  /// Usage error that names `what`: no finite number, a scale that is not positive.
  void check(const std::string& what) const;
};

/// Which displacements (of the target seen from the source in pairwise_bernoulli, of the source seen from the target in fixed_indegree)
/// can be connected; edges belong to it.
struct Mask {
  enum class Kind : std::uint8_t { none, circular, rectangular };
  Kind kind = Kind::none;
  double radius = 0;                  ///< circular
  Point lower_left{}, upper_right{};  ///< its box
  static Mask circular(double radius) { return {Kind::circular, radius, {-radius, -radius}, {radius, radius}}; }
  static Mask rectangular(Point lower_left, Point upper_right) { return {Kind::rectangular, 0, lower_left, upper_right}; }
  /// The same, seen from the other side.
  Mask reflected() const noexcept { return {kind, radius, {-upper_right[0], -upper_right[1]}, {-lower_left[0], -lower_left[1]}}; }
  void check() const;  ///< usage error: an empty mask
};

/// Sources and targets of a connection, numbered from 0. Sources are sorted into cells, so that a small mask looks at few of them.
class Space {
 public:
  /// Neurons [from_begin, from_begin + from_size), and the same of targets. Usage error when only one sheet's edges meet, or the sheets
  /// differ.
  Space(const Positions& from, std::uint32_t from_begin, std::uint32_t from_size, const Positions& to, std::uint32_t to_begin,
        std::uint32_t to_size);
  /// Usage error when edges meet inside the mask.
  void check(const Mask& mask) const;

  double distance(std::uint32_t source, std::uint32_t target) const noexcept { return length(from_[source], to_[target]); }
  /// Whether the source, seen from the target, lies in the mask.
  bool within(const Mask& mask, std::uint32_t source, std::uint32_t target) const noexcept {
    if (mask.kind == Mask::Kind::none) return true;
    if (mask.kind == Mask::Kind::circular) return distance(source, target) <= mask.radius;
    for (std::size_t k = 0; k < 2; ++k) {
      double d = from_[source][k] - to_[target][k];
      if (wraps_) d -= extent_[k] * std::floor((d - mask.lower_left[k]) / extent_[k]);
      if (!(d >= mask.lower_left[k] && d <= mask.upper_right[k])) return false;
    }
    return true;
  }
  /// Calls visit(sources, how many, nearest, farthest) for each cell that the mask around the target may touch; distances hold for all of
  /// the cell. The order depends on the positions alone.
  template <class Visit>
  void each_cell(const Mask& mask, std::uint32_t target, Visit visit) const {
    const Point& at = to_[target];
    const Span x = span(0, mask, at[0]), y = span(1, mask, at[1]);
    for (std::uint32_t j = 0; j < y.count; ++j)
      for (std::uint32_t i = 0; i < x.count; ++i) {
        const std::uint32_t column = (x.first + i) % cells_[0], row = (y.first + j) % cells_[1];
        const std::size_t cell = std::size_t{row} * cells_[0] + column;
        if (first_[cell] == first_[cell + 1]) continue;
        const double middle = length({origin_[0] + (column + 0.5) * size_[0], origin_[1] + (row + 0.5) * size_[1]}, at);
        visit(sorted_.data() + first_[cell], first_[cell + 1] - first_[cell], std::max(0.0, middle - reach_), middle + reach_);
      }
  }

 private:
  struct Span {
    std::uint32_t first, count;
  };
  Span span(std::size_t axis, const Mask& mask, double at) const noexcept;
  std::size_t cell_of(const Point& p) const noexcept;
  double length(const Point& a, const Point& b) const noexcept {
    double d[2];
    for (std::size_t k = 0; k < 2; ++k) {
      d[k] = a[k] - b[k];
      if (wraps_) d[k] -= extent_[k] * std::floor(d[k] / extent_[k] + 0.5);
    }
    return std::sqrt(d[0] * d[0] + d[1] * d[1]);
  }

  std::vector<Point> from_, to_;
  bool wraps_;
  Point extent_, origin_, size_;  // of the sheet; of the cells: the first one's corner, one's extent
  double reach_ = 0;              // from the middle of a cell to its corners
  std::array<std::uint32_t, 2> cells_{};
  std::vector<std::uint32_t> first_, sorted_;  // of each cell; sources
};

}  // namespace apical::brain
