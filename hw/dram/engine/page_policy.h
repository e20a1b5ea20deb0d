// SPDX-License-Identifier: Apache-2.0
// When an open row is closed although no request to another row asks for it.
#pragma once
#include "hw/dram/engine/policy.h"

namespace memwall::dram {

class page_policy {
 public:
  virtual ~page_policy() = default;
  virtual std::unique_ptr<page_policy> clone() const = 0;
  /// The last access of the queue to a row closes it (RDA, WRA).
  virtual bool closes_after_use() const { return false; }
  /// Rows that nobody has used for timeout() of their bank are closed.
  virtual bool has_timeout() const { return false; }
  virtual clocks_t timeout(int /*bank*/) const { return no_time; }
  // What happens to a bank, told to policies with a timeout.
  virtual void opened(int /*bank*/, std::int64_t /*row*/) {}
  virtual void timed_out(int /*bank*/, std::int64_t /*row*/) {}
  virtual void conflict(int /*bank*/) {}  ///< a request to another row closes it
  virtual void visit(state_visitor&) {}
};

}  // namespace memwall::dram
