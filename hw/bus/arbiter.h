// SPDX-License-Identifier: Apache-2.0
// Who moves the next granule over a channel. A new policy is one file in hw/bus/arbiters/.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "hw/common/registry.h"

namespace memwall {

/// One of those who have something to move.
struct arbiter_request {
  int requester = 0;
  std::int64_t arrival = 0;  ///< when its oldest transfer reached the channel, fs
};

/// `granules` in a row for one requester.
struct arbiter_turn {
  int requester = 0;
  std::int64_t granules = 1;
};

/// A policy, told in closed form: as long as the same requesters have something to move (with the same oldest
/// transfers), the sequence of grants is periodic, and turns() gives one period of it. That is what lets a
/// channel serve a megabyte in the time of a cache line and still give every granule to whom a
/// granule-by-granule arbiter would.
class arbiter {
 public:
  virtual ~arbiter() = default;
  /// Requesters are numbered 0, 1, ... in the order of these calls.
  virtual void add_requester(int priority, int weight) = 0;
  /// One period of the grants from now on. `waiting` is not empty and sorted by requester. Appends to
  /// `period` (empty).
  virtual void turns(const std::vector<arbiter_request>& waiting, std::vector<arbiter_turn>& period) const = 0;
  /// The first `granules` of the sequence were granted, all to `requester` (at most one turn, never beyond
  /// it).
  virtual void granted(int requester, std::int64_t granules) = 0;
};

using arbiter_factory = std::function<std::unique_ptr<arbiter>()>;

/// All policies by name.
registry<arbiter_factory>& arbiters();

using arbiter_entry = registered<&arbiters>;

}  // namespace memwall
