// SPDX-License-Identifier: Apache-2.0
// What a CPU needs for an operator: plain C++, no SystemC.
#pragma once
#include <string>

#include "hw/core/core_model.h"
#include "hw/core/tensor_cache.h"
#include "hw/core/work.h"
#include "hw/cpu/cpu_params.h"

namespace memwall {

class cpu_model : public core_model {
 public:
  explicit cpu_model(cpu_params p)
      : m_chip(std::move(p.silicon)), m_stack(std::move(p.software)), m_cache(to_bytes(m_chip.cache)) {}
  work plan(const operation& op) override;
  /// All active cores, operations a second, for a type (falls back to fp32).
  double peak_rate(const std::string& type) const override;
  nlohmann::ordered_json config() const override { return cpu_param_table().write(params()); }
  power idle_power() const override { return m_chip.idle_power; }
  void others_passed(std::int64_t bytes) override { m_cache.others_passed(bytes); }
  cpu_params params() const { return {m_chip, m_stack}; }

 private:
  std::int64_t active() const { return m_stack.threads == 0 ? m_chip.cores : std::min(m_stack.threads, m_chip.cores); }
  double gemm_seconds(const operation& op) const;
  cpu_silicon m_chip;
  cpu_software m_stack;
  tensor_cache m_cache;
};

}  // namespace memwall
