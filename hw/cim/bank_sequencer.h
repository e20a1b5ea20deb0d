// SPDX-License-Identifier: Apache-2.0
// Cycles that a program of column commands takes on one DRAM channel whose banks hold compute units. A PIM
// program is a list of column accesses in groups: the host may not start a group before the one ahead of it
// has been issued (it has no other way to keep a unit's program counter in step), inside a group any order
// goes. Rows open and close as the accesses need them, by the timing rules of the standard; all-bank refresh
// interrupts. Ordinary host traffic is one endless group.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "hw/dram/standard.h"

namespace memwall::cim {

/// What a column access is for: time and energy are booked by it.
enum class access_purpose : std::uint8_t { compute, input, output, control, count_ };

/// One column access.
struct column_access {
  bool write = false;
  int bank = 0;  ///< flat: group * banks_per_group + bank in the group
  std::int64_t row = 0;
  bool fence = false;      ///< last of its group
  bool settle = false;     ///< a mode register write: nothing else before its data have arrived
  bool buffer = false;     ///< a buffer beside the banks: no row has to be open
  bool all_banks = false;  ///< every bank (of one parity) answers
  access_purpose purpose = access_purpose::control;
};

/// Time by cause, in clock cycles; sums to the time of the last data beat.
struct sequencer_cycles {
  std::int64_t total = 0;
  std::array<std::int64_t, static_cast<std::size_t>(access_purpose::count_)> data{};  ///< column commands at tCCD
  std::int64_t row = 0;                                                               ///< waiting for PRE and ACT
  std::int64_t turnaround = 0;                                                        ///< read/write direction
  std::int64_t refresh = 0;
  std::int64_t latency = 0;  ///< last command to last beat
  std::int64_t activates = 0, all_bank_activates = 0, refreshes = 0;
  std::int64_t columns = 0, all_bank_columns = 0;
};

class bank_sequencer {
 public:
  /// `window`: accesses the controller looks at (its command queue).
  bank_sequencer(const dram::organisation& org, const dram::timing& t, int window = 64);

  /// Issues a program; `next` is called until it returns false. Continues where the last program's last
  /// command was issued.
  void run(const std::function<bool(column_access&)>& next);
  void run(const std::vector<column_access>& program);
  /// Waits for the last data beat.
  void finish();
  const sequencer_cycles& cycles() const { return m_cycles; }
  std::int64_t now() const { return m_now; }

 private:
  struct bank_state {
    std::int64_t row = -1;  ///< -1: closed
    std::int64_t next_act = 0, next_pre = 0, next_read = 0, next_write = 0;
  };
  bool serve_refresh();
  bool issue_column();
  bool issue_activate();
  bool issue_precharge();
  void precharge(bank_state& b);
  std::size_t group_end() const;
  void consider(std::int64_t when);
  int group_of(int bank) const { return bank / m_org.banks_per_group; }
  void book(std::int64_t issue, const column_access& a);

  dram::organisation m_org;
  dram::timing m_t;
  std::size_t m_window;
  std::vector<bank_state> m_banks;
  std::deque<column_access> m_queue;
  std::deque<std::int64_t> m_last_acts;  ///< of the last four ACTs (tFAW)
  std::int64_t m_now = 0, m_next_event = 0;
  std::int64_t m_next_refresh = 0;
  bool m_refresh_waiting = false, m_refresh_ready = false;  ///< due; due and all banks closed
  std::int64_t m_last_pre = 0;
  std::int64_t m_last_column = -1, m_last_end = 0, m_refresh_mark = -1, m_row_mark = 0;
  bool m_last_write = false;
  sequencer_cycles m_cycles;
};

}  // namespace memwall::cim
