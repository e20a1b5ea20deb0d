// SPDX-License-Identifier: Apache-2.0
// What a GPU needs for an operator: plain C++, no SystemC. The transfers that follow are simulated, not estimated here.
#pragma once
#include <string>

#include "hw/core/core_model.h"
#include "hw/core/tensor_cache.h"
#include "hw/core/work.h"
#include "hw/gpu/gpu_params.h"

namespace memwall {

class gpu_model : public core_model {
 public:
  explicit gpu_model(gpu_params p)
      : m_chip(std::move(p.silicon)), m_stack(std::move(p.software)), m_l2(to_bytes(m_chip.l2)) {}

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
  nlohmann::ordered_json config() const override { return gpu_param_table().write(params()); }
  frequency request_clock() const override { return m_chip.clock; }
  std::int64_t request_bytes() const override { return to_bytes(m_chip.l2_line); }
  power idle_power() const override { return m_chip.idle_power; }
  void set_memory_bandwidth(double peak) override;
  gpu_params params() const { return {m_chip, m_stack}; }

 private:
  double gemm_rate(const std::string& type) const;
  double spill_rate() const;
  ps_t handoff_time(const operation& op) const;
  void plan_collective(const operation& op, work& w) const;
  void plan_gemm(const operation& op, double& seconds) const;
  double attention_seconds(const operation& op) const;
  gpu_silicon m_chip;
  gpu_software m_stack;
  tensor_cache m_l2;
  double m_memory_rate = 0;  // bytes a second; 0: not told
};

}  // namespace memwall
