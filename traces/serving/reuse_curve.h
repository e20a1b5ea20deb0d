// SPDX-License-Identifier: Apache-2.0
// What a piece of work of varying size costs: sizes that were simulated, and straight lines between them where a third
// size in the middle, simulated too, lies on the line within a tolerance.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "traces/serving/outcome.h"

namespace memwall::serving {

/// Over one size.
class reuse_curve {
 public:
  /// `edges`: sizes at which something begins that is no matter of size (another kernel, a further row of tiles):
  /// nothing is interpolated from one size across an edge: [edge, next edge - 1] is the widest bracket.
  reuse_curve(std::vector<std::int64_t> edges, double tolerance) : m_edges(std::move(edges)), m_tolerance(tolerance) {}

  /// The cost at `size`; nothing where `wanted` must be simulated first.
  std::optional<outcome> at(std::int64_t size, std::int64_t& wanted);
  void add(std::int64_t size, const outcome& simulated) { m_points.insert_or_assign(size, simulated); }
  std::size_t points() const { return m_points.size(); }

 private:
  std::pair<std::int64_t, std::int64_t> bracket(std::int64_t size) const;

  std::vector<std::int64_t> m_edges;
  double m_tolerance;
  std::map<std::int64_t, outcome> m_points;
  std::set<std::pair<std::int64_t, std::int64_t>> m_straight, m_bent;  // brackets that were tried
};

/// Over two sizes, the second within brackets that double: for work whose cost is close to a straight line in each.
class reuse_plane {
 public:
  struct point {
    std::int64_t x = 0, y = 0;
    friend bool operator<(const point& a, const point& b) { return a.x != b.x ? a.x < b.x : a.y < b.y; }
  };
  std::optional<outcome> at(point p, point& wanted);
  void add(point p, const outcome& simulated) { m_points.insert_or_assign(p, simulated); }
  std::size_t points() const { return m_points.size(); }

 private:
  std::optional<outcome> on_line(std::int64_t x, std::int64_t y, point& wanted) const;
  std::map<point, outcome> m_points;
};

/// Powers of two around a size, low <= size <= high.
std::pair<std::int64_t, std::int64_t> doubling_bracket(std::int64_t size);

}  // namespace memwall::serving
