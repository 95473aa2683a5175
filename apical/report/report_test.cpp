#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "apical/base/error.h"
#include "apical/report/html.h"
#include "apical/report/statistics.h"
#include "apical/report/svg.h"

namespace apical::report {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t i = text.find(what); i != std::string::npos; i = text.find(what, i + what.size())) ++n;
  return n;
}

// Every element that is opened is closed in order: what a browser's XML parser would demand of an SVG.
void expect_well_formed(const std::string& markup) {
  static const std::regex tag(R"re(<(/?)([a-zA-Z0-9]+)((?:\s+[a-zA-Z0-9:-]+="[^"<]*")*)\s*(/?)>)re");
  std::vector<std::string> open;
  std::string rest;
  auto last = markup.cbegin();
  for (std::sregex_iterator it(markup.begin(), markup.end(), tag), end; it != end; ++it) {
    rest.append(last, (*it)[0].first);
    last = (*it)[0].second;
    if ((*it)[4].length()) continue;
    if (!(*it)[1].length()) {
      open.push_back((*it)[2]);
    } else {
      ASSERT_FALSE(open.empty()) << (*it)[0];
      EXPECT_EQ(open.back(), (*it)[2].str());
      open.pop_back();
    }
  }
  rest.append(last, markup.cend());
  EXPECT_TRUE(open.empty());
  EXPECT_THAT(rest, Not(HasSubstr("<")));
  EXPECT_THAT(markup, Not(HasSubstr("nan")));
  EXPECT_THAT(markup, Not(HasSubstr("inf")));
}

// Figures of R 4.2: qt(0.975, df).
TEST(Statistics, StudentQuantiles) {
  EXPECT_NEAR(student_t_975(1), 12.70620474, 1e-6);
  EXPECT_NEAR(student_t_975(2), 4.302652730, 1e-7);
  EXPECT_NEAR(student_t_975(4), 2.776445105, 1e-7);
  EXPECT_NEAR(student_t_975(30), 2.042272456, 1e-7);
  EXPECT_NEAR(student_t_975(1e6), 1.959966, 1e-5);
  const double v[] = {1, 2, 3};
  const auto [lo, hi] = student_interval(v);
  EXPECT_NEAR(hi - 2, 4.302652730 / std::sqrt(3.0), 1e-7);
  EXPECT_NEAR(2 - lo, hi - 2, 1e-12);
  EXPECT_TRUE(std::isnan(student_interval(std::span(v, 1)).first));
}

// 10 of 20: statsmodels proportion_confint(10, 20, method="wilson") = (0.29929, 0.70071).
TEST(Statistics, Wilson) {
  EXPECT_NEAR(wilson(10, 20).first, 0.299298, 1e-5);
  EXPECT_NEAR(wilson(10, 20).second, 0.700702, 1e-5);
  EXPECT_EQ(wilson(0, 50).first, 0);
  EXPECT_EQ(wilson(50, 50).second, 1);
  EXPECT_LT(wilson(50, 50).first, 1);
  EXPECT_EQ(wilson(0, 0), (Interval{0, 1}));
}

TEST(Ticks, AreNiceAndCoverTheRange) {
  EXPECT_THAT(ticks(0, 1, 5, false), ElementsAre(0, 0.2, 0.4, 0.6000000000000001, 0.8, 1));
  EXPECT_THAT(ticks(3, 97, 5, false), ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(ticks(1, 1000, 6, true), ElementsAre(1, 10, 100, 1000));
  const auto t = ticks(-3e-7, 2e-7, 4, false);
  EXPECT_LE(t.front(), -3e-7);
  EXPECT_GE(t.back(), 2e-7);
}

TEST(Escape, LeavesNothingThatABrowserWouldRun) {
  EXPECT_EQ(escape("<script>alert('x\")</script>&"), "&lt;script&gt;alert(&#39;x&quot;)&lt;/script&gt;&amp;");
  EXPECT_EQ(escape(std::string("a\0b\x1b", 4)), "ab");
  EXPECT_EQ(escape("\xff\xc0\xaf\xed\xa0\x80ok é 数"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDok é 数");
}

TEST(LineChart, DrawsLineAndBandAndBreaksAtGaps) {
  Axes axes;
  axes.title = "Loss <of> it";
  axes.x_label = "step";
  const Series s{"train", {0, 1, 2, 3, 4}, {1, 0.5, std::nan(""), 0.3, 0.2}, {0.9, 0.4, 0.4, 0.2, 0.1}, {1.1, 0.6, 0.6, 0.4, 0.3}};
  const Series t{"test", {0, 4}, {1, 0.4}, {}, {}, true};
  const std::string svg = line_chart({s, t}, axes);
  expect_well_formed(svg);
  EXPECT_THAT(svg, HasSubstr("Loss &lt;of&gt; it"));
  EXPECT_THAT(svg, HasSubstr(">train</text>"));
  EXPECT_EQ(count(svg, "fill-opacity:.18"), 1u);
  EXPECT_EQ(count(svg, "stroke-linejoin:round"), 3u);     // two runs of the gapped line and the other line
  EXPECT_EQ(count(svg, "stroke-dasharray:6 4\"/>"), 2u);  // the line and its legend
}

TEST(LineChart, LogAxisLeavesOutWhatHasNoLogarithm) {
  Axes axes;
  axes.log_y = true;
  const std::string svg = line_chart({{"a", {0, 1, 2, 3}, {1e-4, 0, 1e2, -1}, {}, {}}}, axes);
  expect_well_formed(svg);
  EXPECT_THAT(svg, HasSubstr("10⁻⁴"));
  EXPECT_THAT(svg, HasSubstr(">100<"));
}

TEST(Plots, NeverBreakOnEmptyOrConstantInput) {
  const Axes axes;
  expect_well_formed(line_chart({}, axes));
  expect_well_formed(line_chart({{"c", {1}, {5}, {}, {}}}, axes));
  expect_well_formed(line_chart({{"n", {1, 2}, {std::nan(""), INFINITY}, {}, {}}}, axes));
  expect_well_formed(bar_chart({}, axes));
  expect_well_formed(bar_chart({{"g"}, {"s"}, {{0}}, {}, {}}, axes));
  expect_well_formed(scatter({}, axes));
  expect_well_formed(heat_map({}, axes));
  expect_well_formed(confusion_matrix({}, {}));
  expect_well_formed(spike_raster({}, axes));
  expect_well_formed(firing_rates({}));
  expect_well_formed(image_grid({}, 4, ""));
}

TEST(LongLine, KeepsItsExtremesWhenThinned) {
  Series s;
  for (int i = 0; i < 20000; ++i) s.x.push_back(i), s.y.push_back(i == 12345 ? 100 : i % 2);
  const std::string svg = line_chart({s}, {});
  EXPECT_LT(svg.size(), 60000u);
  const std::string reference = line_chart({{"p", {0, 12345, 19999}, {0, 100, 0}, {}, {}}}, {});
  std::smatch peak;
  ASSERT_TRUE(std::regex_search(reference, peak, std::regex("L([0-9.]+ [0-9.]+)L")));
  EXPECT_THAT(svg, HasSubstr(peak[1].str()));
}

TEST(Confusion, PrintsCountsAndNamesThem) {
  const std::string svg = confusion_matrix({{8, 2}, {0, 5}}, {"cat", "dog"});
  expect_well_formed(svg);
  EXPECT_THAT(svg, HasSubstr("cat taken for dog: 2 of 10"));
  EXPECT_THAT(svg, HasSubstr("13 of 15 on the diagonal"));
  EXPECT_EQ(count(svg, "fill:var(--c1"), 1u);  // the one error
}

TEST(Raster, ThinsAndSaysSo) {
  RasterLayer layer{"conv1", 100, {}};
  for (std::uint32_t i = 0; i < 1000; ++i) layer.spikes.emplace_back(i % 4, i % 100);
  const std::string svg = spike_raster({layer}, {}, 100);
  expect_well_formed(svg);
  EXPECT_THAT(svg, HasSubstr("1 of 10 spikes drawn"));
  EXPECT_THAT(spike_raster({layer}, {}, 1000), Not(HasSubstr("spikes drawn")));
}

TEST(Scatter, FrontierSkipsDominatedPoints) {
  Scatter p;
  p.points = {{"a", 1, 1}, {"b", 2, 0.5}, {"c", 3, 2}};
  p.frontier = true;
  const std::string svg = scatter(p, {});
  expect_well_formed(svg);
  std::smatch line;
  ASSERT_TRUE(std::regex_search(svg, line, std::regex("<path d=\"(M[^\"]*)\" style=\"fill:none;stroke:var\\(--muted")));
  EXPECT_EQ(count(line[1], "L"), 2u);  // across to c, up to c; b is not on it
}

TEST(Png, HasSignatureAndRefusesWrongSizes) {
  const Tile tile{2, 2, 1, {0, 128, 255, 7}, "t"};
  const auto bytes = png(tile);
  ASSERT_GT(bytes.size(), 8u);
  EXPECT_EQ(std::string(bytes.begin() + 1, bytes.begin() + 4), "PNG");
  EXPECT_THROW(png({2, 2, 3, {0, 1, 2, 3}, ""}), Error);
  EXPECT_EQ(base64({'M'}), "TQ==");
  EXPECT_EQ(base64({'M', 'a'}), "TWE=");
  EXPECT_EQ(base64({'M', 'a', 'n'}), "TWFu");
  EXPECT_THAT(image_grid({tile}, 1, "x"), HasSubstr("data:image/png;base64,iVBORw0KGgo"));
}

TEST(Html, IsOneFileAndEscapesEverything) {
  Html html("Digits & <b>co</b>");
  html.subtitle("a<b");
  html.summary("s<s");
  html.notice("n<n");
  html.notice("n<n");  // said once
  html.card("l<l", "v<v", "o<o", -1);
  html.claims({{"i<i", "st<st", "p<p", "<= 1", "0.5", "[0, 1]", "holds"}, {"g", "gate", "", ">= 1", "0", "", "does not hold here", true}});
  html.section("se<se");
  html.paragraph("pa<pa");
  html.code("co<co");
  html.figure(firing_rates({{"conv<1", 0.2}}), "ca<ca");
  html.table({{"na<zz", "x"}, {{"a<", "1"}, {"b", "-2"}}}, "t<c");
  html.fact("fa<fa", "fv<fv");
  html.config("k = '<'");
  html.repeat("apical run '<'");
  const std::string text = html.text();
  EXPECT_EQ(text.rfind("<!DOCTYPE html>", 0), 0u);
  for (const char* raw : {"<b>",   "a<b",   "s<s",    "n<n",   "l<l",   "v<v", "o<o", "i<i",   "st<st", "p<p", "se<se",
                          "pa<pa", "co<co", "conv<1", "ca<ca", "na<zz", "a<<", "t<c", "fa<fa", "fv<fv", "'<'"})
    EXPECT_THAT(text, Not(HasSubstr(raw))) << raw;
  for (const char* remote : {"http-equiv", "<script", "<link", "src=", "url(http", "@import"}) EXPECT_THAT(text, Not(HasSubstr(remote)));
  EXPECT_EQ(count(text, "http"), count(text, "http://www.w3.org/2000/svg"));
  EXPECT_EQ(count(text, "n&lt;n"), 1u);
  EXPECT_THAT(text, HasSubstr("badge good\">✓ holds"));
  EXPECT_THAT(text, HasSubstr("badge bad\">✗ does not hold here"));
  EXPECT_THAT(text, HasSubstr("<td class=\"n\">-2</td>"));
  EXPECT_THAT(text, HasSubstr("class=\"card bad\""));
}

}  // namespace
}  // namespace apical::report
