#include "apical/data/synthetic.h"

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/data/registry.h"
#include "apical/data/saccade.h"
#include "apical/data/synthetic_parts.h"

namespace apical::data {
namespace {

/// Uniform labels, keyed like the samples.
std::vector<std::int32_t> labels(std::size_t n, std::uint64_t seed, std::uint64_t stream) {
  Random random(seed, stream ^ stream_id("labels"));
  std::vector<std::int32_t> list(n);
  for (auto& label : list) label = static_cast<std::int32_t>(random.below(10));
  return list;
}

std::string hash_clips(const Set& set) {
  Sha256 hash;
  for (const auto& clip : set.clips) hash.update(clip.data(), clip.size() * sizeof(float));
  return hash.hex();
}

}  // namespace

Set synthetic(const std::string& name, const std::string& split, std::size_t n, std::uint64_t seed) {
  const Entry& known = entry(name);
  if (name == "n-mnist") return simulate_saccades(synthetic("mnist", split, n, seed), {}, seed);
  Set set;
  set.name = name;
  set.split = split;
  set.kind = known.kind;
  set.synthetic = true;
  set.classes = known.classes;
  const std::uint64_t stream = stream_id("synthetic/" + name + "/" + split);
  set.labels = labels(n, seed, stream);
  set.ids.reserve(n);
  for (std::size_t i = 0; i < n; ++i) set.ids.push_back(split + "/" + std::to_string(i));
  if (name == "fsdd") {
    set.sample_rate = 8000;
    set.clips.resize(n);
    parallel_for(0, n, 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) set.clips[i] = speak_digit(set.labels[i], seed, stream, i);
    });
    set.sha256 = hash_clips(set);
    return set;
  }
  const auto draw = name == "mnist" ? draw_digit : draw_garment;
  constexpr std::size_t pixels = 28 * 28;
  set.height = set.width = 28;
  set.pixels.resize(n * pixels);
  parallel_for(0, n, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) draw(set.labels[i], seed, stream, i, {set.pixels.data() + i * pixels, pixels});
  });
  set.sha256 = sha256_hex(set.pixels);
  return set;
}

}  // namespace apical::data
