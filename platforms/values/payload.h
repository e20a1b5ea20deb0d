// SPDX-License-Identifier: Apache-2.0
// A run whose transfers carry values: weights, activations and cache go through buses, links and memories.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platforms/build/system.h"
#include "platforms/place/placement.h"
#include "platforms/values/generation.h"

namespace memwall::platforms {

/// The platform with DRAM that keeps what is written (`functional`); times stay what they are.
platform_description keep_bytes(platform_description p);

/// Gives every core the bytes of its transfers, and computes an operator from what they brought when all of it is
/// there.
///
/// What a core has on chip: bytes that its reads brought, and results that it has not sent to a memory (the timing
/// model's cache keeps activations). Operands are taken from there; of units beside banks, from the memory they sit in.
/// An operand that never came is an error of the model. Results leave with their transfers; where the timing model lets
/// a result's transfer start before the last operand is there (results stream out behind the tiles), the transfer
/// carries zeros and the bytes follow through the debug transport as soon as they are computed. What one core
/// has kept on chip and another reads goes that way too: the timing model takes caches for coherent.
class payload_run {
 public:
  /// `routes`: the experts that each position takes (inference::routes).
  payload_run(machine& values, const model& m, const trace::workload& w, std::vector<std::int32_t> tokens,
              expert_routes routes = {});
  ~payload_run();

  /// For run_options: the trace, and what to do when the hardware is there.
  std::unique_ptr<trace::op_stream> source();
  void attach(system& hw, const placement& where);

  struct facts {
    std::int64_t transfers = 0, bytes_read = 0, bytes_written = 0;  ///< carried by transfers
    std::int64_t late_bytes = 0;                                    ///< of them, whose values followed
    std::vector<std::int32_t> tokens;
    std::vector<std::vector<float>> logits;
  };
  const facts& found() const { return m_facts; }

 private:
  class core;
  class recording;
  machine& m_values;
  model m_model;
  trace::workload m_workload;
  std::shared_ptr<const std::vector<std::int32_t>> m_tokens;
  expert_routes m_routes;
  std::map<std::uint64_t, trace::op> m_ops;  // by id
  trace::header m_header;
  const placement* m_where = nullptr;
  std::vector<std::unique_ptr<core>> m_cores;
  facts m_facts;
};

}  // namespace memwall::platforms
