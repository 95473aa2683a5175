// Runs a fuzz target without libFuzzer: every file of the given folders, then cut and changed copies of it, the same each time.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <vector>

#include "apical/base/files.h"
#include "apical/base/philox.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t runs = 0;

// A copy of exactly this size, so that the address sanitizer sees a read past the end.
void run(const std::vector<std::uint8_t>& bytes, std::size_t size) {
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  ++runs;
}

void replay(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = apical::read_file(path, std::size_t{1} << 20);
  run(bytes, bytes.size());
  apical::Random random(bytes.size(), path.filename().string());
  for (int i = 0; i < 32 && !bytes.empty(); ++i) {
    const auto n = static_cast<std::uint32_t>(bytes.size());
    run(bytes, random.below(n));
    std::vector<std::uint8_t> changed = bytes;
    for (std::uint32_t flips = 1 + random.below(3); flips > 0; --flips)
      changed[random.below(n)] ^= static_cast<std::uint8_t>(1u << random.below(8));
    run(changed, changed.size());
  }
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());  // names the culprit when the target aborts
    replay(file);
  }
  std::printf("%zu inputs of %zu files\n", runs, files.size());
  if (files.empty()) std::fprintf(stderr, "the corpus is empty\n");
  return files.empty() ? 1 : 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
