// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/channel_set.h"

#include <algorithm>
#include <map>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {

channel_set::channel_set(const channel_setup& setup, replay_table* table)
    : m_setup(setup),
      m_class_of(at(setup.map.channels())),
      m_causes(at(setup.buses)),
      m_data(at(setup.map.channels())) {
  // Channels start alike but for the time of their first refreshes.
  std::map<std::vector<clocks_t>, std::vector<int>> alike;
  for (int i = 0; i < setup.map.channels(); ++i) {
    std::vector<clocks_t> first;
    for (int r = 0; r < setup.ranks; ++r) first.push_back(setup.first_refresh(i, r));
    alike[first].push_back(i);
  }
  for (auto& [unused, members] : alike) {
    const int index = members.front();
    add(std::make_unique<channel_class>(channel_class{channel(setup, index, table, m_latency), std::move(members)}));
  }
}

int channel_set::add(std::unique_ptr<channel_class> c) {
  int i;
  if (m_unused.empty()) {
    i = static_cast<int>(m_classes.size());
    m_classes.emplace_back();
  } else {
    i = m_unused.back();
    m_unused.pop_back();
  }
  c->engine.stand_for(c->members.front(), static_cast<int>(c->members.size()));
  for (const int member : c->members) m_class_of[at(member)] = i;
  m_classes[at(i)] = std::move(c);
  m_used.insert(std::lower_bound(m_used.begin(), m_used.end(), i), i);
  return i;
}

int channel_set::split_off(int from, const std::vector<int>& leaving) {
  channel_class& old = *m_classes[at(from)];  // both keep what it counted: sums over members stay what they were
  auto made = std::make_unique<channel_class>(channel_class{old.engine, leaving});
  std::sort(made->members.begin(), made->members.end());
  old.members.erase(
      std::remove_if(old.members.begin(), old.members.end(),
                     [&](int i) { return std::binary_search(made->members.begin(), made->members.end(), i); }),
      old.members.end());
  old.engine.stand_for(old.members.front(), static_cast<int>(old.members.size()));
  old.tried = false;
  return add(std::move(made));
}

void channel_set::merge(clocks_t now) {
  if (in_use() == 1 || m_apart) return;
  bool fresh = false;
  for_each([&](int, channel_class& c) {
    if (c.engine.busy())
      c.tried = false;
    else
      fresh = fresh || (!c.tried && c.engine.settled(now));
  });
  if (!fresh || --m_pause > 0) return;
  const int before = in_use();
  std::size_t known = 0;
  std::size_t kept = 0;
  for (const int i : m_used) {
    m_used[kept++] = i;
    if (known == m_futures.size()) m_futures.emplace_back();
    future& mine = m_futures[known];
    channel_class& c = *m_classes[at(i)];
    if (!c.engine.settle(now, mine.words)) continue;
    c.tried = true;
    mine.hash = hash_of(mine.words);
    mine.of = i;
    std::size_t same = 0;
    while (m_futures[same].hash != mine.hash || m_futures[same].words != mine.words) ++same;
    if (same == known) {
      ++known;
      continue;
    }
    const int found = m_futures[same].of;
    channel_class& other = *m_classes[at(found)];
    for (channel_class* x : {&c, &other}) {
      const clocks_t data = x->engine.data_clocks(now);
      for (const int member : x->members) m_data[at(member)] += data;
      x->engine.take_counts(m_counts, m_causes, static_cast<std::int64_t>(x->members.size()));
    }
    const auto middle = static_cast<std::ptrdiff_t>(other.members.size());
    other.members.insert(other.members.end(), c.members.begin(), c.members.end());
    std::inplace_merge(other.members.begin(), other.members.begin() + middle, other.members.end());
    other.engine.stand_for(other.members.front(), static_cast<int>(other.members.size()));
    for (const int member : c.members) m_class_of[at(member)] = found;
    m_classes[at(i)].reset();
    m_unused.push_back(i);
    --kept;
  }
  m_used.resize(kept);
  constexpr int longest = 4096;
  m_longest_pause = in_use() < before ? 0 : std::min(longest, 2 * m_longest_pause + 1);
  m_pause = m_longest_pause;
}

void channel_set::add_to(clock_histogram latency[2]) const {
  for (int k = 0; k < 2; ++k) latency[k].add(m_latency[k], 1);
}

void channel_set::add_to(channel_counts& counts, cause_clocks& causes, clocks_t now) {
  counts += m_counts;
  for (const auto& bus : m_causes)
    for (std::size_t i = 0; i < cause_count; ++i) causes[i] += bus[i];
  for_each([&](int, channel_class& c) {
    const auto times = static_cast<std::int64_t>(c.members.size());
    counts.add(c.engine.counts(), times);
    counts.active += times * (c.engine.active_clocks(now) - c.engine.counts().active);
    for (int bus = 0; bus < m_setup.buses; ++bus) {
      const cause_clocks part = c.engine.causes(bus, now);
      for (std::size_t i = 0; i < cause_count; ++i) causes[i] += times * part[i];
    }
  });
}

void channel_set::data_clocks(clocks_t now, std::vector<clocks_t>& out) const {
  out = m_data;
  for (const int i : m_used) {
    const channel_class& c = *m_classes[at(i)];
    const clocks_t data = c.engine.data_clocks(now);
    for (const int member : c.members) out[at(member)] += data;
  }
}

}  // namespace memwall::dram
