// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/symmetry.h"

#include <algorithm>
#include <set>
#include <vector>

#include "hw/bus/bus.h"
#include "platforms/build/system.h"
#include "platforms/place/placement.h"

namespace memwall::platforms {
namespace {

/// `text` with `module` in it (the whole, or what follows the last dot) replaced by the member `index` of its group.
std::string renamed(const platform_description& d, std::size_t devices, const std::string& text, std::size_t index) {
  const auto dot = text.rfind('.');
  const std::size_t at = dot == std::string::npos ? 0 : dot + 1;
  const auto* m = d.find(text.substr(at));
  if (m == nullptr) return text;
  const auto members = d.group(m->group);
  return members.size() == devices ? text.substr(0, at) + members[index]->name : text;
}

json renamed(const platform_description& d, std::size_t devices, const json& tree, std::size_t index) {
  if (tree.is_string()) return renamed(d, devices, tree.get_ref<const std::string&>(), index);
  if (!tree.is_structured()) return tree;
  json out = tree.is_array() ? json::array() : json::object();
  if (tree.is_array())
    for (const auto& x : tree) out.push_back(renamed(d, devices, x, index));
  else
    for (const auto& [key, x] : tree.items()) out[renamed(d, devices, key, index)] = renamed(d, devices, x, index);
  return out;
}

}  // namespace

symmetry::symmetry(const platform_description& d, system& hw, const placement& where) : m_platform(&d), m_system(&hw) {
  m_group = d.mapping.front().executor;
  const auto cores = d.group(m_group);
  m_devices = static_cast<int>(cores.size());
  const bool together =
      std::all_of(d.mapping.begin(), d.mapping.end(), [&](const mapping_rule& r) { return r.executor == m_group; });
  if (m_devices > 1 && d.parallel == "tensor" && together && wired_alike() && find_crossbar(where))
    lead_back(where);
  else
    m_devices = 1, m_crossbar.clear();
}

bool symmetry::counted(const std::string& module) const {
  const auto* m = m_platform->find(module);
  return m != nullptr && m_platform->group(m->group).size() == static_cast<std::size_t>(m_devices);
}

std::string symmetry::worker(const std::string& module) const {
  if (m_devices == 1 || !counted(module)) return module;
  return m_platform->group(m_platform->find(module)->group).front()->name;
}

bool symmetry::wired_alike() const {
  for (const auto& m : m_system->modules())
    if (m->section() == result_section::generators || m->section() == result_section::pagers) return false;
  // The connections of each member, told without its number, are those of the first.
  std::vector<std::multiset<std::pair<std::string, std::string>>> of(static_cast<std::size_t>(m_devices));
  for (const auto& c : m_platform->connections) {
    const auto* from = m_platform->find(c.from);
    const auto* to = m_platform->find(c.to);
    const bool a = counted(c.from), b = counted(c.to);
    if (a && b && from->index != to->index) return false;
    if (a || b) of[static_cast<std::size_t>(a ? from->index : to->index)].insert({from->group, to->group});
  }
  return std::all_of(of.begin(), of.end(), [&](const auto& x) { return x == of.front(); });
}

/// Own memories must be reached by own modules, the neighbour's through one crossbar between modules of the two.
bool symmetry::find_crossbar(const placement& where) {
  const std::string core = m_platform->group(m_group).front()->name;
  for (const auto& s : where.slots()) {
    if (s.used == 0) continue;
    if (!counted(s.name)) return false;
    const int device = m_platform->find(s.name)->index;
    if (device > 1) continue;
    bool across = false;
    for (const std::string& hop : m_system->way(core, s.name)) {
      if (counted(hop)) {
        if (m_platform->find(hop)->index != (across ? 1 : 0)) return false;
        if (across) m_beyond.insert(m_platform->find(hop)->group);
        continue;
      }
      const bool crossbar =
          m_system->find(hop)->as_bus() != nullptr && m_system->find(hop)->config().value("topology", "") == "crossbar";
      if (device == 0 || across || !crossbar || (!m_crossbar.empty() && m_crossbar != hop)) return false;
      across = true;
      m_crossbar = hop;
    }
    if (device == 1 && !across) return false;
  }
  return !m_crossbar.empty();
}

void symmetry::lead_back(const placement& where) {
  const auto slot = [&](const std::string& name) {
    return *std::find_if(where.slots().begin(), where.slots().end(),
                         [&](const memory_slot& s) { return s.name == name; });
  };
  for (const auto& s : where.slots()) {
    if (s.used == 0 || m_platform->find(s.name)->index != 1) continue;
    const auto way = m_system->way(m_crossbar, s.name);
    const bool memory = way.front() == s.name;  // sees its own addresses; a bridge sees the platform's
    m_system->find(m_crossbar)->as_bus()->redirect(s.base, worker(way.front()), memory ? 0 : slot(worker(s.name)).base);
  }
}

json symmetry::report(const hardware& m, ps_t elapsed) const {
  const std::string who = worker(m.name());
  if (m.name() == m_crossbar) return port_of_each(m.report(elapsed));
  if (m_devices == 1 || !counted(m.name())) return m.report(elapsed);
  const auto* member = m_platform->find(m.name());
  const auto index = static_cast<std::size_t>(member->index);
  json out = m_system->find(who)->report(elapsed);
  if (who != m.name()) out = renamed(*m_platform, static_cast<std::size_t>(m_devices), out, index);
  const bool link = m.section() == result_section::links;  // tells by source what came through it
  return link && m_beyond.count(member->group) != 0 ? from_neighbour(std::move(out), index) : out;
}

/// A link's entry with the device before this one for this one, among those whose transfers it carried.
json symmetry::from_neighbour(json out, std::size_t index) const {
  const auto cores = m_platform->group(m_group);
  const std::string own = cores[index]->name, neighbour = cores[(index + cores.size() - 1) % cores.size()]->name;
  const auto rename = [&](json& map) {
    json with = json::object();
    for (auto& [key, value] : map.items()) with[key == own ? neighbour : key] = value;
    map = std::move(with);
  };
  rename(out["wait_ns"]);
  rename(out["wait_matrix_ns"]);
  for (auto& row : out["wait_matrix_ns"]) rename(row);
  return out;
}

/// A crossbar's entry when each device has sent through its ports what the first has.
json symmetry::port_of_each(json out) const {
  out["bytes"] = out["bytes"].get<std::int64_t>() * m_devices;
  out["energy_pj"] = out["energy_pj"].get<double>() * m_devices;
  for (auto& part : out["bytes_by_class"]) part = part.get<std::int64_t>() * m_devices;
  json& waits = out["wait_ns"];
  for (auto& [port, wait] : waits.items()) wait = json(waits[worker(port)]);
  json& matrix = out["wait_matrix_ns"];
  for (auto& [port, row] : matrix.items())
    if (!works(port)) {
      row[port] = json(matrix[worker(port)][worker(port)]);
      for (auto& [other, waited] : row.items())
        if (!counted(other)) waited = json(matrix[worker(port)][other]);
    }
  for (auto& channel : out["channels"]) {
    const std::string name = channel["name"];
    const auto at = name.rfind('.') + 1;
    for (const auto& x : out["channels"])
      if (x["name"] == name.substr(0, at) + worker(name.substr(at)))
        channel["bytes"] = json(x["bytes"]), channel["busy_ns"] = json(x["busy_ns"]);
  }
  return out;
}

}  // namespace memwall::platforms
