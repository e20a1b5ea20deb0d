// SPDX-License-Identifier: Apache-2.0
// Badges follow from the validation's rows: alter a row and the words beside the figure change.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "hw/common/error.h"
#include "platforms/describe/description.h"
#include "tools/validation_badges.h"

namespace memwall::tools {
namespace {

using platforms::badge_of;

std::vector<validated> rows() {
  return {{"von_neumann_h100", "decode_tokens_per_s", 0.02},
          {"von_neumann_h100", "token_ms", -0.04},
          {"von_neumann_h100", "decode_tokens_per_s", 0.09},
          {"von_neumann_h100", "first_token_ms", 0.2},
          {"von_neumann_h100", "watts", -0.1},
          {"von_neumann_h100_pcie", "token_ms", 0.15},
          {"von_neumann_h100", "time_us", 0.5},
          {"", "token_ms", 0.5},
          {"von_neumann_cpu", "decode_tokens_per_s", -0.007}};
}

TEST(validation_badges, a_badge_is_the_median_error_of_its_rows_and_their_number) {
  const auto badges = badges_of(rows());
  EXPECT_EQ(badge_of("von_neumann_h100", "decode", badges).text(), "decode measured within 4.0 % (n = 3)");
  EXPECT_EQ(badge_of("von_neumann_h100", "prefill", badges).text(), "prefill measured within 20.0 % (n = 1)");
  EXPECT_EQ(badge_of("von_neumann_h100", "energy", badges).text(), "energy measured within 10.0 % (n = 1)");
  EXPECT_EQ(badge_of("von_neumann_cpu", "decode", badges).text(), "decode measured within 0.7 % (n = 1)");
  const auto own = badge_of("von_neumann_h100", "decode", badges).own;
  ASSERT_TRUE(own);
  EXPECT_DOUBLE_EQ(own->p90_error, 0.09) << "of three, the largest";
}

TEST(validation_badges, altering_a_row_changes_the_badge) {
  auto altered = rows();
  altered[1].error = 0.08;  // the errors are 2, 8 and 9 %
  EXPECT_EQ(badge_of("von_neumann_h100", "decode", badges_of(altered)).text(), "decode measured within 8.0 % (n = 3)");
  altered.erase(altered.begin());
  EXPECT_EQ(badge_of("von_neumann_h100", "decode", badges_of(altered)).text(), "decode measured within 8.5 % (n = 2)");
}

TEST(validation_badges, a_preset_without_rows_has_its_nearest_relatives) {
  const auto badges = badges_of(rows());
  // It comes from von_neumann_h100, as does the PCIe card.
  EXPECT_EQ(badge_of("von_neumann_h200", "decode", badges).text(),
            "decode extrapolated (n = 0), neighbours err by 4 to 15 %");
  EXPECT_EQ(badge_of("von_neumann_h200", "prefill", badges).text(),
            "prefill extrapolated (n = 0), the nearest errs by 20 %");
  EXPECT_EQ(badge_of("cim_sram", "decode", badges).text(), "decode extrapolated (n = 0)") << "no relative was measured";
  EXPECT_EQ(badge_of("mine.yaml", "decode", badges).text(), "decode extrapolated (n = 0)");
}

TEST(validation_badges, what_was_measured_is_a_neighbour_of_what_was_changed) {
  const auto badges = badges_of(rows());
  const auto changed = badge_of("von_neumann_h100", "decode", badges).of_neighbour();
  EXPECT_EQ(changed.text(), "decode extrapolated (n = 0), the nearest errs by 4 %");
  EXPECT_EQ(badge_of("von_neumann_h200", "decode", badges).of_neighbour().text(),
            badge_of("von_neumann_h200", "decode", badges).text());
}

TEST(validation_badges, a_run_over_some_rows_leaves_what_is_known_of_others) {
  const auto stored = badges_of(rows());
  const auto merged = merge_badges(stored, badges_of({{"von_neumann_cpu", "token_ms", 0.3}}));
  EXPECT_EQ(merged.size(), stored.size());
  EXPECT_EQ(badge_of("von_neumann_cpu", "decode", merged).text(), "decode measured within 30.0 % (n = 1)");
  EXPECT_EQ(badge_of("von_neumann_h100", "decode", merged).text(), "decode measured within 4.0 % (n = 3)");
}

TEST(validation_badges, they_are_stored_as_a_table) {
  const std::string file = testing::TempDir() + "badges.csv";
  std::ofstream(file) << platforms::write_badges(badges_of(rows()));
  const auto read = platforms::read_badges(file);
  EXPECT_EQ(badge_of("von_neumann_h100", "decode", read).text(), "decode measured within 4.0 % (n = 3)");
  std::ofstream(file) << "platform,figure,rows,median_error,p90_error\nx,decode,none,0.1,0.2\n";
  try {
    platforms::read_badges(file);
    ADD_FAILURE();
  } catch (const input_error& e) {
    EXPECT_NE(std::string(e.what()).find("badges.csv:2"), std::string::npos) << e.what();
  }
  std::ofstream(file) << "preset\n";
  EXPECT_THROW(platforms::read_badges(file), input_error);
}

TEST(validation_badges, stored_ones_are_of_presets) {
  const auto stored = platforms::read_badges(std::string(MEMWALL_SOURCE_DIR) + "/platforms/validation/badges.csv");
  EXPECT_FALSE(stored.empty());
  const auto names = platforms::platform_names();
  for (const auto& r : stored) {
    EXPECT_NE(std::find(names.begin(), names.end(), r.platform), names.end()) << r.platform;
    EXPECT_TRUE(r.figure == "decode" || r.figure == "prefill" || r.figure == "energy") << r.figure;
    EXPECT_LE(r.median_error, r.p90_error) << r.platform;
  }
}

}  // namespace
}  // namespace memwall::tools
