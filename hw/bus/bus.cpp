// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/bus.h"

#include <fmt/format.h>
#include <algorithm>
#include <deque>

#include "hw/bus/share_channel.h"

namespace memwall {

const param_table<bus_params>& bus_param_table() {
  static const auto table =
      param_table<bus_params>("bus")
          .add("topology", &bus_params::topology,
               "shared: one channel for everybody; crossbar: a channel at every port")
          .choices({"shared", "crossbar"})
          .add("channels", &bus_params::channels,
               "separate: reads and writes move at once; common: they share one channel")
          .choices({"separate", "common"})
          .add("width", &bus_params::width, "bytes a beat of one slice")
          .range(byte_size(1), byte_size(65536))
          .add("clock", &bus_params::clock, "beats a second")
          .range(frequency(1e6), frequency(1e12))
          .add("slices", &bus_params::slices, "equal parallel channels, perfectly interleaved")
          .range(std::int64_t{1}, std::int64_t{4096})
          .add("arbitration_latency", &bus_params::arbitration_latency,
               "request in to request out, on top of the pipeline")
          .range(duration(0), duration(1e-3))
          .add("pipeline_latency", &bus_params::pipeline_latency, "register stages and wires, each direction")
          .range(duration(0), duration(1e-3))
          .add("granule", &bus_params::granule,
               "bytes granted at once; 0 B: the larger of 64 B and the width")
          .range(byte_size(0), byte_size(1048576))
          .add("arbiter", &bus_params::arbiter,
               "who moves the next granule: round_robin, weighted, fixed_priority, age")
          .add("outstanding", &bus_params::outstanding,
               "transfers an initiator may have in the bus; 0: no limit")
          .range(std::int64_t{0}, std::int64_t{1} << 20)
          .add("energy_per_bit", &bus_params::energy_per_bit, "energy to move one bit across")
          .range(energy(0), energy(1e-9));
  return table;
}

void check_bus_params(const bus_params& p, problem_list& problems, const std::string& where,
                      const std::string& path) {
  const std::string prefix = path.empty() ? "" : path + ".";
  if (!arbiters().contains(p.arbiter)) {
    std::string known;
    for (const auto& n : arbiters().names()) known += (known.empty() ? "" : ", ") + n;
    problems.add({where, prefix + "arbiter", "unknown arbiter '" + p.arbiter + "'", "one of: " + known,
                  nearest_name(p.arbiter, arbiters().names())});
  }
  const std::int64_t granule = to_bytes(p.granule), width = to_bytes(p.width);
  if (granule != 0 && (granule < width || granule % width != 0))
    problems.add({where, prefix + "granule", "got " + std::to_string(granule) + " B",
                  "a multiple of the width, " + std::to_string(width) + " B", ""});
}

namespace {

std::string sc_name_of(const std::string& name) {
  std::string out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return out;
}

}  // namespace

struct bus::impl {
  struct flight {
    transfer* t = nullptr;
    transfer_info* i = nullptr;
    std::int16_t initiator = 0, target = -1;
    bool write = false;
    bool begun = false;     // writes: the first granule is across
    bool moved = false;     // writes: all data are across
    bool answered = false;  // writes: the target's response is there
    std::uint64_t address = 0, target_address = 0;
    ps_t entered = 0;
    ps_t waited = 0;        // in all
    ps_t wait_to_book = 0;  // of it, not yet in the transfer's parts
    std::uint32_t bytes = 0;
    ps_t pending_since = 0;
  };
  struct due {
    ps_t at = 0;
    flight* f = nullptr;
  };
  struct initiator_side {
    std::string name;
    bus_initiator_options options;
    std::int64_t limit = 0, in_flight = 0;
    std::unique_ptr<at_target_port> port;
    flight* held = nullptr;  // its request phase stays open: too many in flight
    std::size_t last_range = 0;
    std::uint64_t transfers = 0;
    traffic_bytes read_bytes, write_bytes;
    latency_histogram wait, round_trip;
  };
  struct target_side {
    std::string name;
    std::unique_ptr<at_initiator_port> port;
    std::vector<ring<flight*>> pending;  // by initiator: requests that the target does not take yet
    std::size_t pending_count = 0;
    std::unique_ptr<arbiter> policy;
    std::uint64_t transfers = 0;
    std::int64_t bytes = 0;
    ps_t blocked = 0, blocked_since = 0;
  };
  struct range {
    std::uint64_t base, last, target_base;
    int target;
  };
  // A channel with the latency that its data have before they are seen on the other side.
  struct lane {
    std::string name;
    share_channel channel;
    ps_t delay;
    bool by_target;  // requesters are targets (a crossbar's initiator ports); else initiators
    int port;        // of the side that it stands at
    bool final;      // events leave the fabric; else they go to the second stage
  };

  impl(bus& b, const bus_params& params)
      : self(b),
        p(params),
        request_latency(to_ps(p.arbitration_latency) + to_ps(p.pipeline_latency)),
        response_latency(to_ps(p.pipeline_latency)) {
    problem_list problems;
    check_bus_params(p, problems, self.name(), "");
    problems.check();
    const std::int64_t width = to_bytes(p.width);
    timing.width_bytes = width;
    timing.granule_bytes =
        p.granule.value > 0 ? to_bytes(p.granule) : std::max<std::int64_t>(64, (width + 63) / 64 * 64);
    if (timing.granule_bytes % width != 0)
      timing.granule_bytes = (timing.granule_bytes + width - 1) / width * width;
    period = std::max<fs_t>(1, static_cast<fs_t>(std::llround(1e15 / p.clock.value)));
    period_ps = period / 1000;
    timing.beat_fs = 1e15 / p.clock.value / static_cast<double>(p.slices);
    crossbar = p.topology == "crossbar";
    common = p.channels == "common";
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(&wake);
    sc_core::sc_spawn([this] { run(); }, "run", &options);
  }

  bus& self;
  bus_params p;
  channel_timing timing;
  ps_t request_latency, response_latency;
  bool crossbar = false, common = false;

  std::vector<std::unique_ptr<initiator_side>> initiators;
  std::vector<std::unique_ptr<target_side>> targets;
  std::vector<range> ranges;  // sorted by base once started
  bool started = false;
  std::vector<std::unique_ptr<lane>> lanes;
  // Index into lanes by port; shared buses have one entry that everybody uses.
  std::vector<int> read_out, read_in, write_out, write_in;

  std::deque<flight> store;
  std::vector<flight*> spare;
  ring<due> requests, responses;
  sc_core::sc_event wake;
  ps_t wake_at = never;
  fs_t period = 1;       // of the clock
  ps_t period_ps = 1;    // not more than it
  mutable ps_t last_edge = never;
  bool running = false;
  std::size_t flights = 0;

  std::uint64_t errors = 0;
  traffic_bytes bytes_by_class;
  transfer_observer* observer = nullptr;
  probe<bool> busy_probe{"busy"};
  probe<unsigned> owner_probe{"owner", std::vector<std::string>{"idle"}};
  probe<unsigned> queue_probe{"transfers"};
  probe<std::uint64_t> bytes_probe{"bytes_in_flight", "B"};
  probe<std::uint64_t> time_probe{"busy_time", "ps"};  // that the busiest channel has moved data so far: what utilization counts

  // ---- wiring
  // -------------------------------------------------------------------------------------------------------

  int add_lane(const std::string& name, ps_t delay, bool by_target, int port, bool final) {
    lanes.push_back(std::make_unique<lane>(
        lane{name, share_channel(timing, arbiters().get(by_target ? "round_robin" : p.arbiter)()), delay,
             by_target, port, final}));
    auto& channel = lanes.back()->channel;
    if (by_target)
      for (std::size_t i = 0; i < targets.size(); ++i) channel.add_requester();
    else
      for (const auto& i : initiators) channel.add_requester(i->options.priority, i->options.weight);
    return static_cast<int>(lanes.size() - 1);
  }

  // Lanes need all ports to be known; built with the first transfer.
  void start() {
    started = true;
    std::sort(ranges.begin(), ranges.end(), [](const range& a, const range& b) { return a.base < b.base; });
    const auto ni = initiators.size(), nt = targets.size();
    // The pipeline lies behind a shared bus's channel: its events are looked at that much later, which saves
    // a kernel event.
    if (!crossbar) {
      const int r = add_lane(common ? "common" : "read", response_latency, false, -1, true);
      const int w = common ? r : add_lane("write", response_latency, false, -1, true);
      read_out.assign(nt, r);
      read_in.assign(ni, -1);
      write_out.assign(ni, w);
      write_in.assign(nt, -1);
    } else {
      for (std::size_t t = 0; t < nt; ++t) {
        const int port = static_cast<int>(t);
        read_out.push_back(
            add_lane((common ? "target." : "read.target.") + targets[t]->name, 0, false, port, false));
        write_in.push_back(common ? read_out.back()
                                  : add_lane("write.target." + targets[t]->name, 0, false, port, true));
      }
      for (std::size_t i = 0; i < ni; ++i) {
        const int port = static_cast<int>(i);
        read_in.push_back(
            add_lane((common ? "initiator." : "read.initiator.") + initiators[i]->name, 0, true, port, true));
        write_out.push_back(common
                                ? read_in.back()
                                : add_lane("write.initiator." + initiators[i]->name, 0, true, port, false));
      }
    }
    for (auto& t : targets) {
      t->pending.resize(ni);
      t->policy = arbiters().get(p.arbiter)();
      for (const auto& i : initiators) t->policy->add_requester(i->options.priority, i->options.weight);
    }
    std::vector<std::string> names{"idle"};
    for (const auto& i : initiators) names.push_back(i->name);
    names.emplace_back("shared");
    owner_probe.set_states(names);
  }

  // ---- requests
  // -----------------------------------------------------------------------------------------------------

  bool request(int initiator, transfer& t) {
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

  void admit(flight& f) {
    initiator_side& side = *initiators[static_cast<std::size_t>(f.initiator)];
    ++side.in_flight;
    const ps_t now = now_ps();
    f.waited = f.wait_to_book = now - f.entered;
    if (!decode(side, f)) {
      ++errors;
      f.t->set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      later(responses, now + request_latency + response_latency, f);
    } else if (f.write) {
      const int first = write_out[static_cast<std::size_t>(f.initiator)];
      enter(first, f, to_fs(now), to_fs(now), 1);
    } else {
      later(requests, now + request_latency, f);
    }
  }

  bool decode(initiator_side& side, flight& f) {
    const std::uint64_t a = f.address;
    const auto inside = [&](const range& r) {
      return a >= r.base && a <= r.last && static_cast<std::uint64_t>(f.bytes) - 1 <= r.last - a;
    };
    if (ranges.empty()) return false;
    if (side.last_range >= ranges.size() || !inside(ranges[side.last_range])) {
      const auto above = std::upper_bound(ranges.begin(), ranges.end(), a,
                                          [](std::uint64_t x, const range& r) { return x < r.base; });
      if (above == ranges.begin() || !inside(*(above - 1))) return false;
      side.last_range = static_cast<std::size_t>(above - ranges.begin()) - 1;
    }
    const range& r = ranges[side.last_range];
    f.target = static_cast<std::int16_t>(r.target);
    f.target_address = a - r.base + r.target_base;
    return true;
  }

  void forward(flight& f) {
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

  // The target takes requests again.
  void target_ready(int target) {
    target_side& side = *targets[static_cast<std::size_t>(target)];
    while (side.pending_count > 0 && side.port->can_send()) {
      waiting.clear();
      for (std::size_t i = 0; i < side.pending.size(); ++i)
        if (!side.pending[i].empty())
          waiting.push_back({static_cast<int>(i), side.pending[i].front()->pending_since});
      turns.clear();
      side.policy->turns(waiting, turns);
      const int initiator = turns.front().requester;
      side.policy->granted(initiator, 1);
      auto& queue = side.pending[static_cast<std::size_t>(initiator)];
      flight& f = *queue.front();
      queue.pop_front();
      const ps_t now = now_ps();
      f.waited += now - f.pending_since;  // booked by the target, whose back-pressure it is
      if (--side.pending_count == 0) side.blocked += now - side.blocked_since;
      side.port->forward(*f.t);
    }
  }
  std::vector<arbiter_request> waiting;
  std::vector<arbiter_turn> turns;

  // ---- responses
  // ----------------------------------------------------------------------------------------------------

  void response(int target, transfer& t) {
    flight& f = *static_cast<flight*>(info(t).hop(this));
    target_side& side = *targets[static_cast<std::size_t>(target)];
    ++side.transfers;
    const ps_t now = now_ps();
    const bool ok = t.get_response_status() == tlm::TLM_OK_RESPONSE;
    if (ok) side.bytes += f.bytes;
    if (f.write) {
      f.answered = true;
      if (f.moved) later(responses, now + response_latency, f);
    } else if (ok) {
      enter(read_out[static_cast<std::size_t>(target)], f, to_fs(std::min(f.i->first_data, now)),
            to_fs(now), 1);
    } else {
      later(responses, now + response_latency, f);
    }
  }

  void respond(flight& f) {
    const ps_t now = now_ps();
    book(f, now);
    f.t->set_address(f.address);
    initiators[static_cast<std::size_t>(f.initiator)]->port->respond(*f.t);
  }

  // The initiator has taken the response.
  void done(int initiator, transfer& t) {
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

  void book(flight& f, ps_t now) {
    transfer_info& i = *f.i;
    i.book(stall::bus_wait, std::min(now, i.booked_until + f.wait_to_book));
    f.wait_to_book = 0;
    i.book(stall::bus_transfer, now);
  }

  // ---- channels
  // -----------------------------------------------------------------------------------------------------

  void enter(int index, flight& f, fs_t since, fs_t now, int keep) {
    lane& l = *lanes[static_cast<std::size_t>(index)];
    const int requester = l.by_target ? f.target : f.initiator;
    channel_event moved;
    if (l.channel.add(&f, requester, f.bytes, since, now, f.write && !f.begun, keep, &moved)) left(l, moved);
    if (!running && wake_at > next_edge(now_ps()))
      if (const fs_t next = l.channel.next(); next != fs_never) wake_by(to_ps_up(next) + l.delay);
    busy_probe.set(true);
    show_owner();
  }

  /// Whose transfers are on the way; "shared" while their granules alternate.
  void show_owner() {
    if (!owner_probe.listened()) return;
    int owner = -1;
    for (const auto& l : lanes) {
      const int holder = l->by_target ? -1 : l->channel.holder();
      if (holder != -1) owner = owner == -1 || owner == holder ? holder : share_channel::several;
    }
    owner_probe.set(owner == share_channel::several ? static_cast<unsigned>(initiators.size() + 1) : static_cast<unsigned>(owner + 1));
  }

  // A transfer's first or last granule has left a channel.
  void left(lane& l, const channel_event& e) {
    flight& f = *static_cast<flight*>(e.item);
    const ps_t now = now_ps();
    const ps_t moved_at = now - l.delay;
    if (!e.last) {  // a large write: the target may begin
      f.begun = true;
      later(requests, moved_at + request_latency, f);
      return;
    }
    const ps_t waited = to_ps_up(e.waited);
    f.waited += waited;
    f.wait_to_book += waited;
    if (second_stage(l, f)) {
      const fs_t begun =
          std::max<fs_t>(0, e.first - l.channel.service_time(std::min<std::int64_t>(f.bytes, timing.granule_bytes)));
      const int next = f.write ? write_in[static_cast<std::size_t>(f.target)]
                               : read_in[static_cast<std::size_t>(f.initiator)];
      enter(next, f, std::min(begun, to_fs(now)), to_fs(now), 0);
    } else if (!f.write) {
      f.i->first_data = std::min(now, to_ps_up(e.first) + response_latency);
      if (l.delay == response_latency)
        respond(f);
      else
        later(responses, moved_at + response_latency, f);
    } else {
      f.moved = true;
      if (!f.begun)
        later(requests, moved_at + request_latency, f);
      else if (f.answered)
        later(responses, moved_at + request_latency + response_latency, f);
    }
  }

  bool second_stage(const lane& l, const flight& f) const {
    if (!crossbar) return false;
    return f.write ? l.by_target : !l.by_target;
  }

  // ---- the one process
  // ----------------------------------------------------------------------------------------------

  void later(ring<due>& queue, ps_t at, flight& f) {
    queue.insert_sorted({at, &f}, [](const due& a, const due& b) { return a.at < b.at; });
    if (!running) wake_by(at);
  }

  static void look_ahead(const ring<due>& queue) {
    if (queue.size() > 8) prefetch(queue[8].f, sizeof(flight));
    if (queue.size() <= 4) return;
    const flight& f = *queue[4].f;
    prefetch(f.t, sizeof *f.t);
    f.i->prefetch();
  }

  void run() {
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
      for (auto& l : lanes) {
        channel_event e;
        const fs_t until = to_fs(now - l->delay);
        while (l->channel.next() <= until && l->channel.pop(until, e)) {
          left(*l, e);
          again = true;
        }
      }
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
    for (const auto& l : lanes) busy = busy || !l->channel.idle();
    busy_probe.set(busy);
    show_owner();
    if (time_probe.listened()) {
      fs_t most = 0;
      for (const auto& l : lanes) most = std::max(most, l->channel.busy());
      time_probe.set(static_cast<std::uint64_t>(most / 1000));
    }
    schedule();
  }

  void schedule() {
    ps_t at = never;
    if (!requests.empty()) at = requests.front().at;
    if (!responses.empty()) at = std::min(at, responses.front().at);
    for (const auto& l : lanes) {
      const fs_t next = l->channel.next();
      if (next != fs_never) at = std::min(at, to_ps_up(next) + l->delay);
    }
    wake_by(at);
  }

  /// Everything that is due leaves at the next edge of the clock, in one go. An early wake does no harm.
  void wake_by(ps_t at) {
    if (at >= wake_at) return;  // `never` included
    at = next_edge(at);
    if (at >= wake_at) return;
    wake_at = at;
    wake.notify(to_sc_time(std::max<ps_t>(0, at - now_ps())));
  }

  ps_t next_edge(ps_t at) const {
    if (at <= last_edge && at > last_edge - period_ps) return last_edge;
    const fs_t edge = (to_fs(at) + period - 1) / period * period;
    return last_edge = to_ps_up(edge);
  }

  flight* take_flight() {
    ++flights;
    if (spare.empty()) {
      store.emplace_back();
      return &store.back();
    }
    flight* f = spare.back();
    spare.pop_back();
    *f = flight{};
    return f;
  }
  void give_flight(flight* f) {
    --flights;
    spare.push_back(f);
  }
};

bus::bus(const sc_core::sc_module_name& name, const bus_params& params)
    : sc_core::sc_module(name), m_impl(std::make_unique<impl>(*this, params)) {}
bus::~bus() = default;

at_target_port& bus::add_initiator(const std::string& name, const bus_initiator_options& options) {
  const child_of scope(*this);
  const int index = static_cast<int>(m_impl->initiators.size());
  auto side = std::make_unique<impl::initiator_side>();
  side->name = name;
  side->options = options;
  side->limit = options.outstanding >= 0 ? options.outstanding : m_impl->p.outstanding;
  side->port = std::make_unique<at_target_port>(("from_" + sc_name_of(name)).c_str());
  impl* m = m_impl.get();
  side->port->on_request = [m, index](transfer& t) { return m->request(index, t); };
  side->port->on_done = [m, index](transfer& t) { m->done(index, t); };
  side->port->on_debug = [m, index](transfer& t) -> unsigned {
    if (!m->started) m->start();
    impl::flight f;
    f.address = t.get_address();
    f.bytes = t.get_data_length();
    if (f.bytes == 0 || !m->decode(*m->initiators[static_cast<std::size_t>(index)], f)) return 0;
    t.set_address(f.target_address);
    const unsigned moved = m->targets[static_cast<std::size_t>(f.target)]->port->debug(t);
    t.set_address(f.address);
    return moved;
  };
  m_impl->initiators.push_back(std::move(side));
  return *m_impl->initiators.back()->port;
}

at_initiator_port& bus::add_target(const std::string& name, std::uint64_t base, std::uint64_t size,
                                   std::uint64_t target_base) {
  const child_of scope(*this);
  const int index = static_cast<int>(m_impl->targets.size());
  auto side = std::make_unique<impl::target_side>();
  side->name = name;
  side->port = std::make_unique<at_initiator_port>(("to_" + sc_name_of(name)).c_str());
  impl* m = m_impl.get();
  side->port->on_ready = [m, index] { m->target_ready(index); };
  side->port->on_complete = [m, index](transfer& t) { m->response(index, t); };
  m_impl->targets.push_back(std::move(side));
  add_range(name, base, size, target_base);
  return *m_impl->targets.back()->port;
}

int bus::target_number(const std::string& target) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < m_impl->targets.size(); ++i) {
    names.push_back(m_impl->targets[i]->name);
    if (names.back() == target) return static_cast<int>(i);
  }
  throw input_error(problem{"", target, "'" + std::string(name()) + "' has no such target", "",
                            nearest_name(target, names)});
}

void bus::add_range(const std::string& target, std::uint64_t base, std::uint64_t size,
                    std::uint64_t target_base) {
  m_impl->ranges.push_back({base, base + size - 1, target_base, target_number(target)});
}

void bus::redirect(std::uint64_t base, const std::string& target, std::uint64_t target_base) {
  for (auto& r : m_impl->ranges)
    if (r.base == base) r.target = target_number(target), r.target_base = target_base;
}

void bus::check(problem_list& problems, const std::string& where, const std::string& path) const {
  if (m_impl->initiators.empty())
    problems.add({where, path, "this bus has no initiator", "at least one module that starts transfers", ""});
  if (m_impl->targets.empty())
    problems.add(
        {where, path, "this bus has no target", "at least one memory or link with an address range", ""});
  auto ranges = m_impl->ranges;
  std::stable_sort(ranges.begin(), ranges.end(),
                   [](const auto& a, const auto& b) { return a.base < b.base; });
  const auto target = [&](const impl::range& r) {
    return "'" + m_impl->targets[static_cast<std::size_t>(r.target)]->name + "'";
  };
  const auto text = [](const impl::range& r) { return fmt::format("[{:#x}, {:#x}]", r.base, r.last); };
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].last == ranges[i].base - 1)
      problems.add(
          {where, path, "the address range of " + target(ranges[i]) + " is empty", "a size above zero", ""});
    else if (ranges[i].last < ranges[i].base)
      problems.add(
          {where, path,
           "the address range of " + target(ranges[i]) + " wraps around the end of the address space",
           "base + size up to 2^64", ""});
    else if (i > 0 && ranges[i].base <= ranges[i - 1].last)
      problems.add({where, path,
                    "the address ranges of " + target(ranges[i - 1]) + " " + text(ranges[i - 1]) + " and " +
                        target(ranges[i]) + " " + text(ranges[i]) + " overlap",
                    "ranges that share no address", ""});
  }
  for (const auto& i : m_impl->initiators)
    if (i->options.weight < 1)
      problems.add({where, path,
                    "initiator '" + i->name + "' has weight " + std::to_string(i->options.weight),
                    "at least 1", ""});
}

bus_report bus::report() const {
  const impl& m = *m_impl;
  bus_report r;
  r.name = name();
  r.topology = m.p.topology;
  r.arbiter = m.p.arbiter;
  r.elapsed_ps = now_ps();
  r.peak_bytes_per_s = m.p.width.value * m.p.clock.value * static_cast<double>(m.p.slices);
  r.bytes_by_class = m.bytes_by_class;
  r.bytes = m.bytes_by_class.sum();
  r.energy_pj = static_cast<double>(r.bytes) * 8 * to_pj(m.p.energy_per_bit);
  r.errors = m.errors;
  const std::size_t n = m.initiators.size();
  r.waited_for.assign(n, std::vector<ps_t>(n, 0));
  for (std::size_t i = 0; i < n; ++i) {
    const auto& side = *m.initiators[i];
    fabric_port_report port;
    port.name = side.name;
    port.transfers = side.transfers;
    port.read_bytes = side.read_bytes;
    port.write_bytes = side.write_bytes;
    port.wait = summarize(side.wait);
    port.wait_histogram = side.wait.bins();
    port.round_trip = summarize(side.round_trip);
    r.initiators.push_back(std::move(port));
  }
  for (std::size_t t = 0; t < m.targets.size(); ++t) {
    const auto& side = *m.targets[t];
    fabric_target_report target;
    target.name = side.name;
    for (const auto& range : m.ranges)
      if (range.target == static_cast<int>(t)) {
        if (target.size == 0) target.base = range.base;
        target.size += range.last - range.base + 1;
      }
    target.transfers = side.transfers;
    target.bytes = side.bytes;
    target.blocked_ps = side.blocked + (side.pending_count > 0 ? r.elapsed_ps - side.blocked_since : 0);
    r.targets.push_back(std::move(target));
  }
  const share_channel* busiest = nullptr;
  for (const auto& l : m.lanes) {
    r.channels.push_back({l->name, r.peak_bytes_per_s, l->channel.bytes(), l->channel.busy() / 1000});
    if (busiest == nullptr || l->channel.busy() > busiest->busy()) busiest = &l->channel;
    for (int i = 0; i < l->channel.requesters(); ++i) {
      // At a crossbar's initiator port everybody is that initiator itself.
      const auto who = static_cast<std::size_t>(l->by_target ? l->port : i);
      r.initiators[who].busy_ps += l->channel.busy_of(i) / 1000;
      for (int j = 0; j < l->channel.requesters(); ++j)
        r.waited_for[who][static_cast<std::size_t>(l->by_target ? l->port : j)] +=
            l->channel.waited_for(i, j) / 1000;
    }
  }
  if (busiest != nullptr && r.elapsed_ps > 0) {
    r.utilization = static_cast<double>(busiest->busy()) / 1000 / static_cast<double>(r.elapsed_ps);
    r.occupancy_bucket_ps = busiest->occupancy().bucket_width();
    r.occupancy = busiest->occupancy().values();
    for (double& v : r.occupancy) v /= static_cast<double>(r.occupancy_bucket_ps);
  }
  return r;
}

probe_list bus::probes() {
  return {&m_impl->busy_probe, &m_impl->owner_probe, &m_impl->queue_probe, &m_impl->bytes_probe, &m_impl->time_probe};
}

void bus::observe(transfer_observer* observer) {
  m_impl->observer = observer;
}

}  // namespace memwall
