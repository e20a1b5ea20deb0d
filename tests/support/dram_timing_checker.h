// SPDX-License-Identifier: Apache-2.0
// Reads a DRAM command trace and says whether a device would have accepted it. Shares no code with the
// engine: only the timing table and the record type. Each rule is written as the standards state it, from
// command to command.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hw/dram/command.h"
#include "hw/dram/standard.h"

namespace memwall::test {

struct timing_violation {
  dram::command_record at;
  std::string rule;  ///< "tRCDRD", "tFAW", "command bus", "bank state", ...
  std::int64_t earliest =
      0;  ///< first cycle at which this rule would have allowed the command; -1: never in this state
  std::string text() const;
};

/// One checker for all channels of a memory. Feed it in the order of each channel's bus.
class dram_timing_checker : public dram::command_listener {
 public:
  explicit dram_timing_checker(const dram::standard& s);

  void on_command(const dram::command_record& c) override;

  const std::vector<timing_violation>& violations() const { return m_violations; }
  std::int64_t commands() const { return m_commands; }
  /// Number of violations of each rule.
  std::map<std::string, int> by_rule() const;
  /// The first few violations, one a line: what a failing test prints.
  std::string report() const;

  /// First cycle at which `c` would be legal after everything seen, whatever c.cycle says, and the rule that
  /// says so. An engine is tight when it issues at this cycle whenever it has something to do.
  std::pair<std::int64_t, std::string> earliest(const dram::command_record& c) const;
  /// Slack of each command seen: cycles it was issued later than legal. Only kept after keep_slack().
  void keep_slack() { m_keep_slack = true; }
  const std::vector<std::pair<dram::command_record, std::int64_t>>& slack() const { return m_slack; }

  /// Every bank was refreshed as often as it is due up to `cycle`, once every REFI on average, by REFab or REFpb, with
  /// at most `postponed` commands outstanding; and not oftener. Adds "refresh rate" violations.
  void check_refresh(std::int64_t cycle, bool per_bank, int postponed);

 private:
  static constexpr std::int64_t long_ago = INT64_MIN / 4;

  struct bank_state {
    bool open = false;
    std::int64_t row = -1;
    std::int64_t act = long_ago, read = long_ago, write = long_ago;
    std::int64_t closing = long_ago;  ///< start of the last precharge, explicit or automatic
    bool closed_by_prea = false;
    std::int64_t refresh = long_ago;  ///< last REFpb
    std::int64_t refreshes = 0;
  };
  struct rank_state {
    std::vector<bank_state> banks;
    std::vector<std::int64_t> group_act, group_read, group_write;
    std::vector<std::int64_t> acts;  ///< the last four
    std::int64_t act = long_ago, read = long_ago, write = long_ago, precharge = long_ago;
    std::int64_t refresh_all = long_ago, refresh_bank = long_ago;
    int refresh_bank_at = -1;
    std::int64_t refreshes_all = 0;
  };
  struct channel_state {
    std::vector<rank_state> ranks;
    std::int64_t row_bus = long_ago, column_bus = long_ago;  ///< last occupied cycle
    std::int64_t last = long_ago;
  };
  struct bound {
    const char* rule;
    std::int64_t cycle;
  };

  channel_state& channel_at(int index);
  void bounds_of(const channel_state& ch, const dram::command_record& c, std::vector<bound>& out) const;
  void apply(channel_state& ch, const dram::command_record& c);
  /// nullptr, or what is wrong with the state of the bank for this command.
  const char* state_fault(const channel_state& ch, const dram::command_record& c) const;
  std::vector<std::size_t> refreshed_by(const dram::command_record& c) const;
  bool in_range(const dram::command_record& c) const;
  std::int64_t closed_at(const bank_state& b) const;
  int flat(const dram::command_record& c) const { return c.bank_group * m_org.banks_per_group + c.bank; }
  int pseudo_channel(int rank) const { return rank / (m_org.ranks / m_org.pseudo_channels); }

  dram::organisation m_org;
  dram::timing m_t;
  std::vector<channel_state> m_channels;
  channel_state m_fresh;
  std::vector<timing_violation> m_violations;
  std::vector<std::pair<dram::command_record, std::int64_t>> m_slack;
  std::vector<bound> m_bounds;
  std::int64_t m_commands = 0;
  bool m_keep_slack = false;
};

}  // namespace memwall::test
