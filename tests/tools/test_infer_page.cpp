// SPDX-License-Identifier: Apache-2.0
// The page of a sweep of values: where its points stand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/infer_page.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

json point(double perplexity, double interval, double cost, bool pareto = true) {
  return {{"varied", "adc_bits"},
          {"value", "6"},
          {"perplexity", perplexity},
          {"perplexity_deviation", 0.25},
          {"perplexity_interval_95", interval},
          {"top1_agreement", 0.5},
          {"time_per_token_ns", cost},
          {"energy_per_token_pj", cost},
          {"working_energy_per_token_pj", cost / 2},
          {"converter_energy_per_token_pj", 0.0},
          {"pareto", pareto}};
}

std::string page(const json& points) {
  return infer_page({{"model", "m"},
                     {"platform", "p"},
                     {"text", "a < b"},
                     {"reference_perplexity", 4.5},
                     {"seeds", 3},
                     {"points", points},
                     {"published", json::array()}});
}

// The picture's axes run from 70 to 600 and from 330 up to 30. One point, or several alike, has no range: one of a
// hundredth to both sides is drawn, and it stands in the middle of both axes.
TEST(infer_page, points_that_are_alike_stand_in_the_middle) {
  const auto text = page({point(8, 0, 1000), point(8, 0, 1000, false)});
  EXPECT_THAT(text, HasSubstr("<circle cx='335.0' cy='180.0' r='5' fill='#1f5fa8'"));
  EXPECT_THAT(text, HasSubstr("<circle cx='335.0' cy='180.0' r='5' fill='#fff'"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

// 1 and 16 leave 16^0.08 to both sides: the axes are 1.16 times as long as the points' distance, on logarithmic scales,
// and the points are 0.08 / 1.16 from the ends: 0.0690 x 530 = 36.6 and 0.0690 x 300 = 20.7. A whisker ends where the
// axis ends: its lower end at 330, where 16 - 15.99 would be far below.
TEST(infer_page, points_stand_by_the_logarithms_of_cost_and_perplexity) {
  const auto text = page({point(1, 0, 1), point(16, 15.99, 16), point(4, 4, 4)});
  EXPECT_THAT(text, HasSubstr("<circle cx='106.6' cy='309.3'"));
  EXPECT_THAT(text, HasSubstr("<circle cx='563.4' cy='50.7'"));
  EXPECT_THAT(text, HasSubstr("<circle cx='335.0' cy='180.0'"));
  // 16 + 15.99 lies above the axis (log 2 = 1/4 of the points' distance, more than 0.08 of it), 4 + 4 = 8 a quarter of
  // 300 / 1.16 above 180; 4 - 4 is nothing that a logarithm has: the axis' end, too.
  EXPECT_THAT(text, HasSubstr("<path d='M563.4 30.0V330.0'"));
  EXPECT_THAT(text, HasSubstr("<path d='M335.0 115.3V330.0'"));
}

TEST(infer_page, names_are_text_and_converters_are_drawn_where_there_are_any) {
  auto points = json::array({point(8, 0, 1000)});
  EXPECT_THAT(page(points), HasSubstr("Perplexity of a &lt; b, reference (single precision) 4.5000"));
  EXPECT_THAT(page(points), Not(HasSubstr("perplexity over converters")));
  points[0]["converter_energy_per_token_pj"] = 7.0;
  EXPECT_THAT(page(points), HasSubstr("perplexity over converters"));
}

// A layer is named by its number or, where it is none of the numbered ones, by its name without quotes.
TEST(infer_page, sensitivity_has_a_row_a_layer) {
  const auto row = [](const json& layer, double perplexity, double interval, double added) {
    return json{
        {"layer", layer}, {"perplexity", perplexity}, {"perplexity_interval_95", interval}, {"nll_added", added}};
  };
  const auto text =
      infer_page({{"model", "m"},
                  {"platform", "p"},
                  {"text", "t"},
                  {"reference_perplexity", 4.5},
                  {"seeds", 3},
                  {"points", json::array({point(8, 0, 1000)})},
                  {"sensitivity", json::array({row(3, 4.75, 0.125, 0.0625), row("lm_head", 5, 0.25, 0.125)})},
                  {"published", json::array()}});
  EXPECT_THAT(text, HasSubstr("<tr><td>3<td>4.7500<td>+- 0.1250<td>0.06250</tr>"));
  EXPECT_THAT(text, HasSubstr("<tr><td>lm_head<td>5.0000<td>+- 0.2500<td>0.12500</tr>"));
}

TEST(infer_page, the_table_of_a_sweep_has_a_row_a_point) {
  EXPECT_EQ(
      infer_csv({{"points", json::array({point(8.5, 0.125, 1000), point(9, 0, 500, false)})}}),
      "varied,value,perplexity,perplexity_deviation,perplexity_interval_95,top1_agreement,time_per_token_ns,energy_"
      "per_token_pj,working_energy_per_token_pj,converter_energy_per_token_pj,pareto\n"
      "adc_bits,6,8.5,0.25,0.125,0.5,1000.0,1000.0,500.0,0.0,1\n"
      "adc_bits,6,9.0,0.25,0.0,0.5,500.0,500.0,250.0,0.0,0\n");
}

}  // namespace
}  // namespace memwall::tools
