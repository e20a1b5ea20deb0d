// SPDX-License-Identifier: Apache-2.0
#include "hw/core/stream_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hw/core/checked_plan.h"

namespace memwall {
namespace {

constexpr std::uint64_t write_tag = std::uint64_t{1} << 63;

// The states of the probe `arithmetic` by cause, in the order in which a tile passes through them.
constexpr std::pair<stall, int> phases[] = {{stall::cim_program, 2}, {stall::cim_input, 3},   {stall::cim_array, 4},
                                            {stall::cim_adc, 5},     {stall::cim_digital, 6}, {stall::compute, 1}};

}  // namespace

stream_core::stream_core(const sc_core::sc_module_name& name, std::unique_ptr<core_model> model, int id)
    : sc_module(name), port("port"), m_model(std::move(model)), m_id(id) {
  MW_HAS_PROCESS(stream_core);
  SC_METHOD(wake);
  sensitive << m_wake;
  dont_initialize();
  if (const double hz = m_model->request_clock().value; hz > 0) {
    m_clock_fs = std::max<ps_t>(1, static_cast<ps_t>(1e15 / hz + 0.5));
    m_cycle = (m_clock_fs + 999) / 1000;
  }
  m_op_probe.set(no_operator);
  port.on_ready = [this] { issue(); };
  port.on_complete = [this](transfer& t) { completed(t); };
}

/// How large the operator's transfers are: a 64th of its bytes, in whole stripes, which keep channels alike (and the
/// DRAM's replay fast). Fewer tiles would not overlap with the arithmetic as bursts do. The first are small, so that
/// the arithmetic starts when it would with bursts, and each may be twice the one before.
void stream_core::choose_transfers(ps_t path) {
  constexpr std::int64_t longest = std::int64_t{1} << 31;  // a payload's length has 32 bits
  const std::int64_t share = std::min(longest, std::max(m_read_total, m_write_total) / 64);
  const auto whole = [](std::int64_t bytes, std::int64_t unit) { return std::max(unit, bytes / unit * unit); };
  if (m_fidelity.transfer_bytes > 0)
    m_transfer = m_next_transfer = std::max(m_fidelity.transfer_bytes, m_fidelity.burst);
  else if (share < m_fidelity.quantum)
    m_transfer = m_next_transfer = whole(std::max<std::int64_t>(share, 512), m_fidelity.burst);
  else {
    const std::int64_t small = m_work.window > 0 ? std::min(share, m_work.window / 4) : share;
    // While the way to the memory and back may take several times as long as unloaded before the core has too much in
    // flight, the memory's bandwidth or the core's rate decides, whatever the transfers. Else they must be small
    // against the window.
    const bool window_binds = m_fidelity.within_window || m_core_latency < 3 * path;
    m_transfer = whole(window_binds ? small : share, m_fidelity.quantum);
    m_next_transfer = whole(small, m_fidelity.quantum);
    // Transfers that are small against the window need no more of it than their lines; nothing is learnt then.
    m_line_time = window_binds ? -1 : std::max(0.0, m_line_time);
  }
  m_few = m_transfer > share;
  if (m_room_bytes > 0) {  // an eighth of a tile at most: what the last one of a tile asks for early is little
    const std::int64_t most =
        whole(m_room_bytes / 8, m_room_bytes / 8 >= m_fidelity.quantum ? m_fidelity.quantum : m_fidelity.burst);
    m_transfer = std::min(m_transfer, most);
    m_next_transfer = std::min(m_next_transfer, most);
  }
}

ps_t stream_core::next_edge(ps_t t) const {
  if (m_clock_fs == 0) return t;
  const ps_t edge = (t * 1000 - 999 + m_clock_fs - 1) / m_clock_fs *
                    m_clock_fs;  // edges between picoseconds are seen at the next one
  return (edge + 999) / 1000;
}

work stream_core::plan(const operation& op) {
  return checked_plan(*m_model, op);
}

void stream_core::begin(const operation& op, work planned, std::function<void(const result&)> done) {
  m_busy = true;
  m_op = op;
  m_done = std::move(done);
  m_work = std::move(planned);
  m_result = result{};
  m_result.start = now_ps();
  m_result.energy_pj = m_work.energy_pj;
}

void stream_core::forgo(const operation& op, const work& planned, const foregone& known,
                        std::function<void(const result&)> done) {
  begin(op, planned, std::move(done));
  m_op_probe.set(op.id);
  m_result.parts = known.parts;
  for (const auto& a : m_work.accesses)
    if (a.bytes > 0) (a.write ? m_result.written : m_result.read)[a.kind] += a.bytes;
  m_totals.transfers += known.transfers;
  m_end = m_result.start + known.time;
  m_end_scheduled = true;
  m_wake.notify(to_sc_time(known.time));
}

void stream_core::start(const operation& op, work planned, std::function<void(const result&)> done) {
  begin(op, std::move(planned), std::move(done));
  if (m_data != nullptr) m_data->begin(op);
  m_reads.clear();
  m_writes.clear();
  m_read_total = m_write_total = 0;
  for (const auto& a : m_work.accesses) {
    if (a.bytes <= 0) continue;
    (a.write ? m_writes : m_reads).push_back(a);
    (a.write ? m_write_total : m_read_total) += a.bytes;
  }
  m_read_computed = m_compute_done = 0;
  m_compute_total = m_work.compute.sum();
  m_compute_booked = stall_stack{};
  m_compute_cause = stall::count_;
  for (std::size_t c = 0; c < stall_count; ++c)
    if (m_compute_total > 0 && m_work.compute.part[c] == m_compute_total) m_compute_cause = static_cast<stall>(c);
  m_read_at = m_write_at = 0;
  m_read_offset = m_write_offset = m_write_scheduled = 0;
  m_tiles.clear();
  m_first_tile = 0;
  m_due_writes.clear();
  m_end_scheduled = false;
  m_last_write_end = m_results_until = 0;
  const std::int64_t burst = std::max<std::int64_t>(1, m_fidelity.burst);
  m_room_bytes = m_room_until = (m_work.tile_bytes + burst - 1) / burst * burst;
  m_room_at = m_read_asked = m_read_gathered = 0;
  const std::uint64_t where =
      m_reads.empty() ? (m_writes.empty() ? 0 : m_writes.front().address) : m_reads.front().address;
  const ps_t path = m_path_latency && !m_work.accesses.empty() ? m_path_latency(where) : 0;
  m_core_latency = std::max<ps_t>(0, m_work.load_latency - path);
  choose_transfers(path);
  const double by_window = m_work.window > 0 ? static_cast<double>(m_work.window) /
                                                   static_cast<double>(std::max<ps_t>(1, m_core_latency + path))
                                             : HUGE_VAL;
  m_rate = std::min(by_window, m_work.fill_bandwidth > 0 ? m_work.fill_bandwidth * 1e-12 : HUGE_VAL);
  m_pace_error = 0;
  // Reading and computing that take about as long wait for each other by a transfer, the one at the begin and the
  // other at the end; where one of them is the longer that is hidden.
  const double share_of_reading = static_cast<double>(m_compute_total) * m_rate / static_cast<double>(m_read_total);
  if (m_fidelity.transfer_bytes == 0 && m_transfer >= 2 * m_fidelity.quantum && share_of_reading > 0.5 &&
      share_of_reading < 2) {
    m_transfer = m_transfer / 2 / m_fidelity.quantum * m_fidelity.quantum;
    m_next_transfer = std::min(m_next_transfer, m_transfer);
  }

  m_launch_cause = op.kind == work_kind::collective ? stall::all_reduce : stall::launch;
  m_own_cause = op.kind == work_kind::collective ? stall::all_reduce : stall::core_requests;
  m_result.parts[stall::host] += m_work.host;
  m_result.parts[m_launch_cause] += m_work.launch - m_work.host;
  m_booked = m_result.start + m_work.launch;
  m_next_issue = m_allowed_since = m_booked;
  m_state.set(m_work.launch > 0 ? 1 : 2);
  m_op_probe.set(op.id);
  m_progress_probe.set(0, m_booked);
  m_unit_probe.set(0, m_result.start);
  m_wake.notify(to_sc_time(m_work.launch));
}

void stream_core::wake() {
  if (!m_busy) return;
  const ps_t now = now_ps();
  if (m_end_scheduled && now >= m_end) {
    m_busy = false;
    m_state.set(0);
    m_op_probe.set(no_operator);
    m_result.end = m_end;
    m_totals.busy += m_result.end - m_result.start;
    m_totals.parts += m_result.parts;
    m_totals.flops += m_op.flops;
    m_totals.energy_pj += m_result.energy_pj;
    m_totals.read += m_result.read;
    m_totals.written += m_result.written;
    ++m_totals.operations;
    const auto done = std::move(m_done);
    done(m_result);
    return;
  }
  if (m_state.value() == 1) m_state.set(2);
  if (m_reads.empty() && m_read_at == 0) {
    m_read_at = 1;  // nothing to read: one tile without bytes
    compute_tile(0);
  }
  issue();
}

/// Sends whatever may go now and asks to be woken for the rest.
void stream_core::issue() {
  if (!m_busy || m_end_scheduled) return;
  const ps_t now = now_ps();
  if (now < m_booked && m_state.value() == 1) return;  // still launching
  bool sent = true;
  while (sent && port.can_send()) sent = issue_write(now) || issue_read(now);
  ps_t next = never;
  if (port.can_send()) {
    if (!m_due_writes.empty() && m_due_writes.front().at > now) next = m_due_writes.front().at;
    if (m_read_at < m_reads.size() && m_next_issue > now) next = std::min(next, next_edge(m_next_issue));
    if (m_room_bytes > 0 && m_read_at < m_reads.size() && m_room_at > now) next = std::min(next, next_edge(m_room_at));
  }
  if (next != never) m_wake.notify(to_sc_time(next - now));
  finish_if_done();
}

/// The window holds lines, and a line leaves it when it arrives; a transfer keeps all its bytes until the last one is
/// there, which may stand in a channel that is being refreshed, and takes them all at once. By Little's law transfers
/// may hold as many more bytes as they stay longer than their average line.
std::int64_t stream_core::window_of_transfers() const {
  if (m_line_time <= 0 || m_transfer <= 4 * m_fidelity.burst) return m_work.window;
  return static_cast<std::int64_t>(static_cast<double>(m_work.window) * m_transfer_time / m_line_time);
}

/// What a transfer that has arrived says about that; the last ones count most.
void stream_core::learn_times(std::int64_t bytes, ps_t latency, ps_t spread) {
  if (m_line_time < 0) return;
  constexpr double memory = 0.875, least = 0.125;
  const auto all = static_cast<double>(latency);
  const double asked_later = m_rate < HUGE_VAL ? static_cast<double>(bytes) / (2 * m_rate) : 0;
  const double line = std::max(all - static_cast<double>(spread) - asked_later, least * all);
  m_transfer_time = memory * m_transfer_time + static_cast<double>(bytes) * all;
  m_line_time = memory * m_line_time + static_cast<double>(bytes) * line;
}

/// Bytes that may be asked for before the tile that is in the buffer has been computed.
std::int64_t stream_core::room_left(ps_t now) {
  if (m_room_bytes == 0) return INT64_MAX;
  if (m_room_at > now) return 0;
  const std::int64_t left = m_room_until - m_read_asked;
  return left > 0 ? std::max(left, m_fidelity.burst) : 0;
}

bool stream_core::issue_read(ps_t now) {
  if (m_read_at >= m_reads.size() || m_next_issue > now) return false;
  const std::int64_t room = room_left(now);
  if (room == 0) return false;
  const operand& o = m_reads[m_read_at];
  // Transfers end at whole stripes; smaller ones at multiples of their size from the begin of a stripe.
  const auto stripe = std::max(m_fidelity.quantum, m_fidelity.burst);
  const auto within = static_cast<std::int64_t>((o.address + static_cast<std::uint64_t>(m_read_offset)) %
                                                static_cast<std::uint64_t>(stripe));
  const std::int64_t misaligned = within % m_next_transfer;
  std::int64_t bytes = std::min({m_next_transfer - misaligned, o.bytes - m_read_offset, room});
  // All of a transfer is asked for when its first line is due. At the end of an operator, or of a tile that the next
  // one waits for, nothing follows that makes up for it: the last transfer goes in ever smaller pieces.
  if ((m_read_at + 1 == m_reads.size() && m_read_offset + bytes == o.bytes) || bytes == room) {
    const std::int64_t unit =
        m_transfer >= m_fidelity.quantum && m_room_bytes == 0 ? m_fidelity.quantum : m_fidelity.burst;
    const std::int64_t piece = std::max(m_transfer / 16, bytes / 2);
    bytes = std::min(bytes, (piece + unit - 1) / unit * unit);
  }
  if (m_work.window > 0 && m_in_flight > 0 && m_in_flight + bytes > std::max(window_of_transfers(), 2 * m_transfer)) {
    m_allowed_since = never;  // the window, not the rate, holds the request: set again when something completes
    return false;
  }
  if (m_allowed_since == never) m_allowed_since = now;
  tile t;
  t.bytes = bytes;
  t.held = std::max<ps_t>(0, now - m_allowed_since);
  m_tiles.push_back(t);
  if (m_rate < HUGE_VAL) {
    const double interval = static_cast<double>(bytes) / m_rate + m_pace_error;
    const ps_t whole = static_cast<ps_t>(interval);
    m_pace_error = interval - static_cast<double>(whole);
    // What was due since the last edge of the clock leaves now without losing its place.
    m_next_issue = std::max(m_next_issue, now - m_cycle) + whole;
  }
  m_allowed_since = now;
  m_next_transfer = std::min(m_transfer, 2 * m_next_transfer);
  const std::int64_t offset = m_read_offset;
  m_read_offset += bytes;
  m_read_asked += bytes;
  if (m_read_offset == o.bytes) {
    ++m_read_at;
    m_read_offset = 0;
  }
  send(o, static_cast<std::uint64_t>(offset), bytes, m_first_tile + m_tiles.size() - 1);
  return true;
}

bool stream_core::issue_write(ps_t now) {
  if (m_due_writes.empty() || m_due_writes.front().at > now) return false;
  const operand o = m_due_writes.front().what;
  m_due_writes.pop_front();
  ++m_writes_in_flight;
  send(o, 0, o.bytes, write_tag);
  return true;
}

void stream_core::send(const operand& o, std::uint64_t offset, std::int64_t bytes, std::uint64_t tag) {
  unsigned char* data = nullptr;
  if (m_data != nullptr)
    data = o.write ? m_data->for_write(o.address + offset, bytes) : m_data->for_read(o.address + offset, bytes);
  transfer& t = port.make(o.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, o.address + offset,
                          static_cast<std::uint64_t>(bytes), data);
  transfer_info& i = info(t);
  i.source = m_id;
  i.op = m_op.id;
  i.carries = o.kind;
  i.command.argument = tag;
  // A transfer larger than what the core can have in flight arrives piece by piece. (Among many it does not matter.)
  if (m_few && m_rate < HUGE_VAL && bytes > m_work.window / 2) i.pace = static_cast<ps_t>(64.0 / m_rate);
  (o.write ? m_result.written : m_result.read)[o.kind] += bytes;
  m_in_flight += bytes;
  ++m_totals.transfers;
  m_flight_probe.set(static_cast<std::uint64_t>(m_in_flight));
  port.send(t);
}

void stream_core::completed(transfer& t) {
  const transfer_info& i = info(t);
  const ps_t now = now_ps();
  m_in_flight -= t.get_data_length();
  m_flight_probe.set(static_cast<std::uint64_t>(m_in_flight));
  m_totals.latency.add(now - i.issued);
  if (t.is_response_error()) m_result.failed = true;
  if ((i.command.argument & write_tag) != 0) {
    --m_writes_in_flight;
    m_last_write_end = now;
    m_last_write_parts = i.parts;
  } else {
    if (m_data != nullptr) m_data->arrived(t.get_data_ptr());
    learn_times(t.get_data_length(), now - i.issued, i.spread);
    tile& arrived = m_tiles[i.command.argument - m_first_tile];
    arrived.arrived = now;
    if (i.command.argument == m_first_tile) {
      const tile first = arrived;
      pop_tile();
      consume(first, i.parts);
      consume();
    } else {
      t.acquire();
      arrived.parts = &t;
    }
  }
  issue();
}

void stream_core::pop_tile() {
  m_tiles.pop_front();
  ++m_first_tile;
}

/// Computes every tile whose data, and that of all tiles before it, is there. Their end times follow without events.
void stream_core::consume() {
  while (!m_tiles.empty() && m_tiles.front().arrived >= 0) {
    const tile t = m_tiles.front();
    pop_tile();
    consume(t, info(*t.parts).parts);
    t.parts->release();
  }
}

void stream_core::consume(const tile& t, const stall_stack& parts) {
  wait_until(t.arrived + m_core_latency, t.held, parts);
  if (m_room_bytes == 0) return compute_tile(t.bytes);
  m_read_gathered += t.bytes;
  const std::int64_t there = m_read_computed + m_read_gathered;
  if (there < m_room_until && there < m_read_total) return;
  compute_tile(m_read_gathered);
  m_read_gathered = 0;
  m_room_until += m_room_bytes;
  m_room_at = m_booked;
}

/// Books the time up to `t` in which the arithmetic had nothing to do.
void stream_core::wait_until(ps_t t, ps_t held, const stall_stack& weights) {
  if (t <= m_booked) return;
  ps_t wait = t - m_booked;
  const ps_t own = std::min(wait, held);
  m_result.parts[m_own_cause] += own;
  wait -= own;
  // The way through the core's own caches is part of the load like any other hop, but only the first tile's is seen:
  // the later ones are on that way while earlier tiles arrive.
  stall_stack w = weights;
  if (m_read_computed == 0) w[m_own_cause] += m_core_latency;
  m_result.parts += apportion(wait, w, m_own_cause);
  m_booked = t;
}

void stream_core::compute_tile(std::int64_t bytes) {
  m_read_computed += bytes;
  const double fraction =
      m_read_total > 0 ? static_cast<double>(m_read_computed) / static_cast<double>(m_read_total) : 1.0;
  const std::int64_t done =
      fraction >= 1 ? m_compute_total : static_cast<std::int64_t>(static_cast<double>(m_compute_total) * fraction);
  // Cumulative apportioning: the parts of all tiles sum to the plan's, each to its own share within a picosecond.
  const bool shown = m_unit_probe.listened();
  stall_stack parts;
  if (m_compute_cause != stall::count_) {
    m_result.parts[m_compute_cause] += done - m_compute_done;
    if (shown) parts[m_compute_cause] = done - m_compute_done;
  } else {
    const stall_stack until = apportion(done, m_work.compute, stall::compute);
    for (std::size_t c = 0; c < stall_count; ++c) parts.part[c] = until.part[c] - m_compute_booked.part[c];
    m_result.parts += parts;
    m_compute_booked = until;
  }
  if (shown) show_phases(parts);
  m_booked += done - m_compute_done;
  m_compute_done = done;
  m_progress_probe.set(std::floor(fraction * 100), m_booked);
  if (m_data != nullptr && m_read_computed == m_read_total) m_data->operands_there();
  plan_writes(fraction);
}

/// From m_booked on: what compute_tile books.
void stream_core::show_phases(const stall_stack& parts) {
  ps_t at = m_booked;
  for (const auto& [cause, state] : phases) {
    if (parts[cause] <= 0) continue;
    m_unit_probe.set(state, at);
    at += parts[cause];
  }
  m_unit_probe.set(0, at);
}

/// Results leave as the tiles that make them are done.
void stream_core::plan_writes(double fraction) {
  const std::int64_t ready =
      fraction >= 1 ? m_write_total : static_cast<std::int64_t>(static_cast<double>(m_write_total) * fraction);
  while (m_write_at < m_writes.size()) {
    const operand& o = m_writes[m_write_at];
    const std::int64_t bytes = std::min(m_transfer, o.bytes - m_write_offset);
    if (m_write_scheduled + bytes > ready) break;
    operand piece = o;
    piece.address += static_cast<std::uint64_t>(m_write_offset);
    piece.bytes = bytes;
    m_results_until = std::max(m_results_until, m_booked);
    if (m_work.result_bandwidth > 0)
      m_results_until += static_cast<ps_t>(std::llround(static_cast<double>(bytes) / m_work.result_bandwidth * 1e12));
    m_due_writes.push_back({m_results_until, piece});
    m_write_scheduled += bytes;
    m_write_offset += bytes;
    if (m_write_offset == o.bytes) {
      ++m_write_at;
      m_write_offset = 0;
    }
  }
}

void stream_core::finish_if_done() {
  if (m_end_scheduled || m_read_computed < m_read_total || m_compute_done < m_compute_total ||
      (m_reads.empty() && m_read_at == 0))
    return;
  if (m_write_scheduled < m_write_total || !m_due_writes.empty() || m_writes_in_flight > 0) return;
  wait_until(m_last_write_end, std::max<ps_t>(0, m_results_until - m_booked), m_last_write_parts);
  m_result.parts[m_launch_cause] += m_work.drain;
  m_end = m_booked + m_work.drain;
  m_end_scheduled = true;
  m_state.set(3);
  m_wake.cancel();
  m_wake.notify(to_sc_time(m_end - now_ps()));
}

std::string stream_core::state_text() const {
  if (!m_busy) return fmt::format("{}: idle", name());
  return fmt::format("{}: operator {} ({}), {} of {} B computed on, {} B in flight, {} writes out", name(), m_op.id,
                     m_op.name, m_read_computed, m_read_total, m_in_flight, m_writes_in_flight);
}

probe_list stream_core::probes() {
  return {&m_state, &m_op_probe, &m_unit_probe, &m_progress_probe, &m_flight_probe};
}

}  // namespace memwall
