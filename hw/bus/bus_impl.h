// SPDX-License-Identifier: Apache-2.0
// Inside of the bus: bus.cpp wires it, bus_flow.cpp moves transfers, bus_report.cpp tells what was measured.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "hw/bus/bus.h"
#include "hw/bus/share_channel.h"
#include "hw/bus/topology.h"
#include "hw/ports/arena.h"

namespace memwall {

struct bus::impl {
  struct flight;
  // The way of a pair of places.
  struct route : path_plan {
    std::size_t clear_from = 0;  // lanes from here on have one lane before them: nobody waits for them
    ps_t clear_hops = 0;         // of these lanes
    int initiator = 0, target = 0;
    // What has crossed them, for the report: they keep no figures of their own.
    std::int64_t clear_bytes = 0;
    fs_t clear_time = 0;
  };
  // How transfers of one size, from one place in the turns of the places, part behind the one lane that they leave on.
  // Operators send thousands alike.
  struct pattern {
    std::int16_t initiator = 0, target = 0;
    bool write = false;
    std::uint32_t bytes = 0;
    std::uint64_t offset = 0;     // of the address, in a turn over all pairs of places
    route* first = nullptr;       // of the first byte
    const route* last = nullptr;  // of the bytes that arrive last; none: there is no pattern
    ps_t before_end = 0;          // when they have left the lane, before the transfer's last granule
    std::uint64_t uses = 0;
  };
  // What of a transfer crosses lanes at once. Modules at one place have one part a transfer. Between several places
  // there is one for each lane that the data set out on, a flow that carries what goes over all ways from there.
  struct part {
    flight* f = nullptr;
    route* way = nullptr;  // of a flow: one of its ways
    std::uint32_t bytes = 0;
    std::uint16_t stage = 0;  // of the way
    bool flow = false;
    ps_t waited = 0;
    int pattern = -1;  // of a flow that is the whole transfer and need not be told apart
  };
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
    std::uint32_t open = 0;  // parts on their way
    ps_t pending_since = 0;
    ps_t slowest = 0;      // longest waiting of its parts
    fs_t first = 0;        // reads: earliest first granule of its parts
    ps_t arrived = 0;      // when the last of its parts' data are across
    route* way = nullptr;  // of its first byte
    part whole;
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
    std::vector<std::size_t> places;  // its ports in the plan
    flight* held = nullptr;           // its request phase stays open: too many in flight
    std::size_t last_range = 0;
    std::uint64_t transfers = 0;
    traffic_bytes read_bytes, write_bytes;
    latency_histogram wait, round_trip;
  };
  struct target_side {
    std::string name;
    std::unique_ptr<at_initiator_port> port;
    std::vector<std::size_t> places;
    std::vector<ring<flight*>> pending;      // by initiator: requests that the target does not take yet
    std::vector<std::uint64_t> passed_over;  // by initiator: grants of others since its front one waits
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
  // A channel as the plan wants it; its events are looked at `delay` later, of which `hop` is latency of the lane
  // itself.
  struct lane {
    std::string name;
    share_channel channel;
    ps_t delay, hop;
    int index;
    int initiator;  // stands at its port, requesters are targets; -1: requesters are initiators
  };

  impl(bus& b, const bus_params& params);

  bus& self;
  bus_params p;
  channel_timing timing;
  ps_t request_latency, response_latency;
  std::uint64_t interleave;

  std::vector<std::unique_ptr<initiator_side>> initiators;
  std::vector<std::unique_ptr<target_side>> targets;
  std::vector<range> ranges;  // sorted by base once started
  bool started = false;
  std::vector<std::unique_ptr<lane>> lanes;
  std::vector<std::uint64_t> active;  // a bit a lane: it may have something to move
  std::vector<route> read, write;
  std::size_t target_places = 0;
  std::vector<pattern> patterns;
  std::size_t last_pattern = 0;
  mutable ps_t mean_hops = never;  // mean_hop_latency(), once asked for

  arena<flight> store;
  std::vector<flight*> spare;
  arena<part> part_store;
  std::vector<part*> spare_parts, flows;
  ring<due> requests, responses;
  sc_core::sc_event wake;
  ps_t wake_at = never;
  fs_t period = 1;     // of the clock
  ps_t period_ps = 1;  // not more than it
  mutable ps_t last_edge = never;
  bool running = false;
  std::size_t flights = 0;
  std::size_t large_flights = 0;  // larger than a granule: their data are told when they have crossed
  std::vector<arbiter_request> waiting;
  std::vector<arbiter_turn> turns;

  std::uint64_t errors = 0;
  traffic_bytes bytes_by_class;
  transfer_observer* observer = nullptr;
  timed_probe busy_probe{"busy", probe_base::kind::boolean};
  timed_probe owner_probe{"owner", std::vector<std::string>{"idle"}};
  probe<unsigned> queue_probe{"transfers"};
  probe<std::uint64_t> bytes_probe{"bytes_in_flight", "B"};
  probe<std::uint64_t> time_probe{"busy_time",
                                  "ps"};  // that the busiest channel has moved data so far: what utilization counts

  // ---- wiring (bus.cpp)
  void start();
  static std::vector<route> routes_of(std::vector<path_plan> plans, const fabric_shape& s);
  void find_clear_lanes();
  /// The ports of the modules, by their nodes. Modules that the parameters give no node take the first free ones.
  fabric_shape shape(problem_list& problems, const std::string& where, const std::string& path) const;

  // ---- flow (bus_flow.cpp)
  bool request(int initiator, transfer& t);
  void admit(flight& f);
  bool decode(initiator_side& side, flight& f);
  void forward(flight& f);
  void target_ready(int target);
  void count_passed(target_side& side, int granted);
  void response(int target, transfer& t);
  void respond(flight& f);
  void done(int initiator, transfer& t);
  void book(flight& f, ps_t now);
  void send(flight& f, fs_t since, fs_t now);
  part& take_part();
  int pattern_of(const flight& f);
  template <class Do>
  void each_way(const flight& f, Do act);
  void enter(part& q, fs_t since, fs_t now, int keep);
  void left(lane& l, const channel_event& e);
  void cross(lane& l, part& q, const channel_event& e);
  void spread(lane& l, part& q, const channel_event& e);
  fs_t begun_behind(const lane& l, const channel_event& e, std::int64_t bytes, ps_t now) const;
  ps_t travel(const route& way, std::size_t stage, ps_t from) const;
  void ended(part& q, ps_t now);
  void show_owner();
  void show_busy(bool busy);
  bool is_large(const flight& f) const { return f.bytes > timing.granule_bytes; }
  void later(ring<due>& queue, ps_t at, flight& f);
  void run();
  void schedule();
  void wake_by(ps_t at);
  ps_t next_edge(ps_t at) const;
  flight* take_flight();
  void give_flight(flight* f);
  template <class Do>
  void each_active(Do act);
};

/// Between modules at several places: unit u of the addresses goes over pair u % pairs; the first and the last unit may
/// be cut. Tells each way, its bytes, and how many bytes set out after the last of them.
template <class Do>
void bus::impl::each_way(const flight& f, Do act) {
  const auto& from = initiators[static_cast<std::size_t>(f.initiator)]->places;
  const auto& to = targets[static_cast<std::size_t>(f.target)]->places;
  auto& paths = f.write ? write : read;
  const std::uint64_t pairs = from.size() * to.size(), begin = f.address, end = begin + f.bytes;
  const std::uint64_t first = begin / interleave, last = (end - 1) / interleave;
  const std::uint64_t side_by_side = f.write ? from.size() : to.size();  // lanes that the data set out on
  for (std::uint64_t k = 0, n = std::min(pairs, last - first + 1); k < n; ++k) {
    const std::uint64_t unit = first + k, units = (last - unit) / pairs + 1,
                        over = (unit + (units - 1) * pairs + 1) * interleave;
    std::uint64_t bytes = units * interleave;
    if (unit == first) bytes -= begin - first * interleave;
    if (over > end) bytes -= over - end;
    const std::size_t t = unit % to.size(), i = unit / to.size() % from.size();
    act(paths[from[i] * target_places + to[t]], static_cast<std::uint32_t>(bytes),
        static_cast<std::int64_t>(over < end ? (end - over) / side_by_side : 0));
  }
}

}  // namespace memwall
