// SPDX-License-Identifier: Apache-2.0
#include "platforms/observe.h"

#include <algorithm>

#include "hw/common/stream_core.h"

namespace memwall::platforms {
namespace {

constexpr std::int64_t vcd_limit = 100'000'000;  // bytes

}  // namespace

vcd_window parse_vcd_window(const std::string& text) {
  vcd_window w;
  if (text.empty()) return w;
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
      throw input_error(problem{"--vcd=" + text, "", "got '" + t + "'", "a window: 10us:12us, :5us, 1ms: or a pattern of operator names", ""});
    return to_ps(duration(v));
  };
  w.begin = time(text.substr(0, colon), 0);
  w.end = time(text.substr(colon + 1), never);
  if (w.end <= w.begin) throw input_error(problem{"--vcd=" + text, "", "the window ends before it begins", "", ""});
  return w;
}

recorder::recorder(const run_options& options, system& hw) : m_options(options), m_system(hw) {
  for (const auto& m : hw.modules()) m->observe(this);
  if (!options.timeline_file.empty()) {
    m_timeline = std::make_unique<timeline_writer>(options.timeline_file);
    const int cores = m_timeline->add_process("operators"), transfers = m_timeline->add_process("transfers");
    for (const auto& m : hw.modules())
      m_tracks[m->name()] = m_timeline->add_track(m->as_core() != nullptr ? cores : transfers, m->name());
  }
  if (options.vcd_file.empty()) return;
  const vcd_window w = parse_vcd_window(options.vcd_window);
  m_by_layer = w.by_layer;
  m_window_begin = w.begin;
  m_window_end = w.end;
  m_vcd = std::make_unique<vcd_writer>(options.vcd_file, vcd_limit, [] { return now_ps(); });
  for (const auto& m : hw.modules())
    for (probe_base* p : m->probes()) m_vcd->add(m->name(), *p);
}

recorder::~recorder() {
  for (const auto& m : m_system.modules()) m->observe(nullptr);
}

void recorder::span(const transfer_span& s) {
  auto found = m_series.find(s.module);
  if (found == m_series.end()) found = m_series.emplace(s.module, time_series(400)).first;
  found->second.add(s.begin_ps, s.end_ps, static_cast<double>(s.bytes));
  if (!m_timeline || m_timeline->cut()) return;
  const auto track = m_tracks.find(s.module);
  if (track == m_tracks.end()) return;
  m_timeline->async_begin(track->second, ++m_span_id, s.what, s.module, s.begin_ps, {{"bytes", s.bytes}, {"operator", s.op}});
  m_timeline->async_end(m_span_id, s.module, s.end_ps);
}

void recorder::operator_begins(const std::string&, const operation& work) {
  if (m_vcd && m_by_layer && matches_glob(m_options.vcd_window, work.name) && m_matching++ == 0) m_vcd->open_window();
}

void recorder::operator_ends(const std::string& core, const trace::op& op, ps_t start, ps_t end) {
  if (m_timeline)
    m_timeline->complete(m_tracks.at(core), op.name, std::string(trace::name_of(op.kind)), start, end - start, {{"layer", op.layer}, {"step", op.step}, {"flops", op.flops()}});
  if (m_vcd && m_by_layer && m_matching > 0 && matches_glob(m_options.vcd_window, op.name) && --m_matching == 0) m_vcd->close_window();
}

void recorder::run_simulation() {
  if (m_vcd && !m_by_layer) {
    if (m_window_begin > 0) sc_core::sc_start(to_sc_time(m_window_begin));
    const auto running = [] { return sc_core::sc_get_status() != sc_core::SC_STOPPED; };
    if (running()) {
      m_vcd->open_window();
      if (m_window_end != never) {
        sc_core::sc_start(to_sc_time(m_window_end - m_window_begin));
        m_vcd->close_window();
        if (running()) sc_core::sc_start();
      } else {
        sc_core::sc_start();
      }
    }
    return;
  }
  sc_core::sc_start();
}

void recorder::finish(json& result, ps_t end) {
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
      const double seconds = static_cast<double>(std::min(width, std::max<ps_t>(1, end - static_cast<ps_t>(i / merge) * width))) * 1e-12;
      track.push_back(sum / seconds / 1e9);
    }
    series["tracks"].push_back({{"name", name}, {"unit", "GB/s"}, {"values", track}});
  }
  json outputs = json::object();
  if (m_timeline) {
    const int counters = m_timeline->add_process("bandwidth");
    for (const auto& track : series["tracks"]) {
      ps_t at = 0;
      for (const auto& v : track["values"]) {
        m_timeline->counter(counters, track["name"].get<std::string>() + " GB/s", at, {{"GB/s", v.get<double>()}});
        at += width;
      }
    }
    m_timeline->finish();
    outputs["timeline"] = {{"bytes", m_timeline->bytes()}, {"events", m_timeline->events()}};
    if (m_timeline->cut()) outputs["timeline"]["note"] = m_timeline->note();
  }
  if (m_vcd) {
    if (!m_vcd->close()) throw input_error(problem{m_options.vcd_file, "", "could not be written completely", "room on the disk", ""});
    if (!m_options.save_file.empty()) m_vcd->write_save_file(m_options.save_file, "waves.vcd");
    outputs["vcd"] = {{"bytes", m_vcd->bytes()}};
    if (m_vcd->cut_at() != never) outputs["vcd"]["cut_at_ns"] = ns(m_vcd->cut_at());
  }
  if (!outputs.empty()) result["outputs"] = outputs;
}

}  // namespace memwall::platforms
