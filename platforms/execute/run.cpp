// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/run.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <optional>
#include <utility>

#include "hw/bus/bus.h"
#include "platforms/build/symmetry.h"
#include "platforms/build/system.h"
#include "platforms/execute/event_loop.h"
#include "platforms/execute/order_reuse.h"
#include "platforms/execute/platform_split.h"
#include "platforms/execute/schedule.h"
#include "platforms/tell/check_result.h"
#include "platforms/tell/result.h"
#include "platforms/watch/observe.h"

namespace memwall::platforms {
namespace {

/// Lets the simulated cores do what the schedule says, from time zero on.
class runner : public sc_core::sc_module {
 public:
  /// `reuse`: nullptr where everything is simulated.
  runner(const sc_core::sc_module_name& name, const run_options& options, system& hw, const platform_split& split,
         trace::op_source& source, recorder& observer, order_reuse* reuse)
      : sc_module(name),
        m_options(options),
        m_system(hw),
        m_split(split),
        m_source(source),
        m_observer(observer),
        m_reuse(reuse),
        m_schedule(source, split, split.cores()),
        m_banks(split.cores()) {
    if (m_reuse != nullptr) m_reuse->on_exact = [this](std::uint64_t op, double ps) { m_source.known_longer(op, ps); };
    m_schedule.on_finished = [this](const finished_operator& f) { finished(f); };
    for (const auto& m : hw.modules())
      if (bus* b = m->as_bus())
        b->on_starving = [this, name = m->name()](const bus::starvation& s) { guarded([&] { starving(name, s); }); };
    MW_HAS_PROCESS(runner);
    SC_METHOD(go);  // at time zero, once elaboration is over; then when the source wants to be asked
    sensitive << m_ask;
  }

  /// What went wrong meanwhile, thrown again: SystemC lets no exception out of a process as it was.
  void rethrow() const {
    if (m_failure) std::rethrow_exception(m_failure);
  }
  const schedule& state() const { return m_schedule; }
  progress so_far() const { return {m_schedule.operators_done(), m_source.size(), m_schedule.last_end()}; }
  result_builder& result() { return m_result; }

 private:
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

  void go() {
    guarded([this] { advance(); });
  }

  void advance() {
    for (auto& o : m_schedule.advance(now_ps())) start(o.core, std::move(o.work));
    if (m_schedule.done()) return sc_core::sc_stop();
    if (m_schedule.ask_at() != never) m_ask.notify(to_sc_time(m_schedule.ask_at() - now_ps()));
  }

  void start(std::size_t number, operation work) {
    const std::string& name = m_split.name(number);
    stream_core& core = m_system.core(name);
    hardware* banks = m_system.banks_of(name);
    const bool in_banks = banks != nullptr && std::any_of(work.operands.begin(), work.operands.end(),
                                                          [](const operand& x) { return x.resident; });
    const auto begin = [this, &core, &name, number, work = std::move(work)] {
      m_observer.operator_begins(name, work);
      // Banks may be granted from a process of theirs.
      guarded([&] {
        const auto done = [this, number](const work_result& r) { guarded([&] { ended(number, r); }); };
        if (m_reuse != nullptr)
          m_reuse->start(number, name, work, !m_source.may_reuse(), m_source.stands_for(work.id), done);
        else
          core.start(work, done);
      });
    };
    // Units beside banks compute when the memory serves nobody else.
    if (!in_banks) return begin();
    m_banks[number] = banks;
    m_banks[number]->claim(core.id(), begin);
  }

  void ended(std::size_t number, const work_result& r) {
    if (m_banks[number] != nullptr) std::exchange(m_banks[number], nullptr)->release();
    const trace::op& op = m_schedule.running(number);
    m_observer.operator_ends(m_split.name(number), op, r.start, r.end);
    if (r.failed)
      throw std::runtime_error(fmt::format("a transfer of operator '{}' on {} came back with an error response",
                                           op.name, m_split.name(number)));
    m_schedule.ended(number, r);
    advance();
  }

  /// Somebody is passed over at a bus. That is its arbiter's right, and ends when those before it are done; a generator
  /// never is. If since the last alarm no core has got a single transfer through, none ever will.
  void starving(const std::string& fabric, const bus::starvation& s) {
    std::uint64_t served = 0;
    for (const auto& m : m_system.modules())
      if (const auto* c = m->as_core()) served += c->stats().latency.count();
    if (std::exchange(m_served, served) != served) return;
    throw starved_error(fmt::format(
        "'{}' starves: its transfer has waited for '{}' at '{}' since {:.3f} us, now it is {:.3f} us, and {} transfers "
        "of "
        "others, the last one of '{}', went first\n  a lower rate or priority of '{}', or an arbiter that takes turns "
        "(modules.{}.arbiter) lets it through{}",
        s.initiator, s.target, fabric, ns(s.since) / 1000, ns(now_ps()) / 1000, s.passed, s.by, s.by, fabric,
        m_schedule.waiting_text()));
  }

  void finished(const finished_operator& f) {
    m_result.add({f.op.name, std::string(trace::name_of(f.op.kind)), f.op.layer, f.op.step, m_split.name(f.core),
                  f.start, f.end, static_cast<double>(f.op.flops()), f.read, f.written, f.energy_pj, f.parts,
                  f.op.phase == trace::phase::prefill},
                 m_options.max_layers);
    if (m_options.csv) m_options.csv(m_result.csv_line());
  }

  const run_options& m_options;
  system& m_system;
  const platform_split& m_split;
  trace::op_source& m_source;
  recorder& m_observer;
  order_reuse* m_reuse;
  schedule m_schedule;
  std::vector<hardware*>
      m_banks;  // by core: the memory its units sit in, while it waits for the banks or computes there
  result_builder m_result;
  std::exception_ptr m_failure;
  std::uint64_t m_served = UINT64_MAX;  // transfers of all cores, when somebody was passed over last
  sc_core::sc_event m_ask;
};

/// The whole simulation, with a stop where the observer wants to act.
void simulate(recorder& observer, event_loop& loop) {
  const auto running = [] { return sc_core::sc_get_status() != sc_core::SC_STOPPED; };
  while (running()) {
    const ps_t at = observer.next_turn();
    loop.run_until(at);
    if (at == never) break;
    if (running()) observer.turn();
  }
}

/// Writes resident weights into their arrays. That happens once, before the run: reported beside it, not in its time.
json make_resident(system& hw, const placement& where) {
  weight_arrays::program_total all;
  std::uint64_t tensors = 0;
  where.for_each_resident(
      [&](const std::string& core, std::uint32_t tensor, std::int64_t rows, std::int64_t columns, double bits) {
        all += hw.core(core).model().arrays()->make_resident(tensor, rows, columns, bits);
        ++tensors;
      });
  if (tensors == 0) return nullptr;
  for (const auto& m : hw.modules())
    if (stream_core* c = m->as_core(); c != nullptr && c->model().arrays() != nullptr)
      all += c->model().arrays()->replicate();
  return {
      {"tensors", tensors}, {"time_ns", ns(all.time)}, {"energy_pj", all.energy_pj}, {"cell_writes", all.cell_writes}};
}

/// --transfer-bytes as a number of bytes: "65536" or "64 KiB".
std::int64_t bytes_of(const std::string& text) {
  constexpr std::int64_t least = 16, most = std::int64_t{1} << 31;
  std::int64_t bytes = 0;
  double size = 0;
  std::string ignored;
  if (detail::read_integer(text, least, most, bytes)) return bytes;
  if (parse_quantity(text, "size", size, ignored) && size >= least && size <= static_cast<double>(most) &&
      size == std::floor(size))
    return static_cast<std::int64_t>(size);
  throw input_error(problem{"--transfer-bytes", "", "got '" + text + "'",
                            "auto, burst or bytes from 16 to 2147483648, such as 65536 or 64 KiB", ""});
}

/// Errors of SystemC are errors of the model: they must not pass as warnings, nor print banners. What it reports goes
/// to the error stream: the other one carries results.
void keep_reports_off_stdout() {
  using namespace sc_core;
  sc_report_handler::set_actions(SC_INFO, SC_DO_NOTHING);
  sc_report_handler::set_actions("/IEEE_Std_1666/deprecated", SC_DO_NOTHING);
  sc_report_handler::set_handler([](const sc_report& report, const sc_actions& actions) {
    if ((actions & SC_DISPLAY) != 0) std::cerr << "memwall: " << sc_report_compose_message(report) << '\n';
    sc_report_handler::default_handler(report, actions & ~static_cast<sc_actions>(SC_DISPLAY));
  });
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
    f.transfer_bytes = bytes_of(o.transfer_bytes);
  return f;
}

/// The memory that a core's activations live in, by the first rule for it; nothing: none, or its bandwidth is not
/// stated.
std::optional<memory_facts> activation_memory(const run_options& o, const system& hw, const std::string& core) {
  for (const auto& rule : o.platform.mapping) {
    const auto cores = o.platform.group(rule.executor);
    for (std::size_t i = 0; i < cores.size(); ++i) {
      if (cores[i]->name != core) continue;
      const auto group = o.platform.group(rule.activations);
      if (group.empty()) continue;
      const auto* m = hw.find((group.size() == 1 ? group[0] : group[i])->name);
      const auto facts = m != nullptr ? m->memory() : std::nullopt;
      if (facts && facts->peak_bandwidth > 0) return facts;
    }
  }
  return std::nullopt;
}

movement movement_of(const system& hw, const symmetry& alike, const order_reuse* reuse, ps_t time) {
  movement out;
  for (const auto& m : hw.modules()) {
    hardware* const w = hw.find(alike.worker(m->name()));
    stream_core* const core = w->as_core();
    const double grown = reuse != nullptr ? reuse->grown(*w) : 1.0, times = alike.times(w->name());
    const double lasted = reuse != nullptr && core != nullptr ? reuse->lasted(*core) : 1.0;
    out.grown[m->name()] = grown;
    const auto parts = w->energy_parts(time), later = w->energy_parts(2 * time);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto& [part, pj] = parts[i];
      movement::component c;
      c.name = part == w->name() ? m->name() : m->name() + "." + part;
      c.idle_pj = times * (later[i].second - pj);
      const double rest = times * pj - c.idle_pj;
      switch (w->goes_with(part)) {
        case energy_goes_with::time:
          c.timely_pj = rest;
          break;
        case energy_goes_with::work:
          c.moving_pj = lasted * rest;
          break;
        default:
          (core != nullptr ? c.given_pj : c.moving_pj) = core != nullptr ? rest : grown * rest;
      }
      out.components.push_back(std::move(c));
    }
  }
  return out;
}

}  // namespace

movement::component movement::sum() const {
  component all;
  for (const component& c : components) {
    all.given_pj += c.given_pj;
    all.moving_pj += c.moving_pj;
    all.timely_pj += c.timely_pj;
    all.idle_pj += c.idle_pj;
  }
  return all;
}

run_outcome run(const run_options& options, const built_hook& on_built) {
  const auto wall_start = std::chrono::steady_clock::now();
  if (options.transfer_bytes != "auto" && options.transfer_bytes != "burst") bytes_of(options.transfer_bytes);
  keep_reports_off_stdout();

  build_context context;
  // A line at a time leaves replay nothing to skip, only states to look up: the result is the same without.
  context.replay = options.replay && options.transfer_bytes != "burst";
  context.seed = options.seed;
  auto hw = std::make_unique<system>(options.platform, context);
  if (options.on_memories) options.on_memories(hw->slots());
  placement where(options.platform, hw->slots(), options.source);
  where.refuse_unreachable(
      [&](const std::string& core, std::uint64_t address) { return hw->path_latency(core, address) >= 0; });
  const json programming = make_resident(*hw, where);
  for (const auto& m : hw->modules())
    if (stream_core* c = m->as_core()) {
      c->set_fidelity(fidelity_for(options, *hw, m->name()));
      if (const auto memory = activation_memory(options, *hw, m->name()))
        c->model().set_memory(memory->peak_bandwidth, memory->byte_pj);
    }
  if (on_built) on_built(*hw, where);

  // Who looks on, or wants everything simulated, sees every device.
  const bool alone = options.replay && options.vcd_file.empty() && options.timeline_file.empty();
  const symmetry alike = alone ? symmetry(options.platform, *hw, where) : symmetry();
  recorder observer(options, *hw, alike);
  const auto source =
      options.operators ? options.operators() : std::make_unique<trace::timeless_source>(options.source());
  const platform_split split(*hw, alike, where, source->header());
  std::optional<order_reuse> reuse;
  if (options.reuse) reuse.emplace(*hw, alike, observer, options.reuse_bound);
  runner work("runner", options, *hw, split, *source, observer, reuse ? &*reuse : nullptr);
  event_loop loop([&] {
    if (options.on_progress) options.on_progress(work.so_far());
    return options.stop_asked && options.stop_asked();
  });
  simulate(observer, loop);
  observer.simulation_over();
  work.rethrow();
  const schedule& state = work.state();
  const bool partial = loop.stopped() && !state.done();
  if (!state.done() && !partial) {
    std::string text = "deadlock: no event is left, but operators are not done";
    for (const auto& m : hw->modules())
      if (const auto* c = m->as_core()) text += "\n  " + c->state_text();
    throw std::runtime_error(text + state.waiting_text());
  }
  for (const auto& m : hw->modules()) m->stop();

  run_outcome out;
  out.partial = partial;
  work.result().critical = state.critical();
  work.result().tokens = source->tokens();
  if (reuse) reuse->finish();
  if (reuse && !reuse->hindrance().empty()) context.note(reuse->hindrance());
  out.result =
      build_result(options, *hw, alike, where, work.result(), state.last_end(), partial, programming, out.summary);
  out.moved = movement_of(*hw, alike, reuse ? &*reuse : nullptr, state.last_end());
  if (reuse) {
    out.reuse = reuse->report();
    out.result["fidelity"]["reuse"] = reuse_json(out.reuse);
  }
  check_result(out.result);
  for (const auto& n : *context.notes) out.result["notes"].push_back(n);
  observer.finish(out.result, state.last_end());

  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count();
  out.result["host"] = host_facts(*hw, alike, wall);
  return out;
}

}  // namespace memwall::platforms
