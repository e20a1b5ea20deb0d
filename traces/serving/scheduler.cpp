// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/scheduler.h"

#include <algorithm>
#include <cmath>

#include "hw/common/params.h"

namespace memwall::serving {

registry<std::function<std::unique_ptr<policy>()>>& policies() {
  static registry<std::function<std::unique_ptr<policy>()>> all("policy");
  return all;
}

std::int64_t step::tokens() const {
  std::int64_t sum = 0;
  for (const auto& s : shares) sum += s.tokens;
  return sum;
}

scheduler::scheduler(const server_params& params, std::int64_t kv)
    : m_p(params),
      m_policy(policies().get(params.policy, "--set", "server.policy")()),
      m_cache(kv, params.prefix_caching) {}

scheduler::~scheduler() = default;

void scheduler::add(std::size_t number, const request& r, ps_t now) {
  auto s = std::make_unique<sequence>();
  s->number = number;
  s->asked = &r;
  s->queued = now;
  if (!detail::read_integer(r.kind, INT64_MIN, INT64_MAX, s->priority)) s->priority = INT64_MAX;
  m_load += r.input + r.output;
  wait(*s);
  m_all.emplace(number, std::move(s));
}

/// Into its place among those that wait.
void scheduler::wait(sequence& s) {
  const auto earlier = [this](const sequence* a, const sequence* b) {
    if (m_policy->before(*a, *b)) return true;
    if (m_policy->before(*b, *a)) return false;
    return a->number < b->number;
  };
  m_waiting.insert(std::upper_bound(m_waiting.begin(), m_waiting.end(), &s, earlier), &s);
}

const step& scheduler::next() {
  m_step = {};
  m_budget = m_p.max_num_batched_tokens;
  if (m_policy->prompts_apart()) {
    run_running(true);
    if (m_step.preempted.empty()) let_waiting_in();
    if (!m_step.shares.empty()) return m_step;
  }
  run_running(false);
  if (m_step.preempted.empty() && !m_policy->prompts_apart()) let_waiting_in();
  return m_step;
}

/// The next tokens of sequences that run, first come first served. Who finds no block takes those of a victim.
void scheduler::run_running(bool prompts_only) {
  for (std::size_t i = 0; i < m_running.size() && m_budget > 0;) {
    sequence& s = *m_running[i];
    const std::int64_t wanted = s.known() - s.computed, tokens = std::min(wanted, m_budget);
    const bool prompt = wanted > 1 || s.in_prompt();
    if ((prompts_only && !prompt) || !may_cut(wanted)) {
      ++i;
      continue;
    }
    bool gone = false;
    while (!gone && !take_blocks(s, tokens, 0)) {
      const std::size_t victim = m_policy->victim(m_running);
      gone = m_running[victim] == &s;
      if (victim < i) --i;
      preempt(victim);
    }
    if (gone) continue;
    schedule(s, tokens);
    ++i;
  }
}

/// Whether so many tokens can go into this step, or a part of them may. A prompt larger than the whole budget must be
/// cut even where chunks are off.
bool scheduler::may_cut(std::int64_t tokens) const {
  return tokens <= m_budget || m_p.chunked_prefill || m_budget == m_p.max_num_batched_tokens;
}

void scheduler::let_waiting_in() {
  while (!m_waiting.empty() && m_budget > 0 && running() < m_p.max_num_seqs && m_policy->lets_in(m_running))
    if (!let_in(*m_waiting.front())) return;
}

bool scheduler::let_in(sequence& s) {
  // With nobody else there, a watermark would keep out a sequence that fits.
  const auto keep_free =
      m_running.empty() ? 0
                        : static_cast<std::int64_t>(std::ceil(m_p.watermark * static_cast<double>(m_cache.count())));
  const std::vector<kv_blocks::block_id> hits = s.swapped ? std::vector<kv_blocks::block_id>{} : find_hits(s);
  const std::int64_t found = s.swapped ? s.computed : static_cast<std::int64_t>(hits.size()) * m_p.block_size;
  const std::int64_t wanted = s.known() - found, tokens = std::min(wanted, m_budget);
  if (!may_cut(wanted)) return false;
  std::int64_t free_hits = 0;
  for (const auto b : hits) free_hits += m_cache.is_free(b) ? 1 : 0;
  const std::int64_t fresh = blocks_for(found + tokens, m_p.block_size) - static_cast<std::int64_t>(hits.size());
  if (m_cache.free() - free_hits < fresh + keep_free) return false;

  for (const auto b : hits) m_cache.share(b);
  s.blocks = hits;
  s.computed = found;
  if (s.swapped) {
    m_step.swapped_in += blocks_for(found, m_p.block_size);
    s.swapped = false;
  }
  if (s.preemptions == 0) {
    s.hits = found;
    m_hits += found;
    m_asked += s.asked->input;
  }
  take_blocks(s, tokens, 0);
  m_waiting.pop_front();
  m_running.push_back(&s);
  m_step.let_in.push_back(&s);
  schedule(s, tokens);
  return true;
}

/// Blocks at the front of what it knows that the cache holds. The last token must be computed in any case: its result
/// is what is sampled from.
std::vector<kv_blocks::block_id> scheduler::find_hits(sequence& s) const {
  std::vector<kv_blocks::block_id> out;
  if (!m_p.prefix_caching) return out;
  const auto most = static_cast<std::size_t>((s.known() - 1) / m_p.block_size);
  kv_blocks::block_id b = 0;
  while (out.size() < most && m_cache.find(hash_of(s, out.size()), b)) out.push_back(b);
  return out;
}

std::int64_t scheduler::cached_tokens(const request& r) const {
  sequence probe;
  probe.asked = &r;
  return static_cast<std::int64_t>(find_hits(probe).size()) * m_p.block_size;
}

std::uint64_t scheduler::hash_of(sequence& s, std::size_t block) const {
  while (s.hashes.size() <= block)
    s.hashes.push_back(block_hash(*s.asked, static_cast<std::int64_t>(s.hashes.size()), m_p.block_size,
                                  s.hashes.empty() ? 0 : s.hashes.back()));
  return s.hashes[block];
}

bool scheduler::take_blocks(sequence& s, std::int64_t tokens, std::int64_t keep_free) {
  const std::int64_t missing =
      blocks_for(s.computed + tokens, m_p.block_size) - static_cast<std::int64_t>(s.blocks.size());
  if (missing > m_cache.free() - keep_free) return false;
  for (std::int64_t i = 0; i < missing; ++i) s.blocks.push_back(m_cache.take());
  return true;
}

void scheduler::schedule(sequence& s, std::int64_t tokens) {
  m_step.shares.push_back({&s, s.computed, tokens, s.computed + tokens == s.known()});
  m_budget -= tokens;
  // Blocks that this step fills are found from now on: whoever finds them runs in this step, behind it, or later.
  if (!m_p.prefix_caching) return;
  const auto full = static_cast<std::size_t>((s.computed + tokens) / m_p.block_size);
  for (auto i = static_cast<std::size_t>(s.computed / m_p.block_size); i < full; ++i)
    m_cache.fill(s.blocks[i], hash_of(s, i));
}

/// The end of a prefix goes first: without its beginning nobody could use it.
void scheduler::release(sequence& s) {
  for (auto b = s.blocks.rbegin(); b != s.blocks.rend(); ++b) m_cache.release(*b);
  s.blocks.clear();
}

void scheduler::preempt(std::size_t index) {
  sequence& s = *m_running[index];
  m_running.erase(m_running.begin() + static_cast<std::ptrdiff_t>(index));
  const auto mine = [&s](const share& x) { return x.who == &s; };
  if (const auto had = std::find_if(m_step.shares.begin(), m_step.shares.end(), mine); had != m_step.shares.end()) {
    m_budget += had->tokens;
    m_step.shares.erase(had);
  }
  release(s);
  if (m_p.preemption == "swap" && s.computed > 0) {
    m_step.swapped_out += blocks_for(s.computed, m_p.block_size);
    s.swapped = true;
  } else {
    s.computed = 0;
  }
  ++s.preemptions;
  m_step.preempted.push_back(&s);
  wait(s);
}

void scheduler::complete(const std::function<void(sequence&)>& ended) {
  for (const share& part : m_step.shares) {
    sequence& s = *part.who;
    s.computed += part.tokens;
    if (!part.samples) continue;
    ++s.generated;
    if (s.generated < s.asked->output) continue;
    release(s);
    m_running.erase(std::find(m_running.begin(), m_running.end(), &s));
    m_load -= s.asked->input + s.asked->output;
    ended(s);
    m_all.erase(s.number);
  }
  m_step = {};
}

}  // namespace memwall::serving
