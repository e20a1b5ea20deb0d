// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "hw/common/config.h"
#include "hw/common/params.h"
#include "hw/common/registry.h"
#include "hw/core/weight_arrays.h"
#include "hw/core/work.h"

namespace memwall {

/// What a host may have launched on devices ahead of their work. The kernels of an operator wait in its device's queue;
/// while that is full the host launches nothing, on no device.
struct launch_ahead {
  std::int64_t room = 0;    ///< kernels in the queue of a device that have not ended; 0: no bound
  std::int64_t passes = 0;  ///< passes (chunks of a prompt, steps) launched and not over; 0: no bound
};

/// The functional core of anything that executes operators: a GPU, a CPU, an array of compute-in-memory macros. It says
/// what an operator needs (transfers, arithmetic time, overheads); stream_core carries that out on the bus.
class core_model {
 public:
  virtual ~core_model() = default;

  /// Called once an operator, in the order of execution: models keep state (what their caches or arrays hold).
  virtual work plan(const operation& op) = 0;

  /// Dense peak for a type, operations a second: the ceiling of the roofline.
  virtual double peak_rate(const std::string& type) const = 0;

  /// Operators that others stood for would have taken so many bytes of other operands through its caches.
  virtual void others_passed(std::int64_t /*bytes*/) {}

  // What only some kinds have; nullptr: not this one.
  virtual weight_arrays* arrays() { return nullptr; }             ///< of its own, that hold weights
  virtual const bank_units* in_banks() const { return nullptr; }  ///< of a memory

  /// What this kind of core adds to the report of a run of `elapsed` picoseconds (peak figures, wear); may be empty.
  virtual nlohmann::ordered_json figures(ps_t elapsed) const;

  /// Told before the run, of the memory its activations live in: bytes a second at its pins, for what a runtime moves
  /// beyond the operands of the trace (expanded weights, scores), which is not simulated transfer by transfer; and what
  /// a byte of a stream costs it in picojoules, for a board's power limit.
  virtual void set_memory(double /*peak_bandwidth*/, double /*byte_pj*/) {}
  /// Requests leave at edges of this clock, as many as are due; 0: at any time.
  virtual frequency request_clock() const { return frequency(0); }
  /// Bytes of one request: a line of the cache in front of the memory. Transfers are not smaller, whatever the memory's
  /// burst.
  virtual std::int64_t request_bytes() const { return 64; }

  /// What its runtime's host may launch ahead.
  virtual launch_ahead launches_ahead() const { return {}; }
  /// Kernels that a step of an operator is in that runtime: "norm", "product", "expand" (of narrow weights), "rope",
  /// "attention" (with what writes the cache), "elementwise".
  virtual std::int64_t kernels_of(const std::string& /*step*/) const { return 1; }

  /// Dynamic energy spent so far, by component, in picojoules; empty: not told apart. Sums to the plans' energies.
  virtual std::vector<std::pair<std::string, double>> energy_parts() const { return {}; }
  virtual power idle_power() const { return power(0); }
  /// More than idle_power while an operator is under way: clocks.
  virtual power active_power() const { return power(0); }
  virtual nlohmann::ordered_json config() const = 0;  ///< resolved parameters
};

/// A kind of core: how to read its parameters and what they are.
struct core_kind {
  /// Reads the parameters of one module (keys `type`, `count` are the platform's); problems are collected.
  std::function<std::unique_ptr<core_model>(const config::node&, problem_list&, const std::string& path)> make;
  std::function<std::vector<param_info>()> describe;
};

/// gpu, cpu, cim_..., and what an outside project adds.
registry<core_kind>& core_kinds();

/// A core kind whose parameters are a table:
///   const core_entry entry{"gpu", "...", core_of<gpu_model, gpu_params>(gpu_param_table)};
using core_entry = registered<&core_kinds>;
template <class Model, class Params>
core_kind core_of(const param_table<Params>& (*table)()) {
  return {
      [table](const config::node& n, problem_list& problems, const std::string& path) -> std::unique_ptr<core_model> {
        Params p;
        table().read(n, p, problems, path, {"type", "count"});
        return std::make_unique<Model>(std::move(p));
      },
      [table] { return table().describe(); }};
}

}  // namespace memwall
