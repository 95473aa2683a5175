#include "apical/data/encoders.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/data/event_representations.h"

namespace apical::data {
namespace {

struct Parameter {
  const char* name;
  double value, low, high;
};
struct KindInfo {
  const char* name;
  std::vector<Parameter> parameters;
  bool image, events, audio;
};

const std::vector<KindInfo>& kinds() {
  static const std::vector<KindInfo> all = {
      {"direct", {}, true, false, false},
      {"rate", {{"gain", 1, 0, 1e6}}, true, false, false},
      {"latency", {{"threshold", 0.1, 0, 1}}, true, false, false},
      {"delta", {{"threshold", 0.25, 1e-6, 1e6}}, true, false, true},
      {"population", {{"fields", 8, 2, 256}, {"beta", 1.5, 1e-3, 1e3}, {"threshold", 0.1, 0, 1}}, true, false, false},
      {"event_frames", {{"clip", 0, 0, 1e9}, {"duration_us", 0, 0, 1e12}}, false, true, false},
  };
  return all;
}

const KindInfo& info(const Encoder& encoder) {
  for (const KindInfo& kind : kinds())
    if (encoder.kind == kind.name) return kind;
  throw usage_error("unknown encoder '" + encoder.kind + "'", "encoder.kind", did_you_mean(encoder.kind, encoder_kinds()));
}

float parameter(const Encoder& encoder, const KindInfo& kind, const char* name) {
  if (const auto found = encoder.parameters.find(name); found != encoder.parameters.end()) return static_cast<float>(found->second);
  for (const Parameter& p : kind.parameters)
    if (std::string_view(p.name) == name) return static_cast<float>(p.value);
  throw internal_error(std::string("encoder parameter without a default: ") + name);
}

/// The affine map of channel c: x * scale + shift.
struct Channel {
  float scale = 1, shift = 0;
};
Channel channel(const Preprocess& preprocess, int c, float unit) {
  const auto at = static_cast<std::size_t>(c);
  const float mean = at < preprocess.mean.size() ? preprocess.mean[at] : 0.0f, std = at < preprocess.std.size() ? preprocess.std[at] : 1.0f;
  return {unit / std, -mean / std};
}

void check(const Encoder& encoder, const KindInfo& kind, const Preprocess& preprocess, const Set& set, int T) {
  const bool takes = set.kind == Kind::image ? kind.image : set.kind == Kind::events ? kind.events : kind.audio;
  if (!takes) {
    const char* sample = set.kind == Kind::image ? "images" : set.kind == Kind::events ? "event recordings" : "audio clips";
    throw usage_error("encoder '" + encoder.kind + "' does not take " + sample, "data set '" + set.name + "'",
                      set.kind == Kind::events ? "Use event_frames." : set.kind == Kind::image ? "Use direct, rate, latency, delta or population."
                                                                                              : "Use delta.");
  }
  if (T < 1) throw usage_error("the number of steps T must be at least 1, not " + std::to_string(T), "T");
  for (const auto* values : {&preprocess.mean, &preprocess.std})
    if (!values->empty() && values->size() != static_cast<std::size_t>(set.channels))
      throw usage_error("preprocess.mean and preprocess.std need one value a channel (" + std::to_string(set.channels) + "), not " +
                            std::to_string(values->size()), "preprocess");
  for (const float s : preprocess.std)
    if (!(s > 0)) throw usage_error("preprocess.std must be positive", "preprocess.std");
}

void direct(const Preprocess& preprocess, const Set& set, const std::uint8_t* pixels, int T, float* out) {
  const std::size_t plane = static_cast<std::size_t>(set.height) * set.width, frame = set.pixel_count();
  for (int c = 0; c < set.channels; ++c) {
    const auto [scale, shift] = channel(preprocess, c, 1.0f / 255.0f);
    for (std::size_t i = c * plane; i < (c + 1) * plane; ++i) out[i] = static_cast<float>(pixels[i]) * scale + shift;
  }
  for (int t = 1; t < T; ++t) std::copy(out, out + frame, out + t * frame);
}

void rate(float gain, std::uint64_t seed, const std::uint8_t* pixels, std::size_t n, std::size_t index, int T, float* out) {
  const Random random(seed, "encode/rate");
  // 2^40 numbers a sample: no two samples share any.
  const std::uint64_t base = static_cast<std::uint64_t>(index) << 40;
  for (int t = 0; t < T; ++t) {
    const std::uint64_t step = base + static_cast<std::uint64_t>(t) * ((n + 3) / 4 * 4);
    for (std::size_t i = 0; i < n; i += 4) {
      const auto words = random.block_at((step + i) >> 2);
      for (std::size_t k = 0; k < 4 && i + k < n; ++k) {
        const float p = gain * (static_cast<float>(pixels[i + k]) / 255.0f), u = static_cast<float>(words[k] >> 8) * 0x1p-24f;
        out[t * n + i + k] = u < p ? 1.0f : 0.0f;
      }
    }
  }
}

int spike_step(float activation, int T) {
  return std::min(T - 1, static_cast<int>((1.0f - activation) * static_cast<float>(T)));
}

void latency(float threshold, const std::uint8_t* pixels, std::size_t n, int T, float* out) {
  std::fill(out, out + static_cast<std::size_t>(T) * n, 0.0f);
  for (std::size_t i = 0; i < n; ++i) {
    const float v = static_cast<float>(pixels[i]) / 255.0f;
    if (v > threshold) out[static_cast<std::size_t>(spike_step(v, T)) * n + i] = 1.0f;
  }
}

void population(int fields, float beta, float threshold, const Set& set, const std::uint8_t* pixels, int T, float* out) {
  const std::size_t plane = static_cast<std::size_t>(set.height) * set.width, n = set.pixel_count(), frame = n * static_cast<std::size_t>(fields);
  std::fill(out, out + static_cast<std::size_t>(T) * frame, 0.0f);
  const float width = 1.0f / (beta * static_cast<float>(fields - 1));
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t c = i / plane, at = i % plane;
    const float v = static_cast<float>(pixels[i]) / 255.0f;
    for (int k = 0; k < fields; ++k) {
      const float d = (v - static_cast<float>(k) / static_cast<float>(fields - 1)) / width, activation = std::exp(-0.5f * d * d);
      if (activation > threshold)
        out[static_cast<std::size_t>(spike_step(activation, T)) * frame + (c * fields + static_cast<std::size_t>(k)) * plane + at] = 1.0f;
    }
  }
}

void event_frames(const Preprocess& preprocess, float clip, double duration_us, const Set& set, const std::vector<formats::Event>& events,
                  int T, float* out) {
  const std::size_t plane = static_cast<std::size_t>(set.height) * set.width, frame = 2 * plane;
  std::fill(out, out + static_cast<std::size_t>(T) * frame, 0.0f);
  std::int64_t start = 0, duration = static_cast<std::int64_t>(duration_us);
  if (duration <= 0 && !events.empty()) {
    start = events.front().t;
    duration = events.back().t - start + 1;
  }
  for (const formats::Event& e : events) {
    const std::int64_t t = e.t - start;
    if (t >= 0 && t < duration) add_count(e, set.width, set.height, out + static_cast<std::size_t>(t * T / duration) * frame);
  }
  for (int c = 0; c < 2; ++c) {
    const auto [scale, shift] = channel(preprocess, c, 1.0f);
    for (int t = 0; t < T; ++t) {
      float* values = out + static_cast<std::size_t>(t) * frame + static_cast<std::size_t>(c) * plane;
      for (std::size_t i = 0; i < plane; ++i) values[i] = (clip > 0 ? std::min(values[i], clip) : values[i]) * scale + shift;
    }
  }
}

void delta_image(float threshold, const std::uint8_t* pixels, std::size_t n, int T, float* out) {
  std::vector<float> ramp(static_cast<std::size_t>(T) * n);
  for (int t = 0; t < T; ++t)
    for (std::size_t i = 0; i < n; ++i)
      ramp[static_cast<std::size_t>(t) * n + i] = static_cast<float>(pixels[i]) / 255.0f * static_cast<float>(t + 1) / static_cast<float>(T);
  delta_code(ramp, n, threshold, 0.0f, {out, ramp.size()});
}

void delta_clip(float threshold, const std::vector<float>& clip, int T, float* out) {
  std::vector<float> level(static_cast<std::size_t>(T));
  for (int t = 0; t < T; ++t) {
    const std::size_t from = clip.size() * static_cast<std::size_t>(t) / T, to = clip.size() * (static_cast<std::size_t>(t) + 1) / T;
    float sum = 0;
    for (std::size_t i = from; i < to; ++i) sum += std::abs(clip[i]);
    level[static_cast<std::size_t>(t)] = to > from ? sum / static_cast<float>(to - from) : 0.0f;
  }
  delta_code(level, 1, threshold, 0.0f, {out, level.size()});
}

}  // namespace

const std::vector<std::string>& encoder_kinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const KindInfo& kind : kinds()) list.emplace_back(kind.name);
    return list;
  }();
  return names;
}

void validate(const Encoder& encoder) {
  const KindInfo& kind = info(encoder);
  for (const auto& [name, value] : encoder.parameters) {
    std::vector<std::string> known;
    const Parameter* found = nullptr;
    for (const Parameter& p : kind.parameters) {
      known.emplace_back(p.name);
      if (name == p.name) found = &p;
    }
    if (!found)
      throw usage_error("encoder '" + encoder.kind + "' has no parameter '" + name + "'", "encoder." + name,
                        known.empty() ? "It takes none." : did_you_mean(name, known));
    if (!(value >= found->low && value <= found->high))
      throw usage_error("encoder parameter '" + name + "' must lie in " + number(found->low) + " .. " + number(found->high) + ", not " +
                            number(value), "encoder." + name);
  }
}

FrameShape frame_shape(const Encoder& encoder, const Set& set) {
  const KindInfo& kind = info(encoder);
  check(encoder, kind, {}, set, 1);
  if (set.kind == Kind::audio) return {1, 1, 1};
  if (encoder.kind == "population") return {set.channels * static_cast<int>(parameter(encoder, kind, "fields")), set.height, set.width};
  return {set.channels, set.height, set.width};
}

void encode(const Encoder& encoder, const Preprocess& preprocess, const Set& set, std::size_t index, int T, float* out) {
  const KindInfo& kind = info(encoder);
  check(encoder, kind, preprocess, set, T);
  if (index >= set.size()) throw internal_error("sample index out of range", "encode");
  const std::size_t n = set.pixel_count();
  if (set.kind == Kind::events)
    return event_frames(preprocess, parameter(encoder, kind, "clip"),
                        encoder.parameters.count("duration_us") ? encoder.parameters.at("duration_us") : 0.0, set, set.recordings[index], T, out);
  if (set.kind == Kind::audio) return delta_clip(parameter(encoder, kind, "threshold"), set.clips[index], T, out);
  const std::uint8_t* pixels = set.pixels.data() + index * n;
  if (encoder.kind == "direct") return direct(preprocess, set, pixels, T, out);
  if (encoder.kind == "rate") return rate(parameter(encoder, kind, "gain"), encoder.seed, pixels, n, index, T, out);
  if (encoder.kind == "latency") return latency(parameter(encoder, kind, "threshold"), pixels, n, T, out);
  if (encoder.kind == "delta") return delta_image(parameter(encoder, kind, "threshold"), pixels, n, T, out);
  population(static_cast<int>(parameter(encoder, kind, "fields")), parameter(encoder, kind, "beta"), parameter(encoder, kind, "threshold"),
             set, pixels, T, out);
}

void encode_batch(const Encoder& encoder, const Preprocess& preprocess, const Set& set, std::span<const std::uint32_t> indices, int T,
                  float* out) {
  const std::size_t frame = frame_shape(encoder, set).size(), batch = indices.size();
  parallel_for(0, batch, 8, [&](std::size_t begin, std::size_t end) {
    std::vector<float> sample(static_cast<std::size_t>(std::max(T, 1)) * frame);
    for (std::size_t b = begin; b < end; ++b) {
      encode(encoder, preprocess, set, indices[b], T, sample.data());
      for (int t = 0; t < T; ++t)
        std::copy_n(sample.data() + static_cast<std::size_t>(t) * frame, frame, out + (static_cast<std::size_t>(t) * batch + b) * frame);
    }
  });
}

void delta_code(std::span<const float> sequence, std::size_t n, float threshold, float start, std::span<float> out) {
  std::vector<float> reference(n, start);
  for (std::size_t at = 0; at + n <= sequence.size(); at += n)
    for (std::size_t i = 0; i < n; ++i) {
      const float moved = sequence[at + i] - reference[i];
      const float spike = moved >= threshold ? 1.0f : moved <= -threshold ? -1.0f : 0.0f;
      reference[i] += spike * threshold;
      out[at + i] = spike;
    }
}

}  // namespace apical::data
