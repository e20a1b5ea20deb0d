// SPDX-License-Identifier: Apache-2.0
#include "hw/core/traffic_generator.h"

#include <algorithm>

namespace memwall {

const param_table<generator_params>& generator_param_table() {
  static const auto table = param_table<generator_params>("traffic_generator")
                                .add("memory", &generator_params::memory, "memory module it reads and writes")
                                .add("pattern", &generator_params::pattern, "order of addresses")
                                .choices({"sequential", "random"})
                                .add("write_fraction", &generator_params::write_fraction, "share of writes")
                                .range(0.0, 1.0)
                                .add("transfer_size", &generator_params::transfer_size, "bytes a transfer")
                                .range(byte_size(1), byte_size(1 << 30))
                                .add("rate", &generator_params::rate, "offered load")
                                .range(bandwidth(1), bandwidth(1e16))
                                .add("footprint", &generator_params::footprint, "bytes it wanders over")
                                .range(byte_size(64), byte_size(1e13))
                                .add("outstanding", &generator_params::outstanding, "transfers in flight at most")
                                .range<std::int64_t>(1, 65536)
                                .add("begin", &generator_params::begin, "when it starts")
                                .range(duration(0), duration(1e4));
  return table;
}

traffic_generator::traffic_generator(const sc_core::sc_module_name& name, const generator_params& params, int id,
                                     std::uint64_t seed)
    : sc_module(name), port("port"), m_params(params), m_id(id), m_random(seed) {
  MW_HAS_PROCESS(traffic_generator);
  SC_METHOD(wake);
  sensitive << m_wake;
  m_due = to_ps(m_params.begin);
  port.on_ready = [this] { wake(); };
  port.on_complete = [this](transfer& t) {
    m_totals.latency.add(now_ps() - info(t).issued);
    m_totals.parts += info(t).parts;
    wake();
  };
}

void traffic_generator::wake() {
  const ps_t now = now_ps();
  const std::int64_t size = to_bytes(m_params.transfer_size);
  const std::uint64_t slots =
      static_cast<std::uint64_t>(std::max<std::int64_t>(1, to_bytes(m_params.footprint) / size));
  const ps_t interval = std::max<ps_t>(1, static_cast<ps_t>(static_cast<double>(size) / m_params.rate.value * 1e12));
  while (!m_stopped && m_due <= now && port.can_send() && port.outstanding() < m_params.outstanding) {
    const std::uint64_t slot = (m_params.pattern == "random" ? m_random() : m_next++) % slots;
    const bool write =
        m_params.write_fraction > 0 && static_cast<double>(m_random() >> 11) * 0x1p-53 < m_params.write_fraction;
    const std::uint64_t address = m_base + slot * static_cast<std::uint64_t>(size);
    transfer& t = write ? port.write(address, static_cast<std::uint64_t>(size))
                        : port.read(address, static_cast<std::uint64_t>(size));
    info(t).source = m_id;
    info(t).carries = traffic::control;
    (write ? m_totals.written : m_totals.read) += size;
    ++m_totals.transfers;
    m_due = std::max(m_due + interval, now - 16 * interval);  // a stalled generator catches up with a bounded debt
    port.send(t);
  }
  if (!m_stopped && m_due > now) m_wake.notify(to_sc_time(m_due - now));
}

}  // namespace memwall
