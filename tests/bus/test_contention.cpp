// SPDX-License-Identifier: Apache-2.0
// Who waits for whom on a bus, and what happens when something is wrong or random.
#include "hw/bus/arbiter.h"
#include "hw/bus/link.h"
#include "hw/bus/topology.h"
#include "tests/bus/bus_bench.h"

namespace memwall {
namespace {

ps_t mean_latency(const traffic_source& s) {
  ps_t sum = 0;
  for (const auto& r : s.records) sum += r.latency();
  return sum / static_cast<ps_t>(s.records.size());
}

// A stream that fills the bus, and single reads every microsecond. The memory is eight times as fast as the
// bus.
struct contest {
  ps_t latency, wait;
  bus_report report;
};
contest contend(bus_params p, std::uint64_t stream_bytes, const bus_initiator_options& streamer,
                const bus_initiator_options& reader) {
  bench b(p, stream_bytes > 64);
  const std::uint64_t total = 4 << 20;  // 65.5 us of bus
  b.source(total / stream_bytes, stream(0, stream_bytes), 256 * 1024, streamer).keep_records = false;
  auto& reads = b.source(
      50,
      [](std::size_t i) {
        return order{gib + i * 64, 64, false, 5'000'000 + static_cast<ps_t>(i) * 1'000'300};
      },
      64, reader);
  b.memory(125, 40'000, 0, 2 * gib);
  b.run();
  const auto report = b.fabric.report();
  return {mean_latency(reads), static_cast<ps_t>(report.initiators[1].wait.mean_ps), report};
}

constexpr ps_t alone = 5000 + 40'125 + 1000 + 3000;
// In the memory a read may stand behind one burst, on the bus behind one granule in progress; it comes between two
// edges of the bus's 1 GHz, and so do its data from the memory: up to a clock each.
constexpr ps_t behind = 125 + 1000 + 125 + 2 * 1000;

// In turn: a read waits for the granule in progress and one more at most, whether the stream comes in cache
// lines or in quarters of a megabyte.
TEST(contention, a_read_waits_its_turn_whatever_the_size_of_the_others) {
  const auto c = contend(plain_bus(), 262144, {}, {});
  EXPECT_GE(c.latency, alone);
  EXPECT_LE(c.latency, alone + behind);
  EXPECT_LE(c.wait, 1000);
  EXPECT_GT(c.report.waited_for[1][0], 0);
  EXPECT_LE(c.report.waited_for[1][0], 50 * 1000);
  EXPECT_EQ(c.report.waited_for[1][1], 0);
}

TEST(contention, the_same_with_cache_lines) {
  const auto c = contend(plain_bus(), 64, {}, {});
  EXPECT_GE(c.latency, alone);
  EXPECT_LE(c.latency, alone + behind);
}

TEST(contention, the_oldest_first_makes_a_read_wait_for_what_came_before) {
  auto p = plain_bus();
  p.arbiter = "age";
  const auto c = contend(p, 65536, {}, {});
  // Up to 256 KiB of the stream, 4096 granules, are at the bus before it.
  EXPECT_GT(c.latency, alone + 500'000);
  EXPECT_LE(c.latency, alone + 4096 * 1000 + 1000);
}

TEST(contention, priority_is_obeyed) {
  auto p = plain_bus();
  p.arbiter = "fixed_priority";
  bus_initiator_options high;
  high.priority = 1;
  const auto first = contend(p, 65536, {}, high);
  EXPECT_LE(first.latency, alone + behind);
}

TEST(contention, lower_priority_waits_until_the_stream_pauses) {
  auto p = plain_bus();
  p.arbiter = "fixed_priority";
  bus_initiator_options high;
  high.priority = 1;
  const auto last = contend(p, 65536, high, {});
  // The first read, at 5 us, waits until the stream is over at 65.5 us; the others come after that.
  EXPECT_GT(last.report.initiators[1].wait.max_ps, 60'000'000);
  EXPECT_LT(last.report.initiators[1].wait.max_ps, 61'000'000);
}

TEST(contention, weights_divide_the_bus) {
  auto p = plain_bus();
  p.arbiter = "weighted";
  bench b(p, false);
  bus_initiator_options three;
  three.weight = 3;
  auto& heavy = b.source(1024, stream(0, 4096), 256 * 1024, three);
  auto& light = b.source(1024, stream(gib, 4096), 256 * 1024);
  b.memory(125, 40'000, 0, 2 * gib);
  b.run();
  // While both are active the heavy one has three granules of four: its 4 MiB take 4/3 of their own time;
  // then the light one has the bus alone.
  const double own = 1024.0 * 64 * 1000;
  EXPECT_NEAR(static_cast<double>(heavy.finished) / own, 4.0 / 3, 0.02);
  EXPECT_NEAR(static_cast<double>(light.finished) / own, 2.0, 0.02);
}

// Waiting grows with the load of the others, and the matrix, the mean and the busy times agree with each
// other.
TEST(contention, report_adds_up) {
  bench b(plain_bus());
  for (int i = 0; i < 3; ++i) b.source(200, stream(static_cast<std::uint64_t>(i) << 24, 1024), 16 * 1024);
  b.memory(250, 40'000, 0, gib);
  b.run();
  const auto r = b.fabric.report();
  EXPECT_EQ(r.bytes, 3 * 200 * 1024);
  EXPECT_EQ(r.bytes_by_class[traffic::weights], r.bytes);
  EXPECT_EQ(b.memories[0]->report().read_bytes.sum(), r.bytes);
  ps_t busy = 0;
  double waited = 0, waited_in_matrix = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    busy += r.initiators[i].busy_ps;
    waited += r.initiators[i].wait.mean_ps * static_cast<double>(r.initiators[i].wait.count);
    for (const ps_t w : r.waited_for[i]) waited_in_matrix += static_cast<double>(w);
    EXPECT_EQ(r.initiators[i].transfers, 200u);
    EXPECT_GE(r.initiators[i].wait.p99_ps, r.initiators[i].wait.p50_ps);
    EXPECT_GT(r.initiators[i].wait.max_ps, r.initiators[i].wait.min_ps);
  }
  EXPECT_EQ(busy, 3 * 200 * 16 * 1000);  // 1 ns a granule
  EXPECT_NEAR(waited_in_matrix, waited, waited * 0.01);
  double occupancy = 0;
  for (const double v : r.occupancy) occupancy += v * static_cast<double>(r.occupancy_bucket_ps);
  EXPECT_NEAR(occupancy, static_cast<double>(busy), 1);
  EXPECT_GT(r.utilization, 0.9);
}

TEST(contention, a_second_initiator_raises_the_waiting_of_the_first) {
  bench b(plain_bus());
  auto& first = b.source(100, stream(0, 4096), 64 * 1024);
  b.source(100, stream(gib, 4096), 64 * 1024);
  b.memory(250, 40'000, 0, 2 * gib);
  b.run();
  const auto r = b.fabric.report();
  EXPECT_GT(r.waited_for[0][1], 0);
  // Both share the bus evenly: each takes twice its own time.
  EXPECT_NEAR(static_cast<double>(first.finished), 2 * 100 * 64 * 1000.0, 0.05 * 100 * 64 * 1000);
}

TEST(contention, a_crossbar_serves_different_targets_at_once) {
  auto p = plain_bus();
  p.topology = "crossbar";
  bench b(p);
  for (int i = 0; i < 2; ++i) b.source(64, stream(static_cast<std::uint64_t>(i) * gib, 16384), 64 * 1024);
  b.memory(250, 40'000, 0, gib);
  b.memory(250, 40'000, gib, gib);
  b.run();
  const double own = 64 * 256 * 1000.0;
  for (const auto& s : b.sources) EXPECT_NEAR(static_cast<double>(s->finished), own + 49'000, own * 0.01);
}

TEST(contention, a_common_channel_carries_reads_and_writes_in_turn) {
  auto p = plain_bus();
  p.channels = "common";
  bench b(p);
  b.source(64, stream(0, 16384, false), 64 * 1024);
  b.source(64, stream(gib, 16384, true), 64 * 1024);
  b.memory(100, 40'000, 0, 2 * gib);
  b.run();
  const double own = 64 * 256 * 1000.0;
  EXPECT_NEAR(static_cast<double>(std::max(b.sources[0]->finished, b.sources[1]->finished)), 2 * own, own * 0.03);
}

TEST(contention, separate_channels_carry_them_at_once) {
  bench b(plain_bus());
  b.source(64, stream(0, 16384, false), 64 * 1024);
  b.source(64, stream(gib, 16384, true), 64 * 1024);
  b.memory(100, 40'000, 0, 2 * gib);
  b.run();
  const double own = 64 * 256 * 1000.0;
  for (const auto& s : b.sources) EXPECT_NEAR(static_cast<double>(s->finished), own, own * 0.03);
}

TEST(contention, outstanding_limit_holds_back) {
  bench b(plain_bus());
  bus_initiator_options two;
  two.outstanding = 2;
  auto& s = b.source(100, stream(0, 64), 64 * 100, two);
  b.memory(1000, 40'000, 0, gib);
  b.run();
  // Two in flight, each for the time of one read (plus a burst behind the other): Little's law.
  EXPECT_NEAR(static_cast<double>(s.finished), 50 * 50'000.0, 50 * 1500.0);
}

// One in flight: the second read, issued with the first at 1 us, is taken once the first has been answered; that it has
// waited as long as one read takes is told of it and in the report.
TEST(contention, who_waits_to_be_let_in_has_waited_since_it_came) {
  bench b(plain_bus());
  bus_initiator_options one;
  one.outstanding = 1;
  auto& s = b.source(
      2,
      [](std::size_t i) {
        return order{i * 64, 64, false, 1'000'000};
      },
      128, one);
  b.memory(1000, 40'000, 0, gib);
  b.run();
  const ps_t read = (2000 + 3000) + (40'000 + 1000) + 1000 + 3000;
  EXPECT_EQ(s.records[0].latency(), read);
  EXPECT_EQ(s.records[1].latency(), 2 * read);
  EXPECT_EQ(s.records[1].parts[stall::bus_wait], read);
  EXPECT_EQ(s.records[1].parts[stall::bus_transfer], s.records[0].parts[stall::bus_transfer]);
  const auto r = b.fabric.report();
  EXPECT_EQ(r.initiators[0].wait.max_ps, read);
  EXPECT_EQ(r.initiators[0].wait.min_ps, 0);
}

TEST(contention, a_full_memory_pushes_back_through_the_bus) {
  bench b(plain_bus());
  for (int i = 0; i < 2; ++i) b.source(200, stream(static_cast<std::uint64_t>(i) << 24, 64), 64 * 64);
  b.memory(1000, 40'000, 0, gib, 4);
  b.run();
  EXPECT_EQ(b.sources[0]->completed + b.sources[1]->completed, 400u);
  EXPECT_GT(b.memories[0]->report().withheld_ps, 0);
  EXPECT_GT(b.fabric.report().targets[0].blocked_ps, 0);
  ps_t queued = 0;
  for (const auto& r : b.sources[0]->records) queued += r.parts[stall::dram_queue];
  EXPECT_GT(queued, 0);
}

TEST(contention, nothing_mapped_there_is_an_error_response) {
  bench b(plain_bus());
  const std::uint64_t addresses[] = {gib, 3 * gib, 2 * gib - 32, UINT64_MAX - 31, 2 * gib - 64};
  auto& s = b.source(
      5,
      [&](std::size_t i) {
        return order{addresses[i], 64, i % 2 == 0, 0};
      },
      64);
  b.memory(1000, 40'000, gib, gib);
  b.run();
  EXPECT_EQ(s.records[0].status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(s.records[1].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(s.records[2].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);  // leaves its range
  EXPECT_EQ(s.records[3].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);  // wraps around
  EXPECT_EQ(s.records[4].status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(b.fabric.report().errors, 3u);
}

// A range of two GiB before a memory of one: its own word is brought back, without data.
TEST(contention, an_error_of_the_target_comes_back_over_the_bus) {
  bus fabric("fabric", plain_bus());
  const auto memory = plain_memory("memory", 1000, 40'000, gib);
  checked_links links;
  traffic_source s(
      "source", 0, 2,
      [](std::size_t i) {
        return order{gib + 64, 64, i == 1, static_cast<ps_t>(i) * 1'000'000};
      },
      64);
  links.join(s.port, fabric.add_initiator("source", {}));
  links.join(fabric.add_target("memory", 0, 2 * gib), memory->port);
  sc_core::sc_start();
  links.verify();
  ASSERT_EQ(s.completed, 2u);
  for (const auto& r : s.records) {
    EXPECT_EQ(r.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(r.parts.sum(), r.latency());
  }
  EXPECT_EQ(s.records[0].latency(), (2000 + 3000) + 3000);
  EXPECT_EQ(s.records[1].latency(), 1000 + (2000 + 3000) + 3000);
  const auto r = fabric.report();
  EXPECT_EQ(r.errors, 0u) << "the bus knows the address";
  EXPECT_EQ(r.targets[0].transfers, 2u);
  EXPECT_EQ(r.targets[0].bytes, 0);
  EXPECT_EQ(r.bytes, 0);
}

// A memory with room for one: of three reads that reach it after 5 ns it takes the first, withholds the end of the
// second's request, and the third stands at the bus, still so when the report is asked for.
TEST(contention, who_still_stands_at_a_target_is_counted_up_to_the_report) {
  bench b(plain_bus());
  for (int i = 0; i < 3; ++i) b.source(1, stream(static_cast<std::uint64_t>(i) << 24, 64), 64);
  b.memory(1000, 40'000, 0, gib, 1);
  sc_core::sc_start(to_sc_time(30'000));
  EXPECT_EQ(b.fabric.report().targets[0].blocked_ps, 25'000);
  b.run();
  // The second is taken when the first is there, at 46 ns; then the third's request is.
  EXPECT_EQ(b.fabric.report().targets[0].blocked_ps, 41'000);
}

TEST(contention, two_buses_and_a_link_in_a_row) {
  bench b(plain_bus());
  auto& s = b.source(50, stream(0, 4096), 16384);
  bus second("second", plain_bus());
  link_params lp;
  lp.lanes = 64;
  lp.latency = duration(10e-9);
  link wire("wire", lp);
  b.fabric.add_target("wire", 0, gib).bind(wire.upstream);
  wire.downstream.bind(second.add_initiator("first"));
  auto memory = plain_memory("memory", 1000, 40'000, gib);
  second.add_target("memory", 0, gib).bind(memory->port);
  b.run();
  ASSERT_EQ(s.completed, 50u);
  for (const auto& r : s.records) EXPECT_EQ(r.status, tlm::TLM_OK_RESPONSE);
  // The memory, the slowest part, sets the pace: 64 bytes a nanosecond, plus the way there and back once.
  EXPECT_NEAR(static_cast<double>(s.finished), 50 * 64 * 1000.0 + 80'000, 10'000);
  EXPECT_EQ(second.report().bytes, 50 * 4096);
}

TEST(contention, debug_transport_reaches_the_memory_in_no_time) {
  bench b(plain_bus());
  auto& s = b.source(0, stream(0, 64), 64);
  dram_params p;
  p.functional = true;
  dram_module memory("memory", p, std::make_unique<plain_engine>(1000, 40'000), gib);
  b.fabric.add_target("memory", gib, gib).bind(memory.port);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  unsigned char out[100], in[100] = {};
  for (int i = 0; i < 100; ++i) out[i] = static_cast<unsigned char>(i + 1);
  EXPECT_EQ(s.port.debug(s.port.write(gib + 4090, 100, out)), 100u);
  EXPECT_EQ(s.port.debug(s.port.read(gib + 4090, 100, in)), 100u);
  EXPECT_EQ(std::string(in, in + 100), std::string(out, out + 100));
  EXPECT_EQ(s.port.debug(s.port.read(0, 100, in)), 0u);
  EXPECT_EQ(b.fabric.report().bytes, 0);
  EXPECT_EQ(now_ps(), 0);
}

// Random traffic of several sources over every policy and topology, with stalls on every link: everything
// arrives, nothing breaks the protocol, bytes are conserved, the parts sum.
struct random_case {
  std::string topology;
  std::string channels;
  std::string arbiter;
  unsigned seed;
};
std::string case_name(const random_case& c) {
  return fmt::format("{}_{}_{}_{}", c.topology, c.channels, c.arbiter, c.seed);
}
void PrintTo(const random_case& c, std::ostream* out) {
  *out << case_name(c);
}

class random_traffic : public testing::TestWithParam<random_case> {};
TEST_P(random_traffic, with_stalls_everything_arrives) {
  const auto c = GetParam();
  auto p = plain_bus();
  p.topology = c.topology;
  p.channels = c.channels;
  p.arbiter = c.arbiter;
  p.columns = 3;
  p.rows = 2;
  p.hop_latency = duration(1e-9);
  p.outstanding = c.seed % 3 == 0 ? 4 : 0;
  bench b(p, true, c.seed);
  std::int64_t expected = 0;
  for (unsigned i = 0; i < 3; ++i) {
    std::vector<order> orders;
    std::mt19937 random(c.seed * 10 + i);
    for (int k = 0; k < 150; ++k) {
      order o;
      o.bytes = random() % 2 == 0 ? 64 : 1 + random() % 5000;
      o.address = random() % (2 * gib - 5000);
      if (o.address < gib && o.address + o.bytes > gib) o.address = gib - o.bytes;
      o.write = random() % 3 == 0;
      o.not_before = static_cast<ps_t>(random() % 5'000'000);
      orders.push_back(o);
      expected += static_cast<std::int64_t>(o.bytes);
    }
    b.source(orders.size(), [orders](std::size_t k) { return orders[k]; }, 8192,
             {static_cast<int>(i), 1 + static_cast<int>(i), -1});
  }
  b.memory(500, 30'000, 0, gib, 8);
  b.memory(2000, 30'000, gib, gib);
  b.run();
  std::int64_t at_memories = 0;
  for (const auto& m : b.memories) at_memories += m->report().read_bytes.sum() + m->report().write_bytes.sum();
  EXPECT_EQ(at_memories, expected);
  EXPECT_EQ(b.fabric.report().bytes, expected);
  for (const auto& s : b.sources) {
    EXPECT_EQ(s->completed, 150u);
    for (const auto& r : s->records) EXPECT_EQ(r.status, tlm::TLM_OK_RESPONSE);
  }
}
std::vector<random_case> random_cases() {
  std::vector<random_case> out;
  unsigned seed = 1;
  static const auto names = topologies().names();  // every registered topology and arbiter
  static const auto policies = arbiters().names();
  for (const auto& topology : names)
    for (const char* channels : {"separate", "common"})
      for (const auto& arbiter : policies) out.push_back({topology, channels, arbiter, seed++});
  return out;
}
INSTANTIATE_TEST_SUITE_P(bus, random_traffic, testing::ValuesIn(random_cases()),
                         [](const auto& i) { return case_name(i.param); });

// ---- wrong configurations
// -------------------------------------------------------------------------------------------

std::string problems_of(const bus& b) {
  problem_list problems;
  b.check(problems, "p.yaml:3", "buses.main");
  try {
    problems.check();
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}

TEST(bus_config, ranges_must_not_overlap) {
  bus b("b", plain_bus());
  b.add_initiator("cpu");
  b.add_target("first", 0x1000, 0x1000);
  b.add_target("second", 0x1800, 0x1000);
  const auto text = problems_of(b);
  EXPECT_NE(text.find("'first'"), std::string::npos) << text;
  EXPECT_NE(text.find("'second'"), std::string::npos) << text;
  EXPECT_NE(text.find("overlap"), std::string::npos) << text;
  EXPECT_NE(text.find("p.yaml:3"), std::string::npos) << text;
}
TEST(bus_config, ranges_must_not_be_empty_or_wrap) {
  bus b("b", plain_bus());
  b.add_initiator("cpu");
  b.add_target("none", 0x1000, 0);
  b.add_target("far", UINT64_MAX - 10, 0x1000);
  const auto text = problems_of(b);
  EXPECT_NE(text.find("'none' is empty"), std::string::npos) << text;
  EXPECT_NE(text.find("'far' wraps"), std::string::npos) << text;
}
TEST(bus_config, needs_initiators_and_targets) {
  bus b("b", plain_bus());
  const auto text = problems_of(b);
  EXPECT_NE(text.find("no initiator"), std::string::npos) << text;
  EXPECT_NE(text.find("no target"), std::string::npos) << text;
}
TEST(bus_config, names_the_nearest_arbiter) {
  auto p = plain_bus();
  p.arbiter = "round_robbin";
  p.granule = byte_size(96);
  problem_list problems;
  check_bus_params(p, problems, "p.yaml:9", "buses.main");
  try {
    problems.check();
    FAIL();
  } catch (const input_error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("did you mean 'round_robin'"), std::string::npos) << text;
    EXPECT_NE(text.find("buses.main.granule"), std::string::npos) << text;
  }
}
// A bus has one slice at least: a beat takes its time over the number of slices.
TEST(bus_config, slices_are_one_or_more) {
  const auto slices = [](const char* text) {
    config::node map = config::node::map("p.yaml");
    map.set("slices", text, "p.yaml");
    problem_list problems;
    bus_params p;
    bus_param_table().read(map, p, problems);
    problems.check();
    return p.slices;
  };
  EXPECT_EQ(slices("1"), 1);
  EXPECT_EQ(slices("4096"), 4096);
  EXPECT_THROW(slices("0"), input_error);
  EXPECT_THROW(slices("4097"), input_error);
}
TEST(bus_config, adding_a_range_to_an_unknown_target_names_the_nearest) {
  bus b("b", plain_bus());
  b.add_target("memory", 0, 64);
  EXPECT_THROW(b.add_range("memroy", 64, 64, 0), input_error);
}

}  // namespace
}  // namespace memwall
