// SPDX-License-Identifier: Apache-2.0
// The bus with the whole protocol: latencies from formulas, sharing, sizes, back-pressure, errors. Every link
// goes through a protocol checker; every scenario also runs with random stalls.
#include <fmt/format.h>

#include "tests/bus/bus_bench.h"

namespace memwall {
namespace {

// One read: arbitration and pipeline there, memory latency and one burst, one granule on the bus, the
// pipeline back.
TEST(bus, one_read_takes_what_the_formula_says) {
  bench b(plain_bus());
  auto& s = b.source(1, stream(0x1000, 64), 64);
  b.memory(1000, 40'000, 0, gib);
  b.run();
  ASSERT_EQ(s.records.size(), 1u);
  const auto& r = s.records[0];
  EXPECT_EQ(r.status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(r.latency(), (2000 + 3000) + (40'000 + 1000) + 1000 + 3000);
  EXPECT_EQ(r.parts[stall::bus_transfer], 5000 + 1000 + 3000);
  EXPECT_EQ(r.parts[stall::dram_latency], 40'000);
  EXPECT_EQ(r.parts[stall::dram_data], 1000);
  EXPECT_EQ(r.parts[stall::bus_wait], 0);
}

// One write: the granule goes with the request; the response has no data.
TEST(bus, one_write_takes_what_the_formula_says) {
  bench b(plain_bus());
  auto& s = b.source(1, stream(0, 64, true), 64);
  b.memory(1000, 40'000, 0, gib);
  b.run();
  EXPECT_EQ(s.records[0].latency(), 1000 + (2000 + 3000) + (40'000 + 1000) + 3000);
}

TEST(bus, one_read_over_a_crossbar_takes_the_same) {
  auto p = plain_bus();
  p.topology = "crossbar";
  bench b(p);
  auto& s = b.source(
      2,
      [](std::size_t i) {
        return order{0, 64, i == 1, static_cast<ps_t>(i) * 1'000'000};
      },
      64);
  b.memory(1000, 40'000, 0, gib);
  b.run();
  EXPECT_EQ(s.records[0].latency(), (2000 + 3000) + (40'000 + 1000) + 1000 + 3000);
  EXPECT_EQ(s.records[1].latency(), 1000 + (2000 + 3000) + (40'000 + 1000) + 3000);
}

// A large transfer costs its time at the slower of memory and bus, plus one granule or burst at the other.
TEST(bus, a_large_transfer_is_cut_through) {
  bench b(plain_bus());
  const std::uint64_t bytes = 1 << 20;
  auto& s = b.source(
      2,
      [&](std::size_t i) {
        return order{0, bytes, i == 1, static_cast<ps_t>(i) * 1'000'000'000};
      },
      bytes);
  b.memory(2000, 40'000, 0, gib);  // half as fast as the bus
  b.run();
  const ps_t bursts = static_cast<ps_t>(bytes / 64);
  EXPECT_EQ(s.records[0].latency(), 5000 + 40'000 + bursts * 2000 + 1000 + 3000);
  EXPECT_EQ(s.records[1].latency(), 1000 + 5000 + 40'000 + bursts * 2000 + 3000);
}

TEST(bus, a_slow_bus_takes_its_own_time) {
  bench b(plain_bus());
  const std::uint64_t bytes = 1 << 20;
  auto& s = b.source(
      2,
      [&](std::size_t i) {
        return order{0, bytes, i == 1, static_cast<ps_t>(i) * 1'000'000'000};
      },
      bytes);
  b.memory(250, 40'000, 0, gib);  // four times as fast as the bus
  b.run();
  const ps_t granules = static_cast<ps_t>(bytes / 64);
  // The first burst is at the bus after 250 ps; from then on the bus is never idle. The channel counts whole
  // granules that fit into what has passed, hence one granule of slack.
  const ps_t read = 5000 + 40'000 + 250 + granules * 1000 + 3000;
  EXPECT_NEAR(static_cast<double>(s.records[0].latency()), static_cast<double>(read), 1000);
  EXPECT_NEAR(static_cast<double>(s.records[1].latency()), static_cast<double>(granules * 1000 + 5000 + 3000), 1000);
}

struct size_case {
  std::uint64_t bytes;
  ps_t burst;
  int initiators;
  bool write;
  const char* topology;
};

std::string case_name(const size_case& c) {
  return fmt::format("{}_{}ps_{}x_{}_{}", c.bytes, c.burst, c.initiators, c.write ? "write" : "read", c.topology);
}
void PrintTo(const size_case& c, std::ostream* out) {
  *out << case_name(c);
}

// Law 7: the same byte stream in 64-byte and in large transfers takes the same time, within 1 %.
ps_t stream_time(const size_case& c) {
  auto p = plain_bus();
  p.topology = c.topology;
  bench b(p, false);
  const std::uint64_t total = 16 << 20;
  for (int i = 0; i < c.initiators; ++i) {
    auto& s = b.source(total / static_cast<std::uint64_t>(c.initiators) / c.bytes,
                       stream(static_cast<std::uint64_t>(i) * total, c.bytes, c.write), 512 * 1024);
    s.keep_records = false;
  }
  b.memory(c.burst, 40'000, 0, gib);
  b.run();
  ps_t end = 0;
  for (const auto& s : b.sources) end = std::max(end, s->finished);
  return end;
}

class transfer_size : public testing::TestWithParam<size_case> {};
TEST_P(transfer_size, does_not_change_the_time_of_a_stream) {
  const auto c = GetParam();
  const ps_t measured = stream_time(c);
  const double slowest = static_cast<double>(std::max<ps_t>(c.burst, 1000)) * (16 << 20) / 64;
  // Burst by burst the stream takes the slower one's time plus the way there and back once.
  EXPECT_NEAR(static_cast<double>(measured) / slowest, 1.0, 0.01);
}
std::vector<size_case> size_cases() {
  std::vector<size_case> out;
  for (const std::uint64_t bytes : {64, 4096, 262144})
    for (const ps_t burst : {500, 2000})
      for (const int initiators : {1, 2})
        for (const bool write : {false, true})
          for (const char* topology : {"shared", "crossbar"})
            out.push_back({bytes, burst, initiators, write, topology});
  return out;
}
INSTANTIATE_TEST_SUITE_P(bus, transfer_size, testing::ValuesIn(size_cases()),
                         [](const auto& i) { return case_name(i.param); });

}  // namespace
}  // namespace memwall
