// SPDX-License-Identifier: Apache-2.0
#include "hw/common/statistics.h"

#include <algorithm>
#include <random>

#include "hw/common/probe.h"
#include "hw/common/stall.h"

namespace memwall {
namespace {

TEST(latency_histogram, percentiles_are_within_a_sixteenth) {
  std::mt19937 random(1);
  latency_histogram h;
  std::vector<ps_t> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(static_cast<ps_t>(random()) >> (random() % 31));
    h.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(q * 10'000) - 1]);
    EXPECT_GE(static_cast<double>(h.percentile(q)), exact);
    EXPECT_LE(static_cast<double>(h.percentile(q)), exact * (1 + 1.0 / 16) + 1);
  }
  EXPECT_EQ(h.min(), values.front());
  EXPECT_EQ(h.max(), values.back());
  EXPECT_EQ(h.percentile(1), values.back());
  std::uint64_t sum = 0;
  for (const auto& b : h.bins()) {
    sum += b.count;
    const auto inside = std::count_if(values.begin(), values.end(), [&](ps_t v) { return v >= b.low && v < b.high; });
    EXPECT_EQ(static_cast<std::uint64_t>(inside), b.count);
  }
  EXPECT_EQ(sum, 10'000u);
}

// Of one value every percentile is that value: the bin's end is cut at the largest and the smallest one seen.
TEST(latency_histogram, one_value_is_all_its_percentiles) {
  latency_histogram h;
  EXPECT_EQ(h.percentile(0.5), 0);
  h.add(1'234'567);
  for (const double q : {0.0, 0.5, 0.99, 1.0}) EXPECT_EQ(h.percentile(q), 1'234'567) << q;
}

TEST(time_series, does_not_depend_on_the_order_and_keeps_the_sum) {
  time_series a(16, 10), b(16, 10);
  const std::pair<ps_t, ps_t> spans[] = {{0, 10}, {5, 5000}, {100, 100}, {4000, 4500}, {7, 23}};
  for (const auto& s : spans) a.add(s.first, s.second, 6);
  for (auto s = std::rbegin(spans); s != std::rend(spans); ++s) b.add(s->first, s->second, 6);
  EXPECT_EQ(a.bucket_width(), b.bucket_width());
  ASSERT_EQ(a.values().size(), b.values().size());
  for (std::size_t i = 0; i < a.values().size(); ++i) EXPECT_EQ(a.values()[i], b.values()[i]);
  EXPECT_EQ(a.total(), 30);
  EXPECT_EQ(a.bucket_width(), 320);  // 16 buckets of 10 doubled until they reach 5000
}

// What takes no time lies in the bucket that begins with it.
TEST(time_series, an_amount_at_a_border_of_buckets_is_kept) {
  time_series s(4, 10);
  s.add(10, 10, 3);
  EXPECT_EQ(s.values(), (std::vector<double>{0, 3}));
  EXPECT_EQ(s.total(), 3);
}

TEST(probe, tells_a_listener_of_changes_only) {
  struct counter : probe_listener {
    void changed(const probe_base& p) override { ++count, last = p.number(); }
    void changed_at(const probe_base&, double value, ps_t at) override { ++count, last = value, when = at; }
    int count = 0;
    double last = 0;
    ps_t when = -1;
  } listener;
  probe<unsigned> p("owner", std::vector<std::string>{"idle", "cpu"});
  p.set(1);
  p.listen(&listener);
  p.set(1);
  EXPECT_EQ(listener.count, 0);
  p.set(0);
  EXPECT_EQ(listener.count, 1);
  EXPECT_EQ(listener.last, 0);
  EXPECT_EQ(p.states()[1], "cpu");
  // A timed one: unknown until it is set, told with its time, and once.
  timed_probe t("busy", probe_base::kind::boolean);
  EXPECT_TRUE(std::isnan(t.number()));
  t.listen(&listener, 7);
  t.set(1, 500);
  t.set(1, 600);
  EXPECT_EQ(listener.count, 2);
  EXPECT_EQ(listener.when, 500);
  t.forget(700);
  t.forget(800);
  EXPECT_EQ(listener.count, 3);
  EXPECT_TRUE(std::isnan(listener.last));
  EXPECT_EQ(t.tag(), 7u);
}

// Largest remainder, ties to the earlier cause, by the definition.
TEST(apportion, equals_its_definition) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 3000; ++round) {
    stall_stack weights;
    const unsigned used = 1 + random() % 6;
    const int shift = static_cast<int>(random() % 34);
    for (unsigned k = 0; k < used; ++k)
      weights.part[random() % stall_count] = static_cast<ps_t>((random() & 0xffff) << shift >> 2);
    const auto total = static_cast<ps_t>(random() >> (20 + random() % 40));
    stall_stack expected;
    const ps_t sum = weights.sum();
    if (sum == 0) {
      expected[stall::idle] = total;
    } else {
      ps_t given = 0;
      std::vector<std::pair<__int128, std::size_t>> rests;
      for (std::size_t i = 0; i < stall_count; ++i) {
        const __int128 product = static_cast<__int128>(total) * weights.part[i];
        expected.part[i] = static_cast<ps_t>(product / sum);
        given += expected.part[i];
        rests.emplace_back(-(product % sum), i);
      }
      std::sort(rests.begin(), rests.end());
      for (std::size_t k = 0; given < total; ++k, ++given) ++expected.part[rests[k].second];
    }
    EXPECT_EQ(apportion(total, weights, stall::idle).part, expected.part);
  }
}

}  // namespace
}  // namespace memwall
