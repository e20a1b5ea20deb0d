// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/order_reuse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace memwall::platforms {
namespace {

/// What an operator's launch and drain are booked to.
stall launch_cause(const operation& op) {
  return op.kind == work_kind::collective ? stall::all_reduce : stall::launch;
}

bool meet(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) {
  return std::any_of(a.begin(), a.end(), [&](std::size_t x) { return std::binary_search(b.begin(), b.end(), x); });
}

}  // namespace

order_reuse::order_reuse(system& hw, const symmetry& alike, recorder& observer, double bound)
    : m_system(hw), m_alike(alike), m_observer(observer), m_book(bound) {
  // These have a course of their own, which no order's plan tells.
  for (const auto& m : hw.modules())
    if (m->section() == result_section::generators || m->section() == result_section::pagers)
      m_hindrance = fmt::format("nothing was reused: what '{}' does is different every time", m->name());
}

const order_reuse::route& order_reuse::route_to(std::size_t core, const std::string& name, std::uint64_t address) {
  const std::size_t region = m_system.region_of(address).value();
  const auto [at, fresh] = m_routes.try_emplace({core, region});
  route& r = at->second;
  if (!fresh) return r;
  const auto& modules = m_system.modules();
  r.latency = std::max<ps_t>(0, m_system.path_latency(name, address));
  r.refreshes = m_system.find(m_system.memory_of(region))->type() == "dram";
  const std::string* from = &name;
  for (const std::string& passed : m_system.way(name, m_system.memory_of(region))) {
    // Behind a crossbar the neighbour's modules are those of the device that works.
    const std::string worker = m_alike.worker(passed);
    const auto found = std::find_if(modules.begin(), modules.end(), [&](const auto& m) { return m->name() == worker; });
    hardware& m = **found;
    const auto number = static_cast<std::size_t>(found - modules.begin());
    tally_figures unused;
    tally_book* const tally = m.count(unused) ? &m_tallies.try_emplace(number, m).first->second : nullptr;
    r.hops.push_back({number, &m.name(), &m.unseen(m_alike.worker(*from), name), &m_stood_for[m.name()], tally});
    if (m.passes() > 0) r.bytes_per_s = r.bytes_per_s > 0 ? std::min(r.bytes_per_s, m.passes()) : m.passes();
    from = &m.name();
  }
  return r;
}

/// What lets an order take its time: its plan, and who works on the same modules meanwhile.
order_shape order_reuse::shape_of(std::size_t core, const std::string& name, const operation& op, const work& plan,
                                  std::vector<std::size_t>& modules) {
  order_shape out;
  std::int64_t causes = 0;
  for (std::size_t c = 0; c < stall_count; ++c)
    if (plan.compute.part[c] > 0) causes |= std::int64_t{1} << c;
  out.kind = {static_cast<std::int64_t>(core), static_cast<std::int64_t>(op.kind), causes, plan.load_latency,
              plan.tile_bytes > 0 ? 1 : 0};
  out.fixed = plan.launch + plan.drain;
  const auto compute = static_cast<double>(plan.compute.sum());
  out.sizes = {compute};
  double reads = 0, writes = 0;
  ps_t latency = 0;
  bool refreshes = false;
  std::int64_t last = -1;
  for (const auto& a : plan.accesses) {
    if (a.bytes <= 0) continue;
    const std::size_t region = m_system.region_of(a.address).value();
    const route& way = route_to(core, name, a.address);
    // Neighbours alike are one stretch of bytes.
    const auto what = static_cast<std::int64_t>(region * 16 + static_cast<std::size_t>(a.kind) * 2 + (a.write ? 1 : 0));
    if (what != last) {
      out.kind.push_back(what);
      out.sizes.push_back(0);
      for (const auto& hop : way.hops) modules.push_back(hop.module);
    }
    last = what;
    refreshes = refreshes || way.refreshes;
    constexpr double unstated = 64e9;
    double rate = way.bytes_per_s > 0 ? way.bytes_per_s : unstated;
    const ps_t there = std::max(way.latency, plan.load_latency);
    if (!a.write && plan.fill_bandwidth > 0) rate = std::min(rate, plan.fill_bandwidth);
    if (!a.write && plan.window > 0 && there > 0)  // Little's law
      rate = std::min(rate, static_cast<double>(plan.window) / static_cast<double>(there) * 1e12);
    if (a.write && plan.result_bandwidth > 0) rate = std::min(rate, plan.result_bandwidth);
    const double time = static_cast<double>(a.bytes) / rate * 1e12;
    out.sizes.back() += time;
    (a.write ? writes : reads) += time;
    latency = std::max(latency, there);
  }
  // With one buffer nothing overlaps.
  out.expected =
      static_cast<double>(latency) + (plan.tile_bytes > 0 ? compute + reads : std::max(compute, reads)) + writes;
  constexpr double some_refreshes = 4e6;  // about as long as what lies between two of them (3.9 us)
  out.brief = refreshes && out.expected + static_cast<double>(out.fixed) < some_refreshes;
  std::sort(modules.begin(), modules.end());
  modules.erase(std::unique(modules.begin(), modules.end()), modules.end());
  out.kind.push_back(-1);
  for (const auto& other : m_under_way)
    if (meet(other.modules, modules)) out.kind.push_back(static_cast<std::int64_t>(other.kind));
  return out;
}

double order_reuse::grown(const hardware& module) const {
  const auto found = m_stood_for.find(module.name());
  const auto given = static_cast<double>(module.bytes().sum());
  return found != m_stood_for.end() && given > 0 ? 1 + found->second / given : 1.0;
}

double order_reuse::lasted(const stream_core& core) const {
  const auto found = m_worked_for.find(core.id());
  const auto given = static_cast<double>(core.stats().busy);
  return found != m_worked_for.end() && given > 0 ? 1 + found->second / given : 1.0;
}

void order_reuse::start(std::size_t core, const std::string& name, const operation& op, bool exact, double times,
                        ended done) {
  if (times == 1) age_cache(core, name);
  work plan = m_system.core(name).plan(op);
  if (times != 1) {
    // (Activations are the same tensors again.)
    for (const auto& o : op.operands)
      if (!o.write && !o.resident && o.kind != traffic::activations)
        m_unseen[core] += (times - 1) * static_cast<double>(o.bytes);
    for (const auto& a : plan.accesses)
      if (a.bytes > 0)
        for (const auto& hop : route_to(core, name, a.address).hops)
          *hop.stood_for += (times - 1) * static_cast<double>(a.bytes);
    done = [done = std::move(done), times, &worked = m_worked_for[m_system.core(name).id()]](const work_result& r) {
      worked += (times - 1) * static_cast<double>(r.end - r.start);
      done(r);
    };
  }
  if (!m_hindrance.empty()) {
    m_book.pass();
    return m_system.core(name).start(op, std::move(plan), std::move(done));
  }
  std::vector<std::size_t> modules;
  order_shape shape = shape_of(core, name, op, plan, modules);
  // Who simulates needs to meet the traffic of those beside it; beside one that only lets time pass it does not.
  bool beside_simulated = false;
  std::vector<std::size_t> passing;
  for (const auto& other : m_under_way) {
    if (!meet(other.modules, modules)) continue;
    if (other.simulated)
      beside_simulated = true;
    else
      passing.push_back(other.kind);
  }
  auto known = m_book.ask(shape, exact || beside_simulated);
  const ps_t now = now_ps();
  if (known && m_observer.looks_at(op.name, now, now + known->time + shape.fixed)) known.reset();
  const bool simulated = !known;
  const std::size_t kind = m_book.number_of(shape.kind);
  m_under_way.push_back({core, kind, simulated, std::move(modules), begin_tallies(core, name, plan, kind, simulated)});
  if (known) return let_pass(core, name, op, plan, *known, std::move(done));
  for (const auto other : passing) m_book.want(other);
  simulate(core, name, op, std::move(plan), std::move(shape), passing.empty(), exact, std::move(done));
}

/// Where operators stand for others, the others' weights and caches would have come through the core's caches before
/// what follows them (which stands for itself) looks there.
void order_reuse::age_cache(std::size_t core, const std::string& name) {
  const auto unseen = m_unseen.find(core);
  if (unseen == m_unseen.end()) return;
  if (unseen->second > 0) m_system.core(name).model().others_passed(std::llround(unseen->second));
  m_unseen.erase(unseen);
}

void order_reuse::simulate(std::size_t core, const std::string& name, const operation& op, work plan, order_shape shape,
                           bool counts, bool exact, ended done) {
  stream_core& c = m_system.core(name);
  const std::uint64_t before = c.stats().transfers;
  const ps_t launch = plan.launch, host = plan.host, drain = plan.drain;
  const stall cause = launch_cause(op);
  c.start(op, std::move(plan),
          [this, core, &c, before, launch, host, drain, cause, counts, exact, id = op.id, shape = std::move(shape),
           done = std::move(done)](const work_result& r) {
            leave(core);
            order_outcome o;
            o.parts = r.parts;
            o.parts[stall::host] -= host;
            o.parts[cause] -= launch - host + drain;
            o.time = o.parts.sum();
            o.transfers = c.stats().transfers - before;
            if (exact && on_exact)
              if (const auto known = m_book.known_time(shape))
                on_exact(id, *known - static_cast<double>(o.time + shape.fixed));
            m_book.tell(shape, o, counts);
            done(r);
          });
}

void order_reuse::let_pass(std::size_t core, const std::string& name, const operation& op, const work& plan,
                           const order_outcome& known, ended done) {
  stream_core::foregone f;
  f.time = known.time + plan.launch + plan.drain;
  f.parts = known.parts;
  f.parts[stall::host] += plan.host;
  f.parts[launch_cause(op)] += plan.launch - plan.host + plan.drain;
  f.transfers = known.transfers;
  const ps_t begin = now_ps() + plan.launch;
  count_unseen(core, name, plan, begin, begin + known.time);
  m_system.core(name).forgo(op, plan, f, [this, core, done = std::move(done)](const work_result& r) {
    leave(core);
    done(r);
  });
}

/// At every module on the way.
void order_reuse::count_unseen(std::size_t core, const std::string& name, const work& plan, ps_t begin, ps_t end) {
  std::vector<std::pair<const std::string*, std::int64_t>> bytes;
  for (const auto& a : plan.accesses) {
    if (a.bytes <= 0) continue;
    for (const auto& hop : route_to(core, name, a.address).hops) {
      hop.unseen->add(a.write, a.kind, a.bytes);
      const auto found = std::find_if(bytes.begin(), bytes.end(), [&](const auto& b) { return b.first == hop.name; });
      if (found == bytes.end())
        bytes.emplace_back(hop.name, a.bytes);
      else
        found->second += a.bytes;
    }
  }
  for (const auto& [module, n] : bytes) m_observer.reused(*module, begin, end, n);
}

/// At every DRAM that it reads or writes.
std::vector<tally_book*> order_reuse::begin_tallies(std::size_t core, const std::string& name, const work& plan,
                                                    std::size_t kind, bool simulated) {
  std::map<tally_book*, std::int64_t> bytes;
  for (const auto& a : plan.accesses)
    if (a.bytes > 0)
      for (const auto& hop : route_to(core, name, a.address).hops)
        if (hop.tally != nullptr) bytes[hop.tally] += a.bytes;
  std::vector<tally_book*> out;
  for (const auto& [tally, n] : bytes) {
    tally->begin(kind, simulated, n);
    out.push_back(tally);
  }
  return out;
}

void order_reuse::leave(std::size_t core) {
  const auto gone =
      std::find_if(m_under_way.begin(), m_under_way.end(), [&](const under_way& u) { return u.core == core; });
  for (tally_book* tally : gone->memories) tally->end();
  m_under_way.erase(gone);
}

void order_reuse::finish() {
  for (auto& [unused, tally] : m_tallies) tally.finish();
}

}  // namespace memwall::platforms
