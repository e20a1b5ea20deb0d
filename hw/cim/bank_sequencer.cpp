// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/bank_sequencer.h"

#include <algorithm>
#include <limits>

namespace memwall::cim {
namespace {
constexpr std::int64_t far_future = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t faw_activates = 4;
}  // namespace

bank_sequencer::bank_sequencer(const dram::organisation& org, const dram::timing& t, int window)
    : m_org(org),
      m_t(t),
      m_window(static_cast<std::size_t>(window)),
      m_banks(static_cast<std::size_t>(org.banks_per_rank())),
      m_next_refresh(t.REFI > 0 ? t.REFI / std::max(org.ranks, 1) : far_future) {}

void bank_sequencer::run(const std::vector<column_access>& program) {
  std::size_t i = 0;
  run([&](column_access& a) { return i < program.size() && (a = program[i++], true); });
}

void bank_sequencer::consider(std::int64_t when) {
  m_next_event = std::min(m_next_event, std::max(when, m_now + 1));
}

// One past the last access that may be issued now: those up to and including the first fence.
std::size_t bank_sequencer::group_end() const {
  std::size_t i = 0;
  while (i < m_queue.size() && !m_queue[i].fence) ++i;
  return std::min(i + 1, m_queue.size());
}

void bank_sequencer::run(const std::function<bool(column_access&)>& next) {
  bool more = true;
  while (true) {
    // The front end hands over one access a cycle.
    column_access a;
    while (more && m_queue.size() < m_window) {
      more = next(a);
      if (more) m_queue.push_back(a);
      if (m_queue.size() > 1) break;
    }
    if (m_queue.empty()) break;
    m_next_event = far_future;
    if (m_now >= m_next_refresh) {
      m_refresh_waiting = true;
      m_next_refresh += m_t.REFI;
    }
    const bool issued = serve_refresh() || issue_column() || issue_activate() || issue_precharge();
    if (issued || (more && m_queue.size() < m_window)) {
      ++m_now;
    } else {
      consider(m_next_refresh);
      m_now = m_next_event;
    }
  }
  m_cycles.total = m_now;
}

void bank_sequencer::finish() {
  m_now = std::max(m_last_column, m_last_end);
  m_cycles.latency += m_now - std::max<std::int64_t>(m_last_column, 0);
  m_last_column = m_now;
  m_cycles.total = m_now;
}

// Banks are closed as soon as their timing allows; until the last one is, work goes on (the standard lets a
// refresh be postponed). Then REF takes the channel for tRFC.
bool bank_sequencer::serve_refresh() {
  if (!m_refresh_waiting) return false;
  bool open = false;
  for (bank_state& b : m_banks) {
    if (b.row < 0) continue;
    if (m_now >= b.next_pre) {
      precharge(b);
      return true;
    }
    consider(b.next_pre);
    open = true;
  }
  m_refresh_ready = !open;
  if (!m_refresh_ready) return false;
  if (m_now < m_last_pre + m_t.RP) {
    consider(m_last_pre + m_t.RP);
    return false;
  }
  for (bank_state& b : m_banks) b.next_act = std::max(b.next_act, m_now + m_t.RFC);
  m_refresh_waiting = m_refresh_ready = false;
  m_refresh_mark = m_now + m_t.RFC;
  ++m_cycles.refreshes;
  return true;
}

void bank_sequencer::precharge(bank_state& b) {
  b.row = -1;
  b.next_act = std::max(b.next_act, m_now + m_t.RP);
  m_last_pre = m_now;
}

// The oldest access of the group whose row is open and whose turn has come.
bool bank_sequencer::issue_column() {
  const std::size_t end = group_end();
  for (std::size_t i = 0; i < end; ++i) {
    const column_access a = m_queue[i];
    // The fence is kept by the last access of a group: it goes last.
    if (a.fence && i != 0) break;
    bank_state& b = m_banks[static_cast<std::size_t>(a.bank)];
    if (b.row != a.row && !a.buffer) continue;
    const std::int64_t ready = a.write ? b.next_write : b.next_read;
    if (m_now < ready) {
      consider(ready);
      continue;
    }
    book(m_now, a);
    ++(a.all_banks ? m_cycles.all_bank_columns : m_cycles.columns);
    const int group = group_of(a.bank);
    if (a.write) {
      b.next_pre = std::max(b.next_pre, m_now + m_t.CWL + m_t.BL + m_t.WR);
      m_last_end = std::max(m_last_end, m_now + m_t.CWL + m_t.BL);
    } else {
      b.next_pre = std::max(b.next_pre, m_now + m_t.RTP);
      m_last_end = std::max(m_last_end, m_now + m_t.CL + m_t.BL);
    }
    for (std::size_t j = 0; j < m_banks.size(); ++j) {
      const bool same = group_of(static_cast<int>(j)) == group;
      bank_state& other = m_banks[j];
      const int read_gap = a.write ? m_t.CWL + m_t.BL + (same ? m_t.WTR_L : m_t.WTR_S) : (same ? m_t.CCD_L : m_t.CCD_S);
      const int write_gap = a.write ? (same ? m_t.CCD_L_WR : m_t.CCD_S_WR) : m_t.read_to_write();
      other.next_read = std::max(other.next_read, m_now + read_gap);
      other.next_write = std::max(other.next_write, m_now + write_gap);
    }
    if (a.settle) {
      const std::int64_t effective = m_now + m_t.CWL + m_t.BL;
      for (bank_state& other : m_banks) {
        other.next_act = std::max(other.next_act, effective);
        other.next_read = std::max(other.next_read, effective);
        other.next_write = std::max(other.next_write, effective);
      }
    }
    m_queue.erase(m_queue.begin() + static_cast<std::ptrdiff_t>(i));
    return true;
  }
  return false;
}

bool bank_sequencer::issue_activate() {
  if (m_refresh_ready) return false;
  const std::size_t end = group_end();
  for (std::size_t i = 0; i < end; ++i) {
    const column_access& a = m_queue[i];
    bank_state& b = m_banks[static_cast<std::size_t>(a.bank)];
    if (b.row >= 0 || a.buffer) continue;
    std::int64_t ready = b.next_act;
    if (m_last_acts.size() == faw_activates) ready = std::max(ready, m_last_acts.front() + m_t.FAW);
    if (m_now < ready) {
      consider(ready);
      continue;
    }
    b.row = a.row;
    b.next_act = std::max(b.next_act, m_now + m_t.RC);
    b.next_pre = std::max(b.next_pre, m_now + m_t.RAS);
    b.next_read = std::max(b.next_read, m_now + m_t.RCDRD);
    b.next_write = std::max(b.next_write, m_now + m_t.RCDWR);
    for (std::size_t j = 0; j < m_banks.size(); ++j) {
      if (static_cast<int>(j) == a.bank) continue;
      const bool same = group_of(static_cast<int>(j)) == group_of(a.bank);
      m_banks[j].next_act = std::max(m_banks[j].next_act, m_now + (same ? m_t.RRD_L : m_t.RRD_S));
    }
    m_last_acts.push_back(m_now);
    if (m_last_acts.size() > faw_activates) m_last_acts.pop_front();
    m_row_mark = m_now + (a.write ? m_t.RCDWR : m_t.RCDRD);
    ++(a.all_banks ? m_cycles.all_bank_activates : m_cycles.activates);
    return true;
  }
  return false;
}

// Closes a bank whose open row nobody in the current group wants.
bool bank_sequencer::issue_precharge() {
  const std::size_t end = group_end();
  for (std::size_t j = 0; j < m_banks.size(); ++j) {
    bank_state& b = m_banks[j];
    if (b.row < 0) continue;
    bool wanted = false;
    for (std::size_t i = 0; i < end && !wanted; ++i)
      wanted = !m_queue[i].buffer && m_queue[i].bank == static_cast<int>(j) && m_queue[i].row == b.row;
    if (wanted) continue;
    if (m_now < b.next_pre) {
      consider(b.next_pre);
      continue;
    }
    precharge(b);
    return true;
  }
  return false;
}

// The time since the last column command, split by what made it longer than the shortest distance.
void bank_sequencer::book(std::int64_t issue, const column_access& a) {
  const std::int64_t since = issue - std::max<std::int64_t>(m_last_column, 0);
  std::int64_t left = since;
  std::int64_t& data = m_cycles.data[static_cast<std::size_t>(a.purpose)];
  const auto take = [&left](std::int64_t& part, std::int64_t amount) {
    const std::int64_t t = std::clamp<std::int64_t>(amount, 0, left);
    part += t;
    left -= t;
  };
  if (m_last_column >= 0) take(data, m_t.CCD_L);
  if (m_refresh_mark > m_last_column) {
    take(m_cycles.refresh, since - m_t.CCD_L);
  } else {
    if (m_last_column >= 0 && m_last_write != a.write)
      take(m_cycles.turnaround, (a.write ? m_t.read_to_write() : m_t.CWL + m_t.BL + m_t.WTR_L) - m_t.CCD_L);
    if (m_row_mark >= m_last_column) take(m_cycles.row, left);
  }
  data += left;
  m_last_column = issue;
  m_last_write = a.write;
}

}  // namespace memwall::cim
