// SPDX-License-Identifier: Apache-2.0
#include "hw/sram/sram.h"

#include <algorithm>
#include <cmath>

namespace memwall {

const param_table<sram_params>& sram_param_table() {
  static const auto table = param_table<sram_params>("sram")
                                .add("size", &sram_params::size, "capacity")
                                .range(byte_size(1), byte_size(1e13))
                                .add("port_bandwidth", &sram_params::port_bandwidth, "reads and writes together")
                                .range(bandwidth(1e6), bandwidth(1e17))
                                .add("latency", &sram_params::latency, "last byte in to response")
                                .range(duration(0), duration(1e-3))
                                .add("energy_per_byte", &sram_params::energy_per_byte, "access of one byte",
                                     "CACTI-class figures: 0.5 to 2 pJ/B for MB arrays below 16 nm")
                                .range(energy(0), energy(1e-6))
                                .add("leakage", &sram_params::leakage, "static power")
                                .range(power(0), power(1e4));
  return table;
}

sram_module::sram_module(const sc_core::sc_module_name& name, const sram_params& params)
    : sc_module(name), port("port"), m_params(params) {
  MW_HAS_PROCESS(sram_module);
  SC_METHOD(wake);
  sensitive << m_wake;
  dont_initialize();
  port.on_request = [this](transfer& t) {
    const ps_t now = now_ps();
    transfer_info& i = info(t);
    const std::uint64_t size = static_cast<std::uint64_t>(to_bytes(m_params.size));
    const std::uint64_t bytes = t.get_data_length();
    ++m_totals.transfers;
    if (bytes > size || t.get_address() > size - bytes) {
      ++m_totals.errors;
      t.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      port.respond(t);
      return true;
    }
    (t.is_write() ? m_totals.written : m_totals.read)[i.carries] += static_cast<std::int64_t>(bytes);
    const ps_t start = std::max(now, m_free);
    const ps_t beats =
        static_cast<ps_t>(std::llround(static_cast<double>(bytes) / m_params.port_bandwidth.value * 1e12));
    m_free = start + beats;
    m_totals.busy += beats;
    i.book(stall::bus_wait, start);
    i.first_data = start + to_ps(m_params.latency);
    m_queue.push_back({m_free + to_ps(m_params.latency), &t});
    t.acquire();
    m_busy.set(1, start);
    m_busy.set(0, m_free);
    if (m_queue.size() == 1) m_wake.notify(to_sc_time(m_queue.front().at - now));
    return true;
  };
}

void sram_module::wake() {
  const ps_t now = now_ps();
  while (!m_queue.empty() && m_queue.front().at <= now) {
    transfer& t = *m_queue.front().t;
    const ps_t at = m_queue.front().at;
    m_queue.pop_front();
    info(t).book(stall::bus_transfer, at);
    m_totals.latency.add(now - info(t).issued);
    t.set_response_status(tlm::TLM_OK_RESPONSE);
    port.respond(t);
    t.release();
  }
  if (!m_queue.empty()) m_wake.notify(to_sc_time(m_queue.front().at - now));
}

}  // namespace memwall
