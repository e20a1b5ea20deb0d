// SPDX-License-Identifier: Apache-2.0
// Every rule of a controller, whatever its name: a new file in hw/dram/engine is found in its registry and tried here.
#include <gtest/gtest.h>

#include "hw/dram/engine/channel.h"
#include "hw/dram/engine/replay.h"
#include "tests/dram/streams.h"
#include "tests/support/dram_timing_checker.h"

namespace memwall::dram {
namespace {

struct choice {
  const char* kind;
  std::string name;
};

/// All policies of all kinds.
std::vector<choice> choices() {
  std::vector<choice> out;
  const auto add = [&](const char* kind, const std::vector<std::string>& names) {
    for (const auto& n : names) out.push_back({kind, n});
  };
  add("scheduler", policies<scheduler>().names());
  add("page_policy", policies<page_policy>().names());
  add("refresh", policies<refresh_policy>().names());
  add("queues", policies<queue_organisation>().names());
  add("front", policies<front_end>().names());
  return out;
}

controller_params with(const choice& c, controller_params p = {}) {
  problem_list problems;
  config::node map = config::node::map("test");
  map.set(c.kind, c.name, "test");
  controller_table().read(map, p, problems);
  problems.check();
  return p;
}

TEST(dram_policies, the_registries_have_what_the_readme_names) {
  EXPECT_EQ(policies<scheduler>().names(), (std::vector<std::string>{"fcfs", "frfcfs", "frfcfs_cap"}));
  EXPECT_EQ(policies<page_policy>().names(), (std::vector<std::string>{"adaptive", "closed", "open", "timeout"}));
  EXPECT_EQ(policies<refresh_policy>().names(), (std::vector<std::string>{"all_bank", "none", "per_bank"}));
  EXPECT_EQ(policies<queue_organisation>().names(), (std::vector<std::string>{"active", "bank", "direction", "joint"}));
  EXPECT_EQ(policies<front_end>().names(), (std::vector<std::string>{"any", "one_a_clock"}));
}

// Each watermark is its own parameter, whatever the other one is.
TEST(dram_policies, watermarks_are_set_one_by_one) {
  const controller_params low = with({"write_low", "0.3"}), high = with({"write_high", "0.6"});
  EXPECT_EQ(low.write_low, 0.3);
  EXPECT_EQ(low.write_high, controller_params{}.write_high);
  EXPECT_EQ(high.write_high, 0.6);
  EXPECT_EQ(high.write_low, controller_params{}.write_low);
}

// Random standards, maps and streams: the device accepts every command, and replay changes nothing.
TEST(dram_policies, commands_are_legal_and_replay_changes_nothing) {
  for (const choice& c : choices())
    for (std::uint32_t seed = 900; seed < 903; ++seed) {
      auto setup = streams::stream_setup(seed, 1, seed % 2 == 0);
      if (c.name == "per_bank") setup.spec = load_standard("LPDDR5-6400");
      setup.params = with(c, setup.params);
      if (setup.params.refresh == "per_bank" && setup.spec.t.RFCpb == 0) setup.params.refresh = "all_bank";
      const std::string what =
          std::string(c.kind) + " " + c.name + " seed " + std::to_string(seed) + ' ' + setup.text();
      test::dram_timing_checker checker(setup.spec);
      const auto seen = streams::run(setup, false, 0, &checker);
      EXPECT_TRUE(checker.violations().empty()) << what << '\n' << checker.report();
      const auto off = streams::run(setup, false, 0), on = streams::run(setup, true, seed);
      ASSERT_EQ(off.completions.size(), setup.transfers.size()) << what;
      ASSERT_NO_FATAL_FAILURE(streams::expect_same(seen, off, what));
      ASSERT_NO_FATAL_FAILURE(streams::expect_same(off, on, what));
      if (HasFailure()) return;
    }
}

// Hits to one row without end, and one request to another row of the same bank: it is served once it has waited for
// age_limit, whatever the policies prefer.
TEST(dram_policies, nobody_starves) {
  const standard s = traffic::ddr4_3200();
  for (const choice& c : choices()) {
    if (c.name == "per_bank") continue;  // DDR4 has none
    controller_params p = with(c);
    p.age_limit = 2000;
    memory m(s, traffic::map_of(s, "row bank bankgroup column"), p);
    transfer hits;
    hits.bytes = 64 * 100;
    const auto row_bytes = static_cast<std::uint64_t>(s.org.row_bytes());
    for (int i = 0; i < 400; ++i) {
      hits.id = 0;
      hits.source = 1;
      m.submit(hits);  // the same row again and again
      if (i != 1) continue;
      transfer other;
      other.id = 1;
      other.source = 2;
      other.bytes = 64;
      other.address = 7 * row_bytes * static_cast<std::uint64_t>(s.org.banks_per_rank());
      m.submit(other);
    }
    ps_t found = 0;
    std::vector<completion> done;
    for (ps_t next = m.advance(0); next != never && found == 0; next = m.advance(next)) {
      done.clear();
      m.take_completions(done);
      for (const auto& d : done)
        if (d.id == 1) found = d.done;
    }
    // It enters within a queue's service time, waits for the limit and for the next look at it (64 commands).
    const ps_t limit = (2000 + 2 * 64 * s.t.CCD_L + 2 * s.t.RFC + 64 * s.t.RC) * s.t.tck_fs / 1000;
    EXPECT_GT(found, 0) << c.kind << ' ' << c.name;
    EXPECT_LT(found, limit) << c.kind << ' ' << c.name;
  }
}

// Each field that a policy or the channel visits is part of the key by which replay knows a state.
TEST(dram_policies, every_visited_field_is_in_the_replay_key) {
  const standard s = load_standard("LPDDR5-6400");
  for (const choice& c : choices()) {
    const address_map map = traffic::map_of(s, "row bank column bankgroup");
    controller_params p = with(c);
    if (std::string(c.kind) != "refresh") p.refresh = "per_bank";
    const channel_setup setup(s, map, p);
    clock_histogram latency[2];
    channel engine(setup, 0, nullptr, latency);
    for (int i = 0; i < 12; ++i) {
      work_order w;
      w.next = (i * 7919) % 5000, w.end = w.next + 9, w.transfer = i, w.sequence = i;
      w.write = i % 3 == 0;
      engine.push(i % 2, w);
    }
    engine.advance(700);
    const auto key = [&](channel& of) {
      std::vector<std::int32_t> words;
      auto v = state_visitor::writer(words, of.now());
      of.visit(v);
      return words;
    };
    const auto before = key(engine);
    for (std::size_t i = 0; i < before.size(); ++i) {
      channel other = engine;
      auto v = state_visitor::changer(static_cast<std::int64_t>(i), other.now());
      other.visit(v);
      ASSERT_EQ(v.fields(), static_cast<std::int64_t>(before.size())) << c.name;
      ASSERT_NE(key(other), before) << c.kind << ' ' << c.name << ": field " << i;
    }
    EXPECT_EQ(key(engine), before);
    // And back: what was written is what is restored.
    channel other = engine;
    auto v = state_visitor::reader(before.data(), other.now());
    other.visit(v);
    EXPECT_EQ(key(other), before);
  }
}

// One request a clock: n requests that arrive together need n - 1 clocks more until the last one has entered. Requests
// of one row of different bank groups leave every BL clocks, which is slower: the first one is not delayed.
TEST(dram_policies, one_a_clock_lets_one_in_a_clock) {
  const standard s = traffic::ddr4_3200();
  const auto enters = [&](const char* front) {
    controller_params p = with({"front", front});
    p.read_queue = 64;
    const channel_setup setup(s, traffic::map_of(s, "row bank column bankgroup"), p);
    clock_histogram latency[2];
    channel engine(setup, 0, nullptr, latency);
    for (int i = 0; i < 20; ++i) {
      work_order w;
      w.next = i, w.end = i + 1, w.transfer = i, w.sequence = i;
      engine.push(0, w);
    }
    engine.advance(100'000);
    std::vector<clocks_t> out;
    for (const auto& f : engine.finished()) out.push_back(f.entered);
    return out;
  };
  const auto all = enters("any"), one = enters("one_a_clock");
  ASSERT_EQ(all.size(), 20u);
  ASSERT_EQ(one.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(all[i], 0);
    EXPECT_EQ(one[i], static_cast<clocks_t>(i));
  }
}

// A queue of one read: the next one enters when the first has left, with its column command; with an active buffer,
// with its ACT.
TEST(dram_policies, an_active_buffer_frees_its_queue_with_the_act) {
  const standard s = traffic::ddr4_3200();
  for (const bool active : {false, true}) {
    controller_params p = with({"queues", active ? "active" : "direction"});
    p.read_queue = 1;
    const channel_setup setup(s, traffic::map_of(s, "row column bank bankgroup"), p);
    clock_histogram latency[2];
    channel engine(setup, 0, nullptr, latency);
    for (int i = 0; i < 2; ++i) {
      work_order w;
      w.next = i, w.end = i + 1, w.transfer = i, w.sequence = i;  // different bank groups
      engine.push(0, w);
    }
    engine.advance(1000);
    ASSERT_EQ(engine.finished().size(), 2u);
    EXPECT_EQ(engine.finished()[1].entered, active ? 1 : 1 + s.t.RCDRD);
  }
}

// Long pauses between requests: rounds of refreshes are counted instead of simulated. A listener sees every one.
TEST(dram_policies, idle_time_is_skipped_exactly) {
  streams::deaf listener;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    auto setup = traffic::random_setup(seed);
    ps_t late = 0;
    for (std::size_t i = 0; i < setup.transfers.size(); ++i) {
      if (i % 40 == 39) late += static_cast<ps_t>(seed) * 20'000'000 + 777;
      setup.transfers[i].arrival += late;
    }
    const std::string what = "seed " + std::to_string(seed) + ' ' + setup.text();
    const auto each = streams::run(setup, false, 0, &listener), skipped = streams::run(setup, false, 0);
    ASSERT_NO_FATAL_FAILURE(streams::expect_same(each, skipped, what));
    if (HasFailure()) return;
  }
}

// A request at cycle 2^52: as many refreshes as intervals have passed, in no time.
TEST(dram_policies, the_cost_of_idle_time_does_not_grow) {
  const standard s = traffic::ddr4_3200();
  memory m(s, traffic::map_of(s, "row bank column bankgroup"), {});
  transfer t;
  t.bytes = 64;
  const std::int64_t cycle = std::int64_t{1} << 52;
  t.arrival = cycle * (s.t.tck_fs / 1000);
  m.submit(t);
  std::vector<completion> done;
  for (ps_t next = m.advance(0); next != never; next = m.advance(next)) m.take_completions(done);
  m.take_completions(done);
  ASSERT_EQ(done.size(), 1u);
  const std::int64_t refreshes = cycle / s.t.REFI;  // the last one may still be under way
  EXPECT_EQ(m.stats(done[0].done).count(command::REFab), refreshes);
  EXPECT_GE(done[0].done, t.arrival + (1 + s.t.RCDRD + s.t.CL + s.t.BL) * s.t.tck_fs / 1000);
  EXPECT_LE(done[0].done, t.arrival + (1 + s.t.RFC + s.t.RCDRD + s.t.CL + s.t.BL) * s.t.tck_fs / 1000);
}

}  // namespace
}  // namespace memwall::dram
