// SPDX-License-Identifier: Apache-2.0
// What an architect could buy more of, and the --set that buys it.
#pragma once
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "platforms/describe/description.h"

namespace memwall::tools {

constexpr double infinite = std::numeric_limits<double>::infinity();

/// A part of the machine that may be better: parameters of one group of modules.
class resource {
 public:
  /// A parameter as it is, with the limits that `memwall describe` prints.
  struct knob {
    std::string path;       ///< under the module: "clock", "hierarchy.tile_network", "tensor_rate.fp16"
    std::string dimension;  ///< of a quantity, "integer" or "number"
    bool more = true;       ///< whether more of it is better, or less
    double value = 0, low = 0, high = 0;
  };
  resource(std::string name, std::string module, std::vector<knob> knobs, nlohmann::ordered_json macro)
      : m_name(std::move(name)), m_module(std::move(module)), m_knobs(std::move(knobs)), m_macro(std::move(macro)) {}

  const std::string& name() const { return m_name; }
  const std::string& module() const { return m_module; }
  void rename(std::string name) { m_name = std::move(name); }
  /// The --set arguments that make it `factor` times as good, as far as the parameters go; `infinite`: all the way.
  /// Empty when nothing changes.
  std::vector<std::string> better(double factor) const;

 private:
  std::string m_name, m_module;
  std::vector<knob> m_knobs;
  nlohmann::ordered_json m_macro;  // the module's `macro` as the platform has it; knobs under "macro." change it
};

/// The resources that a run used: of modules that moved or computed something. A kind that several groups of modules
/// have (two memories) gives a resource for each, named after the group.
std::vector<resource> resources_of(const platforms::platform_description& d, const nlohmann::ordered_json& result);

}  // namespace memwall::tools
