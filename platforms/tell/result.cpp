// SPDX-License-Identifier: Apache-2.0
#include "platforms/tell/result.h"
#include "platforms/describe/badge.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "hw/common/csv.h"
#include "hw/core/stream_core.h"
#include "platforms/tell/bounds.h"
#include "platforms/tell/machine.h"

namespace memwall::platforms {
namespace {

const char* const sections[] = {"memories", "buses", "links", "executors", "generators", "pagers"};

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

std::vector<std::pair<std::string, ps_t>> ranked(const stall_stack& s) {
  std::vector<std::pair<std::string, ps_t>> out;
  for (const auto& g : cause_groups()) {
    ps_t sum = 0;
    for (const auto c : g.causes) sum += s[c];
    if (sum > 0) out.emplace_back(g.name, sum);
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

json badge_json(const badge& b) {
  json out{{"figure", b.figure}, {"text", b.text()}, {"rows", b.own ? b.own->rows : 0}};
  if (b.own) out.update(json{{"median_error", b.own->median_error}, {"p90_error", b.own->p90_error}});
  if (b.neighbours) out["neighbours"] = {b.neighbours->first, b.neighbours->second};
  return out;
}

}  // namespace

std::string booked_most(const stall_stack& s) {
  const auto order = ranked(s);
  return order.empty() ? "idle" : order.front().first;
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
  for (sums* group : {&by_kind[row.kind], &by_layer[row.layer]}) {
    ++group->first;
    group->second += row.parts;
  }
  m_last = row;
  if (rows.size() < keep) rows.push_back(std::move(row));
}

namespace {
const char* phase_of(const layer_row& r) {
  return r.prefill ? "prefill" : "decode";
}
}  // namespace

std::string csv_header() {
  std::string out =
      "name,kind,layer,phase,step,executor,start_ns,end_ns,booked_most,flops,weight_bytes,kv_bytes,activation_bytes,"
      "energy_"
      "pj";
  for (std::size_t c = 0; c < stall_count; ++c) out += std::string(",") + stall_name(static_cast<stall>(c)) + "_ns";
  return out;
}

std::string result_builder::csv_line() const {
  const auto& r = m_last;
  traffic_bytes all = r.read;
  all += r.written;
  std::string out =
      fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{}", csv_cell(r.name), r.kind, r.layer, phase_of(r), r.step,
                  csv_cell(r.executor), ns(r.start), ns(r.end), booked_most(r.parts), r.flops, all[traffic::weights],
                  all[traffic::kv_cache], all[traffic::activations], r.energy_pj);
  for (const auto p : r.parts.part) out += fmt::format(",{}", ns(p));
  return out;
}

json build_result(const run_options& o, const system& hw, const symmetry& alike, const placement& where,
                  const result_builder& r, ps_t time, bool partial, const json& programming) {
  const auto worker = [&](const hardware& m) { return hw.find(alike.worker(m.name())); };
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
  out["badge"] = badge_json(badge_of(o.platform.name, r.prefill ? "prefill" : "decode"));
  out["seed"] = o.seed;
  out["fidelity"] = {{"transfer_bytes", o.transfer_bytes}, {"replay", o.replay}};
  out["config"] = {{"platform", hw.config(o.platform)}, {"workload", out["workload"]}};
  out["provenance"] = {{"command", o.command}};

  json lists;
  for (const char* s : sections) lists[s] = json::array();
  std::vector<std::pair<std::string, double>> energy;
  double energy_total = 0, energy_idle = 0;
  for (const auto& m : hw.modules()) {
    lists[m->section()].push_back(alike.report(*m, time));
    const hardware* w = worker(*m);
    for (const auto& [part, pj] : w->energy_parts(time)) {
      energy.emplace_back(part == w->name() ? m->name() : m->name() + "." + part, pj * alike.times(w->name()));
      energy_total += energy.back().second;
    }
    // What the time alone costs: the same work in twice the time takes so much more.
    energy_idle += (w->energy_pj(2 * time) - w->energy_pj(time)) * alike.times(w->name());
  }
  std::int64_t dram_bytes = 0, bus_bytes = 0, link_bytes = 0, weight_bytes = 0, kv_bytes = 0;
  double busiest = -1, bandwidth = 0, bus_utilization = 0;
  for (const auto& m : lists["memories"]) {
    if (m.value("standard", "") == "SRAM") continue;
    dram_bytes += m["read_bytes"].get<std::int64_t>() + m["write_bytes"].get<std::int64_t>();
    if (m["utilization"].get<double>() > busiest) {
      busiest = m["utilization"].get<double>();
      bandwidth = m["bandwidth_gbps"].get<double>();
    }
  }
  for (const auto& b : lists["buses"]) {
    bus_bytes += b["bytes"].get<std::int64_t>();
    bus_utilization = std::max(bus_utilization, b["utilization"].get<double>());
  }
  for (const auto& l : lists["links"]) link_bytes += l["bytes"].get<std::int64_t>();
  for (const auto& t : header.tensors) {
    if (t.cls == trace::tensor_class::weights) weight_bytes += t.bytes;
    if (t.cls == trace::tensor_class::kv_cache) kv_bytes += t.bytes;
  }
  const std::int64_t tokens = tokens_of(header.workload, r);
  const double seconds = static_cast<double>(time) * 1e-12;
  json& s = out["summary"];
  s["time_ns"] = ns(time);
  s["tokens"] = tokens;
  s["tokens_per_s"] = seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  s["time_per_token_ns"] = tokens > 0 ? ns(time) / static_cast<double>(tokens) : 0.0;
  if (r.prefill && r.decode_steps > 0) {
    // A prompt and the tokens behind it take such different times that their mean says nothing.
    s["ttft_ns"] = ns(r.prefill_end);
    s["tpot_ns"] = ns(time - r.prefill_end) / static_cast<double>(r.decode_steps);
  }
  s["bound_by"] = nullptr;  // a claim about another machine: see --whatif
  s["booked_most"] = booked_most(r.critical);
  s["energy_pj"] = energy_total;
  s["energy_per_token_pj"] = tokens > 0 ? energy_total / static_cast<double>(tokens) : 0.0;
  s["weight_bytes"] = weight_bytes;
  s["kv_bytes"] = kv_bytes;
  s["dram_bytes"] = dram_bytes;
  s["bus_bytes"] = bus_bytes;
  s["link_bytes"] = link_bytes;
  s["flops"] = r.flops;
  s["tops"] =
      time > 0 ? r.flops / static_cast<double>(time) : 0.0;  // of the system: waiting and data movement included
  s["tops_per_w"] = energy_total > 0 ? r.flops / energy_total : 0.0;
  s["dram_bandwidth_gbps"] = bandwidth;
  s["dram_utilization"] = std::max(0.0, busiest);
  s["bus_utilization"] = bus_utilization;
  if (partial) {
    // A rate of a part is no rate of the whole: nobody shall take it for one.
    s["partial"] = true;
    s["operators"] = r.count;
    for (const char* rate : {"tokens", "tokens_per_s", "time_per_token_ns", "energy_per_token_pj"}) s[rate] = nullptr;
    for (const char* rate : {"ttft_ns", "tpot_ns"}) s.erase(rate);
  }
  out["stall_stack_ns"] = stack_json(r.critical);
  const auto sums_json = [](const char* key, const auto& groups) {
    json list = json::array();
    for (const auto& [group, entry] : groups)
      list.push_back({{key, group},
                      {"operators", entry.first},
                      {"time_ns", ns(entry.second.sum())},
                      {"booked_most", booked_most(entry.second)},
                      {"stall_stack_ns", stack_json(entry.second)}});
    return list;
  };
  out["by_kind"] = sums_json("kind", r.by_kind);
  out["by_layer"] = sums_json("layer", r.by_layer);
  for (const char* name : sections)
    if (!lists[name].empty() || (std::string(name) != "generators" && std::string(name) != "pagers"))
      out[name] = std::move(lists[name]);

  json roofline = json::array();
  for (const auto& m : hw.modules()) {
    stream_core* c = worker(*m)->as_core();
    if (c == nullptr || c->stats().operations == 0) continue;
    json e{{"name", m->name()}};
    for (const char* type : {"fp16", "bf16", "fp8", "int8", "fp32"}) e["peak_flops"][type] = c->model().peak_rate(type);
    e["dtype_used"] = header.workload.types.activations.name();
    e["bandwidths"] = json::array();
    for (const auto& memory : out["memories"]) {
      e["bandwidths"].push_back({{"name", memory["name"]}, {"bytes_per_s", memory["peak_gbps"].get<double>() * 1e9}});
    }
    roofline.push_back(e);
  }
  out["roofline"]["executors"] = roofline;
  out["bounds"] = bounds_of(out, r.critical, time);
  out["machine"] = machine_of(out);
  out["placement"] = where.report();
  if (!programming.is_null()) out["placement"]["programming"] = programming;
  json parts = json::object();
  for (const auto& [name, pj] : energy) parts[name] = pj;
  out["energy"] = {{"by_component_pj", parts}, {"idle_pj", energy_idle}, {"total_pj", energy_total}};

  // Law 2: what operators asked for is what buses moved and memories served.
  json asked = bytes_json([&] {
    traffic_bytes b = r.read;
    b += r.written;
    return b;
  }());
  traffic_bytes cores, memories;
  for (const auto& m : hw.modules()) {
    if (m->as_core() != nullptr) cores += worker(*m)->bytes();
    if (m->memory() && m->as_core() == nullptr) memories += worker(*m)->bytes();
  }
  out["conservation"] = {{"operators", asked}, {"executors", bytes_json(cores)}, {"memories", bytes_json(memories)}};

  out["layers_total"] = r.count;
  out["layers"] = json::array();
  for (const auto& row : r.rows) {
    traffic_bytes all = row.read;
    all += row.written;
    out["layers"].push_back({{"name", row.name},
                             {"kind", row.kind},
                             {"layer", row.layer},
                             {"phase", phase_of(row)},
                             {"token", row.step},
                             {"executor", row.executor},
                             {"start_ns", ns(row.start)},
                             {"end_ns", ns(row.end)},
                             {"bound_by", nullptr},
                             {"booked_most", booked_most(row.parts)},
                             {"flops", row.flops},
                             {"bytes",
                              {{"weights", all[traffic::weights]},
                               {"kv_cache", all[traffic::kv_cache]},
                               {"activations", all[traffic::activations]}}},
                             {"dram_bytes", all.sum()},
                             {"energy_pj", row.energy_pj},
                             {"stall_stack_ns", stack_json(row.parts)}});
  }
  return out;
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
