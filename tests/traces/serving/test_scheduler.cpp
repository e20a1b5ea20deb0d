// SPDX-License-Identifier: Apache-2.0
// Schedules made by hand from the rules of the engines, and what must hold whatever arrives.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "traces/serving/scheduler.h"

namespace memwall::serving {
namespace {

request make(std::int64_t number, std::int64_t input, std::int64_t output, const std::string& kind = "") {
  request r;
  r.id = std::to_string(number);
  r.input = input;
  r.output = output;
  r.kind = kind;
  r.content = {{static_cast<std::uint64_t>(number) + 1, input}};
  return r;
}

server_params small() {
  server_params p;
  p.max_num_seqs = 4;
  p.max_num_batched_tokens = 8;
  p.block_size = 4;
  return p;
}

/// A step as text: "0:4 1:1* !2": tokens by request, * where one is sampled, ! who was preempted.
std::string text_of(const step& s) {
  std::string out;
  for (const auto& x : s.shares)
    out += (out.empty() ? "" : " ") + x.who->asked->id + ":" + std::to_string(x.tokens) + (x.samples ? "*" : "");
  for (const auto* x : s.preempted) out += " !" + x->asked->id;
  return out;
}

class bench {
 public:
  bench(const server_params& p, std::int64_t kv, std::vector<request> requests)
      : m_requests(std::move(requests)), m_scheduler(p, kv) {
    for (std::size_t i = 0; i < m_requests.size(); ++i) m_scheduler.add(i, m_requests[i], 0);
  }
  /// The next `count` steps.
  std::vector<std::string> steps(int count) {
    std::vector<std::string> out;
    for (int i = 0; i < count && !m_scheduler.idle(); ++i) {
      out.push_back(text_of(m_scheduler.next()));
      m_scheduler.complete([](sequence&) {});
    }
    return out;
  }
  serving::scheduler& scheduler() { return m_scheduler; }
  void add(request r) {
    m_later.push_back(std::move(r));
    m_scheduler.add(m_requests.size() + m_later.size() - 1, m_later.back(), 0);
  }

 private:
  std::vector<request> m_requests;
  std::deque<request> m_later;
  serving::scheduler m_scheduler;
};

using steps = std::vector<std::string>;

TEST(scheduler, prompts_come_in_chunks_beside_decodes) {
  // Budget 8: the first prompt (6) and 2 of the second's 9; then a decode, 7 more tokens; ...
  bench b(small(), 100, {make(0, 6, 3), make(1, 9, 2)});
  EXPECT_EQ(b.steps(10), (steps{"0:6* 1:2", "0:1* 1:7*", "0:1* 1:1*"}));
}

TEST(scheduler, no_more_sequences_than_allowed) {
  server_params p = small();
  p.max_num_seqs = 2;
  bench b(p, 100, {make(0, 2, 2), make(1, 2, 1), make(2, 2, 1)});
  EXPECT_EQ(b.steps(10), (steps{"0:2* 1:2*", "0:1* 2:2*"}));
}

TEST(scheduler, whole_prompts_wait_for_room_in_the_budget) {
  server_params p = small();
  p.chunked_prefill = false;
  bench b(p, 100, {make(0, 5, 2), make(1, 5, 1)});
  EXPECT_EQ(b.steps(10), (steps{"0:5*", "0:1* 1:5*"}));
}

TEST(scheduler, the_last_one_let_in_is_preempted_and_computed_again) {
  // Three blocks of four. Both prompts take one block each; at its 5th position request 0 takes the third; request 1
  // finds none for its own, is preempted, and when 0 has ended computes its 4 + 1 known tokens again: the prompt's full
  // block is still there (prefix cache), so that one token is left.
  bench b(small(), 3, {make(0, 4, 3), make(1, 4, 3)});
  EXPECT_EQ(b.steps(10), (steps{"0:4* 1:4*", "0:1* !1", "0:1*", "1:1*", "1:1*"}));
  server_params p = small();
  p.prefix_caching = false;
  bench c(p, 3, {make(0, 4, 3), make(1, 4, 3)});
  EXPECT_EQ(c.steps(10), (steps{"0:4* 1:4*", "0:1* !1", "0:1*", "1:5*", "1:1*"}));
}

TEST(scheduler, nobody_is_let_in_where_somebody_had_to_go) {
  bench b(small(), 3, {make(0, 4, 2), make(1, 4, 2), make(2, 1, 1)});
  // In step 2 request 1 gives its block away; there would be room for request 2, but it waits behind 1, which needs
  // two.
  EXPECT_EQ(b.steps(2), (steps{"0:4* 1:4*", "0:1* !1"}));
  EXPECT_EQ(b.steps(10), (steps{"1:1* 2:1*"}));
}

TEST(scheduler, a_shorter_one_waits_too_where_somebody_had_to_go) {
  server_params p = small();
  p.policy = "shortest_first";
  p.max_num_batched_tokens = 16;
  p.prefix_caching = false;
  bench b(p, 4, {make(0, 4, 4), make(1, 8, 3)});
  EXPECT_EQ(b.steps(1), (steps{"0:4* 1:8*"}));
  b.add(make(2, 3, 1));
  // Four blocks: 0 takes the last one for its 5th position, 1 finds none for its 9th and goes. Its two would do for 2,
  // which is next in line, but not in this step.
  EXPECT_EQ(b.steps(2), (steps{"0:1* !1", "0:1* 2:3*"}));
}

TEST(scheduler, swapped_sequences_come_back_with_what_they_had) {
  server_params p = small();
  p.preemption = "swap";
  p.prefix_caching = false;
  bench b(p, 3, {make(0, 4, 3), make(1, 4, 3)});
  auto& s = b.scheduler();
  s.next();
  s.complete([](sequence&) {});
  EXPECT_EQ(s.next().swapped_out, 1);
  s.complete([](sequence&) {});
  s.next();
  s.complete([](sequence&) {});
  const step& back = s.next();
  EXPECT_EQ(back.swapped_in, 1);
  EXPECT_EQ(text_of(back), "1:1*");
}

TEST(scheduler, a_prompt_that_was_computed_is_found) {
  // 10 tokens: two full blocks are found, the rest is computed; of 8 tokens only one block: the last token is computed.
  bench b(small(), 100, {make(0, 10, 1)});
  b.steps(10);
  request again = make(0, 10, 1), whole = make(0, 8, 1);
  b.add(again);
  EXPECT_EQ(b.steps(10), (steps{"0:2*"}));
  b.add(whole);
  EXPECT_EQ(b.steps(10), (steps{"0:4*"}));
  EXPECT_EQ(b.scheduler().hit_tokens(), 8 + 4);
  EXPECT_EQ(b.scheduler().asked_tokens(), 10 + 10 + 8);
}

TEST(scheduler, the_longest_unused_prefix_goes_first) {
  server_params p = small();
  bench b(p, 4, {make(0, 5, 1)});
  b.steps(9);
  b.add(make(1, 5, 1));
  b.steps(9);
  EXPECT_EQ(b.scheduler().cached_tokens(make(0, 5, 1)), 4);
  b.add(make(0, 5, 1));  // used again: request 1's block is the oldest now
  b.steps(9);
  b.add(make(2, 9, 1));  // three blocks of four
  b.steps(9);
  EXPECT_EQ(b.scheduler().cached_tokens(make(0, 5, 1)), 4);
  EXPECT_EQ(b.scheduler().cached_tokens(make(1, 5, 1)), 0);
}

TEST(scheduler, policies) {
  const auto with = [](const char* name, std::vector<request> requests, int seqs = 4) {
    server_params p = small();
    p.policy = name;
    p.max_num_seqs = seqs;
    bench b(p, 100, std::move(requests));
    return b.steps(20);
  };
  // Whole batches: request 2 waits until both of the first batch have ended.
  EXPECT_EQ(with("static", {make(0, 2, 1), make(1, 2, 3), make(2, 2, 1)}, 2),
            (steps{"0:2* 1:2*", "1:1*", "1:1*", "2:2*"}));
  EXPECT_EQ(with("fcfs", {make(0, 2, 1), make(1, 2, 3), make(2, 2, 1)}, 2), (steps{"0:2* 1:2*", "1:1* 2:2*", "1:1*"}));
  // Prompts in steps of their own: the second chunk of request 1 goes before request 0's decode.
  EXPECT_EQ(with("prefill_first", {make(0, 6, 2), make(1, 9, 1)}), (steps{"0:6* 1:2", "1:7*", "0:1*"}));
  EXPECT_EQ(with("shortest_first", {make(0, 6, 1), make(1, 3, 1), make(2, 2, 1)}, 1), (steps{"2:2*", "1:3*", "0:6*"}));
  EXPECT_EQ(with("priority", {make(0, 2, 1, "2"), make(1, 2, 1, "1"), make(2, 2, 1)}, 1),
            (steps{"1:2*", "0:2*", "2:2*"}));
}

// The largest number gives way, wherever it stands; of equals the last one.
TEST(scheduler, the_victim_is_the_least_important_one) {
  const auto rule = policies().get("priority")();
  sequence one, two, three, more;
  one.priority = 1;
  two.priority = 2;
  three.priority = more.priority = 3;
  EXPECT_EQ(rule->victim({&three, &one, &two}), 0U);
  EXPECT_EQ(rule->victim({&one, &three, &two}), 1U);
  EXPECT_EQ(rule->victim({&one, &two, &three}), 2U);
  EXPECT_EQ(rule->victim({&three, &one, &more, &two}), 2U);
  EXPECT_EQ(rule->victim({&one}), 0U);
}

TEST(scheduler, the_least_important_one_gives_way) {
  server_params p = small();
  p.policy = "priority";
  bench b(p, 3, {make(0, 4, 3, "2"), make(1, 4, 3, "1")});
  // Request 1 was let in first. When it needs a second block it takes the free one; request 0 then gives itself up.
  EXPECT_EQ(b.steps(2), (steps{"1:4* 0:4*", "1:1* !0"}));
}

TEST(scheduler, a_watermark_keeps_blocks_free) {
  server_params p = small();
  p.watermark = 0.5;
  bench b(p, 4, {make(0, 4, 1), make(1, 8, 1)});
  // After request 0's block three are free, request 1 wants one now (4 tokens of budget left): two stay free, enough.
  EXPECT_EQ(b.steps(1), (steps{"0:4* 1:4"}));
  p.watermark = 0.75;
  bench c(p, 4, {make(0, 4, 1), make(1, 8, 1)});
  EXPECT_EQ(c.steps(1), (steps{"0:4*"}));
}

TEST(scheduler, an_unknown_policy_is_refused_with_the_nearest_name) {
  server_params p = small();
  p.policy = "fcsf";
  try {
    scheduler s(p, 10);
    FAIL();
  } catch (const input_error& e) {
    EXPECT_EQ(e.problems().at(0).nearest, "fcfs");
  }
}

/// Random servers and requests: what must hold after every step.
TEST(scheduler, invariants_under_random_requests) {
  std::mt19937_64 random(5);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  for (int round = 0; round < 150; ++round) {
    server_params p;
    p.block_size = pick(1, 8);
    p.max_num_seqs = pick(1, 6);
    p.max_num_batched_tokens = pick(1, 24);
    p.prefix_caching = pick(0, 1) == 1;
    p.chunked_prefill = pick(0, 2) > 0;
    p.preemption = pick(0, 1) == 1 ? "swap" : "recompute";
    p.policy = policies().names()[static_cast<std::size_t>(pick(0, 4))];
    const std::int64_t longest = 30, kv = blocks_for(longest, p.block_size) + pick(0, 10);
    std::vector<request> requests;
    for (std::int64_t i = 0; i < 30; ++i) {
      request r = make(i, pick(1, 20), pick(1, 10), std::to_string(pick(0, 2)));
      if (pick(0, 1) == 1) r.content = {{1000 + static_cast<std::uint64_t>(pick(0, 2)), 12}, r.content[0]};
      requests.push_back(r);
    }
    scheduler s(p, kv);
    std::size_t arrived = 0;
    std::map<std::size_t, std::int64_t> sampled;
    std::vector<std::size_t> first_let_in;
    std::set<std::size_t> ended;
    int rounds = 0;
    while (arrived < requests.size() || !s.idle()) {
      ASSERT_LT(++rounds, 5000) << "no progress, policy " << p.policy;
      while (arrived < requests.size() && (s.idle() || pick(0, 2) == 0)) {
        s.add(arrived, requests[arrived], 0);
        ++arrived;
      }
      const step& now = s.next();
      ASSERT_FALSE(now.shares.empty());
      ASSERT_LE(now.tokens(), p.max_num_batched_tokens);
      ASSERT_LE(s.running(), p.max_num_seqs);
      std::map<kv_blocks::block_id, std::set<std::uint64_t>> held;
      std::set<const sequence*> once;
      for (const auto* x : now.let_in)
        if (x->preemptions == 0) first_let_in.push_back(x->number);
      for (const auto& x : now.shares) {
        ASSERT_TRUE(once.insert(x.who).second) << "twice in a step";
        ASSERT_EQ(x.past, x.who->computed);
        ASSERT_GE(x.tokens, 1);
        ASSERT_LE(x.past + x.tokens, x.who->known());
        ASSERT_EQ(x.samples, x.past + x.tokens == x.who->known());
        ASSERT_GE(static_cast<std::int64_t>(x.who->blocks.size()) * p.block_size, x.past + x.tokens);
        std::uint64_t hash = 0;
        for (std::size_t i = 0; i < x.who->blocks.size(); ++i) {
          hash = block_hash(*x.who->asked, static_cast<std::int64_t>(i), p.block_size, hash);
          held[x.who->blocks[i]].insert(hash);
          ASSERT_GE(s.cache().users(x.who->blocks[i]), 1);
        }
        if (x.samples) ++sampled[x.who->number];
      }
      // A block that two sequences share holds the same tokens for both.
      for (const auto& [unused, contents] : held) ASSERT_EQ(contents.size(), 1u);
      s.complete([&](sequence& q) { ASSERT_TRUE(ended.insert(q.number).second); });
    }
    ASSERT_EQ(s.cache().used(), 0) << "blocks leaked";
    ASSERT_EQ(s.load(), 0);
    ASSERT_EQ(ended.size(), requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) ASSERT_EQ(sampled[i], requests[i].output);
    if (p.policy == "fcfs") {
      ASSERT_TRUE(std::is_sorted(first_let_in.begin(), first_let_in.end()));
    }
  }
}

// Three blocks: taken in the order in which they became free; one that is full is found by what it holds until it is
// taken for something else. Of two with the same contents the first is found, and a block keeps what it was filled
// with.
TEST(kv_blocks, are_found_until_somebody_needs_the_room) {
  kv_blocks b(3, true);
  kv_blocks::block_id found = -1;
  const auto first = b.take(), second = b.take(), third = b.take();
  EXPECT_EQ((std::set<kv_blocks::block_id>{first, second, third}), (std::set<kv_blocks::block_id>{0, 1, 2}));
  EXPECT_EQ(b.free(), 0);
  EXPECT_EQ(b.used(), 3);
  EXPECT_FALSE(b.find(7, found));
  b.fill(first, 7);
  b.fill(second, 7);
  ASSERT_TRUE(b.find(7, found));
  EXPECT_EQ(found, first);
  b.fill(first, 8);
  EXPECT_FALSE(b.find(8, found)) << "it holds 7";
  b.fill(third, 9);

  b.share(first);
  b.release(first);
  EXPECT_EQ(b.users(first), 1);
  EXPECT_FALSE(b.is_free(first));
  b.release(third);
  b.release(first);
  EXPECT_TRUE(b.is_free(first));
  EXPECT_EQ(b.free(), 2);
  ASSERT_TRUE(b.find(9, found)) << "free, but nobody needed it";
  EXPECT_EQ(found, third);
  b.share(found);
  EXPECT_EQ(b.free(), 1);
  EXPECT_EQ(b.take(), first) << "the only free one";
  EXPECT_FALSE(b.find(7, found)) << "forgotten; the second block never was the one that is found";
  b.fill(first, 10);
  EXPECT_TRUE(b.find(10, found));
  b.release(third), b.release(second), b.release(first);
  EXPECT_EQ(b.take(), third);
  EXPECT_EQ(b.take(), second);
  EXPECT_EQ(b.take(), first);
}

TEST(kv_blocks, hold_nothing_without_prefix_caching) {
  kv_blocks b(1, false);
  kv_blocks::block_id found = -1;
  b.fill(b.take(), 7);
  EXPECT_FALSE(b.find(7, found));
}

}  // namespace
}  // namespace memwall::serving
