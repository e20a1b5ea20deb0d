// SPDX-License-Identifier: Apache-2.0
// How many requests a channel holds, and when one more may enter.
#pragma once
#include "hw/dram/engine/policy.h"

namespace memwall::dram {

class queue_organisation {
 public:
  virtual ~queue_organisation() = default;
  virtual std::unique_ptr<queue_organisation> clone() const = 0;
  /// At most so many requests are in the channel.
  virtual int entries() const = 0;
  /// Of writes alone: what the watermarks of the write mode are shares of.
  virtual int write_entries() const = 0;
  /// Whether a request may enter depends on how many of a bank there are.
  virtual bool counts_banks() const { return false; }
  /// Whether another request of a direction may enter.
  bool has_room(bool write) const { return m_room[write]; }

  // What happens to requests. All of the state follows from it, so it is not visited: a channel that is restored enters
  // its requests again.
  virtual void entered(int bank, bool write) = 0;
  virtual void opened_row(int /*bank*/, bool /*write*/) {}     ///< ACT for a request
  virtual void served(int bank, bool write, bool opened) = 0;  ///< `opened`: it had opened its row
  virtual void clear() = 0;
  /// Requests that wait in the queue of a direction.
  int waiting(bool write) const { return m_waiting[write]; }

 protected:
  /// To be kept up by what happens to requests.
  int m_waiting[2] = {0, 0};
  bool m_room[2] = {true, true};
};

}  // namespace memwall::dram
