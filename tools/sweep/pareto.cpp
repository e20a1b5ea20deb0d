// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/pareto.h"

#include <algorithm>
#include <numeric>

namespace memwall::sweep {
namespace {

bool inside(const objectives& p, const objectives& reference) {
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] >= reference[i]) return false;
  return true;
}

double box(const objectives& p, const objectives& reference) {
  double out = 1;
  for (std::size_t i = 0; i < p.size(); ++i) out *= reference[i] - p[i];
  return out;
}

double volume(const std::vector<objectives>& points, const objectives& reference);

/// What `p` dominates and none of `others` does.
double exclusive(const objectives& p, const std::vector<objectives>& others, const objectives& reference) {
  std::vector<objectives> limited;
  for (const auto& o : others) {
    objectives worse(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) worse[i] = std::max(p[i], o[i]);
    if (inside(worse, reference)) limited.push_back(std::move(worse));
  }
  std::vector<objectives> front;
  for (const std::size_t i : pareto_front(limited)) front.push_back(limited[i]);
  return box(p, reference) - volume(front, reference);
}

/// Of a front inside the reference.
double volume(const std::vector<objectives>& points, const objectives& reference) {
  if (points.empty()) return 0;
  if (reference.size() == 2) {
    auto sorted = points;
    std::sort(sorted.begin(), sorted.end());
    double out = 0, top = reference[1];
    for (const auto& p : sorted) {
      out += (reference[0] - p[0]) * std::max(0.0, top - p[1]);
      top = std::min(top, p[1]);
    }
    return out;
  }
  double out = 0;
  for (std::size_t i = 0; i < points.size(); ++i)
    out += exclusive(points[i], {points.begin() + static_cast<std::ptrdiff_t>(i) + 1, points.end()}, reference);
  return out;
}

}  // namespace

bool dominates(const objectives& a, const objectives& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better = better || a[i] < b[i];
  }
  return better;
}

std::vector<std::size_t> pareto_front(const std::vector<objectives>& points) {
  // In lexicographic order a point can only be dominated by an earlier one, and if so by one that is on the
  // front.
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return points[a] != points[b] ? points[a] < points[b] : a < b; });
  std::vector<std::size_t> out;
  for (const std::size_t i : order) {
    const bool beaten = std::any_of(out.begin(), out.end(), [&](std::size_t f) {
      return points[f] == points[i] || dominates(points[f], points[i]);
    });
    if (!beaten) out.push_back(i);
  }
  std::sort(out.begin(), out.end());
  return out;
}

double hypervolume(std::vector<objectives> points, const objectives& reference) {
  points.erase(std::remove_if(points.begin(), points.end(), [&](const auto& p) { return !inside(p, reference); }),
               points.end());
  std::vector<objectives> front;
  for (const std::size_t i : pareto_front(points)) front.push_back(points[i]);
  if (reference.size() == 1) return front.empty() ? 0 : reference[0] - front[0][0];
  return volume(front, reference);
}

double hypervolume_gain(const std::vector<objectives>& front, const objectives& extra, const objectives& reference) {
  if (!inside(extra, reference)) return 0;
  if (reference.size() == 1) {
    double best = reference[0];
    for (const auto& f : front) best = std::min(best, f[0]);
    return std::max(0.0, best - extra[0]);
  }
  for (const auto& f : front)
    if (f == extra || dominates(f, extra)) return 0;
  return exclusive(extra, front, reference);
}

}  // namespace memwall::sweep
