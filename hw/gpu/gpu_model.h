// SPDX-License-Identifier: Apache-2.0
// What a GPU needs for an operator: plain C++, no SystemC. The transfers that follow are simulated, not estimated here.
#pragma once
#include <map>
#include <string>

#include "hw/common/params.h"
#include "hw/core/core_model.h"
#include "hw/core/tensor_cache.h"
#include "hw/core/work.h"

namespace memwall {

/// A GPU and the software stack that drives it. Defaults: H100 SXM5 with CUDA graphs.
struct gpu_params {
  // --- silicon
  std::int64_t sms = 132;
  frequency clock{1.83e9};
  std::map<std::string, op_rate> tensor_rate{{"fp16", op_rate(989.4e12)},
                                             {"bf16", op_rate(989.4e12)},
                                             {"tf32", op_rate(494.7e12)},
                                             {"fp8", op_rate(1978.9e12)},
                                             {"int8", op_rate(1978.9e12)}};
  op_rate vector_rate{66.9e12};
  double sustained_fraction = 0.71;
  double attention_efficiency = 0.5;
  byte_size l2{50 * 1048576.0};
  byte_size l2_line{128};
  bandwidth l2_bandwidth{5.5e12};
  byte_size in_flight_per_sm{16384};
  duration load_latency{560e-9};
  std::int64_t cluster = 2;
  double dequant_ops = 2;
  double half_accumulate_gain = 1;
  power power_limit{0};
  energy gemm_energy{0};
  // --- software
  duration kernel_launch{1.3e-6};
  duration kernel_ramp{3.0e-6};
  duration layer_overhead{0};
  std::string unpacking = "serial";
  std::string fusion = "elementwise";
  std::string accumulate = "fp32";
  std::string load = "burst";
  std::string attention = "flash";
  double gemm_fraction = 1;
  double elementwise_traffic = 1;
  std::int64_t expand_rows = 0;
  std::int64_t dot_rows = 0;
  double dot_ops = 6.5;
  double dot_tile_ops = 0;
  duration many_row_overhead{0};
  duration gemm_overhead{0};
  duration handoff{0};
  bandwidth handoff_bandwidth{0};
  duration prompt_overhead{0};
  double fp8_fraction = 1;
  byte_size kernel_in_flight{0};
  duration collective_launch{8e-6};
  duration collective_step{1.2e-6};
  bandwidth collective_rate{35e9};
  duration bulk_collective_launch{20e-6};
  bandwidth bulk_collective_rate{367e9};
  // --- energy
  energy energy_per_flop{0.5e-12};
  energy energy_per_l2_byte{4e-12};
  power idle_power{0};
};

const param_table<gpu_params>& gpu_param_table();

class gpu_model : public core_model {
 public:
  explicit gpu_model(gpu_params p) : m_p(std::move(p)), m_l2(to_bytes(m_p.l2)) {}

  /// The transfers and times of one operator; updates what the L2 holds.
  work plan(const operation& op) override;

  /// Arithmetic time of a GEMM with operands on chip: the best over tile shapes and split-K factors of
  /// waves x tile time, where a tile is bound by the tensor cores or by the L2 bandwidth of its SM. `weight_bits`: of
  /// the stored weights where they are narrower than the type and unpacked on the way in; 0: as wide. Seconds.
  double gemm_seconds(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch, const std::string& type,
                      double weight_bits = 0) const;

  /// Dense peak of a type, operations a second; types without tensor cores fall back to the next wider one.
  double peak_rate(const std::string& type) const override;
  /// Bytes a second that `blocks` SMs can have answered by memory: bytes in flight over the latency of a load. Slots of
  /// narrow weights (`weight_bits` a weight) stay occupied while they are unpacked.
  double load_rate(std::int64_t blocks, double weight_bits, double type_bits) const;
  nlohmann::ordered_json config() const override { return gpu_param_table().write(m_p); }
  frequency request_clock() const override { return m_p.clock; }
  std::int64_t request_bytes() const override { return to_bytes(m_p.l2_line); }
  power idle_power() const override { return m_p.idle_power; }
  void set_memory_bandwidth(double peak) override;
  const gpu_params& params() const { return m_p; }

 private:
  double gemm_rate(const std::string& type) const;
  double spill_rate() const;
  ps_t handoff_time(const operation& op) const;
  void plan_collective(const operation& op, work& w) const;
  void plan_gemm(const operation& op, double& seconds) const;
  double attention_seconds(const operation& op) const;
  gpu_params m_p;
  tensor_cache m_l2;
  double m_memory_rate = 0;  // bytes a second; 0: not told
};

}  // namespace memwall
