// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/served_source.h"

#include <algorithm>
#include <utility>

#include "traces/layout.h"

namespace memwall::serving {

served_source::served_source(engine& server, const step_operators& operators, bool phases_differ, reuse_report& report)
    : m_server(server), m_operators(operators), m_costs(operators, phases_differ), m_report(report) {}

trace::answer served_source::next(ps_t now, trace::op& out) {
  while (true) {
    if (m_given < m_batch.size()) {
      if (m_given == 0) m_last_end = now;
      out = m_batch[m_given].op;
      out.id += m_base;
      for (auto& d : out.deps) d += m_base;
      ++m_given;
      return trace::answer::ready();
    }
    if (m_ended < m_batch.size()) return trace::answer::ask_after_any();
    if (!m_batch.empty()) collect();
    if (!go_on()) return trace::answer::end();
  }
}

/// Advances the server to its next step. False: all requests are done.
bool served_source::go_on() {
  const pending_step* p = m_server.next();
  if (p == nullptr) return false;
  if (p->swapped_out + p->swapped_in > 0 && !m_swaps) {
    m_swapping = true;
    give(m_operators.swaps(p->swapped_out, p->swapped_in, p->number));
    m_times.assign(m_batch.size(), 1.0);
    return true;
  }
  if (m_report.on) {
    m_piece = m_costs.probe_of(p->shape);
    probe next = m_piece;
    if (m_costs.knows(p->shape) && audit_is_due()) {
      // Each eighth audit, the first one too, is of a whole step: it measures what standing for others brings, as well.
      m_auditing = true;
      m_longer = 0;
      if (m_audits++ % 8 == 0) next.whole = true, next.chosen.clear();
    }
    emit(next, p->number);
  } else {
    probe whole;
    whole.shape = p->shape;
    emit(whole, p->number);
  }
  return true;
}

/// Three audits each time the number of steps has grown fourfold: errors of the begin, when sizes are new, and of the
/// long run are both seen.
bool served_source::audit_is_due() {
  if (++m_known_steps < m_next_audit) return false;
  m_next_audit += std::max<std::int64_t>(8, m_next_audit * 3 / 5);
  return true;
}

void served_source::emit(const probe& p, std::int64_t number) {
  m_probe = p;
  give(m_costs.operators_of(p, number));
  m_times = m_costs.times_of(p, m_batch);
}

void served_source::give(std::vector<step_operator> operators) {
  m_batch = std::move(operators);
  m_outcomes.assign(m_batch.size(), {});
  m_given = m_ended = 0;
}

void served_source::ended(const trace::ended_op& e) {
  const auto at = static_cast<std::size_t>(e.what.id - m_base);
  outcome& o = m_outcomes[at];
  // An operator costs what it adds to the time of those before it: nothing where it ran beside them.
  const ps_t added = std::max<ps_t>(0, e.end - std::max(e.start, m_last_end));
  const stall_stack parts = apportion(added, e.parts, stall::dependency);
  for (std::size_t i = 0; i < stall_count; ++i) o.parts[i] = static_cast<double>(parts.part[i]);
  if (e.start > m_last_end)
    o.parts[static_cast<std::size_t>(stall::dependency)] += static_cast<double>(e.start - m_last_end);
  o.energy_pj = e.energy_pj;
  o.memory_bytes = static_cast<double>(e.memory_bytes);
  o.flops = static_cast<double>(e.what.flops());
  m_last_end = std::max(m_last_end, e.end);
  ++m_ended;
}

/// All operators of the batch have ended.
void served_source::collect() {
  if (std::exchange(m_swapping, false)) {
    m_swaps.emplace();
    for (const auto& o : m_outcomes) m_swaps->add(o);
    m_report.operators += static_cast<double>(m_batch.size());
    m_base += m_batch.size();
    m_batch.clear();
    return;
  }
  const outcome found = m_costs.cost(m_probe, m_batch, m_outcomes);
  if (m_probe.whole)
    m_rest[m_probe.shape.prompt() ? 1 : 0] = std::count_if(m_batch.begin(), m_batch.end(), [](const step_operator& o) {
      return o.part != segment::decode_attention && o.part != segment::chunk_attention;
    });
  if (std::exchange(m_auditing, false)) m_report.audits.push_back({audited_error(found), 1});
  m_base += m_batch.size();
  m_batch.clear();
  complete(found);
}

/// Of what would have been said of the step at the same moment: caches and refreshes as they were.
double served_source::audited_error(const outcome& simulated) const {
  double off = m_longer;
  if (m_probe.whole && !m_piece.whole) {
    const auto times = m_costs.times_of(m_piece, m_batch);
    for (std::size_t i = 0; i < m_batch.size(); ++i) off += (times[i] - 1) * m_outcomes[i].time();
  }
  return off / simulated.time();
}

void served_source::complete(const outcome& o) {
  const pending_step* p = m_server.next();
  m_report.operators += static_cast<double>(operators_in(p->shape));
  outcome all = o;
  if (m_swaps) all.add(*m_swaps);
  m_swaps.reset();
  m_server.complete(all);
}

/// How many operators a step has, for the report: attention has one for the decodes and one for each chunk.
std::int64_t served_source::operators_in(const step_shape& s) const {
  const auto parts = static_cast<std::int64_t>(s.chunks.size()) + (s.contexts.empty() ? 0 : 1);
  // Where both phases run alike only the first step, of a prompt, was simulated whole.
  const std::int64_t rest = m_rest[s.prompt() ? 1 : 0] > 0 ? m_rest[s.prompt() ? 1 : 0] : m_rest[s.prompt() ? 0 : 1];
  return rest + parts * m_operators.model().layers;
}

}  // namespace memwall::serving
