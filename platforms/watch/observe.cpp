// SPDX-License-Identifier: Apache-2.0
#include "platforms/watch/observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "hw/common/io_error.h"
#include "hw/core/stream_core.h"

namespace memwall::platforms {
watch_window parse_window(const std::string& option, const std::string& text) {
  watch_window w;
  if (text.empty() || text == "all") return w;
  const auto colon = text.find(':');
  if (colon == std::string::npos) {
    w.by_layer = true;
    w.pattern = text;
    return w;
  }
  const auto time = [&](const std::string& t, ps_t otherwise) {
    if (t.empty()) return otherwise;
    double v = 0;
    std::string expected;
    if (!parse_quantity(t, "time", v, expected) || v < 0 || v > 1e6)
      throw input_error(problem{option + "=" + text, "", "got '" + t + "'",
                                "a window: 10us:12us, :5us, 1ms: or a pattern of operator names", ""});
    return to_ps(duration(v));
  };
  w.begin = time(text.substr(0, colon), 0);
  w.end = time(text.substr(colon + 1), never);
  if (w.end <= w.begin) throw input_error(problem{option + "=" + text, "", "the window ends before it begins", "", ""});
  return w;
}

std::vector<int> parse_channels(const std::string& text, int count, bool lenient) {
  std::vector<int> out;
  if (text == "none") return out;
  const auto wrong = [&](const std::string& got) {
    throw input_error(problem{"--vcd-channels " + text, "", "got '" + got + "'",
                              fmt::format("none, all, or channels from 0 to {} such as 0,4-7", count - 1), ""});
  };
  const auto number = [&](const std::string& t) {
    std::int64_t v = 0;
    if (!detail::read_integer(t, 0, lenient ? 4095 : count - 1, v)) wrong(t);
    return static_cast<int>(v);
  };
  const std::string list = text == "all" ? fmt::format("0-{}", count - 1) : text;
  for (std::size_t at = 0; at <= list.size();) {
    const auto comma = std::min(list.find(',', at), list.size());
    const std::string part = list.substr(at, comma - at);
    const auto dash = part.find('-');
    const int first = number(part.substr(0, dash)),
              last = dash == std::string::npos ? first : number(part.substr(dash + 1));
    if (last < first) wrong(part);
    for (int c = first; c <= std::min(last, count - 1); ++c) out.push_back(c);
    at = comma + 1;
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void watch_window::operator_begins(const std::string& name) {
  if (!by_layer) return;
  if (matches_glob(pattern, name)) {
    seen = true;
    if (matching++ == 0 && turn) turn(true);
  } else if (matching == 0 && turn) {
    // Not at the end of the last matching operator: the next one may follow at once, and banks would be forgotten.
    turn(false);
  }
}

void watch_window::operator_ends(const std::string& name) {
  if (by_layer && matching > 0 && matches_glob(pattern, name)) --matching;
}

bool watch_window::looks_at(const std::string& op, ps_t from, ps_t to) const {
  return by_layer ? matches_glob(pattern, op) : to > begin && from < end;
}

recorder::recorder(const run_options& options, system& hw, const symmetry& alike)
    : m_options(options), m_system(hw), m_alike(alike) {
  for (const auto& m : hw.modules()) m->observe(this);
  m_detailed = detailed_modules();
  if (!options.vcd_file.empty()) open_waveform();
  if (!options.timeline_file.empty()) open_timeline();
  plan_turns();
}

void recorder::open_waveform() {
  m_vcd_window = parse_window("--vcd", m_options.vcd_window);
  m_vcd_window.turn = [this](bool open) { open ? m_vcd->open_window() : m_vcd->close_window(); };
  m_vcd = std::make_unique<vcd_writer>(m_options.vcd_file, m_options.vcd_limit, [] { return now_ps(); });
  for (const auto& m : m_system.modules())
    for (probe_base* p : m->probes()) {
      if (m->as_core() != nullptr && p->name() == "operator")
        m_operator_names[m->name()] = &m_vcd->add_named(m->name(), *p);
      else
        m_vcd->add(m->name(), *p);
    }
  add_details();
}

void recorder::open_timeline() {
  m_first_only = m_options.timeline_window == "auto" && m_options.vcd_window.empty();
  m_detail_window = m_options.timeline_window == "auto" ? parse_window("--vcd", m_options.vcd_window)
                                                        : parse_window("--timeline", m_options.timeline_window);
  m_timeline = std::make_unique<run_timeline>(m_options.timeline_file, m_system);
  std::function<bool(std::uint64_t, ps_t, ps_t)> in_window;
  if (!m_first_only) {
    add_timeline_details();
    in_window = [this](std::uint64_t op, ps_t begin, ps_t end) { return in_timeline_window(op, begin, end); };
  }
  m_timeline->watch_arithmetic(m_system, in_window);
}

std::vector<hardware*> recorder::detailed_modules() const {
  std::vector<hardware*> out;
  int most = 0;
  for (const auto& m : m_system.modules()) {
    if (m->detail_units() > 0) out.push_back(m.get());
    most = std::max(most, m->detail_units());
  }
  if (!out.empty()) parse_channels(m_options.vcd_channels, most, false);  // a channel that no memory has is a mistake
  return out;
}

/// Commands and banks of some channels of each DRAM, for as long as a window is open and commands are left.
void recorder::add_details() {
  if (m_detailed.empty()) return;
  const std::int64_t commands = m_options.vcd_commands / static_cast<std::int64_t>(m_detailed.size());
  for (hardware* m : m_detailed) {
    const auto channels = parse_channels(m_options.vcd_channels, m->detail_units(), true);
    if (channels.empty()) continue;
    for (const auto& g : m->make_detail(channels, commands))
      for (probe_base* p : g.probes) m_vcd->add(m->name() + "." + g.name, *p, true);
  }
  m_vcd->on_window = [this](bool open) {
    for (hardware* m : m_detailed) m->show_detail(hardware::viewer::waveform, open);
  };
  m_vcd->catch_up = [this] {
    for (hardware* m : m_detailed) m->catch_up();
  };
}

/// What happens on the wires of the same channels, in the timeline's window.
void recorder::add_timeline_details() {
  if (m_detailed.empty()) return;
  const std::int64_t commands = m_options.vcd_commands / static_cast<std::int64_t>(m_detailed.size());
  for (hardware* m : m_detailed)
    if (const auto channels = parse_channels(m_options.vcd_channels, m->detail_units(), true); !channels.empty())
      m->make_detail(channels, commands, *this);
  m_detail_window.turn = [this](bool open) {
    for (hardware* m : m_detailed) {
      m->catch_up();
      m->show_detail(hardware::viewer::timeline, open);
    }
  };
}

/// When the first memory had had all its commands.
ps_t recorder::spent(hardware::viewer v) const {
  ps_t since = never;
  for (const hardware* m : m_detailed) since = std::min(since, m->detail_spent(v));
  return since;
}

recorder::~recorder() {
  for (const auto& m : m_system.modules()) m->observe(nullptr);
}

bool recorder::in_timeline_window(std::uint64_t op, ps_t begin, ps_t end) const {
  if (m_detail_window.by_layer) return std::find(m_detail_ops.begin(), m_detail_ops.end(), op) != m_detail_ops.end();
  return end > m_detail_window.begin && begin < m_detail_window.end;
}

void recorder::span(const transfer_span& s) {
  counted_series& seen = m_series_of[s.module];
  if (seen.series == nullptr)
    seen = {&m_series.emplace(s.module, time_series(400)).first->second, m_alike.times(s.module)};
  for (int i = 0; i < seen.times; ++i) seen.series->add(s.begin_ps, s.end_ps, static_cast<double>(s.bytes));
  if (!m_timeline) return;
  const bool detail =
      m_first_only ? m_shown_transfers < first_transfers : in_timeline_window(s.op, s.begin_ps, s.end_ps);
  m_shown_transfers += detail ? 1 : 0;
  m_timeline->span(s, detail);
}

void recorder::on_wires(const channel_span& s) {
  m_timeline->wires(s);
}

void recorder::operator_begins(const std::string& core, const operation& work) {
  if (m_timeline) {
    if (m_detail_window.by_layer && matches_glob(m_detail_window.pattern, work.name)) m_detail_ops.push_back(work.id);
    m_detail_window.operator_begins(work.name);
    m_timeline->operator_begins(core, work.id);
  }
  if (!m_vcd) return;
  // A value of a dump is a word.
  std::string name = work.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isspace(c) != 0; }, '_');
  if (const auto names = m_operator_names.find(core); names != m_operator_names.end())
    names->second->insert_or_assign(work.id, std::move(name));
  m_vcd_window.operator_begins(work.name);
}

void recorder::operator_ends(const std::string& core, const trace::op& op, ps_t start, ps_t end) {
  if (m_timeline) {
    m_timeline->operator_ended(core, op, start, end);
    const auto shown = std::find(m_detail_ops.begin(), m_detail_ops.end(), op.id);
    if (shown != m_detail_ops.end()) m_detail_ops.erase(shown);
    m_detail_window.operator_ends(op.name);
  }
  if (m_vcd) m_vcd_window.operator_ends(op.name);
}

bool recorder::looks_at(const std::string& op, ps_t begin, ps_t end) const {
  if (m_vcd && m_vcd_window.looks_at(op, begin, end)) return true;
  if (!m_timeline) return false;
  return m_first_only ? m_shown_transfers < first_transfers : m_detail_window.looks_at(op, begin, end);
}

void recorder::reused(const std::string& module, ps_t begin, ps_t end, std::int64_t bytes) {
  const auto found = m_series.find(module);  // modules that tell nothing have no series
  if (found == m_series.end()) return;
  for (int i = 0; i < m_alike.times(module); ++i) found->second.add(begin, end, static_cast<double>(bytes));
}

void recorder::plan_turns() {
  const auto add = [this](watch_window& w) {
    if (w.by_layer || !w.turn) return;
    m_turns.push_back({w.begin, &w, true});
    if (w.end != never) m_turns.push_back({w.end, &w, false});
  };
  if (m_vcd) add(m_vcd_window);
  if (m_timeline) add(m_detail_window);
  std::stable_sort(m_turns.begin(), m_turns.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
}

void recorder::turn() {
  const window_turn& t = m_turns[m_next_turn++];
  t.window->turn(t.open);
}

void recorder::simulation_over() {
  if (m_vcd && !m_vcd->close())
    throw io_error(m_options.vcd_file + ": cannot be written completely (is the disk full?)");
  if (m_detail_window.turn) m_detail_window.turn(false);
}

std::string recorder::spent_note(const char* file, ps_t since) const {
  return fmt::format("{}: DRAM commands are shown up to about {:.3f} us: {} have been looked at (--vcd-commands)", file,
                     ns(since) / 1000, m_options.vcd_commands);
}

json recorder::vcd_facts() const {
  json out = {{"bytes", m_vcd->bytes()}};
  if (m_vcd->cut_at() != never) {
    out["cut_at_ns"] = ns(m_vcd->cut_at());
    out["note"] = fmt::format("waveform cut at {:.3f} us: it has reached its limit of {} MB (--vcd-limit)",
                              ns(m_vcd->cut_at()) / 1000, m_options.vcd_limit / 1'000'000);
  }
  if (m_vcd->late() > 0) out["late_changes"] = m_vcd->late();
  if (const ps_t since = spent(hardware::viewer::waveform); since != never) {
    out["detail_until_ns"] = ns(since);
    out["detail_note"] = spent_note("waveform", since);
  } else if (m_vcd_window.by_layer && !m_vcd_window.seen) {
    out["detail_note"] = fmt::format("waveform: no operator is called '{}'; nothing is shown", m_vcd_window.pattern);
  }
  return out;
}

void recorder::finish(json& result, ps_t end) {
  for (const auto& m : m_system.modules())
    if (const auto seen = m_series.find(m_alike.worker(m->name())); seen != m_series.end())
      m_series.emplace(m->name(), seen->second);
  json& series = result["series"];
  ps_t width = 0;
  for (const auto& [unused, s] : m_series) width = std::max(width, s.bucket_width());
  series = {{"bucket_ns", ns(width)}, {"start_ns", 0.0}, {"tracks", json::array()}};
  for (const auto& [name, s] : m_series) {
    // Series double their buckets one by one: bring all to the widest.
    const auto values = s.values();
    const auto merge = static_cast<std::size_t>(std::max<ps_t>(1, width / s.bucket_width()));
    json track = json::array();
    for (std::size_t i = 0; i < values.size(); i += merge) {
      double sum = 0;
      for (std::size_t k = i; k < std::min(values.size(), i + merge); ++k) sum += values[k];
      const double seconds =
          static_cast<double>(std::min(width, std::max<ps_t>(1, end - static_cast<ps_t>(i / merge) * width))) * 1e-12;
      track.push_back(sum / seconds / 1e9);
    }
    series["tracks"].push_back({{"name", name}, {"unit", "GB/s"}, {"values", track}});
  }
  json outputs = json::object();
  if (m_timeline) {
    outputs["timeline"] = m_timeline->finish(end);
    if (const ps_t since = spent(hardware::viewer::timeline); since != never)
      outputs["timeline"]["detail_note"] = spent_note("timeline", since);
    else if (m_detail_window.by_layer && !m_detail_window.seen)
      outputs["timeline"]["detail_note"] =
          fmt::format("timeline: no operator is called '{}'; no single transfers are shown", m_detail_window.pattern);
  }
  if (m_vcd) {
    if (!m_options.save_file.empty()) m_vcd->write_save_file(m_options.save_file, "waves.vcd");
    outputs["vcd"] = vcd_facts();
  }
  if (!outputs.empty()) result["outputs"] = outputs;
}

}  // namespace memwall::platforms
