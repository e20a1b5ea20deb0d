// SPDX-License-Identifier: Apache-2.0
// What a core's arithmetic, or a group of compute-in-memory macros, did: from the probe that the waveform shows too.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hw/common/probe.h"
#include "platforms/watch/timeline.h"

namespace memwall::platforms {

/// One slice an operator, from the first to the last moment at which something was computed, with the time of each
/// phase; phases by themselves inside the window. Hears the probe and passes everything on to who listened before.
class arithmetic_track final : public probe_listener {
 public:
  /// `in_window(operator, from, to)`: phases are shown by themselves; empty: never.
  arithmetic_track(probe_base& p, timeline_writer& to, int process, const std::string& name,
                   std::function<bool(std::uint64_t, ps_t, ps_t)> in_window);
  ~arithmetic_track() override { m_probe.listen(nullptr); }
  arithmetic_track(const arithmetic_track&) = delete;
  arithmetic_track& operator=(const arithmetic_track&) = delete;

  void changed(const probe_base& p) override;
  void changed_at(const probe_base& p, double value, ps_t at) override;
  void begins(std::uint64_t op) { m_op = op; }
  void ended(const std::string& name, const std::string& kind);

 private:
  probe_base& m_probe;
  probe_listener* m_next;
  timeline_writer& m_writer;
  timeline_writer::track m_track;
  std::optional<timeline_writer::track> m_phases;
  std::function<bool(std::uint64_t, ps_t, ps_t)> m_in_window;
  std::uint64_t m_op = 0;
  std::size_t m_state = 0;
  ps_t m_since = 0, m_begin = never, m_end = 0;
  std::vector<ps_t> m_times;  ///< of the operator, by state
};

}  // namespace memwall::platforms
