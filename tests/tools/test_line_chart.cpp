// SPDX-License-Identifier: Apache-2.0
// Pictures of lines: each thing in its place. The frame is 480 by 300 at (80, 44); both axes are logarithmic.
#include "tools/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "tools/crossover.h"

namespace {
using namespace memwall::tools;
using testing::HasSubstr;
using testing::Not;

struct span {
  double low, high;
  double share(double v) const { return std::log(v / low) / std::log(high / low); }
};

/// Where the values of two axes lie.
struct frame {
  span across, up;
  double x(double v) const { return 80 + 480 * across.share(v); }
  double y(double v) const { return 44 + 300 * (1 - up.share(v)); }
};

std::string tenth(double v) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f", v);
  return out;
}
std::string circle(double x, double y, const std::string& radius, const std::string& rest) {
  return "<circle cx=\"" + tenth(x) + "\" cy=\"" + tenth(y) + "\" r=\"" + radius + "\" " + rest;
}
std::string level_line(double y) {
  return "<line x1=\"80\" y1=\"" + tenth(y) + "\" x2=\"560\" y2=\"" + tenth(y) + "\" stroke=\"";
}
std::string upright_line(double x) {
  return "<line x1=\"" + tenth(x) + "\" y1=\"44\" x2=\"" + tenth(x) + "\" y2=\"344\" stroke=\"";
}
/// A name, 8 behind the frame.
std::string end_name(double y, const std::string& colour, const std::string& name) {
  return "<text x=\"568\" y=\"" + tenth(y) + "\" fill=\"" + colour + "\">" + name + "</text>";
}
int count(const std::string& text, const std::string& what) {
  int n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}
/// Lines with a text each, and no others.
void expect_ticks(const std::string& svg, const frame& f, const std::vector<std::string>& across,
                  const std::vector<std::string>& up) {
  for (const std::string& t : across) {
    const double x = f.x(std::stod(t));
    EXPECT_THAT(svg, HasSubstr(upright_line(x)));
    EXPECT_THAT(svg, HasSubstr("<text x=\"" + tenth(x) + "\" y=\"362\" text-anchor=\"middle\">" + t + "</text>"));
  }
  EXPECT_EQ(count(svg, "y=\"362\""), static_cast<int>(across.size()));
  for (const std::string& t : up) {
    const double y = f.y(std::stod(t));
    EXPECT_THAT(svg, HasSubstr(level_line(y) + "#e5e5e5"));
    EXPECT_THAT(svg, HasSubstr("<text x=\"74\" y=\"" + tenth(y + 4) + "\" text-anchor=\"end\">" + t + "</text>"));
  }
  EXPECT_EQ(count(svg, "text-anchor=\"end\""), static_cast<int>(up.size()));
}
constexpr const char* black = "#000000";
constexpr const char* blue = "#0072b2";
constexpr const char* red = "#d55e00";

// From 1 to 100, a twentieth wider; from 2 to 40, or the limit of 50, a fifth wider.
TEST(line_chart, points_ticks_limit_and_names_lie_where_the_axes_say) {
  line_chart c;
  c.title = "a < b & c > d";
  c.x_name = "rate";
  c.y_name = "time";
  c.limit = 50;
  c.limit_name = "limit";
  c.lines.push_back({"first", {{1, 2}, {10, 8}, {100, 40}}, {{10, 8}}});
  c.lines.push_back({"second", {{0, 1}, {1, 0}, {-1, 3}, {3, 30}}, {{0, 30}}});
  const std::string svg = svg_of(c);
  const frame f{{1 / 1.05, 100 * 1.05}, {2 / 1.2, 50 * 1.2}};
  EXPECT_THAT(svg, HasSubstr("viewBox=\"0 0 790 394\" width=\"790\" height=\"394\""));  // 80 + 480 + 230, 44 + 300 + 50
  EXPECT_THAT(svg, HasSubstr("<text x=\"80\" y=\"20\" font-size=\"14\">a &lt; b &amp; c &gt; d</text>"));
  EXPECT_THAT(svg, HasSubstr("<text x=\"320\" y=\"384\" text-anchor=\"middle\">rate</text>"));
  EXPECT_THAT(svg, HasSubstr("<text x=\"80\" y=\"36\" fill=\"#555\">time</text>"));
  EXPECT_THAT(svg, HasSubstr("<rect x=\"80\" y=\"44\" width=\"480\" height=\"300\" fill=\"none\""));
  for (const auto& [at, value] : c.lines[0].points)
    EXPECT_THAT(svg, HasSubstr(circle(f.x(at), f.y(value), "3", "fill=\"#000000\"")));
  EXPECT_THAT(svg, HasSubstr(circle(f.x(3), f.y(30), "3", "fill=\"#0072b2\"")));
  EXPECT_EQ(count(svg, "r=\"3\""), 4) << "what is not above 0 has no place";
  EXPECT_THAT(svg, HasSubstr("points=\"" + tenth(f.x(1)) + "," + tenth(f.y(2)) + " " + tenth(f.x(10)) + "," +
                             tenth(f.y(8)) + " " + tenth(f.x(100)) + "," + tenth(f.y(40)) + " \""));
  EXPECT_THAT(svg, HasSubstr(circle(f.x(10), f.y(8), "7", "fill=\"none\"")));
  EXPECT_EQ(count(svg, "r=\"7\""), 1);
  // One, two and five times the powers of ten.
  expect_ticks(svg, f, {"1", "2", "5", "10", "20", "50", "100"}, {"2", "5", "10", "20", "50"});
  EXPECT_THAT(svg, HasSubstr(level_line(f.y(50)) + "#888\" stroke-dasharray"));
  // From the top: the limit, then 40 and 30 where they are, if 15 apart from the one above.
  const double first = std::max(f.y(40) + 4, f.y(50) + 4 + 15), second = std::max(f.y(30) + 4, first + 15);
  EXPECT_THAT(svg, HasSubstr(end_name(f.y(50) + 4, "#666", "limit")));
  EXPECT_THAT(svg, HasSubstr(end_name(first, black, "first")));
  EXPECT_THAT(svg, HasSubstr(end_name(second, blue, "second")));
}

TEST(line_chart, more_than_nine_ticks_are_powers_of_ten_alone) {
  line_chart c;
  c.lines.push_back({"a", {{1, 1}, {500, 1000}}, {}});
  c.y_text = [](double v) { return std::to_string(static_cast<int>(v)) + " <s>"; };
  const std::string svg = svg_of(c);
  const frame f{{1 / 1.05, 500 * 1.05}, {1 / 1.2, 1000 * 1.2}};
  EXPECT_EQ(count(svg, "y=\"362\""), 9);            // 1, 2, 5 ... 500
  EXPECT_EQ(count(svg, "text-anchor=\"end\""), 4);  // 1, 10, 100, 1000
  for (const char* t : {"1", "10", "100", "1000"})
    EXPECT_THAT(svg, HasSubstr("<text x=\"74\" y=\"" + tenth(f.y(std::stod(t)) + 4) + "\" text-anchor=\"end\">" + t +
                               " &lt;s&gt;</text>"));
}

TEST(line_chart, a_line_without_points_has_its_name_at_the_bottom) {
  line_chart c;
  c.lines.push_back({"none", {}, {}});
  const std::string svg = svg_of(c);
  EXPECT_THAT(svg, HasSubstr(end_name(344 + 4, black, "none")));
  EXPECT_THAT(svg, HasSubstr("points=\"\""));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  // Both axes are around 1.
  EXPECT_THAT(svg, HasSubstr("<text x=\"320.0\" y=\"362\" text-anchor=\"middle\">1</text>"));
  EXPECT_THAT(svg, HasSubstr("<text x=\"74\" y=\"198.0\" text-anchor=\"end\">1</text>"));
  EXPECT_EQ(count(svg, "y=\"362\""), 1);
  EXPECT_EQ(count(svg, "text-anchor=\"end\""), 1);
}

// All below 1, and a point whose value has no logarithm left of them.
TEST(line_chart, axes_hold_what_is_drawn_and_nothing_else) {
  line_chart c;
  c.lines.push_back({"a", {{0.01, 0}, {0.1, 0.2}, {0.4, 0.8}}, {{0.2, 0.4}}});
  c.lines.push_back({"b", {}, {{0.2, 0}}});
  const std::string svg = svg_of(c);
  const frame f{{0.1 / 1.05, 0.4 * 1.05}, {0.2 / 1.2, 0.8 * 1.2}};
  EXPECT_THAT(svg, HasSubstr(circle(f.x(0.1), f.y(0.2), "3", "fill")));
  EXPECT_THAT(svg, HasSubstr(circle(f.x(0.4), f.y(0.8), "3", "fill")));
  EXPECT_EQ(count(svg, "r=\"3\""), 2);
  EXPECT_THAT(svg, HasSubstr(circle(320, 44 + 150, "7", "fill")));  // the geometric mean of both ends
  EXPECT_EQ(count(svg, "r=\"7\""), 1);
}

std::string plain(double v) {
  return std::to_string(static_cast<long>(v));
}

// The first needs 100 whatever the batch; the second 12.5 a sequence: equal at 8. The third ends just above the first
// and has no value at 4.
TEST(crossover_picture, points_crossings_and_names_lie_where_the_axes_say) {
  crossover_curves c{"batch", {1, 2, 4, 16, 64}, {"flat", "linear", "near"}, {}, {}};
  c.value = {{100., 100., 100., 100., 100.}, {12.5, 25., 50., 200., 800.}, {110., 110., {}, 110., 110.}};
  const std::string svg = crossover_svg(c, "t", "q", plain);
  const frame f{{1, 64}, {12.5 / 1.2, 800 * 1.2}};
  EXPECT_THAT(svg, HasSubstr("viewBox=\"0 0 790 394\" width=\"790\" height=\"394\""));
  EXPECT_THAT(svg, HasSubstr("<text x=\"80\" y=\"20\" font-size=\"14\">t</text>"));
  EXPECT_THAT(svg, HasSubstr("<text x=\"320\" y=\"384\" text-anchor=\"middle\">batch</text>"));
  EXPECT_THAT(svg, HasSubstr("<text x=\"80\" y=\"36\" fill=\"#555\">q</text>"));
  EXPECT_THAT(svg, HasSubstr("<rect x=\"80\" y=\"44\" width=\"480\" height=\"300\" fill=\"none\""));
  const char* const colours[] = {black, blue, red};
  for (std::size_t p = 0; p < 3; ++p) {
    std::string points;
    for (std::size_t i = 0; i < c.at.size(); ++i) {
      if (!c.value[p][i]) continue;
      const double x = f.x(static_cast<double>(c.at[i])), y = f.y(*c.value[p][i]);
      points += tenth(x) + "," + tenth(y) + " ";
      EXPECT_THAT(svg, HasSubstr(circle(x, y, "3", "fill=\"" + std::string(colours[p]) + "\"")));
    }
    EXPECT_THAT(svg, HasSubstr("<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" + colours[p]));
  }
  EXPECT_EQ(count(svg, "r=\"3\""), 14);
  EXPECT_THAT(svg, HasSubstr(circle(320, f.y(100), "7", "fill=\"none\" stroke=\"#0072b2\"")));  // half of six doublings
  EXPECT_EQ(count(svg, "r=\"7\""), 1);
  expect_ticks(svg, f, {"1", "2", "4", "8", "16", "32", "64"}, {"20", "50", "100", "200", "500"});
  EXPECT_THAT(svg, HasSubstr(end_name(f.y(800) + 4, blue, "linear")));
  EXPECT_THAT(svg, HasSubstr(end_name(f.y(110) + 4, red, "near")));
  EXPECT_THAT(svg, HasSubstr(end_name(f.y(110) + 4 + 15, black, "flat")));  // pushed down
}

// Both fall: between 4 and 16 from 80 to 20 and from 160 to 10. In logarithms of base 2 over the two doublings, their
// ratio goes from 1 to -1: equal in the midst, at 8 and at 40.
TEST(crossover_picture, a_crossing_lies_on_the_first_line) {
  crossover_curves c{"batch", {4, 16}, {"first", "second"}, {}, {}};
  c.value = {{80., 20.}, {160., 10.}};
  const frame f{{4, 16}, {10 / 1.2, 160 * 1.2}};
  EXPECT_THAT(crossover_svg(c, "t", "q", plain), HasSubstr(circle(320, f.y(40), "7", "fill=\"none\"")));
}

// One point, below 1; and none at all.
TEST(crossover_picture, of_one_point_or_none_is_a_picture) {
  crossover_curves c{"batch", {4}, {"a"}, {{0.5}}, {}};
  const std::string one = crossover_svg(c, "t", "q", plain);
  // From a fifth below to a fifth above the only value: it is in the midst.
  EXPECT_THAT(one, HasSubstr(circle(80, 44 + 150, "3", "fill")));
  c.value = {{std::nullopt}};
  const std::string none = crossover_svg(c, "t", "q", plain);
  EXPECT_THAT(none, HasSubstr(end_name(344 + 4, black, "a")));
  EXPECT_THAT(none, HasSubstr("<text x=\"74\" y=\"198.0\" text-anchor=\"end\">1</text>"));
  EXPECT_EQ(count(none, "text-anchor=\"end\""), 1);
  for (const auto* svg : {&one, &none}) {
    EXPECT_EQ(count(*svg, "nan") + count(*svg, "inf"), 0);
    EXPECT_EQ(count(*svg, "y=\"362\""), 1);
  }
}

// The first platform's cell has its value alone, the others' also how many times faster they are.
TEST(crossover_table, tells_values_and_gains) {
  const crossover_curves c{"batch", {1, 16}, {"flat", "linear"}, {{100., 100.}, {12.5, 200.}}, {}};
  EXPECT_THAT(crossover_table(c, plain), testing::MatchesRegex("batch +flat +linear *\n1 +100 +12  8x *\n16 +100 +200  "
                                                               "0.5x *\n"));
  const crossover_curves lone{"batch", {1}, {"flat", "linear"}, {{std::nullopt}, {12.5}}, {}};
  EXPECT_THAT(crossover_table(lone, plain), testing::MatchesRegex("[^\n]*\n1 +does not fit +12 *\n"));
}

}  // namespace
