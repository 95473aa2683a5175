#include <algorithm>
#include <array>
#include <cmath>

#include "apical/data/synthetic_parts.h"

namespace apical::data {
namespace {

constexpr float rate = 8000, pi = 3.14159265f;

/// A sound of a word: how long, voiced or hissing, and the first three resonances at its beginning and end (Hz).
struct Sound {
  float length;          ///< s
  float voice, hiss;     ///< 0..1
  std::array<float, 3> from, to;
};

/// Rough vowel and consonant resonances of the ten English words (a twin, no phonetics).
const std::vector<Sound>& word(int digit) {
  static const std::array<std::vector<Sound>, 10> words = {{
      {{0.07f, 0.4f, 0.6f, {250, 1800, 3000}, {300, 1900, 2600}}, {0.12f, 1, 0, {320, 2100, 2700}, {420, 1400, 1700}},
       {0.2f, 1, 0, {480, 1000, 2400}, {380, 800, 2300}}},                                                             // zero
      {{0.08f, 1, 0, {300, 650, 2200}, {600, 1100, 2400}}, {0.14f, 1, 0, {640, 1190, 2390}, {620, 1200, 2400}},
       {0.12f, 0.5f, 0, {250, 1300, 2300}, {250, 1300, 2300}}},                                                        // one
      {{0.05f, 0, 1, {1800, 2800, 3500}, {1500, 2500, 3400}}, {0.25f, 1, 0, {320, 1500, 2300}, {300, 900, 2250}}},     // two
      {{0.08f, 0, 0.4f, {1400, 2600, 3600}, {1400, 2600, 3600}}, {0.07f, 1, 0, {350, 1300, 1600}, {300, 1700, 2000}},
       {0.22f, 1, 0, {280, 2250, 2900}, {270, 2300, 3000}}},                                                           // three
      {{0.09f, 0, 0.4f, {1200, 2300, 3500}, {1000, 2200, 3400}}, {0.2f, 1, 0, {570, 840, 2400}, {500, 900, 2000}},
       {0.1f, 0.8f, 0, {450, 1200, 1600}, {420, 1300, 1650}}},                                                         // four
      {{0.09f, 0, 0.4f, {1200, 2300, 3500}, {1000, 2200, 3400}}, {0.24f, 1, 0, {750, 1150, 2500}, {350, 2000, 2600}},
       {0.08f, 0.4f, 0.2f, {250, 1200, 2400}, {220, 1200, 2400}}},                                                     // five
      {{0.12f, 0, 1, {2500, 3200, 3800}, {2500, 3200, 3800}}, {0.09f, 1, 0, {400, 1950, 2550}, {390, 1900, 2500}},
       {0.06f, 0, 0, {400, 1900, 2500}, {400, 1900, 2500}}, {0.13f, 0, 0.9f, {2400, 3100, 3800}, {2500, 3200, 3800}}}, // six
      {{0.11f, 0, 1, {2500, 3200, 3800}, {2500, 3200, 3800}}, {0.12f, 1, 0, {550, 1770, 2490}, {500, 1600, 2450}},
       {0.06f, 0.5f, 0.1f, {250, 1200, 2400}, {250, 1200, 2400}}, {0.13f, 0.8f, 0, {500, 1500, 2500}, {260, 1350, 2350}}},  // seven
      {{0.22f, 1, 0, {530, 1850, 2500}, {320, 2200, 2800}}, {0.07f, 0, 0, {400, 1900, 2500}, {400, 1900, 2500}},
       {0.05f, 0, 0.7f, {1800, 2800, 3500}, {1700, 2700, 3400}}},                                                      // eight
      {{0.08f, 0.5f, 0, {250, 1350, 2300}, {280, 1400, 2300}}, {0.24f, 1, 0, {730, 1150, 2450}, {350, 2050, 2600}},
       {0.12f, 0.5f, 0, {250, 1350, 2300}, {250, 1350, 2300}}},                                                        // nine
  }};
  return words[static_cast<std::size_t>(digit)];
}

/// A two-pole resonance.
struct Resonator {
  float y1 = 0, y2 = 0;
  float operator()(float x, float hz, float band) noexcept {
    const float r = std::exp(-pi * band / rate), y = (1 - r) * x + 2 * r * std::cos(2 * pi * hz / rate) * y1 - r * r * y2;
    y2 = y1;
    return y1 = y;
  }
};

}  // namespace

std::vector<float> speak_digit(int digit, std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  Random random(seed, stream, index << 20);
  const float pitch = random.uniform(85, 230), tract = random.uniform(0.88f, 1.15f), tempo = random.uniform(0.75f, 1.35f);
  const float fall = random.uniform(-0.25f, 0.1f), breath = random.uniform(0.01f, 0.06f), room = random.uniform(0.002f, 0.02f);
  const float loudness = random.uniform(0.2f, 0.8f);
  std::vector<float> clip;
  std::array<Resonator, 3> mouth;
  float phase = random.uniform();
  const auto& sounds = word(digit);
  float total = 0, done = 0;
  for (const Sound& s : sounds) total += s.length;
  for (const Sound& s : sounds) {
    const float length = s.length * tempo * random.uniform(0.85f, 1.15f), bend = 1 + 0.04f * random.normal();
    const int n = static_cast<int>(length * rate);
    for (int i = 0; i < n; ++i) {
      const float f = static_cast<float>(i) / static_cast<float>(n), at = (done + f * s.length) / total;
      phase += pitch * (1 + fall * at) / rate;
      float pulse = 0;
      if (phase >= 1) {
        phase -= 1;
        pulse = 6;
      }
      const float noise = 2 * random.uniform() - 1;
      const float source = s.voice * (pulse + breath * noise) + 0.5f * s.hiss * noise;
      float out = 0;
      for (std::size_t k = 0; k < 3; ++k) {
        const float hz = std::min(3900.0f, (s.from[k] + (s.to[k] - s.from[k]) * f) * tract * bend);
        out += mouth[k](source, hz, 60.0f + 40.0f * static_cast<float>(k)) * (k == 0 ? 1.0f : 0.7f);
      }
      const float edge = std::min({1.0f, at * 12, (1 - at) * 10});
      clip.push_back(out * std::max(0.0f, edge));
    }
    done += s.length;
  }
  float peak = 1e-6f;
  for (const float v : clip) peak = std::max(peak, std::abs(v));
  for (float& v : clip) v = std::clamp(loudness * v / peak + room * (2 * random.uniform() - 1), -1.0f, 1.0f);
  return clip;
}

}  // namespace apical::data
