// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "hw/common/stall.h"

using namespace memwall;

TEST(stall, apportioned_parts_sum_to_the_total_and_stay_within_one_picosecond_of_proportional) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 1000; ++round) {
    stall_stack weights;
    for (auto& w : weights.part) w = random() % 3 == 0 ? 0 : static_cast<ps_t>(random() % 1'000'000'000);
    const ps_t total = static_cast<ps_t>(random() % 1'000'000'000'000);
    const stall_stack parts = apportion(total, weights, stall::idle);
    ASSERT_EQ(parts.sum(), total);
    if (weights.sum() == 0) continue;
    for (std::size_t i = 0; i < stall_count; ++i)
      ASSERT_NEAR(
          static_cast<double>(parts.part[i]),
          static_cast<double>(total) * static_cast<double>(weights.part[i]) / static_cast<double>(weights.sum()),
          1.001);
  }
}

TEST(stall, nothing_to_weigh_goes_to_the_given_cause) {
  EXPECT_EQ(apportion(7, stall_stack{}, stall::dependency)[stall::dependency], 7);
}

TEST(stall, the_glossary_explains_every_word) {
  std::ifstream in(MEMWALL_SOURCE_DIR "/tools/docs/glossary.md");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  ASSERT_FALSE(text.empty());
  for (std::size_t c = 0; c < stall_count; ++c) {
    const std::string row = std::string("| `") + stall_name(static_cast<stall>(c)) + "` | ";
    EXPECT_NE(text.find(row), std::string::npos) << row;
  }
}
