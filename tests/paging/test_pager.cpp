// SPDX-License-Identifier: Apache-2.0
// Unified memory on a bus with a device's memory and, over a link, the host's; a protocol checker on every link.
#include "hw/paging/pager.h"

#include <gmock/gmock.h>

#include "hw/bus/link.h"
#include "tests/bus/bus_bench.h"

namespace memwall {
namespace {

constexpr std::uint64_t mib = 1 << 20, kib = 1 << 10;
constexpr std::uint64_t managed_base = 0, device_base = gib, host_base = 2 * gib;

link_params pcie3_x16() {
  link_params p = link_preset("pcie3");
  p.lanes = 16;
  return p;
}

// A V100 PCIe 16 GB, scaled down in size only: 80 SMs with 16 KiB in flight each, 900 GB/s of HBM, PCIe 3 x16.
struct machine {
  machine(std::size_t count, std::function<order(std::size_t)> make, std::uint64_t window, std::uint64_t device_bytes,
          std::uint64_t managed_bytes, unsigned seed = 0)
      : fabric("fabric", wide()),
        wire("pcie", pcie3_x16()),
        driver("managed", managed(device_bytes, managed_bytes), 7),
        device(plain_memory("hbm", 71, 300'000, device_bytes)),
        host(plain_memory("host", 1000, 80'000, gib)),
        gpu("gpu", 0, count, std::move(make), window),
        links(seed) {
    links.join(gpu.port, fabric.add_initiator("gpu"));
    links.join(fabric.add_target("managed", managed_base, managed_bytes), driver.upstream);
    links.join(driver.downstream, fabric.add_initiator("driver"));
    links.join(fabric.add_target("hbm", device_base, device_bytes), device->port);
    links.join(fabric.add_target("pcie", host_base, gib), wire.upstream);
    links.join(wire.downstream, host->port);
    driver.attach_device(device_base, device_bytes);
    driver.attach_host(0 + host_base, gib);
  }
  static bus_params wide() {
    bus_params p;
    p.topology = "crossbar";
    p.width = byte_size(64);
    p.clock = frequency(1.4e9);
    p.slices = 24;
    return p;
  }
  static pager_params managed(std::uint64_t device_bytes, std::uint64_t managed_bytes) {
    pager_params p;
    p.device = "hbm";
    p.host = "host";
    p.size = byte_size(static_cast<double>(managed_bytes));
    p.device_size = byte_size(static_cast<double>(device_bytes));
    return p;
  }
  void run() {
    sc_core::sc_start();
    links.verify();
    for (const auto& r : gpu.records) {
      EXPECT_EQ(r.status, tlm::TLM_OK_RESPONSE);
      EXPECT_EQ(r.parts.sum(), r.latency());
    }
  }

  bus fabric;
  link wire;
  pager driver;
  std::unique_ptr<dram_module> device, host;
  traffic_source gpu;
  checked_links links;
};

// a[i] = b[i] + s c[i] in pieces of 64 KiB, twice over; the second time counts.
struct triad {
  std::uint64_t array;
  std::size_t units() const { return static_cast<std::size_t>(array / (64 * kib)) * 3; }
  std::function<order(std::size_t)> orders() const {
    return [*this](std::size_t i) {
      const std::size_t k = i % units(), which = k % 3;
      return order{which * array + k / 3 * 64 * kib, 64 * kib, which == 2, 0};
    };
  }
};
double second_pass_gbps(const machine& m, const triad& t) {
  ps_t begin = 0, end = 0;
  for (std::size_t i = 0; i < m.gpu.records.size(); ++i)
    (i < t.units() ? begin : end) = std::max(i < t.units() ? begin : end, m.gpu.records[i].completed);
  return static_cast<double>(3 * t.array) / static_cast<double>(end - begin) * 1e3;
}

constexpr std::uint64_t v100_window = 80 * 16 * kib;

// Data that fit: the second pass finds everything in the device.
TEST(pager, what_fits_runs_at_the_speed_of_the_device) {
  const triad t{16 * mib};
  machine m(2 * t.units(), t.orders(), v100_window, 64 * mib, 128 * mib);
  m.run();
  EXPECT_EQ(m.driver.report().migrated_in, 48 * static_cast<std::int64_t>(mib));
  EXPECT_EQ(m.driver.report().migrated_out, 0);
  // 900 GB/s at the pins of the plain memory; pages add nothing but the way through the pager.
  EXPECT_GT(second_pass_gbps(m, t), 0.9 * 900);
}

// Measured on a V100 PCIe 16 GB: 5.0 GB/s for 24 GB and for 48 GB of managed memory (um-stream of gpu-benches). Nothing
// here is fitted to that. Every page comes over PCIe 3 x16 and goes back over it, one after the other, and a batch of
// some 20 pages in flight costs 45 us: 1.3 MB / (45 us + 2 x 1.3 MB / 13 GB/s) = 5.3 GB/s.
TEST(pager, beyond_the_device_it_falls_off_the_cliff) {
  const triad t{32 * mib};
  machine m(2 * t.units(), t.orders(), v100_window, 64 * mib, 128 * mib);
  m.run();
  const auto r = m.driver.report();
  EXPECT_EQ(r.hit_bytes + r.fault_bytes, 2 * 96 * static_cast<std::int64_t>(mib));
  EXPECT_GT(r.migrated_out, 0);
  // Each page that came beyond the 64 MiB pushed one out.
  EXPECT_EQ(r.migrated_in - r.migrated_out, 64 * static_cast<std::int64_t>(mib));
  const double gbps = second_pass_gbps(m, t);
  EXPECT_GT(gbps, 5.0 * 0.8);
  EXPECT_LT(gbps, 5.0 * 1.2);
}

// One page at a time: six batches a block (test_page_table.cpp), each with the driver's latency; the first access of
// each waits for it.
TEST(pager, one_page_at_a_time_pays_the_driver_six_times_a_block) {
  machine m(32, stream(0, 64 * kib), 64 * kib, 64 * mib, 64 * mib);
  m.run();
  const auto r = m.driver.report();
  EXPECT_EQ(r.batches, 6u);
  EXPECT_EQ(r.faulted_pages, 6u);
  EXPECT_EQ(r.prefetched_pages, 26u);
  EXPECT_EQ(r.fault_time, 6 * 45'000'000);
  stall_stack all;
  for (const auto& x : m.gpu.records) all += x.parts;
  EXPECT_NEAR(static_cast<double>(all[stall::page_fault]), 6 * 45e6, 6);
  // The copies: what 2 MiB take on the link, and six ways there and back.
  const double wire = 2.0 * mib / pcie3_x16().peak_bytes_per_s() * 1e12;
  EXPECT_GT(static_cast<double>(r.copy_time), wire);
  EXPECT_LT(static_cast<double>(r.copy_time), wire + 6 * 6e6);
}

// A page faults once, however many lines of it are asked for: a thousand lines of two pages are two faults of one
// batch.
TEST(pager, lines_of_a_page_are_one_fault) {
  machine m(1024, stream(0, 128), 128 * kib, 64 * mib, 64 * mib);
  m.run();
  const auto r = m.driver.report();
  EXPECT_EQ(r.transfers, 1024u);
  EXPECT_EQ(r.batches, 1u);
  EXPECT_EQ(r.faulted_pages, 2u);
  EXPECT_EQ(r.prefetched_pages, 0u);
  EXPECT_EQ(r.wait.count, 1024u);
}

// Accesses keep blocks in the device: with two frames and transfers that span blocks nothing is lost and nothing stands
// still.
class pager_stalls : public testing::TestWithParam<unsigned> {};
TEST_P(pager_stalls, random_accesses_all_arrive) {
  const unsigned seed = GetParam();
  machine m(
      200,
      [seed](std::size_t i) {
        std::uint64_t x = (i + 1) * 0x9E3779B97F4A7C15u + seed;
        x ^= x >> 29;
        x *= 0xBF58476D1CE4E5B9u;
        const std::uint64_t bytes = 64 << (x >> 60), at = (x >> 8) % (32 * mib - 2 * mib) / 64 * 64;
        return order{at, bytes, (x & 3) == 0, 0};
      },
      mib, 4 * mib, 32 * mib, seed);
  m.run();
  EXPECT_EQ(m.gpu.completed, 200u);
  const auto r = m.driver.report();
  EXPECT_GT(r.evicted_blocks, 0u);
  EXPECT_LE(r.migrated_in - r.migrated_out, 4 * static_cast<std::int64_t>(mib));
}
INSTANTIATE_TEST_SUITE_P(seeds, pager_stalls, testing::Range(0u, 6u));

TEST(pager, refuses_what_lies_beyond_its_end) {
  // The bus believes in one megabyte more than there is.
  pager driver("managed", machine::managed(64 * mib, 127 * mib), 7);
  traffic_source gpu("gpu", 0, 1, stream(127 * mib, 64), 64);
  auto device = plain_memory("hbm", 71, 300'000, 64 * mib);
  gpu.port.bind(driver.upstream);
  driver.downstream.bind(device->port);
  driver.attach_device(0, 64 * mib);
  driver.attach_host(0, 127 * mib);
  sc_core::sc_start();
  ASSERT_EQ(gpu.records.size(), 1u);
  EXPECT_EQ(gpu.records[0].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(driver.report().errors, 1u);
}

TEST(pager, refuses_parameters_that_do_not_go_together) {
  pager_params p;
  p.page = byte_size(65536 * 3);
  problem_list problems;
  check_pager_params(p, problems, "file", "modules.managed");
  try {
    problems.check();
    FAIL() << "block and page, device and host are wrong";
  } catch (const input_error& e) {
    const std::string text = e.what();
    for (const char* word : {"modules.managed.block", "modules.managed.device", "modules.managed.host", "64 pages"})
      EXPECT_NE(text.find(word), std::string::npos) << text;
  }
}

// A block is a power of two of pages, up to 64.
TEST(pager, blocks_are_whole_pages) {
  const auto complaints = [](double block, double page) {
    pager_params p;
    p.device = "hbm", p.host = "dram";
    p.block = byte_size(block), p.page = byte_size(page);
    problem_list problems;
    check_pager_params(p, problems, "file", "modules.managed");
    try {
      problems.check();
    } catch (const input_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  for (const double pages : {1, 2, 16, 64}) EXPECT_EQ(complaints(pages * 4096, 4096), "") << pages;
  for (const double pages : {0.5, 1.5, 3.0, 48.0, 128.0})
    EXPECT_THAT(complaints(pages * 4096, 4096), testing::HasSubstr("1, 2, 4, ... or 64 pages a block")) << pages;
}

}  // namespace
}  // namespace memwall
