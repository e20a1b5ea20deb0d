// SPDX-License-Identifier: Apache-2.0
// One simulation: a platform, a trace, a result. One a process (SystemC).
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "platforms/describe/run_options.h"
#include "platforms/tell/summary.h"
#include "traces/reuse_report.h"

namespace memwall::platforms {

using json = nlohmann::ordered_json;

/// What the parts of the machine took, where what was given stands for more (serve): picojoules.
struct movement {
  /// An entry of energy.by_component_pj.
  struct component {
    std::string name;
    double given_pj = 0;   ///< a core's operators, those that were given
    double moving_pj = 0;  ///< of all bytes; a core's clocks: of all work
    double timely_pj = 0;  ///< in the time that was simulated: refresh, background
    double idle_pj = 0;    ///< what the time alone costs
  };
  std::map<std::string, double> grown;  ///< by module: bytes over those that were given
  std::vector<component> components;
  component sum() const;
};

struct run_outcome {
  json result;
  run_summary summary;   ///< what result["summary"] was written from
  bool partial = false;  ///< interrupted
  reuse_report reuse;    ///< of operators
  movement moved;        ///< for serve
};

class system;
class placement;

/// Called once the hardware is wired and tensors have their places, before time begins.
using built_hook = std::function<void(system&, const placement&)>;

/// The platform as described never gets its operators done: somebody is never served.
class starved_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws input_error, capacity_error, starved_error; std::runtime_error for a deadlock (with what everybody waits
/// for).
run_outcome run(const run_options& options, const built_hook& on_built = {});

}  // namespace memwall::platforms
