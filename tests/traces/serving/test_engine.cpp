// SPDX-License-Identifier: Apache-2.0
// Times of requests with steps whose costs are given: every expected value follows from the schedule by hand.
#include <gtest/gtest.h>

#include <random>

#include "traces/serving/engine.h"
#include "traces/serving/request_spec.h"

namespace memwall::serving {
namespace {

constexpr ps_t ms = 1'000'000'000;

server_params small() {
  server_params p;
  p.max_num_seqs = 4;
  p.max_num_batched_tokens = 8;
  p.block_size = 4;
  return p;
}

request make(std::int64_t number, ps_t arrival, std::int64_t input, std::int64_t output) {
  request r;
  r.id = std::to_string(number);
  r.arrival = arrival;
  r.input = input;
  r.output = output;
  r.content = {{static_cast<std::uint64_t>(number) + 1, input}};
  return r;
}

outcome takes(ps_t time, stall cause = stall::compute) {
  outcome o;
  o.parts[static_cast<std::size_t>(cause)] = static_cast<double>(time);
  return o;
}

/// Every step takes 10 ms.
void run(engine& e, ps_t time = 10 * ms) {
  while (e.next() != nullptr) e.complete(takes(time));
}

TEST(engine, times_of_two_requests) {
  request_list list;
  // Step 0 to 10: the first prompt. Request 1 arrives at 4, is let in at 10: 10 to 20 its prompt beside a decode of the
  // first, whose last token comes at 20. 20 to 30: request 1's second token.
  list.requests = {make(0, 0, 4, 2), make(1, 4 * ms, 4, 2)};
  engine e(list, small(), 100, 1, 0);
  run(e);
  const auto& r = e.requests();
  EXPECT_EQ(r[0].scheduled, 0);
  EXPECT_EQ(r[0].first_token, 10 * ms);
  EXPECT_EQ(r[0].last_token, 20 * ms);
  EXPECT_EQ(r[1].scheduled, 10 * ms);
  EXPECT_EQ(r[1].first_token, 20 * ms);
  EXPECT_EQ(r[1].last_token, 30 * ms);
  EXPECT_EQ(r[1].time.queue, 6 * ms);
  EXPECT_EQ(r[1].time.prompt[stall::compute], 10 * ms);
  EXPECT_EQ(r[1].time.decode[stall::compute], 10 * ms);
  EXPECT_EQ(e.now(), 30 * ms);
  EXPECT_EQ(e.tokens(), 4);
  EXPECT_EQ(e.steps(), 3);
  const std::vector<std::pair<ps_t, std::int64_t>> gaps = {{10 * ms, 1}, {10 * ms, 1}};
  EXPECT_EQ(e.gaps(), gaps);
}

TEST(engine, an_idle_server_waits_for_the_next_arrival) {
  request_list list;
  list.requests = {make(0, 0, 4, 1), make(1, 50 * ms, 4, 1)};
  engine e(list, small(), 100, 1, 0);
  run(e);
  EXPECT_EQ(e.requests()[1].scheduled, 50 * ms);
  EXPECT_EQ(e.requests()[1].last_token, 60 * ms);
  EXPECT_EQ(e.requests()[1].time.queue, 0);
}

TEST(engine, the_hosts_time_adds_to_a_step_or_hides_behind_it) {
  request_list list;
  list.requests = {make(0, 0, 4, 2)};
  server_params p = small();
  p.step_time = duration(3e-3);
  p.sequence_time = duration(1e-3);
  p.token_time = duration(0.25e-3);
  p.request_time = duration(2e-3);
  {
    engine e(list, p, 100, 1, 0);
    run(e);
    // 2 of the front end; 10 + 3 + 1 + 4 x 0.25 for the prompt; 10 + 3 + 1 for the token.
    EXPECT_EQ(e.requests()[0].first_token, 17 * ms);
    EXPECT_EQ(e.requests()[0].last_token, 31 * ms);
    EXPECT_EQ(e.requests()[0].time.front_end, 2 * ms);
    EXPECT_EQ(e.requests()[0].time.prompt_host, 5 * ms);
    EXPECT_EQ(e.requests()[0].time.decode_host, 4 * ms);
    EXPECT_EQ(e.host_time(), 9 * ms);
  }
  p.overlap = true;
  engine hidden(list, p, 100, 1, 0);
  run(hidden);
  EXPECT_EQ(hidden.host_time(), 0);
  EXPECT_EQ(hidden.requests()[0].last_token, 22 * ms);
  engine seen(list, p, 100, 1, 0);
  run(seen, 2 * ms);  // the host takes 5 and 4, of which 2 are hidden
  EXPECT_EQ(seen.host_time(), 5 * ms);
  EXPECT_EQ(seen.requests()[0].last_token, (2 + 5 + 4) * ms);
}

// Request 1 comes while step 0 runs, when step 1 has been formed: it takes part in step 2. Request 2 comes at the very
// begin of step 1, when step 2 is formed.
TEST(engine, a_step_formed_ahead_leaves_out_who_comes_later) {
  request_list list;
  list.requests = {make(0, 0, 4, 6), make(1, 4 * ms, 4, 1), make(2, 10 * ms, 4, 1), make(3, 11 * ms, 1, 1)};
  server_params p = small();
  p.max_num_batched_tokens = 16;
  p.async_scheduling = true;
  engine e(list, p, 100, 1, 0);
  run(e);
  const auto& r = e.requests();
  EXPECT_EQ(r[0].first_token, 10 * ms);
  EXPECT_EQ(r[1].scheduled, 20 * ms);
  EXPECT_EQ(r[1].first_token, 30 * ms);
  EXPECT_EQ(r[1].time.queue, 16 * ms);
  EXPECT_EQ(r[2].scheduled, 20 * ms);
  EXPECT_EQ(r[3].scheduled, 30 * ms);
  EXPECT_EQ(r[0].last_token, 60 * ms);
  p.async_scheduling = false;
  engine f(list, p, 100, 1, 0);
  run(f);
  EXPECT_EQ(f.requests()[1].scheduled, 10 * ms);
}

// Nobody was left for the step after the first: it is formed when request 1 comes, and request 2 comes after that.
TEST(engine, without_work_a_step_is_formed_for_who_comes_first) {
  request_list list;
  list.requests = {make(0, 0, 4, 1), make(1, 4 * ms, 4, 1), make(2, 6 * ms, 4, 1), make(3, 90 * ms, 4, 1)};
  server_params p = small();
  p.async_scheduling = true;
  engine e(list, p, 100, 1, 0);
  run(e);
  EXPECT_EQ(e.requests()[1].scheduled, 10 * ms);
  EXPECT_EQ(e.requests()[2].scheduled, 20 * ms);
  EXPECT_EQ(e.requests()[3].scheduled, 90 * ms);
}

// Requests that wait for a step to be formed count for the router: the second one goes elsewhere.
TEST(engine, who_comes_late_is_load) {
  request_list list;
  list.requests = {make(0, 0, 4, 3), make(1, 0, 4, 3), make(2, 4 * ms, 4, 1), make(3, 5 * ms, 4, 1)};
  server_params p = small();
  p.router = "least_loaded";
  p.async_scheduling = true;
  engine e(list, p, 100, 2, 0);
  run(e);
  EXPECT_NE(e.requests()[0].replica, e.requests()[1].replica);
  EXPECT_NE(e.requests()[2].replica, e.requests()[3].replica);
}

TEST(engine, steps_are_padded_to_captured_graphs) {
  request_list list;
  list.requests = {make(0, 0, 3, 2), make(1, 0, 4, 1)};
  server_params p = small();
  p.graph_rows = {8, 1, 2};
  engine e(list, p, 100, 1, 0);
  EXPECT_EQ(e.next()->shape.rows, 8);  // 3 + 4
  e.complete(takes(ms));
  EXPECT_EQ(e.next()->shape.rows, 1);
  p.graph_rows = {1, 2};
  engine f(list, p, 100, 1, 0);
  EXPECT_EQ(f.next()->shape.rows, 7);
}

TEST(engine, users_of_a_closed_loop_come_back_after_a_pause) {
  const auto list = from_spec("closed:users=1,n=3,input=4,output=1,think=0.005", 1);
  engine e(list, small(), 100, 1, 0);
  run(e);
  EXPECT_EQ(e.requests()[1].arrival, 15 * ms);
  EXPECT_EQ(e.requests()[2].arrival, 30 * ms);
  EXPECT_EQ(e.requests()[2].last_token, 40 * ms);
  server_params p = small();
  p.request_time = duration(2e-3);  // of the front end, before each is let in
  engine f(list, p, 100, 1, 0);
  run(f);
  EXPECT_EQ(f.requests()[1].arrival, 17 * ms);
  EXPECT_EQ(f.requests()[1].last_token, 29 * ms);
  EXPECT_EQ(f.requests()[2].last_token, 46 * ms);
}

TEST(engine, routers) {
  request_list list;
  for (std::int64_t i = 0; i < 4; ++i) list.requests.push_back(make(i, 0, i == 0 ? 8 : 4, 1));
  const auto replicas = [&](const char* router) {
    server_params p = small();
    p.router = router;
    engine e(list, p, 100, 2, 0);
    run(e);
    std::vector<int> out;
    for (const auto& r : e.requests()) out.push_back(r.replica);
    return out;
  };
  EXPECT_EQ(replicas("round_robin"), (std::vector<int>{0, 1, 0, 1}));
  // Replica 0 has 9 tokens to go, 1 gets 5, then 10: the fourth goes to 0. Nothing is known anywhere: prefix_aware does
  // the same.
  EXPECT_EQ(replicas("least_loaded"), (std::vector<int>{0, 1, 1, 0}));
  EXPECT_EQ(replicas("prefix_aware"), (std::vector<int>{0, 1, 1, 0}));
}

TEST(engine, a_prefix_aware_router_sends_a_prompt_where_it_is_known) {
  request_list list;
  list.requests = {make(0, 0, 9, 1), make(1, 1, 1, 30), make(2, 100 * ms, 9, 1)};
  list.requests[1].content = {{77, 1}};
  list.requests[2].content = list.requests[0].content;
  server_params p = small();
  p.router = "prefix_aware";
  engine e(list, p, 100, 2, 0);
  run(e);
  EXPECT_EQ(e.requests()[0].replica, 0);
  EXPECT_EQ(e.requests()[2].replica, 0);
  EXPECT_EQ(e.requests()[2].hit_tokens, 8);
  EXPECT_EQ(e.hit_tokens(), 8);
}

TEST(engine, what_never_fits_is_refused) {
  request_list list;
  list.origin = "r.csv";
  list.requests = {make(0, 0, 30, 10)};
  list.requests[0].line = 2;
  try {
    engine e(list, small(), 100, 1, 39);
    FAIL();
  } catch (const input_error& e) {
    EXPECT_EQ(e.problems()[0].where, "r.csv:2");
    EXPECT_NE(e.problems()[0].message.find("40 positions"), std::string::npos);
  }
  EXPECT_NO_THROW(engine(list, small(), 100, 1, 40));
  // 39 positions are kept: ten blocks of four.
  EXPECT_NO_THROW(engine(list, small(), 10, 1, 0));
  EXPECT_THROW(engine(list, small(), 9, 1, 0), capacity_error);
}

TEST(engine, the_parts_of_a_request_sum_to_its_latency) {
  const auto list = from_spec("gamma:rate=40,cv=2,n=200,input=uniform:1-20,output=uniform:1-12,prefix=8:3", 3);
  for (const char* policy : {"fcfs", "prefill_first", "static", "shortest_first", "priority"}) {
    server_params p = small();
    p.policy = policy;
    p.step_time = duration(1e-3);
    p.request_time = duration(0.5e-3);
    engine e(list, p, 14, 2, 0);
    std::mt19937_64 random(9);
    stall_stack steps;
    ps_t host = 0, busy = 0;
    e.on_step = [&](const served_step& s) {
      steps += s.parts;
      host += s.host;
      busy += s.end - s.start;
    };
    while (const pending_step* s = e.next()) {
      outcome o = takes(static_cast<ps_t>(random() % 5) * ms + s->shape.rows, stall::dram_data);
      o.parts[static_cast<std::size_t>(stall::bus_wait)] = static_cast<double>(random() % 1000);
      e.complete(o);
    }
    EXPECT_EQ(e.completed(), 200);
    EXPECT_EQ(steps.sum() + host, busy);
    std::int64_t tokens = 0, gaps = 0;
    for (std::size_t i = 0; i < 200; ++i) {
      const auto& r = e.requests()[i];
      EXPECT_EQ(r.time.sum(), r.last_token - r.arrival) << policy << " " << i;
      EXPECT_GE(r.time.queue, 0);
      EXPECT_LE(r.scheduled, r.first_token);
      tokens += list.requests[i].output;
      gaps += list.requests[i].output - 1;
    }
    EXPECT_EQ(e.tokens(), tokens);
    for (const auto& [gap, n] : e.gaps()) gaps -= n;
    EXPECT_EQ(gaps, 0);
    if (std::string(policy) == "fcfs") {
      EXPECT_GT(e.preemptions(), 0);
    }
  }
}

}  // namespace
}  // namespace memwall::serving
