// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "hw/common/checked.h"
#include "hw/common/error.h"

namespace memwall::platforms {

schedule::schedule(trace::op_source& source, const work_split& split, std::size_t cores)
    : m_source(source), m_split(split), m_cores(cores) {
  for (std::size_t c = 0; c < cores; ++c) {
    const launch_ahead ahead = split.launches_ahead(c);
    m_cores[c].room = ahead.room;
    if (ahead.passes > 0) m_passes = m_passes > 0 ? std::min(m_passes, ahead.passes) : ahead.passes;
    m_bounded = m_bounded || ahead.room > 0 || ahead.passes > 0;
  }
}

std::vector<schedule::order> schedule::advance(ps_t now) {
  read(now);
  launch();
  dispatch_ready();
  std::vector<order> out;
  for (std::size_t c = 0; c < m_cores.size(); ++c)
    if (!m_cores[c].busy && !m_cores[c].queue.empty()) out.push_back(take(c, now));
  return out;
}

void schedule::read(ps_t now) {
  const bool waits = !m_answer.is_ready() && !m_answer.is_end();
  if (m_answer.is_end() || (waits && !m_awaited_ended && m_answer.at() > now)) return;
  m_awaited_ended = false;
  while (m_open.size() < lookahead) {
    open_operator o;
    m_answer = m_source.next(now, o.op);
    if (!m_answer.is_ready()) {
      if (!m_answer.is_end()) check_wait(now);
      return;
    }
    if (o.op.id != m_next_id)
      throw std::logic_error(fmt::format("a source of operators gave number {} after {}", o.op.id, m_next_id));
    if (m_source_waited) m_asked_at = now;
    m_source_waited = false;
    add(std::move(o));
  }
}

/// A source that waits for what is over, or will never be, would be asked in circles, or never again.
void schedule::check_wait(ps_t now) {
  m_source_waited = true;
  const auto id = m_answer.operator_id();
  const bool comes = id ? *id < m_next_id && !has_ended(*id) : m_answer.waits_for_any() && !m_open.empty();
  if (m_answer.at() <= now || (id && !comes) || (m_answer.at() == never && !comes))
    throw std::logic_error(
        fmt::format("a source of operators wants to be asked again at {} ps or after operator {}, "
                    "at {} ps with {} operators open: that is over, or never comes",
                    m_answer.at(), id ? std::to_string(*id) : "any", now, m_open.size()));
}

void schedule::add(open_operator o) {
  const std::uint64_t id = m_next_id++;
  for (const std::size_t c : m_split.cores_of(o.op)) o.cores.push_back(c);
  const pass_key pass = pass_of(o);
  o.handed_over = pass == m_read_pass && o.cores != m_read_cores;
  o.first_of_pass = pass != m_read_pass;
  o.first_of_prompt = o.first_of_pass && o.op.phase == trace::phase::prefill;
  o.asked_at = m_asked_at;
  m_read_pass = pass;
  m_read_cores = o.cores;
  if (m_bounded) o.kernels = m_split.kernels_of(o.op, o.cores.front());
  for (const std::size_t c : o.cores) m_cores[c].undispatched.push_back(id);
  m_open.push_back(std::move(o));
  open_operator& added = m_open.back();
  for (const std::uint64_t d : added.op.deps) {
    if (has_ended(d)) continue;
    open(d).awaited_by.push_back(id);
    ++added.operands_missing;
  }
  if (added.operands_missing == 0) m_ready.insert(m_ready.end(), id);
}

/// One host launches all operators in their order, without time of its own. Where a queue is full it waits, and what
/// made room then is the past of all that it launches next.
void schedule::launch() {
  if (!m_bounded) {
    m_launched = m_next_id;
    return;
  }
  for (; m_launched < m_next_id; ++m_launched) {
    open_operator& o = open(m_launched);
    if (!may_launch(o)) {
      m_host_waits = true;
      return;
    }
    if (o.first_of_pass) m_passes_launched.push_back(m_launched);
    for (const std::size_t c : o.cores) m_cores[c].launched += o.kernels;
    if (m_host_waits) o.before = m_made_room;
  }
  m_host_waits = false;
}

bool schedule::may_launch(const open_operator& o) {
  while (m_passes_launched.size() > 1 && m_passes_launched[1] <= first_open()) m_passes_launched.pop_front();
  if (m_passes > 0 && o.first_of_pass && static_cast<std::int64_t>(m_passes_launched.size()) >= m_passes &&
      first_open() < o.op.id)
    return false;
  return std::all_of(o.cores.begin(), o.cores.end(), [&](std::size_t c) {
    const core_state& core = m_cores[c];
    return core.room == 0 || core.launched == 0 || core.launched + o.kernels <= core.room;
  });
}

void schedule::dispatch_ready() {
  while (m_oldest < m_next_id && (m_oldest < first_open() || open(m_oldest).started)) ++m_oldest;
  if (m_oldest == m_next_id) return;
  const pass_key oldest = pass_of(open(m_oldest));
  for (auto at = m_ready.begin(); at != m_ready.end();) {
    if (*at >= m_launched) return;
    open_operator& o = open(*at);
    if (!in_turn(o, oldest)) {
      ++at;
      continue;
    }
    at = m_ready.erase(at);
    dispatch(o);
  }
}

/// Of each of its cores, the first operator that has not been dispatched is of the same pass.
bool schedule::in_turn(const open_operator& o, const pass_key& oldest) const {
  const pass_key pass = pass_of(o);
  return pass == oldest || std::all_of(o.cores.begin(), o.cores.end(), [&](std::size_t c) {
           return pass_of(open(m_cores[c].undispatched.front())) == pass;
         });
}

void schedule::dispatch(open_operator& o) {
  o.started = true;
  for (const std::size_t c : o.cores) {
    auto& line = m_cores[c].undispatched;
    while (!line.empty() && open(line.front()).started) line.pop_front();
  }
  for (const auto d : o.op.deps)
    if (const chain& c = chain_of(d); c.end >= o.before.end) o.before = c;
  enqueue(o, m_split.parts_of(o.op));
}

void schedule::enqueue(open_operator& o, std::vector<core_task> tasks) {
  for (auto& t : tasks) {
    ++o.parts_left;
    core_state& state = m_cores[t.core];
    t.work.first_of_layer = o.op.layer >= 0 && o.op.layer != state.layer;
    state.layer = o.op.layer;
    t.work.fused = !o.op.group.empty() && o.op.group == state.group;
    state.group = o.op.group;
    t.work.beside_prompt = o.op.beside_prompt;
    t.work.handed_over = o.handed_over && !o.summing;
    t.work.first_of_pass = o.first_of_pass && !o.summing;
    t.work.first_of_prompt = o.first_of_prompt && !o.summing;
    state.queue.push_back({o.op.id, std::move(t.work)});
  }
}

schedule::order schedule::take(std::size_t core, ps_t now) {
  core_state& state = m_cores[core];
  queued next = std::move(state.queue.front());
  state.queue.pop_front();
  open_operator& o = open(next.id);
  if (o.start == never) {
    o.start = now;
    // It could not start before its operands were there nor before the core was free: the later of the two is its past.
    if (state.last.end > o.before.end) o.before = state.last;
  }
  state.busy = true;
  state.running = next.id;
  state.ordered = now;
  return {core, std::move(next.work)};
}

void schedule::ended(std::size_t core, const work_result& r) {
  if (r.end > longest_run)
    throw input_error(problem{"", "", "the run passes 9,000 s of simulated time, which is as far as its clocks count",
                              "a shorter run, or faster memories and links", ""});
  core_state& here = m_cores[core];
  open_operator& o = open(here.running);
  here.busy = false;
  add_part(o, core, r);
  if (--o.parts_left > 0) {
    // A core that finished its share of an operator others still work on may go on with the next one.
    here.last = extended(o, r.start, r.end, r.parts);
    return;
  }
  if (!o.summing) {
    o.summing = true;
    o.base = o.parts;
    o.base_end = o.end;
    if (auto tasks = m_split.sums_of(o.op); !tasks.empty()) {
      o.ended_by = SIZE_MAX;
      return enqueue(o, std::move(tasks));
    }
  }
  here.last = extended(o, o.start, o.end, o.parts);
  complete(o, here.last);
}

void schedule::add_part(open_operator& o, std::size_t core, const work_result& r) {
  for (int i = 0; i < m_split.devices(); ++i) {
    o.energy_pj += r.energy_pj;
    o.read += r.read;
    o.written += r.written;
  }
  if (r.end < o.end || (r.end == o.end && core > o.ended_by)) return;
  // The part that ends last (of several the first core's) tells where the operator's time went, on top of the phases
  // before (an all-reduce follows the products it sums).
  const ps_t waited = r.start - m_cores[core].ordered;  // for others to leave the banks that it computes in
  o.ended_by = core;
  o.parts = o.base;
  o.parts[stall::dependency] += r.start - waited - std::max(o.start, o.base_end);
  o.parts[stall::dram_queue] += waited;
  o.parts += r.parts;
  o.end = r.end;
}

/// The chain that let an operator start, and on it this stretch of the operator. What lies between is waiting, or
/// nobody had asked for the operator yet.
schedule::chain schedule::extended(const open_operator& o, ps_t start, ps_t end, const stall_stack& parts) {
  chain c = o.before;
  if (start > c.end) {
    const ps_t unasked = std::clamp<ps_t>(o.asked_at - c.end, 0, start - c.end);
    c.parts[stall::idle] += unasked;
    c.parts[stall::dependency] += start - c.end - unasked;
  }
  c.parts += parts;
  c.end = end;
  return c;
}

void schedule::complete(open_operator& o, const chain& path) {
  o.done = true;
  o.after = path;
  ++m_done_count;
  if (o.end >= m_last_end) {
    m_last_end = o.end;
    m_critical = path.parts;
  }
  if (m_bounded) {
    for (const std::size_t c : o.cores) m_cores[c].launched -= o.kernels;
    if (m_host_waits) m_made_room = path;
  }
  for (const std::uint64_t id : o.awaited_by)
    if (--open(id).operands_missing == 0) m_ready.insert(id);
  m_awaited_ended = m_awaited_ended || m_answer.waits_for(o.op.id);
  m_source.ended({o.op, o.start, o.end, o.parts, path.parts, o.read.sum() + o.written.sum(), o.energy_pj});
  if (on_finished) on_finished({o.op, o.ended_by, o.start, o.end, o.read, o.written, o.energy_pj, o.parts, path.parts});
  while (!m_open.empty() && m_open.front().done) {
    m_recent.push_back(m_open.front().after);
    if (m_recent.size() > remembered) m_recent.pop_front();
    m_open.pop_front();
  }
}

bool schedule::has_ended(std::uint64_t id) const {
  return id < first_open() || (id < m_next_id && open(id).done);
}

const schedule::chain& schedule::chain_of(std::uint64_t id) const {
  static const chain none;
  if (id >= first_open()) return open(id).after;
  const std::uint64_t oldest = first_open() - m_recent.size();
  return id >= oldest ? m_recent[static_cast<std::size_t>(id - oldest)] : none;
}

std::string schedule::waiting_text() const {
  std::string out;
  for (const auto& o : m_open) {
    if (o.done) continue;
    out += fmt::format("\n  operator {} ({}): {} parts to go", o.op.id, o.op.name, o.parts_left);
    if (out.size() > 2000) break;
  }
  return out;
}

}  // namespace memwall::platforms
