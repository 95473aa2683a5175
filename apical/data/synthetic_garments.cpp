#include <algorithm>
#include <array>
#include <cmath>

#include "apical/data/strokes.h"
#include "apical/data/synthetic_parts.h"

namespace apical::data {
namespace {

using Shape = std::vector<Point>;

/// Half outlines, mirrored at x = 0.5 for the garments that are symmetric; in a box 0..1.
Shape mirrored(Shape half) {
  Shape all = half;
  for (auto it = half.rbegin(); it != half.rend(); ++it) all.push_back({1 - it->x, it->y});
  return all;
}

/// The parts of one garment: outlines and their brightness relative to the whole.
struct Part {
  Shape outline;
  float tone;
};

std::vector<Part> garment(int label, Random& random) {
  const float a = random.uniform(-0.09f, 0.09f), b = random.uniform(-0.09f, 0.09f), c = random.uniform(-0.09f, 0.09f);
  const float waist = 0.28f + a, hem = 0.97f + 0.5f * b;
  auto top = [&](float sleeve_x, float sleeve_y, float cuff, float neck) {
    return mirrored({{0.5f, 0.08f + neck}, {0.4f + c, 0.05f}, {0.26f + c, 0.1f}, {sleeve_x, sleeve_y}, {sleeve_x + 0.08f, sleeve_y + cuff},
                     {waist, 0.4f}, {waist - 0.02f + b, hem}, {0.5f, hem}});
  };
  switch (label) {
    case 0: return {{top(0.06f + a, 0.34f + b, 0.08f, 0.04f), 1}};                                     // T-shirt
    case 1:                                                                                              // trouser
      return {{mirrored({{0.5f, 0.03f}, {0.32f + a, 0.03f}, {0.28f + b, 0.5f}, {0.27f + c, 0.98f}, {0.43f + a, 0.98f}, {0.48f, 0.3f}}), 1}};
    case 2: return {{top(0.05f + a, 0.86f + b, 0.06f, 0.05f), 1}};                                     // pullover
    case 3:                                                                                              // dress
      return {{mirrored({{0.5f, 0.1f}, {0.42f + c, 0.03f}, {0.36f + a, 0.1f}, {0.4f + b, 0.4f}, {0.26f + c, 0.98f}, {0.5f, 0.98f}}), 1}};
    case 4: {                                                                                            // coat: open front, collar
      auto parts = std::vector<Part>{{top(0.03f + a, 0.88f + b, 0.06f, 0.1f), 1}};
      parts.push_back({{{0.48f, 0.12f}, {0.52f, 0.12f}, {0.52f + 0.3f * c, 0.98f}, {0.48f + 0.3f * c, 0.98f}}, 0.6f});
      return parts;
    }
    case 5:                                                                                              // sandal: sole and straps
      return {{{{0.03f, 0.74f + b}, {0.5f, 0.78f}, {0.97f, 0.5f + a}, {0.97f, 0.7f + a}, {0.6f, 0.9f}, {0.03f, 0.86f + b}}, 1},
              {{{0.2f + a, 0.76f}, {0.34f, 0.5f + c}, {0.4f, 0.5f + c}, {0.3f + a, 0.8f}}, 0.8f},
              {{{0.66f, 0.72f}, {0.72f + b, 0.32f + c}, {0.8f + b, 0.3f + c}, {0.76f, 0.68f}}, 0.8f}};
    case 6: {                                                                                            // shirt: buttons, long or short sleeves
      const bool is_short = random.uniform() < 0.4f;
      auto parts = std::vector<Part>{{is_short ? top(0.05f + a, 0.38f + b, 0.08f, 0.06f) : top(0.06f + a, 0.8f + b, 0.07f, 0.07f), 0.9f}};
      for (int i = 0; i < 5; ++i) {
        const float y = 0.22f + 0.15f * static_cast<float>(i);
        parts.push_back({{{0.475f, y}, {0.525f, y}, {0.525f, y + 0.05f}, {0.475f, y + 0.05f}}, 0.7f});
      }
      return parts;
    }
    case 7:                                                                                              // sneaker
      return {{{{0.03f, 0.62f + b}, {0.3f, 0.54f + a}, {0.55f, 0.4f + c}, {0.7f, 0.46f}, {0.92f, 0.38f + a}, {0.97f, 0.74f}, {0.03f, 0.78f}}, 1},
              {{{0.02f, 0.76f}, {0.98f, 0.72f}, {0.98f, 0.82f}, {0.02f, 0.84f}}, 0.6f}};
    case 8:                                                                                              // bag: body and handle
      return {{mirrored({{0.5f, 0.12f + a}, {0.26f + b, 0.2f + a}, {0.24f + b, 0.42f}, {0.31f + b, 0.42f}, {0.33f + b, 0.26f + a}, {0.5f, 0.2f + a}}), 0.7f},
              {mirrored({{0.5f, 0.38f + c}, {0.08f + a, 0.38f + c}, {0.05f + b, 0.92f}, {0.5f, 0.92f}}), 1}};
    default:                                                                                             // ankle boot
      return {{{{0.04f, 0.66f + b}, {0.34f, 0.52f + a}, {0.46f + c, 0.12f + a}, {0.9f, 0.08f}, {0.95f, 0.6f}, {0.97f, 0.9f}, {0.04f, 0.88f}}, 1},
              {{{0.02f, 0.86f}, {0.98f, 0.86f}, {0.98f, 0.95f}, {0.02f, 0.93f}}, 0.6f}};
  }
}

}  // namespace

void draw_garment(int label, std::uint64_t seed, std::uint64_t stream, std::uint64_t index, std::span<std::uint8_t> pixels) {
  constexpr int side = 28;
  Random random(seed, stream, index << 12);
  const auto parts = garment(label, random);
  const float width = 26 * random.uniform(0.8f, 1.02f), height = 26 * random.uniform(0.84f, 1.02f);
  const float turn = 0.07f * random.normal(), c = std::cos(turn), s = std::sin(turn);
  const float cx = 13.5f + 1.1f * random.normal(), cy = 13.5f + 1.1f * random.normal();
  const Affine2 place{c * width, -s * height, cx - 0.5f * (c * width - s * height), s * width, c * height, cy - 0.5f * (s * width + c * height)};
  const float bright = random.uniform(0.3f, 1.0f), stripes = random.uniform() < 0.35f ? random.uniform(0.1f, 0.5f) : 0.0f;
  const float frequency = random.uniform(0.6f, 2.2f), phase = random.uniform(0, 6.28f), grain = random.uniform(0.02f, 0.1f);
  const bool upright = random.uniform() < 0.5f;
  std::array<float, side * side> ink{};
  for (const Part& part : parts) {
    Shape outline;
    for (const Point p : part.outline) outline.push_back(place({p.x + 0.012f * random.normal(), p.y + 0.012f * random.normal()}));
    fill(outline, bright * part.tone, ink, side, side);
  }
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const auto i = static_cast<std::size_t>(y * side + x);
      float value = ink[i];
      if (value > 0.02f) {
        value *= 1 - stripes * (0.5f + 0.5f * std::sin(frequency * static_cast<float>(upright ? x : y) + phase));
        value += grain * (2 * random.uniform() - 1);
      }
      pixels[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0f, 1.0f)));
    }
}

}  // namespace apical::data
