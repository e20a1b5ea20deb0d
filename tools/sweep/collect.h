// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "tools/sweep/plan.h"
#include "tools/sweep/record.h"

namespace memwall::sweep {

/// Version of the database's tables, in meta.schema_version. Changes when a query that worked stops working.
constexpr int schema_version = 1;

/// Points by status; those without a record are "pending".
using status_counts = std::map<std::string, std::size_t>;

/// Makes DIR/sweep.sqlite and DIR/results.csv anew from the records, in the order of the points: the same
/// records give the same bytes, whoever made them and in whatever order. Memory does not grow with the number
/// of points. `chosen`: the points to list (an optimiser's); nothing: all of them.
status_counts collect(const plan& points, const record_store& records, const std::string& directory,
                      const std::vector<std::size_t>* chosen = nullptr);

/// Why points have no result: what the simulation said (its first line), and to how many.
struct failure {
  std::string status, message;
  std::size_t points = 0;
};
/// From the database in a folder, the most frequent first, at most so many.
std::vector<failure> failures_in(const std::string& directory, std::size_t most);

/// The command that runs a point by hand, quoted for a POSIX shell.
std::string shell_command(const std::vector<std::string>& arguments);

}  // namespace memwall::sweep
