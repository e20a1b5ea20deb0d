// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <random>
#include <string>

#include "hw/common/params.h"
#include "hw/common/probe.h"
#include "hw/common/statistics.h"
#include "hw/ports/at_initiator.h"

namespace memwall {

/// An initiator that only makes load: another core, a DMA engine, a display. It runs as long as the platform does.
struct generator_params {
  std::string memory;  ///< module whose addresses it uses (the platform resolves it)
  std::string pattern = "sequential";
  double write_fraction = 0;
  byte_size transfer_size{64};
  bandwidth rate{1e9};
  byte_size footprint{64 * 1048576.0};
  std::int64_t outstanding = 16;
  duration begin{0};
};
const param_table<generator_params>& generator_param_table();

class traffic_generator : public sc_core::sc_module {
 public:
  traffic_generator(const sc_core::sc_module_name& name, const generator_params& params, int id, std::uint64_t seed);
  at_initiator_port port;
  /// First address of its memory.
  void set_base(std::uint64_t base) { m_base = base; }
  void stop() { m_stopped = true; }

  struct totals {
    std::int64_t read = 0, written = 0;
    std::uint64_t transfers = 0;
    stall_stack parts;  ///< latency of all transfers by cause
    latency_histogram latency;
  };
  const totals& stats() const { return m_totals; }
  const generator_params& params() const { return m_params; }

 private:
  void wake();
  generator_params m_params;
  int m_id;
  std::mt19937_64 m_random;
  totals m_totals;
  std::uint64_t m_base = 0, m_next = 0;
  ps_t m_due = 0;
  bool m_stopped = false;
  sc_core::sc_event m_wake;
};

}  // namespace memwall
