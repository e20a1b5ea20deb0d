// SPDX-License-Identifier: Apache-2.0
// How fast requests may enter a channel's queue.
#pragma once
#include "hw/dram/engine/policy.h"

namespace memwall::dram {

class front_end {
 public:
  virtual ~front_end() = default;
  virtual std::unique_ptr<front_end> clone() const = 0;
  /// Not as many as the queues have room for.
  virtual bool limits() const { return false; }
  /// First clock at which another request may enter; before it, none does.
  virtual clocks_t open_at() const { return 0; }
  virtual void entered(clocks_t /*t*/) {}
  virtual void visit(state_visitor&) {}
};

}  // namespace memwall::dram
