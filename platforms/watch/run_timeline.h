// SPDX-License-Identifier: Apache-2.0
// What a run looks like in a timeline viewer: tracks of every core's operators and arithmetic, for every module the
// time of each operator's transfers there, for every memory how busy its channels were; in a window single transfers,
// with arrows from their operators, and what happened on the wires of some channels.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hw/common/probe.h"
#include "hw/common/statistics.h"
#include "platforms/build/system.h"
#include "platforms/watch/arithmetic_track.h"
#include "platforms/watch/channel_load.h"
#include "platforms/watch/timeline.h"

namespace memwall::platforms {

class run_timeline {
 public:
  run_timeline(const std::string& path, const system& hw);
  /// Watches what the cores compute; last of all who listen to their probes. `in_window`: see arithmetic_track.
  void watch_arithmetic(const system& hw, const std::function<bool(std::uint64_t, ps_t, ps_t)>& in_window);

  /// A transfer has left a module; `detail`: it is shown by itself too.
  void span(const transfer_span& s, bool detail);
  void wires(const channel_span& s);
  void operator_begins(const std::string& core, std::uint64_t op);
  /// A core's share of an operator is over, and with it all its transfers.
  void operator_ended(const std::string& core, const trace::op& op, ps_t start, ps_t end);
  /// Adds the counters (averages over buckets of time) and closes the file. Returns what the result says of it.
  json finish(ps_t end);

 private:
  static constexpr std::size_t counter_buckets = 400, most_lanes = 512;

  struct sum {
    ps_t begin = never, end = 0, latency = 0;
    std::int64_t bytes = 0, transfers = 0;
  };
  struct module_view {
    std::string name;
    int process = 0;
    std::map<int, timeline_writer::track> by_source;  ///< transfers of one initiator, an operator a slice
    struct lane {
      timeline_writer::track track;
      ps_t end = 0;
    };
    std::vector<lane> lanes;                            ///< single transfers; those of a lane do not overlap
    std::map<std::pair<int, std::uint64_t>, sum> sums;  ///< by source and operator
    time_series bytes{counter_buckets}, bytes_time{counter_buckets}, time{counter_buckets};
    std::map<int, std::map<std::pair<std::string, int>, timeline_writer::track>>
        channels;                    ///< by channel, then wires and index
    std::vector<channel_load> load;  ///< one if it has channels
  };
  struct arrow {
    std::string name;
    timeline_writer::track to;
    ps_t at;
  };

  module_view& view(const char* module);
  std::string source_name(int source) const;
  void show_sums(module_view& m, int source, std::uint64_t op, const std::string& label);
  void show(module_view& m, const transfer_span& s);
  void sample() {
    for (auto& m : m_modules)
      for (auto& l : m.load) l.sample();
  }

  timeline_writer m_writer;
  int m_core_process = 0;
  std::map<std::string, timeline_writer::track> m_cores;
  std::map<std::string, std::unique_ptr<arithmetic_track>> m_arithmetic;
  std::map<std::string, std::vector<arrow>> m_arrows;    ///< by core: of the operator that it is at
  std::map<int, std::string> m_sources;                  ///< names of initiators
  std::vector<module_view> m_modules;                    ///< in the order of the platform
  std::unordered_map<const char*, std::size_t> m_index;  // looked up only, never iterated
  std::uint64_t m_flow = 0, m_without_lane = 0;
};

}  // namespace memwall::platforms
