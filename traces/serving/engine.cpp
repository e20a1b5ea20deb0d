// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/engine.h"

#include <fmt/format.h>

#include <algorithm>

namespace memwall::serving {

engine::engine(const request_list& list, const server_params& params, std::int64_t kv, int replicas,
               std::int64_t positions)
    : m_list(list),
      m_p(params),
      m_kv(kv),
      m_served(list.requests.size()),
      m_open(list.requests.size()),
      m_followers(list.requests.size()) {
  refuse_what_never_fits(positions);
  for (int i = 0; i < replicas; ++i) {
    replica r;
    r.scheduler = std::make_unique<scheduler>(params, kv);
    m_replicas.push_back(std::move(r));
  }
  for (std::size_t i = 0; i < list.requests.size(); ++i) {
    const request& r = list.requests[i];
    // A request that follows one which is not in the list comes at the start.
    if (r.after >= 0 && static_cast<std::size_t>(r.after) < i) {
      m_followers[static_cast<std::size_t>(r.after)].push_back(i);
      continue;
    }
    m_served[i].arrival = r.arrival;
    m_arrivals.push({r.arrival + to_ps(m_p.request_time), i});
  }
}

void engine::refuse_what_never_fits(std::int64_t positions) const {
  problem_list problems;
  std::int64_t longest = 0;
  int found = 0;
  for (std::size_t i = 0; i < m_list.requests.size(); ++i) {
    const request& r = m_list.requests[i];
    longest = std::max(longest, r.input + r.output);
    if (positions <= 0 || r.input + r.output <= positions || ++found > 10) continue;
    const std::string where = r.line > 0 ? m_list.origin + ":" + std::to_string(r.line) : "--requests";
    problems.add({where, "request " + r.id,
                  fmt::format("{} tokens in and {} out are {} positions", r.input, r.output, r.input + r.output),
                  fmt::format("at most the {} positions of the model", positions), ""});
  }
  problems.check();
  // The last token is not read back.
  const std::int64_t needed = blocks_for(longest - 1, m_p.block_size);
  if (needed <= m_kv) return;
  throw capacity_error(fmt::format(
      "the longest request has {} tokens and needs {} KV blocks of {}; the server has {} blocks, room for {} "
      "tokens: not one sequence of that length fits, {} of half of it do. Shorter requests, more memory, or "
      "a smaller KV type (--dtype) would fit.",
      longest, needed, m_p.block_size, m_kv, m_kv * m_p.block_size,
      m_kv / std::max<std::int64_t>(1, blocks_for(longest / 2, m_p.block_size))));
}

int engine::route(const request& r) {
  const auto count = static_cast<int>(m_replicas.size());
  const auto at = [&](int i) -> const scheduler& { return *m_replicas[static_cast<std::size_t>(i)].scheduler; };
  if (count == 1) return 0;
  const auto load = [&](int i) {
    std::int64_t sum = at(i).load();
    for (const auto number : m_replicas[static_cast<std::size_t>(i)].late)
      sum += m_list.requests[number].input + m_list.requests[number].output;
    return sum;
  };
  if (m_p.router == "round_robin") return std::exchange(m_turn, (m_turn + 1) % count);
  int best = 0;
  std::int64_t best_cached = -1;
  for (int i = 0; i < count; ++i) {
    // Where most of the prompt is known already; of equal ones the least loaded.
    const std::int64_t cached = m_p.router == "prefix_aware" ? at(i).cached_tokens(r) : 0;
    if (cached > best_cached || (cached == best_cached && load(i) < load(best))) best = i;
    best_cached = std::max(best_cached, cached);
  }
  return best;
}

void engine::queue(const arrival& a) {
  served_request& s = m_served[a.number];
  const request& r = m_list.requests[a.number];
  s.queued = a.at;
  s.time.front_end = a.at - s.arrival;
  s.replica = route(r);
  m_open[a.number].waits_since = a.at;
  replica& to = m_replicas[static_cast<std::size_t>(s.replica)];
  if (to.scheduler->idle()) {
    // Nothing was formed ahead: the step is formed for this one, and starts as soon as the device is free.
    to.formed = a.at;
    to.free = std::max(to.free, a.at);
  }
  if (m_p.async_scheduling && a.at > to.formed)
    to.late.push_back(a.number);
  else
    to.scheduler->add(a.number, r, a.at);
}

engine::replica* engine::earliest() {
  replica* out = nullptr;
  for (auto& r : m_replicas)
    if (!r.scheduler->idle() && (out == nullptr || r.free < out->free)) out = &r;
  return out;
}

const pending_step* engine::next() {
  if (m_pending) return &*m_pending;
  replica* r = earliest();
  while (!m_arrivals.empty() && (r == nullptr || m_arrivals.top().at <= r->free)) {
    const arrival a = m_arrivals.top();
    m_arrivals.pop();
    queue(a);
    r = earliest();
  }
  if (r == nullptr) return nullptr;
  m_step = &r->scheduler->next();
  for (const auto number : r->late) r->scheduler->add(number, m_list.requests[number], m_served[number].queued);
  r->late.clear();
  pending_step p;
  p.replica = static_cast<int>(r - m_replicas.data());
  p.number = m_number++;
  p.start = r->free;
  p.shape = shape_of(*m_step);
  p.swapped_out = m_step->swapped_out;
  p.swapped_in = m_step->swapped_in;
  m_pending = p;
  return &*m_pending;
}

step_shape engine::shape_of(const step& s) const {
  step_shape out;
  for (const auto& x : s.shares) {
    out.rows += x.tokens;
    out.sampled += x.samples ? 1 : 0;
    if (x.tokens == 1)
      out.contexts.push_back(x.past + 1);
    else
      out.chunks.push_back({x.tokens, x.past});
  }
  out.rows = padded(out.rows);
  return out;
}

std::int64_t engine::padded(std::int64_t rows) const {
  std::int64_t best = -1;
  for (const auto g : m_p.graph_rows)
    if (g >= rows && (best < 0 || g < best)) best = g;
  return best < 0 ? rows : best;
}

void engine::enter(const replica& r, std::size_t number, bool prompt, ps_t now) {
  open_request& o = m_open[number];
  m_served[number].time.queue += now - o.waits_since;
  o.in = true;
  o.prompt = prompt;
  o.host = r.host;
  o.parts = r.parts;
}

void engine::leave(const replica& r, std::size_t number, ps_t now) {
  open_request& o = m_open[number];
  request_time& t = m_served[number].time;
  (o.prompt ? t.prompt_host : t.decode_host) += r.host - o.host;
  stall_stack& to = o.prompt ? t.prompt : t.decode;
  for (std::size_t i = 0; i < stall_count; ++i) to.part[i] += r.parts.part[i] - o.parts.part[i];
  o.in = false;
  o.waits_since = now;
}

/// `steady`: tokens whose predecessor came at the begin of this step.
void engine::token(std::size_t number, ps_t start, ps_t now, std::int64_t& steady) {
  served_request& s = m_served[number];
  ++m_tokens;
  if (s.first_token < 0)
    s.first_token = now;
  else if (s.last_token == start)
    ++steady;
  else
    m_gaps.emplace_back(now - s.last_token, 1);
  s.last_token = now;
}

void engine::complete(const outcome& device) {
  const pending_step p = *m_pending;
  replica& r = m_replicas[static_cast<std::size_t>(p.replica)];
  const stall_stack parts = device.stack();
  std::int64_t prompt_tokens = 0;
  for (const auto& c : p.shape.chunks) prompt_tokens += c.fresh;
  const auto sequences = static_cast<ps_t>(m_step->shares.size());
  const ps_t host = to_ps(m_p.step_time) + sequences * to_ps(m_p.sequence_time) + prompt_tokens * to_ps(m_p.token_time);
  const ps_t waited = m_p.overlap ? std::max<ps_t>(0, host - parts.sum()) : host;
  const ps_t end = p.start + parts.sum() + waited;

  // Who took part last time and does not now has waited since this step began.
  for (const auto& x : m_step->shares) m_open[x.who->number].step = p.number;
  for (const auto number : r.members)
    if (m_open[number].in && m_open[number].step != p.number) leave(r, number, p.start);
  r.members.clear();
  const auto tokens = static_cast<double>(m_step->tokens());
  for (const auto& x : m_step->shares) {
    const std::size_t number = x.who->number;
    served_request& s = m_served[number];
    if (!m_open[number].in) enter(r, number, x.who->in_prompt(), p.start);
    if (s.scheduled < 0) {
      s.scheduled = p.start;
      s.hit_tokens = x.who->hits;
    }
    const double share = static_cast<double>(x.tokens) / tokens;
    s.core_pj += share * device.energy_pj;
    s.memory_bytes += share * device.memory_bytes;
    r.members.push_back(number);
  }
  r.host += waited;
  r.parts += parts;
  r.free = end;

  served_step told;
  told.replica = p.replica;
  told.start = p.start;
  told.end = end;
  told.host = waited;
  told.prompts = static_cast<std::int64_t>(p.shape.chunks.size());
  told.decodes = static_cast<std::int64_t>(p.shape.contexts.size());
  told.tokens = m_step->tokens();
  told.running = r.scheduler->running();
  told.waiting = r.scheduler->waiting();
  told.kv_used = r.scheduler->cache().used();
  told.preempted = static_cast<std::int64_t>(m_step->preempted.size());
  told.parts = parts;
  told.energy_pj = device.energy_pj;
  told.memory_bytes = device.memory_bytes;
  m_peak_blocks = std::max(m_peak_blocks, told.kv_used);
  m_preemptions += told.preempted;
  m_host += waited;
  m_device.add(device);

  std::int64_t steady = 0;
  for (const auto& x : m_step->shares) {
    if (!x.samples) continue;
    const std::size_t number = x.who->number;
    token(number, p.start, end, steady);
    if (!m_open[number].prompt) continue;
    leave(r, number, end);
    enter(r, number, false, end);
  }
  if (steady > 0) m_gaps.emplace_back(end - p.start, steady);
  r.scheduler->complete([&](sequence& q) {
    leave(r, q.number, end);
    m_served[q.number].completed = true;
    m_served[q.number].preemptions = q.preemptions;
    ++m_completed;
    for (const auto follower : m_followers[q.number]) {
      m_served[follower].arrival = end + m_list.requests[follower].pause;
      m_arrivals.push({m_served[follower].arrival + to_ps(m_p.request_time), follower});
    }
  });
  m_now = std::max(m_now, end);
  m_pending.reset();
  if (on_step) on_step(told);
}

std::int64_t engine::hit_tokens() const {
  std::int64_t sum = 0;
  for (const auto& r : m_replicas) sum += r.scheduler->hit_tokens();
  return sum;
}

std::int64_t engine::asked_tokens() const {
  std::int64_t sum = 0;
  for (const auto& r : m_replicas) sum += r.scheduler->asked_tokens();
  return sum;
}

}  // namespace memwall::serving
