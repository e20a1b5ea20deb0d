// SPDX-License-Identifier: Apache-2.0
// The channels of one memory, in classes: channels in the same state with the same work do the same, so one engine
// stands for all of them. A class splits when its members are given different work and merges with another one when
// both are idle and have the same future. Exact: results do not depend on how channels are classed. Internal to
// hw/dram.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/dram/engine/channel.h"
#include "hw/dram/engine/replay.h"

namespace memwall::dram {

class channel_set {
 public:
  struct channel_class {
    channel engine;
    std::vector<int> members;  ///< ascending; the engine's index is the first
    int brief = 0;             ///< transfers that lie in this class alone and are short
    bool tried = false;        ///< idle, and compared with the others since it became so
  };

  /// `table`: nullptr without replay.
  channel_set(const channel_setup& setup, replay_table* table);

  /// Classes by a number that stays; nullptr: not in use.
  channel_class* get(std::size_t i) { return m_classes[i].get(); }
  int in_use() const { return static_cast<int>(m_used.size()); }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (const int i : m_used) visit(i, *m_classes[at(i)]);
  }

  /// The bursts of a transfer (one that does not wrap) by class: give(class number, run of each of its channels). When
  /// a class has been split for it, split(class number, number of the new class) comes first: the new one has copies of
  /// its works.
  template <class Split, class Give>
  void distribute(std::uint64_t address, std::uint64_t bytes, Split&& split, Give&& give);

  /// Joins idle classes that nothing tells apart any more at clock `now`, up to which all have been advanced.
  void merge(clocks_t now);

  /// Every channel on its own from now on (its commands are listened to), or no longer.
  template <class Split>
  void separate(bool apart, Split&& split);

  /// Sums over all channels; causes up to `now`.
  void add_to(channel_counts& counts, cause_clocks& causes, clocks_t now);
  void add_to(clock_histogram latency[2]) const;
  /// Clocks with data on each channel's buses before clock `now`.
  void data_clocks(clocks_t now, std::vector<clocks_t>& out) const;

 private:
  int add(std::unique_ptr<channel_class> c);
  /// Takes `leaving` (not all) out of class `from` into one of their own; returns its number.
  int split_off(int from, const std::vector<int>& leaving);

  const channel_setup& m_setup;
  std::vector<std::unique_ptr<channel_class>> m_classes;
  std::vector<int> m_used, m_unused;  ///< numbers; those in use ascending
  std::vector<int> m_class_of;        ///< by channel
  bool m_apart = false;
  int m_pause = 0,
      m_longest_pause = 0;  ///< calls of merge() to let pass: it costs, and where channels differ it is in vain
  std::vector<channel_run> m_runs;
  std::vector<int> m_leaving;
  /// What a class that settled will do, for merge().
  struct future {
    std::uint64_t hash = 0;
    int of = 0;
    std::vector<std::int32_t> words;
  };
  std::vector<future> m_futures;
  clock_histogram m_latency[2];  ///< of all channels
  // What classes counted before they merged.
  channel_counts m_counts;
  std::vector<cause_clocks> m_causes;  ///< by bus
  std::vector<clocks_t> m_data;        ///< by channel: clocks with data on its buses
};

template <class Split, class Give>
void channel_set::distribute(std::uint64_t address, std::uint64_t bytes, Split&& split, Give&& give) {
  if (m_class_of.size() == 1) {
    m_setup.map.for_each_run(address, bytes, [&](const channel_run& run) { give(m_class_of[0], run); });
    return;
  }
  if (channel_run same; m_setup.map.whole_stripes(address, bytes, same)) {
    for_each([&](int c, channel_class&) { give(c, same); });
    return;
  }
  m_runs.clear();
  m_setup.map.for_each_run(address, bytes, [&](const channel_run& run) { m_runs.push_back(run); });
  std::size_t i = 0;
  while (i < m_runs.size()) {
    const channel_run first = m_runs[i];
    const int c = m_class_of[at(first.channel)];
    const std::size_t members = m_classes[at(c)]->members.size();
    if (members == 1) {
      give(c, first);
      ++i;
      continue;
    }
    // The members of the class with the same bursts to give; the others stay in m_runs for another round.
    m_leaving.clear();
    std::size_t kept = i;
    for (std::size_t k = i; k < m_runs.size(); ++k) {
      const channel_run run = m_runs[k];
      if (run.first_burst == first.first_burst && run.count == first.count && m_class_of[at(run.channel)] == c)
        m_leaving.push_back(run.channel);
      else
        m_runs[kept++] = run;
    }
    m_runs.resize(kept);
    if (m_leaving.size() == members) {
      give(c, first);
    } else {
      const int made = split_off(c, m_leaving);
      split(c, made);
      give(made, first);
    }
  }
}

template <class Split>
void channel_set::separate(bool apart, Split&& split) {
  m_apart = apart;
  if (!apart) return;
  for (std::size_t i = 0; i < m_classes.size(); ++i)
    while (m_classes[i] != nullptr && m_classes[i]->members.size() > 1)
      split(static_cast<int>(i), split_off(static_cast<int>(i), {m_classes[i]->members.back()}));
}

}  // namespace memwall::dram
