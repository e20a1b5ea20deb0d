// SPDX-License-Identifier: Apache-2.0
// The SystemC shell of every core: carries out the plans of a core_model as transfers on the bus.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/common/probe.h"
#include "hw/common/statistics.h"
#include "hw/core/core_data.h"
#include "hw/core/core_model.h"
#include "hw/ports/at_initiator.h"

namespace memwall {

/// How large transfers are. Speed, not physics: results must agree within 1 % whatever is chosen (law 7).
struct fidelity {
  std::int64_t transfer_bytes = 0;  ///< 0: automatic, see choose_transfers()
  std::int64_t quantum = 64;  ///< a stripe over all channels of the memory: transfers that are chosen automatically and
                              ///< not small are multiples of it
  std::int64_t burst = 64;    ///< smallest transfer
  bool within_window = false;  ///< what a core can have in flight decides how fast the memory is, as where pages fault
};

/// Tiles stream in, are computed on in order while the next ones are on their way (double buffering without end: the
/// window is the core's), results stream out behind. One operator at a time. A core with one buffer (work::tile_bytes)
/// asks for the next tile when this one has been computed, and computes on a tile when all of it is there.
///
/// Attribution rule: an instant belongs to launch (the runtime's part of it to host), else to the arithmetic if a tile
/// is being computed, else to what the oldest missing tile is waiting for: core_requests for as long as the core's own
/// limit held the request back, the rest in the proportions of the transfer's latency (bus wait, DRAM row miss, ...).
/// What a collective takes as launch and by the core's own limit is called all_reduce.
class stream_core : public sc_core::sc_module {
 public:
  stream_core(const sc_core::sc_module_name& name, std::unique_ptr<core_model> model, int id);

  at_initiator_port port;

  using result = work_result;
  /// Starts an operator; `done` is called once, at its end in simulated time. Must not be busy.
  void start(const operation& op, std::function<void(const result&)> done) { start(op, plan(op), std::move(done)); }
  /// The two steps of it: what the model plans (once an operator, in the order of execution), and carrying that out.
  work plan(const operation& op);
  void start(const operation& op, work planned, std::function<void(const result&)> done);
  /// Instead of carrying it out: what is known of how it goes. Time passes and everything is counted, but nothing is
  /// transferred.
  struct foregone {
    ps_t time = 0;
    stall_stack parts;  ///< sums to it
    std::uint64_t transfers = 0;
  };
  void forgo(const operation& op, const work& planned, const foregone& known, std::function<void(const result&)> done);
  bool busy() const { return m_busy; }

  core_model& model() { return *m_model; }
  const core_model& model() const { return *m_model; }
  int id() const { return m_id; }
  void set_fidelity(const fidelity& f) { m_fidelity = f; }
  /// Transfers carry bytes from now on; the time they take is the same. Must outlive the simulation.
  void carry(core_data* data) { m_data = data; }
  /// Unloaded latency of the way to the memory at an address and back, given by the platform: load latency beyond it is
  /// spent inside the core.
  void set_path_latency(std::function<ps_t(std::uint64_t)> f) { m_path_latency = std::move(f); }

  struct totals {
    ps_t busy = 0;
    stall_stack parts;  ///< of all operators
    double flops = 0, energy_pj = 0;
    traffic_bytes read, written;
    std::uint64_t operations = 0, transfers = 0;
    latency_histogram latency;  ///< of transfers, issue to completion
  };
  const totals& stats() const { return m_totals; }
  /// What it waits for, for the watchdog.
  std::string state_text() const;
  probe_list probes();

 private:
  void begin(const operation& op, work planned, std::function<void(const result&)> done);

  struct tile {
    std::int64_t bytes = 0;
    ps_t held = 0;  // how long the core's own rate delayed it
    ps_t arrived = -1;
    transfer* parts = nullptr;  // arrived before an earlier one: acquired, for its parts
  };
  struct due_write {
    ps_t at;
    operand what;
  };

  void wake();
  void issue();
  bool issue_read(ps_t now);
  bool issue_write(ps_t now);
  std::int64_t room_left(ps_t now);
  void send(const operand& o, std::uint64_t offset, std::int64_t bytes, std::uint64_t tag);
  void completed(transfer& t);
  void consume();
  void pop_tile();
  void compute_tile(std::int64_t bytes);
  void consume(const tile& t, const stall_stack& parts);
  ps_t next_edge(ps_t t) const;
  void show_phases(const stall_stack& parts);
  void wait_until(ps_t t, ps_t held, const stall_stack& weights);
  void plan_writes(double fraction);
  void finish_if_done();
  void choose_transfers(ps_t path);
  std::int64_t window_of_transfers() const;
  void learn_times(std::int64_t bytes, ps_t latency, ps_t spread);

  std::unique_ptr<core_model> m_model;
  int m_id;
  fidelity m_fidelity;
  core_data* m_data = nullptr;
  std::function<ps_t(std::uint64_t)> m_path_latency;
  totals m_totals;

  // The operator being executed.
  bool m_busy = false;
  operation m_op;
  work m_work;
  std::function<void(const result&)> m_done;
  result m_result;
  std::vector<operand> m_reads, m_writes;
  std::int64_t m_read_total = 0, m_read_computed = 0, m_compute_total = 0, m_compute_done = 0;
  stall_stack m_compute_booked;
  stall m_compute_cause = stall::count_;  // the only one, if there is only one
  std::size_t m_read_at = 0;              // operand being read
  std::int64_t m_read_offset = 0;
  std::size_t m_write_at = 0;  // operand being scheduled for writing
  std::int64_t m_write_offset = 0, m_write_scheduled = 0, m_write_total = 0;
  ring<tile> m_tiles;                                  // issued, not yet computed, in order
  std::uint64_t m_first_tile = 0;                      // tag of m_tiles.front()
  std::int64_t m_room_bytes = 0;                       // of work::tile_bytes, in whole bursts; 0: room enough
  std::int64_t m_room_until = 0;                       // bytes from the operator's begin that have room
  ps_t m_room_at = 0;                                  // from when on
  std::int64_t m_read_asked = 0, m_read_gathered = 0;  // asked for; there, and not yet computed on
  ring<due_write> m_due_writes;
  std::int64_t m_in_flight = 0;
  std::int64_t m_transfer = 64, m_next_transfer = 64;  // largest, and how large the next read may be
  bool m_few = false;                                  // transfers: each is more than a 64th of the operator
  int m_writes_in_flight = 0;
  double m_rate = 0;    // bytes a picosecond
  ps_t m_clock_fs = 0;  // period of the clock at whose edges requests leave; 0: none
  ps_t m_cycle = 0;     // the same in whole picoseconds
  ps_t m_core_latency = 0, m_next_issue = 0, m_allowed_since = 0;
  ps_t m_results_until = 0;              // all results planned so far are sent by then at the core's own rate
  stall m_launch_cause = stall::launch;  // what the operator's launch is called: an all-reduce has a name of its own
  stall m_own_cause = stall::core_requests;     // and the core's own limit
  double m_transfer_time = 0, m_line_time = 0;  // byte-picoseconds that transfers, and their lines, were in flight
  ps_t m_booked = 0;  // time up to which the operator's time is attributed: the end of the last computed tile
  ps_t m_last_write_end = 0;
  stall_stack m_last_write_parts;
  bool m_end_scheduled = false;
  ps_t m_end = 0;
  double m_pace_error = 0;

  sc_core::sc_event m_wake;
  probe<unsigned> m_state{"state", std::vector<std::string>{"idle", "launch", "stream", "drain"}};
  static constexpr std::uint64_t no_operator = std::uint64_t{1} << 53;  // a double holds it
  probe<std::uint64_t> m_op_probe{"operator"};
  probe<std::uint64_t> m_flight_probe{"bytes_in_flight", "B"};
  timed_probe m_progress_probe{"tile_progress", probe_base::kind::integer, "%"};
  /// What the arithmetic does, tile by tile; the phases of a tile one after another, each for as long as it is booked.
  timed_probe m_unit_probe{
      "arithmetic", std::vector<std::string>{"idle", "compute", "program", "input", "array", "adc", "accumulate"}};
};

}  // namespace memwall
