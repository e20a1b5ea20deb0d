// SPDX-License-Identifier: Apache-2.0
// An array of compute-in-memory macros as a core: weights live in it (or are written into it each time), vectors go in,
// sums come out. Plain C++; the transfers are carried out by stream_core.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "hw/cim/hierarchy.h"
#include "hw/cim/macro.h"
#include "hw/cim/mapping.h"
#include "hw/common/core_model.h"
#include "hw/common/tensor_cache.h"

namespace memwall {

/// Parameters beside those of the macro (`macro:` a preset of hw/cim/presets, or a map) and the `hierarchy:` map.
struct cim_params {
  std::int64_t in_bits = 8;
  std::int64_t stream_macros = 0;  // 0: all of them
  op_rate vector_rate{2e12};
  byte_size buffer{8 * 1048576.0};
  bandwidth port_bandwidth{512e9};
  duration load_latency{200e-9};
  duration operator_overhead{200e-9};
  std::string memory;  // DRAM banks: the dram module that the macros sit in
  energy energy_per_flop{1e-12};
  energy energy_per_buffer_byte{1e-12};
};
const param_table<cim_params>& cim_param_table();

/// Timing model
///   product with weights in the arrays: cim::cost_layer of the folded layer (inputs, arrays, conversion, partial sums over
///     the local networks), for M vectors one after another;
///   product with weights elsewhere: weights stream over the bus and are written into the arrays, round by round;
///     programming is exposed unless the macro can be written while it computes;
///   attention over a cache that lies in the banks (`memory:`): scores and values are products beside the banks, the softmax
///     runs on the vector unit;
///   everything else: the vector unit beside the arrays.
/// Not modelled: replication of weights for throughput, pipelining of operators across tiles.
class cim_model final : public core_model {
 public:
  cim_model(cim_params p, cim::hierarchy_params h, std::unique_ptr<const cim::macro> m, nlohmann::ordered_json macro_config);

  work plan(const operation& op) override;
  double peak_rate(const std::string& type) const override;
  std::int64_t weight_capacity() const override;
  bool reserve(std::int64_t rows, std::int64_t columns, double bits) override;
  program_total make_resident(std::uint64_t tensor, std::int64_t rows, std::int64_t columns, double bits) override;
  std::string computes_in() const override { return m_p.memory; }
  nlohmann::ordered_json figures(ps_t elapsed) const override;
  power idle_power() const override;
  nlohmann::ordered_json config() const override;

  const cim::macro& macro() const { return *m_macro; }

 private:
  std::int64_t slots() const { return m_hierarchy.macros() * m_macro->shape(8).sets; }
  int stored_bits(double bits) const;
  void plan_product(const operation& op, bool resident, work& w);
  void plan_attention(const operation& op, work& w) const;

  cim_params m_p;
  cim::hierarchy_params m_hierarchy;
  std::unique_ptr<const cim::macro> m_macro;
  nlohmann::ordered_json m_macro_config;
  tensor_cache m_buffer;
  std::int64_t m_slots_used = 0;
  double m_programmings = 0;  // of the macros that weights stream through, each
  double m_weights_used = 0;  // flexible macros: weights, not slots, run out
};

}  // namespace memwall
