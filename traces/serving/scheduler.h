// SPDX-License-Identifier: Apache-2.0
// What a serving engine decides before each step: which sequences run, how many tokens of each, who is let in, who has
// to go when the KV cache is full. Plain C++; time comes from outside.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hw/common/registry.h"
#include "traces/serving/kv_blocks.h"
#include "traces/serving/request.h"
#include "traces/serving/server_params.h"

namespace memwall::serving {

/// A request inside a server.
struct sequence {
  std::size_t number = 0;  ///< index of the request
  const request* asked = nullptr;
  ps_t queued = 0;
  std::int64_t computed = 0;   ///< positions in the KV cache
  std::int64_t generated = 0;  ///< tokens sampled so far
  std::int64_t priority = 0;   ///< of its class; smaller is served first
  std::int64_t preemptions = 0;
  std::int64_t hits = 0;  ///< tokens found in the prefix cache when it was let in first
  bool swapped = false;   ///< its KV blocks wait in the host's memory
  std::vector<kv_blocks::block_id> blocks;
  std::vector<std::uint64_t> hashes;  ///< of its full blocks, as far as they were needed

  /// Tokens known: the prompt and what was generated. All but the last one sampled must be in the cache to sample the
  /// next.
  std::int64_t known() const { return asked->input + generated; }
  bool in_prompt() const { return generated == 0; }
};

/// One sequence's part of a step.
struct share {
  sequence* who = nullptr;
  std::int64_t past = 0;    ///< positions in the cache before the step
  std::int64_t tokens = 1;  ///< positions it computes
  bool samples = false;     ///< its last position gives a new token
};

struct step {
  std::vector<share> shares;
  std::vector<sequence*> let_in;  ///< for the first time or again
  std::vector<sequence*> preempted;
  std::int64_t swapped_out = 0, swapped_in = 0;  ///< KV blocks that cross the link
  std::int64_t tokens() const;
};

/// Who comes first: the part of a scheduler that differs between engines. A policy is a file in
/// traces/serving/policies.
class policy {
 public:
  virtual ~policy() = default;
  /// Whether `a` is let in before `b`. Equal ones go by arrival.
  virtual bool before(const sequence& /*a*/, const sequence& /*b*/) const { return false; }
  /// Whether sequences may join those that run.
  virtual bool lets_in(const std::vector<sequence*>& /*running*/) const { return true; }
  /// Prompts have steps of their own, and go first.
  virtual bool prompts_apart() const { return false; }
  /// Index of the one whose blocks are taken.
  virtual std::size_t victim(const std::vector<sequence*>& running) const { return running.size() - 1; }
};
registry<std::function<std::unique_ptr<policy>()>>& policies();
using policy_entry = registered<&policies>;

class scheduler {
 public:
  /// `kv`: number of KV blocks. Throws input_error for an unknown policy.
  scheduler(const server_params& params, std::int64_t kv);
  ~scheduler();

  void add(std::size_t number, const request& r, ps_t now);
  bool idle() const { return m_waiting.empty() && m_running.empty(); }
  /// Forms the next step; empty shares only when idle().
  const step& next();
  /// The step that next() formed has been computed. Calls `ended` for sequences that have all their tokens; they are
  /// gone afterwards.
  void complete(const std::function<void(sequence&)>& ended);

  std::int64_t waiting() const { return static_cast<std::int64_t>(m_waiting.size()); }
  std::int64_t running() const { return static_cast<std::int64_t>(m_running.size()); }
  std::int64_t load() const { return m_load; }  ///< tokens still to be computed or generated
  /// Tokens of a prompt's start that the cache holds.
  std::int64_t cached_tokens(const request& r) const;
  const kv_blocks& cache() const { return m_cache; }
  std::int64_t hit_tokens() const { return m_hits; }     ///< tokens of prompts that were found in the cache
  std::int64_t asked_tokens() const { return m_asked; }  ///< tokens of prompts that were looked for

 private:
  void run_running(bool prompts_only);
  bool may_cut(std::int64_t tokens) const;
  void let_waiting_in();
  bool let_in(sequence& s);
  bool take_blocks(sequence& s, std::int64_t tokens, std::int64_t keep_free);
  void release(sequence& s);
  void preempt(std::size_t index);
  void wait(sequence& s);
  std::vector<kv_blocks::block_id> find_hits(sequence& s) const;
  std::uint64_t hash_of(sequence& s, std::size_t block) const;
  void schedule(sequence& s, std::int64_t tokens);

  const server_params m_p;
  std::unique_ptr<policy> m_policy;
  kv_blocks m_cache;
  std::unordered_map<std::size_t, std::unique_ptr<sequence>> m_all;  // by number; looked up only, never iterated
  std::deque<sequence*> m_waiting;                                   // the next to be let in first
  std::vector<sequence*> m_running;                                  // in the order in which they were let in
  step m_step;
  std::int64_t m_budget = 0, m_load = 0, m_hits = 0, m_asked = 0;
};

/// Blocks that a sequence of so many tokens needs.
constexpr std::int64_t blocks_for(std::int64_t tokens, std::int64_t block_size) {
  return (tokens + block_size - 1) / block_size;
}

}  // namespace memwall::serving
