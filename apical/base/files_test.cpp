#include "apical/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "apical/base/error.h"
#include "apical/base/fault.h"

namespace apical {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "apical-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir = name;
  }
  void TearDown() override { fs::remove_all(dir); }
  std::size_t count() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir), fs::directory_iterator())); }
  fs::path dir;
};

// The message of the data error a call ends with; "" when it does not end with one.
template <class F>
std::string data_error_of(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code() == ExitCode::data ? error.what() : "";
  }
  return "";
}

// Runs a body in a child and returns how it ended, for limits and kills that would hit the test itself.
template <class F>
int status_of_child(F&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = body();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(Files, ReadsWhatWasWrittenAndRefusesTheRest) {
  write_file(dir / "a", std::string_view("x\0y", 3));
  EXPECT_EQ(read_text(dir / "a"), std::string("x\0y", 3));
  EXPECT_EQ(read_file(dir / "a"), (std::vector<uint8_t>{'x', 0, 'y'}));
  EXPECT_EQ(MappedFile(dir / "a").bytes().size(), 3u);
  EXPECT_EQ(count(), 1u);
  EXPECT_THAT(data_error_of([&] { read_file(dir / "a", 2); }), HasSubstr("3 bytes, more than the limit of 2"));
  EXPECT_THAT(data_error_of([&] { read_file(dir / "none"); }), HasSubstr((dir / "none").string()));
  EXPECT_THAT(data_error_of([&] { read_file(dir); }), HasSubstr("not a regular file"));
  EXPECT_THAT(data_error_of([&] { MappedFile map(dir); }), HasSubstr("not a regular file"));
  EXPECT_THAT(data_error_of([&] { read_file("/dev/zero"); }), HasSubstr("not a regular file"));
}

TEST_F(Files, MappedFileMovesAndKnowsEmptyFiles) {
  write_file(dir / "empty", "");
  EXPECT_TRUE(MappedFile(dir / "empty").bytes().empty());
  write_file(dir / "a", "abc");
  MappedFile first(dir / "a"), second(dir / "empty");
  second = std::move(first);
  ASSERT_EQ(second.bytes().size(), 3u);
  EXPECT_EQ(second.bytes()[2], 'c');
}

TEST_F(Files, AtomicFileAppearsAtCommitOnly) {
  write_file(dir / "a", "old");
  {
    AtomicFile file(dir / "a");
    file.write("new");
    EXPECT_EQ(read_text(dir / "a"), "old");
  }
  EXPECT_EQ(read_text(dir / "a"), "old");
  EXPECT_EQ(count(), 1u);
  AtomicFile one(dir / "a"), two(dir / "a");  // two writers of one file do not share a temporary file
  one.write("1");
  two.write("2");
  one.commit();
  EXPECT_EQ(read_text(dir / "a"), "1");
  two.commit();
  EXPECT_EQ(read_text(dir / "a"), "2");
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, WritesBuffersOfEverySizeInOrderAndPatchesHeaders) {
  std::string expected;
  AtomicFile file(dir / "a");
  for (std::size_t size : {1u, 700000u, 500000u, 3000000u, 5u}) {
    const std::string piece(size, static_cast<char>('a' + expected.size() % 7));
    file.write(piece);
    expected += piece;
  }
  file.write_at(2, "HEAD", 4);
  expected.replace(2, 4, "HEAD");
  EXPECT_EQ(file.size(), expected.size());
  EXPECT_THROW(file.write_at(expected.size() - 3, "HEAD", 4), Error);
  EXPECT_THROW(file.write_at(~std::uint64_t{0}, "HEAD", 4), Error);
  file.commit();
  EXPECT_EQ(read_text(dir / "a"), expected);
}

TEST_F(Files, RefusesFoldersAndMissingFolders) {
  EXPECT_THAT(data_error_of([&] { AtomicFile file(dir); }), HasSubstr("a folder stands where a file"));
  EXPECT_THAT(data_error_of([&] { AtomicFile file(dir / "no" / "a"); }), HasSubstr("No such file"));
  write_file(dir / "file", "");
  EXPECT_THAT(data_error_of([&] { make_folder(dir / "file"); }), HasSubstr("A file stands where a folder is expected"));
  EXPECT_THAT(data_error_of([&] { make_folder(dir / "file" / "below"); }), HasSubstr((dir / "file" / "below").string()));
  make_folder(dir / "x" / "y");
  make_folder(dir / "x" / "y");
  EXPECT_TRUE(fs::is_directory(dir / "x" / "y"));
}

TEST_F(Files, ADeviceIsWrittenToNotReplaced) {
  write_file("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THAT(data_error_of([&] { write_file("/dev/full", "x"); }), HasSubstr("No space left"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(Files, ALinkKeepsPointingAtTheFileThatIsRewritten) {
  write_file(dir / "real", "old");
  fs::create_symlink(dir / "real", dir / "link");
  write_file(dir / "link", "new");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_text(dir / "real"), "new");
}

TEST_F(Files, AFileSizeLimitIsADataErrorThatLeavesTheOldFile) {
  write_file(dir / "a", "old");
  const int status = status_of_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100000, 100000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto message = data_error_of([&] { write_file(dir / "a", std::string(3000000, 'x')); });
    return message.find("File too large") != std::string::npos && message.find("Free some space") != std::string::npos ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text(dir / "a"), "old");
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, KilledAtAnyPointTheOldOrTheNewFileIsWhole) {
  const std::string old_text(1500000, 'o'), new_text(2500000, 'n');
  int kills = 0;
  for (int point = 1;; ++point) {
    write_file(dir / "a", old_text);
    const int status = status_of_child([&] {
      fault_at(point);
      AtomicFile file(dir / "a");
      for (std::size_t at = 0; at < new_text.size(); at += 500000) file.write(new_text.data() + at, 500000);
      file.write_at(0, "n", 1);
      file.commit();
      return 0;
    });
    const auto text = read_text(dir / "a");
    EXPECT_TRUE(text == old_text || text == new_text) << "point " << point;
    if (!WIFSIGNALED(status)) {
      EXPECT_EQ(status, 0);
      EXPECT_EQ(text, new_text);
      break;
    }
    ++kills;
    for (const auto& entry : fs::directory_iterator(dir))
      if (entry.path() != dir / "a") fs::remove(entry.path());  // what a killed process cannot take away itself
  }
  EXPECT_GE(kills, 6);  // writes, the patch, fsync, rename, fsync of the folder
}

// FIPS 180-4 examples; the last one is fed in uneven pieces.
TEST(Sha256, KnownVectors) {
  const auto hash = [](std::string_view s) { return sha256_hex({reinterpret_cast<const uint8_t*>(s.data()), s.size()}); };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 h;
  const std::string million(1000000, 'a');
  for (std::size_t at = 0; at < million.size();) {
    const std::size_t n = std::min<std::size_t>(977, million.size() - at);
    h.update(million.data() + at, n);
    at += n;
  }
  EXPECT_EQ(h.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace apical
