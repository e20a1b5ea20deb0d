// SPDX-License-Identifier: Apache-2.0
// The closed-form channel against granule-by-granule simulations.
#include <algorithm>
#include <deque>
#include <random>

#include "hw/bus/share_channel.h"

namespace memwall {
namespace {

struct arrival {
  fs_t at;
  int requester;
  std::int64_t bytes;
  bool mark;
};

struct seen {
  std::size_t item;
  bool last;
  fs_t time;
  fs_t first = 0, service = 0, waited = 0;  // told with the last granule
  bool operator==(const seen& o) const {
    return item == o.item && last == o.last && time == o.time && first == o.first && service == o.service &&
           waited == o.waited;
  }
};
std::ostream& operator<<(std::ostream& out, const seen& s) {
  return out << "item " << s.item << (s.last ? " last " : " first ") << s.time << " (first " << s.first << ", service "
             << s.service << ", waited " << s.waited << ")";
}

struct setup {
  channel_timing timing;
  std::string policy;
  std::vector<int> priority, weight;
};

struct outcome {
  std::vector<seen> events;
  std::vector<std::vector<fs_t>> wait;  // requester x blocker
};

fs_t duration_of(const channel_timing& t, std::int64_t bytes) {
  return static_cast<fs_t>(std::llround(static_cast<double>((bytes + t.width_bytes - 1) / t.width_bytes) * t.beat_fs));
}

// Simulates every granule: a grant at time t sees all arrivals up to and including t. `pick` chooses a
// requester.
template <class Pick>
outcome brute_force(const setup& s, const std::vector<arrival>& arrivals, Pick&& pick) {
  const std::size_t n = s.priority.size();
  struct work {
    std::size_t item;
    fs_t at;
    std::int64_t bytes;
    bool mark;
    fs_t first = 0, service = 0;
  };
  outcome out;
  out.wait.assign(n, std::vector<fs_t>(n, 0));
  std::vector<std::deque<work>> queue(n);
  std::size_t next = 0;
  fs_t now = 0;
  for (;;) {
    while (next < arrivals.size() && arrivals[next].at <= now) {
      queue[static_cast<std::size_t>(arrivals[next].requester)].push_back(
          {next, arrivals[next].at, arrivals[next].bytes,
           arrivals[next].mark && arrivals[next].bytes > s.timing.granule_bytes});
      ++next;
    }
    std::vector<arbiter_request> waiting;
    for (std::size_t r = 0; r < n; ++r)
      if (!queue[r].empty()) waiting.push_back({static_cast<int>(r), queue[r].front().at});
    if (waiting.empty()) {
      if (next == arrivals.size()) return out;
      now = arrivals[next].at;
      continue;
    }
    const auto r = static_cast<std::size_t>(pick(waiting));
    work& w = queue[r].front();
    const std::int64_t bytes = std::min(w.bytes, s.timing.granule_bytes);
    const fs_t end = now + duration_of(s.timing, bytes);
    // Everybody else in a queue, now or before this granule ends, waits for r; r's own later transfers wait
    // for it too.
    std::size_t peek = next;
    for (std::size_t q = 0; q < n; ++q)
      for (std::size_t k = (q == r ? 1 : 0); k < queue[q].size(); ++k) out.wait[q][r] += end - now;
    for (; peek < arrivals.size() && arrivals[peek].at < end; ++peek)
      out.wait[static_cast<std::size_t>(arrivals[peek].requester)][r] += end - arrivals[peek].at;
    w.service += end - now;
    now = end;
    if (w.first == 0) w.first = now;
    w.bytes -= bytes;
    if (w.bytes == 0) {
      out.events.push_back({w.item, true, now, w.first, w.service, now - w.at - w.service});
      queue[r].pop_front();
    } else if (w.mark) {
      w.mark = false;
      out.events.push_back({w.item, false, now});
    }
  }
}

outcome closed_form(const setup& s, const std::vector<arrival>& arrivals, std::mt19937& random) {
  share_channel channel(s.timing, arbiters().get(s.policy)());
  for (std::size_t i = 0; i < s.priority.size(); ++i) channel.add_requester(s.priority[i], s.weight[i]);
  outcome out;
  const auto take = [&](fs_t until) {
    channel_event e;
    while (channel.pop(until, e)) {
      out.events.push_back({reinterpret_cast<std::size_t>(e.item) - 1, e.last, e.time});
      if (!e.last) continue;
      out.events.back().first = e.first;
      out.events.back().service = e.service;
      out.events.back().waited = e.waited;
    }
  };
  fs_t now = 0;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    // Looking in between, at random moments, must not matter.
    while (random() % 3 == 0 && arrivals[i].at > now) {
      now += static_cast<fs_t>(random() % static_cast<unsigned>(std::min<fs_t>(arrivals[i].at - now, 1 << 30))) + 1;
      channel.next();
      take(now);
    }
    now = arrivals[i].at;
    channel_event unused;
    EXPECT_FALSE(channel.add(reinterpret_cast<void*>(i + 1), arrivals[i].requester, arrivals[i].bytes, now, now,
                             arrivals[i].mark, 1, &unused));
  }
  while (channel.next() != fs_never) {
    const fs_t at = channel.next();
    const std::size_t before = out.events.size();
    take(at);
    EXPECT_GT(out.events.size(), before) << "an announced event did not come";
    if (out.events.size() == before) break;
    EXPECT_EQ(out.events.back().time, at);
  }
  EXPECT_TRUE(channel.idle());
  const auto n = static_cast<int>(s.priority.size());
  for (int i = 0; i < n; ++i) {
    out.wait.emplace_back();
    for (int j = 0; j < n; ++j) out.wait.back().push_back(channel.waited_for(i, j));
  }
  return out;
}

setup random_setup(std::mt19937& random, const std::string& policy) {
  setup s;
  s.policy = policy;
  s.timing.width_bytes = 8 << random() % 4;
  s.timing.granule_bytes = s.timing.width_bytes * (1 + static_cast<std::int64_t>(random() % 8));
  s.timing.beat_fs = 100 + random() % 1'000'000 + (random() % 2) * 0.37;
  const std::size_t n = 1 + random() % 5;
  for (std::size_t i = 0; i < n; ++i) {
    s.priority.push_back(static_cast<int>(random() % 3));
    s.weight.push_back(1 + static_cast<int>(random() % 4));
  }
  return s;
}

std::vector<arrival> random_arrivals(std::mt19937& random, const setup& s) {
  std::vector<arrival> out;
  fs_t now = 0;
  const fs_t granule = duration_of(s.timing, s.timing.granule_bytes);
  const int count = 5 + static_cast<int>(random() % 60);
  for (int i = 0; i < count; ++i) {
    switch (random() % 4) {
      case 0:
        break;  // at the same time
      case 1:
        now += static_cast<fs_t>(random() % 3) * granule;
        break;  // exactly when a granule may end
      case 2:
        now += static_cast<fs_t>(random()) % (granule * 3) + 1;
        break;
      default:
        now += static_cast<fs_t>(random()) % (granule * 40) + 1;
    }
    const std::int64_t granules = random() % 3 == 0 ? 1 : 1 + static_cast<std::int64_t>(random() % 50);
    std::int64_t bytes = granules * s.timing.granule_bytes;
    if (random() % 2 == 0) bytes -= static_cast<std::int64_t>(random() % static_cast<unsigned>(s.timing.granule_bytes));
    out.push_back({now, static_cast<int>(random() % s.priority.size()), bytes, random() % 2 == 0});
  }
  return out;
}

// Every registered policy: the channel's jumps equal granting one granule at a time by the same policy.
TEST(share_channel, equals_granule_by_granule_for_every_policy) {
  for (const auto& policy : arbiters().names())
    for (unsigned seed = 0; seed < 400; ++seed) {
      std::mt19937 random(seed);
      const setup s = random_setup(random, policy);
      const auto arrivals = random_arrivals(random, s);
      const auto reference = arbiters().get(policy)();
      for (std::size_t i = 0; i < s.priority.size(); ++i) reference->add_requester(s.priority[i], s.weight[i]);
      std::vector<arbiter_turn> period;
      const outcome expected = brute_force(s, arrivals, [&](const std::vector<arbiter_request>& waiting) {
        period.clear();
        reference->turns(waiting, period);
        reference->granted(period.front().requester, 1);
        return period.front().requester;
      });
      const outcome got = closed_form(s, arrivals, random);
      ASSERT_EQ(got.events, expected.events) << policy << " seed " << seed;
      ASSERT_EQ(got.wait, expected.wait) << policy << " seed " << seed;
    }
}

// The four policies, written again in the plainest way.
int plain_pick(const setup& s, const std::vector<arbiter_request>& waiting, int& last, int& taken) {
  const auto has = [&](int r) {
    return std::any_of(waiting.begin(), waiting.end(), [&](const auto& w) { return w.requester == r; });
  };
  const int n = static_cast<int>(s.priority.size());
  if (s.policy == "fixed_priority") {
    int best = -1;
    for (int r = 0; r < n; ++r)
      if (has(r) && (best < 0 || s.priority[static_cast<std::size_t>(r)] > s.priority[static_cast<std::size_t>(best)]))
        best = r;
    return best;
  }
  if (s.policy == "age") {
    const auto oldest = std::min_element(waiting.begin(), waiting.end(),
                                         [](const auto& a, const auto& b) { return a.arrival < b.arrival; });
    return oldest->requester;
  }
  const int allowed = s.policy == "weighted" && last >= 0 ? s.weight[static_cast<std::size_t>(last)] : 1;
  if (last >= 0 && has(last) && taken < allowed) {
    ++taken;
    return last;
  }
  for (int k = 1; k <= n; ++k)
    if (has((last + k + n) % n)) {
      last = (last + k + n) % n;
      taken = 1;
      return last;
    }
  return -1;
}

TEST(share_channel, built_in_policies_equal_their_plain_description) {
  for (const std::string policy : {"round_robin", "fixed_priority", "weighted", "age"})
    for (unsigned seed = 1000; seed < 1300; ++seed) {
      std::mt19937 random(seed);
      const setup s = random_setup(random, policy);
      const auto arrivals = random_arrivals(random, s);
      int last = -1, taken = 0;
      const outcome expected =
          brute_force(s, arrivals, [&](const auto& waiting) { return plain_pick(s, waiting, last, taken); });
      const outcome got = closed_form(s, arrivals, random);
      ASSERT_EQ(got.events, expected.events) << policy << " seed " << seed;
    }
}

share_channel simple_channel(int requesters, const std::string& policy = "round_robin") {
  share_channel c({64, 64, 1e6}, arbiters().get(policy)());  // a granule takes 1 ns
  for (int i = 0; i < requesters; ++i) c.add_requester();
  return c;
}

TEST(share_channel, a_cache_line_waits_a_granule_and_its_turn_not_a_megabyte) {
  auto c = simple_channel(2);
  channel_event e;
  c.add(nullptr, 0, 1 << 20, 0, 0, false, 1, &e);
  c.add(&c, 1, 64, 500'500'000, 500'500'000, false, 1, &e);  // 500.5 ns: in the middle of a granule
  ASSERT_EQ(c.next(), 502'000'000);                          // 0.5 ns of that granule, then its own
  ASSERT_TRUE(c.pop(c.next(), e));
  EXPECT_EQ(e.item, &c);
  EXPECT_EQ(e.waited, 500'000);
  ASSERT_EQ(c.next(), (16384 + 1) * fs_t{1'000'000});  // the megabyte lost one granule
}

TEST(share_channel, data_that_came_while_the_channel_stood_idle_has_moved_but_for_the_last_granule) {
  auto c = simple_channel(1);
  channel_event e;
  // 64 granules that arrived evenly from 100 ns to 228 ns: the channel is twice as fast.
  EXPECT_FALSE(c.add(&c, 0, 4096, 100'000'000, 228'000'000, false, 1, &e));
  EXPECT_EQ(c.next(), 229'000'000);
  ASSERT_TRUE(c.pop(c.next(), e));
  EXPECT_EQ(e.service, 1'000'000);
  EXPECT_EQ(e.waited, 0);
  EXPECT_EQ(c.busy(), 64'000'000);
  // The half that was left over serves a second stream over the same time, and nothing is left for a third.
  EXPECT_FALSE(c.add(&c, 0, 4096, 101'000'000, 229'000'000, false, 1, &e));
  EXPECT_LE(c.next(), 231'000'000);
  while (c.pop(240'000'000, e)) {
  }
  EXPECT_FALSE(c.add(&c, 0, 4096, 102'000'000, 240'000'000, false, 1, &e));
  EXPECT_GE(c.next(), 240'000'000 + 50 * 1'000'000);
}

TEST(share_channel, a_slower_channel_is_the_bottleneck) {
  auto c = simple_channel(1);
  channel_event e;
  // 64 granules that arrived in 32 ns: half of them have moved meanwhile, the other half follows.
  c.add(&c, 0, 4096, 100'000'000, 132'000'000, false, 1, &e);
  EXPECT_EQ(c.next(), 164'000'000);
}

// A granule at 2, 4, 6 ... ns: idle is [0, 2], and then 1 ns before each. Of more than 1024 such stretches the older
// ones are remembered in pairs, and nothing of their time is lost or made.
struct many_stretches {
  static constexpr std::int64_t count = 1300;  // two times some have to melt together
  static constexpr fs_t ns = 1'000'000, end = (2 * count + 1) * ns;
  share_channel c = simple_channel(1);
  channel_event e;
  many_stretches() {
    for (std::int64_t i = 1; i <= count; ++i) {
      c.add(nullptr, 0, 64, 2 * i * ns, 2 * i * ns, false, 1, &e);
      while (c.pop((2 * i + 1) * ns, e)) {
      }
    }
  }
  /// How many granules of so many are moved after `now`.
  std::int64_t left_of(std::int64_t granules, fs_t since, fs_t now) {
    EXPECT_FALSE(c.add(&c, 0, 64 * granules, since, now, false, 0, &e));
    const fs_t last = c.next();
    EXPECT_TRUE(c.pop(last, e));
    return (last - now) / ns;
  }
};

TEST(share_channel, idle_time_that_melts_together_stays_as_much) {
  many_stretches m;
  // Idle were 1301 ns, and 1301 granules came evenly over the 2601 ns. The oldest four stretches are one by now, 5 ns
  // idle of 8: of these it takes the 4.001 ns that had come by then, of the 1296 others all. One granule is left.
  EXPECT_EQ(m.left_of(m.count + 1, 0, m.end), 1);
  EXPECT_EQ(m.c.busy(), (m.count + m.count + 1) * m.ns);
  EXPECT_EQ(m.left_of(10, 0, m.end + m.ns), 10) << "it was used already";
}

// The oldest four stretches, 5 ns, are one between 0 and 8 ns: from 2 ns on three quarters of that count, 3.75 ns. (Of
// two granules a stretch nothing waits for data.) With the 1296 others that is 1299.75 ns.
TEST(share_channel, idle_time_that_melts_together_lies_evenly_between_its_ends) {
  many_stretches m;
  EXPECT_EQ(m.left_of(2 * m.count, 2 * m.ns, m.end), 2 * m.count - (m.count - 1));
}

TEST(share_channel, no_idle_time_is_used_twice) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    auto c = simple_channel(3, seed % 2 == 0 ? "round_robin" : "age");
    channel_event e;
    fs_t now = 0, end = 0;
    std::int64_t bytes = 0;
    for (int i = 0; i < 200; ++i) {
      now += static_cast<fs_t>(random() % 40'000'000);
      const fs_t since = std::max<fs_t>(0, now - static_cast<fs_t>(random() % 60'000'000));
      const auto size = static_cast<std::int64_t>(64 * (1 + random() % 60));
      if (c.add(&c, static_cast<int>(random() % 3), size, since, now, random() % 2 == 0, static_cast<int>(random() % 2),
                &e))
        end = std::max(end, e.time);
      bytes += size;
      while (c.pop(now, e)) end = std::max(end, e.time);
    }
    while (c.next() != fs_never) {
      ASSERT_TRUE(c.pop(c.next(), e));
      end = std::max(end, e.time);
    }
    EXPECT_EQ(c.busy(), bytes / 64 * 1'000'000);
    EXPECT_LE(c.busy(), end);
    EXPECT_NEAR(c.occupancy().total(), static_cast<double>(c.busy()) / 1000, 1);
  }
}

}  // namespace
}  // namespace memwall
