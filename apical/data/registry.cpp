#include "apical/data/registry.h"

#include <algorithm>
#include <cstdlib>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::data {
namespace {

const std::vector<std::string> digits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

Entry mnist() {
  Entry e;
  e.name = "mnist";
  e.title = "handwritten digits, 28 x 28 grey images";
  e.licence = "CC BY-SA 3.0";
  e.citation = "Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998";
  e.classes = digits;
  e.train = 60000;
  e.test = 10000;
  const std::string base = "https://ossci-datasets.s3.amazonaws.com/mnist/";
  // SHA-256 of unpacked files whose MD5 are those published (6bbc9ace..., a25bea73..., 2646ac64..., 27ae3e4e...).
  e.files = {
      {"train-images-idx3-ubyte.gz", base + "train-images-idx3-ubyte.gz", 47040016,
       "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", false},
      {"train-labels-idx1-ubyte.gz", base + "train-labels-idx1-ubyte.gz", 60008,
       "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", false},
      {"t10k-images-idx3-ubyte.gz", base + "t10k-images-idx3-ubyte.gz", 7840016,
       "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", false},
      {"t10k-labels-idx1-ubyte.gz", base + "t10k-labels-idx1-ubyte.gz", 10008,
       "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", false}};
  return e;
}

Entry fashion() {
  Entry e;
  e.name = "fashion-mnist";
  e.title = "articles of clothing, 28 x 28 grey images";
  e.licence = "MIT";
  e.citation = "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017";
  e.classes = {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"};
  e.train = 60000;
  e.test = 10000;
  const std::string base = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
  e.files = {{"train-images-idx3-ubyte.gz", base + "train-images-idx3-ubyte.gz", 47040016, "", false},
             {"train-labels-idx1-ubyte.gz", base + "train-labels-idx1-ubyte.gz", 60008, "", false},
             {"t10k-images-idx3-ubyte.gz", base + "t10k-images-idx3-ubyte.gz", 7840016, "", false},
             {"t10k-labels-idx1-ubyte.gz", base + "t10k-labels-idx1-ubyte.gz", 10008, "", false}};
  return e;
}

Entry nmnist() {
  Entry e;
  e.name = "n-mnist";
  e.title = "MNIST seen by an event camera in three saccades, 34 x 34, 2 polarities";
  e.licence = "CC BY-SA 4.0";
  e.citation = "G. Orchard, A. Jayawant, G. Cohen, N. Thakor, Converting static image datasets to spiking neuromorphic datasets using saccades, "
               "Frontiers in Neuroscience 9:437, 2015";
  e.kind = Kind::events;
  e.classes = digits;
  e.train = 60000;
  e.test = 10000;
  const std::string base = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/";
  e.files = {{"Train.zip", base + "39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded", 0, "", true},
             {"Test.zip", base + "05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded", 0, "", true}};
  return e;
}

Entry fsdd() {
  Entry e;
  e.name = "fsdd";
  e.title = "Free Spoken Digits: 6 speakers, 8 kHz";
  e.licence = "CC BY-SA 4.0";
  e.citation = "Z. Jackson and others, Free Spoken Digit Dataset, github.com/Jakobovski/free-spoken-digit-dataset";
  e.kind = Kind::audio;
  e.classes = digits;
  e.train = 2700;
  e.test = 300;
  e.files = {{"fsdd.zip",
              "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip", 0, "", true, true}};
  return e;
}

}  // namespace

bool Entry::verified() const noexcept {
  return std::all_of(files.begin(), files.end(), [](const RemoteFile& f) { return !f.sha256.empty(); });
}

const std::vector<Entry>& registry() {
  static const std::vector<Entry> all = {mnist(), fashion(), nmnist(), fsdd()};
  return all;
}

bool is_known(const std::string& name) {
  return std::any_of(registry().begin(), registry().end(), [&](const Entry& e) { return e.name == name; });
}

const Entry& entry(const std::string& name) {
  std::vector<std::string> names;
  for (const Entry& e : registry()) {
    if (e.name == name) return e;
    names.push_back(e.name);
  }
  throw usage_error("unknown data set '" + name + "'", "", did_you_mean(name, names));
}

std::string address(const Entry& set, const RemoteFile& file) {
  const char* mirror = std::getenv("APICAL_MIRROR");
  if (!mirror || !*mirror) return file.url;
  std::string base = mirror;
  while (!base.empty() && base.back() == '/') base.pop_back();
  return base + "/" + set.name + "/" + file.name;
}

}  // namespace apical::data
