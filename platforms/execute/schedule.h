// SPDX-License-Identifier: Apache-2.0
// The brain of a run, without a simulator: which operator may start on which core, and where its time went.
//
// Whoever drives it (run.cpp in simulated time, a test with a list of times) does three things:
//
//   orders = s.advance(now)            what may start now; start it
//   s.ended(core, result)              a core is done; then advance() again
//   s.ask_at()                         advance() again then, too: the source of operators asked for it
//
// An operator may start when all it depends on has ended. Its parts queue at their cores, which do one after another.
// A core takes passes (chunks of a prompt, tokens) in the order of the source: an operator waits for those of an
// earlier pass on its cores, also where its operands are there.
//
// The critical chain: what an operator waited for last before it started (an operand or the core, whichever came later)
// is its past. Along the chain every picosecond since zero has a cause.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <boost/container/flat_set.hpp>
#include <boost/container/small_vector.hpp>

#include "hw/core/core_model.h"
#include "hw/core/work.h"
#include "traces/op_source.h"

namespace memwall::platforms {

/// One core's part of an operator.
struct core_task {
  std::size_t core = 0;
  operation work;
};

/// How operators are spread over cores, which are numbered: a platform's mapping, or a test's.
class work_split {
 public:
  virtual ~work_split() = default;
  /// The cores that an operator runs on, parts that others stand for included.
  virtual std::vector<std::size_t> cores_of(const trace::op& op) const = 0;
  /// A part for each core that works.
  virtual std::vector<core_task> parts_of(const trace::op& op) const = 0;
  /// What must follow before the operator has ended: sums of partial results. Empty: nothing.
  virtual std::vector<core_task> sums_of(const trace::op& op) const = 0;
  /// How many devices each part stands for.
  virtual int devices() const { return 1; }
  /// What the host may launch ahead on a core.
  virtual launch_ahead launches_ahead(std::size_t /*core*/) const { return {}; }
  /// Kernels that an operator is on one of its cores.
  virtual std::int64_t kernels_of(const trace::op& /*op*/, std::size_t /*core*/) const { return 1; }
};

/// An operator that has ended, as reports want it.
struct finished_operator {
  const trace::op& op;
  std::size_t core = 0;  ///< the one that ended last; of several the first
  ps_t start = 0, end = 0;
  traffic_bytes read, written;  ///< by all parts
  double energy_pj = 0;
  const stall_stack& parts;  ///< of the part that ended last, on top of what came before it; sums to end - start
  const stall_stack& path;   ///< of the chain that led here; sums to end
};

class schedule {
 public:
  struct order {
    std::size_t core = 0;
    operation work;
  };

  /// All must outlive it.
  schedule(trace::op_source& source, const work_split& split, std::size_t cores);

  /// Called for every operator, at its end.
  std::function<void(const finished_operator&)> on_finished;

  /// Asks the source if it is to be asked, and says what starts now: at most one order a core, which then is busy until
  /// ended(). `now` never goes back.
  std::vector<order> advance(ps_t now);
  /// A core has ended its order at r.end, which is now. Throws input_error beyond the longest time that clocks count.
  void ended(std::size_t core, const work_result& r);
  /// When advance() is due at the latest, whatever ends before; `never`: when a core has ended.
  ps_t ask_at() const { return m_answer.at(); }

  /// The source has ended, and so has every operator.
  bool done() const { return m_answer.is_end() && m_open.empty(); }
  std::uint64_t operators_done() const { return m_done_count; }
  ps_t last_end() const { return m_last_end; }                ///< the latest end of an operator
  const stall_stack& critical() const { return m_critical; }  ///< of the chain that ended then; sums to it
  /// The operator that a core is at.
  const trace::op& running(std::size_t core) const { return open(m_cores[core].running).op; }
  /// What has not ended, for messages.
  std::string waiting_text() const;

 private:
  // Operators read ahead of the oldest unfinished one: several chunks of a prompt, which follow each other through the
  // stages of a pipeline.
  static constexpr std::size_t lookahead = 4096;
  static constexpr std::size_t remembered = 1024;  // chains of operators already gone

  struct chain {
    ps_t end = 0;
    stall_stack parts;  // sums to end: everything on the critical path that led here
  };
  using core_list = boost::container::small_vector<std::size_t, 8>;
  struct open_operator {
    trace::op op;
    core_list cores;
    boost::container::small_vector<std::uint64_t, 4> awaited_by;  // operators that depend on it
    std::size_t operands_missing = 0;                             // dependencies that have not ended
    std::int64_t kernels = 0;  // in the queue of each of its cores, where those are bounded
    ps_t asked_at = 0;         // when the source gave it, if it had been waiting before: until then nobody wanted it
    bool handed_over = false;  // the operator before it is other cores'
    bool first_of_pass = false, first_of_prompt = false;
    int parts_left = 0;
    bool started = false, summing = false, done = false;
    ps_t start = never, end = 0;
    stall_stack parts;  // sums to end - start
    stall_stack base;   // of the phases already over; sums to base_end - start
    ps_t base_end = 0;
    double energy_pj = 0;
    traffic_bytes read, written;
    std::size_t ended_by = SIZE_MAX;  // the core
    chain before;                     // the chain that let it start
    chain after;
  };
  struct queued {
    std::uint64_t id;
    operation work;
  };
  struct core_state {
    std::deque<queued> queue;
    std::deque<std::uint64_t> undispatched;  // operators that will run here, in order
    std::int64_t room = 0;                   // kernels that may be launched here and not have ended; 0: any number
    std::int64_t launched = 0;               // how many are
    chain last;                              // of the operator that ended last here
    bool busy = false;
    std::uint64_t running = 0;
    ps_t ordered = 0;
    std::int64_t layer = -2;
    std::string group;
  };

  using pass_key = std::pair<trace::phase, std::int64_t>;
  static pass_key pass_of(const open_operator& o) { return {o.op.phase, o.op.step}; }

  std::uint64_t first_open() const { return m_next_id - m_open.size(); }
  open_operator& open(std::uint64_t id) { return m_open[static_cast<std::size_t>(id - first_open())]; }
  const open_operator& open(std::uint64_t id) const { return m_open[static_cast<std::size_t>(id - first_open())]; }
  bool has_ended(std::uint64_t id) const;
  const chain& chain_of(std::uint64_t id) const;
  void read(ps_t now);
  void check_wait(ps_t now);
  void add(open_operator o);
  void launch();
  bool may_launch(const open_operator& o);
  void dispatch_ready();
  bool in_turn(const open_operator& o, const pass_key& oldest) const;
  void dispatch(open_operator& o);
  void enqueue(open_operator& o, std::vector<core_task> tasks);
  order take(std::size_t core, ps_t now);
  void add_part(open_operator& o, std::size_t core, const work_result& r);
  void complete(open_operator& o, const chain& path);
  static chain extended(const open_operator& o, ps_t start, ps_t end, const stall_stack& parts);

  trace::op_source& m_source;
  const work_split& m_split;
  trace::answer m_answer = trace::answer::ask_at(0);  // the source's last
  bool m_awaited_ended = false;                       // the operator that it waits for
  bool m_source_waited = false;                       // it has not given an operator since it answered "not yet"
  ps_t m_asked_at = 0;                                // when it gave one after such a wait
  std::uint64_t m_next_id = 0;
  std::deque<open_operator> m_open;                   // ids in order; front is the oldest unfinished
  std::deque<chain> m_recent;                         // of operators already gone, the youngest last
  boost::container::flat_set<std::uint64_t> m_ready;  // not started, all operands there
  std::uint64_t m_oldest = 0;                         // no operator before it waits to be started
  bool m_bounded = false;                             // the host launches only so far ahead
  std::int64_t m_passes = 0;                          // so many passes ahead; 0: any number
  std::uint64_t m_launched = 0;                       // operators before it are launched
  std::deque<std::uint64_t> m_passes_launched;        // first operators of those that are not over
  bool m_host_waits = false;                          // for room
  chain m_made_room;                                  // of the operator that ended last
  std::vector<core_state> m_cores;
  pass_key m_read_pass{trace::phase::decode, -1};  // of the operator read last, and its cores
  core_list m_read_cores;
  ps_t m_last_end = 0;
  stall_stack m_critical;
  std::uint64_t m_done_count = 0;
};

}  // namespace memwall::platforms
