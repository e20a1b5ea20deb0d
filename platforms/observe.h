// SPDX-License-Identifier: Apache-2.0
// Everything that watches a run: waveforms, bandwidth over time, timeline. Watching never changes a time.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "hw/common/statistics.h"
#include "platforms/run.h"
#include "platforms/system.h"
#include "platforms/timeline.h"
#include "platforms/vcd_writer.h"

namespace memwall::platforms {

class recorder final : public transfer_observer {
 public:
  recorder(const run_options& options, system& hw);
  ~recorder() override;

  void span(const transfer_span& s) override;
  void operator_begins(const std::string& core, const operation& work);
  void operator_ends(const std::string& core, const trace::op& op, ps_t start, ps_t end);

  /// Runs the simulation to its end, opening and closing waveform windows by time on the way.
  void run_simulation();
  /// Closes files and adds `series` and `outputs` to the result.
  void finish(json& result, ps_t end);

 private:
  const run_options& m_options;
  system& m_system;
  std::unique_ptr<vcd_writer> m_vcd;
  bool m_by_layer = false;
  ps_t m_window_begin = 0, m_window_end = never;
  int m_matching = 0;  // operators inside the layer window that are running
  std::map<std::string, time_series> m_series;  // bytes over time by module
  std::unique_ptr<timeline_writer> m_timeline;
  std::map<std::string, timeline_writer::track> m_tracks;  // of cores and modules
  std::uint64_t m_span_id = 0;
};

/// "10us:12us", "layers.3.*" or "" (all). Throws input_error.
struct vcd_window {
  bool by_layer = false;
  std::string pattern;
  ps_t begin = 0, end = never;
};
vcd_window parse_vcd_window(const std::string& text);

}  // namespace memwall::platforms
