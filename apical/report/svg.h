#pragma once
// Plots as SVG text. Colours are CSS variables with a fallback, so that a figure stands alone and follows the report's light, dark
// and print themes inside it. Text stays text; every figure has a title and a description for screen readers.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apical::report {

/// & < > " ' escaped; control characters that XML forbids dropped; bytes that are not UTF-8 become U+FFFD.
std::string escape(std::string_view text);

inline constexpr double automatic = std::numeric_limits<double>::quiet_NaN();

/// What surrounds a plot. Sizes in pixels at 100 %; figures scale with the page.
struct Axes {
  std::string title, x_label, y_label;
  std::string description;            ///< one sentence for a reader who cannot see the figure; "" = built from the title
  bool log_x = false, log_y = false;  ///< values <= 0 are left out of a log axis
  double x_min = automatic, x_max = automatic, y_min = automatic, y_max = automatic;
  int width = 680, height = 360;
};

/// Points (x[i], y[i]) in order; not finite: a gap. With lo and hi (same length) a band is drawn around the line.
struct Series {
  std::string name;
  std::vector<double> x, y, lo, hi;
  bool dashed = false;
  bool markers = false;
};
std::string line_chart(const std::vector<Series>& series, const Axes& axes);

/// Grouped bars: values[s][g] for series s and group g, optional error bars lo/hi of the same shape (may be empty).
struct Bars {
  std::vector<std::string> groups, series;
  std::vector<std::vector<double>> values, lo, hi;
  bool print_values = true;
};
std::string bar_chart(const Bars& bars, const Axes& axes);

/// Named points, e.g. accuracy over energy. With `frontier` the undominated points are joined: small x and large y are good.
struct Point {
  std::string name;
  double x = 0, y = 0;
  int group = 0;  ///< colour and marker
};
struct Scatter {
  std::vector<Point> points;
  std::vector<std::string> groups;  ///< names of the groups for the legend; may be empty
  bool frontier = false, name_points = true;
};
std::string scatter(const Scatter& scatter, const Axes& axes);

/// values[r][c]; numbers are printed in the cells when there is room.
struct Heat {
  std::vector<std::vector<double>> values;
  std::vector<std::string> rows, columns;
  double min = automatic, max = automatic;
  bool numbers = true;
  int digits = 3;
};
std::string heat_map(const Heat& heat, const Axes& axes);
/// counts[true][predicted]; shade is the share of the row, the diagonal is outlined.
std::string confusion_matrix(const std::vector<std::vector<std::uint64_t>>& counts, const std::vector<std::string>& classes,
                             const std::string& title = "Confusion matrix");

/// Spikes of one sample or run: `time` in `x_label` units. Each layer is a band of its own height.
struct RasterLayer {
  std::string name;
  std::uint32_t neurons = 0;
  std::vector<std::pair<double, std::uint32_t>> spikes;  ///< (time, neuron)
};
/// At most `max_marks` marks are drawn (evenly thinned, and the figure says so).
std::string spike_raster(const std::vector<RasterLayer>& layers, const Axes& axes, std::size_t max_marks = 6000);

/// Horizontal bars of one value a layer, e.g. mean spikes a neuron and step.
std::string firing_rates(const std::vector<std::pair<std::string, double>>& layers, const std::string& title = "Firing rate of each layer",
                         const std::string& unit = "spikes per neuron and step");

/// A small picture with its label; pixels row-major, 1 (grey) or 3 (RGB) bytes a pixel.
struct Tile {
  int width = 0, height = 0, channels = 1;
  std::vector<std::uint8_t> pixels;
  std::string caption;
  bool good = true;  ///< a wrong prediction is marked by a frame, a sign and its colour
};
/// Pictures are embedded as PNG; nothing is loaded from elsewhere.
std::string image_grid(const std::vector<Tile>& tiles, int columns, const std::string& title, int tile_size = 72);

/// "nice" tick positions (1, 2, 2.5, 5 x 10^k) covering [lo, hi], about `count` of them; decades on a log axis.
std::vector<double> ticks(double lo, double hi, int count, bool log_axis);
/// A PNG file in memory. Throws an internal error when sizes and pixels disagree.
std::vector<std::uint8_t> png(const Tile& tile);
std::string base64(const std::vector<std::uint8_t>& bytes);

}  // namespace apical::report
