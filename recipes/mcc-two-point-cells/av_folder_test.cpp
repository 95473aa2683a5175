// The recipe on a folder of sounds and lips: both tasks at smoke scale, and what is said of folders that cannot be used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apical/base/files.h"
#include "apical/formats/audio.h"
#include "apical/formats/png.h"
#include "apical/recipe/driver.h"
#include "apical/recipe/testing.h"

void run_mcc_two_point_cells(apical::recipe::RunContext& context);

namespace apical::recipe {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class AvFolder : public testing::InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    for (int talker = 1; talker <= 2; ++talker)
      for (int word = 0; word < 2; ++word)
        for (int take = 0; take < 6; ++take) put(take < 5 ? "train" : "test", talker, word, take);
    put_sound(dir / "av" / "noise" / "cafe.wav", 0.1);
    options.scale = "smoke", options.threads = 1, options.quiet = true;
    options.out = (dir / "run").string();
    options.set = {"av.folder=" + (dir / "av").string(), "av.sample_rate=8000", "av.coefficients=6", "av.frames=8", "av.letter=2", "held_out=0.2", "train.batch=8"};
  }

  static void put_sound(const fs::path& path, double frequency, int rate = 8000) {
    make_folder(path.parent_path());
    formats::Audio a{rate, 1, std::vector<float>(1600)};
    for (std::size_t i = 0; i < a.samples.size(); ++i) a.samples[i] = 0.4f * std::sin(static_cast<float>(frequency) * static_cast<float>(i));
    formats::write_audio(path, a, formats::AudioFormat::wav16);
  }
  // Word 1 is a higher tone than word 0, with brighter lips.
  void put(const std::string& split, int talker, int word, int take) const {
    const fs::path stem = dir / "av" / split / ("s" + std::to_string(talker)) / ("w" + std::to_string(word) + std::to_string(take));
    put_sound(stem.string() + ".wav", 0.3 + 0.9 * word + 0.02 * talker);
    make_folder(stem);
    for (int v = 0; v < 4; ++v)
      formats::write_png(stem / (std::to_string(v) + ".png"), {6, 5, 1, std::vector<std::uint8_t>(30, static_cast<std::uint8_t>(40 + 120 * word + 5 * v))});
  }
  RunOutcome run() { return run_recipe(find_recipe(catalogue(), "mcc-two-point-cells"), run_mcc_two_point_cells, options); }
  std::string refusal(ExitCode code = ExitCode::data) {
    return error_of([&] { run(); }, code);
  }
  RunOptions options;
};

TEST_F(AvFolder, RecognitionAndEnhancementRunOnIt) {
  const auto o = run();
  EXPECT_EQ(o.code, 0);
  ASSERT_EQ(o.result.data.size(), 2u);  // both splits
  EXPECT_EQ(o.result.data[0].name, "av");
  EXPECT_FALSE(o.result.data[0].synthetic);
  EXPECT_EQ(o.result.get("runtime_samples"), 4);
  EXPECT_EQ(o.result.get("synapses_miscounted"), 0);
  EXPECT_TRUE(o.result.get("accuracy_coop") && o.result.get("conflict_picture_add") && o.result.get("enhancement_mse_coop"));
  EXPECT_TRUE(o.result.get("accuracy_burst_rule") && o.result.get("accuracy_burst_backprop"));
  EXPECT_THAT(read_text(o.report), HasSubstr("16 utterances with the lips that spoke them"));
  EXPECT_EQ(formats::read_audio(dir / "run" / "estimate_coop.wav").sample_rate, 8000);
}

TEST_F(AvFolder, SaysWhatCannotBeUsedAndWhere) {
  const auto with = [&](const std::string& assignment, ExitCode code = ExitCode::data) {
    options.set.push_back(assignment);
    const std::string said = refusal(code);
    options.set.pop_back();
    return said;
  };
  EXPECT_THAT(with("av.folder=/nowhere/at/all"), HasSubstr("/nowhere/at/all"));
  EXPECT_THAT(with("av.letter=9"), AllOf(HasSubstr("no character 9"), HasSubstr("s1/w00")));
  EXPECT_THAT(with("av.letter=1"), HasSubstr("all utterances are of one class, 'w'"));
  EXPECT_THAT(with("av.sample_rate=16000"), AllOf(HasSubstr("8000 Hz, not 1 at 16000 Hz"), HasSubstr("w00.wav")));
  EXPECT_THAT(with("av.sample_rate=100", ExitCode::usage), HasSubstr("8000..192000"));
  EXPECT_THAT(with("held_out=0.0"), HasSubstr("too few utterances"));
  const auto at = dir / "av/train/s2/w13";
  fs::rename(at.string() + ".wav", dir / "aside.wav");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("pictures have no sound"), HasSubstr("s2/w13")));
  fs::rename(dir / "aside.wav", at.string() + ".wav");
  fs::rename(at, dir / "aside");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("no folder of pictures"), HasSubstr("s2/w13")));
  EXPECT_FALSE(fs::exists(dir / "run"));  // nothing is left behind
}

}  // namespace
}  // namespace apical::recipe
