// SPDX-License-Identifier: Apache-2.0
#include "platforms/tell/result.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "hw/core/stream_core.h"
#include "platforms/describe/badge.h"
#include "platforms/tell/bounds.h"
#include "platforms/tell/machine.h"

namespace memwall::platforms {
namespace {

std::int64_t tokens_of(const trace::workload& w, const result_builder& r) {
  if (r.tokens) return *r.tokens;
  if (r.decode_steps > 0) return r.decode_steps * w.batch;
  return r.prefill ? w.prompt * w.batch : 0;
}

json workload_json(const trace::header& h) {
  const auto& w = h.workload;
  return {{"phase", std::string(trace::name_of(w.phase))},
          {"batch", w.batch},
          {"prompt", w.prompt},
          {"context", w.context},
          {"tokens", w.tokens},
          {"prefill_chunk", w.prefill_chunk},
          {"dtype", w.types.name()}};
}

}  // namespace

const std::vector<cause_group>& cause_groups() {
  static const std::vector<cause_group> groups = {
      {"compute", {stall::compute}},
      {"memory",
       {stall::dram_queue, stall::dram_data, stall::dram_latency, stall::dram_row_miss, stall::dram_row_conflict,
        stall::dram_bank_group, stall::dram_activate, stall::dram_refresh, stall::dram_turnaround}},
      {"bus", {stall::bus_wait, stall::bus_transfer}},
      {"link", {stall::link}},
      {"paging", {stall::page_fault}},
      {"core_requests", {stall::core_requests}},
      {"launch", {stall::launch}},
      {"host", {stall::host}},
      {"all_reduce", {stall::all_reduce}},
      {"cim_compute", {stall::cim_input, stall::cim_array, stall::cim_adc, stall::cim_digital}},
      {"cim_program", {stall::cim_program}},
      {"dependency", {stall::dependency}},
      {"idle", {stall::idle}}};
  return groups;
}

namespace {

json badge_json(const badge& b) {
  json out{{"figure", b.figure}, {"text", b.text()}, {"rows", b.own ? b.own->rows : 0}};
  if (b.own) out.update(json{{"median_error", b.own->median_error}, {"p90_error", b.own->p90_error}});
  if (b.neighbours) out["neighbours"] = {b.neighbours->first, b.neighbours->second};
  return out;
}

}  // namespace

std::string booked_most(const stall_stack& s) {
  const char* most = "idle";
  ps_t longest = 0;
  for (const auto& g : cause_groups()) {
    ps_t sum = 0;
    for (const auto c : g.causes) sum += s[c];
    if (sum > longest) longest = sum, most = g.name;
  }
  return most;
}

json stack_json(const stall_stack& s) {
  json out = json::object();
  for (std::size_t c = 0; c < stall_count; ++c)
    if (s.part[c] != 0) out[stall_name(static_cast<stall>(c))] = ns(s.part[c]);
  return out;
}

void result_builder::add(layer_row row, std::size_t keep) {
  ++count;
  if (row.prefill)
    prefill = true, prefill_end = std::max(prefill_end, row.end);
  else
    decode_steps = std::max(decode_steps, row.step + 1);
  flops += row.flops;
  read += row.read;
  written += row.written;
  for (operator_group* group : {&by_kind[row.kind], &by_layer[row.layer]}) {
    ++group->operators;
    group->parts += row.parts;
  }
  m_last = row;
  if (rows.size() < keep) rows.push_back(std::move(row));
}

namespace {

/// What the modules of a section report, and their energies.
struct module_reports {
  std::array<json, result_sections> lists;
  json energy_by_component = json::object();
  double energy = 0, idle_energy = 0;
  std::int64_t dram_bytes = 0, bus_bytes = 0, link_bytes = 0;

  json& of(result_section s) { return lists[static_cast<std::size_t>(s)]; }
};

module_reports reports_of(const system& hw, const symmetry& alike, ps_t time) {
  module_reports out;
  out.lists.fill(json::array());
  for (const auto& m : hw.modules()) {
    out.of(m->section()).push_back(alike.report(*m, time));
    const hardware* w = hw.find(alike.worker(m->name()));
    const double times = alike.times(w->name());
    for (const auto& [part, pj] : w->energy_parts(time)) {
      out.energy_by_component[part == w->name() ? m->name() : m->name() + "." + part] = pj * times;
      out.energy += pj * times;
    }
    // What the time alone costs: the same work in twice the time takes so much more.
    out.idle_energy += (w->energy_pj(2 * time) - w->energy_pj(time)) * times;
  }
  return out;
}

/// Traffic and the busiest modules; the rest of the summary stays as it is.
void sum_up(module_reports& found, run_summary& s) {
  double busiest = -1;
  for (const auto& m : found.of(result_section::memories)) {
    if (m.value("on_chip", false)) continue;
    s.dram_bytes += m["read_bytes"].get<std::int64_t>() + m["write_bytes"].get<std::int64_t>();
    if (m["utilization"].get<double>() > busiest) {
      busiest = m["utilization"].get<double>();
      s.dram_bytes_per_s = m["bandwidth_gbps"].get<double>() * 1e9;
    }
  }
  s.dram_utilization = std::max(0.0, busiest);
  for (const auto& b : found.of(result_section::buses)) {
    s.bus_bytes += b["bytes"].get<std::int64_t>();
    s.bus_utilization = std::max(s.bus_utilization, b["utilization"].get<double>());
  }
  for (const auto& l : found.of(result_section::links)) s.link_bytes += l["bytes"].get<std::int64_t>();
}

run_summary summary_of(const trace::header& header, const result_builder& r, module_reports& found, ps_t time,
                       bool partial) {
  run_summary s;
  s.time = time;
  s.partial = partial;
  if (partial) s.operators = r.count;
  s.tokens = tokens_of(header.workload, r);
  if (r.prefill && r.decode_steps > 0) {
    // A prompt and the tokens behind it take such different times that their mean says nothing.
    s.ttft_ns = ns(r.prefill_end);
    s.tpot_ns = ns(time - r.prefill_end) / static_cast<double>(r.decode_steps);
  }
  s.booked_most = booked_most(r.critical);
  s.energy_pj = found.energy;
  s.flops = r.flops;
  for (const auto& t : header.tensors) {
    if (t.cls == trace::tensor_class::weights) s.weight_bytes += t.bytes;
    if (t.cls == trace::tensor_class::kv_cache) s.kv_bytes += t.bytes;
  }
  sum_up(found, s);
  return s;
}

template <class Groups>
json groups_json(const char* key, const Groups& groups) {
  json list = json::array();
  for (const auto& [group, entry] : groups) {
    json row{{key, group}};
    row.update(group_table().write(entry));
    list.push_back(std::move(row));
  }
  return list;
}

json roofline_json(const system& hw, const symmetry& alike, const trace::header& header, const json& memories) {
  json executors = json::array();
  for (const auto& m : hw.modules()) {
    stream_core* c = hw.find(alike.worker(m->name()))->as_core();
    if (c == nullptr || c->stats().operations == 0) continue;
    json e{{"name", m->name()}};
    for (const char* type : {"fp16", "bf16", "fp8", "int8", "fp32"}) e["peak_flops"][type] = c->model().peak_rate(type);
    e["dtype_used"] = header.workload.types.activations.name();
    e["bandwidths"] = json::array();
    for (const auto& memory : memories)
      e["bandwidths"].push_back({{"name", memory["name"]}, {"bytes_per_s", memory["peak_gbps"].get<double>() * 1e9}});
    executors.push_back(e);
  }
  return {{"executors", executors}};
}

/// Law 2: what operators asked for is what buses moved and memories served.
json conservation_json(const system& hw, const symmetry& alike, const result_builder& r) {
  traffic_bytes asked = r.read, cores, memories;
  asked += r.written;
  for (const auto& m : hw.modules()) {
    const hardware* w = hw.find(alike.worker(m->name()));
    if (m->as_core() != nullptr) cores += w->bytes();
    if (m->memory() && m->as_core() == nullptr) memories += w->bytes();
  }
  return {{"operators", bytes_json(asked)}, {"executors", bytes_json(cores)}, {"memories", bytes_json(memories)}};
}

}  // namespace

json build_result(const run_options& o, const system& hw, const symmetry& alike, const placement& where,
                  const result_builder& r, ps_t time, bool partial, const json& programming, run_summary& summary) {
  const auto stream = o.source();
  const trace::header& header = stream->header();
  json out;
  out["schema"] = result_schema;
  out["memwall_version"] = o.version;
  if (partial) out["partial"] = true;
  out["platform"] = o.platform.name;
  out["model"] = header.model;
  if (!header.notes.empty()) out["notes"] = header.notes;
  out["workload"] = workload_json(header);
  const badge found_so_far = badge_of(o.platform.name, r.prefill ? "prefill" : "decode");
  out["badge"] = badge_json(o.as_validated ? found_so_far : found_so_far.of_neighbour());
  out["seed"] = o.seed;
  out["fidelity"] = {{"transfer_bytes", o.transfer_bytes}, {"replay", o.replay}};
  out["config"] = {{"platform", hw.config(o.platform)}, {"workload", out["workload"]}};
  out["provenance"] = {{"command", o.command}};

  module_reports found = reports_of(hw, alike, time);
  summary = summary_of(header, r, found, time, partial);
  out["summary"] = summary_table().write(summary);
  out["stall_stack_ns"] = stack_json(r.critical);
  out["by_kind"] = groups_json("kind", r.by_kind);
  out["by_layer"] = groups_json("layer", r.by_layer);
  for (std::size_t i = 0; i < result_sections; ++i)
    if (const auto s = static_cast<result_section>(i); !found.of(s).empty() || !is_rare(s))
      out[section_name(s)] = std::move(found.of(s));

  out["roofline"] = roofline_json(hw, alike, header, out["memories"]);
  out["bounds"] = bounds_of(out, r.critical, time);
  out["machine"] = machine_of(out);
  out["placement"] = where.report();
  if (!programming.is_null()) out["placement"]["programming"] = programming;
  out["energy"] = {
      {"by_component_pj", found.energy_by_component}, {"idle_pj", found.idle_energy}, {"total_pj", found.energy}};
  out["conservation"] = conservation_json(hw, alike, r);
  out["layers_total"] = r.count;
  out["layers"] = json::array();
  for (const auto& row : r.rows) out["layers"].push_back(layer_table().write(row));
  return out;
}

json reuse_json(const reuse_report& r) {
  return {{"mode", r.on ? "on" : "off"},
          {"bound_pct", 100 * r.bound},
          {"operators", static_cast<std::int64_t>(r.operators)},
          {"simulated", static_cast<std::int64_t>(r.simulated)},
          {"audited", r.audits.size()},
          {"error_mean_pct", 100 * r.mean_error()},
          {"error_max_pct", 100 * r.max_error()},
          {"bias_pct", 100 * r.bias()},
          {"confidence_pct", 100 * r.confidence()}};
}

json host_facts(const system& hw, const symmetry& alike, double wall_s) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::uint64_t bursts = 0;
  for (const auto& m : hw.modules()) bursts += hw.find(alike.worker(m->name()))->bursts();
  return {{"wall_s", wall_s},
          {"peak_rss_mb", static_cast<double>(usage.ru_maxrss) / 1024},
          {"events", sc_core::sc_delta_count()},
          {"alike_devices", alike.devices()},
          {"dram_bursts", bursts},
          {"dram_bursts_per_s", wall_s > 0 ? static_cast<double>(bursts) / wall_s : 0.0}};
}

}  // namespace memwall::platforms
