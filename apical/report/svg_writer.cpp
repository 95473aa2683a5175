#include "apical/report/svg_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace apical::report {

namespace {
// Length of the UTF-8 sequence at text[i] with all its checks, or 0 when the bytes are not UTF-8.
std::size_t utf8_length(std::string_view t, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(t[k]); };
  const unsigned char b = byte(i);
  const std::size_t n = b < 0x80 ? 1 : b >= 0xC2 && b < 0xE0 ? 2 : b >= 0xE0 && b < 0xF0 ? 3 : b >= 0xF0 && b < 0xF5 ? 4 : 0;
  if (n == 0 || i + n > t.size()) return 0;
  for (std::size_t k = 1; k < n; ++k)
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
  if (b == 0xE0 && byte(i + 1) < 0xA0) return 0;                          // overlong
  if (b == 0xED && byte(i + 1) >= 0xA0) return 0;                         // surrogates
  if (b == 0xF0 && byte(i + 1) < 0x90) return 0;                          // overlong
  if (b == 0xF4 && byte(i + 1) >= 0x90) return 0;                         // beyond U+10FFFF
  if (b == 0xEF && byte(i + 1) == 0xBF && byte(i + 2) >= 0xBE) return 0;  // U+FFFE, U+FFFF
  return n;
}
}  // namespace

std::string escape(std::string_view t) {
  std::string s;
  s.reserve(t.size() + t.size() / 8);
  for (std::size_t i = 0; i < t.size();) {
    const std::size_t n = utf8_length(t, i);
    if (n == 0) {
      s += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    const char c = t[i];
    if (n > 1)
      s.append(t.substr(i, n));
    else if (c == '&')
      s += "&amp;";
    else if (c == '<')
      s += "&lt;";
    else if (c == '>')
      s += "&gt;";
    else if (c == '"')
      s += "&quot;";
    else if (c == '\'')
      s += "&#39;";
    else if (static_cast<unsigned char>(c) >= 0x20 ? c != 0x7F : c == '\n' || c == '\t' || c == '\r')
      s += c;
    i += n;
  }
  return s;
}

std::vector<double> ticks(double lo, double hi, int count, bool log_axis) {
  std::vector<double> out;
  if (!(hi > lo) || !std::isfinite(lo) || !std::isfinite(hi) || count < 1) return {lo};
  if (log_axis) {
    if (lo <= 0) return {};
    const int first = static_cast<int>(std::floor(std::log10(lo) + 1e-9)), last = static_cast<int>(std::ceil(std::log10(hi) - 1e-9));
    const int stride = std::max(1, (last - first + count - 1) / std::max(1, count));
    for (int e = first; e <= last; e += stride) {
      out.push_back(std::pow(10.0, e));
      if (last - first <= 2 && e < last)
        for (double m : {2.0, 5.0}) out.push_back(m * std::pow(10.0, e));
    }
    return out;
  }
  const double raw = (hi - lo) / count, power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double m : {1.0, 2.0, 2.5, 5.0})
    if (m * power >= raw * (1 - 1e-9)) {
      step = m * power;
      break;
    }
  const double first = std::floor(lo / step + 1e-9), last = std::ceil(hi / step - 1e-9);
  for (double k = first; k <= last + 0.5 && out.size() < 64; ++k) out.push_back(k * step + 0.0);
  return out;
}

namespace detail {

std::string colour(std::size_t i) {
  static constexpr std::array<const char*, 7> palette = {"#0072B2", "#D55E00", "#009E73", "#B5559A", "#A87800", "#3C8FC4", "#59636e"};
  i %= palette.size();
  return "var(--c" + std::to_string(i) + "," + palette[i] + ")";
}

std::string dash(std::size_t i, bool dashed) {
  if (dashed) return ";stroke-dasharray:6 4";
  return i < 7 ? "" : ";stroke-dasharray:2 3";
}

std::string fixed(double v) {
  if (!std::isfinite(v)) return "0";
  char b[400];
  std::snprintf(b, sizeof b, "%.2f", v);
  std::string s = b;
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s == "-0" ? "0" : s;
}

double text_width(std::string_view text, double size) {
  double w = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) continue;
    w += c == ' ' || c == '.' || c == ',' || c == 'i' || c == 'l' ? 0.32 : (c >= 'A' && c <= 'Z') || c == 'm' || c == 'w' ? 0.72 : 0.57;
  }
  return w * size;
}

std::string shorten(const std::string& text, double width, double size) {
  if (text_width(text, size) <= width) return text;
  std::string s = text;
  while (!s.empty() && text_width(s + "…", size) > width) {
    while (s.size() > 1 && (static_cast<unsigned char>(s.back()) & 0xC0) == 0x80) s.pop_back();
    s.pop_back();
  }
  return s + "…";
}

std::string tick_label(double value, double step, bool log_axis) {
  char b[400];
  const double size = std::abs(value);
  if (log_axis || (size != 0 && (size >= 1e6 || step < 1e-5))) {
    if (size >= 1e-3 && size < 1e5) {
      std::snprintf(b, sizeof b, "%.10g", value);
      return b;
    }
    const int e = size == 0 ? 0 : static_cast<int>(std::floor(std::log10(size) + 1e-9));
    const double m = value / std::pow(10.0, e);
    std::snprintf(b, sizeof b, "%.3g", m);
    static constexpr const char* digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    std::string s = std::abs(m - 1) < 1e-9 ? "10" : std::string(b) + "·10";
    if (e < 0) s += "⁻";
    for (char c : std::to_string(std::abs(e))) s += digits[c - '0'];
    return s;
  }
  int decimals = 0;
  for (double s = step; decimals < 8 && std::abs(s - std::round(s)) > 1e-6 * std::max(1.0, s); s *= 10) ++decimals;
  std::snprintf(b, sizeof b, "%.*f", decimals, value == 0 ? 0.0 : value);
  return b;
}

Writer::Writer(double width, double height, std::string title, std::string description) {
  const std::string label = escape(title.empty() ? description : description.empty() ? title : title + ". " + description);
  out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + fixed(width) + " " + fixed(height) + "\" width=\"" + fixed(width) +
         "\" height=\"" + fixed(height) + "\" role=\"img\" aria-label=\"" + label +
         "\" style=\"font-family:ui-sans-serif,system-ui,'Segoe UI',Roboto,'Noto Sans',sans-serif\">\n<title>" + escape(title) +
         "</title>\n<desc>" + escape(description) + "</desc>\n";
}

void Writer::rect(double x, double y, double w, double h, const std::string& style, double radius, std::string_view tip) {
  out_ += "<rect x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" width=\"" + fixed(std::max(0.0, w)) + "\" height=\"" +
          fixed(std::max(0.0, h)) + "\"" + (radius > 0 ? " rx=\"" + fixed(radius) + "\"" : "") + " style=\"" + style + "\"";
  out_ += tip.empty() ? "/>\n" : "><title>" + escape(tip) + "</title></rect>\n";
}

void Writer::line(double x1, double y1, double x2, double y2, const std::string& style) {
  out_ += "<line x1=\"" + fixed(x1) + "\" y1=\"" + fixed(y1) + "\" x2=\"" + fixed(x2) + "\" y2=\"" + fixed(y2) + "\" style=\"" + style +
          "\"/>\n";
}

void Writer::path(const std::string& d, const std::string& style) { out_ += "<path d=\"" + d + "\" style=\"" + style + "\"/>\n"; }

void Writer::text(double x, double y, std::string_view text, const char* anchor, double size, const std::string& style,
                  const std::string& attributes) {
  const bool filled = style.find("fill:") != std::string::npos;
  out_ += "<text x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" text-anchor=\"" + anchor + "\"" +
          (attributes.empty() ? "" : " " + attributes) + " style=\"font-size:" + fixed(size) + "px" +
          (filled ? "" : std::string(";fill:") + ink) + (style.empty() ? "" : ";" + style) + "\">" + escape(text) + "</text>\n";
}

void Writer::marker(double x, double y, std::size_t shape, const std::string& fill, double r, std::string_view tip) {
  std::string d;
  const auto at = [](double px, double py) { return fixed(px) + " " + fixed(py); };
  switch (shape % 4) {
    case 0:
      d = "M" + at(x - r, y) + "a" + at(r, r) + " 0 1 0 " + at(2 * r, 0) + "a" + at(r, r) + " 0 1 0 " + at(-2 * r, 0) + "z";
      break;
    case 1:
      d = "M" + at(x - r, y - r) + "h" + fixed(2 * r) + "v" + fixed(2 * r) + "h" + fixed(-2 * r) + "z";
      break;
    case 2:
      d = "M" + at(x, y - 1.2 * r) + "L" + at(x + 1.15 * r, y + 0.9 * r) + "L" + at(x - 1.15 * r, y + 0.9 * r) + "z";
      break;
    default:
      d = "M" + at(x, y - 1.35 * r) + "L" + at(x + 1.35 * r, y) + "L" + at(x, y + 1.35 * r) + "L" + at(x - 1.35 * r, y) + "z";
  }
  out_ += "<path d=\"" + d + "\" style=\"fill:" + fill + ";stroke:" + paper + ";stroke-width:1\"";
  out_ += tip.empty() ? "/>\n" : "><title>" + escape(tip) + "</title></path>\n";
}

std::string Writer::end() { return std::move(out_) + "</svg>\n"; }

double Scale::operator()(double v) const {
  const double t = log ? (std::log10(v) - std::log10(lo)) / (std::log10(hi) - std::log10(lo)) : (v - lo) / (hi - lo);
  return from + (to - from) * std::clamp(t, -4.0, 5.0);
}
bool Scale::takes(double v) const { return std::isfinite(v) && (!log || v > 0); }

void Extent::add(double v, bool log_axis) {
  if (!std::isfinite(v) || (log_axis && v <= 0)) return;
  lo = std::min(lo, v);
  hi = std::max(hi, v);
}

Range choose_range(double lo, double hi, double want_lo, double want_hi, int count, bool log_axis) {
  Range r;
  if (!(lo <= hi)) lo = log_axis ? 1 : 0, hi = log_axis ? 10 : 1;  // nothing to show
  if (std::isfinite(want_lo) && (!log_axis || want_lo > 0)) lo = want_lo;
  if (std::isfinite(want_hi) && (!log_axis || want_hi > 0)) hi = want_hi;
  if (!(hi > lo)) {
    const double room = log_axis ? 0 : lo == 0 ? 1 : std::abs(lo) * 0.1;
    hi = log_axis ? lo * 10 : lo + room;
    lo = log_axis ? lo / 10 : lo - room;
  }
  const auto all = ticks(lo, hi, count, log_axis);
  // A free end is moved out to the next tick; a given end stays, and ticks beyond it are dropped.
  r.lo = std::isfinite(want_lo) || all.empty() ? lo : std::min(lo, all.front());
  r.hi = std::isfinite(want_hi) || all.empty() ? hi : std::max(hi, all.back());
  for (double t : all)
    if (t >= r.lo - 1e-9 * std::abs(r.hi - r.lo) && t <= r.hi + 1e-9 * std::abs(r.hi - r.lo)) r.marks.push_back(t);
  return r;
}

namespace {
struct Placed {
  double x, y;
};
std::vector<Placed> place_legend(const Axes& axes, const std::vector<LegendItem>& legend, double top, double& bottom) {
  std::vector<Placed> out;
  double x = 14, y = top;
  for (const auto& item : legend) {
    const double w = 28 + text_width(item.name, 12) + 16;
    if (x > 14 && x + w > axes.width) x = 14, y += 18;
    out.push_back({x, y});
    x += w;
  }
  bottom = legend.empty() ? top - 14 : y;
  return out;
}
}  // namespace

double draw_head(Writer& w, const Axes& axes, const std::vector<LegendItem>& legend) {
  double y = 8;
  if (!axes.title.empty()) {
    w.text(14, 24, shorten(axes.title, axes.width - 28, 15), "start", 15, "font-weight:600");
    y = 32;
  }
  double bottom = y;
  const auto places = place_legend(axes, legend, y + 14, bottom);
  for (std::size_t i = 0; i < legend.size(); ++i) {
    legend[i].sample(w, places[i].x, places[i].y - 4);
    w.text(places[i].x + 28, places[i].y, legend[i].name, "start", 12);
  }
  return bottom;
}

double head_height(const Axes& axes, const std::vector<LegendItem>& legend) {
  const double y = axes.title.empty() ? 8 : 32;
  double bottom = y;
  place_legend(axes, legend, y + 14, bottom);
  return bottom;
}

Frame draw_frame(Writer& w, const Axes& axes, const Range& x, const Range& y, const std::vector<LegendItem>& legend, bool x_ticks) {
  Frame f;
  const double head = draw_head(w, axes, legend);
  const auto step = [](const Range& r) { return r.marks.size() > 1 ? r.marks[1] - r.marks[0] : 1.0; };
  double widest = 0;
  for (double t : y.marks) widest = std::max(widest, text_width(tick_label(t, step(y), axes.log_y), 12));
  f.left = 14 + (axes.y_label.empty() ? 0 : 20) + widest + 8;
  f.right = axes.width - 18;
  f.top = head + 18;
  f.bottom = axes.height - (axes.x_label.empty() ? 14 : 36) - (x_ticks ? 20 : 4);
  f.x = {x.lo, x.hi, f.left, f.right, axes.log_x};
  f.y = {y.lo, y.hi, f.bottom, f.top, axes.log_y};
  for (double t : y.marks) {
    w.line(f.left, f.y(t), f.right, f.y(t), std::string("stroke:") + grid + ";stroke-width:1");
    w.text(f.left - 8, f.y(t) + 4, tick_label(t, step(y), axes.log_y), "end", 12,
           std::string("fill:") + muted + ";font-variant-numeric:tabular-nums");
  }
  if (x_ticks)
    for (double t : x.marks) {
      w.line(f.x(t), f.bottom, f.x(t), f.bottom + 5, std::string("stroke:") + muted);
      w.text(f.x(t), f.bottom + 19, tick_label(t, step(x), axes.log_x), "middle", 12, std::string("fill:") + muted);
    }
  w.line(f.left, f.bottom, f.right, f.bottom, std::string("stroke:") + muted + ";stroke-width:1");
  if (!axes.x_label.empty()) w.text((f.left + f.right) / 2, axes.height - 10, axes.x_label, "middle", 12.5);
  if (!axes.y_label.empty()) {
    const double cy = (f.top + f.bottom) / 2;
    w.text(18, cy, axes.y_label, "middle", 12.5, "", "transform=\"rotate(-90 18 " + fixed(cy) + ")\"");
  }
  return f;
}

std::string describe(const Axes& axes, const std::string& otherwise) { return axes.description.empty() ? otherwise : axes.description; }

}  // namespace detail
}  // namespace apical::report
