// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dram_timing_checker.h"

#include <algorithm>

namespace memwall::test {

using dram::command;
using dram::command_record;

namespace {

bool is_read(command k) {
  return k == command::RD || k == command::RDA;
}
bool is_write(command k) {
  return k == command::WR || k == command::WRA;
}
bool is_column(command k) {
  return is_read(k) || is_write(k);
}

}  // namespace

std::string timing_violation::text() const {
  std::string out = std::string(dram::command_name(at.kind)) + " at " + std::to_string(at.cycle) + " (channel " +
                    std::to_string(at.channel) + ", rank " + std::to_string(at.rank) + ", bank group " +
                    std::to_string(at.bank_group) + ", bank " + std::to_string(at.bank) + ", row " +
                    std::to_string(at.row) + "): " + rule;
  if (earliest >= 0) out += ", not before " + std::to_string(earliest);
  return out;
}

dram_timing_checker::dram_timing_checker(const dram::standard& s) : m_org(s.org), m_t(s.t) {
  rank_state r;
  r.banks.resize(static_cast<std::size_t>(m_org.banks_per_rank()));
  r.group_act = r.group_read = r.group_write =
      std::vector<std::int64_t>(static_cast<std::size_t>(m_org.bank_groups), long_ago);
  m_fresh.ranks.assign(static_cast<std::size_t>(m_org.ranks), r);
}

dram_timing_checker::channel_state& dram_timing_checker::channel_at(int index) {
  while (static_cast<int>(m_channels.size()) <= index) m_channels.push_back(m_fresh);
  return m_channels[static_cast<std::size_t>(index)];
}

bool dram_timing_checker::in_range(const command_record& c) const {
  if (c.channel < 0 || c.rank < 0 || c.rank >= m_org.ranks) return false;
  if (c.kind == command::PREA || c.kind == command::REFab) return true;
  if (c.kind == command::REFpb && m_t.same_bank_refresh) return c.bank >= 0 && c.bank < m_org.banks_per_group;
  if (c.kind == command::REFpb && flat(c) >= m_org.banks_per_rank() / m_t.refresh_banks) return false;
  if (c.bank_group < 0 || c.bank_group >= m_org.bank_groups || c.bank < 0 || c.bank >= m_org.banks_per_group)
    return false;
  if ((c.kind == command::ACT || is_column(c.kind)) && (c.row < 0 || c.row >= m_org.rows)) return false;
  return !is_column(c.kind) || (c.column >= 0 && c.column < m_org.columns);
}

/// The banks of its rank that a REFpb refreshes: bank k of every group (DDR5 REFsb), or the one it names and those that
/// lie a whole fraction of the rank further on (LPDDR5: bank b and bank b + 8 of 16).
std::vector<std::size_t> dram_timing_checker::refreshed_by(const command_record& c) const {
  std::vector<std::size_t> out;
  if (m_t.same_bank_refresh) {
    for (int g = 0; g < m_org.bank_groups; ++g)
      out.push_back(static_cast<std::size_t>(g * m_org.banks_per_group + c.bank));
  } else {
    for (int n = 0; n < m_t.refresh_banks; ++n)
      out.push_back(static_cast<std::size_t>(flat(c) + n * m_org.banks_per_rank() / m_t.refresh_banks));
  }
  return out;
}

const char* dram_timing_checker::state_fault(const channel_state& ch, const command_record& c) const {
  const rank_state& r = ch.ranks[static_cast<std::size_t>(c.rank)];
  if (c.kind == command::REFab) {
    for (const auto& b : r.banks)
      if (b.open) return "bank state: refresh with a row open";
    return nullptr;
  }
  if (c.kind == command::PREA) return nullptr;
  if (c.kind == command::REFpb) {
    for (const std::size_t i : refreshed_by(c))
      if (r.banks[i].open) return "bank state: refresh with a row open";
    return nullptr;
  }
  const bank_state& b = r.banks[static_cast<std::size_t>(flat(c))];
  if (c.kind == command::ACT && b.open) return "bank state: activation with a row open";
  if (is_column(c.kind) && !b.open) return "bank state: column access with no row open";
  if (is_column(c.kind) && b.row != c.row) return "bank state: column access to another row";
  return nullptr;
}

/// When a bank may be used again after its precharge.
std::int64_t dram_timing_checker::closed_at(const bank_state& b) const {
  return b.closing + (b.closed_by_prea && m_t.RPab != 0 ? m_t.RPab : m_t.RP);
}

void dram_timing_checker::bounds_of(const channel_state& ch, const command_record& c, std::vector<bound>& out) const {
  const auto& t = m_t;
  const rank_state& r = ch.ranks[static_cast<std::size_t>(c.rank)];
  out.clear();
  const auto need = [&](const char* rule, std::int64_t cycle) { out.push_back({rule, cycle}); };

  // One command at a time on a bus; an activation holds it for ACT_CK cycles up to its own, a column command
  // for CAS_CK.
  const int length = c.kind == command::ACT ? t.ACT_CK : is_column(c.kind) ? t.CAS_CK : 1;
  const bool row_command = !is_column(c.kind);
  if (t.dual_command_bus)
    need("command bus", (row_command ? ch.row_bus : ch.column_bus) + length);
  else
    need("command bus", std::max(ch.row_bus, ch.column_bus) + length);

  const int write_data_end = t.CWL + t.BL;
  const auto may_precharge = [&](const bank_state& b) {
    need("tRAS", b.act + t.RAS);
    need("tRTP", b.read + t.RTP);
    need("tWR", b.write + write_data_end + t.WR);
  };

  switch (c.kind) {
    case command::ACT: {
      const bank_state& b = r.banks[static_cast<std::size_t>(flat(c))];
      need("tRP", closed_at(b));
      need("tRC", b.act + t.RC);
      need("tRRD_L", r.group_act[static_cast<std::size_t>(c.bank_group)] + t.RRD_L);
      need("tRRD_S", r.act + t.RRD_S);
      if (r.acts.size() == 4) need("tFAW", r.acts.front() + t.FAW);
      need("tRFC", r.refresh_all + t.RFC);
      need("tRFCpb", b.refresh + t.RFCpb);
      need("tRREFD", r.refresh_bank + t.RREFD);
      break;
    }
    case command::PRE:
      may_precharge(r.banks[static_cast<std::size_t>(flat(c))]);
      need("tPPD", r.precharge + t.PPD);
      break;
    case command::PREA:
      for (const auto& b : r.banks)
        if (b.open) may_precharge(b);
      need("tPPD", r.precharge + t.PPD);
      break;
    case command::REFab:
      for (const auto& b : r.banks) {
        need("tRP", closed_at(b));
        need("tRFCpb", b.refresh + t.RFCpb);
      }
      need("tRFC", r.refresh_all + t.RFC);
      break;
    case command::REFpb: {
      for (const std::size_t i : refreshed_by(c)) {
        need("tRP", closed_at(r.banks[i]));
        need("tRFCpb", r.banks[i].refresh + t.RFCpb);
      }
      need("tRREFD", r.refresh_bank + t.RREFD);
      need("tRFC", r.refresh_all + t.RFC);
      break;
    }
    default: {
      const bank_state& b = r.banks[static_cast<std::size_t>(flat(c))];
      const auto group = static_cast<std::size_t>(c.bank_group);
      const bool read = is_read(c.kind);
      if (read) {
        need("tRCDRD", b.act + t.RCDRD);
        need("tCCD_L", r.group_read[group] + t.CCD_L);
        need("tCCD_S", r.read + t.CCD_S);
        need("tWTR_L", r.group_write[group] + write_data_end + t.WTR_L);
        need("tWTR_S", r.write + write_data_end + t.WTR_S);
      } else {
        need("tRCDWR", b.act + t.RCDWR);
        need("tCCD_L_WR", r.group_write[group] + t.CCD_L_WR);
        need("tCCD_S_WR", r.write + t.CCD_S_WR);
        need("tRTW", r.read + t.read_to_write());
      }
      // The data bus: bursts do not overlap, and another rank's driver needs CS cycles to take over. Stack
      // IDs (tCCD_R given) share one driver on the base die: tCCD_R is all they need.
      const int latency = read ? t.CL : t.CWL;
      for (int o = 0; o < m_org.ranks; ++o) {
        if (pseudo_channel(o) != pseudo_channel(c.rank)) continue;
        const rank_state& other = ch.ranks[static_cast<std::size_t>(o)];
        const int gap = o == c.rank || t.CCD_R != 0 ? 0 : t.CS;
        need(o == c.rank ? "data bus" : "tCS", other.read + t.CL + t.BL + gap - latency);
        need(o == c.rank ? "data bus" : "tCS", other.write + write_data_end + gap - latency);
        if (o != c.rank && t.CCD_R != 0) need("tCCD_R", (read ? other.read : other.write) + t.CCD_R);
      }
    }
  }
}

std::pair<std::int64_t, std::string> dram_timing_checker::earliest(const command_record& c) const {
  const channel_state& ch =
      c.channel < static_cast<int>(m_channels.size()) ? m_channels[static_cast<std::size_t>(c.channel)] : m_fresh;
  std::vector<bound> bounds;
  bounds_of(ch, c, bounds);
  std::pair<std::int64_t, std::string> out{0, "start"};
  for (const auto& b : bounds)
    if (b.cycle > out.first) out = {b.cycle, b.rule};
  return out;
}

void dram_timing_checker::on_command(const command_record& c) {
  ++m_commands;
  if (!in_range(c)) {
    m_violations.push_back({c, "address out of range", -1});
    return;
  }
  channel_state& ch = channel_at(c.channel);
  if (c.cycle < ch.last) m_violations.push_back({c, "order of the trace", ch.last});
  ch.last = std::max(ch.last, c.cycle);
  if (const char* fault = state_fault(ch, c)) m_violations.push_back({c, fault, -1});
  bounds_of(ch, c, m_bounds);
  std::int64_t first = 0;
  for (const auto& b : m_bounds) {
    first = std::max(first, b.cycle);
    if (c.cycle < b.cycle) m_violations.push_back({c, b.rule, b.cycle});
  }
  if (m_keep_slack) m_slack.emplace_back(c, c.cycle - first);
  apply(ch, c);
}

void dram_timing_checker::apply(channel_state& ch, const command_record& c) {
  rank_state& r = ch.ranks[static_cast<std::size_t>(c.rank)];
  (is_column(c.kind) ? ch.column_bus : ch.row_bus) = c.cycle;
  const auto at = static_cast<std::size_t>(flat(c));
  const auto group = static_cast<std::size_t>(c.bank_group);
  switch (c.kind) {
    case command::ACT: {
      bank_state& b = r.banks[at];
      b.open = true;
      b.row = c.row;
      b.act = r.act = r.group_act[group] = c.cycle;
      if (r.acts.size() == 4) r.acts.erase(r.acts.begin());
      r.acts.push_back(c.cycle);
      return;
    }
    case command::PRE:
      if (r.banks[at].open) r.banks[at].closing = c.cycle;
      r.banks[at].open = r.banks[at].closed_by_prea = false;
      r.precharge = c.cycle;
      return;
    case command::PREA:
      for (auto& b : r.banks) {
        if (!b.open) continue;
        b.open = false;
        b.closing = c.cycle;
        b.closed_by_prea = true;
      }
      r.precharge = c.cycle;
      return;
    case command::REFab:
      r.refresh_all = c.cycle;
      ++r.refreshes_all;
      return;
    case command::REFpb:
      for (const std::size_t i : refreshed_by(c)) {
        r.banks[i].refresh = c.cycle;
        ++r.banks[i].refreshes;
      }
      r.refresh_bank = c.cycle;
      return;
    default: {
      bank_state& b = r.banks[at];
      const bool read = is_read(c.kind);
      (read ? b.read : b.write) = c.cycle;
      (read ? r.read : r.write) = c.cycle;
      (read ? r.group_read : r.group_write)[group] = c.cycle;
      if (c.kind == command::RDA || c.kind == command::WRA) {
        // The device precharges on its own as soon as it may.
        b.closing = std::max({b.act + m_t.RAS, b.read + m_t.RTP, b.write + m_t.CWL + m_t.BL + m_t.WR});
        b.open = b.closed_by_prea = false;
      }
    }
  }
}

void dram_timing_checker::check_refresh(std::int64_t cycle, bool per_bank, int postponed) {
  // Each bank is due once every REFI, whichever command does it. A round of REFpb may be under way, and one more may
  // wait for a busy bank.
  const std::int64_t due = cycle / m_t.REFI, late = 2 + (per_bank ? 1 + postponed / 4 : postponed);
  for (std::size_t i = 0; i < m_channels.size(); ++i)
    for (std::size_t k = 0; k < m_channels[i].ranks.size(); ++k) {
      const rank_state& r = m_channels[i].ranks[k];
      std::int64_t least = r.refreshes_all, most = r.refreshes_all;
      if (per_bank) {
        least = INT64_MAX, most = 0;
        for (const bank_state& b : r.banks) least = std::min(least, b.refreshes), most = std::max(most, b.refreshes);
      }
      // Intervals are whole clocks: a round of REFpb may be a few percent shorter than REFI.
      const bool often = most > due + 2 + due / 20;
      if (least + late >= due - due / 20 && !often) continue;
      timing_violation v;
      v.at.cycle = cycle;
      v.at.kind = per_bank ? command::REFpb : command::REFab;
      v.at.channel = static_cast<int>(i);
      v.at.rank = static_cast<int>(k);
      v.rule = "refresh rate: " + std::to_string(often ? most : least) + " of " + std::to_string(due) + " a bank";
      v.earliest = -1;
      m_violations.push_back(v);
    }
}

std::map<std::string, int> dram_timing_checker::by_rule() const {
  std::map<std::string, int> out;
  for (const auto& v : m_violations) ++out[v.rule];
  return out;
}

std::string dram_timing_checker::report() const {
  std::string out =
      std::to_string(m_violations.size()) + " violations in " + std::to_string(m_commands) + " commands\n";
  for (std::size_t i = 0; i < m_violations.size() && i < 8; ++i) out += "  " + m_violations[i].text() + "\n";
  return out;
}

}  // namespace memwall::test
