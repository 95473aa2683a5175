// Encoders against their formulas, the fixed split, the guard of the test split, twins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/data/dataset.h"
#include "apical/data/encoders.h"
#include "apical/data/saccade.h"
#include "apical/data/synthetic.h"

namespace apical::data {
namespace {

Set ramp() {  // one picture of 256 levels
  Set s;
  s.name = "ramp", s.split = "train", s.channels = 1, s.height = 16, s.width = 16, s.classes = {"a"}, s.labels = {0};
  s.pixels.resize(256);
  std::iota(s.pixels.begin(), s.pixels.end(), std::uint8_t{0});
  return s;
}

std::vector<float> frames(const Encoder& e, const Set& s, int T, const Preprocess& p = {}) {
  std::vector<float> out(static_cast<std::size_t>(T) * frame_shape(e, s).size());
  encode(e, p, s, 0, T, out.data());
  return out;
}

TEST(Encoders, DirectIsThePreprocessedPictureAtEveryStep) {
  const auto f = frames({}, ramp(), 3, {{0.25f}, {0.5f}});
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t i = 0; i < 256; ++i) EXPECT_NEAR(f[t * 256 + i], (static_cast<double>(i) / 255 - 0.25) / 0.5, 1e-6);
}

TEST(Encoders, RateFiresAsOftenAsThePixelIsBright) {
  const int T = 4000;
  const auto f = frames({"rate", 3, {}}, ramp(), T);
  double chi2 = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    double n = 0;
    for (int t = 0; t < T; ++t) n += f[static_cast<std::size_t>(t) * 256 + i];
    const double p = static_cast<double>(i) / 255;
    if (i == 0 || i == 255) {
      EXPECT_EQ(n, i == 0 ? 0 : T);
    } else {
      chi2 += (n - p * T) * (n - p * T) / (p * (1 - p) * T);
    }
  }
  EXPECT_NEAR(chi2, 254, 5 * std::sqrt(2 * 254.0));  // a chi-square with 254 degrees of freedom
  EXPECT_EQ(f, frames({"rate", 3, {}}, ramp(), T));
  EXPECT_NE(f, frames({"rate", 4, {}}, ramp(), T));
}

TEST(Encoders, LatencyIsOneSpikeEarlierWhenBrighter) {
  const int T = 10;
  const auto f = frames({"latency", 0, {{"threshold", 0.1}}}, ramp(), T);
  for (std::size_t i = 0; i < 256; ++i) {
    const float v = static_cast<float>(i) / 255;
    const int when = v <= 0.1f ? -1 : static_cast<int>((1 - v) * T);
    for (int t = 0; t < T; ++t) EXPECT_EQ(f[static_cast<std::size_t>(t) * 256 + i], t == when ? 1.0f : 0.0f) << i << " " << t;
  }
}

TEST(Encoders, DeltaCrossesALevelForEveryThreshold) {
  const std::vector<float> signal{0.1f, 0.3f, 0.55f, 0.5f, 0.24f, -0.1f};
  std::vector<float> out(6);
  delta_code(signal, 1, 0.25f, 0.0f, out);
  EXPECT_THAT(out, ::testing::ElementsAre(0, 1, 1, 0, -1, -1));
}

TEST(Encoders, EventFramesCountByPolarityAndBin) {
  Set s;
  s.kind = Kind::events, s.channels = 2, s.height = 2, s.width = 3, s.labels = {0}, s.classes = {"a"};
  const auto event = [](std::int64_t t, int x, int y, int p) {
    formats::Event e;
    e.t = t, e.x = static_cast<decltype(e.x)>(x), e.y = static_cast<decltype(e.y)>(y), e.polarity = static_cast<decltype(e.polarity)>(p);
    return e;
  };
  s.recordings = {{event(1000, 0, 0, 1), event(1100, 0, 0, 1), event(1200, 2, 1, 0), event(1999, 0, 0, 1)}};
  const auto f = frames({"event_frames", 0, {}}, s, 2);
  EXPECT_EQ(std::accumulate(f.begin(), f.end(), 0.0f), 4.0f);
  const auto clipped = frames({"event_frames", 0, {{"clip", 1.0}}}, s, 2);
  EXPECT_EQ(std::accumulate(clipped.begin(), clipped.end(), 0.0f), 3.0f);
  // 1000 us in two bins of 500: three events in the first, one in the second
  EXPECT_EQ(std::accumulate(f.begin(), f.begin() + 12, 0.0f), 3.0f);
}

TEST(Encoders, RefuseWhatTheyDoNotKnow) {
  EXPECT_THROW(validate({"ratee", 0, {}}), Error);
  EXPECT_THROW(validate({"rate", 0, {{"gian", 1.0}}}), Error);
  EXPECT_THROW(frames({"event_frames", 0, {}}, ramp(), 2), Error);
  std::vector<float> none(256);
  EXPECT_THROW(encode({}, {}, ramp(), 0, 0, none.data()), Error);
}

TEST(Splits, ValidationIsStratifiedFixedAndDisjoint) {
  const Set train = synthetic("mnist", "train", 1000, 1);
  const auto [a, b] = split_validation(train, 0.2);
  const auto [a2, b2] = split_validation(train, 0.2);
  EXPECT_EQ(a.size() + b.size(), 1000u);
  EXPECT_EQ(b.labels, b2.labels);
  EXPECT_EQ(b.pixels, b2.pixels);
  for (std::int32_t c = 0; c < 10; ++c) {
    const auto all = std::count(train.labels.begin(), train.labels.end(), c), held = std::count(b.labels.begin(), b.labels.end(), c);
    EXPECT_NEAR(static_cast<double>(held), 0.2 * static_cast<double>(all), 1.5) << c;
  }
  EXPECT_EQ(b.split, "validation");
}

TEST(TestGuard, OpensOnceAndOnlyAfterTheChoices) {
  Source source;
  source.data = "synthetic", source.synthetic_test = 20;
  TestGuard guard;
  EXPECT_THROW(guard.open("mnist", source), Error);
  guard.finish_choices();
  EXPECT_EQ(guard.open("mnist", source).size(), 20u);
  EXPECT_THROW(guard.open("mnist", source), Error);
}

TEST(Load, ASetThatIsNotThereIsAnErrorWithAHint) {
  for (const char* name : {"APICAL_DATA", "XDG_CACHE_HOME"}) ::setenv(name, ::testing::TempDir().c_str(), 1);  // the reader's own data are no matter here
  Source source;
  source.data = ::testing::TempDir(), source.allow_twin = false;
  try {
    load("mnist", "train", source);
    FAIL() << "found";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
  }
  EXPECT_THROW(load("mnits", "train", source), Error);
}

TEST(Twin, IsMarkedBalancedAndPureInItsSeed) {
  const Set a = synthetic("mnist", "train", 500, 1), b = synthetic("mnist", "train", 500, 1), c = synthetic("mnist", "train", 500, 2);
  EXPECT_TRUE(a.synthetic);
  EXPECT_EQ(a.pixels, b.pixels);
  EXPECT_EQ(a.sha256, b.sha256);
  EXPECT_NE(a.pixels, c.pixels);
  for (std::int32_t k = 0; k < 10; ++k) EXPECT_NEAR(static_cast<double>(std::count(a.labels.begin(), a.labels.end(), k)), 50, 25);
  EXPECT_NE(synthetic("mnist", "test", 500, 1).pixels, a.pixels);
}

TEST(Saccades, AreEventsInOrderTheSameForAnyNumberOfThreads) {
  const Set images = synthetic("mnist", "train", 24, 1);
  const int before = thread_count();
  set_thread_count(1);
  const Set one = simulate_saccades(images);
  set_thread_count(3);
  const Set three = simulate_saccades(images);
  set_thread_count(before);
  EXPECT_TRUE(one.synthetic);
  EXPECT_EQ(one.name, "n-mnist");
  ASSERT_EQ(one.recordings.size(), 24u);
  double events = 0;
  for (std::size_t i = 0; i < 24; ++i) {
    const auto &a = one.recordings[i], &b = three.recordings[i];
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t k = 0; k < a.size(); ++k) {
      ASSERT_TRUE(a[k] == b[k]);
      ASSERT_TRUE(k == 0 || a[k - 1].t <= a[k].t);
      ASSERT_TRUE(a[k].x < 34 && a[k].y < 34);
    }
    events += static_cast<double>(a.size());
  }
  EXPECT_GT(events / 24, 1000);  // recordings of the real set have about 4,200 events
  EXPECT_LT(events / 24, 12000);
}

}  // namespace
}  // namespace apical::data
