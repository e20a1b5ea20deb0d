// SPDX-License-Identifier: Apache-2.0
// Which of its requests a bank works for next. Among banks the engine takes the command that can go first, and of those
// the one for the oldest request.
#pragma once
#include <cstdint>
#include <vector>

#include "hw/dram/engine/policy.h"

namespace memwall::dram {

/// One that waits in a channel's queue.
struct request_entry {
  clocks_t arrival;
  std::int64_t age;  ///< smaller: older
  std::int64_t row;
  std::int64_t burst;     ///< local burst index
  std::int64_t sequence;  ///< counts the bursts of its source in this channel
  std::int32_t column, work;
  std::int16_t bank, next, prev, source;  ///< next: of the same bank, younger; -1: none
  bool write;
  std::uint8_t found;  ///< 0: its row was open, 1: no row, 2: another row
  std::int16_t stale;  ///< replay: which of the state's stale requests it is; -1: none of them
};

/// What a bank has to choose from: its requests of the direction that is served, oldest first.
struct bank_requests {
  const request_entry* entries;
  int bank;
  std::int64_t row;     ///< open row; -1: none
  std::int16_t oldest;  ///< never -1
  std::int16_t from;    ///< older ones than this are to other rows; -1: all are

  std::int16_t next(std::int16_t i) const { return entries[i].next; }
  /// The oldest request to the open row, or `oldest`.
  std::int16_t hit() const {
    std::int16_t i = from;
    while (i >= 0 && entries[i].row != row) i = entries[i].next;
    return i >= 0 ? i : oldest;
  }
};

class scheduler {
 public:
  virtual ~scheduler() = default;
  virtual std::unique_ptr<scheduler> clone() const = 0;
  /// The request that the bank works for. Asked again whenever a request has come or gone.
  virtual std::int16_t pick(const bank_requests& r) const = 0;
  /// Data of the oldest request only, of all banks and both directions (rows are opened ahead).
  virtual bool in_order() const { return false; }
  /// It wants to know what happens to rows and requests.
  virtual bool watches() const { return false; }
  /// A request was served; `overtook`: an older one of its bank waits.
  virtual void served(int /*bank*/, bool /*overtook*/) {}
  /// The bank's row was opened or closed.
  virtual void row_changed(int /*bank*/) {}
  virtual void visit(state_visitor&) {}
};

}  // namespace memwall::dram
