// SPDX-License-Identifier: Apache-2.0
// One simulation: a platform, a trace, a result. One a process (SystemC).
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "platforms/describe/run_options.h"
#include "platforms/tell/summary.h"
#include "traces/reuse_report.h"

namespace memwall::platforms {

using json = nlohmann::ordered_json;

/// What moving took outside of the cores, and what the cores' clocks did, where what was given stands for more (serve):
/// picojoules.
struct movement {
  std::map<std::string, double> grown;  ///< by module: bytes over those that were given
  double dynamic_pj = 0;                ///< of all bytes and all work
  double timely_pj = 0;                 ///< in the time that passed
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
