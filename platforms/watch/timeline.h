// SPDX-License-Identifier: Apache-2.0
// Writes a timeline in the Trace Event Format (JSON), which Perfetto and chrome://tracing open. Streaming:
// memory does not grow with the number of events.
//
// clang-format off
//   timeline_writer t("out/timeline.json");
//   const auto core = t.add_track(t.add_process("core0"), "operators");
//   t.complete(core, "layers.0.attn.qkv", "gemv", start, end - start, {{"bytes", bytes}});
//   t.finish();
// clang-format on
#pragma once
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hw/common/quantity.h"

namespace memwall::platforms {

/// A number or a text beside an event, shown when it is selected.
struct timeline_arg {
  using any = std::variant<std::int64_t, double, std::string_view>;
  timeline_arg(std::string_view k, std::string_view v) : key(k), value(v) {}
  timeline_arg(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  timeline_arg(std::string_view k, double v) : key(k), value(v) {}
  template <typename Integer, typename = std::enable_if_t<std::is_integral_v<Integer>>>
  timeline_arg(std::string_view k, Integer v) : key(k), value(static_cast<std::int64_t>(v)) {}

  std::string_view key;
  any value;
};
using timeline_args = std::vector<timeline_arg>;

class timeline_writer {
 public:
  /// A row of the viewer. Slices of one track must nest: two of them either lie apart or one holds the other.
  struct track {
    int process = 0;
    int thread = 0;
  };

  /// Default limit of the file's size; viewers in a browser stay pleasant to use below it.
  static constexpr std::uint64_t default_max_bytes = 50'000'000;

  /// Writes to a temporary name beside `path` until finish(). `max_bytes`: the file never grows beyond it.
  /// Transfers, flows and counters may take four fifths of it; the rest is kept for slices, so that operators
  /// are cut last. Throws std::runtime_error when the file cannot be made.
  explicit timeline_writer(std::string path, std::uint64_t max_bytes = default_max_bytes);
  ~timeline_writer();  ///< without finish() nothing is left behind
  timeline_writer(const timeline_writer&) = delete;
  timeline_writer& operator=(const timeline_writer&) = delete;

  /// A group of tracks. The viewer lists groups, and tracks in them, in the order in which they were added.
  int add_process(std::string_view name);
  track add_track(int process, std::string_view name);

  /// What is cut first when the file reaches its limit.
  enum class importance { slice, detail };
  /// A slice from `start` for `duration` (both >= 0); where Perfetto's rounding would make it overlap the next one it
  /// is a picosecond shorter. Throws std::invalid_argument for negative times.
  void complete(track t, std::string_view name, std::string_view category, ps_t start, ps_t duration,
                const timeline_args& args = {}, importance i = importance::slice);
  /// A span that may overlap others, for example a transfer; `id` is its own among those of its category.
  void async_begin(track t, std::uint64_t id, std::string_view name, std::string_view category, ps_t at,
                   const timeline_args& args = {});
  /// Ends what async_begin started; ignored when the beginning was cut. Throws std::invalid_argument for an
  /// id never begun.
  void async_end(std::uint64_t id, std::string_view category, ps_t at, const timeline_args& args = {});
  /// Values of a counter from `at` on; one row of the viewer a name, one colour a key.
  void counter(int process, std::string_view name, ps_t at, const timeline_args& values);
  /// An arrow from the slice around `at` on one track to the slice around the end's `at` on another.
  void flow_start(track t, std::uint64_t id, std::string_view name, ps_t at);
  void flow_end(track t, std::uint64_t id, std::string_view name, ps_t at);
  /// A mark at one moment.
  void instant(track t, std::string_view name, ps_t at, const timeline_args& args = {});

  /// Completes the file (spans still open end at the last time seen) and gives it its name. Throws
  /// std::runtime_error when writing failed; then nothing is left under the name.
  void finish();

  bool cut() const { return m_dropped > 0; }
  std::uint64_t dropped() const { return m_dropped; }  ///< events left out because of the limit
  std::uint64_t events() const { return m_events; }    ///< events written, names of tracks included
  std::uint64_t bytes() const { return m_bytes; }
  /// One line for the user when events were left out, else "".
  std::string note() const;

 private:
  struct open_span {
    track where;
    std::string name, category;
  };
  using span_key = std::pair<std::string, std::uint64_t>;

  void head(char phase, std::string_view name, std::string_view category, int process, int thread);
  void time_field(const char* key, ps_t t);
  void args_field(const timeline_args& args);
  bool put(bool slice, ps_t at, std::uint64_t reserve = 0);
  void flush();

  std::string m_path, m_part;
  std::FILE* m_file = nullptr;
  std::string m_line, m_buffer;
  std::uint64_t m_max_bytes, m_bytes = 0, m_reserved = 0, m_dropped = 0, m_events = 0;
  bool m_failed = false;
  ps_t m_last = 0, m_first_cut = 0;
  /// Processes and threads share one series of numbers: an importer finds the name of a thread by its number alone.
  int m_last_id = 0;
  std::vector<int> m_processes;
  std::map<span_key, open_span> m_open;
  std::map<span_key, std::uint64_t> m_cut_spans;  ///< begun after the cut: their ends are dropped too
};

}  // namespace memwall::platforms
