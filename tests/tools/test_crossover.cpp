// SPDX-License-Identifier: Apache-2.0
// Crossings between platforms: where straight lines in logarithms meet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "hw/common/error.h"
#include "tools/crossover.h"

using namespace memwall;
using namespace memwall::tools;

namespace {

std::string plain(double v) {
  return std::to_string(static_cast<long>(v));
}

// The first needs 100 whatever the batch (weights stream once); the second 12.5 a sequence: equal at 8.
crossover_curves flat_and_linear() {
  crossover_curves c{"batch", {1, 2, 4, 16, 64}, {"flat", "linear"}, {}, {}};
  c.value.resize(2);
  for (const auto b : c.at) {
    c.value[0].emplace_back(100.0);
    c.value[1].emplace_back(12.5 * static_cast<double>(b));
  }
  return c;
}

std::string message_of(const std::string& text) {
  try {
    parse_axis(text);
  } catch (const input_error& e) {
    return e.what();
  }
  return {};
}

}  // namespace

TEST(crossover, axes_are_powers_of_two_or_lists) {
  EXPECT_EQ(parse_axis("batch=1..256").values, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256}));
  EXPECT_EQ(parse_axis("context=500..1500").values, (std::vector<std::int64_t>{500, 1000, 1500}));
  EXPECT_EQ(parse_axis("prompt=9,3,3").values, (std::vector<std::int64_t>{3, 9}));
}

TEST(crossover, bad_axes_are_explained) {
  EXPECT_THAT(message_of("bach=1..4"), testing::HasSubstr("did you mean 'batch'"));
  EXPECT_THAT(message_of("batch"), testing::HasSubstr("has no '='"));
  EXPECT_THAT(message_of("batch=4..1"), testing::HasSubstr("ends before it begins"));
  EXPECT_THAT(message_of("batch=0..4"), testing::HasSubstr("'0' is not an integer"));
  EXPECT_THAT(message_of("batch=1,,2"), testing::HasSubstr("'' is not an integer"));
  EXPECT_THAT(message_of("batch=1..99999999999999999999"), testing::HasSubstr("not an integer"));
}

TEST(crossover, the_crossing_of_a_flat_and_a_linear_cost_is_found_between_points) {
  const auto found = crossings(flat_and_linear(), 1);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NEAR(found[0].at, 8, 1e-9);
  EXPECT_TRUE(found[0].loses_beyond);
  EXPECT_EQ(verdict(flat_and_linear(), 1, "faster", "slower"),
            "linear is faster than flat up to batch 8, slower beyond");
}

TEST(crossover, points_that_do_not_fit_are_said_and_skipped) {
  auto c = flat_and_linear();
  c.value[1][4].reset();
  EXPECT_NEAR(crossings(c, 1).at(0).at, 8, 1e-9);
  EXPECT_THAT(verdict(c, 1, "faster", "slower"), testing::HasSubstr("from batch 64 on it does not fit linear"));
  EXPECT_THAT(crossover_table(c, plain), testing::HasSubstr("does not fit"));
  c.value[1].assign(5, std::nullopt);
  EXPECT_TRUE(crossings(c, 1).empty());
  EXPECT_THAT(verdict(c, 1, "faster", "slower"), testing::HasSubstr("no point fits both"));
}

TEST(crossover, points_that_failed_are_no_points_that_do_not_fit) {
  auto c = flat_and_linear();
  c.failed.assign(2, std::vector<bool>(5));
  c.value[1][4].reset();
  c.failed[1][4] = true;
  EXPECT_THAT(crossover_table(c, plain), testing::HasSubstr("failed"));
  EXPECT_THAT(crossover_table(c, plain), testing::Not(testing::HasSubstr("does not fit")));
  EXPECT_THAT(verdict(c, 1, "faster", "slower"), testing::EndsWith("; the run at batch 64 failed"));
}

TEST(crossover, without_a_crossing_both_ends_are_told) {
  auto c = flat_and_linear();
  for (auto& v : c.value[1]) v = 50.0;
  EXPECT_EQ(verdict(c, 1, "faster", "slower"), "linear is faster than flat at every batch from 1 (2x) to 64 (2x)");
}

// Every line is drawn: a circle a point, and one larger for the crossing.
TEST(crossover, the_picture_has_every_point_and_the_crossing) {
  const std::string svg = crossover_svg(flat_and_linear(), "t", "q", plain);
  const auto count = [&svg](const std::string& what) {
    int n = 0;
    for (std::size_t at = svg.find(what); at != std::string::npos; at = svg.find(what, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count("r=\"3\""), 10);
  EXPECT_EQ(count("r=\"7\""), 1);
  EXPECT_EQ(count("<polyline"), 2);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}
