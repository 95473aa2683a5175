// Heat maps, rasters, rates, picture grids.
#include <png.h>

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/report/svg.h"
#include "apical/report/svg_writer.h"

namespace apical::report {
namespace {
using namespace detail;

struct Cell {
  double shade;  // -1..1: negative values take the second colour
  std::string text, tip;
  bool outlined = false;
};

// Cells are a colour at an opacity over the page, so that they follow light and dark; the text takes whichever of ink and paper stands out.
std::string draw_cells(const std::vector<std::vector<Cell>>& cells, const std::vector<std::string>& rows,
                       const std::vector<std::string>& columns, Axes axes, const std::string& otherwise) {
  const std::size_t nr = cells.size(), nc = nr ? cells.front().size() : 0;
  double widest = 0, widest_column = 0;
  for (const auto& r : rows) widest = std::max(widest, text_width(r, 12));
  for (const auto& c : columns) widest_column = std::max(widest_column, text_width(c, 12));
  widest = std::min(widest, 160.0);
  const double left = 14 + (axes.y_label.empty() ? 0 : 20) + widest + 10, top = (axes.title.empty() ? 8 : 40);
  const double cell = std::clamp((axes.width - left - 18) / std::max<double>(1, static_cast<double>(nc)), 4.0, 56.0);
  const double high = std::clamp(cell, 4.0, 40.0);
  const bool tilt = widest_column > cell - 4 && !columns.empty();
  const double foot = (columns.empty() ? 0 : tilt ? std::min(widest_column, 110.0) * 0.75 + 16 : 22) + (axes.x_label.empty() ? 8 : 26);
  const double bottom = top + high * static_cast<double>(nr);
  axes.height = static_cast<int>(bottom + foot);
  Writer w(axes.width, axes.height, axes.title, describe(axes, otherwise));
  draw_head(w, axes, {});
  for (std::size_t r = 0; r < nr; ++r) {
    const double y = top + high * static_cast<double>(r);
    if (r < rows.size() && high >= 10)
      w.text(left - 8, y + high / 2 + 4, shorten(rows[r], 160, 12), "end", 12, std::string("fill:") + muted);
    for (std::size_t c = 0; c < std::min(nc, cells[r].size()); ++c) {
      const Cell& k = cells[r][c];
      const double x = left + cell * static_cast<double>(c), opacity = std::isfinite(k.shade) ? std::min(1.0, std::abs(k.shade)) : 0;
      w.rect(x + 0.5, y + 0.5, cell - 1, high - 1,
             "fill:" + colour(k.shade < 0 ? 1 : 0) + ";fill-opacity:" + fixed(0.04 + 0.96 * opacity) +
                 (k.outlined ? std::string(";stroke:") + muted : ""),
             cell > 14 ? 2 : 0, k.tip);
      if (!k.text.empty() && text_width(k.text, 11) < cell - 2 && high >= 13)
        w.text(x + cell / 2, y + high / 2 + 4, k.text, "middle", 11,
               std::string("pointer-events:none;font-variant-numeric:tabular-nums;fill:") + (opacity > 0.5 ? paper : ink));
    }
  }
  for (std::size_t c = 0; c < std::min(nc, columns.size()); ++c) {
    if (cell < 10 && c % static_cast<std::size_t>(std::ceil(12 / cell)) != 0) continue;
    const double x = left + cell * (static_cast<double>(c) + 0.5);
    if (tilt)
      w.text(x + 4, bottom + 14, shorten(columns[c], 110, 12), "end", 12, std::string("fill:") + muted,
             "transform=\"rotate(-40 " + fixed(x + 4) + " " + fixed(bottom + 14) + ")\"");
    else
      w.text(x, bottom + 17, columns[c], "middle", 12, std::string("fill:") + muted);
  }
  if (!axes.x_label.empty()) w.text(left + cell * static_cast<double>(nc) / 2, axes.height - 8, axes.x_label, "middle", 12.5);
  if (!axes.y_label.empty()) {
    const std::string cy = fixed((top + bottom) / 2);
    w.text(18, (top + bottom) / 2, axes.y_label, "middle", 12.5, "", "transform=\"rotate(-90 18 " + cy + ")\"");
  }
  return w.end();
}

}  // namespace

std::string heat_map(const Heat& heat, const Axes& axes) {
  Extent e;
  for (const auto& row : heat.values)
    for (double v : row) e.add(v, false);
  const double lo = std::isfinite(heat.min) ? heat.min : e.lo, hi = std::isfinite(heat.max) ? heat.max : e.hi;
  const double reach = std::max(std::abs(lo), std::abs(hi));
  std::vector<std::vector<Cell>> cells;
  for (std::size_t r = 0; r < heat.values.size(); ++r) {
    cells.emplace_back();
    for (std::size_t c = 0; c < heat.values[r].size(); ++c) {
      const double v = heat.values[r][c];
      const double shade = lo < 0 ? (reach > 0 ? v / reach : 0) : hi > lo ? std::max(0.0, (v - lo) / (hi - lo)) : 0;
      const std::string text = std::isfinite(v) ? number(v, heat.digits) : "–";
      cells.back().push_back(
          {shade, heat.numbers ? text : "",
           (r < heat.rows.size() ? heat.rows[r] + ", " : "") + (c < heat.columns.size() ? heat.columns[c] + ": " : "") + text});
    }
  }
  return draw_cells(cells, heat.rows, heat.columns, axes,
                    lo <= hi ? "Heat map from " + number(lo) + " to " + number(hi) : "Empty heat map");
}

std::string confusion_matrix(const std::vector<std::vector<std::uint64_t>>& counts, const std::vector<std::string>& classes,
                             const std::string& title) {
  std::vector<std::vector<Cell>> cells;
  std::uint64_t right = 0, all = 0;
  const auto name = [&](std::size_t i) { return i < classes.size() ? classes[i] : std::to_string(i); };
  for (std::size_t r = 0; r < counts.size(); ++r) {
    std::uint64_t row = 0;
    for (auto v : counts[r]) row += v;
    cells.emplace_back();
    for (std::size_t c = 0; c < counts[r].size(); ++c) {
      const auto v = counts[r][c];
      all += v;
      if (r == c) right += v;
      // the square root lets a handful of errors be seen beside a thousand hits
      const double share = row ? std::sqrt(static_cast<double>(v) / static_cast<double>(row)) : 0;
      cells.back().push_back({r == c ? share : -share, v || r == c ? std::to_string(v) : "",
                              name(r) + " taken for " + name(c) + ": " + std::to_string(v) + " of " + std::to_string(row), r == c});
    }
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < counts.size(); ++i) names.push_back(name(i));
  Axes axes;
  axes.title = title;
  axes.x_label = "predicted";
  axes.y_label = "true class";
  return draw_cells(cells, names, names, axes, std::to_string(right) + " of " + std::to_string(all) + " on the diagonal");
}

std::string spike_raster(const std::vector<RasterLayer>& layers, const Axes& given, std::size_t max_marks) {
  Axes axes = given;
  std::size_t total = 0;
  Extent e;
  double widest = 0;
  for (const auto& l : layers) {
    total += l.spikes.size();
    widest = std::max(widest, text_width(l.name, 12));
    for (const auto& [t, n] : l.spikes) e.add(t, axes.log_x);
  }
  const std::size_t stride = max_marks && total > max_marks ? (total + max_marks - 1) / max_marks : 1;
  if (axes.x_label.empty()) axes.x_label = "step";
  const double left = 14 + std::min(widest, 150.0) + 12, top = axes.title.empty() ? 14 : 44, right = axes.width - 18;
  const double bottom = axes.height - 56;
  const Range r =
      choose_range(e.lo, e.hi, std::isfinite(axes.x_min) ? axes.x_min : e.lo, std::isfinite(axes.x_max) ? axes.x_max : e.hi, 7, axes.log_x);
  const double edge = axes.log_x ? 0 : 10;
  const Scale sx{r.lo, r.hi, left + edge, right - edge, axes.log_x};
  Writer w(axes.width, axes.height, axes.title,
           describe(axes, "Spike raster: " + std::to_string(total) + " spikes in " + std::to_string(layers.size()) + " layers"));
  draw_head(w, axes, {});
  const double gap = 8, room = bottom - top - gap * std::max<double>(0, static_cast<double>(layers.size()) - 1);
  double weight = 0;  // a layer's height grows with the square root of its size, so that ten outputs stay visible beside thousands
  for (const auto& l : layers) weight += std::sqrt(std::max(1u, l.neurons));
  double y = top;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& l = layers[i];
    const double h = room * std::sqrt(std::max(1u, l.neurons)) / weight;
    w.rect(left, y, right - left, h, std::string("fill:") + grid + ";fill-opacity:.35");
    w.text(left - 10, y + h / 2 + 1, shorten(l.name, 150, 12), "end", 12);
    if (h > 26) w.text(left - 10, y + h / 2 + 15, std::to_string(l.neurons), "end", 10.5, std::string("fill:") + muted);
    const double tall = std::clamp(h / std::max(1u, l.neurons), 1.6, 8.0);
    std::string d;
    for (const auto& [t, n] : l.spikes) {
      if (seen++ % stride || !sx.takes(t)) continue;
      const double py = y + (h - tall) * (l.neurons > 1 ? std::min(1.0, static_cast<double>(n) / (l.neurons - 1)) : 0.5);
      d += "M" + fixed(sx(t)) + " " + fixed(py) + "v" + fixed(tall);
    }
    if (!d.empty()) w.path(d, "fill:none;stroke:" + colour(i) + ";stroke-width:1.6");
    y += h + gap;
  }
  const double step = r.marks.size() > 1 ? r.marks[1] - r.marks[0] : 1;
  for (double t : r.marks) w.text(sx(t), bottom + 18, tick_label(t, step, axes.log_x), "middle", 12, std::string("fill:") + muted);
  w.text((left + right) / 2, axes.height - 12, axes.x_label, "middle", 12.5);
  if (stride > 1)
    w.text(right, axes.height - 12, "1 of " + std::to_string(stride) + " spikes drawn", "end", 11, std::string("fill:") + muted);
  return w.end();
}

std::string firing_rates(const std::vector<std::pair<std::string, double>>& layers, const std::string& title, const std::string& unit) {
  Axes axes;
  axes.title = title;
  double widest = 0, top = 0;
  for (const auto& [name, v] : layers) {
    widest = std::max(widest, text_width(name, 12.5));
    if (std::isfinite(v)) top = std::max(top, v);
  }
  widest = std::min(widest, 200.0);
  const double left = 14 + widest + 12, right = axes.width - 80, row = 28, head = 44;
  axes.height = static_cast<int>(head + row * static_cast<double>(layers.size()) + 34);
  Writer w(axes.width, axes.height, title, "Bars, " + unit + ", one for each of " + std::to_string(layers.size()) + " layers");
  draw_head(w, axes, {});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& [name, v] = layers[i];
    const double y = head + row * static_cast<double>(i),
                 length = top > 0 && std::isfinite(v) ? (right - left) * std::max(0.0, v) / top : 0;
    w.text(left - 10, y + 17, shorten(name, 200, 12.5), "end", 12.5);
    w.rect(left, y + 3, right - left, 20, std::string("fill:") + grid + ";fill-opacity:.35", 3);
    w.rect(left, y + 3, length, 20, "fill:" + colour(0), 3, name + ": " + number(v));
    w.text(left + length + 8, y + 17, std::isfinite(v) ? number(v, 3) : "–", "start", 12.5, "font-variant-numeric:tabular-nums");
  }
  w.text(left, axes.height - 10, unit, "start", 12, std::string("fill:") + muted);
  return w.end();
}

std::vector<std::uint8_t> png(const Tile& tile) {
  const auto need = static_cast<std::size_t>(std::max(0, tile.width)) * static_cast<std::size_t>(std::max(0, tile.height)) *
                    static_cast<std::size_t>(std::max(0, tile.channels));
  if (need == 0 || need != tile.pixels.size() || (tile.channels != 1 && tile.channels != 3))
    throw internal_error("a picture of " + std::to_string(tile.width) + " x " + std::to_string(tile.height) + " x " +
                         std::to_string(tile.channels) + " has " + std::to_string(tile.pixels.size()) + " bytes");
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(tile.width);
  image.height = static_cast<png_uint_32>(tile.height);
  image.format = tile.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::uint8_t> out(size);
  if (!png_image_write_to_memory(&image, out.data(), &size, 0, tile.pixels.data(), 0, nullptr))
    throw internal_error(std::string("libpng: ") + image.message);
  out.resize(size);
  return out;
}

std::string base64(const std::vector<std::uint8_t>& bytes) {
  static constexpr char table[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string s;
  s.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 3; ++k) v = v << 8 | (k < n ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) s += k <= n ? table[v >> (18 - 6 * k) & 63] : '=';
  }
  return s;
}

std::string image_grid(const std::vector<Tile>& tiles, int columns, const std::string& title, int tile_size) {
  Axes axes;
  axes.title = title;
  columns = std::max(1, columns);
  const double cell = tile_size + 16, left = 14, top = title.empty() ? 12 : 44, high = tile_size + 32;
  const std::size_t rows = (tiles.size() + static_cast<std::size_t>(columns) - 1) / static_cast<std::size_t>(columns);
  axes.width = std::max(static_cast<int>(left * 2 + cell * columns), title.empty() ? 0 : static_cast<int>(text_width(title, 15)) + 30);
  axes.height = static_cast<int>(top + high * static_cast<double>(rows));
  const auto wrong = std::count_if(tiles.begin(), tiles.end(), [](const Tile& t) { return !t.good; });
  Writer w(axes.width, axes.height, title,
           std::to_string(tiles.size()) + " pictures, " + std::to_string(wrong) + " of them marked as wrong");
  draw_head(w, axes, {});
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const Tile& t = tiles[i];
    const double x = left + cell * static_cast<double>(i % static_cast<std::size_t>(columns)),
                 y = top + high * static_cast<double>(i / static_cast<std::size_t>(columns));
    w.raw("<image x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" width=\"" + std::to_string(tile_size) + "\" height=\"" +
          std::to_string(tile_size) + "\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64," + base64(png(t)) +
          "\"><title>" + escape(t.caption) + "</title></image>\n");
    w.rect(x - 1, y - 1, tile_size + 2, tile_size + 2,
           std::string("fill:none;stroke:") + (t.good ? grid : bad) + ";stroke-width:" + (t.good ? "1" : "2.5"), 2);
    const std::string caption = (t.good ? "" : "✗ ") + t.caption;
    w.text(x + tile_size / 2.0, y + tile_size + 17, shorten(caption, cell - 2, 11.5), "middle", 11.5,
           t.good ? "" : std::string("font-weight:600;fill:") + bad);
  }
  return w.end();
}

}  // namespace apical::report
