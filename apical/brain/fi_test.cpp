#include "apical/brain/fi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apical/base/error.h"
#include "apical/base/units.h"
#include "apical/brain/description.h"

namespace apical::brain {
namespace {
using testing::HasSubstr;

// A leaky integrator fires every t_ref + tau ln((R I - (V_reset - E_L)) / (R I - (V_th - E_L))) ms, R = tau_m / C_m.
TEST(Fi, LeakyIntegrateAndFireHasItsAnalyticRate) {
  const auto p = parse_parameters("iaf_psc_delta", {"tau_m=20ms", "C_m=0.25nF", "t_ref=2", "V_reset=-65"});
  const auto curve = fi_curve("iaf_psc_delta", p, {.low = 100, .high = 500, .steps = 5, .time = 2000, .dt = 0.01});
  ASSERT_EQ(curve.size(), 5u);
  EXPECT_EQ(curve[0].current, 100);
  EXPECT_EQ(curve[0].rate, 0) << "below the 187.5 pA that reach the threshold";
  EXPECT_TRUE(std::isnan(curve[0].latency));
  for (std::size_t k = 1; k < 5; ++k) {
    const double rise = 0.08 * curve[k].current, interval = 2 + 20 * std::log((rise - 5) / (rise - 15)),
                 first = 20 * std::log(rise / (rise - 15));
    EXPECT_NEAR(1000 / curve[k].last_rate, interval, 0.011);
    EXPECT_NEAR(1000 / curve[k].first_rate, interval, 0.011);
    EXPECT_NEAR(curve[k].rate, 1000 / interval, 1);
    EXPECT_NEAR(curve[k].latency, first, 0.031);  // the current acts a step after its arrival
  }
  EXPECT_THAT(fi_csv(curve), HasSubstr("latency_ms\n100,0,0,0,\n200,"));
  EXPECT_THAT(fi_svg(curve, "iaf_psc_delta"), HasSubstr("f-I curve of iaf_psc_delta"));
}

TEST(Fi, WhatCannotBeIsRefused) {
  const auto words = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& e) {
      return e.code() == ExitCode::usage ? e.what() : "";
    }
    return "taken";
  };
  EXPECT_THAT(words([] { parse_parameters("iaf_psc_exp", {"tau=1"}); }), HasSubstr("Did you mean 'tau_m'"));
  EXPECT_THAT(words([] { parse_parameters("iaf_psc_exp", {"tau_m=1mV"}); }), HasSubstr("'tau_m' must be in ms, not in mV"));
  EXPECT_THAT(words([] { parse_parameters("iaf_psc_ex", {}); }), HasSubstr("Did you mean"));
  EXPECT_THAT(words([] { fi_curve("iaf_psc_exp", {}, {.steps = 0}); }), HasSubstr("1 to 10000"));
  EXPECT_EQ(quantity_range("0..1nA", "pA", "c"), std::pair(0.0, 1000.0));
  EXPECT_EQ(quantity_range("0.1 nA..1000 pA", "pA", "c"), std::pair(100.0, 1000.0));
  EXPECT_EQ(quantity_range("-5..5", "pA", "c"), std::pair(-5.0, 5.0));
  EXPECT_THAT(words([] { quantity_range("0..1 mV", "pA", "c"); }), HasSubstr("not in mV"));
  EXPECT_THAT(words([] { quantity_range("5", "pA", "c"); }), HasSubstr("0..1000pA"));
}

// Every model of the table can be made from what the table says, and what it says has units.
TEST(Models, TheTableIsWhole) {
  for (const auto& m : models()) {
    EXPECT_FALSE(m.text.empty() || m.equations.empty()) << m.name;
    EXPECT_TRUE(parse_unit(m.weight_unit)) << m.name;
    EXPECT_FALSE(make_model(m.name, {}, 0.1).variables.empty()) << m.name;
    Parameters standard;
    for (const auto& p : m.parameters) {
      EXPECT_TRUE(parse_unit(p.unit)) << m.name << " " << p.name << " " << p.unit;
      EXPECT_FALSE(p.text.empty()) << m.name << " " << p.name;
      standard.insert_or_assign(p.name, p.list ? Value(std::vector<double>{}) : Value(p.standard));
    }
    EXPECT_NO_THROW(make_model(m.name, standard, 0.1)) << m.name;
  }
}

}  // namespace
}  // namespace apical::brain
