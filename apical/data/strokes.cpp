#include "apical/data/strokes.h"

#include <algorithm>
#include <cmath>

namespace apical::data {

std::vector<Point> flatten(const Stroke& stroke, int pieces) {
  std::vector<Point> chain;
  const int n = static_cast<int>(stroke.size());
  if (n == 0) return chain;
  chain.push_back(stroke[0]);
  if (n == 2) {
    chain.push_back(stroke[1]);
    return chain;
  }
  for (int i = 0; i + 1 < n; ++i) {
    const Point p0 = stroke[std::max(i - 1, 0)], p1 = stroke[i], p2 = stroke[i + 1], p3 = stroke[std::min(i + 2, n - 1)];
    for (int k = 1; k <= pieces; ++k) {
      const float t = static_cast<float>(k) / static_cast<float>(pieces), t2 = t * t, t3 = t2 * t;
      const float w0 = -0.5f * t3 + t2 - 0.5f * t, w1 = 1.5f * t3 - 2.5f * t2 + 1, w2 = -1.5f * t3 + 2 * t2 + 0.5f * t,
                  w3 = 0.5f * t3 - 0.5f * t2;
      chain.push_back({w0 * p0.x + w1 * p1.x + w2 * p2.x + w3 * p3.x, w0 * p0.y + w1 * p1.y + w2 * p2.y + w3 * p3.y});
    }
  }
  return chain;
}

void draw(std::span<const Point> chain, float radius, float softness, std::span<float> ink, int width, int height) {
  const float reach = radius + 0.5f * softness;
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    const Point a = chain[i], b = chain[i + 1];
    const float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    const float inverse = length2 > 0 ? 1 / length2 : 0;
    const int x0 = std::max(0, static_cast<int>(std::floor(std::min(a.x, b.x) - reach))),
              x1 = std::min(width - 1, static_cast<int>(std::ceil(std::max(a.x, b.x) + reach))),
              y0 = std::max(0, static_cast<int>(std::floor(std::min(a.y, b.y) - reach))),
              y1 = std::min(height - 1, static_cast<int>(std::ceil(std::max(a.y, b.y) + reach)));
    for (int y = y0; y <= y1; ++y)
      for (int x = x0; x <= x1; ++x) {
        const float px = static_cast<float>(x) - a.x, py = static_cast<float>(y) - a.y;
        const float t = std::clamp((px * dx + py * dy) * inverse, 0.0f, 1.0f);
        const float ex = px - t * dx, ey = py - t * dy, d2 = ex * ex + ey * ey;
        if (d2 >= reach * reach) continue;
        const float value = std::min(1.0f, (reach - std::sqrt(d2)) / softness);
        float& pixel = ink[static_cast<std::size_t>(y) * width + x];
        pixel = std::max(pixel, value);
      }
  }
}

void fill(std::span<const Point> polygon, float value, std::span<float> ink, int width, int height) {
  constexpr int sub = 4;
  std::vector<float> crossings;
  std::vector<float> row(static_cast<std::size_t>(width));
  for (int y = 0; y < height; ++y) {
    std::fill(row.begin(), row.end(), 0.0f);
    for (int s = 0; s < sub; ++s) {
      const float fy = static_cast<float>(y) - 0.5f + (static_cast<float>(s) + 0.5f) / sub;
      crossings.clear();
      for (std::size_t i = 0; i < polygon.size(); ++i) {
        const Point a = polygon[i], b = polygon[(i + 1) % polygon.size()];
        if ((a.y <= fy) != (b.y <= fy)) crossings.push_back(a.x + (fy - a.y) / (b.y - a.y) * (b.x - a.x));
      }
      std::sort(crossings.begin(), crossings.end());
      for (std::size_t i = 0; i + 1 < crossings.size(); i += 2)
        for (int x = std::max(0, static_cast<int>(std::floor(crossings[i]))); x < width; ++x) {
          const float lo = std::max(crossings[i], static_cast<float>(x) - 0.5f), hi = std::min(crossings[i + 1], static_cast<float>(x) + 0.5f);
          if (lo > crossings[i + 1]) break;
          if (hi > lo) row[static_cast<std::size_t>(x)] += (hi - lo) / sub;
        }
    }
    for (int x = 0; x < width; ++x) {
      const float cover = std::min(1.0f, row[static_cast<std::size_t>(x)]);
      float& pixel = ink[static_cast<std::size_t>(y) * width + x];
      pixel += cover * (value - pixel);
    }
  }
}

}  // namespace apical::data
