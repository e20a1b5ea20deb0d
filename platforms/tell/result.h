// SPDX-License-Identifier: Apache-2.0
// What a run found, in the words of result.json.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "platforms/build/symmetry.h"
#include "platforms/build/system.h"
#include "platforms/describe/run_options.h"
#include "platforms/tell/summary.h"
#include "traces/reuse_report.h"

namespace memwall::platforms {

constexpr const char* result_schema = "memwall-result-1";

class result_builder {
 public:
  void add(layer_row row, std::size_t keep);
  std::string csv_line() const { return layer_csv_line(m_last); }  ///< of the row added last

  stall_stack critical;         ///< of the chain of operators that ended last; sums to the time
  std::vector<layer_row> rows;  ///< the first `keep`
  std::uint64_t count = 0;
  std::optional<std::int64_t> tokens;  ///< made, where the source of the operators counts them
  std::int64_t decode_steps = 0;       ///< begun
  ps_t prefill_end = 0;                ///< the prompt is done: the first token is there
  bool prefill = false;                ///< some of it was a prompt's
  double flops = 0;
  traffic_bytes read, written;
  std::map<std::string, operator_group> by_kind;
  std::map<std::int64_t, operator_group> by_layer;  ///< -1: outside of layers

 private:
  layer_row m_last;
};

/// Causes that one part of the machine answers for, and its name: "memory", "bus", "link", "compute", ...
struct cause_group {
  const char* name;
  std::vector<stall> causes;
};
const std::vector<cause_group>& cause_groups();
/// The group that most of the time was booked to, exposed; "idle" when there is none. What bounds a run is another
/// question: only a simulation with that part made better answers it.
std::string booked_most(const stall_stack& s);

json stack_json(const stall_stack& s);
/// The whole result but its host part. `summary` is what result["summary"] was written from.
json build_result(const run_options& o, const system& hw, const symmetry& alike, const placement& where,
                  const result_builder& r, ps_t time, bool partial, const json& programming, run_summary& summary);
/// `fidelity.reuse`.
json reuse_json(const reuse_report& r);
json host_facts(const system& hw, const symmetry& alike, double wall_s);

}  // namespace memwall::platforms
