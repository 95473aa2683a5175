#include "apical/base/text.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/base/machine.h"
#include "apical/base/progress.h"

namespace apical {
namespace {

TEST(Text, NearestKnowsTypingErrors) {
  const std::vector<std::string> verbs = {"events", "energy", "data", "infer"};
  EXPECT_EQ(nearest("evnets", verbs), "events");  // a transposition counts one
  EXPECT_EQ(nearest("enrgy", verbs), "energy");
  EXPECT_EQ(nearest("completely-else", verbs), "");
  EXPECT_EQ(did_you_mean("dta", verbs), "Did you mean 'data'?");
  EXPECT_EQ(did_you_mean("zzzzzzzz", verbs), "Known: events, energy, data, infer.");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(Text, Quantities) {
  EXPECT_EQ(number(0.99), "0.99");
  EXPECT_EQ(number(1.2e-9), "1.2e-09");
  EXPECT_EQ(si(2.5e-9, "J"), "2.5 nJ");
  EXPECT_EQ(si(0, "J"), "0 J");
  EXPECT_EQ(si(-1500, "V"), "-1.5 kV");
  EXPECT_EQ(si(999.96, "J"), "1 kJ");
  EXPECT_EQ(si(1e-20, "J"), "1e-05 fJ");
  EXPECT_EQ(bytes_text(1536 * 1024.0), "1.5 MiB");
  EXPECT_EQ(bytes_text(7), "7 B");
  EXPECT_EQ(duration_text(4.21), "4.2 s");
  EXPECT_EQ(duration_text(59.97), "1 min 00 s");
  EXPECT_EQ(duration_text(185), "3 min 05 s");
  EXPECT_EQ(duration_text(3720), "1 h 02 min");
  EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
}

TEST(Text, NumbersAreTheWholeText) {
  EXPECT_EQ(as_number<double>("-0.5e1"), -5.0);
  EXPECT_EQ(as_number<std::int64_t>("-12"), -12);
  for (const char* no : {"", "1 ", " 1", "1x", "0x1", "99999999999999999999"}) EXPECT_FALSE(as_number<std::int64_t>(no)) << no;
  EXPECT_FALSE(as_number<std::int64_t>("1.5"));
}

TEST(Progress, Line) {
  EXPECT_EQ(Progress::line("epoch 1", 300, 1200, "images", 150, "loss 0.1"),
            "epoch 1  300/1200 images  25 %  150 images/s  ETA 6.0 s  loss 0.1");
  EXPECT_EQ(Progress::line("reading", 5, 0, "events", 0, ""), "reading  5 events");
  EXPECT_EQ(Progress::line("done", 10, 10, "steps", 2, ""), "done  10/10 steps  100 %  2 steps/s");
  EXPECT_EQ(Progress::line("big", 1ull << 60, 1ull << 61, "bytes", 0, ""), "big  1152921504606846976/2305843009213693952 bytes  50 %");
}

TEST(Error, SaysWhatWhereAndHint) {
  const Error e = data_error("the file is cut off", "a.npy, byte 80", "Get it again.");
  EXPECT_STREQ(e.what(), "the file is cut off (a.npy, byte 80). Get it again.");
  EXPECT_EQ(static_cast<int>(e.code()), 3);
  EXPECT_STREQ(usage_error("no").what(), "no");
  EXPECT_EQ(static_cast<int>(usage_error("no").code()), 2);
  EXPECT_EQ(static_cast<int>(internal_error("no").code()), 4);
}

TEST(Machine, KnowsItself) {
  const Machine m = machine();
  EXPECT_GE(m.cores, 1);
  EXPECT_GT(m.memory_gib, 0.1);
  EXPECT_GT(peak_rss_mb(), 1);
  EXPECT_GE(peak_rss_mb() * 1.01, current_rss_mb());
  EXPECT_EQ(self_path().filename(), "base_test");
}

}  // namespace
}  // namespace apical
