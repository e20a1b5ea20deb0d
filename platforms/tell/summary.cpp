// SPDX-License-Identifier: Apache-2.0
#include "platforms/tell/summary.h"

#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"
#include "platforms/tell/result.h"

namespace memwall::platforms {
namespace {

double seconds(const run_summary& s) {
  return static_cast<double>(s.time) * 1e-12;
}
/// What a partial run has no whole of: nobody shall take it for one.
or_null<double> of_whole(const run_summary& s, double value) {
  return s.partial ? or_null<double>() : or_null<double>(value);
}
double each(const run_summary& s, double whole) {
  return s.tokens > 0 ? whole / static_cast<double>(s.tokens) : 0.0;
}
std::optional<double> unless_partial(const run_summary& s, const std::optional<double>& t) {
  return s.partial ? std::nullopt : t;
}
const char* phase_of(const layer_row& r) {
  return r.prefill ? "prefill" : "decode";
}

}  // namespace

const figure_table<run_summary>& summary_table() {
  using s = run_summary;
  static const auto table =
      figure_table<s>("summary")
          .add(
              "time_ns", [](const s& v) { return ns(v.time); }, "ns", "begin to end, simulated", sums::largest)
          .add(
              "tokens",
              [](const s& v) { return v.partial ? or_null<std::int64_t>() : or_null<std::int64_t>(v.tokens); }, "",
              "decoded, all sequences; of a prompt alone: its positions; of a partial run: unknown", sums::adds)
          .add(
              "tokens_per_s",
              [](const s& v) { return of_whole(v, seconds(v) > 0 ? static_cast<double>(v.tokens) / seconds(v) : 0.0); },
              "1/s", "tokens over the time", sums::adds)
          .add(
              "time_per_token_ns", [](const s& v) { return of_whole(v, each(v, ns(v.time))); }, "ns",
              "the time over tokens", sums::mean)
          .add(
              "ttft_ns", [](const s& v) { return unless_partial(v, v.ttft_ns); }, "ns",
              "time to the first token, where a prompt and tokens behind it were run")
          .add(
              "tpot_ns", [](const s& v) { return unless_partial(v, v.tpot_ns); }, "ns", "time of each token behind it",
              sums::mean)
          .add("bound_by", &s::bound_by, "",
               "the simulated wall: a claim about another machine, so null without whatif")
          .add("booked_most", &s::booked_most, "", "the family of causes that most exposed time was booked to")
          .add("energy_pj", &s::energy_pj, "pJ", "of everything, what the time costs included", sums::adds)
          .add(
              "energy_per_token_pj", [](const s& v) { return of_whole(v, each(v, v.energy_pj)); }, "pJ",
              "the energy over tokens", sums::mean)
          .add("energy_per_request_pj", &s::energy_per_request_pj, "pJ", "the energy over completed requests",
               sums::mean)
          .add("weight_bytes", &s::weight_bytes, "B", "of the model", sums::adds)
          .add("kv_bytes", &s::kv_bytes, "B", "of the KV cache at its largest", sums::adds)
          .add("dram_bytes", &s::dram_bytes, "B", "read and written on DRAM buses: whole bursts", sums::adds)
          .add("bus_bytes", &s::bus_bytes, "B", "moved by buses, each crossing counted", sums::adds)
          .add("link_bytes", &s::link_bytes, "B", "moved by links", sums::adds)
          .add("flops", &s::flops, "FLOP", "of operators; a multiply-accumulate is two", sums::adds)
          .add(
              "tops", [](const s& v) { return v.time > 0 ? v.flops / static_cast<double>(v.time) : 0.0; }, "TOPS",
              "of the system: waiting and data movement included", sums::adds)
          .add(
              "tops_per_w", [](const s& v) { return v.energy_pj > 0 ? v.flops / v.energy_pj : 0.0; }, "TOPS/W",
              "of the system", sums::mean)
          .add(
              "dram_bandwidth_gbps", [](const s& v) { return v.dram_bytes_per_s / 1e9; }, "GB/s",
              "of the memory that is busiest for its peak", sums::largest)
          .add("dram_utilization", &s::dram_utilization, "1", "the same over its peak", sums::largest)
          .add("bus_utilization", &s::bus_utilization, "1", "of the busiest bus", sums::largest)
          .add(
              "partial", [](const s& v) { return v.partial ? std::optional(true) : std::nullopt; }, "",
              "interrupted: figures are of what was done")
          .add("operators", &s::operators, "", "that ended, of a partial run", sums::adds);
  return table;
}

const figure_table<layer_row>& layer_table() {
  using r = layer_row;
  static const auto table =
      figure_table<r>("layers[]")
          .add("name", &r::name, "", "the operator")
          .add("kind", &r::kind, "", "gemm, attention, elementwise, norm, ...")
          .add("layer", &r::layer, "", "of the model; -1: outside of layers")
          .add(
              "phase", [](const r& v) { return phase_of(v); }, "", "prefill or decode")
          .add("token", &r::step, "", "step of decoding it belongs to")
          .json_only()
          .add("step", &r::step, "", "the same")
          .csv_only()
          .add("executor", &r::executor, "", "the core that ended last")
          .add(
              "start_ns", [](const r& v) { return ns(v.start); }, "ns", "its begin")
          .add(
              "end_ns", [](const r& v) { return ns(v.end); }, "ns", "its end")
          .add(
              "bound_by", [](const r&) { return or_null<std::string>(); }, "", "null without whatif")
          .json_only()
          .add(
              "booked_most", [](const r& v) { return booked_most(v.parts); }, "",
              "the family of causes that most of its time was booked to")
          .add("flops", &r::flops, "FLOP", "operations; a multiply-accumulate is two", sums::adds)
          .add(
              "weight_bytes", [](const r& v) { return v.moved()[traffic::weights]; }, "B", "", sums::adds)
          .csv_only()
          .add(
              "kv_bytes", [](const r& v) { return v.moved()[traffic::kv_cache]; }, "B", "", sums::adds)
          .csv_only()
          .add(
              "activation_bytes", [](const r& v) { return v.moved()[traffic::activations]; }, "B", "", sums::adds)
          .csv_only()
          .add_json(
              "bytes",
              [](const r& v) {
                return json{{"weights", v.moved()[traffic::weights]},
                            {"kv_cache", v.moved()[traffic::kv_cache]},
                            {"activations", v.moved()[traffic::activations]}};
              },
              "object", "B", "asked of memories, by what they belong to",
              {{"weights", "integer", "B", "of weights", sums::adds},
               {"kv_cache", "integer", "B", "of the KV cache", sums::adds},
               {"activations", "integer", "B", "of activations", sums::adds}},
              sums::adds)
          .add(
              "dram_bytes", [](const r& v) { return v.moved().sum(); }, "B", "their sum", sums::adds)
          .json_only()
          .add("energy_pj", &r::energy_pj, "pJ", "of the core for it", sums::adds)
          .add_json(
              "stall_stack_ns", [](const r& v) { return stack_json(v.parts); }, "object", "ns",
              "its time by cause: sums to end - start", cause_figures(), sums::adds);
  return table;
}

std::string layer_csv_header() {
  std::string out = layer_table().csv_header();
  for (std::size_t c = 0; c < stall_count; ++c) out += std::string(",") + stall_name(static_cast<stall>(c)) + "_ns";
  return out;
}

std::string layer_csv_line(const layer_row& r) {
  std::string out = layer_table().csv_line(r);
  for (const auto p : r.parts.part) {
    out += ',';
    if (p == 0)
      out += '0';  // most are
    else
      detail::append_cell(out, ns(p));
  }
  return out;
}

const figure_table<operator_group>& group_table() {
  using g = operator_group;
  static const auto table =
      figure_table<g>("")
          .add("operators", &g::operators, "", "how many", sums::adds)
          .add(
              "time_ns", [](const g& v) { return ns(v.parts.sum()); }, "ns", "the sum of their times", sums::adds)
          .add(
              "booked_most", [](const g& v) { return booked_most(v.parts); }, "",
              "the family of causes that most of it was booked to")
          .add_json(
              "stall_stack_ns", [](const g& v) { return stack_json(v.parts); }, "object", "ns",
              "the same time by cause", cause_figures(), sums::adds);
  return table;
}

}  // namespace memwall::platforms
