#pragma once
// Pen strokes and how they become pixels: the brush of the synthetic sets.
#include <cstdint>
#include <span>
#include <vector>

#include "apical/base/philox.h"

namespace apical::data {

struct Point {
  float x = 0, y = 0;  ///< in the glyph: 0..1, x to the right, y down
};
/// A smooth curve through its points (Catmull-Rom); a stroke of two points is a straight line.
using Stroke = std::vector<Point>;

/// x' = a x + b y + c, y' = d x + e y + f
struct Affine2 {
  float a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
  Point operator()(Point p) const noexcept { return {a * p.x + b * p.y + c, d * p.x + e * p.y + f}; }
};

/// The curve as a chain of short straight pieces, `pieces` between two neighbouring points.
std::vector<Point> flatten(const Stroke& stroke, int pieces);

/// Draws the chain with a round brush of `radius` pixels and an edge `softness` pixels wide into `ink` [height, width]
/// (row-major, 0..1; the darker value stays where strokes cross).
void draw(std::span<const Point> chain, float radius, float softness, std::span<float> ink, int width, int height);

/// Fills the closed polygon with `value` (even-odd rule, four sub-samples a pixel and axis).
void fill(std::span<const Point> polygon, float value, std::span<float> ink, int width, int height);

}  // namespace apical::data
