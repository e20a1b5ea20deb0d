// SPDX-License-Identifier: Apache-2.0
// How transfers cross the bus: admission, address decoding, the lanes of their way, responses. One process does it all.
#include <algorithm>

#include "hw/bus/bus_impl.h"

namespace memwall {

// ---- requests

bool bus::impl::request(int initiator, transfer& t) {
  if (!started) start();
  initiator_side& side = *initiators[static_cast<std::size_t>(initiator)];
  flight* f = take_flight();
  f->t = &t;
  f->i = &info(t);
  f->initiator = static_cast<std::int16_t>(initiator);
  f->address = t.get_address();
  f->bytes = t.get_data_length();
  f->write = t.is_write();
  f->entered = now_ps();
  if (is_large(*f) && large_flights++ == 0) {
    busy_probe.forget(f->entered);
    show_owner();
  }
  transfer_info& i = *f->i;
  i.attach_hop(this, f);
  i.book(stall::bus_wait, f->entered);  // the initiator's side had to wait for this port
  queue_probe.set(static_cast<unsigned>(flights));
  bytes_probe.set(bytes_probe.value() + static_cast<std::uint64_t>(f->bytes));
  if (side.limit > 0 && side.in_flight >= side.limit) {
    side.held = f;
    return false;
  }
  admit(*f);
  return true;
}

void bus::impl::admit(flight& f) {
  initiator_side& side = *initiators[static_cast<std::size_t>(f.initiator)];
  ++side.in_flight;
  const ps_t now = now_ps();
  f.waited = f.wait_to_book = now - f.entered;
  if (!decode(side, f)) {
    ++errors;
    f.t->set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    later(responses, now + request_latency + response_latency, f);
  } else if (f.write) {
    send(f, to_fs(now), to_fs(now));
  } else {
    later(requests, now + request_latency + f.way->latency, f);
  }
}

bool bus::impl::decode(initiator_side& side, flight& f) {
  const std::uint64_t a = f.address;
  const auto inside = [&](const range& r) {
    return a >= r.base && a <= r.last && static_cast<std::uint64_t>(f.bytes) - 1 <= r.last - a;
  };
  if (ranges.empty()) return false;
  if (side.last_range >= ranges.size() || !inside(ranges[side.last_range])) {
    const auto above =
        std::upper_bound(ranges.begin(), ranges.end(), a, [](std::uint64_t x, const range& r) { return x < r.base; });
    if (above == ranges.begin() || !inside(*(above - 1))) return false;
    side.last_range = static_cast<std::size_t>(above - ranges.begin()) - 1;
  }
  const range& r = ranges[side.last_range];
  f.target = static_cast<std::int16_t>(r.target);
  f.target_address = a - r.base + r.target_base;
  const auto& from = side.places;
  const auto& to = targets[static_cast<std::size_t>(r.target)]->places;
  std::size_t i = 0, t = 0;
  if (from.size() * to.size() > 1) {
    const std::uint64_t unit = a / interleave;
    t = unit % to.size();
    i = unit / to.size() % from.size();
  }
  f.way = &(f.write ? write : read)[from[i] * target_places + to[t]];
  return true;
}

void bus::impl::forward(flight& f) {
  const ps_t now = now_ps();
  book(f, now);
  f.i->first_data = never;  // a target that does not know about cut-through leaves it so
  f.t->set_address(f.target_address);
  target_side& side = *targets[static_cast<std::size_t>(f.target)];
  if (side.pending_count == 0 && side.port->can_send()) {
    side.port->forward(*f.t);
    return;
  }
  f.pending_since = now;
  if (side.pending_count++ == 0) side.blocked_since = now;
  side.pending[static_cast<std::size_t>(f.initiator)].push_back(&f);
}

namespace {

template <class Flight>
void prefetch_transfer(const Flight& f) {
  prefetch(f.t, sizeof *f.t);
  f.i->prefetch();
}
template <class Queue>
void look_ahead(const Queue& queue) {
  if (queue.size() > 8) prefetch(queue[8].f, sizeof *queue[8].f);
  if (queue.size() > 4) prefetch_transfer(*queue[4].f);
}

}  // namespace

// The target takes requests again.
void bus::impl::target_ready(int target) {
  target_side& side = *targets[static_cast<std::size_t>(target)];
  while (side.pending_count > 0 && side.port->can_send()) {
    waiting.clear();
    for (std::size_t i = 0; i < side.pending.size(); ++i)
      if (!side.pending[i].empty()) waiting.push_back({static_cast<int>(i), side.pending[i].front()->pending_since});
    turns.clear();
    side.policy->turns(waiting, turns);
    const int initiator = turns.front().requester;
    side.policy->granted(initiator, 1);
    if (waiting.size() > 1) count_passed(side, initiator);
    auto& queue = side.pending[static_cast<std::size_t>(initiator)];
    flight& f = *queue.front();
    queue.pop_front();
    if (queue.size() > 3) prefetch(queue[3], sizeof(flight));
    if (queue.size() > 1) prefetch_transfer(*queue[1]);
    const ps_t now = now_ps();
    f.waited += now - f.pending_since;  // booked by the target, whose back-pressure it is
    if (--side.pending_count == 0) side.blocked += now - side.blocked_since;
    side.port->forward(*f.t);
  }
}

void bus::impl::count_passed(target_side& side, int granted) {
  constexpr std::uint64_t many = 250'000;
  side.passed_over.resize(side.pending.size());
  side.passed_over[static_cast<std::size_t>(granted)] = 0;
  for (const auto& w : waiting) {
    if (w.requester == granted) continue;
    const auto i = static_cast<std::size_t>(w.requester);
    if (++side.passed_over[i] % many == 0 && self.on_starving)
      self.on_starving({initiators[i]->name, side.name, initiators[static_cast<std::size_t>(granted)]->name, w.arrival,
                        side.passed_over[i]});
  }
}

// ---- responses

void bus::impl::response(int target, transfer& t) {
  flight& f = *static_cast<flight*>(info(t).hop(this));
  target_side& side = *targets[static_cast<std::size_t>(target)];
  ++side.transfers;
  const ps_t now = now_ps();
  const bool ok = t.get_response_status() == tlm::TLM_OK_RESPONSE;
  if (ok) side.bytes += f.bytes;
  if (f.write) {
    f.answered = true;
    if (f.moved)
      later(responses,
            std::max(now, f.arrived > now ? f.arrived + request_latency : 0) + response_latency + f.way->latency, f);
  } else if (ok) {
    send(f, to_fs(std::min(f.i->first_data, now)), to_fs(now));
  } else {
    later(responses, now + response_latency + f.way->latency, f);
  }
}

void bus::impl::respond(flight& f) {
  const ps_t now = now_ps();
  book(f, now);
  f.t->set_address(f.address);
  initiators[static_cast<std::size_t>(f.initiator)]->port->respond(*f.t);
}

// The initiator has taken the response.
void bus::impl::done(int initiator, transfer& t) {
  initiator_side& side = *initiators[static_cast<std::size_t>(initiator)];
  transfer_info& i = info(t);
  auto* f = static_cast<flight*>(i.hop(this));
  i.detach_hop(this);
  ++side.transfers;
  side.wait.add(f->waited);
  const ps_t now = now_ps();
  side.round_trip.add(now - f->entered);
  if (t.get_response_status() == tlm::TLM_OK_RESPONSE) {
    (f->write ? side.write_bytes : side.read_bytes)[i.carries] += f->bytes;
    bytes_by_class[i.carries] += f->bytes;
  }
  if (observer != nullptr)
    observer->span({self.name(), f->write ? "write" : "read", i.source, i.op, f->bytes, f->entered, now});
  bytes_probe.set(bytes_probe.value() - static_cast<std::uint64_t>(f->bytes));
  if (is_large(*f) && --large_flights == 0)
    show_busy(std::any_of(active.begin(), active.end(), [](std::uint64_t w) { return w != 0; }));
  give_flight(f);
  queue_probe.set(static_cast<unsigned>(flights));
  --side.in_flight;
  if (side.held != nullptr) {
    flight* held = side.held;
    side.held = nullptr;
    admit(*held);
    side.port->accept();
  }
}

void bus::impl::book(flight& f, ps_t now) {
  transfer_info& i = *f.i;
  i.book(stall::bus_wait, std::min(now, i.booked_until + f.wait_to_book));
  f.wait_to_book = 0;
  i.book(stall::bus_transfer, now);
}

// ---- lanes

bus::impl::part& bus::impl::take_part() {
  if (spare_parts.empty()) return part_store.emplace();
  part& q = *spare_parts.back();
  spare_parts.pop_back();
  return q;
}

/// The pattern of a transfer that leaves on one lane and meets nobody behind it; -1: it does not, or there are too
/// many.
int bus::impl::pattern_of(const flight& f) {
  constexpr std::size_t most = 64;
  const auto& from = initiators[static_cast<std::size_t>(f.initiator)]->places;
  const auto& to = targets[static_cast<std::size_t>(f.target)]->places;
  if ((f.write ? from : to).size() > 1) return -1;  // as many lanes
  const std::uint64_t offset = f.address % (from.size() * to.size() * interleave);
  const auto is_it = [&](const pattern& known) {
    return known.bytes == f.bytes && known.offset == offset && known.initiator == f.initiator &&
           known.target == f.target && known.write == f.write;
  };
  const auto usable = [&](std::size_t k) { return patterns[k].last != nullptr ? static_cast<int>(k) : -1; };
  if (last_pattern < patterns.size() && is_it(patterns[last_pattern])) return usable(last_pattern);
  for (std::size_t k = 0; k < patterns.size(); ++k)
    if (is_it(patterns[k])) return usable(last_pattern = k);
  if (patterns.size() == most) return -1;
  pattern made{f.initiator, f.target, f.write, f.bytes, offset};
  bool clear = true;
  ps_t latest = 0;
  each_way(f, [&](route& w, std::uint32_t, std::int64_t after) {
    clear = clear && w.clear_from == 1;
    if (made.first == nullptr) made.first = &w;
    const ps_t before = after > 0 ? lanes[static_cast<std::size_t>(w.lanes[0])]->channel.service_time(after) / 1000 : 0;
    if (made.last != nullptr && w.clear_hops - before <= latest) return;
    latest = w.clear_hops - before;
    made.last = &w;
    made.before_end = before;
  });
  if (!clear) made.last = nullptr;
  patterns.push_back(made);
  return usable(last_pattern = patterns.size() - 1);
}

// Data set out: all at once on each of the lanes that they begin on.
void bus::impl::send(flight& f, fs_t since, fs_t now) {
  f.first = fs_never;
  f.arrived = 0;
  f.open = 1;
  const std::size_t pairs = initiators[static_cast<std::size_t>(f.initiator)]->places.size() *
                            targets[static_cast<std::size_t>(f.target)]->places.size();
  if (pairs == 1 || f.address / interleave == (f.address + f.bytes - 1) / interleave) {
    f.whole = {&f, f.way, f.bytes};
    enter(f.whole, since, now, 1);
    return;
  }
  f.whole = {&f};
  if (const int known = pattern_of(f); known >= 0) {
    f.whole = {&f, patterns[static_cast<std::size_t>(known)].first, f.bytes, 0, true, 0, known};
    enter(f.whole, since, now, 1);
    return;
  }
  flows.assign(1, &f.whole);
  each_way(f, [&](route& w, std::uint32_t bytes, std::int64_t) {
    part* q = nullptr;
    for (part* other : flows)
      if (other->way == nullptr || other->way->lanes[0] == w.lanes[0]) q = other;
    if (q == nullptr) {
      flows.push_back(q = &take_part());
      *q = {&f};
    }
    q->flow = q->way != nullptr;
    if (q->way == nullptr) q->way = &w;
    q->bytes += bytes;
  });
  f.open = static_cast<std::uint32_t>(flows.size());
  for (part* q : flows) enter(*q, since, now, 1);
}

void bus::impl::enter(part& q, fs_t since, fs_t now, int keep) {
  const int index = q.way->lanes[q.stage];
  lane& l = *lanes[static_cast<std::size_t>(index)];
  const flight& f = *q.f;
  const int requester = l.initiator >= 0 ? f.target : f.initiator;
  active[static_cast<std::size_t>(index) / 64] |= std::uint64_t{1} << (index % 64);
  channel_event moved;
  if (l.channel.add(&q, requester, q.bytes, since, now, f.write && !f.begun, keep, l.delay > 0 ? nullptr : &moved))
    left(l, moved);
  if (!running && wake_at > next_edge(now_ps()))
    if (const fs_t next = l.channel.next(); next != fs_never) wake_by(to_ps_up(next) + l.delay);
  show_busy(true);
  show_owner();
}

/// The data of a large transfer are told when they have crossed, between other data or with gaps: while one is here,
/// nobody knows what moves right now.
void bus::impl::show_busy(bool busy) {
  if (large_flights == 0) busy_probe.set(busy ? 1 : 0, now_ps());
}

// A part's first or last granule has left a lane.
void bus::impl::left(lane& l, const channel_event& e) {
  part& q = *static_cast<part*>(e.item);
  flight& f = *q.f;
  if (!e.last) {  // a large write: the target may begin
    if (f.begun) return;
    f.begun = true;
    later(requests, now_ps() - l.delay + request_latency + f.way->latency, f);
    return;
  }
  q.waited += to_ps_up(e.waited);
  if (q.flow)
    spread(l, q, e);
  else
    cross(l, q, e);
}

// On to the next lane where others may be; or, where nobody can be in the way, to the end.
void bus::impl::cross(lane& l, part& q, const channel_event& e) {
  flight& f = *q.f;
  route& way = *q.way;
  const ps_t now = now_ps();
  const std::size_t next = q.stage + 1u;
  if (next < way.clear_from) {
    ++q.stage;
    enter(q, begun_behind(l, e, q.bytes, now), to_fs(now), 0);
    return;
  }
  f.first = std::min(f.first, e.first + to_fs(l.hop + way.clear_hops));
  f.arrived = std::max(f.arrived, travel(way, next, now - l.delay + l.hop));
  if (next < way.lanes.size()) {
    way.clear_bytes += q.bytes;
    way.clear_time += l.channel.service_time(q.bytes);
  }
  ended(q, now);
}

// A flow has left its first lane: its ways part. Each place has its last byte when all before it have set out.
void bus::impl::spread(lane& l, part& q, const channel_event& e) {
  flight& f = *q.f;
  const ps_t now = now_ps();
  if (q.pattern >= 0) {
    pattern& known = patterns[static_cast<std::size_t>(q.pattern)];
    ++known.uses;
    f.first = e.first + to_fs(l.hop + known.first->clear_hops);
    f.arrived = std::max(now, travel(*known.last, 1, now + l.hop - l.delay - known.before_end));
    return ended(q, now);
  }
  const route* last = nullptr;
  ps_t last_from = 0, latest = 0;
  each_way(f, [&](route& w, std::uint32_t bytes, std::int64_t after) {
    if (w.lanes[0] != l.index) return;
    if (w.clear_from > 1) {
      part& own = take_part();
      own = {&f, &w, bytes, 1, false, q.waited};
      ++f.open;
      enter(own, begun_behind(l, e, bytes, now), to_fs(now), 0);
      return;
    }
    w.clear_bytes += bytes;
    w.clear_time += l.channel.service_time(bytes);
    const ps_t from = now + l.hop - l.delay - (after > 0 ? l.channel.service_time(after) / 1000 : 0);
    if (last != nullptr && from + w.clear_hops <= latest) return;
    last = &w;
    last_from = from;
    latest = from + w.clear_hops;
  });
  if (last != nullptr) {
    f.first = std::min(f.first, e.first + to_fs(l.hop + q.way->clear_hops));
    f.arrived = std::max({f.arrived, now, travel(*last, 1, last_from)});
  }
  ended(q, now);
}

/// When the first granule of what just left a lane reached the next one.
fs_t bus::impl::begun_behind(const lane& l, const channel_event& e, std::int64_t bytes, ps_t now) const {
  const fs_t begun = e.first - l.channel.service_time(std::min(bytes, timing.granule_bytes));
  return std::min(std::max<fs_t>(0, begun) + to_fs(l.hop), to_fs(now));
}

/// Over lanes that nobody waits for, from one edge of the clock to the next.
ps_t bus::impl::travel(const route& way, std::size_t stage, ps_t from) const {
  if (stage == way.lanes.size()) return from;
  ps_t at = next_edge(from);
  for (; stage < way.lanes.size(); ++stage)
    if (const ps_t hop = lanes[static_cast<std::size_t>(way.lanes[stage])]->hop; hop > 0) at = next_edge(at + hop);
  return at;
}

// A part is across, or will be at a time that nobody can change.
void bus::impl::ended(part& q, ps_t now) {
  flight& f = *q.f;
  f.slowest = std::max(f.slowest, q.waited);
  if (&q != &f.whole) spare_parts.push_back(&q);
  if (--f.open > 0) return;
  f.waited += f.slowest;
  f.wait_to_book += f.slowest;
  if (!f.write) {
    f.i->first_data = std::min(std::max(now, f.arrived), to_ps_up(f.first) + response_latency);
    if (f.arrived + response_latency <= now)
      respond(f);
    else
      later(responses, f.arrived + response_latency, f);
    return;
  }
  f.moved = true;
  if (!f.begun)
    later(requests, f.arrived + request_latency, f);
  else if (f.answered)
    later(responses, f.arrived + request_latency + response_latency + f.way->latency, f);
}

/// Whose transfers are on the way; "shared" while their granules alternate.
void bus::impl::show_owner() {
  if (!owner_probe.listened()) return;
  if (large_flights > 0) return owner_probe.forget(now_ps());
  int owner = -1;
  for (const auto& l : lanes) {
    const int holder = l->initiator >= 0 ? -1 : l->channel.holder();
    if (holder != -1) owner = owner == -1 || owner == holder ? holder : share_channel::several;
  }
  owner_probe.set(owner == share_channel::several ? static_cast<double>(initiators.size() + 1) : owner + 1, now_ps());
}

// ---- the one process

void bus::impl::later(ring<due>& queue, ps_t at, flight& f) {
  queue.insert_sorted({at, &f}, [](const due& a, const due& b) { return a.at < b.at; });
  if (!running) wake_by(at);
}

/// Lanes that may have something to move, in order; those that become active meanwhile too if they come later in it.
template <class Do>
void bus::impl::each_active(Do act) {
  for (std::size_t w = 0; w < active.size(); ++w)
    for (std::uint64_t bits = active[w]; bits != 0;) {
      const int bit = __builtin_ctzll(bits);
      act(*lanes[w * 64 + static_cast<std::size_t>(bit)]);
      bits = active[w] & (~std::uint64_t{0} << bit << 1);
    }
}

void bus::impl::run() {
  const ps_t now = now_ps();
  wake_at = never;
  running = true;
  bool again = true;
  while (again) {
    again = false;
    while (!requests.empty() && requests.front().at <= now) {
      flight& f = *requests.front().f;
      requests.pop_front();
      look_ahead(requests);
      forward(f);
      again = true;
    }
    each_active([&](lane& l) {
      channel_event e;
      const fs_t until = to_fs(now - l.delay);
      while (l.channel.next() <= until && l.channel.pop(until, e)) {
        left(l, e);
        again = true;
      }
    });
    while (!responses.empty() && responses.front().at <= now) {
      flight& f = *responses.front().f;
      responses.pop_front();
      look_ahead(responses);
      respond(f);
      again = true;
    }
  }
  running = false;
  bool busy = false;
  each_active([&](lane& l) {
    if (l.channel.idle())
      active[static_cast<std::size_t>(l.index) / 64] &= ~(std::uint64_t{1} << (l.index % 64));
    else
      busy = true;
  });
  show_busy(busy);
  show_owner();
  if (time_probe.listened()) {
    fs_t most = 0;
    for (const auto& l : lanes) most = std::max(most, l->channel.busy());
    time_probe.set(static_cast<std::uint64_t>(most / 1000));
  }
  schedule();
}

void bus::impl::schedule() {
  ps_t at = never;
  if (!requests.empty()) at = requests.front().at;
  if (!responses.empty()) at = std::min(at, responses.front().at);
  each_active([&](lane& l) {
    const fs_t next = l.channel.next();
    if (next != fs_never) at = std::min(at, to_ps_up(next) + l.delay);
  });
  wake_by(at);
}

/// Everything that is due leaves at the next edge of the clock, in one go. An early wake does no harm.
void bus::impl::wake_by(ps_t at) {
  if (at >= wake_at) return;  // `never` included
  at = next_edge(at);
  if (at >= wake_at) return;
  wake_at = at;
  wake.notify(to_sc_time(std::max<ps_t>(0, at - now_ps())));
}

ps_t bus::impl::next_edge(ps_t at) const {
  if (at <= last_edge && at > last_edge - period_ps) return last_edge;
  // The first edge that is seen at `at` or later: edges between picoseconds are seen at the next one.
  const fs_t edge = (to_fs(at) - 999 + period - 1) / period * period;
  return last_edge = to_ps_up(edge);
}

bus::impl::flight* bus::impl::take_flight() {
  ++flights;
  if (spare.empty()) {
    return &store.emplace();
  }
  flight* f = spare.back();
  spare.pop_back();
  *f = flight{};
  return f;
}

void bus::impl::give_flight(flight* f) {
  --flights;
  spare.push_back(f);
}

}  // namespace memwall
