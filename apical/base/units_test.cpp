#include "apical/base/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"

namespace apical {
namespace {
using testing::AllOf;
using testing::HasSubstr;

double in(std::string_view text, std::string_view unit) { return quantity(text, unit, "k", "f"); }

TEST(Units, NumbersOfOtherPrefixes) {
  EXPECT_EQ(in("20 ms", "ms"), 20);
  EXPECT_EQ(in("20", "ms"), 20);
  EXPECT_EQ(in("1s", "ms"), 1000);
  EXPECT_EQ(in(" +0.1 s ", "ms"), 0.1 * 1000);
  EXPECT_EQ(in("150 us", "ms"), 0.15);
  EXPECT_EQ(in("-65e-3 V", "mV"), -65);
  EXPECT_EQ(in("0.25 nF", "pF"), 250);
  EXPECT_EQ(in("8 kHz", "Hz"), 8000);
  EXPECT_EQ(in("8000 1/s", "Hz"), 8000);
  EXPECT_EQ(in("3 ms^-1", "1/ms"), 3);
  EXPECT_EQ(in("0.5 V/s", "mV/ms"), 0.5);
  EXPECT_EQ(in("10 GOhm*pA", "mV"), 10);
  EXPECT_EQ(in("2 \u00b5M", "mM"), 0.002);
  EXPECT_EQ(in("1 uF/cm^2", "pF/um^2"), 0.01);
  EXPECT_EQ(in("4 pA/mV", "nS"), 4);
  EXPECT_EQ(in("-inf", "mV"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(in("7", ""), 7);
}

TEST(Units, WhatIsWrongIsNamed) {
  const auto words = [](std::string_view text, std::string_view unit) -> std::string {
    try {
      quantity(text, unit, "tau_m", "net.toml");
    } catch (const Error& e) {
      return e.code() == ExitCode::usage ? e.what() : "";
    }
    return "taken";
  };
  EXPECT_THAT(words("20 mV", "ms"), AllOf(HasSubstr("'tau_m' must be in ms, not in mV"), HasSubstr("net.toml"), HasSubstr("\"1 ms\"")));
  EXPECT_THAT(words("20 mv", "mV"), AllOf(HasSubstr("no known unit: '20 mv'"), HasSubstr("Did you mean 'mV'")));
  EXPECT_THAT(words("fast", "ms"), HasSubstr("no number: 'fast'"));
  EXPECT_THAT(words("nan", "ms"), HasSubstr("no number"));
  EXPECT_THAT(words("", "ms"), HasSubstr("no number"));
  EXPECT_THAT(words("1 ms", ""), AllOf(HasSubstr("must be a plain number, not in ms"), HasSubstr("no unit")));
  EXPECT_THAT(words("1 ms/", "ms"), HasSubstr("no known unit"));
  EXPECT_THAT(words("1 ms^99", "ms"), HasSubstr("no known unit"));
  EXPECT_THAT(words("1 ms*ms", "ms"), HasSubstr("not in ms*ms"));
}

}  // namespace
}  // namespace apical
