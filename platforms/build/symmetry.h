// SPDX-License-Identifier: Apache-2.0
// Devices of a tensor-parallel group that are alike in everything do the same at the same time: one of them works, and
// stands for all. Nothing is approximated: the result is that of a run in which each works (`--replay off` is one).
#pragma once
#include <set>
#include <string>

#include "platforms/build/hardware.h"
#include "platforms/describe/description.h"

namespace memwall::platforms {

class placement;
class system;

class symmetry {
 public:
  /// Every module for itself.
  symmetry() = default;
  /// Looks for devices that are alike: all operators run on one group of cores in parallel, the tensors of each core
  /// lie in memories of its own, groups are wired member by member, and what a collective sends to the neighbour
  /// crosses one crossbar, each device by ports of its own. Then the neighbour's addresses are led back to the first
  /// device.
  symmetry(const platform_description& d, system& hw, const placement& where);

  int devices() const { return m_devices; }  ///< that one stands for; 1: every module works
  /// Name of the module that works for this one.
  std::string worker(const std::string& module) const;
  bool works(const std::string& module) const { return worker(module) == module; }
  /// How often what is seen of a module that works has happened in it: a crossbar sees one device of many.
  int times(const std::string& module) const { return module == m_crossbar ? m_devices : 1; }
  /// The entry of a module in the result, that of its worker under its own names.
  json report(const hardware& m, ps_t elapsed) const;

 private:
  bool counted(const std::string& module) const;
  bool wired_alike() const;
  bool find_crossbar(const placement& where);
  void lead_back(const placement& where);
  json port_of_each(json crossbar) const;
  json from_neighbour(json link, std::size_t index) const;

  const platform_description* m_platform = nullptr;
  system* m_system = nullptr;
  std::string m_group;  // of the cores
  std::string m_crossbar;
  std::set<std::string> m_beyond;  // groups behind the crossbar: what comes through a member is the neighbour's
  int m_devices = 1;
};

}  // namespace memwall::platforms
