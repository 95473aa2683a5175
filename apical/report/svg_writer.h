#pragma once
// The pen all figures are drawn with. Internal to this room.
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "apical/report/svg.h"

namespace apical::report::detail {

inline constexpr const char* ink = "var(--ink,#1b1f24)";
inline constexpr const char* muted = "var(--muted,#59636e)";
inline constexpr const char* grid = "var(--grid,#d8dee4)";
inline constexpr const char* paper = "var(--paper,#ffffff)";
inline constexpr const char* good = "var(--c2,#009E73)";
inline constexpr const char* bad = "var(--c1,#D55E00)";

/// Colour i of the palette (Okabe and Ito's, told apart by colour-blind readers), repeated after 7.
std::string colour(std::size_t i);
/// Dash pattern of line i: solid for the first seven, so that a repeated colour still differs.
std::string dash(std::size_t i, bool dashed);
/// At most two decimals, no trailing zeros.
std::string fixed(double v);
/// Width of a text in pixels, estimated (no font at hand): generous, so that nothing is cut.
double text_width(std::string_view text, double size);
/// The text cut to a width, ended by an ellipsis.
std::string shorten(const std::string& text, double width, double size);
/// A tick's label; `step` decides the decimals.
std::string tick_label(double value, double step, bool log_axis);

class Writer {
 public:
  Writer(double width, double height, std::string title, std::string description);
  void raw(std::string_view markup) { out_ += markup; }
  void rect(double x, double y, double w, double h, const std::string& style, double radius = 0, std::string_view tip = {});
  void line(double x1, double y1, double x2, double y2, const std::string& style);
  void path(const std::string& d, const std::string& style);
  /// anchor: start, middle or end.
  void text(double x, double y, std::string_view text, const char* anchor = "start", double size = 12, const std::string& style = "",
            const std::string& attributes = "");
  /// Shape 0..3: disc, square, triangle, diamond.
  void marker(double x, double y, std::size_t shape, const std::string& fill, double r = 3.5, std::string_view tip = {});
  std::string end();

 private:
  std::string out_;
};

/// A value to pixels.
struct Scale {
  double lo = 0, hi = 1, from = 0, to = 1;
  bool log = false;
  double operator()(double v) const;
  bool takes(double v) const;  ///< finite, and positive on a log axis
};
/// The range of values, widened to ticks where the axis leaves it free.
struct Range {
  double lo = 0, hi = 1;
  std::vector<double> marks;
};
Range choose_range(double lo, double hi, double want_lo, double want_hi, int count, bool log_axis);
/// Smallest and largest usable value.
struct Extent {
  double lo = std::numeric_limits<double>::infinity(), hi = -std::numeric_limits<double>::infinity();
  void add(double v, bool log_axis);
};

struct LegendItem {
  std::string name;
  std::function<void(Writer&, double x, double y)> sample;  ///< draws a 22 x 12 sample with its centre line at y
};
/// Title, legend, axes, grid: returns the scales of the plotting area.
struct Frame {
  Scale x, y;
  double left = 0, right = 0, top = 0, bottom = 0;
};
Frame draw_frame(Writer& w, const Axes& axes, const Range& x, const Range& y, const std::vector<LegendItem>& legend, bool x_ticks = true);
/// Height a legend and title take.
double head_height(const Axes& axes, const std::vector<LegendItem>& legend);
double draw_head(Writer& w, const Axes& axes, const std::vector<LegendItem>& legend);
std::string describe(const Axes& axes, const std::string& otherwise);

}  // namespace apical::report::detail
