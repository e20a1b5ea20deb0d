// SPDX-License-Identifier: Apache-2.0
// The order of operators and where their time goes, without a simulator: cores are a table of durations.
#include "platforms/execute/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>

#include "hw/common/error.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

/// What a test says of an operator: where it runs and for how long (a part a core), what it waits for.
struct step {
  std::vector<std::size_t> cores;
  std::vector<ps_t> times;               ///< by position in cores
  std::vector<std::uint64_t> deps = {};  ///< operators
  std::int64_t pass = 0;
  ps_t sum_time = 0;  ///< of the sum that follows on every core; 0: none
  bool beside_prompt = false;
};

/// How far ahead the host launches, the same on every core, and how many kernels an operator is.
struct host {
  launch_ahead ahead;
  std::vector<std::int64_t> kernels = {};  ///< by operator; empty: one each
};

class split_by_table final : public work_split {
 public:
  explicit split_by_table(const std::vector<step>& steps, host h = {}) : m_steps(steps), m_host(std::move(h)) {}
  launch_ahead launches_ahead(std::size_t) const override { return m_host.ahead; }
  std::int64_t kernels_of(const trace::op& op, std::size_t) const override {
    return m_host.kernels.empty() ? 1 : m_host.kernels[op.id];
  }
  std::vector<std::size_t> cores_of(const trace::op& op) const override { return m_steps[op.id].cores; }
  std::vector<core_task> parts_of(const trace::op& op) const override { return tasks(op.id, false); }
  std::vector<core_task> sums_of(const trace::op& op) const override {
    return m_steps[op.id].sum_time > 0 ? tasks(op.id, true) : std::vector<core_task>{};
  }

 private:
  std::vector<core_task> tasks(std::uint64_t id, bool sum) const {
    std::vector<core_task> out;
    for (std::size_t i = 0; i < m_steps[id].cores.size(); ++i) {
      core_task t;
      t.core = m_steps[id].cores[i];
      t.work.id = id;
      t.work.flops = static_cast<double>(sum ? m_steps[id].sum_time : m_steps[id].times[i]);  // its duration
      out.push_back(t);
    }
    return out;
  }
  const std::vector<step>& m_steps;
  host m_host;
};

/// Gives the steps one after another; before those in `waits` it answers "not yet", once each.
class source_by_table final : public trace::op_source {
 public:
  explicit source_by_table(const std::vector<step>& steps) : m_steps(steps) {}
  std::map<std::uint64_t, trace::answer> waits;       ///< by number of the operator that is not there yet
  std::map<std::uint64_t, ps_t> pauses;               ///< the same: for so long
  std::vector<std::pair<ps_t, std::uint64_t>> asked;  ///< when, for which
  std::vector<std::uint64_t> told;                    ///< operators that have ended

  const trace::header& header() const override { return m_header; }
  trace::answer next(ps_t now, trace::op& out) override {
    asked.emplace_back(now, m_next);
    if (const auto wait = waits.find(m_next); wait != waits.end()) {
      const trace::answer a = wait->second;
      waits.erase(wait);
      return a;
    }
    if (const auto pause = pauses.find(m_next); pause != pauses.end()) {
      const ps_t until = now + pause->second;
      pauses.erase(pause);
      return trace::answer::ask_at(until);
    }
    if (m_next == m_steps.size()) return trace::answer::end();
    out = trace::op{};
    out.id = m_next++;
    out.name = "op" + std::to_string(out.id);
    out.step = m_steps[out.id].pass;
    out.beside_prompt = m_steps[out.id].beside_prompt;
    out.deps = m_steps[out.id].deps;
    return trace::answer::ready();
  }
  void ended(const trace::ended_op& e) override { told.push_back(e.what.id); }

 private:
  const std::vector<step>& m_steps;
  trace::header m_header;
  std::uint64_t m_next = 0;
};

struct seen {
  ps_t start = 0, end = 0;
  stall_stack parts, path;
  std::size_t core = 0;
};

/// Plays a schedule against the durations of its orders. Everything of a part is booked as compute.
std::vector<seen> play(schedule& s, std::size_t operators) {
  std::vector<seen> out(operators);
  s.on_finished = [&](const finished_operator& f) { out.at(f.op.id) = {f.start, f.end, f.parts, f.path, f.core}; };
  struct running {
    std::size_t core;
    work_result r;
  };
  std::vector<running> busy;
  ps_t now = 0;
  for (;;) {
    for (const auto& o : s.advance(now)) {
      for (const auto& b : busy) EXPECT_NE(b.core, o.core) << "a core got two orders at once";
      running b{o.core, work_result{}};
      b.r.start = now;
      b.r.end = now + static_cast<ps_t>(o.work.flops);
      b.r.parts[stall::compute] = b.r.end - b.r.start;
      busy.push_back(b);
    }
    if (s.done()) return out;
    ps_t next = s.ask_at();
    for (const auto& b : busy) next = std::min(next, b.r.end);
    if (next == never) return ADD_FAILURE() << "nothing goes on" << s.waiting_text(), out;
    now = next;
    const auto due = std::find_if(busy.begin(), busy.end(), [&](const running& b) { return b.r.end == now; });
    if (due == busy.end()) continue;
    const running ended = *due;
    busy.erase(due);
    s.ended(ended.core, ended.r);
  }
}

struct played {
  explicit played(std::vector<step> s, std::size_t cores, std::map<std::uint64_t, trace::answer> waits = {},
                  std::map<std::uint64_t, ps_t> pauses = {}, host h = {})
      : steps(std::move(s)), source(steps), split(steps, std::move(h)), order(source, split, cores) {
    source.waits = std::move(waits);
    source.pauses = std::move(pauses);
    const bool always_asked = source.waits.empty() && source.pauses.empty();
    ops = play(order, steps.size());
    // Nobody is idle whose source has always had an operator: what is waited for is somebody else's.
    for (const auto& op : ops) EXPECT_TRUE(!always_asked || op.path[stall::idle] == 0);
  }
  std::vector<step> steps;
  source_by_table source;
  split_by_table split;
  schedule order;
  std::vector<seen> ops;
};

TEST(schedule, a_core_does_one_after_another_and_the_path_is_all_compute) {
  const played p({{{0}, {10}}, {{0}, {20}, {0}}, {{0}, {30}, {1}}}, 1);
  EXPECT_EQ(p.ops[0].start, 0);
  EXPECT_EQ(p.ops[1].start, 10);
  EXPECT_EQ(p.ops[2].start, 30);
  EXPECT_EQ(p.order.last_end(), 60);
  EXPECT_EQ(p.order.critical()[stall::compute], 60);
  EXPECT_EQ(p.source.told, (std::vector<std::uint64_t>{0, 1, 2}));
}

// Core 1 waits for the longer of two operands on core 0 and core 2; its past is that one's.
TEST(schedule, an_operator_starts_when_its_last_operand_is_there) {
  const played p({{{0}, {50}}, {{2}, {70}}, {{1}, {10}, {0, 1}}}, 3);
  EXPECT_EQ(p.ops[0].start, 0);
  EXPECT_EQ(p.ops[1].start, 0);
  EXPECT_EQ(p.ops[2].start, 70);
  EXPECT_EQ(p.ops[2].core, 1U);
  EXPECT_EQ(p.ops[2].path[stall::compute], 80);
  EXPECT_EQ(p.ops[2].path.sum(), 80);
}

// Independent operators of one core queue; the second's past is the first, not its (earlier) operand.
TEST(schedule, the_core_is_the_past_when_it_was_free_last) {
  const played p({{{1}, {5}}, {{0}, {40}}, {{0}, {10}, {0}}}, 2);
  EXPECT_EQ(p.ops[2].start, 40);
  EXPECT_EQ(p.ops[2].path[stall::compute], 50);
}

TEST(schedule, an_operator_is_told_of_by_the_part_that_ends_last) {
  const played p({{{0, 1, 2}, {30, 50, 50}}}, 3);
  EXPECT_EQ(p.ops[0].core, 1U);  // of two that end at once the first
}

TEST(schedule, the_part_that_ends_last_counts_and_sums_follow_all_parts) {
  const played p({{{0, 1}, {30, 50}, {}, 0, 7}}, 2);
  EXPECT_EQ(p.ops[0].start, 0);
  EXPECT_EQ(p.ops[0].end, 57);   // the longer part, then the sum
  EXPECT_EQ(p.ops[0].core, 0U);  // both sums end at once: of several the first
  EXPECT_EQ(p.ops[0].parts[stall::compute], 57);
}

// Core 1 is busy until 20 when the second operator begins on core 0; its share takes 10, and what core 1 does next has
// waited those 20 in the second operator, which began at 0. Nobody was idle: the source had always been asked.
TEST(schedule, a_share_that_starts_later_has_waited_since_its_operator_began) {
  const played p({{{1}, {20}}, {{0, 1}, {50, 10}}, {{1}, {5}}}, 2);
  EXPECT_EQ(p.ops[1].start, 0);
  EXPECT_EQ(p.ops[2].start, 30);
  EXPECT_EQ(p.ops[2].path[stall::dependency], 20);
  EXPECT_EQ(p.ops[2].path[stall::compute], 15);
  EXPECT_EQ(p.ops[2].path.sum(), 35);
}

// Passes are in the order of the source on each core: the first operator of pass 1 has its operands at once, but core 0
// still owes operator 1 of pass 0, which waits for core 1. On core 2 nothing of pass 0 is left.
TEST(schedule, a_core_takes_passes_in_order) {
  const played p({{{1}, {100}, {}, 0}, {{0}, {10}, {0}, 0}, {{0}, {10}, {}, 1}, {{2}, {10}, {}, 1}}, 3);
  EXPECT_EQ(p.ops[1].start, 100);
  EXPECT_EQ(p.ops[2].start, 110);
  EXPECT_EQ(p.ops[3].start, 0);
}

// Inside a pass operators overtake: what has its operands does not wait for what has not.
TEST(schedule, within_a_pass_what_is_ready_goes_first) {
  const played p({{{1}, {100}}, {{0}, {10}, {0}}, {{0}, {10}}}, 2);
  EXPECT_EQ(p.ops[2].start, 0);
  EXPECT_EQ(p.ops[1].start, 100);
}

TEST(schedule, a_source_that_looks_at_the_clock_is_asked_then_and_the_time_before_is_idle) {
  const played p({{{0}, {10}}, {{0}, {10}}}, 1, {{1, trace::answer::ask_at(500)}});
  EXPECT_EQ(p.source.asked, (std::vector<std::pair<ps_t, std::uint64_t>>{{0, 0}, {0, 1}, {500, 1}, {500, 2}}));
  EXPECT_EQ(p.ops[1].start, 500);
  EXPECT_EQ(p.ops[1].path[stall::idle], 490);  // 10 .. 500: nobody had asked for it
  EXPECT_EQ(p.ops[1].path[stall::dependency], 0);
  EXPECT_EQ(p.ops[1].path.sum(), 510);
}

// The request arrives at 5 while the core is busy until 10 with other work: waiting for the core is no idleness.
TEST(schedule, only_the_time_in_which_nobody_asked_is_idle) {
  const played p({{{0}, {10}}, {{1}, {3}}, {{1}, {4}, {0}}}, 2, {{1, trace::answer::ask_at(5)}});
  EXPECT_EQ(p.ops[1].start, 5);
  EXPECT_EQ(p.ops[1].path[stall::idle], 5);
  EXPECT_EQ(p.ops[2].start, 10);
  EXPECT_EQ(p.ops[2].path[stall::idle], 0);
  EXPECT_EQ(p.ops[2].path[stall::compute], 14);
}

TEST(schedule, a_source_that_waits_for_an_operator_is_asked_at_its_end_and_not_before) {
  const played p({{{0}, {30}}, {{1}, {10}}, {{1}, {5}}}, 2, {{2, trace::answer::ask_after(0)}});
  EXPECT_EQ(p.source.asked.back().first, 30);
  EXPECT_EQ(std::count_if(p.source.asked.begin(), p.source.asked.end(), [](const auto& a) { return a.first == 10; }), 0)
      << "the end of operator 1 is not what it waits for";
  EXPECT_EQ(p.ops[2].start, 30);
}

TEST(schedule, whichever_comes_first) {
  const auto asked_at = [](const trace::answer& wait) {
    return played({{{0}, {30}}, {{0}, {5}}}, 1, {{1, wait}}).source.asked[2].first;
  };
  EXPECT_EQ(asked_at(trace::answer::ask_after(0).or_at(20)), 20);
  EXPECT_EQ(asked_at(trace::answer::ask_after(0).or_at(40)), 30);
  EXPECT_EQ(asked_at(trace::answer::ask_after_any().or_at(40)), 30);
  EXPECT_EQ(asked_at(trace::answer::ask_after_any()), 30);
}

TEST(schedule, a_source_that_would_wait_for_ever_is_refused) {
  using trace::answer;
  const auto play_with = [](const answer& wait) { played({{{0}, {30}}, {{0}, {5}}}, 1, {{1, wait}}); };
  EXPECT_THROW(play_with(answer::ask_at(0)), std::logic_error);                              // that is now
  EXPECT_THROW(play_with(answer::ask_after(1)), std::logic_error);                           // not given yet
  EXPECT_THROW(played({{{0}, {30}}}, 1, {{0, answer::ask_after_any()}}), std::logic_error);  // none is open
  EXPECT_NO_THROW(play_with(answer::ask_after(0)));
}

TEST(schedule, numbers_that_are_not_in_order_are_refused) {
  class wrong final : public trace::op_source {
   public:
    const trace::header& header() const override { return m_header; }
    trace::answer next(ps_t, trace::op& out) override { return out.id = 1, trace::answer::ready(); }

   private:
    trace::header m_header;
  } source;
  const std::vector<step> steps(2, step{{0}, {1}});
  const split_by_table split(steps);
  schedule s(source, split, 1);
  EXPECT_THROW(s.advance(0), std::logic_error);
}

// A dependency that ended long before the operator was read: read-ahead is bounded, dependencies are not.
TEST(schedule, an_operand_may_be_older_than_everything_remembered) {
  std::vector<step> steps(6000, step{{0}, {1}});
  steps.back().deps = {0};
  const played p(steps, 1);
  EXPECT_EQ(p.order.last_end(), 6000);
  EXPECT_EQ(p.order.critical()[stall::compute], 6000);
}

// Two passes on one core, the first operator of the second in a prompt's kernel.
TEST(schedule, an_order_says_what_is_special_about_its_operator) {
  std::vector<step> steps(4, step{{0}, {1}});
  steps[2].pass = steps[3].pass = 1;
  steps[2].beside_prompt = true;
  source_by_table source(steps);
  const split_by_table split(steps);
  schedule s(source, split, 1);
  std::vector<bool> beside, first;
  for (ps_t now = 0; !s.done(); ++now) {
    for (const auto& o : s.advance(now)) {
      beside.push_back(o.work.beside_prompt);
      first.push_back(o.work.first_of_pass);
    }
    if (s.done()) break;
    work_result r;
    r.start = now;
    r.end = now + 1;
    r.parts[stall::compute] = 1;
    s.ended(0, r);
  }
  EXPECT_EQ(beside, (std::vector<bool>{false, false, true, false}));
  EXPECT_EQ(first, (std::vector<bool>{true, false, true, false}));
}

// Room for two kernels a core. Core 0 has two operators launched and one that waits for room; so core 1, which has
// nothing to do, gets its operator only when core 0 has ended one. What made room is its past: nothing of the time
// before is a wait for operands.
TEST(schedule, a_host_that_waits_for_room_on_one_core_launches_nothing_on_others) {
  const played p({{{0}, {10}}, {{0}, {10}}, {{0}, {10}}, {{1}, {5}}}, 2, {}, {}, {{2, 0}});
  EXPECT_EQ(p.ops[2].start, 20);
  EXPECT_EQ(p.ops[3].start, 10);
  EXPECT_EQ(p.ops[3].path[stall::compute], 15);
  EXPECT_EQ(p.ops[3].path.sum(), 15);
  const played without({{{0}, {10}}, {{0}, {10}}, {{0}, {10}}, {{1}, {5}}}, 2);
  EXPECT_EQ(without.ops[3].start, 0);
}

// An operator of more kernels than there is room for goes when nothing else is there.
TEST(schedule, an_operator_larger_than_the_queue_goes_alone) {
  const played p({{{0}, {10}}, {{0}, {10}}, {{1}, {5}}}, 2, {}, {}, {{4, 0}, {1, 7, 4}});
  EXPECT_EQ(p.ops[1].start, 10);
  EXPECT_EQ(p.ops[2].start, 10);
  EXPECT_EQ(p.order.last_end(), 20);
}

/// Passes through four stages that take 10 each, one operator a stage: when each pass starts.
std::vector<ps_t> pass_starts(const launch_ahead& ahead, std::size_t passes, std::int64_t kernels) {
  std::vector<step> steps;
  for (std::size_t pass = 0; pass < passes; ++pass)
    for (std::size_t stage = 0; stage < 4; ++stage) {
      step s{{stage}, {10}};
      if (stage > 0) s.deps = {steps.size() - 1};
      s.pass = static_cast<std::int64_t>(pass);
      steps.push_back(s);
    }
  const played p(steps, 4, {}, {}, {ahead, std::vector<std::int64_t>(steps.size(), kernels)});
  std::vector<ps_t> out;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    out.push_back(p.ops[4 * pass].start);
    EXPECT_EQ(p.ops[4 * pass + 3].path.sum(), p.ops[4 * pass + 3].end);
  }
  return out;
}

// A queue that holds Q passes' kernels of a stage: a pass is launched down to the last stage when that has ended the
// pass Q before, and only then the next pass is launched on the first stage. So pass c + 1 starts with the end of pass
// c - Q there, unless the first stage is still busy: two passes in 40 with Q = 1, three with Q = 2, four with 3.
TEST(schedule, the_queue_bounds_how_far_the_stages_of_a_pipeline_run_beside_each_other) {
  EXPECT_EQ(pass_starts({0, 0}, 6, 5), (std::vector<ps_t>{0, 10, 20, 30, 40, 50}));
  EXPECT_EQ(pass_starts({5, 0}, 6, 5), (std::vector<ps_t>{0, 10, 40, 50, 80, 90}));
  EXPECT_EQ(pass_starts({9, 0}, 6, 5), (std::vector<ps_t>{0, 10, 40, 50, 80, 90})) << "no room for half a pass";
  EXPECT_EQ(pass_starts({10, 0}, 6, 5), (std::vector<ps_t>{0, 10, 20, 40, 50, 60}));
  EXPECT_EQ(pass_starts({15, 0}, 6, 5), (std::vector<ps_t>{0, 10, 20, 30, 40, 50}));
}

// A pass is over when its last stage is: with two at a time the third starts at the end of the first, 40.
TEST(schedule, passes_in_flight_are_counted_to_their_last_operator) {
  EXPECT_EQ(pass_starts({0, 1}, 3, 1), (std::vector<ps_t>{0, 40, 80}));
  EXPECT_EQ(pass_starts({0, 2}, 5, 1), (std::vector<ps_t>{0, 10, 40, 50, 80}));
  EXPECT_EQ(pass_starts({0, 4}, 5, 1), (std::vector<ps_t>{0, 10, 20, 30, 40}));
}

TEST(schedule, clocks_end_at_nine_thousand_seconds) {
  const std::vector<step> steps{{{0}, {9'000'000'000'000'001}}};
  EXPECT_THROW(played(steps, 1), input_error);
}

// Laws, on random graphs: operands before operators, passes in order on a core, and along the path every picosecond
// once.
TEST(schedule, random_graphs_keep_the_laws) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto upto = [&](std::size_t n) { return static_cast<std::size_t>(random() % (n + 1)); };
    const std::size_t cores = 1 + upto(3);
    std::vector<step> steps;
    std::map<std::uint64_t, ps_t> pauses;
    std::int64_t pass = 0;
    for (std::uint64_t id = 0; id < 200; ++id) {
      step s;
      const std::size_t first = upto(cores - 1), width = 1 + upto(cores - 1 - first);
      for (std::size_t c = first; c < first + width; ++c) {
        s.cores.push_back(c);
        s.times.push_back(static_cast<ps_t>(1 + upto(20)));
      }
      for (std::size_t d = upto(3); d > 0 && id > 0; --d)
        s.deps.push_back(id - 1 - upto(std::min<std::size_t>(id - 1, 9)));
      if (upto(20) == 0) ++pass;
      if (upto(5) == 0) s.sum_time = 3;
      if (upto(30) == 0) pauses[id] = static_cast<ps_t>(1 + upto(200));
      s.pass = pass;
      steps.push_back(s);
    }
    host h;
    if (seed % 2 == 1) {
      h.ahead = {static_cast<std::int64_t>(upto(12)), static_cast<std::int64_t>(upto(3))};
      for (std::size_t i = 0; i < steps.size(); ++i) h.kernels.push_back(static_cast<std::int64_t>(1 + upto(4)));
    }
    const played p(steps, cores, {}, pauses, h);
    ps_t last = 0;
    for (std::size_t id = 0; id < steps.size(); ++id) {
      const seen& o = p.ops[id];
      EXPECT_EQ(o.parts.sum(), o.end - o.start) << seed << ": " << id;
      EXPECT_EQ(o.path.sum(), o.end) << seed << ": " << id;
      for (const auto d : steps[id].deps) EXPECT_GE(o.start, p.ops[d].end) << seed << ": " << id;
      for (std::size_t before = 0; before < id; ++before)
        if (steps[before].pass != steps[id].pass && steps[before].cores == steps[id].cores) {
          EXPECT_LE(p.ops[before].start, o.start) << seed << ": " << id;
        }
      last = std::max(last, o.end);
      // What was launched before it on its cores and has not ended fits into the queue with it.
      for (const std::size_t c : steps[id].cores) {
        std::int64_t there = 0;
        for (std::size_t before = 0; before < id && h.ahead.room > 0; ++before)
          if (const auto& on = steps[before].cores;
              std::find(on.begin(), on.end(), c) != on.end() && p.ops[before].end > o.start)
            there += h.kernels[before];
        if (there > 0) {
          EXPECT_LE(there + h.kernels[id], h.ahead.room) << seed << ": " << id;
        }
      }
    }
    EXPECT_EQ(p.order.last_end(), last);
    EXPECT_EQ(p.order.critical().sum(), last);
    EXPECT_EQ(p.order.operators_done(), steps.size());
    EXPECT_EQ(p.source.told.size(), steps.size());
  }
}

}  // namespace
