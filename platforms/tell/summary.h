// SPDX-License-Identifier: Apache-2.0
// The figures of a whole run, of its operators and of groups of them: structs, and the tables that name what is in
// them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "hw/common/figures.h"
#include "hw/common/quantity.h"
#include "hw/common/stall.h"
#include "hw/ports/traffic.h"

namespace memwall::platforms {

/// `summary` of result.json.
struct run_summary {
  ps_t time = 0;
  bool partial = false;                    ///< interrupted: rates of a part are no rates of the whole
  std::optional<std::uint64_t> operators;  ///< ended, of a partial run
  std::int64_t tokens = 0;
  std::optional<double> ttft_ns, tpot_ns;  ///< where a prompt and tokens behind it were run
  or_null<std::string> bound_by;           ///< a claim about another machine: only whatif makes it
  std::string booked_most;
  double energy_pj = 0;
  std::optional<double> energy_per_request_pj;  ///< of a service
  std::int64_t weight_bytes = 0, kv_bytes = 0, dram_bytes = 0, bus_bytes = 0, link_bytes = 0;
  double flops = 0;
  double dram_bytes_per_s = 0, dram_utilization = 0;  ///< of the busiest memory
  double bus_utilization = 0;                         ///< of the busiest bus
};
const figure_table<run_summary>& summary_table();

/// One finished operator.
struct layer_row {
  std::string name, kind;
  std::int64_t layer = -1, step = 0;
  std::string executor;  ///< the one that ended last
  ps_t start = 0, end = 0;
  double flops = 0;
  traffic_bytes read, written;  ///< asked of memories
  double energy_pj = 0;
  stall_stack parts;  ///< sums to end - start
  bool prefill = false;

  traffic_bytes moved() const {
    traffic_bytes all = read;
    return all += written, all;
  }
};
const figure_table<layer_row>& layer_table();  ///< entries of `layers`
/// layers.csv, which has a column for every cause.
std::string layer_csv_header();
std::string layer_csv_line(const layer_row& r);

/// Operators of one kind, or of one layer of the model.
struct operator_group {
  std::uint64_t operators = 0;
  stall_stack parts;
};
const figure_table<operator_group>& group_table();

/// Every figure of result.json.
std::vector<figure_info> result_figures();
/// A JSON Schema (draft 2020-12) of result.json, from them.
nlohmann::ordered_json result_schema_json();
/// Paths in a result that no figure has.
std::vector<std::string> undeclared(const nlohmann::ordered_json& result);

}  // namespace memwall::platforms
