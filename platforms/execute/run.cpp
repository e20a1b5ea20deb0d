// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/run.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include "platforms/build/symmetry.h"
#include "platforms/build/system.h"
#include "platforms/place/mapper.h"
#include "platforms/tell/result.h"
#include "platforms/watch/observe.h"

namespace memwall::platforms {
namespace {

/// Feeds operators to cores as their dependencies and the core allow, and books every picosecond.
class runner {
 public:
  runner(const run_options& options, system& hw, const symmetry& alike, placement& where, recorder* observer)
      : m_options(options),
        m_system(hw),
        m_alike(alike),
        m_where(where),
        m_observer(observer),
        m_stream(options.source()),
        m_header(m_stream->header()) {}

  /// Called once, from a SystemC process at time zero.
  void begin() {
    guarded([this] { pump(); });
  }
  /// What went wrong meanwhile, thrown again: SystemC lets no exception out of a process as it was.
  void rethrow() const {
    if (m_failure) std::rethrow_exception(m_failure);
  }
  bool finished() const { return m_end_of_trace && m_open.empty(); }
  result_builder& result() { return m_result; }
  ps_t last_end() const { return m_last_end; }

  std::string waiting_text() const {
    std::string out;
    for (const auto& o : m_open) {
      out += fmt::format("\n  operator {} ({}): {} parts to go", o.op.id, o.op.name, o.parts_left);
      if (out.size() > 2000) break;
    }
    return out;
  }

 private:
  // Operators read ahead of the oldest unfinished one: several chunks of a prompt, which follow each other through the
  // stages of a pipeline.
  static constexpr std::size_t lookahead = 4096;
  static constexpr ps_t longest_run = 9'000'000'000'000'000;  // femtoseconds in 64 bits end at 9,223 s
  static constexpr std::size_t remembered = 1024;             // chains of operators already gone

  struct chain {
    ps_t end = 0;
    stall_stack parts;  // sums to end: everything on the critical path that led here
  };
  struct open_operator {
    trace::op op;
    const executor_group* group = nullptr;
    std::vector<std::size_t> cores;
    bool handed_over = false;  // the operator before it in the trace is other cores'
    bool first_of_prompt = false;
    int parts_left = 0;
    bool started = false, reducing = false, done = false;
    ps_t start = never, end = 0;
    stall_stack parts;  // sums to end - start
    stall_stack base;   // of the phases already over; sums to base_end - start
    ps_t base_end = 0;
    double energy_pj = 0;
    traffic_bytes read, written;
    std::string executor;
    std::size_t ended_by = SIZE_MAX;  // number of that core
    chain before;                     // the chain that let it start
    chain after;
  };
  struct queued {
    std::uint64_t id;
    operation work;
  };
  struct core_state {
    std::deque<queued> queue;
    chain last;                 // chain of the operator that ended last here
    hardware* banks = nullptr;  // of the memory its units sit in, while an operator waits for them or computes there
    ps_t asked = 0;
    std::int64_t layer = -2;
    std::string group;
  };

  using pass_key = std::pair<trace::phase, std::int64_t>;
  static pass_key pass_of(const open_operator& o) { return {o.op.phase, o.op.step}; }

  open_operator& open(std::uint64_t id) { return m_open[static_cast<std::size_t>(id - m_open.front().op.id)]; }
  bool is_done(std::uint64_t id) { return m_open.empty() || id < m_open.front().op.id || open(id).done; }
  const chain& chain_of(std::uint64_t id) {
    static const chain none;
    if (!m_open.empty() && id >= m_open.front().op.id) return open(id).after;
    const auto found = m_recent.find(id);
    return found != m_recent.end() ? found->second : none;
  }

  template <class Step>
  void guarded(Step&& step) {
    if (m_failure) return;
    try {
      step();
    } catch (...) {
      m_failure = std::current_exception();
      sc_core::sc_stop();
    }
  }

  void pump() {
    if (m_stopping) return;
    while (!m_end_of_trace && m_open.size() < lookahead) {
      open_operator o;
      if (!m_stream->next(o.op)) {
        m_end_of_trace = true;
        break;
      }
      o.group = &m_where.executors(m_where.rule(o.op));
      o.cores = cores_of(o);
      const pass_key pass = pass_of(o);
      o.handed_over = pass == m_read_pass && o.cores != m_read_cores;
      o.first_of_prompt = pass != m_read_pass && o.op.phase == trace::phase::prefill;
      m_read_pass = pass;
      m_read_cores = o.cores;
      m_open.push_back(std::move(o));
    }
    dispatch_ready();
    for (auto& [name, state] : m_cores) feed(name, state);
  }

  /// A core takes passes (chunks of a prompt, tokens) in the order of the trace: an operator waits for those of an
  /// earlier pass on its cores, also where its operands are there.
  void dispatch_ready() {
    while (m_first_waiting < m_open.size() && m_open[m_first_waiting].started) ++m_first_waiting;
    if (m_first_waiting == m_open.size()) return;
    const pass_key oldest = pass_of(m_open[m_first_waiting]);
    for (auto& h : m_held) h.first = false;
    std::size_t held = 0;
    for (std::size_t at = m_first_waiting; at < m_open.size(); ++at) {
      open_operator& o = m_open[at];
      if (o.started) continue;
      const pass_key pass = pass_of(o);
      bool ready = true;
      if (pass != oldest) {
        if (held == m_held.size()) return;
        for (const std::size_t c : o.cores) ready = ready && (!m_held[c].first || m_held[c].second == pass);
      }
      for (std::size_t d = 0; d < o.op.deps.size() && ready; ++d) ready = is_done(o.op.deps[d]);
      if (ready) {
        dispatch(o);
      } else if (held < m_held.size()) {
        for (const std::size_t c : o.cores) {
          if (m_held[c].first) continue;
          m_held[c] = {true, pass};
          ++held;
        }
      }
    }
  }

  /// Numbers of the cores an operator runs on: all of its group, or its layer's in a pipeline.
  std::vector<std::size_t> cores_of(const open_operator& o) {
    const auto& names = o.group->cores;
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!o.group->pipeline || i == static_cast<std::size_t>(m_where.pipeline_stage(o.op.layer, names.size())))
        out.push_back(m_core_numbers.emplace(names[i], m_core_numbers.size()).first->second);
    m_held.resize(m_core_numbers.size());
    return out;
  }

  void dispatch(open_operator& o) {
    o.started = true;
    for (const auto d : o.op.deps)
      if (const chain& c = chain_of(d); c.end >= o.before.end) o.before = c;
    enqueue(o, split_operator(o.op, m_header, m_where, *o.group));
  }

  void enqueue(open_operator& o, std::vector<device_task> tasks) {
    for (auto& t : tasks) {
      const std::string& name = o.group->cores[t.device];
      if (!m_alike.works(name)) continue;
      ++o.parts_left;
      core_state& state = m_cores[name];
      t.work.first_of_layer = o.op.layer >= 0 && o.op.layer != state.layer;
      state.layer = o.op.layer;
      t.work.fused = !o.op.group.empty() && o.op.group == state.group;
      state.group = o.op.group;
      t.work.handed_over = o.handed_over && !o.reducing;
      t.work.first_of_prompt = o.first_of_prompt && !o.reducing;
      state.queue.push_back({o.op.id, std::move(t.work)});
    }
  }

  void feed(const std::string& name, core_state& state) {
    if (state.queue.empty() || m_stopping) return;
    stream_core& core = m_system.core(name);
    if (core.busy() || state.banks != nullptr) return;
    queued next = std::move(state.queue.front());
    state.queue.pop_front();
    open_operator& o = open(next.id);
    if (o.start == never) {
      o.start = now_ps();
      // It could not start before its operands were there nor before the core was free: the later of the two is its
      // past.
      if (state.last.end > o.before.end) o.before = state.last;
    }
    state.asked = now_ps();
    const auto begin = [this, &core, next, name] {
      if (m_observer != nullptr) m_observer->operator_begins(name, next.work);
      core.start(next.work,
                 [this, id = next.id, name](const stream_core::result& r) { guarded([&] { ended(id, name, r); }); });
    };
    // Units beside banks compute when the memory serves nobody else.
    const std::string banks = core.model().computes_in();
    const bool in_banks = !banks.empty() && std::any_of(next.work.operands.begin(), next.work.operands.end(),
                                                        [](const operand& x) { return x.resident; });
    if (!in_banks) return begin();
    state.banks = m_system.find(banks);
    state.banks->claim(core.id(), begin);
  }

  void ended(std::uint64_t id, const std::string& name, const stream_core::result& r) {
    open_operator& o = open(id);
    core_state& here = m_cores[name];
    const ps_t waited = here.banks != nullptr ? r.start - here.asked : 0;  // for others to leave the banks
    if (here.banks != nullptr) std::exchange(here.banks, nullptr)->release();
    if (m_observer != nullptr) m_observer->operator_ends(name, o.op, r.start, r.end);
    if (r.end > longest_run)
      throw input_error(problem{"", "", "the run passes 9,000 s of simulated time, which is as far as its clocks count",
                                "a shorter run, or faster memories and links", ""});
    if (r.failed)
      throw std::runtime_error(
          fmt::format("a transfer of operator '{}' on {} came back with an error response", o.op.name, name));
    for (int i = 0; i < m_alike.devices(); ++i) {
      o.energy_pj += r.energy_pj;
      o.read += r.read;
      o.written += r.written;
    }
    --o.parts_left;
    const std::size_t number = m_core_numbers.at(name);
    if (r.end > o.end || (r.end == o.end && number <= o.ended_by)) {
      // The part that ends last (of several the first core's) tells where the operator's time went, on top of the
      // phases before (an all-reduce follows the products it sums).
      o.ended_by = number;
      o.parts = o.base;
      o.parts[stall::dependency] += r.start - waited - std::max(o.start, o.base_end);
      o.parts[stall::dram_queue] += waited;
      o.parts += r.parts;
      o.end = r.end;
      o.executor = name;
    }
    if (o.parts_left == 0) {
      if (!o.reducing) {
        auto tasks = all_reduce(o.op, m_header, m_where, *o.group);
        o.reducing = true;
        o.base = o.parts;
        o.base_end = o.end;
        o.ended_by = SIZE_MAX;
        if (!tasks.empty()) {
          enqueue(o, std::move(tasks));
          pump();
          return;
        }
      }
      here.last = complete(o);
    } else {
      // A core that finished its share of an operator others still work on may go on with the next one.
      here.last = partial_chain(o, r);
    }
    pump();
  }

  chain partial_chain(const open_operator& o, const stream_core::result& r) {
    chain c = o.before;
    if (r.start > c.end) c.parts[stall::dependency] += r.start - c.end;
    c.parts += r.parts;
    c.end = r.end;
    return c;
  }

  /// Returns the chain up to its end; `o` may be gone.
  chain complete(open_operator& o) {
    o.done = true;
    ++m_done_count;
    o.after = o.before;
    if (o.start > o.after.end) o.after.parts[stall::dependency] += o.start - o.after.end;
    o.after.parts += o.parts;
    o.after.end = o.end;
    const chain after = o.after;
    if (o.end >= m_last_end) {
      m_last_end = o.end;
      m_result.critical = o.after.parts;
    }
    m_result.add({o.op.name, std::string(trace::name_of(o.op.kind)), o.op.layer, o.op.step, o.executor, o.start, o.end,
                  static_cast<double>(o.op.flops()), o.read, o.written, o.energy_pj, o.parts,
                  o.op.phase == trace::phase::prefill},
                 m_options.max_layers);
    if (m_options.csv) m_options.csv(m_result.csv_line());
    while (!m_open.empty() && m_open.front().done) {
      m_recent[m_open.front().op.id] = m_open.front().after;
      if (m_recent.size() > remembered) m_recent.erase(m_recent.begin());
      m_open.pop_front();
      if (m_first_waiting > 0) --m_first_waiting;
    }
    if ((m_done_count & 15) == 0) {
      if (m_options.on_progress) m_options.on_progress({m_done_count, m_stream->size(), m_last_end});
      if (m_options.interrupted != nullptr && m_options.interrupted->load()) m_stopping = true;
    }
    if (m_stopping || (m_end_of_trace && m_open.empty())) sc_core::sc_stop();
    return after;
  }

  const run_options& m_options;
  system& m_system;
  const symmetry& m_alike;
  placement& m_where;
  recorder* m_observer;
  std::unique_ptr<trace::op_stream> m_stream;
  const trace::header& m_header;
  std::deque<open_operator> m_open;         // ids in order; front is the oldest unfinished
  std::map<std::uint64_t, chain> m_recent;  // of operators already gone
  std::map<std::string, core_state> m_cores;
  result_builder m_result;
  std::exception_ptr m_failure;
  ps_t m_last_end = 0;
  std::uint64_t m_done_count = 0;
  std::map<std::string, std::size_t> m_core_numbers;
  std::vector<std::pair<bool, pass_key>>
      m_held;                       // by core number: whether an operator waits for it, and the first one's pass
  std::size_t m_first_waiting = 0;  // no operator of m_open before it waits to be dispatched
  pass_key m_read_pass{trace::phase::decode, -1};  // of the operator read last, and its cores
  std::vector<std::size_t> m_read_cores;
  bool m_end_of_trace = false, m_stopping = false;
};

/// Starts the runner at time zero, once elaboration is over.
class starter : public sc_core::sc_module {
 public:
  starter(const sc_core::sc_module_name& name, std::function<void()> f) : sc_module(name), m_f(std::move(f)) {
    MW_HAS_PROCESS(starter);
    SC_METHOD(go);
  }

 private:
  void go() { m_f(); }
  std::function<void()> m_f;
};

/// Writes resident weights into their arrays. That happens once, before the run: reported beside it, not in its time.
json make_resident(system& hw, const placement& where) {
  ps_t time = 0;
  double energy = 0, cells = 0;
  std::uint64_t tensors = 0;
  where.for_each_resident(
      [&](const std::string& core, std::uint32_t tensor, std::int64_t rows, std::int64_t columns, double bits) {
        const auto cost = hw.core(core).model().make_resident(tensor, rows, columns, bits);
        time += cost.time;
        energy += cost.energy_pj;
        cells += cost.cell_writes;
        ++tensors;
      });
  if (tensors == 0) return nullptr;
  for (const auto& m : hw.modules())
    if (stream_core* c = m->as_core()) {
      const auto copies = c->model().replicate();
      time += copies.time;
      energy += copies.energy_pj;
      cells += copies.cell_writes;
    }
  return {{"tensors", tensors}, {"time_ns", ns(time)}, {"energy_pj", energy}, {"cell_writes", cells}};
}

fidelity fidelity_for(const run_options& o, const system& hw, const std::string& core) {
  // The widest of the memories that its weights and caches live in decides: its stripe loads all channels equally.
  fidelity f;
  f.burst = hw.core(core).model().request_bytes();
  f.quantum = 0;
  for (const auto& rule : o.platform.mapping) {
    const auto cores = o.platform.group(rule.executor);
    for (std::size_t i = 0; i < cores.size(); ++i) {
      if (cores[i]->name != core) continue;
      for (const auto* memory : {&rule.kv_cache, &rule.weights}) {
        const auto group = o.platform.group(*memory);
        const auto* m = hw.find((group.size() == 1 ? group[0] : group[i])->name);
        const auto facts = m != nullptr ? m->memory() : std::nullopt;
        if (!facts || facts->in_core) continue;
        f.quantum = std::max(f.quantum, facts->stripe);
        f.burst = std::max(f.burst, facts->burst);
        f.within_window = f.within_window || facts->may_fault;
      }
      break;
    }
  }
  if (f.quantum == 0) f.quantum = f.burst;
  if (o.transfer_bytes == "burst")
    f.transfer_bytes = f.burst;
  else if (o.transfer_bytes != "auto")
    f.transfer_bytes = std::stoll(o.transfer_bytes);
  return f;
}

/// Peak bandwidth of the memory that a core's activations live in, by the first rule for it; 0: none, or not stated.
double activation_bandwidth(const run_options& o, const system& hw, const std::string& core) {
  for (const auto& rule : o.platform.mapping) {
    const auto cores = o.platform.group(rule.executor);
    for (std::size_t i = 0; i < cores.size(); ++i) {
      if (cores[i]->name != core) continue;
      const auto group = o.platform.group(rule.activations);
      if (group.empty()) continue;
      const auto* m = hw.find((group.size() == 1 ? group[0] : group[i])->name);
      const auto facts = m != nullptr ? m->memory() : std::nullopt;
      if (facts && facts->peak_bandwidth > 0) return facts->peak_bandwidth;
    }
  }
  return 0;
}

}  // namespace

run_outcome run(const run_options& options) {
  const auto wall_start = std::chrono::steady_clock::now();
  if (options.transfer_bytes != "auto" && options.transfer_bytes != "burst") {
    std::int64_t v = 0;
    if (!detail::read_integer(options.transfer_bytes, 16, std::int64_t{1} << 31, v))
      throw input_error(problem{"--transfer-bytes", "", "got '" + options.transfer_bytes + "'",
                                "auto, burst or bytes from 16 to 2147483648", ""});
  }
  // Errors of SystemC are errors of the model: they must not pass as warnings, nor print banners.
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_actions("/IEEE_Std_1666/deprecated", sc_core::SC_DO_NOTHING);

  build_context context;
  // A line at a time leaves replay nothing to skip, only states to look up: the result is the same without.
  context.replay = options.replay && options.transfer_bytes != "burst";
  context.seed = options.seed;
  auto hw = std::make_unique<system>(options.platform, context);
  placement where(options.platform, hw->slots(), options.source);
  where.refuse_unreachable(
      [&](const std::string& core, std::uint64_t address) { return hw->path_latency(core, address) >= 0; });
  const json programming = make_resident(*hw, where);
  for (const auto& m : hw->modules())
    if (stream_core* c = m->as_core()) {
      c->set_fidelity(fidelity_for(options, *hw, m->name()));
      if (const double peak = activation_bandwidth(options, *hw, m->name()); peak > 0)
        c->model().set_memory_bandwidth(peak);
    }

  // Who looks on, or wants everything simulated, sees every device.
  const bool alone = options.replay && options.vcd_file.empty() && options.timeline_file.empty();
  const symmetry alike = alone ? symmetry(options.platform, *hw, where) : symmetry();
  recorder observer(options, *hw, alike);
  runner work(options, *hw, alike, where, &observer);
  starter start("starter", [&] { work.begin(); });
  observer.run_simulation();  // sc_start, in windows where a waveform asks for them
  work.rethrow();
  const bool partial = options.interrupted != nullptr && options.interrupted->load() && !work.finished();
  if (!work.finished() && !partial) {
    std::string text = "deadlock: no event is left, but operators are not done";
    for (const auto& m : hw->modules())
      if (const auto* c = m->as_core()) text += "\n  " + c->state_text();
    throw std::runtime_error(text + work.waiting_text());
  }
  for (const auto& m : hw->modules()) m->stop();

  run_outcome out;
  out.partial = partial;
  out.result = build_result(options, *hw, alike, where, work.result(), work.last_end(), partial, programming);
  observer.finish(out.result, work.last_end());

  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count();
  out.result["host"] = host_facts(*hw, alike, wall);
  return out;
}

}  // namespace memwall::platforms
