// SPDX-License-Identifier: Apache-2.0
// What happens on the wires of some channels, as stretches of time for a timeline viewer: commands, runs of data,
// refreshes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hw/common/probe.h"
#include "hw/dram/command.h"
#include "hw/dram/standard.h"

namespace memwall::dram {

/// Turns commands into channel spans. Bursts of one direction that follow each other without a gap are one span of the
/// data bus.
class channel_trace final : public command_watcher {
 public:
  /// `channels`: the ones that are shown. Beyond `limit` commands, of all channels, it asks to be let go.
  channel_trace(std::string module, const standard& s, const std::vector<int>& channels, std::int64_t limit,
                transfer_observer& to);

 private:
  void see(const command_record& c) override;
  /// Tells the runs of data that were still growing.
  void unwatched(ps_t at) override;

  struct run {
    std::int64_t begin = 0, end = 0, bursts = 0;  ///< clocks
    bool write = false;
  };
  ps_t time(std::int64_t cycle) const { return (cycle * m_standard.t.tck_fs + 500) / 1000; }
  void tell(int channel, const char* wires, int index, const char* what, std::int64_t from, std::int64_t to,
            const command_record* r, std::int64_t bursts);
  void flush(int channel, int bus, run& r);

  std::string m_module;
  standard m_standard;
  transfer_observer& m_to;
  std::vector<std::vector<run>> m_runs;  ///< by channel and data bus; empty: the channel is not shown
};

}  // namespace memwall::dram
