#include "apical/data/image_fit.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"

namespace apical::data {
namespace {

/// A plane of values 0..255.
struct Plane {
  int width = 0, height = 0;
  std::vector<float> v;
  float& at(int y, int x) { return v[static_cast<std::size_t>(y) * width + x]; }
  float at(int y, int x) const { return v[static_cast<std::size_t>(y) * width + x]; }
};

Plane make(int height, int width, float value) {
  return {width, height, std::vector<float>(static_cast<std::size_t>(width) * height, value)};
}

/// Channel c (0..2) of the picture, or its grey value, over white where it is transparent.
std::vector<Plane> planes(const formats::Image& image, int channels) {
  std::vector<Plane> out(static_cast<std::size_t>(channels), make(image.height, image.width, 0));
  const std::size_t n = static_cast<std::size_t>(image.width) * image.height;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* p = image.pixels.data() + i * static_cast<std::size_t>(image.channels);
    float rgb[3];
    for (int c = 0; c < 3; ++c) {
      const float v = p[image.channels == 1 ? 0 : c];
      rgb[c] = image.channels == 4 ? 255 + (v - 255) * static_cast<float>(p[3]) / 255 : v;
    }
    if (channels == 1) out[0].v[i] = image.channels == 1 ? rgb[0] : 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    else
      for (int c = 0; c < 3; ++c) out[static_cast<std::size_t>(c)].v[i] = rgb[c];
  }
  return out;
}

/// Weights of one axis: output i is the mean of the input under [i, i + 1) * scale (area), or between its neighbours when growing.
struct Tap {
  int from;
  std::vector<float> weights;
};
std::vector<Tap> taps(int in, int out) {
  std::vector<Tap> list(static_cast<std::size_t>(out));
  const double scale = static_cast<double>(in) / out;
  for (int i = 0; i < out; ++i) {
    Tap& tap = list[static_cast<std::size_t>(i)];
    if (scale >= 1) {
      const double lo = i * scale, hi = std::min<double>(in, (i + 1) * scale);
      tap.from = std::min(in - 1, static_cast<int>(lo));
      for (int k = tap.from; k < in && k < hi; ++k)
        tap.weights.push_back(static_cast<float>((std::min<double>(k + 1, hi) - std::max<double>(k, lo)) / (hi - lo)));
    } else {
      const double centre = std::clamp((i + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
      tap.from = std::min(static_cast<int>(centre), std::max(0, in - 2));
      const auto f = static_cast<float>(centre - tap.from);
      tap.weights = in > 1 ? std::vector<float>{1 - f, f} : std::vector<float>{1};
    }
  }
  return list;
}

Plane resize(const Plane& in, int height, int width) {
  const auto tx = taps(in.width, width), ty = taps(in.height, height);
  Plane rows = make(in.height, width, 0), out = make(height, width, 0);
  for (int y = 0; y < in.height; ++y)
    for (int x = 0; x < width; ++x) {
      const Tap& tap = tx[static_cast<std::size_t>(x)];
      for (std::size_t k = 0; k < tap.weights.size(); ++k) rows.at(y, x) += tap.weights[k] * in.at(y, tap.from + static_cast<int>(k));
    }
  for (int y = 0; y < height; ++y) {
    const Tap& tap = ty[static_cast<std::size_t>(y)];
    for (std::size_t k = 0; k < tap.weights.size(); ++k)
      for (int x = 0; x < width; ++x) out.at(y, x) += tap.weights[k] * rows.at(tap.from + static_cast<int>(k), x);
  }
  return out;
}

/// Median of the outermost pixels: the ground.
float border(const Plane& p) {
  std::vector<float> edge;
  for (int x = 0; x < p.width; ++x) {
    edge.push_back(p.at(0, x));
    edge.push_back(p.at(p.height - 1, x));
  }
  for (int y = 0; y < p.height; ++y) {
    edge.push_back(p.at(y, 0));
    edge.push_back(p.at(y, p.width - 1));
  }
  std::nth_element(edge.begin(), edge.begin() + static_cast<std::ptrdiff_t>(edge.size() / 2), edge.end());
  return edge[edge.size() / 2];
}

Plane crop(const Plane& p, int y0, int y1, int x0, int x1) {
  Plane out = make(y1 - y0, x1 - x0, 0);
  for (int y = y0; y < y1; ++y)
    for (int x = x0; x < x1; ++x) out.at(y - y0, x - x0) = p.at(y, x);
  return out;
}

/// The picture scaled into a box, as large as its aspect allows.
Plane into_box(const Plane& p, int height, int width) {
  const double scale = std::min(static_cast<double>(height) / p.height, static_cast<double>(width) / p.width);
  return resize(p, std::clamp(static_cast<int>(std::lround(p.height * scale)), 1, height),
                std::clamp(static_cast<int>(std::lround(p.width * scale)), 1, width));
}

void paste(const Plane& from, int y0, int x0, Plane& to) {
  for (int y = 0; y < from.height; ++y)
    for (int x = 0; x < from.width; ++x)
      if (y + y0 >= 0 && y + y0 < to.height && x + x0 >= 0 && x + x0 < to.width) to.at(y + y0, x + x0) = from.at(y, x);
}

/// Crop to the ink, 20/28 of the size, centre of mass in the middle. Expects light ink on a dark ground.
Plane as_digit(const Plane& p, int height, int width) {
  const float ground = border(p);
  float brightest = ground;
  for (const float v : p.v) brightest = std::max(brightest, v);
  Plane out = make(height, width, 0);
  if (brightest - ground < 8) return out;  // nothing is written there
  // Ink is stretched to the full range: a photographed grey pen becomes white.
  Plane ink = p;
  for (float& v : ink.v) v = std::clamp((v - ground) * 255 / (brightest - ground), 0.0f, 255.0f);
  int y0 = p.height, y1 = 0, x0 = p.width, x1 = 0;
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x)
      if (ink.at(y, x) > 64) {
        y0 = std::min(y0, y);
        y1 = std::max(y1, y + 1);
        x0 = std::min(x0, x);
        x1 = std::max(x1, x + 1);
      }
  const Plane small = into_box(crop(ink, y0, y1, x0, x1), std::max(1, height * 20 / 28), std::max(1, width * 20 / 28));
  double mass = 0, my = 0, mx = 0;
  for (int y = 0; y < small.height; ++y)
    for (int x = 0; x < small.width; ++x) {
      mass += small.at(y, x);
      my += static_cast<double>(small.at(y, x)) * y;
      mx += static_cast<double>(small.at(y, x)) * x;
    }
  const int at_y = std::clamp(static_cast<int>(std::lround(0.5 * height - 0.5 - my / mass)), 0, height - small.height);
  const int at_x = std::clamp(static_cast<int>(std::lround(0.5 * width - 0.5 - mx / mass)), 0, width - small.width);
  paste(small, at_y, at_x, out);
  return out;
}

}  // namespace

std::vector<std::uint8_t> fit_image(const formats::Image& image, const FitOptions& options) {
  if (options.channels != 1 && options.channels != 3)
    throw usage_error("pictures become 1 (grey) or 3 (colour) channels, not " + std::to_string(options.channels), "fit_image");
  if (options.height < 1 || options.width < 1 || image.width < 1 || image.height < 1)
    throw usage_error("a picture needs at least one pixel", "fit_image");
  auto all = planes(image, options.channels);
  const float ground = border(all.size() == 1 ? all[0] : planes(image, 1)[0]);
  const bool invert = options.invert == Invert::always || (options.invert == Invert::automatic && options.fit == Fit::digit && ground > 127);
  const bool fits = image.width == options.width && image.height == options.height;
  std::vector<std::uint8_t> out;
  for (Plane& p : all) {
    if (invert)
      for (float& v : p.v) v = 255 - v;
    if (!fits || (invert && options.fit == Fit::digit)) {
      if (options.fit == Fit::stretch) p = resize(p, options.height, options.width);
      else if (options.fit == Fit::digit) p = as_digit(p, options.height, options.width);
      else {
        const Plane small = into_box(p, options.height, options.width);
        Plane framed = make(options.height, options.width, border(p));
        paste(small, (options.height - small.height) / 2, (options.width - small.width) / 2, framed);
        p = framed;
      }
    }
    for (const float v : p.v) out.push_back(static_cast<std::uint8_t>(std::clamp<long>(std::lround(v), 0, 255)));
  }
  return out;
}

}  // namespace apical::data
