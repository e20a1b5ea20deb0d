// SPDX-License-Identifier: Apache-2.0
// Everything that watches a run: waveforms, bandwidth over time, timeline. Watching never changes a time.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hw/common/statistics.h"
#include "platforms/build/symmetry.h"
#include "platforms/build/system.h"
#include "platforms/describe/run_options.h"
#include "platforms/watch/run_timeline.h"
#include "platforms/watch/vcd_writer.h"

namespace memwall::platforms {

/// "10us:12us", "layers.3.*"; "" or "all": everything.
struct watch_window {
  bool by_layer = false;
  std::string pattern;
  ps_t begin = 0, end = never;

  /// Called when it opens and closes; empty: nobody asks.
  std::function<void(bool open)> turn;
  int matching = 0;  ///< operators inside a window by layer that are running
  bool seen = false;
  void operator_begins(const std::string& name);
  void operator_ends(const std::string& name);
  bool looks_at(const std::string& op, ps_t from, ps_t to) const;
};
/// Throws input_error, which names `option`.
watch_window parse_window(const std::string& option, const std::string& text);
/// "none", "all" or "0,4-7" of `count`; numbers that are too large are left out when `lenient` (other memories have
/// them). Throws input_error.
std::vector<int> parse_channels(const std::string& text, int count, bool lenient);

class recorder final : public transfer_observer {
 public:
  recorder(const run_options& options, system& hw, const symmetry& alike);
  ~recorder() override;

  void span(const transfer_span& s) override;
  void on_wires(const channel_span& s) override;
  void operator_begins(const std::string& core, const operation& work);
  void operator_ends(const std::string& core, const trace::op& op, ps_t start, ps_t end);
  /// Somebody looks at what happens inside an operator between two times: it must be simulated.
  bool looks_at(const std::string& op, ps_t begin, ps_t end) const;
  /// So many bytes went through a module that were not simulated: for its bandwidth over time.
  void reused(const std::string& module, ps_t begin, ps_t end, std::int64_t bytes);

  /// When a window by time opens or closes next, in order; `never`: all have. Then turn() does it: the run stops there.
  ps_t next_turn() const { return m_next_turn < m_turns.size() ? m_turns[m_next_turn].at : never; }
  void turn();
  /// Nothing more happens. Before anybody asks the memories for their counts: that lets them run ahead.
  void simulation_over();
  /// Closes files and adds `series` and `outputs` to the result.
  void finish(json& result, ps_t end);

 private:
  static constexpr std::uint64_t first_transfers = 10'000;  ///< shown one by one when no window is given

  struct window_turn {
    ps_t at;
    watch_window* window;
    bool open;
  };

  std::vector<hardware*> detailed_modules() const;
  void open_waveform();
  void open_timeline();
  void plan_turns();
  void add_details();
  void add_timeline_details();
  /// A stretch of time of an operator lies in the timeline's window.
  bool in_timeline_window(std::uint64_t op, ps_t begin, ps_t end) const;
  ps_t spent(hardware::viewer v) const;
  std::string spent_note(const char* file, ps_t since) const;
  json vcd_facts() const;

  const run_options& m_options;
  system& m_system;
  const symmetry& m_alike;
  std::unique_ptr<vcd_writer> m_vcd;
  watch_window m_vcd_window;
  std::vector<hardware*> m_detailed;                                           // modules that have channels
  std::unordered_map<std::string, vcd_writer::value_names*> m_operator_names;  // by core
  struct counted_series {
    time_series* series = nullptr;
    int times = 1;  // each span happened so often: symmetry::times
  };
  std::unordered_map<const char*, counted_series> m_series_of;  // looked up only, never iterated
  std::map<std::string, time_series> m_series;                  // bytes over time by module
  std::unique_ptr<run_timeline> m_timeline;
  watch_window m_detail_window;
  std::vector<window_turn> m_turns;
  std::size_t m_next_turn = 0;
  bool m_first_only = false;
  std::uint64_t m_shown_transfers = 0;
  std::vector<std::uint64_t> m_detail_ops;  // running operators inside the timeline's layer window
};

}  // namespace memwall::platforms
