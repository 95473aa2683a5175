#pragma once
// The known sets: what they are, where their publishers keep them, and the hashes that somebody has verified.
#include <cstdint>
#include <string>
#include <vector>

#include "apical/data/dataset.h"

namespace apical::data {

/// One file of a publisher.
struct RemoteFile {
  std::string name;              ///< file name below the mirror and on disk
  std::string url;               ///< full address at the publisher
  std::uint64_t bytes = 0;       ///< unpacked size (0 = not known)
  std::string sha256;            ///< over the unpacked bytes; "" = nobody verified one, so `get` needs --trust
  bool archive = false;          ///< a zip that is unpacked into the set's folder
  bool strip = false;            ///< without its outermost folder
};

/// One known set.
struct Entry {
  std::string name, title, licence, citation;
  Kind kind = Kind::image;
  std::vector<std::string> classes;
  std::size_t train = 0, test = 0;   ///< published number of samples
  std::vector<RemoteFile> files;
  std::string content_sha256_train;  ///< what Set::sha256 must be for the whole published split; "" = not verified
  std::string content_sha256_test;
  bool verified() const noexcept;    ///< every file has a verified hash
};

const std::vector<Entry>& registry();
/// Usage error with a did-you-mean.
const Entry& entry(const std::string& name);
bool is_known(const std::string& name);

/// Address of `file`: the publisher's, or $APICAL_MIRROR/<set>/<file name> when that variable is set.
std::string address(const Entry& set, const RemoteFile& file);

}  // namespace apical::data
