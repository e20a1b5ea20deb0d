// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/system.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "hw/bus/bus.h"
#include "hw/common/problem_place.h"

namespace memwall::platforms {
namespace {

constexpr std::uint64_t region_step = std::uint64_t{1} << 44;  // 16 TiB a memory

/// A problem at a parameter of a module, where the file or an option gives it.
problem problem_of(const platform_description& d, const std::string& module, const std::string& param,
                   const std::string& message, const std::string& expected) {
  const module_description* m = d.find(module);
  return located({"", param, message, expected, ""}, m->tree, "modules." + m->group);
}

/// The module that a parameter means by `name`: where that is a group of several, the member with the number that the
/// module has in its own group. Adds a problem when the groups do not go together.
std::string member_beside(const platform_description& d, const std::string& module, const std::string& param,
                          const std::string& name, problem_list& problems) {
  const auto members = d.group(name);
  if (members.empty()) return name;
  if (members.size() == 1) return members.front()->name;
  const module_description* m = d.find(module);
  const std::size_t alike = d.group(m->group).size();
  if (alike == members.size()) return members[static_cast<std::size_t>(m->index)]->name;
  problems.add(problem_of(
      d, module, param,
      fmt::format("'{}' are {} modules, '{}' {} {}", name, members.size(), m->group, alike == 1 ? "is" : "are", alike),
      fmt::format("one of them ('{}'), or as many of each", members.front()->name)));
  return members.front()->name;
}

}  // namespace

system::~system() = default;

system::system(const platform_description& d, const build_context& given)
    : m_connections(d.connections), m_ways(d.connections) {
  problem_list problems;
  build_context context = given;
  for (const auto& m : d.modules) m_modules.push_back(make_hardware(m, context, problems));
  problems.check();
  for (const auto& m : m_modules)
    if (is_route(m->name())) m_ways.pass_through(m->name());
  place_memories(d, problems);
  route(d, problems);
  refuse_long_ways(d, problems);
  problems.check();
  for (const auto& m : m_modules) {
    attach_memories(d, *m, problems);
    if (m->as_core() != nullptr) attach_banks(d, *m, problems);
  }
  problems.check();
}

void system::attach_memories(const platform_description& d, const hardware& m, problem_list& problems) {
  for (const auto& [param, name] : m.wants_memories()) {
    const std::string memory = member_beside(d, m.name(), param, name, problems);
    const auto* wanted = find(memory);
    const auto facts = wanted != nullptr && wanted != &m ? wanted->memory() : std::nullopt;
    for (const auto& r : m_regions)
      if (facts && r.memory == memory) find(m.name())->attach(param, r.base, *facts, problems);
    if (!facts)
      problems.add(problem_of(d, m.name(), param, "'" + name + "' is not a memory", "a dram or sram module"));
    else if (way(m.name(), memory).empty())
      problems.add(problem_of(d, m.name(), param, "no connection leads from '" + m.name() + "' to '" + memory + "'",
                              "lines under connect that lead there"));
  }
}

void system::attach_banks(const platform_description& d, hardware& m, problem_list& problems) {
  stream_core& c = *m.as_core();
  const std::string name = m.name();
  if (const bank_units* beside_banks = c.model().in_banks()) {
    const std::string beside = beside_banks->memory();
    const std::string memory = member_beside(d, name, "memory", beside, problems);
    const auto* banks = find(memory);
    const std::int64_t units = beside_banks->units();
    if (banks == nullptr || !banks->memory())
      problems.add(problem_of(d, name, "memory", "'" + beside + "' is not a memory", "a dram module"));
    else if (units > 0 && banks->detail_units() != units)
      problems.add(problem_of(
          d, name, "hierarchy",
          fmt::format("{} macros sit beside {} channels of '{}'", units, banks->detail_units(), beside),
          fmt::format("a macro a channel: modules.{}.channels = macros_per_tile x tiles_per_chip x chips", beside)));
    m_banks[name] = memory;
  }
  c.set_path_latency([this, name](std::uint64_t address) { return std::max<ps_t>(0, path_latency(name, address)); });
}

hardware* system::banks_of(const std::string& core) const {
  const auto found = m_banks.find(core);
  return found == m_banks.end() ? nullptr : find(found->second);
}

hardware* system::find(const std::string& name) const {
  for (const auto& m : m_modules)
    if (m->name() == name) return m.get();
  return nullptr;
}

stream_core& system::core(const std::string& name) const {
  hardware* h = find(name);
  if (h == nullptr || h->as_core() == nullptr)
    throw input_error(
        problem{"", "mapping", "'" + name + "' cannot execute operators", "a core: gpu, cpu, cim_...", ""});
  return *h->as_core();
}

void system::place_memories(const platform_description& d, problem_list& problems) {
  std::uint64_t next = region_step;
  for (const auto& m : m_modules) {
    const auto facts = m->memory();
    if (!facts) continue;
    // What is a whole stripe of the memory is one of the platform's addresses, too: cores cut transfers by these.
    const auto stripe = static_cast<std::uint64_t>(std::max<std::int64_t>(1, facts->stripe));
    std::uint64_t base = (next + stripe - 1) / stripe * stripe;
    next += region_step;
    const module_description* description = d.find(m->name());
    const config::node* given = description != nullptr ? description->tree.find("address") : nullptr;
    if (given != nullptr) {
      char* end = nullptr;
      base = std::strtoull(given->text().c_str(), &end, 0);
      if (given->text().empty() || *end != '\0' || given->text().find('-') != std::string::npos ||
          base + static_cast<std::uint64_t>(facts->capacity) < base)
        problems.add({given->where(), "modules." + m->name() + ".address", "got '" + given->text() + "'",
                      "an address, e.g. 0x100000000, with room for the memory above it", ""});
      else if (base % stripe != 0)
        problems.add({given->where(), "modules." + m->name() + ".address", "got '" + given->text() + "'",
                      fmt::format("a multiple of the memory's stripe over its channels, {} B", stripe), ""});
    }
    const std::uint64_t last = base + static_cast<std::uint64_t>(std::max<std::int64_t>(1, facts->capacity)) - 1;
    if (const auto other = last >= base ? m_addresses.claim(base, last, m_regions.size()) : std::nullopt)
      problems.add({given != nullptr ? given->where() : d.name, "modules." + m->name() + ".address",
                    "its range overlaps that of '" + m_regions[*other].memory + "'",
                    "ranges that do not overlap, or no address at all", ""});
    m_regions.push_back({m->name(), base, facts->capacity});
  }
}

bool system::is_route(const std::string& name) const {
  hardware* h = find(name);
  if (h == nullptr || h->memory()) return false;  // a pager has both sockets and is the end of a way
  return h->as_bus() != nullptr || (h->initiator() != nullptr && h->target() != nullptr);
}

/// Each bus, link and pager on its way keeps something with a transfer, which has room for so many.
void system::refuse_long_ways(const platform_description& d, problem_list& problems) const {
  for (const auto& m : m_modules) {
    if (m->initiator() == nullptr || is_route(m->name())) continue;
    for (const auto& r : m_regions)
      if (const std::size_t hops = way(m->name(), r.memory).size(); hops > transfer_info::max_hops + 1)
        problems.add(
            {d.name, "connect",
             fmt::format("the way from '{}' to '{}' leads through {} buses and links", m->name(), r.memory, hops - 1),
             fmt::format("at most {}", transfer_info::max_hops), ""});
  }
}

void system::route(const platform_description& d, problem_list& problems) {
  std::set<std::string> sends, answers;
  // Buses learn which ranges lie behind which neighbour: the neighbour nearest to the memory.
  for (const auto& m : m_modules) {
    bus* b = m->as_bus();
    if (b == nullptr) continue;
    std::map<std::string, std::vector<const region*>> behind;
    for (const auto& r : m_regions) {
      std::string best;
      int best_hops = 0;
      for (const auto& c : m_connections) {
        if (c.from != m->name()) continue;
        hardware* to = find(c.to);  // one that answers nothing is named below
        if (to->as_bus() == nullptr && to->target() == nullptr) continue;
        const std::size_t further = c.to != r.memory && is_route(c.to) ? way(c.to, r.memory).size() : 0;
        const int hops = c.to == r.memory ? 0 : further > 0 ? static_cast<int>(further) : -1;
        if (hops >= 0 && (best.empty() || hops < best_hops)) best = c.to, best_hops = hops;
      }
      if (!best.empty()) behind[best].push_back(&r);
    }
    // Ports in the order of the file.
    for (const auto& c : m_connections) {
      const auto reached = behind.find(c.to);
      if (c.from != m->name() || reached == behind.end()) continue;
      // Memories see their own addresses, bridges global ones.
      const auto base_there = [&](const region& r) { return c.to == r.memory ? 0 : r.base; };
      const region& first = *reached->second.front();
      at_initiator_port& out =
          b->add_target(c.to, first.base, static_cast<std::uint64_t>(first.size), base_there(first));
      for (std::size_t i = 1; i < reached->second.size(); ++i) {
        const region& r = *reached->second[i];
        b->add_range(c.to, r.base, static_cast<std::uint64_t>(r.size), base_there(r));
      }
      hardware* to = find(c.to);
      if (to->as_bus() != nullptr)
        out.bind(to->as_bus()->add_initiator(m->name()));
      else if (answers.count(c.to) == 0)
        out.bind(*to->target());
      else
        problems.add({c.where, "connect", "'" + c.to + "' is reached by two buses",
                      "one bus in front of it (a bus may lead to another bus)", ""});
      answers.insert(c.to);
      behind.erase(reached);  // a second line to it adds nothing
    }
  }
  for (const auto& c : m_connections) {
    hardware* from = find(c.from);
    hardware* to = find(c.to);
    if (from->as_bus() != nullptr) {
      if (to->target() == nullptr && to->as_bus() == nullptr)
        problems.add({c.where, "connect", "'" + c.to + "' does not answer requests",
                      "a memory, a link or a bus after a bus", ""});
      continue;
    }
    if (from->initiator() == nullptr) {
      problems.add({c.where, "connect", "'" + c.from + "' does not send requests",
                    "a core, a generator, a link or a bus first", ""});
    } else if (to->as_bus() == nullptr) {
      problems.add(
          {c.where, "connect", "'" + c.from + "' must be connected to a bus, '" + c.to + "' is none", "a bus", ""});
    } else if (!sends.insert(c.from).second) {
      problems.add({c.where, "connect", "'" + c.from + "' is connected twice", "one bus an initiator", ""});
    } else {
      from->initiator()->bind(to->as_bus()->add_initiator(c.from));
    }
  }
  for (const auto& m : m_modules) {
    if (m->as_bus() != nullptr) {
      m->as_bus()->check(problems, d.name, "modules." + m->name());
      continue;
    }
    if (m->initiator() != nullptr && sends.count(m->name()) == 0)
      problems.add({d.name, "modules." + m->name(), "is connected to no bus (its port is unbound)",
                    "a line [" + m->name() + ", <bus>] under connect", ""});
    if (m->target() != nullptr && answers.count(m->name()) == 0)
      problems.add({d.name, "modules." + m->name(), "is reached by no bus (its port is unbound)",
                    "a line [<bus>, " + m->name() + "] under connect", ""});
  }
}

std::vector<memory_slot> system::slots() const {
  std::vector<memory_slot> out;
  for (const auto& r : m_regions) {
    const auto facts = find(r.memory)->memory();
    memory_slot s;
    s.name = r.memory;
    s.base = r.base;
    s.capacity = facts->capacity;
    s.alignment = std::max<std::int64_t>(facts->stripe, facts->burst);
    s.in_core = facts->in_core;
    if (s.in_core) {
      weight_arrays* arrays = find(r.memory)->as_core()->model().arrays();
      s.reserve = [arrays](std::int64_t rows, std::int64_t columns, double bits) {
        return arrays->reserve(rows, columns, bits);
      };
      s.cells_used = [arrays] { return arrays->cells_used(); };
    }
    for (const auto& m : m_modules)
      if (stream_core* c = m->as_core(); c != nullptr && banks_of(m->name()) == find(r.memory)) {
        s.computed_by.push_back(m->name());
        s.held_bits = [units = c->model().in_banks()](double bits) { return units->held_bits(bits); };
      }
    out.push_back(s);
  }
  return out;
}

ps_t system::path_latency(const std::string& from, std::uint64_t address) const {
  const auto owner = m_addresses.owner_of(address);
  if (!owner) return -1;
  const std::string& memory = m_regions[*owner].memory;
  const auto hops = way(from, memory);
  if (hops.empty()) return -1;
  ps_t sum = find(memory)->memory()->unloaded_latency;
  for (const auto& hop : hops) sum += find(hop)->hop_latency();
  return sum;
}

json system::config(const platform_description& d) const {
  json out;
  out["description"] = d.text;

  for (const auto& m : m_modules) {
    const auto* description = d.find(m->name());
    json c{{"type", description->type}};
    c.update(m->config());
    if (const auto* a = description->tree.find("address")) c["address"] = a->text();
    // One entry a group: the members are alike.
    if (const auto* count = description->tree.find("count")) {
      if (description->index != 0) continue;
      c["count"] = count->to_json();
    }
    out["modules"][description->group] = c;
  }
  if (const auto* connect = d.tree.find("connect")) out["connect"] = connect->to_json();
  if (const auto* mapping = d.tree.find("mapping")) out["mapping"] = mapping->to_json();
  out["parallel"] = d.parallel;
  return out;
}

}  // namespace memwall::platforms
