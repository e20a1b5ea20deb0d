// SPDX-License-Identifier: Apache-2.0
#include "traces/reuse_report.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace memwall {
namespace {

template <class Value>
double weighted_mean(const std::vector<reuse_report::audit>& audits, Value&& value) {
  double sum = 0, weights = 0;
  for (const auto& a : audits) {
    sum += a.stands_for * value(a.error);
    weights += a.stands_for;
  }
  return weights > 0 ? sum / weights : 0.0;
}

}  // namespace

double reuse_report::mean_error() const {
  return weighted_mean(audits, [](double e) { return std::abs(e); });
}

double reuse_report::max_error() const {
  double out = 0;
  for (const auto& a : audits) out = std::max(out, std::abs(a.error));
  return out;
}

double reuse_report::bias() const {
  return weighted_mean(audits, [](double e) { return e; });
}

/// Of a weighted mean: each audit speaks for its share of the whole.
double reuse_report::confidence() const {
  const auto n = static_cast<double>(audits.size());
  if (audits.size() < 2) return 0;
  const double mean = bias();
  double squares = 0, weights = 0;
  for (const auto& a : audits) {
    squares += a.stands_for * a.stands_for * (a.error - mean) * (a.error - mean);
    weights += a.stands_for;
  }
  if (weights <= 0) return 0;
  const boost::math::students_t t(n - 1);
  return boost::math::quantile(boost::math::complement(t, 0.025)) * std::sqrt(squares * n / (n - 1)) / weights;
}

}  // namespace memwall
