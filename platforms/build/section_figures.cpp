// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/section_figures.h"

#include <algorithm>

#include "hw/common/stall.h"
#include "platforms/build/hardware.h"

namespace memwall::platforms {
namespace {

figure_info inner(std::string path, const char* type, const char* unit, const char* doc, sums how = sums::no,
                  bool always = true) {
  return {std::move(path), type, unit, doc, how, always, false};
}

std::vector<figure_info> with_prefix(const std::string& prefix, std::vector<figure_info> rows) {
  for (auto& r : rows) r.path = prefix + "." + r.path;
  return rows;
}

json waits_of(const fabric_port_report& from) {
  json wait = latency_json(from.wait, from.wait_histogram);
  wait["total"] = from.wait.mean_ps * static_cast<double>(from.wait.count) / 1000;
  wait["transfers"] = from.transfers;
  wait["bytes"] = from.read_bytes.sum() + from.write_bytes.sum();
  return wait;
}

json waits(const fabric_figures& f) {
  json out = json::object();
  for (const auto& from : f.found.initiators) out[from.name] = waits_of(from);
  return out;
}

json wait_matrix(const fabric_figures& f) {
  const bus_report& r = f.found;
  json out = json::object();
  for (std::size_t i = 0; i < r.initiators.size() && i < r.waited_for.size(); ++i)
    for (std::size_t j = 0; j < r.initiators.size(); ++j)
      out[r.initiators[i].name][r.initiators[j].name] = ns(r.waited_for[i][j]);
  return out;
}

json channels(const fabric_figures& f) {
  json out = json::array();
  for (const auto& c : f.found.channels)
    out.push_back(
        {{"name", c.name}, {"bytes", c.bytes}, {"busy_ns", ns(c.busy_ps)}, {"peak_gbps", c.peak_bytes_per_s / 1e9}});
  return out;
}

json occupancy(const fabric_figures& f) {
  return {{"bucket_ns", ns(f.found.occupancy_bucket_ps)}, {"values", f.found.occupancy}};
}

/// `parts`: what its ways are called.
figure_table<fabric_figures> fabric_table(const char* path, const char* parts) {
  std::vector<figure_info> wait = with_prefix("*", latency_figures());
  wait.push_back(inner("*.total", "number", "ns", "the sum of all waits", sums::adds));
  wait.push_back(inner("*.transfers", "integer", "", "transfers of that initiator", sums::adds));
  wait.push_back(inner("*.bytes", "integer", "B", "bytes of that initiator, both directions", sums::adds));
  return figure_table<fabric_figures>(path)
      .add("name", &fabric_figures::name, "", "the module")
      .add(
          "topology", [](const fabric_figures& f) { return f.found.topology; }, "", "shared, crossbar, ring, ...")
      .add(
          "arbiter", [](const fabric_figures& f) { return f.found.arbiter; }, "", "who decides who is next")
      .add(
          "utilization", [](const fabric_figures& f) { return f.found.utilization; }, "1",
          "busy share of the busiest channel", sums::largest)
      .add(
          "peak_gbps", [](const fabric_figures& f) { return f.found.peak_bytes_per_s / 1e9; }, "GB/s",
          "what it moves in one direction, all channels")
      .add(
          "bytes", [](const fabric_figures& f) { return f.found.bytes; }, "B", "moved, both directions", sums::adds)
      .add_json(
          "bytes_by_class", [](const fabric_figures& f) { return bytes_json(f.found.bytes_by_class); }, "object", "B",
          "the same by what they belong to", byte_figures(), sums::adds)
      .add(
          "energy_pj", [](const fabric_figures& f) { return f.found.energy_pj; }, "pJ", "of moving them", sums::adds)
      .add_json("wait_ns", waits, "object", "ns", "waiting for the way, by initiator", std::move(wait))
      .add_json("wait_matrix_ns", wait_matrix, "object", "ns", "who waited for whom",
                {inner("*", "object", "ns", "waits of that initiator"),
                 inner("*.*", "number", "ns", "for transfers of that one", sums::adds)})
      .add_json(parts, channels, "array", "", "its ways",
                {inner("[].name", "string", "", "the way"), inner("[].bytes", "integer", "B", "moved", sums::adds),
                 inner("[].busy_ns", "number", "ns", "time that bytes were on it", sums::adds),
                 inner("[].peak_gbps", "number", "GB/s", "what it moves")})
      .add_json("occupancy", occupancy, "object", "", "busy share of the busiest channel over time",
                {inner("bucket_ns", "number", "ns", "width of a bucket"),
                 inner("values", "array", "1", "busy share in each")});
}

double rate_gbps(double bytes, ps_t elapsed) {
  return elapsed > 0 ? bytes / static_cast<double>(elapsed) * 1e3 : 0.0;
}
double asked(const pager_figures& p) {
  return static_cast<double>(p.found.hit_bytes + p.found.fault_bytes);
}

}  // namespace

std::vector<figure_info> latency_figures(bool histogram) {
  std::vector<figure_info> out = {inner("count", "integer", "", "how many", sums::adds),
                                  inner("mean", "number", "ns", "their mean", sums::mean),
                                  inner("p50", "number", "ns", "half of them take at most that"),
                                  inner("p90", "number", "ns", "nine of ten take at most that"),
                                  inner("p99", "number", "ns", "99 of 100 take at most that"),
                                  inner("max", "number", "ns", "the longest", sums::largest)};
  if (histogram)
    out.push_back(
        inner("histogram", "array", "ns, 1", "[upper bound, how many] of each filled bin", sums::adds, false));
  return out;
}

std::vector<figure_info> byte_figures() {
  std::vector<figure_info> out;
  for (std::size_t i = 0; i < traffic_count; ++i)
    out.push_back(inner(traffic_name(static_cast<traffic>(i)), "integer", "B", "of that class", sums::adds));
  return out;
}

std::vector<figure_info> cause_figures() {
  std::vector<figure_info> out;
  for (std::size_t c = 0; c < stall_count; ++c)
    out.push_back(inner(stall_name(static_cast<stall>(c)), "number", "ns", "booked to that cause; left out where 0",
                        sums::adds, false));
  return out;
}

const figure_table<memory_figures>& memory_table() {
  using m = memory_figures;
  static const auto table =
      figure_table<m>("memories[]")
          .add("name", &m::name, "", "the module")
          .add("standard", &m::standard, "", "DRAM standard, or SRAM")
          .add("on_chip", &m::on_chip, "", "on the processor's chip: its bytes are no DRAM bytes")
          .add("channels", &m::channels, "", "channels", sums::adds)
          .add("devices", &m::devices, "", "stacks, chips or DIMMs", sums::adds)
          .add("capacity_bytes", &m::capacity_bytes, "B", "what it holds", sums::adds)
          .add(
              "peak_gbps", [](const m& v) { return v.peak_bytes_per_s / 1e9; }, "GB/s", "what its pins move",
              sums::adds)
          .add("read_bytes", &m::read_bytes, "B", "on the data bus: whole bursts", sums::adds)
          .add("write_bytes", &m::write_bytes, "B", "the same, written", sums::adds)
          .add("asked_read_bytes", &m::asked_read_bytes, "B", "as initiators asked", sums::adds)
          .add("asked_write_bytes", &m::asked_write_bytes, "B", "the same, written", sums::adds)
          .add(
              "bandwidth_gbps", [](const m& v) { return v.bandwidth_bytes_per_s / 1e9; }, "GB/s",
              "bytes over the run's time", sums::adds)
          .add("utilization", &m::utilization, "1", "of the peak; on chip: busy share")
          .add("busy_ns", &m::busy_ns, "ns", "with at least one transfer in flight")
          .add_json("banks", &m::banks, "object", "", "banks that compute",
                    {inner("computing_ns", "number", "ns", "time in which they did"),
                     inner("delayed_transfers", "integer", "", "transfers that waited for them", sums::adds),
                     inner("delayed_ns", "number", "ns", "the sum of their waits", sums::adds)})
          .add_json("latency_ns", &m::latency_ns, "object", "ns", "request in to response out, of transfers",
                    latency_figures())
          .add_json("row", &m::row, "object", "", "what accesses met in their bank",
                    {inner("hit", "integer", "", "their row was open", sums::adds),
                     inner("miss", "integer", "", "no row was open", sums::adds),
                     inner("conflict", "integer", "", "another row was open", sums::adds)})
          .add_json("commands", &m::commands, "object", "", "commands that were sent",
                    {inner("*", "integer", "", "of that kind", sums::adds)})
          .add_json("energy_pj", &m::energy_pj, "object", "pJ", "energy by part",
                    {inner("*", "number", "pJ", "activate, read, write, io, refresh, background", sums::adds, false),
                     inner("total", "number", "pJ", "all of it", sums::adds)})
          .add("energy_confidence", &m::energy_confidence, "", "how well its source is known")
          .add_json("time_by_cause_ns", &m::time_by_cause_ns, "object", "ns", "data bus time by cause, all channels",
                    cause_figures(), sums::adds)
          .add("bottleneck", &m::bottleneck, "", "the same in words");
  return table;
}

const figure_table<executor_figures>& executor_table() {
  using e = executor_figures;
  static const auto table =
      figure_table<e>("executors[]")
          .add("name", &e::name, "", "the module")
          .add("kind", &e::kind, "", "gpu, cpu, cim, ...")
          .add("operations", &e::operations, "", "operators it ran", sums::adds)
          .add("busy_ns", &e::busy_ns, "ns", "with an operator under way", sums::adds)
          .add("utilization", &e::utilization, "1", "share of the run in which it computed")
          .add("flops", &e::flops, "FLOP", "operations done; a multiply-accumulate is two", sums::adds)
          .add("transfers", &e::transfers, "", "asked of memories", sums::adds)
          .add_json("read_bytes", &e::read_bytes, "object", "B", "asked of memories", byte_figures(), sums::adds)
          .add_json("write_bytes", &e::write_bytes, "object", "B", "sent to memories", byte_figures(), sums::adds)
          .add("energy_pj", &e::energy_pj, "pJ", "of the core: arithmetic, on-chip movement, what the time costs",
               sums::adds)
          .add_json("latency_ns", &e::latency_ns, "object", "ns", "of its transfers, issue to completion",
                    latency_figures())
          .add_json("stall_stack_ns", &e::stall_stack_ns, "object", "ns", "the run's time as this core saw it",
                    cause_figures(), sums::adds)
          .add_json("figures", &e::figures, "object", "", "what this kind of core adds: peaks, achieved rates, area",
                    {inner("*", "any", "", "by its own name: units stand in it", sums::no, false)});
  return table;
}

const figure_table<generator_figures>& generator_table() {
  using g = generator_figures;
  static const auto table =
      figure_table<g>("generators[]")
          .add("name", &g::name, "", "the module")
          .add("transfers", &g::transfers, "", "asked for", sums::adds)
          .add("read_bytes", &g::read_bytes, "B", "read", sums::adds)
          .add("write_bytes", &g::write_bytes, "B", "written", sums::adds)
          .add_json("latency_ns", &g::latency_ns, "object", "ns", "issue to completion", latency_figures())
          .add_json("latency_by_cause_ns", &g::latency_by_cause_ns, "object", "ns", "their sum by cause",
                    cause_figures(), sums::adds);
  return table;
}

const figure_table<fabric_figures>& bus_table() {
  static const auto table = fabric_table("buses[]", "channels");
  return table;
}

const figure_table<fabric_figures>& link_table() {
  static const auto table = fabric_table("links[]", "directions");
  return table;
}

const figure_table<pager_figures>& pager_table() {
  using p = pager_figures;
  static const auto table =
      figure_table<p>("pagers[]")
          .add("name", &p::name, "", "the module")
          .add(
              "transfers", [](const p& v) { return v.found.transfers; }, "", "that came through", sums::adds)
          .add(
              "hit_bytes", [](const p& v) { return v.found.hit_bytes; }, "B", "asked of pages that were there",
              sums::adds)
          .add(
              "fault_bytes", [](const p& v) { return v.found.fault_bytes; }, "B", "asked of pages that were not",
              sums::adds)
          .add(
              "hit_rate",
              [](const p& v) { return asked(v) > 0 ? static_cast<double>(v.found.hit_bytes) / asked(v) : 0.0; }, "1",
              "hit bytes over all", sums::mean)
          .add(
              "bandwidth_gbps", [](const p& v) { return rate_gbps(asked(v), v.elapsed); }, "GB/s",
              "bytes over the run's time", sums::adds)
          .add(
              "batches", [](const p& v) { return v.found.batches; }, "", "rounds of the driver", sums::adds)
          .add(
              "faulted_pages", [](const p& v) { return v.found.faulted_pages; }, "", "pages asked for", sums::adds)
          .add(
              "prefetched_pages", [](const p& v) { return v.found.prefetched_pages; }, "", "brought beside them",
              sums::adds)
          .add(
              "evicted_blocks", [](const p& v) { return v.found.evicted_blocks; }, "", "made room", sums::adds)
          .add(
              "migrated_in_bytes", [](const p& v) { return v.found.migrated_in; }, "B", "to the device", sums::adds)
          .add(
              "migrated_out_bytes", [](const p& v) { return v.found.migrated_out; }, "B", "back", sums::adds)
          .add(
              "fault_time_ns", [](const p& v) { return ns(v.found.fault_time); }, "ns", "of the driver", sums::adds)
          .add(
              "copy_time_ns", [](const p& v) { return ns(v.found.copy_time); }, "ns", "of its copies", sums::adds)
          .add_json(
              "wait_ns", [](const p& v) { return latency_json(v.found.wait, v.found.wait_histogram); }, "object", "ns",
              "of transfers that faulted, until their pages were there", latency_figures());
  return table;
}

std::vector<figure_info> section_figures() {
  std::vector<figure_info> out;
  const auto list = [&](result_section s, const char* doc, std::vector<figure_info> rows) {
    out.push_back({section_name(s), "array", "", doc, sums::no, !is_rare(s), false});
    out.push_back({std::string(section_name(s)) + "[]", "object", "", "one of them", sums::no, true, false});
    out.insert(out.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  };
  list(result_section::memories, "memories", memory_table().describe());
  list(result_section::buses, "buses", bus_table().describe());
  list(result_section::links, "links", link_table().describe());
  list(result_section::executors, "cores", executor_table().describe());
  list(result_section::generators, "initiators that only make load", generator_table().describe());
  list(result_section::pagers, "pagers of unified memory", pager_table().describe());
  list(result_section::others, "modules of other kinds", {inner("others[].*", "any", "", "whatever they report")});
  return out;
}

}  // namespace memwall::platforms
