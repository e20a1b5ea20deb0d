// SPDX-License-Identifier: Apache-2.0
// The bus's ports and ranges, and what can be wrong with them.
#include "hw/bus/bus.h"

#include <fmt/format.h>
#include <algorithm>
#include <set>
#include <utility>

#include "hw/bus/bus_impl.h"
#include "hw/common/address_ranges.h"

namespace memwall {
namespace {

std::string sc_name_of(const std::string& name) {
  std::string out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return out;
}

}  // namespace

bus::impl::impl(bus& b, const bus_params& params)
    : self(b),
      p(params),
      request_latency(to_ps(p.arbitration_latency) + to_ps(p.pipeline_latency)),
      response_latency(to_ps(p.pipeline_latency)),
      interleave(static_cast<std::uint64_t>(to_bytes(p.interleave))) {
  problem_list problems;
  check_bus_params(p, problems, self.name(), "");
  problems.check();
  busy_probe.set(0, 0);
  timing.width_bytes = to_bytes(p.width);
  timing.granule_bytes = p.granule_bytes();
  period = std::max<fs_t>(1, static_cast<fs_t>(std::llround(1e15 / p.clock.value)));
  period_ps = period / 1000;
  timing.beat_fs = 1e15 / p.clock.value / static_cast<double>(p.slices);
  run_on(wake, "run", [this] { run(); });
}

fabric_shape bus::impl::shape(problem_list& problems, const std::string& where, const std::string& path) const {
  fabric_shape s;
  s.common = p.channels == "common";
  s.hop_latency = to_ps(p.hop_latency);
  s.columns = static_cast<int>(p.columns);
  s.rows = static_cast<int>(p.rows);
  const int nodes = topologies().get(p.topology).nodes(s.columns, s.rows);
  std::set<int> taken;
  for (const auto& [name, list] : p.nodes) {
    std::vector<std::string> known;
    for (const auto& i : initiators) known.push_back(i->name);
    for (const auto& t : targets) known.push_back(t->name);
    if (std::find(known.begin(), known.end(), name) == known.end())
      problems.add({where, path + ".nodes." + name, "nothing of that name is attached here",
                    "a module that 'connect' joins to this bus", nearest_name(name, known)});
    for (const auto node : list) taken.insert(static_cast<int>(node));
  }
  int next = 0;
  const auto place = [&](std::vector<fabric_port>& ports, const std::string& name, int module) {
    if (nodes == 0) return ports.push_back({name, module, 0});
    if (const auto given = p.nodes.find(name); given != p.nodes.end()) {
      for (const auto node : given->second)
        ports.push_back(
            {given->second.size() == 1 ? name : fmt::format("{}@{}", name, node), module, static_cast<int>(node)});
      return;
    }
    while (next < nodes && taken.count(next) != 0) ++next;
    if (next >= nodes)
      return problems.add(
          {where, path + ".nodes", fmt::format("no router is left for '{}'", name),
           fmt::format("more columns or rows, or nodes: {{{}: [0]}} (modules can share a router)", name), ""});
    ports.push_back({name, module, next++});
  };
  for (std::size_t i = 0; i < initiators.size(); ++i) place(s.initiators, initiators[i]->name, static_cast<int>(i));
  for (std::size_t t = 0; t < targets.size(); ++t) place(s.targets, targets[t]->name, static_cast<int>(t));
  return s;
}

std::vector<bus::impl::route> bus::impl::routes_of(std::vector<path_plan> plans, const fabric_shape& s) {
  std::vector<route> out(plans.size());
  for (std::size_t k = 0; k < plans.size(); ++k) {
    static_cast<path_plan&>(out[k]) = std::move(plans[k]);
    out[k].initiator = s.initiators[k / s.targets.size()].module;
    out[k].target = s.targets[k % s.targets.size()].module;
  }
  return out;
}

// All lanes are equally fast. What reaches one from a single other lane comes granule after granule, no faster than it
// goes on: nothing ever waits there, whoever shares it.
void bus::impl::find_clear_lanes() {
  constexpr int nowhere = -1, several = -2;
  std::vector<int> before(lanes.size(), nowhere);
  for (const auto* paths : {&read, &write})
    for (const route& w : *paths)
      for (std::size_t k = 0; k < w.lanes.size(); ++k) {
        int& from = before[static_cast<std::size_t>(w.lanes[k])];
        const int here = k == 0 ? several : w.lanes[k - 1];
        from = from == nowhere || from == here ? here : several;
      }
  for (auto* paths : {&read, &write})
    for (route& w : *paths) {
      w.clear_from = w.lanes.size();
      while (w.clear_from > 1 && before[static_cast<std::size_t>(w.lanes[w.clear_from - 1])] != several) {
        --w.clear_from;
        w.clear_hops += lanes[static_cast<std::size_t>(w.lanes[w.clear_from])]->hop;
      }
    }
}

// Lanes need all ports to be known; built with the first transfer.
void bus::impl::start() {
  started = true;
  std::sort(ranges.begin(), ranges.end(), [](const range& a, const range& b) { return a.base < b.base; });
  problem_list problems;
  const fabric_shape s = shape(problems, self.name(), "");
  problems.check();
  for (std::size_t k = 0; k < s.initiators.size(); ++k)
    initiators[static_cast<std::size_t>(s.initiators[k].module)]->places.push_back(k);
  for (std::size_t k = 0; k < s.targets.size(); ++k)
    targets[static_cast<std::size_t>(s.targets[k].module)]->places.push_back(k);
  target_places = s.targets.size();
  fabric_plan plan = topologies().get(p.topology).plan(s);
  read = routes_of(std::move(plan.read), s);
  write = routes_of(std::move(plan.write), s);
  for (const auto& l : plan.lanes) {
    const bool by_target = l.initiator >= 0;
    lanes.push_back(std::make_unique<lane>(
        lane{l.name, share_channel(timing, arbiters().get(by_target ? "round_robin" : p.arbiter)()),
             l.latent ? response_latency : l.hop, l.hop, static_cast<int>(lanes.size()), l.initiator}));
    auto& channel = lanes.back()->channel;
    if (by_target)
      for (std::size_t i = 0; i < targets.size(); ++i) channel.add_requester();
    else
      for (const auto& i : initiators) channel.add_requester(i->options.priority, i->options.weight);
  }
  find_clear_lanes();
  active.assign((lanes.size() + 63) / 64, 0);
  for (auto& t : targets) {
    t->pending.resize(initiators.size());
    t->policy = arbiters().get(p.arbiter)();
    for (const auto& i : initiators) t->policy->add_requester(i->options.priority, i->options.weight);
  }
  std::vector<std::string> names{"idle"};
  for (const auto& i : initiators) names.push_back(i->name);
  names.emplace_back("shared");
  owner_probe.set_states(names);
}

bus::bus(const sc_core::sc_module_name& name, const bus_params& params)
    : sc_core::sc_module(name), m_impl(std::make_unique<impl>(*this, params)) {}
bus::~bus() = default;

namespace {

/// "gpu3" is a member of the group "gpu".
std::string group_of(const std::string& name) {
  const auto last = name.find_last_not_of("0123456789");
  return last == std::string::npos ? name : name.substr(0, last + 1);
}

/// What a map by initiator says of one, by its own name or its group's; nullptr: nothing.
const std::int64_t* own_value(const std::map<std::string, std::int64_t>& values, const std::string& name) {
  for (const auto& key : {name, group_of(name)})
    if (const auto found = values.find(key); found != values.end()) return &found->second;
  return nullptr;
}

}  // namespace

at_target_port& bus::add_initiator(const std::string& name, const bus_initiator_options& options) {
  const child_of scope(*this);
  const int index = static_cast<int>(m_impl->initiators.size());
  auto side = std::make_unique<impl::initiator_side>();
  side->name = name;
  side->options = options;
  if (const auto* w = own_value(m_impl->p.weights, name)) side->options.weight = static_cast<int>(*w);
  if (const auto* v = own_value(m_impl->p.priorities, name)) side->options.priority = static_cast<int>(*v);
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
  throw input_error(
      problem{"", target, "'" + std::string(name()) + "' has no such target", "", nearest_name(target, names)});
}

void bus::add_range(const std::string& target, std::uint64_t base, std::uint64_t size, std::uint64_t target_base) {
  m_impl->ranges.push_back({base, base + size - 1, target_base, target_number(target)});
}

void bus::redirect(std::uint64_t base, const std::string& target, std::uint64_t target_base) {
  for (auto& r : m_impl->ranges)
    if (r.base == base) r.target = target_number(target), r.target_base = target_base;
}

ps_t bus::mean_hop_latency() const {
  if (m_impl->mean_hops != never) return m_impl->mean_hops;
  m_impl->mean_hops = 0;
  if (m_impl->p.hop_latency.value <= 0) return 0;
  problem_list problems;
  const fabric_plan plan = topologies().get(m_impl->p.topology).plan(m_impl->shape(problems, name(), ""));
  problems.check();
  ps_t sum = 0;
  for (const auto& way : plan.read) sum += way.latency;
  return m_impl->mean_hops = sum / static_cast<ps_t>(std::max<std::size_t>(1, plan.read.size()));
}

void bus::check(problem_list& problems, const std::string& where, const std::string& path) const {
  if (m_impl->initiators.empty())
    problems.add({where, path, "this bus has no initiator", "at least one module that starts transfers", ""});
  if (m_impl->targets.empty())
    problems.add({where, path, "this bus has no target", "at least one memory or link with an address range", ""});
  std::vector<std::string> names;
  for (const auto& side : m_impl->initiators)
    for (const auto& name : {side->name, group_of(side->name)})
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (const auto& [key, map] :
       {std::pair{"weights", &m_impl->p.weights}, std::pair{"priorities", &m_impl->p.priorities}})
    for (const auto& [name, unused] : *map)
      if (std::find(names.begin(), names.end(), name) == names.end())
        problems.add({where, path + "." + key + "." + name, "is no initiator of this bus", "one of: " + joined(names),
                      nearest_name(name, names)});
  auto ranges = m_impl->ranges;
  std::stable_sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.base < b.base; });
  const auto target = [&](const impl::range& r) {
    return "'" + m_impl->targets[static_cast<std::size_t>(r.target)]->name + "'";
  };
  const auto text = [](const impl::range& r) { return fmt::format("[{:#x}, {:#x}]", r.base, r.last); };
  address_ranges taken;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].last == ranges[i].base - 1)
      problems.add({where, path, "the address range of " + target(ranges[i]) + " is empty", "a size above zero", ""});
    else if (ranges[i].last < ranges[i].base)
      problems.add({where, path,
                    "the address range of " + target(ranges[i]) + " wraps around the end of the address space",
                    "base + size up to 2^64", ""});
    else if (const auto other = taken.claim(ranges[i].base, ranges[i].last, i))
      problems.add({where, path,
                    "the address ranges of " + target(ranges[*other]) + " " + text(ranges[*other]) + " and " +
                        target(ranges[i]) + " " + text(ranges[i]) + " overlap",
                    "ranges that share no address", ""});
  }
  m_impl->shape(problems, where, path);
  for (const auto& i : m_impl->initiators)
    if (i->options.weight < 1)
      problems.add({where, path, "initiator '" + i->name + "' has weight " + std::to_string(i->options.weight),
                    "at least 1", ""});
}

probe_list bus::probes() {
  return {&m_impl->busy_probe, &m_impl->owner_probe, &m_impl->queue_probe, &m_impl->bytes_probe, &m_impl->time_probe};
}

void bus::observe(transfer_observer* observer) {
  m_impl->observer = observer;
}

}  // namespace memwall
