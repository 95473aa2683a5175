#include <algorithm>
#include <array>
#include <cmath>

#include "apical/data/strokes.h"
#include "apical/data/synthetic.h"

namespace apical::data {
namespace {

using Glyph = std::vector<Stroke>;

Stroke ring(float cx, float cy, float rx, float ry, float from_degrees, float to_degrees) {
  Stroke s;
  const int n = std::max(4, static_cast<int>(std::abs(to_degrees - from_degrees) / 30.0f));
  for (int i = 0; i <= n; ++i) {
    const float angle = (from_degrees + (to_degrees - from_degrees) * static_cast<float>(i) / static_cast<float>(n)) * 3.14159265f / 180;
    s.push_back({cx + rx * std::cos(angle), cy + ry * std::sin(angle)});
  }
  return s;
}

/// Ways to write each digit, in a box one high and about 0.7 wide around (0.5, 0.5).
const std::array<std::vector<Glyph>, 10>& glyphs() {
  static const std::array<std::vector<Glyph>, 10> all = {{
      {// 0: round, narrow, open at the top with an overlap
       {ring(0.5f, 0.5f, 0.32f, 0.45f, -90, 270)},
       {ring(0.5f, 0.5f, 0.22f, 0.46f, -70, 290)},
       {ring(0.5f, 0.52f, 0.34f, 0.38f, -120, 225)}},
      {// 1: bar, flag, flag and foot
       {{{0.5f, 0.05f}, {0.5f, 0.95f}}},
       {{{0.3f, 0.28f}, {0.54f, 0.06f}}, {{0.54f, 0.06f}, {0.52f, 0.95f}}},
       {{{0.34f, 0.24f}, {0.52f, 0.06f}}, {{0.52f, 0.06f}, {0.5f, 0.93f}}, {{0.27f, 0.94f}, {0.75f, 0.94f}}}},
      {// 2: straight foot, looped foot, angular
       {{{0.2f, 0.28f}, {0.3f, 0.1f}, {0.52f, 0.05f}, {0.75f, 0.18f}, {0.74f, 0.4f}, {0.5f, 0.68f}, {0.2f, 0.93f}},
        {{0.2f, 0.93f}, {0.82f, 0.93f}}},
       {{{0.22f, 0.2f}, {0.42f, 0.06f}, {0.68f, 0.12f}, {0.72f, 0.36f}, {0.52f, 0.66f}, {0.28f, 0.9f}, {0.16f, 0.86f}, {0.22f, 0.74f},
         {0.42f, 0.8f}, {0.62f, 0.92f}, {0.84f, 0.86f}}},
       {{{0.2f, 0.14f}, {0.5f, 0.06f}, {0.76f, 0.2f}, {0.66f, 0.46f}, {0.22f, 0.86f}}, {{0.22f, 0.86f}, {0.5f, 0.84f}, {0.8f, 0.9f}}}},
      {// 3: two bowls, flat top, shallow
       {{{0.22f, 0.16f}, {0.46f, 0.05f}, {0.7f, 0.16f}, {0.68f, 0.36f}, {0.44f, 0.47f}},
        {{0.44f, 0.47f}, {0.72f, 0.56f}, {0.78f, 0.76f}, {0.56f, 0.94f}, {0.2f, 0.86f}}},
       {{{0.22f, 0.08f}, {0.74f, 0.08f}}, {{0.74f, 0.08f}, {0.46f, 0.42f}},
        {{0.46f, 0.42f}, {0.74f, 0.52f}, {0.76f, 0.78f}, {0.5f, 0.95f}, {0.2f, 0.84f}}},
       {{{0.26f, 0.1f}, {0.6f, 0.06f}, {0.74f, 0.22f}, {0.5f, 0.46f}, {0.74f, 0.6f}, {0.72f, 0.84f}, {0.44f, 0.95f}, {0.2f, 0.9f}}}},
      {// 4: open, closed, upright with a long stem
       {{{0.3f, 0.08f}, {0.24f, 0.34f}, {0.24f, 0.52f}, {0.5f, 0.55f}, {0.78f, 0.5f}}, {{0.72f, 0.1f}, {0.66f, 0.95f}}},
       {{{0.62f, 0.05f}, {0.16f, 0.62f}}, {{0.16f, 0.62f}, {0.86f, 0.62f}}, {{0.62f, 0.05f}, {0.62f, 0.95f}}},
       {{{0.22f, 0.1f}, {0.22f, 0.46f}}, {{0.22f, 0.46f}, {0.74f, 0.44f}}, {{0.72f, 0.06f}, {0.7f, 0.95f}}}},
      {// 5: with a cap, in one line, wide
       {{{0.3f, 0.08f}, {0.78f, 0.08f}}, {{0.3f, 0.08f}, {0.27f, 0.44f}},
        {{0.27f, 0.44f}, {0.52f, 0.38f}, {0.76f, 0.54f}, {0.72f, 0.82f}, {0.46f, 0.95f}, {0.18f, 0.86f}}},
       {{{0.78f, 0.06f}, {0.42f, 0.1f}, {0.28f, 0.34f}, {0.52f, 0.46f}, {0.74f, 0.64f}, {0.62f, 0.9f}, {0.36f, 0.95f}, {0.2f, 0.86f}}},
       {{{0.34f, 0.1f}, {0.84f, 0.04f}}, {{0.34f, 0.1f}, {0.22f, 0.42f}},
        {{0.22f, 0.42f}, {0.6f, 0.42f}, {0.74f, 0.62f}, {0.6f, 0.88f}, {0.26f, 0.94f}}}},
      {// 6: curved, straight back with a small loop, round
       {{{0.68f, 0.08f}, {0.42f, 0.24f}, {0.26f, 0.54f}, {0.3f, 0.84f}, {0.52f, 0.95f}, {0.74f, 0.8f}, {0.7f, 0.58f}, {0.48f, 0.52f},
         {0.28f, 0.68f}}},
       {{{0.5f, 0.05f}, {0.34f, 0.4f}, {0.28f, 0.76f}, {0.44f, 0.94f}, {0.62f, 0.82f}, {0.56f, 0.64f}, {0.3f, 0.74f}}},
       {{{0.76f, 0.14f}, {0.5f, 0.08f}, {0.26f, 0.36f}, {0.24f, 0.7f}, {0.48f, 0.94f}, {0.76f, 0.78f}, {0.66f, 0.54f}, {0.4f, 0.54f},
         {0.26f, 0.68f}}}},
      {// 7: plain, crossed, bent
       {{{0.2f, 0.1f}, {0.78f, 0.1f}}, {{0.78f, 0.1f}, {0.44f, 0.95f}}},
       {{{0.2f, 0.12f}, {0.78f, 0.08f}}, {{0.78f, 0.08f}, {0.42f, 0.95f}}, {{0.34f, 0.5f}, {0.78f, 0.48f}}},
       {{{0.18f, 0.24f}, {0.22f, 0.1f}}, {{0.22f, 0.1f}, {0.8f, 0.1f}}, {{0.8f, 0.1f}, {0.62f, 0.4f}, {0.52f, 0.68f}, {0.5f, 0.95f}}}},
      {// 8: one crossing line, two rings, open at the top
       {{{0.7f, 0.18f}, {0.48f, 0.05f}, {0.28f, 0.18f}, {0.36f, 0.38f}, {0.62f, 0.56f}, {0.74f, 0.78f}, {0.5f, 0.95f}, {0.26f, 0.78f},
         {0.38f, 0.56f}, {0.64f, 0.38f}, {0.7f, 0.18f}}},
       {ring(0.5f, 0.27f, 0.21f, 0.21f, -90, 270), ring(0.5f, 0.71f, 0.26f, 0.24f, -90, 270)},
       {{{0.78f, 0.1f}, {0.5f, 0.08f}, {0.28f, 0.22f}, {0.46f, 0.46f}, {0.68f, 0.68f}, {0.56f, 0.92f}, {0.32f, 0.88f}, {0.34f, 0.66f},
         {0.6f, 0.42f}, {0.8f, 0.16f}}}},
      {// 9: straight stem, curved tail, small head
       {ring(0.46f, 0.3f, 0.24f, 0.24f, -20, 340), {{0.7f, 0.2f}, {0.66f, 0.95f}}},
       {{{0.7f, 0.26f}, {0.5f, 0.06f}, {0.26f, 0.24f}, {0.36f, 0.48f}, {0.62f, 0.42f}, {0.72f, 0.22f}, {0.7f, 0.6f}, {0.56f, 0.88f},
         {0.28f, 0.92f}}},
       {{{0.68f, 0.14f}, {0.44f, 0.08f}, {0.3f, 0.26f}, {0.42f, 0.42f}, {0.64f, 0.32f}, {0.68f, 0.14f}},
        {{0.68f, 0.14f}, {0.6f, 0.5f}, {0.5f, 0.95f}}}},
  }};
  return all;
}

/// A binomial 3x3 blur, mixed in with `share`.
void blur(std::span<float> ink, int width, int height, float share) {
  std::array<float, 28 * 28> copy;
  std::copy(ink.begin(), ink.end(), copy.begin());
  auto at = [&](int y, int x) {
    return y < 0 || x < 0 || y >= height || x >= width ? 0.0f : copy[static_cast<std::size_t>(y * width + x)];
  };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const float corner = at(y - 1, x - 1) + at(y - 1, x + 1) + at(y + 1, x - 1) + at(y + 1, x + 1);
      const float side = at(y - 1, x) + at(y + 1, x) + at(y, x - 1) + at(y, x + 1);
      const float smooth = (corner + 2 * side + 4 * at(y, x)) / 16;
      float& pixel = ink[static_cast<std::size_t>(y * width + x)];
      pixel += share * (smooth - pixel);
    }
}

}  // namespace

void draw_digit(int digit, std::uint64_t seed, std::uint64_t stream, std::uint64_t index, std::span<std::uint8_t> pixels) {
  constexpr int side = 28;
  // 4096 random numbers a sample are more than one drawing takes, so samples never share any.
  Random random(seed, stream, index << 12);
  const auto& ways = glyphs()[static_cast<std::size_t>(digit)];
  const Glyph& glyph = ways[random.below(static_cast<std::uint32_t>(ways.size()))];

  const float height = random.uniform(16.5f, 21.5f), width = height * random.uniform(0.72f, 1.08f);
  const float slant = random.normal() * 0.18f + 0.08f, turn = std::clamp(random.normal() * 0.11f, -0.3f, 0.3f);
  const float radius = random.uniform(0.6f, 1.55f), softness = random.uniform(0.7f, 1.3f);
  const float shift_x = std::clamp(random.normal() * 1.1f, -3.0f, 3.0f), shift_y = std::clamp(random.normal() * 1.0f, -3.0f, 3.0f);
  const float wobble = random.uniform(0.012f, 0.04f);
  const float c = std::cos(turn), s = std::sin(turn);
  // box (centre 0.5, 0.5) -> scale -> slant (x leans to the right towards the top) -> rotate -> place
  const float xx = c * width, xy = -c * slant * height - s * height, yx = s * width, yy = -s * slant * height + c * height;
  const float cx = 13.5f + shift_x, cy = 13.5f + shift_y;
  const Affine2 place{xx, xy, cx - 0.5f * (xx + xy), yx, yy, cy - 0.5f * (yx + yy)};

  std::array<float, side * side> ink{};
  // A smooth field of displacement bends the whole digit; points of different strokes that touch stay together.
  const float bend[8] = {random.normal(), random.normal(), random.normal(), random.normal(),
                         random.uniform(0, 6.28f), random.uniform(0, 6.28f), random.uniform(0, 6.28f), random.uniform(0, 6.28f)};
  auto bent = [&](Point p) {
    const float amount = wobble * 1.3f;
    return Point{p.x + amount * (bend[0] * std::sin(4.0f * p.y + bend[4]) + bend[1] * std::sin(5.0f * p.x + 3.0f * p.y + bend[5])),
                 p.y + amount * (bend[2] * std::sin(4.0f * p.x + bend[6]) + bend[3] * std::sin(5.0f * p.y + 3.0f * p.x + bend[7]))};
  };
  for (const Stroke& stroke : glyph) {
    Stroke written;
    for (Point p : stroke) {
      p = bent(p);
      written.push_back(place({p.x + 0.5f * wobble * random.normal(), p.y + 0.5f * wobble * random.normal()}));
    }
    draw(flatten(written, 5), radius, softness, ink, side, side);
  }
  blur(ink, side, side, random.uniform(0.0f, 0.6f));

  const float strength = random.uniform(0.85f, 1.15f), noise = random.uniform(0.0f, 0.06f);
  for (int i = 0; i < side * side; ++i) {
    float value = strength * ink[static_cast<std::size_t>(i)];
    // Paper is clean, as in scanned and thresholded sets; ink is not.
    if (value > 0.02f) value += noise * (2 * random.uniform() - 1);
    pixels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0f, 1.0f)));
  }
}

}  // namespace apical::data
