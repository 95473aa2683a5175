#pragma once
// A data set in memory, its splits, and the rule that the test split is opened once, at the end.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apical/formats/events/event.h"

namespace apical::data {

/// What one sample is.
enum class Kind { image, events, audio };

/// A labelled set of one split. Exactly one of the three stores is filled, as `kind` says.
struct Set {
  std::string name;           ///< "mnist", "n-mnist", "fsdd", "fashion-mnist", or the folder's name
  std::string split;          ///< "train", "validation" or "test"
  Kind kind = Kind::image;
  bool synthetic = false;     ///< true for a twin: its figures are never reported as those of the real set
  bool subset = false;        ///< true when the files at hand hold only a part of the published set
  std::string sha256;         ///< over the unpacked bytes the samples came from
  std::vector<std::string> classes;  ///< class names, indexed by label
  std::vector<std::int32_t> labels;  ///< one a sample
  std::vector<std::string> ids;      ///< one a sample ("test/123"), for predictions; may be empty: then the index is the id

  int channels = 1, height = 0, width = 0;                    ///< image and events: [C, H, W] of one sample (events: C = 2, ON and OFF)
  std::vector<std::uint8_t> pixels;                           ///< image: [N, C, H, W]
  std::vector<std::vector<formats::Event>> recordings;        ///< events: one list a sample, ordered by time
  int sample_rate = 0;                                        ///< audio: Hz
  std::vector<std::vector<float>> clips;                      ///< audio: mono, -1..1
  std::vector<std::vector<float>> lips;                       ///< audio with its talkers' lips: [K, width] features a clip; else empty

  std::size_t size() const noexcept { return labels.size(); }
  std::size_t pixel_count() const noexcept { return static_cast<std::size_t>(channels) * height * width; }
};

/// Where data are looked for: --data, then $APICAL_DATA, then the user's cache. "synthetic" asks for the twin.
struct Source {
  std::string data;            ///< the value of --data; may be empty
  std::uint64_t seed = 1;      ///< of the synthetic twin
  bool allow_twin = true;      ///< fall back to the twin (with a message) when the set is not found
  std::size_t synthetic_train = 20000, synthetic_test = 4000;  ///< size of the twin
};

/// Loads a split of a known set ("mnist", "fashion-mnist", "n-mnist", "fsdd"). Data error with the command to get it when missing.
Set load(const std::string& name, const std::string& split, const Source& source);
/// Folders looked in, in order.
std::vector<std::filesystem::path> roots(const Source& source);
/// The folder where the set lies (publisher's layout or that of a shared data folder), if found.
std::optional<std::filesystem::path> find(const std::string& name, const Source& source);

/// The part of `set` with these indices, in this order.
Set select(const Set& set, const std::vector<std::uint32_t>& indices);
/// Samples begin .. begin + n - 1, fewer at the end of the set.
Set slice(const Set& set, std::size_t begin, std::size_t n);
/// Splits a training set into (train, validation) by a fixed rule: stratified, keyed by the sample's index, same for every seed.
std::pair<Set, Set> split_validation(const Set& train, double fraction);

/// Hands out the test split once; a second open, or one before `finish_choices()`, is an internal error.
class TestGuard {
 public:
  void finish_choices() noexcept { ready_ = true; }
  Set open(const std::string& name, const Source& source);

 private:
  bool ready_ = false, opened_ = false;
};

}  // namespace apical::data
