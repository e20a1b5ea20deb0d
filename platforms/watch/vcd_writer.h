// SPDX-License-Identifier: Apache-2.0
// Waveforms: a value change dump of probes, written as they change (no polling), in windows, up to a size.
#pragma once
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hw/common/probe.h"
#include "hw/common/quantity.h"

namespace memwall::platforms {

/// Writes IEEE 1364 VCD with a time scale of 1 ps. State machines are GTKWave strings, so that they read as names
/// without filter files. Values that change several times at one instant appear once, with the last value. Changes are
/// kept until nothing earlier can come any more (timed probes are told out of order), then sorted and written. A probe
/// that becomes unknown takes back what it told of later times.
class vcd_writer final : public probe_listener {
 public:
  /// Throws input_error when the file cannot be written. `limit`: bytes after which it stops.
  vcd_writer(const std::string& path, std::int64_t limit, std::function<ps_t()> clock);
  ~vcd_writer() override;
  vcd_writer(const vcd_writer&) = delete;
  vcd_writer& operator=(const vcd_writer&) = delete;

  /// Before the first window. `module` may be hierarchical ("soc.hbm"). `windowed`: the probe is kept up to date in
  /// windows only, so that its value from the one before means nothing.
  void add(const std::string& module, probe_base& p, bool windowed = false);
  /// The same for numbers that stand for names (an operator's id): shown as a string, "-" where the number has none
  /// yet. Give a number its name before it is written: when it is set at the latest.
  using value_names = std::unordered_map<std::uint64_t, std::string>;
  value_names& add_named(const std::string& module, probe_base& p);
  std::function<void(bool open)> on_window;  ///< before a window opens and after it has closed
  std::function<void()> catch_up;            ///< makes whoever is behind tell its changes up to now

  void open_window();   ///< from now on changes are written; all values are dumped first
  void close_window();  ///< signals are shown unknown until the next window
  bool in_window() const { return m_active; }
  void changed(const probe_base& p) override;
  void changed_at(const probe_base& p, double value, ps_t at) override;
  /// Ends the file. Returns false when something could not be written.
  bool close();

  std::int64_t bytes() const { return m_bytes; }
  ps_t cut_at() const { return m_cut_at; }  ///< never: the limit was not reached
  std::int64_t late() const {
    return m_late;
  }  ///< changes left out because they were told after a later one was written

  /// A GTKWave save file beside the dump: groups by module, radix, colours.
  void write_save_file(const std::string& path, const std::string& dump_name) const;

 private:
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  struct signal {
    std::string module;
    probe_base* source;
    std::string id;
    bool windowed;
    double value = unknown;    ///< as of the changes taken over
    double written = unknown;  ///< in the file
    bool dirty = false;
    ps_t told_until = 0;  ///< time of the latest change that was told
    std::int64_t moves = 0;
    std::unique_ptr<value_names> names = nullptr;
    bool is_text() const { return names != nullptr || source->type() == probe_base::kind::state; }
  };
  struct change {
    ps_t at;
    std::size_t signal;
    double value;
  };
  static std::string value_text(const signal& s, double value);
  void header();
  void put(const std::string& text);
  void stamp(ps_t t);
  void settle(ps_t until, bool write);
  void stop();

  std::FILE* m_file;
  std::int64_t m_limit, m_bytes = 0, m_late = 0;
  std::function<ps_t()> m_clock;
  std::vector<signal> m_signals;
  std::vector<change> m_changes;
  std::vector<std::size_t> m_dirty;
  ps_t m_written_time = -1, m_first_time = -1, m_cut_at = never;
  static constexpr std::size_t settle_outside = 1 << 12, settle_in_window = 1 << 16;  // changes that are kept
  std::size_t m_settle_at = settle_outside;
  bool m_opening = false;
  bool m_active = false, m_settling = false, m_header_done = false, m_failed = false;
};

}  // namespace memwall::platforms
