#include <algorithm>
#include <cmath>
#include <numeric>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/data/dataset.h"

namespace apical::data {

Set select(const Set& set, const std::vector<std::uint32_t>& indices) {
  Set part;
  part.name = set.name;
  part.split = set.split;
  part.kind = set.kind;
  part.synthetic = set.synthetic;
  part.subset = set.subset;
  part.sha256 = set.sha256;
  part.classes = set.classes;
  part.channels = set.channels;
  part.height = set.height;
  part.width = set.width;
  part.sample_rate = set.sample_rate;
  const std::size_t n = set.pixel_count();
  part.labels.reserve(indices.size());
  if (!set.ids.empty()) part.ids.reserve(indices.size());
  if (set.kind == Kind::image) part.pixels.reserve(indices.size() * n);
  for (const std::uint32_t i : indices) {
    if (i >= set.size())
      throw internal_error("sample " + std::to_string(i) + " asked of a set of " + std::to_string(set.size()), "data::select");
    part.labels.push_back(set.labels[i]);
    if (!set.ids.empty()) part.ids.push_back(set.ids[i]);
    if (set.kind == Kind::image) part.pixels.insert(part.pixels.end(), set.pixels.begin() + i * n, set.pixels.begin() + (i + 1) * n);
    if (set.kind == Kind::events) part.recordings.push_back(set.recordings[i]);
    if (set.kind == Kind::audio) part.clips.push_back(set.clips[i]);
    if (!set.lips.empty()) part.lips.push_back(set.lips[i]);
  }
  return part;
}

Set slice(const Set& set, std::size_t begin, std::size_t n) {
  begin = std::min(begin, set.size());
  std::vector<std::uint32_t> indices(std::min(n, set.size() - begin));
  std::iota(indices.begin(), indices.end(), static_cast<std::uint32_t>(begin));
  return select(set, indices);
}

std::pair<Set, Set> split_validation(const Set& train, double fraction) {
  if (!(fraction >= 0 && fraction < 1))
    throw usage_error("the validation share must lie in [0, 1), not " + std::to_string(fraction), "validation");
  std::vector<std::vector<std::uint32_t>> by_class;
  for (std::uint32_t i = 0; i < train.size(); ++i) {
    const auto label = static_cast<std::size_t>(std::max(0, train.labels[i]));
    if (label >= by_class.size()) by_class.resize(label + 1);
    by_class[label].push_back(i);
  }
  // In each class the samples with the smallest keys go to validation. The key is a function of the index alone:
  // a longer training set keeps most of its validation samples, and no seed of a run changes the split.
  const Random key(0, "data/validation");
  std::vector<std::uint32_t> kept, held;
  for (auto& members : by_class) {
    std::sort(members.begin(), members.end(), [&](std::uint32_t a, std::uint32_t b) {
      const auto ka = key.bits_at(a), kb = key.bits_at(b);
      return ka != kb ? ka < kb : a < b;
    });
    auto count = static_cast<std::size_t>(std::lround(fraction * static_cast<double>(members.size())));
    count = std::min(count, members.empty() ? 0 : members.size() - 1);
    held.insert(held.end(), members.begin(), members.begin() + static_cast<std::ptrdiff_t>(count));
    kept.insert(kept.end(), members.begin() + static_cast<std::ptrdiff_t>(count), members.end());
  }
  std::sort(kept.begin(), kept.end());
  std::sort(held.begin(), held.end());
  auto parts = std::pair{select(train, kept), select(train, held)};
  parts.second.split = "validation";
  return parts;
}

Set TestGuard::open(const std::string& name, const Source& source) {
  if (!ready_)
    throw internal_error("the test split was opened before every choice was made", name, "Call finish_choices() after model selection.");
  if (opened_) throw internal_error("the test split was opened a second time", name, "Choose on the validation split.");
  opened_ = true;
  return load(name, "test", source);
}

}  // namespace apical::data
