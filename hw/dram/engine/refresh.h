// SPDX-License-Identifier: Apache-2.0
// Which banks of a rank a refresh takes, and how often one is due. The engine counts what is due, waits for rows that
// are in use, closes them, and issues the command.
#pragma once
#include "hw/dram/command.h"
#include "hw/dram/engine/policy.h"

namespace memwall::dram {

class refresh_policy {
 public:
  virtual ~refresh_policy() = default;
  virtual std::unique_ptr<refresh_policy> clone() const = 0;
  /// Clocks between two refreshes of a rank; 0: never.
  virtual int interval() const { return 0; }
  /// Commands until everything repeats itself.
  virtual int round() const { return 1; }
  /// It takes all banks of its rank (which are closed by one PREA); else those that takes() says (a PRE each).
  virtual bool whole_rank() const { return true; }
  /// Whether the next refresh of the rank takes this bank of it (counted over its groups).
  virtual bool takes(int /*rank*/, int /*bank*/) const { return true; }
  virtual command kind() const { return command::REFab; }
  /// Clocks for which the banks are busy.
  virtual int duration() const { return 0; }
  virtual void issued(int /*rank*/) {}
  virtual void visit(state_visitor&) {}
};

}  // namespace memwall::dram
