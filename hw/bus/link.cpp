// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/link.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "hw/bus/share_channel.h"

namespace memwall {

struct link::impl {
  struct flight {
    transfer* t = nullptr;
    int source = 0;  // index into sources
    std::int64_t bytes = 0;
    bool write = false;
    bool begun = false;     // writes: the first packet is across
    bool moved = false;     // writes: all packets are across
    bool answered = false;  // writes: the target's response is there
    ps_t entered = 0, waited = 0;
  };
  struct due {
    ps_t at = 0;
    flight* f = nullptr;
  };
  struct source_side {
    int id = 0;
    std::uint64_t transfers = 0;
    traffic_bytes read_bytes, write_bytes;
    latency_histogram wait, round_trip;
  };

  static channel_timing timing_of(const link_params& p) {
    double rate = p.peak_bytes_per_s();
    // Credits come back after a round trip, so that no more than `credits` bytes move in that time.
    const double round_trip = 2 * p.latency.value;
    if (p.credits.value > 0 && round_trip > 0) rate = std::min(rate, p.credits.value / round_trip);
    return {to_bytes(p.packet_payload), 1, 1e15 / rate};
  }

  impl(link& l, const link_params& params)
      : self(l),
        p(params),
        latency(to_ps(p.latency)),
        forward_channel(timing_of(p), arbiters().get("round_robin")()),
        backward_channel(timing_of(p), arbiters().get("round_robin")()) {
    run_on(wake, "run", [this] { run(); });
  }

  link& self;
  link_params p;
  ps_t latency;
  share_channel forward_channel, backward_channel;
  std::vector<source_side> sources;  // in the order in which they first came; requesters of both channels
  std::size_t last_source = 0;

  std::deque<flight> store;
  std::vector<flight*> spare;
  ring<flight*> pending;  // requests that the target does not take yet
  ring<due> answers;      // responses of writes, errors
  ps_t blocked = 0, blocked_since = 0;
  flight* held = nullptr;  // its request phase stays open: too many in flight
  std::int64_t in_flight = 0;
  std::uint64_t flights = 0;
  sc_core::sc_event wake;
  ps_t wake_at = never;
  bool running = false;
  traffic_bytes bytes_by_class;
  transfer_observer* observer = nullptr;
  std::function<std::string(int)> name_of;
  /// Whether data are on their way. Of a transfer larger than a packet nobody knows it before all of it has
  /// crossed.
  struct direction_probe {
    explicit direction_probe(const char* name) : value(name, probe_base::kind::boolean) { value.set(0, 0); }
    void show(bool busy) {
      if (large == 0) value.set(busy ? 1 : 0, now_ps());
    }
    void enters() {
      if (large++ == 0) value.forget(now_ps());
    }
    void leaves(bool busy) {
      --large;
      show(busy);
    }
    timed_probe value;
    int large = 0;
  };
  direction_probe forward_probe{"forward_busy"}, backward_probe{"backward_busy"};
  bool is_large(const flight& f) const { return f.bytes > to_bytes(p.packet_payload); }
  probe<unsigned> queue_probe{"transfers"};
  probe<std::uint64_t> bytes_probe{"bytes_in_flight", "B"};
  probe<std::uint64_t> time_probe{"busy_time", "ps"};  // that the busier direction has moved packets so far

  int index_of(int id) {
    if (last_source < sources.size() && sources[last_source].id == id) return static_cast<int>(last_source);
    for (last_source = 0; last_source < sources.size(); ++last_source)
      if (sources[last_source].id == id) return static_cast<int>(last_source);
    sources.emplace_back();
    sources.back().id = id;
    forward_channel.add_requester();
    backward_channel.add_requester();
    return static_cast<int>(last_source);
  }

  // Contiguous requests share packets, so that overheads are in proportion to bytes whatever the transfer
  // size.
  std::int64_t request_bytes(std::int64_t bytes) const {
    const double wire = static_cast<double>(bytes) * p.request_overhead.value / p.read_request.value;
    return std::max<std::int64_t>(
        1, std::llround(wire * p.packet_payload.value / (p.packet_payload.value + p.packet_overhead.value)));
  }

  bool request(transfer& t) {
    flight* f;
    if (spare.empty()) {
      store.emplace_back();
      f = &store.back();
    } else {
      f = spare.back();
      spare.pop_back();
      *f = flight{};
    }
    ++flights;
    transfer_info& i = info(t);
    f->t = &t;
    f->source = index_of(i.source);
    f->bytes = t.get_data_length();
    f->write = t.is_write();
    f->entered = now_ps();
    i.attach_hop(this, f);
    queue_probe.set(static_cast<unsigned>(flights));
    bytes_probe.set(bytes_probe.value() + static_cast<std::uint64_t>(f->bytes));
    if (is_large(*f)) (f->write ? forward_probe : backward_probe).enters();
    if (p.outstanding > 0 && in_flight >= p.outstanding) {
      held = f;
      return false;
    }
    admit(*f);
    return true;
  }

  void admit(flight& f) {
    ++in_flight;
    const ps_t now = now_ps();
    f.waited = now - f.entered;
    channel_event unused;
    if (f.write) {
      forward_channel.add(&f, f.source, f.bytes, to_fs(now), to_fs(now), true, 1, &unused);
    } else {
      // The first request packet starts the target; the others only take their room.
      const std::int64_t all = request_bytes(f.bytes), first = std::min(all, request_bytes(to_bytes(p.read_request)));
      forward_channel.add(&f, f.source, first, to_fs(now), to_fs(now), false, 1, &unused);
      if (all > first) forward_channel.add(nullptr, f.source, all - first, to_fs(now), to_fs(now), false, 1, &unused);
    }
    forward_probe.show(true);
    if (!running) schedule();
  }

  void forward(flight& f) {
    const ps_t now = now_ps();
    transfer_info& i = info(*f.t);
    i.book(stall::link, now);
    i.first_data = never;
    if (pending.empty() && self.downstream.can_send()) {
      self.downstream.forward(*f.t);
    } else {
      if (pending.empty()) blocked_since = now;
      pending.push_back(&f);
    }
  }

  void target_ready() {
    while (!pending.empty() && self.downstream.can_send()) {
      flight& f = *pending.front();
      pending.pop_front();
      if (pending.empty()) blocked += now_ps() - blocked_since;
      self.downstream.forward(*f.t);
    }
  }

  void response(transfer& t) {
    flight& f = *static_cast<flight*>(info(t).hop(this));
    const ps_t now = now_ps();
    const bool ok = t.get_response_status() == tlm::TLM_OK_RESPONSE;
    if (f.write) {
      f.answered = true;
      if (f.moved) answer(now + latency, f);
    } else if (ok) {
      channel_event unused;
      backward_channel.add(&f, f.source, f.bytes, to_fs(std::min(info(t).first_data, now)), to_fs(now), false, 1,
                           &unused);
      backward_probe.show(true);
    } else {
      answer(now + latency, f);
    }
    if (!running) schedule();
  }

  void answer(ps_t at, flight& f) {
    answers.insert_sorted({at, &f}, [](const due& a, const due& b) { return a.at < b.at; });
  }

  void respond(flight& f) {
    info(*f.t).book(stall::link, now_ps());
    self.upstream.respond(*f.t);
  }

  void done(transfer& t) {
    transfer_info& i = info(t);
    auto* f = static_cast<flight*>(i.hop(this));
    i.detach_hop(this);
    source_side& s = sources[static_cast<std::size_t>(f->source)];
    ++s.transfers;
    s.wait.add(f->waited);
    const ps_t now = now_ps();
    s.round_trip.add(now - f->entered);
    if (t.get_response_status() == tlm::TLM_OK_RESPONSE) {
      (f->write ? s.write_bytes : s.read_bytes)[i.carries] += f->bytes;
      bytes_by_class[i.carries] += f->bytes;
    }
    if (observer != nullptr)
      observer->span({self.name(), f->write ? "write" : "read", i.source, i.op, f->bytes, f->entered, now});
    bytes_probe.set(bytes_probe.value() - static_cast<std::uint64_t>(f->bytes));
    if (is_large(*f))
      f->write ? forward_probe.leaves(!forward_channel.idle()) : backward_probe.leaves(!backward_channel.idle());
    spare.push_back(f);
    queue_probe.set(static_cast<unsigned>(--flights));
    --in_flight;
    if (held != nullptr) {
      flight* next = held;
      held = nullptr;
      info(*next->t).book(stall::link, now);
      admit(*next);
      self.upstream.accept();
    }
  }

  // Packets arrive `latency` after they have left: the channels are looked at that much later.
  void run() {
    const ps_t now = now_ps();
    wake_at = never;
    running = true;
    const fs_t until = to_fs(now - latency);
    bool again = true;
    while (again) {
      again = false;
      channel_event e;
      while (forward_channel.next() <= until && forward_channel.pop(until, e)) {
        again = true;
        if (e.item == nullptr) continue;
        flight& f = *static_cast<flight*>(e.item);
        if (e.last) f.waited += to_ps_up(e.waited);
        if (!f.write) {
          forward(f);
        } else if (!e.last) {
          f.begun = true;
          forward(f);
        } else {
          f.moved = true;
          if (!f.begun)
            forward(f);
          else if (f.answered)
            answer(now + latency, f);
        }
      }
      while (backward_channel.next() <= until && backward_channel.pop(until, e)) {
        again = true;
        flight& f = *static_cast<flight*>(e.item);
        f.waited += to_ps_up(e.waited);
        info(*f.t).first_data = std::min(now, to_ps_up(e.first) + latency);
        respond(f);
      }
      while (!answers.empty() && answers.front().at <= now) {
        again = true;
        flight& f = *answers.front().f;
        answers.pop_front();
        respond(f);
      }
    }
    running = false;
    forward_probe.show(!forward_channel.idle());
    backward_probe.show(!backward_channel.idle());
    if (time_probe.listened())
      time_probe.set(static_cast<std::uint64_t>(std::max(forward_channel.busy(), backward_channel.busy()) / 1000));
    schedule();
  }

  void schedule() {
    ps_t at = answers.empty() ? never : answers.front().at;
    for (share_channel* c : {&forward_channel, &backward_channel})
      if (const fs_t next = c->next(); next != fs_never) at = std::min(at, to_ps_up(next) + latency);
    if (at == wake_at || at == never) return;
    if (wake_at != never && at > wake_at) wake.cancel();
    wake_at = at;
    wake.notify(to_sc_time(std::max<ps_t>(0, at - now_ps())));
  }
};

link::link(const sc_core::sc_module_name& name, const link_params& params)
    : sc_core::sc_module(name),
      upstream("upstream"),
      downstream("downstream"),
      m_impl(std::make_unique<impl>(*this, params)) {
  impl* m = m_impl.get();
  upstream.on_request = [m](transfer& t) { return m->request(t); };
  upstream.on_done = [m](transfer& t) { m->done(t); };
  upstream.on_debug = [this](transfer& t) { return downstream.debug(t); };
  downstream.on_ready = [m] { m->target_ready(); };
  downstream.on_complete = [m](transfer& t) { m->response(t); };
}

link::~link() = default;

bus_report link::report() const {
  const impl& m = *m_impl;
  bus_report r;
  r.name = name();
  r.topology = "link";
  r.arbiter = "round_robin";
  r.elapsed_ps = now_ps();
  r.peak_bytes_per_s = m.p.peak_bytes_per_s();
  r.bytes_by_class = m.bytes_by_class;
  r.bytes = m.bytes_by_class.sum();
  r.energy_pj = static_cast<double>(r.bytes) * 8 * to_pj(m.p.energy_per_bit);
  const std::size_t n = m.sources.size();
  r.waited_for.assign(n, std::vector<ps_t>(n, 0));
  const share_channel* channels[] = {&m.forward_channel, &m.backward_channel};
  const share_channel* busiest = channels[0]->busy() >= channels[1]->busy() ? channels[0] : channels[1];
  for (const auto* c : channels)
    r.channels.push_back({c == channels[0] ? "forward" : "backward", r.peak_bytes_per_s, c->bytes(), c->busy() / 1000});
  for (std::size_t i = 0; i < n; ++i) {
    const auto& s = m.sources[i];
    fabric_port_report port = port_report(m.name_of ? m.name_of(s.id) : "source " + std::to_string(s.id), s);
    for (const auto* c : channels) {
      port.busy_ps += c->busy_of(static_cast<int>(i)) / 1000;
      for (std::size_t j = 0; j < n; ++j)
        r.waited_for[i][j] += c->waited_for(static_cast<int>(i), static_cast<int>(j)) / 1000;
    }
    r.initiators.push_back(std::move(port));
  }
  if (r.elapsed_ps > 0) r.utilization = static_cast<double>(busiest->busy()) / 1000 / static_cast<double>(r.elapsed_ps);
  r.occupancy_bucket_ps = busiest->occupancy().bucket_width();
  r.occupancy = busiest->occupancy().values();
  for (double& v : r.occupancy) v /= static_cast<double>(r.occupancy_bucket_ps);
  return r;
}

void link::name_sources(std::function<std::string(int)> names) {
  m_impl->name_of = std::move(names);
}

probe_list link::probes() {
  return {&m_impl->forward_probe.value, &m_impl->backward_probe.value, &m_impl->queue_probe, &m_impl->bytes_probe,
          &m_impl->time_probe};
}

void link::observe(transfer_observer* observer) {
  m_impl->observer = observer;
}

}  // namespace memwall
