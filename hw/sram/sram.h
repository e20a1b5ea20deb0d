// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>

#include "hw/common/params.h"
#include "hw/common/probe.h"
#include "hw/common/statistics.h"
#include "hw/ports/at_target.h"

namespace memwall {

/// An on-chip buffer: one port, fixed latency.
struct sram_params {
  byte_size size{32 * 1048576.0};
  bandwidth port_bandwidth{1e12};
  duration latency{10e-9};
  energy energy_per_byte{1e-12};
  power leakage{0};
};
const param_table<sram_params>& sram_param_table();

/// Timing model: transfers take the port in order of arrival, bytes / port_bandwidth each, and end `latency` after
/// their last byte. Waiting for the port is booked as bus_wait, the bytes and the latency as bus_transfer. Not
/// modelled: banks.
class sram_module : public sc_core::sc_module {
 public:
  sram_module(const sc_core::sc_module_name& name, const sram_params& params);
  at_target_port port;

  struct totals {
    traffic_bytes read, written;
    ps_t busy = 0;
    std::uint64_t transfers = 0, errors = 0;
    latency_histogram latency;
  };
  const totals& stats() const { return m_totals; }
  probe_list probes() { return {&m_busy}; }

 private:
  struct pending {
    ps_t at;
    transfer* t;
  };
  void wake();
  sram_params m_params;
  totals m_totals;
  ps_t m_free = 0;
  std::deque<pending> m_queue;
  sc_core::sc_event m_wake;
  timed_probe m_busy{"busy", probe_base::kind::boolean};  // the port moves bytes: what utilization counts
};

}  // namespace memwall
