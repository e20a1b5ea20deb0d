// SPDX-License-Identifier: Apache-2.0
// What a generator offers: how often, where, how much at once; a protocol checker on its link.
#include "hw/core/traffic_generator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/support/checked_links.h"
#include "tests/support/traffic.h"

namespace memwall {
namespace {

constexpr ps_t burst = 1000, latency = 40'000, alone = latency + burst;  ///< of the memory

struct bench {
  explicit bench(const generator_params& p, std::uint64_t seed = 1)
      : memory("memory", dram_params{}, std::make_unique<noting_engine>(burst, latency, asked), std::uint64_t{1} << 40),
        generator("generator", p, 0, seed) {
    links.join(generator.port, memory.port);
  }
  /// So long; then it is stopped, and what is under way ends.
  void run(ps_t time) {
    sc_core::sc_start(to_sc_time(time));
    generator.stop();
    sc_core::sc_start();
    links.verify();
  }
  std::vector<dram::transfer> asked;
  dram_module memory;
  traffic_generator generator;
  checked_links links;
};

// 64 bytes at 16 GB/s: one every 4 ns from 100 ns on, eleven of them under way (41 ns), so that nothing holds it back.
// Ten places, one after the other, again and again.
TEST(traffic_generator, offers_its_rate_in_order_from_its_beginning_on) {
  generator_params p;
  p.rate = bandwidth(16e9);
  p.footprint = byte_size(640);
  p.begin = duration(100e-9);
  bench b(p);
  b.generator.set_base(1 << 20);
  b.run(100'000 + 999 * 4000 + 1);
  ASSERT_EQ(b.asked.size(), 1000u);
  for (std::size_t i = 0; i < b.asked.size(); ++i) {
    EXPECT_EQ(b.asked[i].arrival, 100'000 + static_cast<ps_t>(i) * 4000);
    EXPECT_EQ(b.asked[i].address, (1 << 20) + i % 10 * 64);
    EXPECT_EQ(b.asked[i].bytes, 64u);
    EXPECT_FALSE(b.asked[i].write);
  }
  const auto& s = b.generator.stats();
  EXPECT_EQ(s.transfers, 1000u);
  EXPECT_EQ(s.read, 64'000);
  EXPECT_EQ(s.written, 0);
  EXPECT_EQ(s.latency.count(), 1000u);
  EXPECT_EQ(s.latency.min(), alone);
  EXPECT_EQ(s.latency.max(), alone);
  EXPECT_EQ(s.parts.sum(), 1000 * alone);
}

// Two under way at most, faster than the memory: the first pair is sent at once and comes back after 41 and 42 ns, each
// of them followed by another. Up to 410.5 ns that are 11 of the one (at 0, 41, ... 410) and 10 of the other (at 0, 42,
// 83, ... 370).
TEST(traffic_generator, waits_where_too_many_are_under_way) {
  generator_params p;
  p.rate = bandwidth(1e13);
  p.outstanding = 2;
  bench b(p);
  b.run(410'500);
  EXPECT_EQ(b.asked.size(), 21u);
  ASSERT_GT(b.asked.size(), 4u);
  EXPECT_EQ(b.asked[2].arrival, 41'000);
  EXPECT_EQ(b.asked[3].arrival, 42'000);
  EXPECT_EQ(b.asked[4].arrival, 82'000);
}

// One under way at a time, each 41 ns, though one is due every 40 ns: what it is behind it makes up for, so that it
// goes on at the memory's pace.
TEST(traffic_generator, what_was_due_is_not_forgotten) {
  generator_params p;
  p.rate = bandwidth(64 / 40e-9);
  p.outstanding = 1;
  bench b(p);
  b.run(100 * alone + 1);
  ASSERT_EQ(b.asked.size(), 101u);
  for (std::size_t i = 0; i < b.asked.size(); ++i) EXPECT_EQ(b.asked[i].arrival, static_cast<ps_t>(i) * alone);
}

// A quarter of 4000 writes: 1000 within five standard deviations, sqrt(4000 x 1/4 x 3/4) = 27.4. Random places: of a
// hundred in the footprint none is left out (chances of (1 - 1/100)^4000 each), nothing lies outside.
TEST(traffic_generator, writes_its_share_and_goes_everywhere) {
  generator_params p;
  p.rate = bandwidth(32e9);
  p.write_fraction = 0.25;
  p.pattern = "random";
  p.footprint = byte_size(6400 + 63);  // whole transfers only
  p.outstanding = 64;
  bench b(p);
  b.run(3999 * 2000 + 1);
  ASSERT_EQ(b.asked.size(), 4000u);
  std::set<std::uint64_t> places;
  int writes = 0;
  bool in_order = true;
  for (std::size_t i = 0; i < b.asked.size(); ++i) {
    const auto& t = b.asked[i];
    EXPECT_EQ(t.address % 64, 0u);
    EXPECT_LT(t.address, 6400u);
    places.insert(t.address);
    writes += t.write ? 1 : 0;
    in_order = in_order && t.address == i % 100 * 64;
  }
  EXPECT_EQ(places.size(), 100u);
  EXPECT_FALSE(in_order);
  EXPECT_NEAR(writes, 1000, 5 * 27.4);
  EXPECT_EQ(b.generator.stats().written, writes * 64);
  EXPECT_EQ(b.generator.stats().read, (4000 - writes) * 64);
}

TEST(traffic_generator, a_share_of_one_is_writes_only) {
  generator_params p;
  p.write_fraction = 1;
  p.rate = bandwidth(16e9);
  bench b(p);
  b.run(99 * 4000 + 1);
  ASSERT_EQ(b.asked.size(), 100u);
  for (const auto& t : b.asked) EXPECT_TRUE(t.write);
}

}  // namespace
}  // namespace memwall
