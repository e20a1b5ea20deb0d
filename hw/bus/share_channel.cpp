// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/share_channel.h"

#include <algorithm>
#include <cmath>

namespace memwall {
namespace {

constexpr std::size_t idle_memory = 1024;  // stretches of idle time remembered; older ones melt together

}  // namespace

share_channel::share_channel(const channel_timing& timing, std::unique_ptr<arbiter> policy)
    : m_timing(timing), m_policy(std::move(policy)) {
  m_granule = service_time(m_timing.granule_bytes);
}

fs_t share_channel::service_time(std::int64_t bytes) const {
  if (bytes == m_timing.granule_bytes && m_granule != 0) return m_granule;
  const auto of = [&](std::int64_t b) {
    const std::int64_t beats = (b + m_timing.width_bytes - 1) / m_timing.width_bytes;
    return std::max<fs_t>(1, static_cast<fs_t>(std::llround(static_cast<double>(beats) * m_timing.beat_fs)));
  };
  const std::int64_t full = bytes / m_timing.granule_bytes, rest = bytes % m_timing.granule_bytes;
  return (full != 0 ? full * (m_granule != 0 ? m_granule : of(m_timing.granule_bytes)) : 0) +
         (rest != 0 ? of(rest) : 0);
}

int share_channel::add_requester(int priority, int weight) {
  const std::size_t n = m_queues.size() + 1;
  if (n > m_stride) widen(std::max<std::size_t>(4, n * 2));
  m_queues.emplace_back();
  m_served.push_back(0);
  m_hindsight.push_back(0);
  m_policy->add_requester(priority, weight);
  return static_cast<int>(n - 1);
}

void share_channel::widen(std::size_t stride) {
  std::vector<fs_t> wait(stride * stride, 0), snapshots(m_flows.size() * stride, 0);
  for (std::size_t i = 0; i < m_stride; ++i)
    for (std::size_t j = 0; j < m_stride; ++j) wait[i * stride + j] = m_wait[i * m_stride + j];
  for (std::size_t i = 0; i < m_flows.size(); ++i)
    for (std::size_t j = 0; j < m_stride; ++j) snapshots[i * stride + j] = m_snapshots[i * m_stride + j];
  m_wait.swap(wait);
  m_snapshots.swap(snapshots);
  m_stride = stride;
}

bool share_channel::add(void* item, int requester, std::int64_t bytes, fs_t since, fs_t now, bool mark_first, int keep,
                        channel_event* moved) {
  advance(now);
  if (m_waiting.empty() && m_free_at < now) {
    if (m_idle.size() >= idle_memory) forget_idle();
    m_idle.push_back({m_free_at, now, now - m_free_at});
    m_free_at = now;
  }
  m_bytes += bytes;

  std::int64_t granules = 1;
  fs_t total = m_granule, last = m_granule;
  if (bytes != m_timing.granule_bytes) {
    granules = (bytes + m_timing.granule_bytes - 1) / m_timing.granule_bytes;
    total = service_time(bytes);
    last = total - (granules - 1) * m_granule;
  }
  bool started = false;
  fs_t first = 0;
  if (since < now && granules > keep) {
    const fs_t kept = keep == 0 ? 0 : last + (keep - 1) * m_granule;
    fs_t used = use_idle(since, now, total, total - kept);
    // Whole granules only; what is left of a granule begun in idle time is moved again.
    std::int64_t done = used >= total ? granules : std::min(granules - 1, used / m_granule);
    if (done > 0) {
      started = true;
      first = std::min(now, since + std::min(m_granule, total));
      used = done == granules ? total : done * m_granule;
      m_busy += used;
      m_hindsight[static_cast<std::size_t>(requester)] += used;
      m_occupancy.add(since / 1000, now / 1000, static_cast<double>(used) / 1000);
      granules -= done;
      if (granules == 0) {
        const channel_event e{item, requester, true, now, first, 0, 0};
        if (moved == nullptr) {
          m_done.insert_sorted(e, [](const channel_event& a, const channel_event& b) { return a.time < b.time; });
          return false;
        }
        *moved = e;
        return true;
      }
    }
  }

  int slot;
  if (m_free_slots.empty()) {
    slot = static_cast<int>(m_flows.size());
    m_flows.emplace_back();
    m_snapshots.resize(m_flows.size() * m_stride, 0);
  } else {
    slot = m_free_slots.back();
    m_free_slots.pop_back();
  }
  flow& f = m_flows[static_cast<std::size_t>(slot)];
  f = {item,   granules, now, first, (granules - 1) * m_granule + last, last, mark_first && !started && granules > 1,
       started};
  fs_t* seen = snapshot(slot);
  std::copy(m_served.begin(), m_served.end(), seen);
  std::fill(seen + m_served.size(), seen + m_stride, 0);
  if (m_free_at > now && m_owner >= 0)
    seen[m_owner] -= m_free_at - now;  // the granule in progress is still to be waited for
  ++m_queued;

  auto& queue = m_queues[static_cast<std::size_t>(requester)];
  queue.push_back(slot);
  if (queue.size() == 1) {
    const auto place = std::lower_bound(m_waiting.begin(), m_waiting.end(), requester,
                                        [](const arbiter_request& w, int r) { return w.requester < r; });
    m_waiting.insert(place, {requester, now});
    m_planned = false;
  }
  return false;
}

bool share_channel::pop(fs_t now, channel_event& out) {
  if (m_done.empty() || m_done.front().time > now) {
    advance(now);
    if (m_done.empty() || m_done.front().time > now) return false;
  }
  out = m_done.front();
  m_done.pop_front();
  return true;
}

// Grants everything that starts before `now`. Grants at `now` wait for what else may arrive at `now`.
void share_channel::advance(fs_t now) {
  while (!m_waiting.empty() && m_free_at < now) {
    if (!m_planned) plan();
    const std::int64_t starts = (now - m_free_at + m_granule - 1) / m_granule;
    if (starts >= m_plan_granules) {
      commit(m_plan_granules, m_plan_duration);
      depart();
    } else {
      commit(starts, m_granule);
    }
    m_planned = false;
  }
}

// Finds the next granule after which somebody has something to report.
void share_channel::plan() {
  m_period.clear();
  m_policy->turns(m_waiting, m_period);
  std::int64_t best_rounds = INT64_MAX;
  std::int64_t period = 0;
  if (m_period.size() == 1) {
    m_plan_requester = m_period.front().requester;
    const flow& f = m_flows[static_cast<std::size_t>(m_queues[static_cast<std::size_t>(m_plan_requester)].front())];
    m_plan_granules = granules_to_event(f);
  } else {
    // Granules of a requester in one period; a requester may have two turns in it (the rest of one, and the
    // begin of its next).
    const auto quota = [&](int requester) {
      std::int64_t sum = 0;
      for (const auto& t : m_period)
        if (t.requester == requester) sum += t.granules;
      return sum;
    };
    for (const auto& t : m_period) period += t.granules;
    const bool plain = static_cast<std::size_t>(period) == m_period.size() && m_period.size() <= m_waiting.size();
    for (const auto& w : m_waiting) {
      const flow& f = m_flows[static_cast<std::size_t>(m_queues[static_cast<std::size_t>(w.requester)].front())];
      const std::int64_t q = plain ? 1 : quota(w.requester);
      if (q > 0) best_rounds = std::min(best_rounds, (granules_to_event(f) - 1) / q);
    }
    std::int64_t best = INT64_MAX;
    for (std::size_t k = 0, before = 0; k < m_period.size();
         before += static_cast<std::size_t>(m_period[k].granules), ++k) {
      const int r = m_period[k].requester;
      const flow& f = m_flows[static_cast<std::size_t>(m_queues[static_cast<std::size_t>(r)].front())];
      const std::int64_t q = plain ? 1 : quota(r);
      std::int64_t rest = granules_to_event(f) - best_rounds * q;  // its place among its granules of that round, from 1
      if (!plain)
        for (std::size_t j = 0; j < k; ++j)
          if (m_period[j].requester == r) rest -= m_period[j].granules;
      if (rest < 1 || rest > m_period[k].granules) continue;
      const std::int64_t place = best_rounds * period + static_cast<std::int64_t>(before) + rest;
      if (place < best) {
        best = place;
        m_plan_requester = r;
      }
    }
    m_plan_granules = best;
  }
  const flow& f = m_flows[static_cast<std::size_t>(m_queues[static_cast<std::size_t>(m_plan_requester)].front())];
  m_plan_duration = f.mark ? m_granule : f.last_granule;
  m_plan_time = m_free_at + (m_plan_granules - 1) * m_granule + m_plan_duration;
  m_planned = true;
}

// Grants the next `granules` of the plan; all take a full granule's time except perhaps the last.
void share_channel::commit(std::int64_t granules, fs_t last_duration) {
  const fs_t begin = m_free_at;
  std::int64_t position = 0;  // granules granted here so far, of the first round
  const auto give = [&](int requester, std::int64_t count, std::int64_t turn) {
    flow& f = m_flows[static_cast<std::size_t>(m_queues[static_cast<std::size_t>(requester)].front())];
    if (!f.started) {
      f.started = true;
      f.first = begin + (position + 1) * m_granule;
    }
    position += turn;
    f.granules -= count;
    m_served[static_cast<std::size_t>(requester)] += count * m_granule;
    m_owner = requester;
  };
  if (m_period.size() == 1) {
    const int requester = m_period.front().requester;
    const std::int64_t turn = m_period.front().granules;
    give(requester, granules, 0);
    if (granules >= turn) m_policy->granted(requester, turn);
    if (granules % turn != 0) m_policy->granted(requester, granules % turn);
  } else {
    std::int64_t period = 0;
    for (const auto& t : m_period) period += t.granules;
    const std::int64_t rounds = granules / period;
    std::int64_t rest = granules % period;
    if (rounds > 0)
      for (const auto& t : m_period) {
        give(t.requester, rounds * t.granules, t.granules);
        m_policy->granted(t.requester, t.granules);
      }
    for (const auto& t : m_period) {
      if (rest == 0) break;
      const std::int64_t count = std::min(rest, t.granules);
      give(t.requester, count, count);
      m_policy->granted(t.requester, count);
      rest -= count;
    }
  }
  m_served[static_cast<std::size_t>(m_owner)] += last_duration - m_granule;
  m_free_at = begin + (granules - 1) * m_granule + last_duration;
  note_busy(begin, m_free_at);
}

// The planned event has happened: its granule ends at m_free_at.
void share_channel::depart() {
  const int requester = m_plan_requester;
  auto& queue = m_queues[static_cast<std::size_t>(requester)];
  const int slot = queue.front();
  flow& f = m_flows[static_cast<std::size_t>(slot)];
  if (f.granules > 0) {  // its first granule
    f.mark = false;
    m_done.push_back({f.item, requester, false, m_free_at, m_free_at, 0, 0});
    return;
  }
  const fs_t waited = m_free_at - f.arrival - f.service;
  m_done.push_back({f.item, requester, true, m_free_at, std::min(f.first, m_free_at), f.service, waited});
  if (waited != 0) {
    const fs_t* seen = snapshot(slot);
    fs_t* row = &m_wait[static_cast<std::size_t>(requester) * m_stride];
    for (std::size_t j = 0; j < m_served.size(); ++j) row[j] += m_served[j] - seen[j];
    row[requester] -= f.service;
  }
  m_free_slots.push_back(slot);
  --m_queued;
  queue.pop_front();
  const auto place = std::lower_bound(m_waiting.begin(), m_waiting.end(), requester,
                                      [](const arbiter_request& w, int r) { return w.requester < r; });
  if (queue.empty())
    m_waiting.erase(place);
  else
    place->arrival = m_flows[static_cast<std::size_t>(queue.front())].arrival;
}

// Takes channel time that stood idle in [since, now] for data that became available evenly over it and takes
// `demand` in all; at most `limit`. Returns the time taken.
fs_t share_channel::use_idle(fs_t since, fs_t now, fs_t demand, fs_t limit) {
  std::size_t from = m_idle.size();
  while (from > 0 && m_idle[from - 1].end > since) --from;
  if (from < m_idle.size() && m_idle[from].begin < since) {  // what lies before `since` keeps its own share
    idle_time before = m_idle[from];
    before.free =
        static_cast<fs_t>(static_cast<double>(before.free) *
                          (static_cast<double>(since - before.begin) / static_cast<double>(before.end - before.begin)));
    before.end = since;
    m_idle[from].begin = since;
    m_idle[from].free -= before.free;
    m_idle.insert(m_idle.begin() + static_cast<std::ptrdiff_t>(from), before);
    ++from;
  }
  fs_t taken = 0;
  const double slope = static_cast<double>(demand) / static_cast<double>(now - since);
  for (std::size_t i = from; i < m_idle.size() && taken < limit; ++i) {
    idle_time& stretch = m_idle[i];
    const auto arrived = static_cast<fs_t>(slope * static_cast<double>(stretch.end - since));
    const fs_t use = std::min({stretch.free, limit - taken, arrived - taken});
    if (use <= 0) continue;
    stretch.free -= use;
    taken += use;
  }
  return taken;
}

// Old stretches melt together in pairs; recent ones stay exact.
void share_channel::forget_idle() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i + 1 < idle_memory / 2; i += 2)
    m_idle[kept++] = {m_idle[i].begin, m_idle[i + 1].end, m_idle[i].free + m_idle[i + 1].free};
  m_idle.erase(m_idle.begin() + static_cast<std::ptrdiff_t>(kept),
               m_idle.begin() + static_cast<std::ptrdiff_t>(idle_memory / 2));
}

void share_channel::note_busy(fs_t begin, fs_t end) {
  m_busy += end - begin;
  m_occupancy.add(begin / 1000, end / 1000, static_cast<double>(end - begin) / 1000);
}

}  // namespace memwall
