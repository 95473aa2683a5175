// Line chart, bars, scatter.
#include <algorithm>
#include <cmath>

#include "apical/base/text.h"
#include "apical/report/svg.h"
#include "apical/report/svg_writer.h"

namespace apical::report {
namespace {
using namespace detail;

struct Xy {
  double x, y;
};

// Runs of drawable points in pixels; long runs keep the lowest and highest point of each pixel column, which draws the same line.
std::vector<std::vector<Xy>> runs_of(const Series& s, const std::vector<double>& y, const Frame& f) {
  std::vector<std::vector<Xy>> runs(1);
  const std::size_t n = std::min(s.x.size(), y.size());
  for (std::size_t i = 0; i < n; ++i) {
    if (f.x.takes(s.x[i]) && f.y.takes(y[i]))
      runs.back().push_back({f.x(s.x[i]), f.y(y[i])});
    else if (!runs.back().empty())
      runs.emplace_back();
  }
  for (auto& run : runs) {
    if (run.size() <= 3000) continue;
    std::vector<Xy> thin{run.front()};
    for (std::size_t i = 0; i < run.size();) {
      std::size_t end = i, low = i, high = i;
      for (; end < run.size() && std::floor(run[end].x) == std::floor(run[i].x); ++end) {
        if (run[end].y < run[low].y) low = end;
        if (run[end].y > run[high].y) high = end;
      }
      thin.push_back(run[std::min(low, high)]);
      if (low != high) thin.push_back(run[std::max(low, high)]);
      i = std::max(end, i + 1);
    }
    thin.push_back(run.back());
    run = std::move(thin);
  }
  return runs;
}

std::string polyline(const std::vector<Xy>& points) {
  std::string d;
  for (std::size_t i = 0; i < points.size(); ++i) d += (i ? "L" : "M") + fixed(points[i].x) + " " + fixed(points[i].y);
  return d;
}

void draw_band(Writer& w, const Series& s, const Frame& f, const std::string& fill) {
  std::string forth, back;
  const std::size_t n = std::min({s.x.size(), s.lo.size(), s.hi.size()});
  const auto flush = [&] {
    if (!forth.empty()) w.path("M" + forth.substr(1) + back + "z", "fill:" + fill + ";fill-opacity:.18;stroke:none");
    forth.clear(), back.clear();
  };
  for (std::size_t i = 0; i < n; ++i) {
    if (!f.x.takes(s.x[i]) || !f.y.takes(s.lo[i]) || !f.y.takes(s.hi[i])) {
      flush();
      continue;
    }
    const std::string x = fixed(f.x(s.x[i]));
    forth += "L" + x + " " + fixed(f.y(s.hi[i]));
    back = "L" + x + " " + fixed(f.y(s.lo[i])) + back;
  }
  flush();
}

void draw_series(Writer& w, const Series& s, std::size_t index, const Frame& f) {
  const std::string c = colour(index);
  for (const auto& run : runs_of(s, s.y, f)) {
    if (run.empty()) continue;
    if (run.size() > 1)
      w.path(polyline(run), "fill:none;stroke:" + c + ";stroke-width:2;stroke-linejoin:round;stroke-linecap:round" + dash(index, s.dashed));
    if (s.markers || run.size() == 1)
      for (const auto& p : run) w.marker(p.x, p.y, index, c);
  }
}

// Clips what lies outside a given axis range; the id is made from the content, so that figures on one page do not collide.
std::string clip_start(Writer& w, const Frame& f, std::uint64_t key) {
  const std::string id = "clip" + std::to_string(key);
  w.raw("<clipPath id=\"" + id + "\"><rect x=\"" + fixed(f.left - 6) + "\" y=\"" + fixed(f.top - 6) + "\" width=\"" +
        fixed(f.right - f.left + 12) + "\" height=\"" + fixed(f.bottom - f.top + 12) + "\"/></clipPath><g clip-path=\"url(#" + id +
        ")\">\n");
  return "</g>\n";
}

std::uint64_t key_of(const Frame& f, const Axes& axes) {
  return std::hash<std::string>{}(axes.title + fixed(f.left) + "," + fixed(f.right) + "," + fixed(f.top) + "," + fixed(f.bottom));
}

std::string of_over(const std::string& what, const Axes& axes) {
  return what + (axes.y_label.empty() ? "" : " of " + axes.y_label) + (axes.x_label.empty() ? "" : " over " + axes.x_label);
}

}  // namespace

std::string line_chart(const std::vector<Series>& series, const Axes& axes) {
  Extent ex, ey;
  std::vector<LegendItem> legend;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const Series& s = series[i];
    for (double v : s.x) ex.add(v, axes.log_x);
    for (const auto* values : {&s.y, &s.lo, &s.hi})
      for (double v : *values) ey.add(v, axes.log_y);
    if (series.size() > 1)
      legend.push_back({s.name, [i, &s](Writer& w, double x, double y) {
                          w.line(x, y, x + 22, y, "stroke:" + colour(i) + ";stroke-width:2.5" + dash(i, s.dashed));
                          if (s.markers) w.marker(x + 11, y, i, colour(i));
                        }});
  }
  const Range rx = choose_range(ex.lo, ex.hi, std::isfinite(axes.x_min) ? axes.x_min : ex.lo,
                                std::isfinite(axes.x_max) ? axes.x_max : ex.hi, 7, axes.log_x);
  const Range ry = choose_range(ey.lo, ey.hi, axes.y_min, axes.y_max, 5, axes.log_y);
  std::vector<std::string> names;
  for (const auto& s : series)
    if (!s.name.empty()) names.push_back(s.name);
  Writer w(axes.width, axes.height, axes.title,
           describe(axes, of_over("Line chart", axes) + (names.empty() ? "" : ": " + join(names, ", "))));
  const Frame f = draw_frame(w, axes, rx, ry, legend);
  const std::string close = clip_start(w, f, key_of(f, axes));
  for (std::size_t i = 0; i < series.size(); ++i) draw_band(w, series[i], f, colour(i));
  for (std::size_t i = series.size(); i-- > 0;) draw_series(w, series[i], i, f);
  w.raw(close);
  return w.end();
}

std::string bar_chart(const Bars& bars, const Axes& axes) {
  Extent e;
  if (!axes.log_y) e.add(0, false);
  for (const auto* all : {&bars.values, &bars.lo, &bars.hi})
    for (const auto& row : *all)
      for (double v : row) e.add(v, axes.log_y);
  std::vector<LegendItem> legend;
  if (bars.series.size() > 1)
    for (std::size_t s = 0; s < bars.series.size(); ++s)
      legend.push_back({bars.series[s], [s](Writer& w, double x, double y) { w.rect(x + 5, y - 6, 12, 12, "fill:" + colour(s), 2); }});
  Writer w(axes.width, axes.height, axes.title,
           describe(axes, of_over("Bar chart", axes) + (bars.groups.empty() ? "" : " for " + join(bars.groups, ", "))));
  const double top = e.lo == 0 && e.hi == 0 ? 1 : axes.y_max;  // nothing but zeros
  const Range ry = choose_range(e.lo, e.hi, axes.y_min, top, 5, axes.log_y);
  const Frame f = draw_frame(w, axes, {0, 1, {}}, ry, legend);
  const double group = (f.right - f.left) / std::max<std::size_t>(1, bars.groups.size());
  const double bar = std::min(64.0, group * 0.8 / std::max<std::size_t>(1, bars.values.size()));
  const double base = f.y(axes.log_y ? ry.lo : std::clamp(0.0, ry.lo, ry.hi));
  for (std::size_t g = 0; g < bars.groups.size(); ++g) {
    const double centre = f.left + group * (static_cast<double>(g) + 0.5);
    w.text(centre, f.bottom + 18, shorten(bars.groups[g], group - 4, 12), "middle", 12, std::string("fill:") + muted);
    for (std::size_t s = 0; s < bars.values.size(); ++s) {
      if (g >= bars.values[s].size() || !f.y.takes(bars.values[s][g])) continue;
      const double v = bars.values[s][g], y = f.y(v);
      const double x = centre + bar * (static_cast<double>(s) - static_cast<double>(bars.values.size()) / 2);
      const std::string name = bars.groups[g] + (s < bars.series.size() ? ", " + bars.series[s] : "") + ": " + number(v);
      w.rect(x + 1, std::min(y, base), bar - 2, std::abs(y - base), "fill:" + colour(s), 2, name);
      double label = std::min(y, base) - 5;
      if (s < bars.lo.size() && s < bars.hi.size() && g < bars.lo[s].size() && g < bars.hi[s].size() && f.y.takes(bars.lo[s][g]) &&
          f.y.takes(bars.hi[s][g])) {
        const double a = f.y(bars.lo[s][g]), b = f.y(bars.hi[s][g]), m = x + bar / 2;
        const std::string style = std::string("stroke:") + ink + ";stroke-width:1.5";
        w.line(m, a, m, b, style), w.line(m - 5, a, m + 5, a, style), w.line(m - 5, b, m + 5, b, style);
        label = std::min({label, a - 5, b - 5});
      }
      if (bars.print_values && text_width(number(v, 3), 11) < bar + 14) w.text(x + bar / 2, label, number(v, 3), "middle", 11);
    }
  }
  return w.end();
}

std::string scatter(const Scatter& plot, const Axes& axes) {
  Extent ex, ey;
  for (const auto& p : plot.points) ex.add(p.x, axes.log_x), ey.add(p.y, axes.log_y);
  std::vector<LegendItem> legend;
  if (plot.groups.size() > 1)
    for (std::size_t g = 0; g < plot.groups.size(); ++g)
      legend.push_back({plot.groups[g], [g](Writer& w, double x, double y) { w.marker(x + 11, y, g, colour(g), 5); }});
  const auto room = [](Extent e, bool log_axis) {  // so that no point sits on the border
    if (!(e.hi > e.lo)) return e;
    if (log_axis) return Extent{e.lo * std::pow(e.hi / e.lo, -0.06), e.hi * std::pow(e.hi / e.lo, 0.06)};
    return Extent{e.lo - 0.06 * (e.hi - e.lo), e.hi + 0.06 * (e.hi - e.lo)};
  };
  const Extent rx = room(ex, axes.log_x), ry = room(ey, axes.log_y);
  Writer w(axes.width, axes.height, axes.title, describe(axes, of_over("Scatter", axes)));
  const Frame f = draw_frame(w, axes, choose_range(rx.lo, rx.hi, axes.x_min, axes.x_max, 7, axes.log_x),
                             choose_range(ry.lo, ry.hi, axes.y_min, axes.y_max, 5, axes.log_y), legend);
  std::vector<const Point*> shown;
  for (const auto& p : plot.points)
    if (f.x.takes(p.x) && f.y.takes(p.y)) shown.push_back(&p);
  if (plot.frontier) {
    std::vector<const Point*> order = shown, best;
    std::sort(order.begin(), order.end(), [](const Point* a, const Point* b) { return a->x != b->x ? a->x < b->x : a->y > b->y; });
    for (const Point* p : order)
      if (best.empty() || p->y > best.back()->y) best.push_back(p);
    std::vector<Xy> line;
    for (const Point* p : best) {
      if (!line.empty()) line.push_back({f.x(p->x), line.back().y});  // a staircase: what is reached for at most x
      line.push_back({f.x(p->x), f.y(p->y)});
    }
    if (line.size() > 1) w.path(polyline(line), std::string("fill:none;stroke:") + muted + ";stroke-width:1.5;stroke-dasharray:5 4");
  }
  for (const Point* p : shown) {
    const double x = f.x(p->x), y = f.y(p->y);
    const auto group = static_cast<std::size_t>(std::max(0, p->group));
    w.marker(x, y, group, colour(group), 5.5, p->name + ": " + number(p->x) + ", " + number(p->y));
    if (!plot.name_points || p->name.empty()) continue;
    const bool left = x + 9 + text_width(p->name, 11.5) > f.right;
    // a halo keeps the name legible where the frontier or another line runs behind it
    w.text(left ? x - 9 : x + 9, y + 4, p->name, left ? "end" : "start", 11.5,
           std::string("paint-order:stroke;stroke-width:4px;stroke-linejoin:round;stroke:") + paper);
  }
  return w.end();
}

}  // namespace apical::report
