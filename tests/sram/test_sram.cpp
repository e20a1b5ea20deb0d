// SPDX-License-Identifier: Apache-2.0
// An on-chip buffer: one port in order of arrival, then a fixed latency. Every link goes through a protocol checker,
// and each scenario also runs with random stalls where its times do not matter.
#include <gtest/gtest.h>

#include "hw/sram/sram.h"
#include "tests/support/checked_links.h"
#include "tests/support/traffic.h"

namespace memwall {
namespace {

// 64 bytes a nanosecond, 10 ns.
sram_params buffer() {
  sram_params p;
  p.size = byte_size(1 << 20);
  p.port_bandwidth = bandwidth(64e9);
  p.latency = duration(10e-9);
  return p;
}

/// A source right before a buffer.
struct bench {
  bench(std::size_t count, std::function<order(std::size_t)> make, std::uint64_t window = 1 << 20,
        unsigned stall_seed = 0)
      : memory("memory", buffer()), source("source", 0, count, std::move(make), window), links(stall_seed) {
    links.join(source.port, memory.port);
  }
  void run() {
    sc_core::sc_start();
    links.verify();
    for (const auto& r : source.records) EXPECT_EQ(r.parts.sum(), r.latency());
  }
  sram_module memory;
  traffic_source source;
  checked_links links;
};

TEST(sram, a_read_and_a_write_take_bytes_over_bandwidth_and_the_latency) {
  bench b(2, [](std::size_t i) { return order{0, i == 0 ? 64u : 4096u, i == 1, static_cast<ps_t>(i) * 1'000'000}; });
  b.run();
  ASSERT_EQ(b.source.completed, 2u);
  const auto &read = b.source.records[0], &write = b.source.records[1];
  EXPECT_EQ(read.status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(read.latency(), 1000 + 10'000);
  EXPECT_EQ(write.status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(write.latency(), 64 * 1000 + 10'000);
  EXPECT_EQ(read.parts[stall::bus_transfer], read.latency());
  EXPECT_EQ(read.parts[stall::bus_wait], 0);
  const auto& s = b.memory.stats();
  EXPECT_EQ(s.read[traffic::weights], 64);
  EXPECT_EQ(s.written[traffic::weights], 4096);
  EXPECT_EQ(s.busy, 1000 + 64 * 1000);
  EXPECT_EQ(s.transfers, 2u);
  EXPECT_EQ(s.errors, 0u);
}

// Ten at once: the port takes one after the other, the latencies overlap. Who waits is told so.
TEST(sram, transfers_take_the_port_in_order_and_share_the_latency) {
  bench b(10, [](std::size_t i) { return order{i * 640, 640, i % 2 == 1, 0}; });
  b.run();
  ASSERT_EQ(b.source.completed, 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    const auto& r = b.source.records[i];
    EXPECT_EQ(r.completed, static_cast<ps_t>(i + 1) * 10'000 + 10'000) << i;
    EXPECT_EQ(r.parts[stall::bus_wait], static_cast<ps_t>(i) * 10'000) << i;
    EXPECT_EQ(r.parts[stall::bus_transfer], 10'000 + 10'000) << i;
  }
  const auto& latency = b.memory.stats().latency;
  EXPECT_EQ(latency.count(), 10u);
  EXPECT_EQ(latency.min(), 20'000);
  EXPECT_EQ(latency.max(), 110'000);
}

// A window of one: the port waits for the source, nobody for the port.
TEST(sram, pauses_are_not_made_up_for) {
  bench b(
      3,
      [](std::size_t i) {
        return order{0, 64, false, static_cast<ps_t>(i) * 50'000};
      },
      64);
  b.run();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(b.source.records[i].completed, static_cast<ps_t>(i) * 50'000 + 11'000);
  EXPECT_EQ(b.memory.stats().busy, 3 * 1000);
}

// The last byte of 1 MiB is inside, one more is not; nor is what is larger than the whole.
TEST(sram, addresses_outside_are_errors_and_move_nothing) {
  const std::uint64_t size = 1 << 20;
  const order orders[] = {{size - 64, 64}, {size - 63, 64, true}, {size, 64}, {0, size + 64}, {UINT64_MAX - 63, 64}};
  bench b(
      5, [&](std::size_t i) { return orders[i]; }, 64);
  b.run();
  ASSERT_EQ(b.source.completed, 5u);
  EXPECT_EQ(b.source.records[0].status, tlm::TLM_OK_RESPONSE);
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(b.source.records[i].status, tlm::TLM_ADDRESS_ERROR_RESPONSE) << i;
    EXPECT_EQ(b.source.records[i].latency(), 0) << i;
  }
  const auto& s = b.memory.stats();
  EXPECT_EQ(s.transfers, 5u);
  EXPECT_EQ(s.errors, 4u);
  EXPECT_EQ(s.read.sum(), 64);
  EXPECT_EQ(s.written.sum(), 0);
  EXPECT_EQ(s.busy, 1000);
}

TEST(sram, random_stalls_lose_nothing) {
  bench b(
      200,
      [](std::size_t i) {
        return order{i * 64, 64 * (1 + i % 5), i % 3 == 0, 0};
      },
      2048, 7);
  b.run();
  ASSERT_EQ(b.source.completed, 200u);
  std::int64_t read = 0, written = 0;
  for (std::size_t i = 0; i < 200; ++i) (i % 3 == 0 ? written : read) += 64 * (1 + static_cast<std::int64_t>(i) % 5);
  EXPECT_EQ(b.memory.stats().read.sum(), read);
  EXPECT_EQ(b.memory.stats().written.sum(), written);
  // No faster than the port.
  EXPECT_GE(b.source.finished, (read + written) / 64 * 1000 + 10'000);
}

}  // namespace
}  // namespace memwall
