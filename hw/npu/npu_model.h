// SPDX-License-Identifier: Apache-2.0
// What an NPU needs for an operator: plain C++, no SystemC. The transfers that follow are simulated, not estimated
// here.
#pragma once
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "hw/core/core_model.h"
#include "hw/core/tensor_cache.h"
#include "hw/core/work.h"
#include "hw/npu/mapper.h"
#include "hw/npu/npu_params.h"
#include "hw/npu/systolic.h"

namespace memwall {

class npu_model : public core_model {
 public:
  explicit npu_model(npu_params p);

  /// The transfers and times of one operator; updates what stays on chip.
  work plan(const operation& op) override;

  /// Dense peak of a type, operations a second.
  double peak_rate(const std::string& type) const override;

  /// A product on the arrays with its operands in the scratchpad.
  struct array_time {
    npu::array_split split;
    double cycles = 0;     ///< of the slowest array, conflicts included
    double conflicts = 0;  ///< of cycles, those in which the edge waits for a bank
  };
  /// `tile_k`, `tile_n`: rows of tiles as they lie in the scratchpad decide the stride of the edge's reads.
  array_time time_on_arrays(const npu::product_shape& p, std::int64_t batch, const std::string& type,
                            std::int64_t tile_k, std::int64_t tile_n) const;

  /// What the DMA engines can have under way, and their rate, where a piece of `run` bytes lies together in memory.
  struct dma_limits {
    std::int64_t window = 0;
    double bandwidth = 0;
  };
  dma_limits dma(double run) const;

  /// The tiling of a product: from the file, or the mapper's. Remembered by shape.
  const npu::tiling& tiling_of(const npu::tiling_problem& p);

  nlohmann::ordered_json figures(ps_t elapsed) const override;
  nlohmann::ordered_json config() const override { return npu_param_table().write(params()); }
  frequency request_clock() const override { return m_chip.clock; }
  power idle_power() const override { return m_chip.idle_power; }
  power active_power() const override { return m_chip.active_power; }
  std::vector<std::pair<std::string, double>> energy_parts() const override;
  npu_params params() const { return {m_chip, m_stack}; }

 private:
  struct demand;
  void plan_gemm(const operation& op, demand& d);
  void plan_attention(const operation& op, demand& d);
  void plan_vector(const operation& op, demand& d);
  void plan_collective(const operation& op, work& w) const;
  bool on_chip(const operand& o) const;
  void keep(const operation& op, demand& d);
  ps_t host_time(const operation& op) const;
  ps_t launch_time(const operation& op) const;
  double rate_of(const std::string& type) const;
  double sustained(std::int64_t rows) const;
  void count_energy(const operation& op, const demand& d, work& w);

  npu_silicon m_chip;
  npu_software m_stack;
  tensor_cache m_retained;
  std::vector<npu::mapping_line> m_lines;
  using problem_key = std::tuple<std::int64_t, std::int64_t, std::int64_t, double, double, bool, bool>;
  struct mapped {
    npu::tiling_problem problem;
    npu::tiling tiling;
    std::int64_t uses = 0;
  };
  std::map<problem_key, mapped> m_mappings;

  double m_traffic = 0, m_bound = 0;                // bytes of products so far, and the least there could be
  double m_busy_cycles = 0, m_conflict_cycles = 0;  // of the arrays
  double m_useful_cycles = 0;                       // what the products need on full arrays
  double m_descriptors = 0;                         // fetched by the DMA engines
  double m_energy_pj[4] = {};                       // arithmetic, vector unit, scratchpad, memory path
};

}  // namespace memwall
