// SPDX-License-Identifier: Apache-2.0
// Links: latency and bandwidth from formulas, presets against their published figures, sharing by packets.
#include <fmt/format.h>

#include <memory>

#include "hw/bus/bus.h"
#include "hw/bus/link.h"
#include "tests/support/checked_links.h"
#include "tests/support/traffic.h"

namespace memwall {
namespace {

// 64 data bytes a nanosecond: 80 raw ones, of which one in five is overhead.
link_params plain_link() {
  link_params p;
  p.lanes = 10;
  p.lane_rate = bit_rate(64e9);
  p.packet_payload = byte_size(256);
  p.packet_overhead = byte_size(64);
  p.read_request = byte_size(512);
  p.request_overhead = byte_size(64);
  p.latency = duration(100e-9);
  return p;
}

struct line {
  explicit line(const link_params& p, ps_t burst, unsigned seed = 0)
      : wire("wire", p), memory(plain_memory("memory", burst, 40'000)), stalled(seed, 30'000) {
    in = &stalled.before(wire.upstream);
    checked.join(wire.downstream, memory->port);
  }
  void run() {
    sc_core::sc_start();
    stalled.verify();
    checked.verify();
  }
  link wire;
  std::unique_ptr<dram_module> memory;
  checked_links stalled, checked;
  protocol_checker* in = nullptr;
};

TEST(link, one_read_and_one_write_take_what_the_formula_says) {
  line l(plain_link(), 1000);
  traffic_source s(
      "source", 0, 2,
      [](std::size_t i) {
        return order{0, 256, i == 1, static_cast<ps_t>(i) * 10'000'000};
      },
      256);
  s.port.bind(l.in->from_initiator);
  l.run();
  // Read: 256 bytes ask for 256 * 64 / 512 = 32 raw bytes = 0.4 ns (the channel counts 26 whole bytes of data
  // rate: 0.40625 ns); four bursts of memory; the data at 64 B/ns, of which all but the last packet of 256
  // bytes may have moved meanwhile: 4 ns.
  EXPECT_EQ(s.records[0].latency(), 407 + 100'000 + 40'000 + 4'000 + 4'000 + 100'000);
  EXPECT_EQ(s.records[0].parts.sum(), s.records[0].latency());
  EXPECT_EQ(s.records[0].parts[stall::link], 200'000 + 4'000 + 407);
  EXPECT_EQ(s.records[1].latency(), 4'000 + 100'000 + 44'000 + 100'000);
  const auto report = l.wire.report();
  ASSERT_EQ(report.initiators.size(), 1U);
  const fabric_port_report& port = report.initiators[0];
  EXPECT_EQ(port.transfers, 2U);
  EXPECT_EQ(port.round_trip.count, 2U);
  EXPECT_EQ(port.round_trip.min_ps, s.records[1].latency());
  EXPECT_EQ(port.round_trip.max_ps, s.records[0].latency());
  EXPECT_EQ(port.wait.count, 2U);
  EXPECT_EQ(port.wait.max_ps, 0);
  EXPECT_EQ(port.read_bytes.sum(), 256);
  EXPECT_EQ(port.write_bytes.sum(), 256);
}

TEST(link, a_large_read_takes_its_time_on_the_wire_once) {
  line l(plain_link(), 500);
  const std::uint64_t bytes = 1 << 20;
  traffic_source s(
      "source", 0, 1,
      [=](std::size_t) {
        return order{0, bytes, false, 0};
      },
      bytes);
  s.port.bind(l.in->from_initiator);
  l.run();
  const double wire = static_cast<double>(bytes) / 64 * 1000;
  EXPECT_NEAR(static_cast<double>(s.records[0].latency()), 240'000 + 500 + wire, 5'000);
}

TEST(link, credits_limit_a_direction_to_what_fits_in_a_round_trip) {
  auto p = plain_link();
  p.credits = byte_size(3200);  // 3200 bytes in 200 ns: 16 bytes a nanosecond, a quarter of the wire
  line l(p, 100);
  const std::uint64_t bytes = 1 << 20;
  traffic_source s(
      "source", 0, 1,
      [=](std::size_t) {
        return order{0, bytes, false, 0};
      },
      bytes);
  s.port.bind(l.in->from_initiator);
  l.run();
  EXPECT_NEAR(static_cast<double>(s.records[0].latency()), static_cast<double>(bytes) / 16 * 1000 + 240'000, 20'000);
}

// One under way: the second read, issued with the first, is let in when that has been answered, and takes as long
// again.
TEST(link, who_waits_to_be_let_in_has_waited_since_it_came) {
  auto p = plain_link();
  p.outstanding = 1;
  line l(p, 1000);
  traffic_source s(
      "source", 0, 3,
      [](std::size_t i) {
        return order{i * 256, 256, false, 1'000'000};
      },
      768);
  s.port.bind(l.in->from_initiator);
  l.run();
  const ps_t read = 407 + 100'000 + 40'000 + 4'000 + 4'000 + 100'000;
  EXPECT_EQ(s.records[0].completed, 1'000'000 + read);
  // (The wire counts in femtoseconds: a request takes 406.25 ps.)
  EXPECT_NEAR(static_cast<double>(s.records[1].completed), static_cast<double>(1'000'000 + 2 * read), 2);
  EXPECT_NEAR(static_cast<double>(s.records[2].completed), static_cast<double>(1'000'000 + 3 * read), 4);
  EXPECT_NEAR(static_cast<double>(s.records[1].parts[stall::link]),
              static_cast<double>(read + s.records[0].parts[stall::link]), 2);
  for (const auto& r : s.records) EXPECT_EQ(r.parts.sum(), r.latency());
}

// A memory with room for one read of 44 ns: the others wait at the end of the wire, in order, and follow one another.
TEST(link, a_full_memory_pushes_back) {
  link wire("wire", plain_link());
  const auto memory = plain_memory("memory", 1000, 40'000, std::uint64_t{1} << 40, 1);
  checked_links checked;
  traffic_source s(
      "source", 0, 20,
      [](std::size_t i) {
        return order{i * 256, 256, false, 0};
      },
      20 * 256);
  checked.join(s.port, wire.upstream);
  checked.join(wire.downstream, memory->port);
  sc_core::sc_start();
  checked.verify();
  ASSERT_EQ(s.completed, 20u);
  for (std::size_t i = 0; i < 20; ++i)
    EXPECT_NEAR(static_cast<double>(s.records[i].completed),
                static_cast<double>(407 + 100'000 + static_cast<ps_t>(i + 1) * 44'000 + 4'000 + 100'000), 10)
        << i;
}

class link_stalls : public testing::TestWithParam<unsigned> {};
TEST_P(link_stalls, change_times_and_nothing_else) {
  line l(plain_link(), 1000, GetParam());
  traffic_source s(
      "source", 0, 300,
      [](std::size_t i) {
        return order{i * 4096, 64 + (i % 7) * 320, i % 3 == 0, 0};
      },
      8192);
  s.port.bind(l.in->from_initiator);
  l.run();
  ASSERT_EQ(s.completed, 300u);
  for (const auto& r : s.records) {
    EXPECT_EQ(r.status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(r.parts.sum(), r.latency());
  }
  const auto report = l.wire.report();
  EXPECT_EQ(report.bytes, l.memory->report().read_bytes.sum() + l.memory->report().write_bytes.sum());
}
INSTANTIATE_TEST_SUITE_P(seeds, link_stalls, testing::Range(0u, 6u));

// Published: GB/s a direction. Full packets may lose up to a tenth of it to headers.
TEST(link, presets_have_their_published_bandwidth) {
  const std::pair<const char*, double> published[] = {{"pcie3", 16e9},    {"pcie4", 32e9},    {"pcie5", 64e9},
                                                      {"pcie6", 128e9},   {"nvlink2", 150e9}, {"nvlink3", 300e9},
                                                      {"nvlink4", 450e9}, {"nvlink5", 900e9}};
  for (const auto& [name, rate] : published) {
    const auto p = link_preset(name);
    EXPECT_NEAR(static_cast<double>(p.lanes) * p.lane_rate.value / 8, rate, rate * 0.001) << name;
    EXPECT_LT(p.peak_bytes_per_s(), rate) << name;
    EXPECT_GT(p.peak_bytes_per_s(), 0.86 * rate) << name;
  }
  for (const auto& name : link_preset_names()) EXPECT_GT(link_preset(name).peak_bytes_per_s(), 0) << name;
}

TEST(link, presets_can_be_changed_and_wrong_ones_are_named) {
  problem_list problems;
  const auto p = read_link_params(config::node::parse_text("{preset: pcie5, lanes: 8}", "t.yaml"), problems, "links.a");
  EXPECT_NO_THROW(problems.check());
  EXPECT_EQ(p.lanes, 8);
  EXPECT_EQ(p.preset, "pcie5");
  EXPECT_DOUBLE_EQ(p.peak_bytes_per_s(), link_preset("pcie5").peak_bytes_per_s() / 2);
  EXPECT_EQ(link_param_table().write(p)["lanes"], 8);
  problem_list wrong;
  read_link_params(config::node::parse_text("{preset: pci5, lanes: 0, latncy: 3 ns}", "t.yaml"), wrong, "links.a");
  try {
    wrong.check();
    FAIL();
  } catch (const input_error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("pcie5"), std::string::npos) << text;
    EXPECT_NE(text.find("latency"), std::string::npos) << text;
    EXPECT_NE(text.find("links.a.lanes"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace memwall
