// SPDX-License-Identifier: Apache-2.0
// An array of compute-in-memory macros as a core: weights live in it (or are written into it each time), vectors go in,
// sums come out. Plain C++; the transfers are carried out by stream_core.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <string>

#include "hw/cim/hierarchy.h"
#include "hw/cim/macro.h"
#include "hw/cim/mapping.h"
#include "hw/cim/pipeline.h"
#include "hw/core/core_model.h"
#include "hw/core/tensor_cache.h"

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
  std::string attention = "auto";
  std::string input_range = "fixed", weight_scale = "tensor";
  std::int64_t max_replicas = 1;
  bool pipeline = true;
  energy energy_per_flop{1e-12};
  energy energy_per_buffer_byte{1e-12};
};
const param_table<cim_params>& cim_param_table();

/// Timing model
// clang-format off
///   product with weights in the arrays: cim::cost_layer of the folded layer (inputs, arrays, conversion, partial sums
///     over the local networks), for M vectors one after another, shared out over the layer's replicas; layers that
///     follow each other sit in other arrays and work at the same time on different vectors (cim::vector_pipeline),
///     until an operator needs the memory;
///   product with weights elsewhere: weights stream over the bus and are written into the arrays, round by round;
///     programming is exposed unless the macro can be written while it computes;
///   attention: on the vector unit over a cache read from memory; beside the banks that hold the cache (`memory:`);
///     or in arrays that keys and values are written into each time. The softmax always runs on the vector unit;
///   everything else: the vector unit beside the arrays.
// clang-format on
class cim_model final : public core_model, public weight_arrays, public bank_units {
 public:
  cim_model(cim_params p, cim::hierarchy_params h, std::unique_ptr<const cim::macro> m,
            nlohmann::ordered_json macro_config);

  work plan(const operation& op) override;
  double peak_rate(const std::string& type) const override;
  weight_arrays* arrays() override { return m_p.memory.empty() ? this : nullptr; }
  const bank_units* in_banks() const override { return m_p.memory.empty() ? nullptr : this; }

  std::int64_t weight_capacity() const override;
  std::string reserve(std::int64_t rows, std::int64_t columns, double bits) override;
  double cells_used() const override;
  program_total make_resident(std::uint64_t tensor, std::int64_t rows, std::int64_t columns, double bits) override;
  program_total replicate() override;

  std::string memory() const override { return m_p.memory; }
  std::int64_t units() const override { return m_hierarchy.macros(); }
  double held_bits(double) const override { return static_cast<double>(m_macro->max_w_bits()); }

  nlohmann::ordered_json figures(ps_t elapsed) const override;
  power idle_power() const override;
  std::vector<std::pair<std::string, double>> energy_parts() const override;
  nlohmann::ordered_json config() const override;

  const cim::macro& macro() const { return *m_macro; }

 private:
  std::int64_t slots() const { return m_hierarchy.macros() * m_macro->shape(8).sets; }
  enum energy_part : std::uint8_t { network, accumulate, vector_unit, global_buffer, programming, energy_part_count };
  struct resident_layer {
    std::int64_t rows = 0, columns = 0;
    int bits = 0;
    std::int64_t replicas = 1;
  };
  int stored_bits(double bits) const;
  /// Rows that share a scale which the arrays cannot apply; 0: none.
  std::int64_t scale_group(const operation& op) const;
  int input_bits() const { return std::min<int>(static_cast<int>(m_p.in_bits), m_macro->max_in_bits()); }
  bool flexible() const { return m_macro->shape(m_macro->max_w_bits()).flexible; }
  /// Whether the operator uses an operand where it lies: products their weights, attention beside the banks its cache.
  bool in_place(const operation& op, const operand& o) const;
  void plan_resident(const operation& op, std::int64_t replicas, work& w);
  void plan_streamed(std::int64_t k, std::int64_t n, std::int64_t vectors, std::int64_t repeats, int bits,
                     std::int64_t group, work& w);
  void plan_in_banks(std::int64_t k, std::int64_t n, std::int64_t vectors, std::int64_t repeats, int bits, work& w);
  void plan_attention(const operation& op, work& w);
  void plan_scales(const operation& op, work& w);
  void plan_vector(double flops, std::int64_t vectors, bool chained, work& w);
  void spend(work& w, double pj, energy_part part);
  void spend(work& w, const cim::layer_cost& cost, double times);

  cim_params m_p;
  cim::hierarchy_params m_hierarchy;
  std::unique_ptr<const cim::macro> m_macro;
  nlohmann::ordered_json m_macro_config;
  tensor_cache m_buffer;
  std::int64_t m_slots_used = 0;
  double m_programmings = 0;                           // of the macros that weights stream through, each
  double m_weights_used = 0;                           // flexible macros: weights, not slots, run out
  std::map<std::uint64_t, resident_layer> m_resident;  // by tensor
  cim::vector_pipeline m_pipeline;
  cim::breakdown m_macro_energy;
  std::array<double, energy_part_count> m_energy{};
};

}  // namespace memwall
