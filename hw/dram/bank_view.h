// SPDX-License-Identifier: Apache-2.0
// What a logic analyser on the pins of some channels would show: commands, data beats, banks, open rows, refresh.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hw/common/probe.h"
#include "hw/dram/command.h"
#include "hw/dram/standard.h"

namespace memwall::dram {

/// Turns commands into timed probes. A listener of the engine for as long as a waveform wants bursts: it knows nothing
/// but the commands it sees, so a bank is unknown until its first one.
class bank_view final : public command_watcher {
 public:
  /// `channels`: the ones that are shown. Beyond `limit` commands, of all channels, it asks to be let go.
  bank_view(const standard& s, const std::vector<int>& channels, std::int64_t limit);

  struct channel_probes {
    std::string name;  ///< "channel3"
    probe_list probes;
  };
  std::vector<channel_probes> probes() const;

 private:
  void see(const command_record& c) override;
  /// Nothing is known from `at` on, until commands are seen again.
  void unwatched(ps_t at) override;

  struct bank {
    std::unique_ptr<timed_probe> state, row;
    std::int64_t act = 0, close = 0;  ///< last ACT, earliest clock of its automatic precharge
  };
  struct channel {
    int index = 0;
    std::unique_ptr<timed_probe> row_command, column_command;
    std::vector<std::unique_ptr<timed_probe>> data;     ///< a data bus a pseudo-channel
    std::vector<std::unique_ptr<timed_probe>> refresh;  ///< of each rank
    std::vector<bank> banks;                            ///< rank, group, bank
  };
  template <class F>
  static void each(const channel& c, F&& f);
  ps_t time(std::int64_t cycle) const { return (cycle * m_standard.t.tck_fs + 500) / 1000; }
  bank& at(channel& c, const command_record& r) const;
  void close(bank& b, std::int64_t cycle, int until_idle);
  void burst(channel& c, bank& b, const command_record& r, bool write, bool precharge);
  template <class F>
  void refreshed(channel& c, const command_record& r, F&& f);

  standard m_standard;
  std::vector<channel> m_channels;
  std::vector<int> m_shown;  ///< by channel of the memory: index in m_channels, -1 where not shown
};

}  // namespace memwall::dram
