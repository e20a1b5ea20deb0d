// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/channel_trace.h"

#include <algorithm>

namespace memwall::dram {

channel_trace::channel_trace(std::string module, const standard& s, const std::vector<int>& channels,
                             std::int64_t limit, transfer_observer& to)
    : command_watcher(limit), m_module(std::move(module)), m_standard(s), m_to(to) {
  for (const int index : channels) {
    const auto i = static_cast<std::size_t>(index);
    if (i >= m_runs.size()) m_runs.resize(i + 1);
    m_runs[i].resize(static_cast<std::size_t>(s.org.pseudo_channels));
  }
}

void channel_trace::tell(int channel, const char* wires, int index, const char* what, std::int64_t from,
                         std::int64_t to, const command_record* r, std::int64_t bursts) {
  channel_span s{m_module.c_str(), channel, wires, index, what, -1, -1, -1, -1, bursts, time(from), time(to)};
  if (r != nullptr) {
    s.rank = r->rank;
    s.bank_group = r->bank_group;
    s.bank = r->bank;
    s.row = r->row;
  }
  m_to.on_wires(s);
}

void channel_trace::flush(int channel, int bus, run& r) {
  if (r.bursts == 0) return;
  tell(channel, "data bus", m_standard.org.pseudo_channels > 1 ? bus : -1, r.write ? "write" : "read", r.begin, r.end,
       nullptr, r.bursts);
  r.bursts = 0;
}

void channel_trace::see(const command_record& c) {
  const auto index = static_cast<std::size_t>(c.channel);
  if (index >= m_runs.size() || m_runs[index].empty()) return;
  const timing& t = m_standard.t;
  const organisation& o = m_standard.org;
  const bool write = c.kind == command::WR || c.kind == command::WRA;
  if (!write && c.kind != command::RD && c.kind != command::RDA) {
    tell(c.channel, "row commands", -1, command_name(c.kind), c.cycle, c.cycle + 1, &c, 0);
    if (c.kind == command::REFab)
      tell(c.channel, "refresh", o.ranks > 1 ? c.rank : -1, "refresh", c.cycle, c.cycle + t.RFC, &c, 0);
    return;
  }
  tell(c.channel, "column commands", -1, command_name(c.kind), c.cycle, c.cycle + t.CAS_CK, &c, 0);
  const int bus = c.rank / std::max(1, o.ranks / o.pseudo_channels);
  run& r = m_runs[index][static_cast<std::size_t>(bus)];
  const std::int64_t from = c.cycle + (write ? t.CWL : t.CL);
  if (r.bursts > 0 && (r.write != write || from > r.end)) flush(c.channel, bus, r);
  if (r.bursts == 0) {
    r.begin = from;
    r.write = write;
  }
  r.end = from + t.BL;
  ++r.bursts;
}

void channel_trace::unwatched(ps_t) {
  for (std::size_t c = 0; c < m_runs.size(); ++c)
    for (std::size_t b = 0; b < m_runs[c].size(); ++b) flush(static_cast<int>(c), static_cast<int>(b), m_runs[c][b]);
}

}  // namespace memwall::dram
