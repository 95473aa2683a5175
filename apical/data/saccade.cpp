#include "apical/data/saccade.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"

namespace apical::data {
namespace {

constexpr double step_us = 2000;  // the image moves at most a third of a pixel in it

// Centre of the digit at 5, 15, ..., 305 ms: least squares of (ON - OFF) counts of 138 recordings in windows of 10 ms on the
// gradient of their MNIST images (blurred by 0.6 px) moved to a trial place; the place that explains most, refined by a parabola.
constexpr std::array<EyePosition, 31> path = {{{13.95f, 14.55f}, {13.93f, 14.73f}, {13.90f, 15.28f}, {13.82f, 16.18f}, {13.87f, 17.38f},
                                               {14.22f, 18.52f}, {14.68f, 19.35f}, {15.05f, 19.68f}, {15.20f, 19.73f}, {15.28f, 19.70f},
                                               {15.46f, 19.68f}, {15.70f, 19.66f}, {16.14f, 19.52f}, {16.71f, 19.14f}, {17.39f, 18.26f},
                                               {17.86f, 17.09f}, {18.25f, 16.00f}, {18.52f, 15.29f}, {18.68f, 15.03f}, {18.85f, 14.90f},
                                               {19.09f, 14.86f}, {19.26f, 14.80f}, {19.22f, 14.78f}, {18.80f, 14.76f}, {18.07f, 14.70f},
                                               {17.04f, 14.70f}, {16.00f, 14.64f}, {15.18f, 14.54f}, {14.58f, 14.50f}, {14.38f, 14.46f},
                                               {14.36f, 14.42f}}};

/// Fast bell-shaped numbers: the sum of four bytes, scaled to variance 1 (bounded by 3.5, which is as well for a camera).
class Bell {
 public:
  Bell(std::uint64_t seed, std::uint64_t index) : random_(seed, "saccade/events"), at_(index << 20) {}
  std::uint32_t bits() noexcept {
    if (left_ == 0) {
      words_ = random_.block_at(at_++);
      left_ = 4;
    }
    return words_[static_cast<std::size_t>(--left_)];
  }
  float operator()() noexcept {
    const std::uint32_t w = bits();
    const int sum = static_cast<int>((w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24));
    return static_cast<float>(sum - 510) * (1.0f / 147.8f);
  }
  float uniform() noexcept { return static_cast<float>(bits() >> 8) * 0x1p-24f; }

 private:
  Random random_;
  std::uint64_t at_;
  std::array<std::uint32_t, 4> words_{};
  int left_ = 0;
};

std::vector<float> mismatch(const SaccadeCamera& camera, std::uint64_t seed) {
  Random random(seed, "saccade/mismatch");
  std::vector<float> factor(static_cast<std::size_t>(camera.width) * camera.height);
  for (float& f : factor) f = std::max(0.3f, 1 + camera.mismatch * random.normal());
  return factor;
}

/// log(floor + image), blurred, with `pad` pixels of background around.
struct LogImage {
  int width, height, pad;
  std::vector<float> level;
  const float* row(int y) const { return level.data() + static_cast<std::size_t>(std::clamp(y + pad, 0, height - 1)) * width; }
};

LogImage log_image(std::span<const std::uint8_t> image, int height, int width, const SaccadeCamera& camera) {
  const int pad = std::max(camera.width, camera.height);
  LogImage out{width + 2 * pad, height + 2 * pad, pad, {}};
  const int reach = static_cast<int>(std::ceil(3 * camera.blur_px));
  std::vector<float> kernel(static_cast<std::size_t>(2 * reach + 1));
  float sum = 0;
  for (int i = -reach; i <= reach; ++i)
    sum += kernel[static_cast<std::size_t>(i + reach)] =
        camera.blur_px > 0 ? std::exp(-0.5f * static_cast<float>(i * i) / (camera.blur_px * camera.blur_px)) : (i == 0 ? 1.0f : 0.0f);
  // Only the image and its blurred rim differ from the background.
  const int h = height + 2 * reach, w = width + 2 * reach;
  std::vector<float> rows(static_cast<std::size_t>(height) * w, 0.0f), both(static_cast<std::size_t>(h) * w, 0.0f);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const float v = static_cast<float>(image[static_cast<std::size_t>(y) * width + x]) / (255.0f * sum * sum);
      if (v == 0) continue;
      for (int k = 0; k <= 2 * reach; ++k) rows[static_cast<std::size_t>(y) * w + x + k] += v * kernel[static_cast<std::size_t>(k)];
    }
  for (int y = 0; y < height; ++y)
    for (int k = 0; k <= 2 * reach; ++k)
      for (int x = 0; x < w; ++x) both[static_cast<std::size_t>(y + k) * w + x] += rows[static_cast<std::size_t>(y) * w + x] * kernel[static_cast<std::size_t>(k)];
  const float dark = std::log(camera.floor);
  out.level.assign(static_cast<std::size_t>(out.width) * out.height, dark);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const float v = both[static_cast<std::size_t>(y) * w + x];
      if (v > 0) out.level[static_cast<std::size_t>(y + pad - reach) * out.width + x + pad - reach] = std::log(camera.floor + v);
    }
  return out;
}

/// What every pixel of the sensor sees when the image's centre lies at `eye`.
void project(const LogImage& image, const SaccadeCamera& camera, EyePosition eye, float half_width, float half_height, std::vector<float>& level) {
  const float u = half_width - eye.x, v = half_height - eye.y;
  const int iu = static_cast<int>(std::floor(u)), iv = static_cast<int>(std::floor(v));
  const float fu = u - static_cast<float>(iu), fv = v - static_cast<float>(iv);
  const float w00 = (1 - fu) * (1 - fv), w01 = fu * (1 - fv), w10 = (1 - fu) * fv, w11 = fu * fv;
  const int from = std::clamp(iu + image.pad, 0, image.width - camera.width - 1);
  for (int y = 0; y < camera.height; ++y) {
    const float *a = image.row(y + iv) + from, *b = image.row(y + iv + 1) + from;
    float* out = level.data() + static_cast<std::size_t>(y) * camera.width;
    for (int x = 0; x < camera.width; ++x) out[x] = w00 * a[x] + w01 * a[x + 1] + w10 * b[x] + w11 * b[x + 1];
  }
}

/// The pixels and their memory.
struct Retina {
  std::vector<float> reference, threshold, blind_until;
};

/// One pixel through one step, from level `before` at t0 to `after` at t0 + step: appends its events.
void pixel_step(Retina& retina, std::size_t i, const SaccadeCamera& camera, float own, float before, float after, float t0, Bell& bell,
                std::vector<formats::Event>& events) {
  const float t1 = t0 + static_cast<float>(step_us), slope = (after - before) / static_cast<float>(step_us);
  float t = t0, level = before;
  for (;;) {
    if (retina.blind_until[i] > t) {
      if (retina.blind_until[i] >= t1) return;
      t = retina.blind_until[i];
      level = before + slope * (t - t0);
      retina.reference[i] = level;
      retina.blind_until[i] = 0;
    }
    const float change = after - retina.reference[i];
    if (std::abs(change) < retina.threshold[i]) return;
    const float crossing = retina.reference[i] + std::copysign(retina.threshold[i], change);
    const float wait = slope != 0 ? std::clamp((crossing - level) / slope, 0.0f, t1 - t) : 0.0f;
    t += wait;
    const bool brighter = change > 0;
    const float when = t + camera.latency_jitter_us * bell();
    formats::Event e;
    e.t = std::max<std::int64_t>(0, static_cast<std::int64_t>(when));
    e.x = static_cast<std::uint16_t>(i % static_cast<std::size_t>(camera.width));
    e.y = static_cast<std::uint16_t>(i / static_cast<std::size_t>(camera.width));
    e.polarity = brighter != camera.inverted ? 1 : 0;
    events.push_back(e);
    retina.blind_until[i] = t + std::max(1.0f, camera.refractory_us * (1 + 0.1f * bell()));
    retina.threshold[i] = own * std::max(0.3f, 1 + camera.jitter * bell());
  }
}

void add_noise(const SaccadeCamera& camera, Bell& bell, std::vector<formats::Event>& events) {
  const double pixels = static_cast<double>(camera.width) * camera.height;
  if (camera.noise_hz <= 0) return;
  const double gap_us = 1e6 / (static_cast<double>(camera.noise_hz) * pixels);
  for (double t = 0;;) {
    t -= gap_us * std::log(1.0 - static_cast<double>(bell.uniform()));
    if (t >= camera.duration_us) return;
    const auto at = static_cast<std::uint32_t>(static_cast<double>(bell.uniform()) * pixels);
    formats::Event e;
    e.t = static_cast<std::int64_t>(t);
    e.x = static_cast<std::uint16_t>(at % static_cast<std::uint32_t>(camera.width));
    e.y = static_cast<std::uint16_t>(at / static_cast<std::uint32_t>(camera.width));
    e.polarity = bell.uniform() < camera.noise_on ? 1 : 0;
    events.push_back(e);
  }
}

std::vector<formats::Event> simulate(std::span<const std::uint8_t> image, int height, int width, const SaccadeCamera& camera,
                                     const std::vector<float>& factor, std::uint64_t seed, std::uint64_t index) {
  Bell bell(seed, index);
  const float size = 1 + camera.path_jitter * bell();
  const EyePosition place{camera.place_jitter_px * bell() + 0.5f * static_cast<float>(camera.width - 34),
                          camera.place_jitter_px * bell() + 0.5f * static_cast<float>(camera.height - 34)};
  const float drift = std::max(0.5f, 1 + camera.drift * bell());
  const LogImage seen = log_image(image, height, width, camera);
  const float half_width = 0.5f * static_cast<float>(width - 1), half_height = 0.5f * static_cast<float>(height - 1);
  EyePosition shake;
  auto eye_at = [&](double t) {
    // An Ornstein-Uhlenbeck walk with a memory of about 10 ms.
    shake.x = 0.8f * shake.x + 0.6f * camera.shake_px * bell();
    shake.y = 0.8f * shake.y + 0.6f * camera.shake_px * bell();
    const EyePosition p = eye_position(t);
    return EyePosition{16.5f + size * (p.x - 16.5f) + place.x + shake.x, 16.5f + size * (p.y - 16.5f) + place.y + shake.y};
  };
  const std::size_t n = factor.size();
  std::vector<float> before(n), after(n), own(n);
  project(seen, camera, eye_at(0), half_width, half_height, before);
  Retina retina{before, std::vector<float>(n), std::vector<float>(n, 0.0f)};
  for (std::size_t i = 0; i < n; ++i) {
    own[i] = camera.threshold * drift * factor[i];
    // Nothing is known of what a pixel has seen before: its first threshold lies anywhere within one step.
    retina.threshold[i] = own[i] * (0.6f + 0.4f * bell.uniform());
  }
  const float follow = camera.adaptation_us > 0 ? 1 - std::exp(-static_cast<float>(step_us) / camera.adaptation_us) : 0.0f;
  std::vector<formats::Event> events;
  events.reserve(6000);
  for (double t = 0; t + step_us <= camera.duration_us + 1; t += step_us) {
    project(seen, camera, eye_at(t + step_us), half_width, half_height, after);
    const float t0 = static_cast<float>(t);
    for (std::size_t i = 0; i < n; ++i) retina.reference[i] += follow * (before[i] - retina.reference[i]);
    for (std::size_t i = 0; i < n; ++i) {
      if (retina.blind_until[i] <= t0 && std::abs(after[i] - retina.reference[i]) < retina.threshold[i]) continue;
      pixel_step(retina, i, camera, own[i], before[i], after[i], t0, bell, events);
    }
    before.swap(after);
  }
  add_noise(camera, bell, events);
  std::sort(events.begin(), events.end(), [](const formats::Event& a, const formats::Event& b) {
    return std::tie(a.t, a.y, a.x, a.polarity) < std::tie(b.t, b.y, b.x, b.polarity);
  });
  return events;
}

void check(const SaccadeCamera& camera) {
  if (camera.width < 1 || camera.height < 1 || camera.width > 1024 || camera.height > 1024)
    throw usage_error("the camera must have 1 to 1024 pixels a side", "SaccadeCamera");
  if (!(camera.floor > 0) || !(camera.threshold > 0) || !(camera.refractory_us >= 0) || !(camera.duration_us >= step_us) ||
      !(camera.blur_px >= 0 && camera.blur_px < 100) || !(camera.noise_hz >= 0))
    throw usage_error("floor and threshold must be positive, times and rates not negative, the duration at least 2 ms", "SaccadeCamera");
}

}  // namespace

EyePosition eye_position(double t_us) {
  const double at = std::clamp(t_us / 10000.0 - 0.5, 0.0, static_cast<double>(path.size() - 1));
  const int i = std::min(static_cast<int>(at), static_cast<int>(path.size()) - 2), last = static_cast<int>(path.size()) - 1;
  const auto f = static_cast<float>(at - i);
  // Catmull-Rom between the measured places.
  const EyePosition a = path[static_cast<std::size_t>(std::max(0, i - 1))], b = path[static_cast<std::size_t>(i)],
                    c = path[static_cast<std::size_t>(i + 1)], d = path[static_cast<std::size_t>(std::min(last, i + 2))];
  auto blend = [f](float p, float q, float r, float s) {
    return q + 0.5f * f * (r - p + f * (2 * p - 5 * q + 4 * r - s + f * (3 * (q - r) + s - p)));
  };
  return {blend(a.x, b.x, c.x, d.x), blend(a.y, b.y, c.y, d.y)};
}

std::vector<formats::Event> simulate_saccades(std::span<const std::uint8_t> image, int height, int width, const SaccadeCamera& camera,
                                              std::uint64_t seed, std::uint64_t index) {
  check(camera);
  if (height < 1 || width < 1 || image.size() != static_cast<std::size_t>(height) * width)
    throw usage_error("the image does not have height x width pixels", "simulate_saccades");
  return simulate(image, height, width, camera, mismatch(camera, seed), seed, index);
}

Set simulate_saccades(const Set& images, const SaccadeCamera& camera, std::uint64_t seed) {
  check(camera);
  if (images.kind != Kind::image || images.channels != 1)
    throw usage_error("the event camera looks at images of one channel", "data set '" + images.name + "'");
  Set set;
  set.name = images.name == "mnist" ? "n-mnist" : images.name + "-events";
  set.split = images.split;
  set.kind = Kind::events;
  set.synthetic = true;
  set.subset = images.subset;
  set.classes = images.classes;
  set.labels = images.labels;
  set.ids = images.ids;
  set.channels = 2;
  set.height = camera.height;
  set.width = camera.width;
  set.recordings.resize(images.size());
  const auto factor = mismatch(camera, seed);
  // The two splits draw from different streams.
  const std::uint64_t stream_seed = seed ^ (stream_id("saccade/" + images.split) << 1);
  const std::size_t n = images.pixel_count();
  parallel_for(0, images.size(), 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      set.recordings[i] = simulate({images.pixels.data() + i * n, n}, images.height, images.width, camera, factor, stream_seed, i);
  });
  const std::string source = images.sha256 + "/saccades/" + std::to_string(seed);
  set.sha256 = sha256_hex({reinterpret_cast<const std::uint8_t*>(source.data()), source.size()});
  return set;
}

}  // namespace apical::data
