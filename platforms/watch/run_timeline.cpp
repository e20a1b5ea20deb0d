// SPDX-License-Identifier: Apache-2.0
#include "platforms/watch/run_timeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "hw/core/stream_core.h"

namespace memwall::platforms {

run_timeline::run_timeline(const std::string& path, const system& hw) : m_writer(path) {
  m_core_process = m_writer.add_process("operators");
  for (const auto& m : hw.modules()) {
    if (const stream_core* core = m->as_core(); core != nullptr) {
      m_cores[m->name()] = m_writer.add_track(m_core_process, m->name());
      m_sources[core->id()] = m->name();
    }
  }
  for (const auto& m : hw.modules()) {
    if (m->target() == nullptr && m->as_bus() == nullptr) continue;
    module_view v;
    v.name = m->name();
    v.process = m_writer.add_process(m->name() + " (" + m->type() + ")");
    if (m->detail_units() > 0) v.load.emplace_back(*m);
    m_modules.push_back(std::move(v));
  }
}

void run_timeline::watch_arithmetic(const system& hw, const std::function<bool(std::uint64_t, ps_t, ps_t)>& in_window) {
  for (const auto& m : hw.modules()) {
    if (m->as_core() == nullptr) continue;
    for (probe_base* p : m->probes())
      if (p->name() == "arithmetic")
        m_arithmetic[m->name()] =
            std::make_unique<arithmetic_track>(*p, m_writer, m_core_process, m->name() + " arithmetic", in_window);
  }
}

void run_timeline::wires(const channel_span& s) {
  module_view& m = view(s.module);
  auto& tracks = m.channels[s.channel];
  const auto key = std::pair(std::string(s.wires), s.index);
  auto track = tracks.find(key);
  if (track == tracks.end())
    track =
        tracks
            .emplace(key, m_writer.add_track(m.process, fmt::format("channel {} {}{}", s.channel, s.wires,
                                                                    s.index >= 0 ? fmt::format(" {}", s.index) : "")))
            .first;
  timeline_args args;
  const std::pair<const char*, std::int64_t> fields[] = {
      {"rank", s.rank}, {"bank_group", s.bank_group}, {"bank", s.bank}, {"row", s.row}};
  for (const auto& [name, value] : fields)
    if (value >= 0) args.emplace_back(name, value);
  if (s.bursts > 0) args.emplace_back("bursts", s.bursts);
  m_writer.complete(track->second, s.what, "wires", s.begin_ps, s.end_ps - s.begin_ps, args,
                    timeline_writer::importance::detail);
}

run_timeline::module_view& run_timeline::view(const char* module) {
  const auto found = m_index.find(module);
  if (found != m_index.end()) return m_modules[found->second];
  std::size_t i = 0;
  while (i < m_modules.size() && m_modules[i].name != module) ++i;
  if (i == m_modules.size()) {
    m_modules.emplace_back();
    m_modules[i].name = module;
    m_modules[i].process = m_writer.add_process(module);
  }
  m_index[module] = i;
  return m_modules[i];
}

std::string run_timeline::source_name(int source) const {
  const auto found = m_sources.find(source);
  return found != m_sources.end() ? found->second : fmt::format("initiator {}", source);
}

void run_timeline::span(const transfer_span& s, bool detail) {
  sample();
  module_view& m = view(s.module);
  sum& t = m.sums[{s.source, s.op}];
  t.begin = std::min(t.begin, s.begin_ps);
  t.end = std::max(t.end, s.end_ps);
  t.latency += s.end_ps - s.begin_ps;
  t.bytes += s.bytes;
  ++t.transfers;
  // Amounts x time, over the width of a bucket: what was there on average.
  const auto stay = static_cast<double>(s.end_ps - s.begin_ps);
  m.bytes.add(s.begin_ps, s.end_ps, static_cast<double>(s.bytes));
  m.bytes_time.add(s.begin_ps, s.end_ps, static_cast<double>(s.bytes) * stay);
  m.time.add(s.begin_ps, s.end_ps, stay);
  if (detail) show(m, s);
}

void run_timeline::show(module_view& m, const transfer_span& s) {
  std::size_t i = 0;
  while (i < m.lanes.size() && m.lanes[i].end > s.begin_ps) ++i;
  if (i == most_lanes) {
    ++m_without_lane;
    return;
  }
  if (i == m.lanes.size()) m.lanes.push_back({m_writer.add_track(m.process, fmt::format("transfers {}", i + 1))});
  m.lanes[i].end = s.end_ps;
  m_writer.complete(m.lanes[i].track, s.what, "transfer", s.begin_ps, s.end_ps - s.begin_ps,
                    {{"bytes", s.bytes}, {"operator", s.op}, {"initiator", std::string_view(source_name(s.source))}},
                    timeline_writer::importance::detail);
  const auto core = m_sources.find(s.source);
  if (core == m_sources.end()) return;
  m_arrows[core->second].push_back({m.name, m.lanes[i].track, s.begin_ps});
}

void run_timeline::show_sums(module_view& m, int source, std::uint64_t op, const std::string& label) {
  const auto found = m.sums.find({source, op});
  if (found == m.sums.end()) return;
  const sum& t = found->second;
  auto track = m.by_source.find(source);
  if (track == m.by_source.end())
    track = m.by_source.emplace(source, m_writer.add_track(m.process, "for " + source_name(source))).first;
  m_writer.complete(
      track->second, label, "transfers", t.begin, t.end - t.begin,
      {{"transfers", t.transfers},
       {"bytes", t.bytes},
       {"mean_latency_ns", static_cast<double>(t.latency) / static_cast<double>(t.transfers) / 1000},
       {"GB/s", t.end > t.begin ? static_cast<double>(t.bytes) / static_cast<double>(t.end - t.begin) * 1000 : 0.0}});
  m.sums.erase(found);
}

void run_timeline::operator_begins(const std::string& core, std::uint64_t op) {
  if (const auto found = m_arithmetic.find(core); found != m_arithmetic.end()) found->second->begins(op);
}

void run_timeline::operator_ended(const std::string& core, const trace::op& op, ps_t start, ps_t end) {
  sample();
  m_writer.complete(m_cores.at(core), op.name, std::string(trace::name_of(op.kind)), start, end - start,
                    {{"operator", op.id}, {"layer", op.layer}, {"step", op.step}, {"flops", op.flops()}});
  // After the slice they leave: an importer that meets an arrow first hangs it on the operator before.
  for (const arrow& a : m_arrows[core]) {
    m_writer.flow_start(m_cores.at(core), ++m_flow, a.name, a.at);
    m_writer.flow_end(a.to, m_flow, a.name, a.at);
  }
  m_arrows[core].clear();
  if (const auto found = m_arithmetic.find(core); found != m_arithmetic.end())
    found->second->ended(op.name, std::string(trace::name_of(op.kind)));
  for (const auto& [source, name] : m_sources) {
    if (name != core) continue;
    for (auto& m : m_modules) show_sums(m, source, op.id, op.name);
  }
}

json run_timeline::finish(ps_t end) {
  for (auto& m : m_modules) {
    while (!m.sums.empty()) {
      const auto [source, op] = m.sums.begin()->first;
      show_sums(m, source, op, source_name(source));
    }
    const ps_t width = m.bytes.bucket_width();
    const auto bytes = m.bytes.values(), bytes_time = m.bytes_time.values(), time = m.time.values();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const ps_t at = static_cast<ps_t>(i) * width;
      const auto length = static_cast<double>(std::max<ps_t>(1, std::min(width, end - at)));
      m_writer.counter(m.process, "bandwidth", at, {{"GB/s", bytes[i] / length * 1000}});
      m_writer.counter(m.process, "outstanding", at, {{"bytes", bytes_time[i] / length}});
      m_writer.counter(m.process, "queue depth", at, {{"transfers", time[i] / length}});
    }
    for (auto& l : m.load) l.write(m_writer, m.process);
  }
  m_writer.finish();
  json out = {{"bytes", m_writer.bytes()}, {"events", m_writer.events()}};
  if (m_writer.cut()) out["note"] = m_writer.note();
  if (m_without_lane > 0) out["not_shown"] = m_without_lane;
  return out;
}

}  // namespace memwall::platforms
