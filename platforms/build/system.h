// SPDX-License-Identifier: Apache-2.0
// The hardware of a platform, made and wired.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hw/common/address_ranges.h"
#include "hw/core/stream_core.h"
#include "platforms/build/hardware.h"
#include "platforms/build/ways.h"
#include "platforms/place/placement.h"

namespace memwall::platforms {

/// Makes every module of a description, gives memories their addresses, routes every initiator to every memory it can
/// reach along the shortest way, and binds the sockets. Throws input_error with all problems found.
class system {
 public:
  system(const platform_description& d, const build_context& context);
  ~system();

  const std::vector<std::unique_ptr<hardware>>& modules() const { return m_modules; }
  hardware* find(const std::string& name) const;
  stream_core& core(const std::string& name) const;
  /// The memory whose banks hold a core's units; nullptr: its units lie elsewhere.
  hardware* banks_of(const std::string& core) const;
  /// What tensors can be placed in.
  std::vector<memory_slot> slots() const;
  /// Unloaded latency from a module to an address and back, last data beat included; -1: not reachable.
  ps_t path_latency(const std::string& from, std::uint64_t address) const;
  /// The memory at an address, as a number; nothing: there is none.
  std::optional<std::size_t> region_of(std::uint64_t address) const { return m_addresses.owner_of(address); }
  const std::string& memory_of(std::size_t number) const { return m_regions[number].memory; }
  /// Modules passed on the way from one module to another, the last one included; empty: there is none.
  const std::vector<std::string>& way(const std::string& from, const std::string& to) const {
    return m_ways.way(from, to);
  }
  /// Resolved parameters of all modules, readable back as a platform file.
  json config(const platform_description& d) const;

 private:
  struct region {
    std::string memory;
    std::uint64_t base;
    std::int64_t size;
  };
  /// What modules ask for by name: memories, and banks to compute in.
  void attach_memories(const platform_description& d, const hardware& m, problem_list& problems);
  void attach_banks(const platform_description& d, hardware& m, problem_list& problems);
  void place_memories(const platform_description& d, problem_list& problems);
  void refuse_long_ways(const platform_description& d, problem_list& problems) const;
  void route(const platform_description& d, problem_list& problems);
  bool is_route(const std::string& name) const;

  std::vector<std::unique_ptr<hardware>> m_modules;
  std::vector<connection> m_connections;
  ways m_ways;
  std::vector<region> m_regions;
  address_ranges m_addresses;                  // of m_regions, by index
  std::map<std::string, std::string> m_banks;  ///< memory by core
};

}  // namespace memwall::platforms
