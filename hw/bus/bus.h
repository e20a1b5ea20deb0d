// SPDX-License-Identifier: Apache-2.0
// Bus: many initiators, many targets, shared, crossbar or a network of routers, granule-level arbitration whatever the
// transfer size.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hw/bus/bus_report.h"
#include "hw/common/error.h"
#include "hw/common/params.h"
#include "hw/common/probe.h"
#include "hw/ports/at_initiator.h"
#include "hw/ports/at_target.h"

namespace memwall {

/// Parameters of a bus. Peak bandwidth of a channel (of a lane in a network): width x clock x slices.
struct bus_params {
  std::string topology = "shared";    ///< a name in topologies(): shared, crossbar, ring, mesh
  std::string channels = "separate";  ///< separate (reads and writes move at once) | common (they share one)
  byte_size width{64};                ///< bytes a beat
  frequency clock{1e9};
  std::int64_t slices = 1;          ///< equal parallel channels, address-interleaved, perfectly spread
  duration arbitration_latency{0};  ///< request in to request out, on top of the pipeline
  duration pipeline_latency{0};     ///< each direction
  byte_size granule{0};             ///< arbitration unit; 0: the larger of 64 B and width
  std::string arbiter = "round_robin";
  std::map<std::string, std::int64_t> weights, priorities;  ///< by initiator or group of initiators; others: 1, 0
  std::int64_t outstanding = 0;                             ///< transfers an initiator may have in the bus; 0: no limit
  std::int64_t columns = 1, rows = 1;                       ///< routers of a ring or mesh
  duration hop_latency{0};                                  ///< from one router to the next
  std::map<std::string, std::vector<std::int64_t>> nodes;   ///< routers by module; others take the first free ones
  byte_size interleave{256};  ///< bytes a module at several routers moves over one of them before the next
  energy energy_per_bit{0};
  energy hop_energy_per_bit{0};
  std::int64_t granule_bytes() const;  ///< `granule`, or what it is where that is 0
};
const param_table<bus_params>& bus_param_table();
/// Problems that one parameter alone does not show (unknown arbiter or topology, granule no multiple of width).
void check_bus_params(const bus_params& p, problem_list& problems, const std::string& where, const std::string& path);

/// What an initiator may have different from the others.
struct bus_initiator_options {
  int priority = 0;               ///< fixed_priority: higher first; equal: the earlier attached first
  int weight = 1;                 ///< weighted: granules a round, >= 1
  std::int64_t outstanding = -1;  ///< -1: the bus's
};

/// Wiring, before simulation starts:
///
// clang-format off
///   bus fabric("fabric", params);
///   cpu.port.bind(fabric.add_initiator("cpu"));
///   fabric.add_target("dram", 0x0, size).bind(dram.port);
///   fabric.check(problems, where, path);  // overlapping, empty or wrapping ranges; no initiator; no target
// clang-format on
///
/// Targets see addresses relative to the base of their range. A transfer must lie in one range; anything else
/// is answered with TLM_ADDRESS_ERROR_RESPONSE.
class bus : public sc_core::sc_module {
 public:
  /// An initiator that is never granted a target while others always are.
  struct starvation {
    std::string initiator, target, by;  ///< `by`: who was granted last instead
    ps_t since = 0;                     ///< when its oldest transfer began to wait
    std::uint64_t passed = 0;           ///< grants of others since
  };
  /// Called whenever another 250,000 grants of a target have passed an initiator over; unset: nobody asks.
  std::function<void(const starvation&)> on_starving;

  bus(const sc_core::sc_module_name& name, const bus_params& params);
  ~bus() override;

  /// A socket to bind an initiator to.
  at_target_port& add_initiator(const std::string& name, const bus_initiator_options& options = {});
  /// A socket to bind to a target that answers addresses [base, base + size); they start at `target_base` in the target
  /// (0: a memory sees its own addresses; base: a bridge sees global ones).
  at_initiator_port& add_target(const std::string& name, std::uint64_t base, std::uint64_t size,
                                std::uint64_t target_base = 0);
  /// Another range of a target already added; its addresses start at `target_base` in the target.
  void add_range(const std::string& target, std::uint64_t base, std::uint64_t size, std::uint64_t target_base);
  /// Leads the range that starts at `base` to another target, where its addresses start at `target_base`. Before the
  /// simulation starts.
  void redirect(std::uint64_t base, const std::string& target, std::uint64_t target_base);

  void check(problem_list& problems, const std::string& where, const std::string& path) const;

  /// One way through the routers, averaged over all pairs of ports; 0 where there are none. After the wiring.
  ps_t mean_hop_latency() const;

  bus_report report() const;
  probe_list probes();
  void observe(transfer_observer* observer);

 private:
  struct impl;
  int target_number(const std::string& target) const;
  std::unique_ptr<impl> m_impl;
};

}  // namespace memwall
