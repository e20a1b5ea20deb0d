// SPDX-License-Identifier: Apache-2.0
// What a GPU needs for an operator: plain C++, no SystemC. The transfers that follow are simulated, not estimated here.
#pragma once
#include <string>
#include <vector>

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

  /// A product's time with operands on chip, and how many thread blocks compute it.
  struct product {
    double seconds = 0;
    std::int64_t blocks = 1;
    double least = 0;  ///< seconds, loads included, that the power limit makes of it under a sustained load
  };
  /// The best over tile shapes and factors by which k is split, as a library's tables choose it. A tile is bound by the
  /// tensor cores or by the L2 bandwidth of its SM; tiles run in waves over the SMs. `weight_bits`: of the stored
  /// weights where they are narrower than the type and unpacked on the way in; 0: as wide. `missed` bytes come from
  /// memory meanwhile: few tiles keep few of them in flight.
  /// `expert_rows`: rows of each of the products where they differ; then m is their mean.
  product gemm(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch, const std::string& type,
               double weight_bits = 0, double missed = 0, const std::vector<std::int64_t>& expert_rows = {}) const;
  double gemm_seconds(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch,
                      const std::string& type) const {
    return gemm(m, n, k, batch, type).seconds;
  }

  /// Time of a kernel that loads and computes at once. The two hide behind each other but for what a block waits when
  /// its buffers are empty, or full: most when both take equally long (the corner of the roofline is round).
  double with_loads(double arithmetic, double loads) const;

  /// Dense peak of a type, operations a second; types without tensor cores fall back to the next wider one.
  double peak_rate(const std::string& type) const override;
  /// Bytes a second that `blocks` SMs can have answered by memory: bytes in flight over the latency of a load. Slots of
  /// narrow weights (`weight_bits` a weight) stay occupied while they are unpacked.
  double load_rate(std::int64_t blocks, double weight_bits, double type_bits) const;
  nlohmann::ordered_json config() const override { return gpu_param_table().write(params()); }
  frequency request_clock() const override { return m_chip.clock; }
  std::int64_t request_bytes() const override { return to_bytes(m_chip.l2_line); }
  power idle_power() const override { return power(m_chip.idle_power.value + m_chip.context_power.value); }
  power active_power() const override { return m_chip.active_power; }
  std::vector<std::pair<std::string, double>> energy_parts() const override;
  launch_ahead launches_ahead() const override { return {m_stack.launch_queue, m_stack.passes_in_flight}; }
  std::int64_t kernels_of(const std::string& step) const override { return m_stack.kernels.at(step); }
  void others_passed(std::int64_t bytes) override { m_l2.others_passed(bytes); }
  void set_memory(double peak_bandwidth, double byte_pj) override;
  gpu_params params() const { return {m_chip, m_stack}; }

 private:
  double sm_load_rate(std::int64_t blocks) const;
  double load_seconds(double bytes, double rate) const;
  double flop_pj(const std::string& type) const;
  /// Watts that the power limit leaves to what runs; infinite: no limit acts.
  double power_left() const;
  double least_seconds(double pj) const;
  /// Clock of the cores, relative to full, at which the board holds its limit over an operator. `core_pj` falls with
  /// the square of it (voltage), `fixed_pj` does not.
  double clock_under_limit(double arithmetic, double loads, double core_pj, double fixed_pj) const;
  /// Operations a second of large products.
  double gemm_rate(const std::string& type) const;
  /// Whether these are products of experts (that have rows of their own) whose warps unpack narrow weights.
  bool by_warps(double weight_bits, const std::string& type, const std::vector<std::int64_t>& expert_rows) const;
  /// Operations a second that the board's power limit allows a sustained load of products.
  double power_rate(const std::string& type) const;
  double spill_rate() const;
  ps_t handoff_time(const operation& op) const;
  ps_t host_time(const operation& op) const;
  void plan_collective(const operation& op, work& w) const;
  /// A way to reduce over all devices: what it takes to start, and what a device sends a second.
  struct protocol {
    duration launch;
    bandwidth rate;
  };
  protocol direct(std::int64_t devices, double sent) const;
  product plan_gemm(const operation& op, double missed) const;
  /// Whether experts are multiplied in tiles by rule, and how long that takes.
  bool by_rule(const operation& op) const;
  product gemm_by_rule(const operation& op) const;
  ps_t attention_launch(double seconds, ps_t launch) const;
  double attention_seconds(const operation& op) const;
  double unevenness(const operation& op, double attended) const;
  /// What the runtime names, or the one before where the chip cannot run it.
  std::string attention_generation() const;
  /// A sequence that decodes is computed as if it were a prompt: in a tile of its own for each query head.
  bool in_prompt_kernel(const operation& op) const;
  ps_t attention_ends(const operation& op, double rate) const;
  gpu_silicon m_chip;
  gpu_software m_stack;
  tensor_cache m_l2;
  double m_memory_rate = 0;     // bytes a second; 0: not told
  double m_memory_byte_pj = 0;  // of the memory itself
  double m_energy_pj[3] = {};   // arithmetic, L2, memory path: so far
};

}  // namespace memwall
