// SPDX-License-Identifier: Apache-2.0
// Rings and meshes of routers: latency by hops, bandwidth by cuts, fairness at shared lanes, transfer sizes.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "hw/bus/topology.h"
#include "tests/bus/bus_bench.h"

namespace memwall {
namespace {

constexpr ps_t hop = 2000, pipe = 3000, arbitration = 2000, granule_time = 1000;

bus_params network(const char* topology, int columns, int rows) {
  auto p = plain_bus();
  p.topology = topology;
  p.columns = columns;
  p.rows = rows;
  p.hop_latency = duration(2e-9);
  return p;
}

int ring_distance(int a, int b, int stops) {
  return std::min(std::abs(a - b), stops - std::abs(a - b));
}
int mesh_distance(int a, int b, int columns) {
  return std::abs(a % columns - b % columns) + std::abs(a / columns - b / columns);
}

struct place_case {
  const char* topology;
  int columns, rows, from, to, hops;
};
void PrintTo(const place_case& c, std::ostream* out) {
  *out << c.topology << ' ' << c.from << " to " << c.to;
}

class unloaded : public testing::TestWithParam<place_case> {};

// A read: arbitration, pipeline and hops there, the memory, one granule, hops and pipeline back. A write: one granule
// and the hops with the data, then the hops back. A large transfer: its own time once, whatever the number of hops.
TEST_P(unloaded, latency_is_hops_and_one_serialisation) {
  const auto c = GetParam();
  auto p = network(c.topology, c.columns, c.rows);
  p.nodes = {{"source0", {c.from}}, {"memory0", {c.to}}};
  bench b(p);
  const std::uint64_t sizes[] = {64, 64, 65536, 65536};
  auto& s = b.source(
      4,
      [&](std::size_t i) {
        return order{0, sizes[i], i % 2 == 1, static_cast<ps_t>(i) * 10'000'000};
      },
      65536);
  b.memory(granule_time, 40'000, 0, gib);
  b.run();
  const ps_t way = c.hops * hop;
  EXPECT_EQ(s.records[0].latency(), arbitration + pipe + way + 41'000 + granule_time + way + pipe);
  EXPECT_EQ(s.records[1].latency(), granule_time + way + arbitration + pipe + 41'000 + way + pipe);
  const ps_t data = 65536 / 64 * granule_time;
  EXPECT_EQ(s.records[2].latency(), arbitration + pipe + way + 40'000 + data + granule_time + way + pipe);
  EXPECT_EQ(s.records[3].latency(), granule_time + way + arbitration + pipe + 40'000 + data + way + pipe);
  for (const auto& r : s.records) EXPECT_EQ(r.parts[stall::bus_wait], 0);
}

// Data of a read or a write cross each lane of the way once: its bits take the hop's energy on every one of them.
TEST_P(unloaded, energy_of_the_lanes_is_that_of_bits_times_hops) {
  const auto c = GetParam();
  auto p = network(c.topology, c.columns, c.rows);
  p.nodes = {{"source0", {c.from}}, {"memory0", {c.to}}};
  p.hop_energy_per_bit = energy(0.25e-12);
  bench b(p);
  b.source(
      2,
      [](std::size_t i) {
        return order{0, i == 0 ? 64U : 4096U, i == 1, static_cast<ps_t>(i) * 10'000'000};
      },
      65536);
  b.memory(granule_time, 40'000, 0, gib);
  b.run();
  EXPECT_NEAR(b.fabric.report().energy_pj, (64 + 4096) * 8 * 0.25 * c.hops, 1e-6);
}

std::vector<place_case> places() {
  std::vector<place_case> out;
  for (const int to : {0, 1, 3, 4, 5, 7}) out.push_back({"ring", 8, 1, 0, to, ring_distance(0, to, 8)});
  for (const auto& [from, to] : std::vector<std::pair<int, int>>{{0, 0}, {0, 3}, {0, 12}, {5, 10}, {15, 0}, {12, 3}})
    out.push_back({"mesh", 4, 4, from, to, mesh_distance(from, to, 4)});
  return out;
}
INSTANTIATE_TEST_SUITE_P(network, unloaded, testing::ValuesIn(places()));

// A core subtracts the way from its load latency: the mean over the places of a module at several routers.
TEST(network, mean_hop_latency_is_that_of_all_pairs) {
  auto p = network("ring", 8, 1);
  p.nodes = {{"source", {0, 1, 2}}, {"memory", {7}}};
  bus b("fabric", p);
  b.add_initiator("source");
  b.add_target("memory", 0, gib);
  EXPECT_EQ(b.mean_hop_latency(), (1 + 2 + 3) * hop / 3);
  bus plain("plain", plain_bus());
  plain.add_initiator("source");
  plain.add_target("memory", 0, gib);
  EXPECT_EQ(plain.mean_hop_latency(), 0);
}

// Routes go to the right place over neighbours only, along the row before the column, each lane once.
TEST(network, mesh_routes_are_dimension_ordered) {
  fabric_shape shape;
  shape.columns = 4;
  shape.rows = 3;
  shape.hop_latency = hop;
  for (int n = 0; n < 12; ++n) {
    shape.initiators.push_back({fmt::format("i{}", n), n, n});
    shape.targets.push_back({fmt::format("t{}", n), n, n});
  }
  const auto plan = topologies().get("mesh").plan(shape);
  for (int i = 0; i < 12; ++i)
    for (int t = 0; t < 12; ++t) {
      const auto& way = plan.write[static_cast<std::size_t>(i * 12 + t)];
      EXPECT_EQ(way.latency, mesh_distance(i, t, 4) * hop);
      ASSERT_EQ(way.lanes.size(), static_cast<std::size_t>(mesh_distance(i, t, 4)) + 2);
      int at = i;
      bool turned = false;
      for (std::size_t k = 1; k + 1 < way.lanes.size(); ++k) {
        int from = 0, to = 0;
        ASSERT_EQ(
            std::sscanf(plan.lanes[static_cast<std::size_t>(way.lanes[k])].name.c_str(), "write.%d-%d", &from, &to), 2);
        EXPECT_EQ(from, at);
        EXPECT_EQ(mesh_distance(from, to, 4), 1);
        const bool vertical = from % 4 == to % 4;
        EXPECT_FALSE(turned && !vertical);
        turned = turned || vertical;
        at = to;
      }
      EXPECT_EQ(at, t);
    }
}

struct size_case {
  const char* topology;
  std::uint64_t bytes;
  bool write;
};
void PrintTo(const size_case& c, std::ostream* out) {
  *out << c.topology << ' ' << c.bytes << (c.write ? " write" : " read");
}

// Sources on one side of the cut, memories on the other, each pair across it: the lanes of the cut set the pace.
class bisection : public testing::TestWithParam<size_case> {};
TEST_P(bisection, bandwidth_is_that_of_the_lanes_in_the_cut) {
  const auto c = GetParam();
  const bool mesh = std::string(c.topology) == "mesh";
  auto p = mesh ? network("mesh", 4, 4) : network("ring", 8, 1);
  // mesh: two sources a row, both read over the one lane between the middle columns, four lanes in the cut.
  // ring: stops 0 to 3 and 4 to 7; 0 and 1 to 7 and 6 over one side, 2 and 3 to 5 and 4 over the other, two lanes.
  std::vector<std::pair<int, int>> pairs;
  if (mesh)
    for (int row = 0; row < 4; ++row)
      for (int k = 0; k < 2; ++k) pairs.emplace_back(row * 4 + k, row * 4 + 2 + k);
  else
    pairs = {{0, 7}, {1, 6}, {2, 5}, {3, 4}};
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    p.nodes[fmt::format("source{}", k)] = {pairs[k].first};
    p.nodes[fmt::format("memory{}", k)] = {pairs[k].second};
  }
  bench b(p, false);
  const std::uint64_t each = 4 << 20;
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    auto& s = b.source(each / c.bytes, stream(k * gib, c.bytes, c.write), 64 * 1024);
    s.keep_records = false;
    b.memory(granule_time / 2, 40'000, k * gib, gib);
  }
  b.run();
  ps_t end = 0, start = granule_time;
  for (const auto& s : b.sources) end = std::max(end, s->finished);
  const double lanes = mesh ? 4 : 2;
  const double closed_form = static_cast<double>(each * pairs.size()) / 64 * static_cast<double>(granule_time) / lanes;
  EXPECT_NEAR(static_cast<double>(end - start) / closed_form, 1, 0.01);
  // The lanes of the cut were never idle for long, and everybody had his share: all end together.
  for (const auto& s : b.sources) EXPECT_NEAR(static_cast<double>(s->finished) / static_cast<double>(end), 1, 0.01);
}
std::vector<size_case> size_cases() {
  std::vector<size_case> out;
  for (const char* topology : {"ring", "mesh"})
    for (const std::uint64_t bytes : {64, 4096, 16384})
      for (const bool write : {false, true}) out.push_back({topology, bytes, write});
  return out;
}
INSTANTIATE_TEST_SUITE_P(network, bisection, testing::ValuesIn(size_cases()));

// Sources in a row read over the same last lane: the one next to the memory and the one farthest get equal parts.
TEST(network, a_shared_lane_is_divided_by_the_arbiter_not_by_distance) {
  auto p = network("mesh", 4, 1);
  p.arbiter = "weighted";
  p.nodes = {{"source0", {0}}, {"source1", {1}}, {"source2", {2}}, {"memory0", {3}}};
  bench b(p);
  bus_initiator_options two;
  two.weight = 2;
  for (int i = 0; i < 3; ++i)
    b.source(256, stream(static_cast<std::uint64_t>(i) << 24, 4096), 128 * 1024,
             i == 0 ? two : bus_initiator_options{});
  b.memory(granule_time / 4, 40'000, 0, gib);
  b.run();
  // Two parts of four for the farthest until it is done with its 1 MiB, then halves for the others.
  const double own = 256 * 64.0 * granule_time;
  EXPECT_NEAR(static_cast<double>(b.sources[0]->finished) / own, 2, 0.03);
  EXPECT_NEAR(static_cast<double>(b.sources[1]->finished) / own, 3, 0.03);
  EXPECT_NEAR(static_cast<double>(b.sources[2]->finished) / own, 3, 0.03);
  const auto r = b.fabric.report();
  EXPECT_GT(r.waited_for[1][0], r.waited_for[0][1]);
  EXPECT_EQ(r.topology, "mesh");
}

// A module at several routers uses all of them, in lines or in large transfers.
class spread : public testing::TestWithParam<std::uint64_t> {};
TEST_P(spread, over_routers_is_even) {
  const std::uint64_t bytes = GetParam(), all = 4 << 20;
  auto p = network("mesh", 4, 1);
  p.nodes = {{"source0", {0, 3}}, {"memory0", {1, 2}}};
  bench b(p);
  auto& s = b.source(all / bytes, stream(0, bytes), 256 * 1024);
  b.memory(granule_time / 4, 40'000, 0, gib);
  b.run();
  // Two lanes into the source.
  EXPECT_NEAR(static_cast<double>(s.finished) / (static_cast<double>(all) / 64 / 2 * granule_time), 1, 0.02);
  int ports = 0;
  for (const auto& c : b.fabric.report().channels)
    if (c.name.rfind("read.initiator.source0@", 0) == 0 || c.name.rfind("read.target.memory0@", 0) == 0) {
      EXPECT_EQ(c.bytes, static_cast<std::int64_t>(all / 2)) << c.name;
      ++ports;
    }
  EXPECT_EQ(ports, 4);
}
INSTANTIATE_TEST_SUITE_P(network, spread, testing::Values(64, 4096, 65536));

// A read of a module at stops 0, 1 and 2 from the memory at stop 7 of eight: 1, 2 and 3 hops, in turn, unit by unit.
// The bytes leave the memory as one flow, so one granule follows its last data, as for a module at one stop. Then the
// hops of the place that is served last: its last unit left before all that follow it.
struct flow_case {
  std::uint64_t interleave, bytes;
  ps_t last;  // after the flow's last granule
};
void PrintTo(const flow_case& c, std::ostream* out) {
  *out << c.bytes << " B by " << c.interleave << " B";
}
class flow_to_places : public testing::TestWithParam<flow_case> {};
TEST_P(flow_to_places, takes_its_serialisation_once_and_the_hops_of_the_last_place) {
  const auto c = GetParam();
  auto p = network("ring", 8, 1);
  p.interleave = byte_size(static_cast<double>(c.interleave));
  p.nodes = {{"source0", {0, 1, 2}}, {"memory0", {7}}};
  bench b(p);
  auto& s = b.source(1, stream(0, c.bytes), 65536);
  b.memory(granule_time, 40'000, 0, gib);
  b.run();
  const ps_t data = static_cast<ps_t>(c.bytes) / 64 * granule_time;
  // The request goes to the place of the first byte, one hop away.
  EXPECT_EQ(s.records[0].latency(), arbitration + pipe + hop + 40'000 + data + granule_time + c.last + pipe);
  EXPECT_EQ(s.records[0].parts[stall::bus_wait], 0);
  // Everything crosses the lane to stop 0, what is not for it the next one, and so on; each place its own last lane.
  std::int64_t by_place[3] = {0, 0, 0};
  for (std::uint64_t at = 0; at < c.bytes; ++at) ++by_place[at / c.interleave % 3];
  const std::map<std::string, std::int64_t> expected = {{"read.target.memory0", static_cast<std::int64_t>(c.bytes)},
                                                        {"read.7-0", static_cast<std::int64_t>(c.bytes)},
                                                        {"read.0-1", by_place[1] + by_place[2]},
                                                        {"read.1-2", by_place[2]},
                                                        {"read.initiator.source0@0", by_place[0]},
                                                        {"read.initiator.source0@1", by_place[1]},
                                                        {"read.initiator.source0@2", by_place[2]}};
  const auto r = b.fabric.report();
  std::size_t found = 0;
  ps_t busy = 0;
  for (const auto& lane : r.channels)
    if (const auto e = expected.find(lane.name); e != expected.end()) {
      ++found;
      EXPECT_EQ(lane.bytes, e->second) << lane.name;
      EXPECT_EQ(lane.busy_ps, e->second / 64 * granule_time) << lane.name;
      busy += lane.busy_ps;
    }
  EXPECT_EQ(found, expected.size());
  EXPECT_EQ(r.initiators[0].busy_ps, busy);
}
// 6 units of 256 B: the last one goes 3 hops. 7 of 64 B: the last one goes 1 hop, the one before it, a granule earlier,
// 3 hops.
INSTANTIATE_TEST_SUITE_P(network, flow_to_places,
                         testing::Values(flow_case{256, 6 * 256, 3 * hop},
                                         flow_case{64, 7 * 64, 3 * hop - granule_time},
                                         flow_case{64, 3 * 64, 3 * hop}));

// The same module and memory by units of 256 bytes: what is known of one flow does not hold for a longer one, nor for
// one that begins elsewhere. Reads of several kinds in turn, one at a time, each kind twice. The request comes from the
// place of the first byte; units go to the places in turn, four granules apart.
class several_flows : public testing::TestWithParam<std::uint64_t> {};
TEST_P(several_flows, do_not_take_each_others_time) {
  const std::uint64_t unit = GetParam();
  const ps_t sending = static_cast<ps_t>(unit) / 64 * granule_time;
  auto p = network("ring", 8, 1);
  p.interleave = byte_size(static_cast<double>(unit));
  p.nodes = {{"source0", {0, 1, 2}}, {"memory0", {7}}};
  struct kind {
    std::uint64_t first, units;
  };
  const std::vector<kind> kinds = {{0, 6}, {1, 6}, {2, 6}, {0, 7}, {1, 7}, {3, 6}, {0, 2}};
  bench b(p);
  auto& s = b.source(
      2 * kinds.size(),
      [&](std::size_t i) {
        const kind& k = kinds[i % kinds.size()];
        return order{k.first * unit, k.units * unit, false, static_cast<ps_t>(i) * 1'000'000};
      },
      65536);
  b.memory(granule_time, 40'000, 0, gib);
  b.run();
  for (std::size_t i = 0; i < s.records.size(); ++i) {
    const kind& k = kinds[i % kinds.size()];
    const auto hops = [](std::uint64_t u) { return static_cast<ps_t>(u % 3 + 1); };
    ps_t last = 0;
    for (std::uint64_t u = 0; u < k.units; ++u)
      last = std::max(last, hops(k.first + u) * hop - static_cast<ps_t>(k.units - 1 - u) * sending);
    const ps_t data = static_cast<ps_t>(k.units) * sending;
    EXPECT_EQ(s.records[i].latency(),
              arbitration + pipe + hops(k.first) * hop + 40'000 + data + granule_time + last + pipe)
        << i;
  }
}
INSTANTIATE_TEST_SUITE_P(network, several_flows, testing::Values(64, 256));

// Requests meet the same lanes as ever, and data cost events by transfers: the request leaves the bus, the memory
// answers, the flow leaves its lane, the response leaves the bus; each with an update of whoever waits. How many places
// and hops there are does not matter.
class events : public testing::TestWithParam<int> {};
TEST_P(events, are_by_transfers_not_by_pieces) {
  auto p = network("ring", 16, 1);
  p.interleave = byte_size(64);
  for (int k = 0; k < GetParam(); ++k) p.nodes["source0"].push_back(k);
  p.nodes["memory0"] = {15};
  bench b(p, false);
  constexpr std::size_t transfers = 500;
  b.source(transfers, stream(0, 4096), 4096).keep_records = false;
  b.memory(granule_time, 40'000, 0, gib);
  b.run();
  EXPECT_EQ(b.sources[0]->completed, transfers);
  EXPECT_LE(sc_core::sc_delta_count(), 6 * transfers);
}
INSTANTIATE_TEST_SUITE_P(network, events, testing::Values(1, 2, 8, 14));

std::string problems_of(const bus& b) {
  problem_list problems;
  b.check(problems, "p.yaml", "modules.noc");
  try {
    problems.check();
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}

TEST(network, says_which_module_has_no_router_and_which_name_is_wrong) {
  auto p = network("mesh", 2, 1);
  p.nodes = {{"sorce", {1}}};
  bus b("fabric", p);
  b.add_initiator("source");
  b.add_target("memory", 0, gib);
  const auto text = problems_of(b);
  EXPECT_NE(text.find("modules.noc.nodes.sorce"), std::string::npos) << text;
  EXPECT_NE(text.find("'source'"), std::string::npos) << text;
  EXPECT_NE(text.find("no router is left for 'memory'"), std::string::npos) << text;
}

TEST(network, nodes_must_exist_and_need_routers) {
  auto p = network("mesh", 2, 2);
  p.nodes = {{"source", {4}}, {"other", {}}};
  problem_list problems;
  check_bus_params(p, problems, "p.yaml", "modules.noc");
  p.topology = "shared";
  check_bus_params(p, problems, "p.yaml", "modules.bus");
  p.topology = "mash";
  check_bus_params(p, problems, "p.yaml", "modules.third");
  std::string text;
  try {
    problems.check();
  } catch (const input_error& e) {
    text = e.what();
  }
  for (const char* part : {"modules.noc.nodes.source", "routers 0 to 3", "modules.noc.nodes.other",
                           "modules.bus.nodes.source", "unknown topology 'mash'", "mesh"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " not in " << text;
}

}  // namespace
}  // namespace memwall
