// A folder of speech with pictures of lips as it is read, and what is said when it is not complete.
#include "apical/data/av_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <numbers>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/data/noise.h"
#include "apical/formats/audio.h"

namespace apical::data {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A folder that is gone after the test.
struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "apical-av-folder-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

void put_sound(const fs::path& path, std::size_t samples, int rate = 8000, int channels = 1) {
  make_folder(path.parent_path());
  formats::write_audio(path, {rate, channels, std::vector<float>(samples * static_cast<std::size_t>(channels), 0.25f)},
                       formats::AudioFormat::wav16);
}

/// `n` pictures of 16 x 12; all pixels of picture v are 10 v.
void put_lips(const fs::path& folder, int n) {
  make_folder(folder);
  for (int v = 0; v < n; ++v)
    formats::write_png(folder / ("000" + std::to_string(v) + ".png"),
                       {16, 12, 1, std::vector<std::uint8_t>(16 * 12, static_cast<std::uint8_t>(10 * v))});
}

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    return e.what();
  }
  return "nothing was thrown";
}

TEST(LipFeatures, AreTheCosineTransformAlongTheZigZag) {
  formats::Image picture{16, 12, 1, std::vector<std::uint8_t>(16 * 12)};
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
  const std::vector<std::pair<int, int>> order{{0, 0}, {0, 1}, {1, 0}, {2, 0}, {1, 1}, {0, 2},
                                               {0, 3}, {1, 2}, {2, 1}, {3, 0}, {4, 0}};  // (u, v)
  const auto features = lip_features(picture, 50);
  ASSERT_EQ(features.size(), 50u);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto [u, v] = order[k];
    double sum = 0;
    for (int y = 0; y < 12; ++y)
      for (int x = 0; x < 16; ++x)
        sum += picture.pixels[static_cast<std::size_t>(y * 16 + x)] / 255.0 * std::cos(std::numbers::pi * u * (2 * y + 1) / 24) *
               std::cos(std::numbers::pi * v * (2 * x + 1) / 32);
    EXPECT_NEAR(features[k], sum * std::sqrt((u ? 2 : 1) / 12.0) * std::sqrt((v ? 2 : 1) / 16.0), 1e-5) << k;
  }
  // Orthonormal: all coefficients together keep the picture's energy.
  const auto all = lip_features(picture, 16 * 12);
  double energy = 0, pixels = 0;
  for (const float f : all) energy += f * f;
  for (const auto p : picture.pixels) pixels += p / 255.0 * p / 255.0;
  EXPECT_NEAR(energy, pixels, 1e-4);
  EXPECT_THROW(lip_features(picture, 16 * 12 + 1), Error);
}

TEST(AvFolder, GivesSoundsAndLipsAtTheFramesOfTheSound) {
  const Folder dir;
  put_sound(dir.path / "train/s2/b.wav", 1720);  // 20 frames
  put_lips(dir.path / "train/s2/b", 5);
  put_sound(dir.path / "train/s1/c.wav", 300);
  put_lips(dir.path / "train/s1/c", 1);
  const auto clips = read_av_folder(dir.path, "train");
  ASSERT_EQ(clips.size(), 2u);
  EXPECT_EQ(clips[0].talker + "/" + clips[0].name, "s1/c");
  EXPECT_EQ(clips[1].talker + "/" + clips[1].name, "s2/b");
  EXPECT_EQ(clips[1].sound.size(), 1720u);
  ASSERT_EQ(clips[1].lips.size(), 20u * 50);
  ASSERT_EQ(clips[0].lips.size(), 3u * 50);
  for (int k = 0; k < 20; ++k) {  // middle of frame k at 12.5 + 10 k ms, of picture v at 20 + 40 v ms
    const double v = std::clamp((12.5 + 10 * k - 20) / 40, 0.0, 4.0);
    EXPECT_NEAR(clips[1].lips[static_cast<std::size_t>(k) * 50], 10 * v / 255 * std::sqrt(16 * 12), 1e-4) << k;
    EXPECT_NEAR(clips[1].lips[static_cast<std::size_t>(k) * 50 + 1], 0, 1e-5);
  }
}

TEST(AvFolder, NamesWhatIsMissingOrDoesNotFit) {
  const Folder dir;
  const auto read = [&](const AvFolderSettings& s = {}) { return refusal([&] { read_av_folder(dir.path, "train", s); }); };
  EXPECT_THAT(read(), HasSubstr("cannot read the folder"));
  make_folder(dir.path / "train/s1");
  EXPECT_THAT(read(), HasSubstr("no sounds found"));
  put_sound(dir.path / "train/s1/a.wav", 500, 16000, 2);
  EXPECT_THAT(read(), HasSubstr("2 channels at 16000 Hz, not 1 at 8000 Hz"));
  AvFolderSettings convert;
  convert.resample = true;
  EXPECT_THAT(read(convert), HasSubstr("no folder of pictures"));
  make_folder(dir.path / "train/s1/a");
  EXPECT_THAT(read(convert), HasSubstr("no pictures of the lips"));
  put_lips(dir.path / "train/s1/a", 2);
  EXPECT_EQ(read_av_folder(dir.path, "train", convert)[0].sound.size(), 250u);
  formats::write_png(dir.path / "train/s1/a/0003.png", {12, 16, 1, std::vector<std::uint8_t>(192)});
  EXPECT_THAT(read(convert), HasSubstr("12 x 16, the first one 16 x 12"));
  formats::write_png(dir.path / "train/s1/a/0000.png", {3, 3, 1, std::vector<std::uint8_t>(9)});
  EXPECT_THAT(read(convert), HasSubstr("3 x 3 has no 50 coefficients"));
}

TEST(AvFolder, IsASetWhoseClassesAreLettersOfTheNames) {
  const Folder dir;
  for (const char* name : {"train/s1/xb", "train/s2/xa", "test/s3/ya", "test/s3/yc"}) put_sound(dir.path / (std::string(name) + ".wav"), 500), put_lips(dir.path / name, 2);
  const Set train = av_set(dir.path, "train", {}, 2);
  EXPECT_THAT(train.classes, ::testing::ElementsAre("a", "b"));
  EXPECT_THAT(train.labels, ::testing::ElementsAre(1, 0));
  EXPECT_THAT(train.ids, ::testing::ElementsAre("train/s1/xb", "train/s2/xa"));
  EXPECT_EQ(train.name, dir.path.filename().string());
  EXPECT_EQ(train.lips[1].size(), 5u * 50);
  EXPECT_EQ(train.width, 50);
  EXPECT_THAT(av_set(dir.path, "train", {}, 0).classes, ::testing::ElementsAre("s1", "s2"));
  EXPECT_THAT(refusal([&] { av_set(dir.path, "train", {}, 3); }), HasSubstr("no character 3"));
  EXPECT_THAT(refusal([&] { av_set(dir.path, "test", {}, 2, train.classes); }), ::testing::AllOf(HasSubstr("class 'c'"), HasSubstr("yc")));
  const auto [kept, held] = split_validation(av_set(dir.path, "train", {}, 1), 0.5);
  EXPECT_EQ(kept.lips.size() + held.lips.size(), 2u);
  EXPECT_EQ(held.lips.size(), 1u);
  // What has no pair.
  fs::rename(dir.path / "train/s1/xb.wav", dir.path / "train/s1/xc.wav");
  EXPECT_THAT(refusal([&] { av_set(dir.path, "train", {}, 2); }), ::testing::AllOf(HasSubstr("pictures have no sound"), HasSubstr("s1/xb")));
}

TEST(AvFolder, NoiseIsReadByNameAtTheRate) {
  const Folder dir;
  EXPECT_THAT(refusal([&] { read_noise(dir.path, 8000); }), HasSubstr("no recorded noise"));
  put_sound(dir.path / "b.wav", 400, 16000, 2);
  put_sound(dir.path / "a.wav", 300);
  const auto noise = read_noise(dir.path, 8000);
  ASSERT_EQ(noise.size(), 2u);
  EXPECT_EQ(noise[0].size(), 300u);
  EXPECT_EQ(noise[1].size(), 200u);
  EXPECT_NEAR(noise[1][100], 0.25f, 1e-4);
}

}  // namespace
}  // namespace apical::data
