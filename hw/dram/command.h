// SPDX-License-Identifier: Apache-2.0
// DRAM commands as the channel engine issues them, and the hook that sees each of them.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "hw/common/quantity.h"

namespace memwall::dram {

/// RDA and WRA precharge their bank on their own. REFpb stands for the per-bank and the same-bank refresh of a
/// standard.
enum class command : std::uint8_t { ACT, RD, RDA, WR, WRA, PRE, PREA, REFab, REFpb, count_ };

constexpr std::size_t command_count = static_cast<std::size_t>(command::count_);

constexpr const char* command_name(command c) {
  constexpr const char* names[command_count] = {"ACT", "RD", "RDA", "WR", "WRA", "PRE", "PREA", "REFab", "REFpb"};
  return names[static_cast<std::size_t>(c)];
}

/// One command on a channel's command bus. Fields that a command does not address are -1 (PREA, REFab: bank group,
/// bank). An ACT that occupies the bus for several cycles carries its last one, from which RCD and RAS are counted.
struct command_record {
  std::int64_t cycle = 0;  ///< in clocks of the channel, counted from 0
  command kind = command::ACT;
  std::int32_t channel = 0;
  std::int32_t rank = -1;        ///< counts stack IDs and pseudo-channels too, see organisation::pseudo_channels
  std::int32_t bank_group = -1;  ///< within the rank
  std::int32_t bank = -1;        ///< within its group
  std::int64_t row = -1;         ///< ACT, RD, RDA, WR, WRA
  std::int32_t column = -1;      ///< RD, RDA, WR, WRA; in bursts
};

/// Sees every command, in the order of each channel's command bus (cycles of one channel never decrease; two commands
/// may share a cycle on a dual command bus). Commands of different channels interleave. While a listener is set,
/// nothing is replayed: every command is simulated.
class command_listener {
 public:
  virtual ~command_listener() = default;
  virtual void on_command(const command_record& c) = 0;
};

/// A listener for a while: until it is full, or its window closes.
class command_watcher : public command_listener {
 public:
  /// Beyond `limit` commands it asks to be let go.
  explicit command_watcher(std::int64_t limit) : m_limit(limit) {}
  void on_command(const command_record& c) final {
    ++m_commands;
    see(c);
  }
  bool full() const { return m_commands >= m_limit; }
  /// It sees no command from `at` on, until it watches again.
  void forget(ps_t at) {
    if (full()) m_spent = std::min(m_spent, at);
    unwatched(at);
  }
  /// Since when it has been let go because it was full; `never`: it was not.
  ps_t spent() const { return m_spent; }

 protected:
  virtual void see(const command_record& c) = 0;
  virtual void unwatched(ps_t at) = 0;

 private:
  std::int64_t m_limit, m_commands = 0;
  ps_t m_spent = never;
};

}  // namespace memwall::dram
