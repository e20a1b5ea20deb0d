// SPDX-License-Identifier: Apache-2.0
// What a CPU needs for an operator: plain C++, no SystemC.
#pragma once
#include <map>
#include <string>

#include "hw/common/params.h"
#include "hw/core/core_model.h"
#include "hw/core/tensor_cache.h"
#include "hw/core/work.h"

namespace memwall {

/// A CPU socket and its runtime. Defaults: Xeon Platinum 8480+ (Sapphire Rapids).
struct cpu_params {
  std::int64_t cores = 56;
  std::int64_t threads = 0;  // 0: one a core
  frequency clock{3.0e9};
  std::map<std::string, double> flops_per_cycle{{"fp32", 64}, {"bf16", 1024}, {"fp16", 128}, {"int8", 2048}};
  double sustained_fraction = 0.7;
  std::int64_t line_fill_buffers = 48;
  byte_size line{64};
  duration load_latency{110e-9};
  byte_size cache{105e6};
  bandwidth cache_bandwidth{1.5e12};
  std::int64_t cluster_cores = 0;  // 0: all in one
  bandwidth cluster_bandwidth{0};  // 0: no limit but the memory's
  double dequant_ops = 1.5;
  // --- software
  double dot_per_cycle = 0;            // 0: narrow weights are expanded
  std::string gemm_type = "operator";  // the operator's own
  double gemm_fraction = 1;
  double attention_fraction = 1;
  duration operator_overhead{3e-6};
  duration barrier_per_thread{0};
  duration handoff{0};
  duration layer_overhead{0};
  energy energy_per_flop{5e-12};
  energy energy_per_cache_byte{10e-12};
  power idle_power{0};
};

const param_table<cpu_params>& cpu_param_table();

class cpu_model : public core_model {
 public:
  explicit cpu_model(cpu_params p) : m_p(std::move(p)), m_cache(to_bytes(m_p.cache)) {}
  work plan(const operation& op) override;
  /// All active cores, operations a second, for a type (falls back to fp32).
  double peak_rate(const std::string& type) const override;
  nlohmann::ordered_json config() const override { return cpu_param_table().write(m_p); }
  power idle_power() const override { return m_p.idle_power; }
  const cpu_params& params() const { return m_p; }

 private:
  std::int64_t active() const { return m_p.threads == 0 ? m_p.cores : std::min(m_p.threads, m_p.cores); }
  double gemm_seconds(const operation& op) const;
  cpu_params m_p;
  tensor_cache m_cache;
};

}  // namespace memwall
