// SPDX-License-Identifier: Apache-2.0
// Pareto fronts of points to be minimised, and the volume they dominate.
#pragma once
#include <cstddef>
#include <vector>

namespace memwall::sweep {

using objectives = std::vector<double>;  ///< smaller is better in each

/// `a` is at least as good everywhere and better somewhere.
bool dominates(const objectives& a, const objectives& b);

/// Indices of the points that no other dominates, ascending; of equal points the first.
std::vector<std::size_t> pareto_front(const std::vector<objectives>& points);

/// Volume of the region that `points` dominate and `reference` bounds. Exact, for any number of objectives
/// (exclusive volumes, after While, Bradstreet and Barone, IEEE Trans. Evol. Comp. 16(1), 2012).
double hypervolume(std::vector<objectives> points, const objectives& reference);

/// How much `extra` adds to the volume of `front`.
double hypervolume_gain(const std::vector<objectives>& front, const objectives& extra, const objectives& reference);

}  // namespace memwall::sweep
