// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/reuse_curve.h"

#include <algorithm>
#include <cmath>

namespace memwall::serving {
namespace {

double share_of(std::int64_t low, std::int64_t high, std::int64_t at) {
  return high > low ? static_cast<double>(at - low) / static_cast<double>(high - low) : 0.0;
}

}  // namespace

std::pair<std::int64_t, std::int64_t> doubling_bracket(std::int64_t size) {
  std::int64_t low = 1;
  while (2 * low <= size) low *= 2;
  return {low, low == size ? low : 2 * low};
}

std::pair<std::int64_t, std::int64_t> reuse_curve::bracket(std::int64_t size) const {
  const auto above = std::upper_bound(m_edges.begin(), m_edges.end(), size);
  // Beyond the last edge as doubling brackets.
  if (above == m_edges.end()) return doubling_bracket(size);
  const std::int64_t low = above == m_edges.begin() ? 1 : *(above - 1);
  return {low, *above - 1};
}

std::optional<outcome> reuse_curve::at(std::int64_t size, std::int64_t& wanted) {
  const auto known = [&](std::int64_t s) {
    if (m_points.count(s) != 0) return true;
    wanted = s;
    return false;
  };
  if (const auto exact = m_points.find(size); exact != m_points.end()) return exact->second;
  auto [low, high] = bracket(size);
  while (true) {
    if (size == low || size == high || high - low < 2) {
      if (!known(size)) return std::nullopt;
      return m_points.at(size);
    }
    if (!known(low) || !known(high)) return std::nullopt;
    // Steps of tiles that small average out.
    if (high - low <= low / 16) return outcome::between(m_points.at(low), m_points.at(high), share_of(low, high, size));
    const outcome &a = m_points.at(low), &b = m_points.at(high);
    const std::pair tried(low, high);
    if (m_straight.count(tried) == 0 && m_bent.count(tried) == 0) {
      const std::int64_t middle = low + (high - low) / 2;
      if (!known(middle)) return std::nullopt;
      const double simulated = m_points.at(middle).time();
      const double guessed = outcome::between(a, b, share_of(low, high, middle)).time();
      (std::abs(guessed - simulated) <= m_tolerance * simulated ? m_straight : m_bent).insert(tried);
    }
    if (m_straight.count(tried) != 0) return outcome::between(a, b, share_of(low, high, size));
    const std::int64_t middle = low + (high - low) / 2;
    (size <= middle ? high : low) = middle;
  }
}

std::optional<outcome> reuse_plane::on_line(std::int64_t x, std::int64_t y, point& wanted) const {
  const auto [low, high] = doubling_bracket(y);
  for (const std::int64_t edge : {low, high})
    if (m_points.count({x, edge}) == 0) {
      wanted = {x, edge};
      return std::nullopt;
    }
  return outcome::between(m_points.at({x, low}), m_points.at({x, high}), share_of(low, high, y));
}

std::optional<outcome> reuse_plane::at(point p, point& wanted) {
  const auto [low, high] = doubling_bracket(p.x);
  const auto a = on_line(low, p.y, wanted);
  if (!a || low == high) return a;
  const auto b = on_line(high, p.y, wanted);
  if (!b) return b;
  return outcome::between(*a, *b, share_of(low, high, p.x));
}

}  // namespace memwall::serving
