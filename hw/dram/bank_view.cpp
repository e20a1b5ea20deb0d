// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/bank_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace memwall::dram {
namespace {

enum bank_state : int { closed, activating, open, precharging, refreshing };
enum bus_state : int { idle, reading, writing };

const std::vector<std::string>& bank_states() {
  static const std::vector<std::string> names = {"closed", "activating", "open", "precharging", "refreshing"};
  return names;
}

/// "-" and the commands, by number.
std::vector<std::string> command_states() {
  std::vector<std::string> names{"-"};
  for (std::size_t c = 0; c < command_count; ++c) names.emplace_back(command_name(static_cast<command>(c)));
  return names;
}

std::unique_ptr<timed_probe> states(std::string name, std::vector<std::string> values) {
  return std::make_unique<timed_probe>(std::move(name), std::move(values));
}

}  // namespace

bank_view::bank_view(const standard& s, const std::vector<int>& channels, std::int64_t limit)
    : command_watcher(limit), m_standard(s) {
  const organisation& o = s.org;
  for (const int index : channels) {
    channel c;
    c.index = index;
    c.row_command = states("row_command", command_states());
    c.column_command = states("column_command", command_states());
    for (int p = 0; p < o.pseudo_channels; ++p)
      c.data.push_back(
          states(o.pseudo_channels > 1 ? fmt::format("data_bus{}", p) : "data_bus", {"idle", "read", "write"}));
    for (int r = 0; r < o.ranks; ++r) {
      const std::string rank = o.ranks > 1 ? fmt::format("rank{}_", r) : "";
      c.refresh.push_back(std::make_unique<timed_probe>(rank + "refresh", probe_base::kind::boolean));
      for (int g = 0; g < o.bank_groups; ++g)
        for (int b = 0; b < o.banks_per_group; ++b) {
          const std::string name = fmt::format("{}g{}b{}_", rank, g, b);
          bank k;
          k.state = states(name + "state", bank_states());
          k.row = std::make_unique<timed_probe>(name + "row", probe_base::kind::integer);
          c.banks.push_back(std::move(k));
        }
    }
    if (static_cast<std::size_t>(index) >= m_shown.size()) m_shown.resize(static_cast<std::size_t>(index) + 1, -1);
    m_shown[static_cast<std::size_t>(index)] = static_cast<int>(m_channels.size());
    m_channels.push_back(std::move(c));
  }
}

template <class F>
void bank_view::each(const channel& c, F&& f) {
  f(*c.row_command);
  f(*c.column_command);
  for (const auto& p : c.data) f(*p);
  for (const auto& p : c.refresh) f(*p);
  for (const auto& b : c.banks) {
    f(*b.state);
    f(*b.row);
  }
}

std::vector<bank_view::channel_probes> bank_view::probes() const {
  std::vector<channel_probes> out;
  for (const auto& c : m_channels) {
    out.push_back({fmt::format("channel{}", c.index), {}});
    each(c, [&](timed_probe& p) { out.back().probes.push_back(&p); });
  }
  return out;
}

void bank_view::unwatched(ps_t at) {
  for (auto& c : m_channels) each(c, [at](timed_probe& p) { p.forget(at); });
}

bank_view::bank& bank_view::at(channel& c, const command_record& r) const {
  const organisation& o = m_standard.org;
  return c.banks[static_cast<std::size_t>((r.rank * o.bank_groups + r.bank_group) * o.banks_per_group + r.bank)];
}

void bank_view::close(bank& b, std::int64_t cycle, int until_idle) {
  b.state->set(precharging, time(cycle));
  b.row->forget(time(cycle));
  b.state->set(closed, time(cycle + until_idle));
}

void bank_view::burst(channel& c, bank& b, const command_record& r, bool write, bool precharge) {
  const timing& t = m_standard.t;
  const std::int64_t from = r.cycle + (write ? t.CWL : t.CL), to = from + t.BL;
  const int rank = r.rank, per_bus = std::max(1, m_standard.org.ranks / m_standard.org.pseudo_channels);
  timed_probe& bus = *c.data[static_cast<std::size_t>(rank / per_bus)];
  bus.set(write ? writing : reading, time(from));
  bus.set(idle, time(to));
  // A bank whose ACT was before the first look shows its row with its first burst.
  b.state->set(open, time(r.cycle));
  b.row->set(static_cast<double>(r.row), time(r.cycle));
  b.close = std::max({b.close, b.act + t.RAS, write ? to + t.WR : r.cycle + t.RTP});
  if (precharge) close(b, b.close, t.RP);
}

template <class F>
void bank_view::refreshed(channel& c, const command_record& r, F&& in_it) {
  const organisation& o = m_standard.org;
  const bool all = r.kind == command::REFab;
  const int clocks = all ? m_standard.t.RFC : m_standard.t.RFCpb;
  // Refreshes of single banks overlap: a pulse each; their banks' states tell how long they take.
  auto& flag = *c.refresh[static_cast<std::size_t>(r.rank)];
  flag.set(1, time(r.cycle));
  flag.set(0, time(r.cycle + (all ? clocks : 1)));
  for (int g = 0; g < o.bank_groups; ++g)
    for (int b = 0; b < o.banks_per_group; ++b) {
      if (!in_it(g, b)) continue;
      bank& k = c.banks[static_cast<std::size_t>((r.rank * o.bank_groups + g) * o.banks_per_group + b)];
      k.state->set(refreshing, time(r.cycle));
      k.row->forget(time(r.cycle));
      k.state->set(closed, time(r.cycle + clocks));
    }
}

void bank_view::see(const command_record& r) {
  const auto index = static_cast<std::size_t>(r.channel);
  if (index >= m_shown.size() || m_shown[index] < 0) return;
  channel& c = m_channels[static_cast<std::size_t>(m_shown[index])];
  const timing& t = m_standard.t;
  const bool column =
      r.kind == command::RD || r.kind == command::RDA || r.kind == command::WR || r.kind == command::WRA;
  // An ACT of two clocks is shown in its last one, from which everything is counted.
  timed_probe& wires = column ? *c.column_command : *c.row_command;
  wires.set(1 + static_cast<int>(r.kind), time(r.cycle));
  wires.set(0, time(r.cycle + (column ? t.CAS_CK : 1)));
  switch (r.kind) {
    case command::ACT: {
      bank& b = at(c, r);
      b.act = b.close = r.cycle;
      b.state->set(activating, time(r.cycle));
      b.row->set(static_cast<double>(r.row), time(r.cycle));
      b.state->set(open, time(r.cycle + std::min(t.RCDRD, t.RCDWR)));
      break;
    }
    case command::RD:
      burst(c, at(c, r), r, false, false);
      break;
    case command::RDA:
      burst(c, at(c, r), r, false, true);
      break;
    case command::WR:
      burst(c, at(c, r), r, true, false);
      break;
    case command::WRA:
      burst(c, at(c, r), r, true, true);
      break;
    case command::PRE:
      close(at(c, r), r.cycle, t.RP);
      break;
    case command::PREA:
      for (int g = 0; g < m_standard.org.bank_groups; ++g)
        for (int k = 0; k < m_standard.org.banks_per_group; ++k) {
          bank& b = c.banks[static_cast<std::size_t>(
              (r.rank * m_standard.org.bank_groups + g) * m_standard.org.banks_per_group + k)];
          // Banks that are closed already do not notice.
          if (b.state->number() != closed && b.state->number() != refreshing)
            close(b, r.cycle, t.RPab != 0 ? t.RPab : t.RP);
        }
      break;
    case command::REFab:
      refreshed(c, r, [](int, int) { return true; });
      break;
    case command::REFpb:
      refreshed(c, r, [&](int g, int b) { return t.refreshes(m_standard.org, r.bank_group, r.bank, g, b); });
      break;
    case command::count_:
      break;
  }
}

}  // namespace memwall::dram
