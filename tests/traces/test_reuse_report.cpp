// SPDX-License-Identifier: Apache-2.0
// The error of reuse against what Student's t says of it.
#include <gtest/gtest.h>

#include <cmath>

#include "traces/reuse_report.h"

namespace memwall {
namespace {

TEST(reuse_report, the_interval_is_students) {
  reuse_report r;
  for (const double e : {0.01, -0.01, 0.02}) r.audits.push_back({e, 1});
  EXPECT_NEAR(r.mean_error(), 0.04 / 3, 1e-12);
  EXPECT_EQ(r.max_error(), 0.02);
  EXPECT_NEAR(r.bias(), 0.02 / 3, 1e-12);
  // Squared deviations from the mean 0.02 / 3 sum to 0.0006 - 0.02^2 / 3; t for 2 degrees of freedom is 4.30265.
  const double deviation = std::sqrt((0.0006 - 0.0004 / 3) / 2);
  EXPECT_NEAR(r.confidence(), 4.30265 * deviation / std::sqrt(3.0), 1e-6);
}

TEST(reuse_report, an_audit_counts_as_much_as_it_stands_for) {
  reuse_report r;
  r.audits = {{0.1, 1}, {-0.02, 9}};
  EXPECT_NEAR(r.mean_error(), (0.1 + 0.18) / 10, 1e-12);
  EXPECT_NEAR(r.bias(), (0.1 - 0.18) / 10, 1e-12);
  // Deviations 0.108 (weight 1) and -0.012 (weight 9); t for 1 degree of freedom is 12.7062.
  const double squares = 0.108 * 0.108 + 81 * 0.012 * 0.012;
  EXPECT_NEAR(r.confidence(), 12.7062 * std::sqrt(2 * squares) / 10, 1e-6);
}

TEST(reuse_report, one_audit_has_no_interval) {
  reuse_report r;
  EXPECT_EQ(r.mean_error(), 0);
  r.audits = {{0.5, 3}};
  EXPECT_EQ(r.confidence(), 0);
  EXPECT_EQ(r.mean_error(), 0.5);
}

}  // namespace
}  // namespace memwall
