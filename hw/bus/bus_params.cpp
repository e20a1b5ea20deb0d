// SPDX-License-Identifier: Apache-2.0
#include <tuple>

#include "hw/bus/arbiter.h"
#include "hw/bus/bus.h"
#include "hw/bus/topology.h"

namespace memwall {
namespace {}  // namespace

std::int64_t bus_params::granule_bytes() const {
  if (granule.value > 0) return to_bytes(granule);
  const std::int64_t beat = to_bytes(width), line = std::max<std::int64_t>(64, beat);
  return (line + beat - 1) / beat * beat;
}

const param_table<bus_params>& bus_param_table() {
  static const auto table =
      param_table<bus_params>("bus")
          .add("topology", &bus_params::topology,
               "shared: one channel for everybody; crossbar: a channel at every port; ring, mesh: routers and a lane a "
               "hop and direction")
          .add("channels", &bus_params::channels,
               "separate: reads and writes move at once; common: they share one channel")
          .choices({"separate", "common"})
          .add("width", &bus_params::width, "bytes a beat of one slice")
          .range(byte_size(1), byte_size(65536))
          .add("clock", &bus_params::clock, "beats a second")
          .range(frequency(1e6), frequency(1e12))
          .add("slices", &bus_params::slices, "equal parallel channels, perfectly interleaved")
          .range(std::int64_t{1}, std::int64_t{4096})
          .add("arbitration_latency", &bus_params::arbitration_latency,
               "request in to request out, on top of the pipeline")
          .range(duration(0), duration(1e-3))
          .add("pipeline_latency", &bus_params::pipeline_latency, "register stages and wires, each direction")
          .range(duration(0), duration(1e-3))
          .add("granule", &bus_params::granule, "bytes granted at once; 0 B: the larger of 64 B and the width")
          .range(byte_size(0), byte_size(1048576))
          .add("arbiter", &bus_params::arbiter,
               "who moves the next granule: round_robin, weighted, fixed_priority, age")
          .add("weights", &bus_params::weights,
               "weighted: granules in a row by initiator or group, {gpu: 4, dma: 1}; others 1")
          .range(std::int64_t{1}, std::int64_t{65536})
          .add("priorities", &bus_params::priorities,
               "fixed_priority: the higher goes first, by initiator or group, {cpu: 1}; others 0; of equal ones the "
               "earlier connected")
          .range(std::int64_t{-1000}, std::int64_t{1000})
          .add("outstanding", &bus_params::outstanding, "transfers an initiator may have in the bus; 0: no limit")
          .range(std::int64_t{0}, std::int64_t{1} << 20)
          .add("columns", &bus_params::columns, "ring, mesh: routers in a row")
          .range(std::int64_t{1}, std::int64_t{64})
          .add("rows", &bus_params::rows, "ring, mesh: rows of routers (a ring has columns x rows stops)")
          .range(std::int64_t{1}, std::int64_t{64})
          .add("hop_latency", &bus_params::hop_latency, "ring, mesh: from one router to the next, each direction")
          .range(duration(0), duration(1e-3))
          .add("nodes", &bus_params::nodes,
               "ring, mesh: routers where a module is attached, numbered row by row: {cpu: [0], memory: [3, 7]}; "
               "others take the first free ones, initiators first")
          .add("interleave", &bus_params::interleave,
               "bytes that a module at several routers moves over one of them before the next")
          .range(byte_size(1), byte_size(1 << 30))
          .add("energy_per_bit", &bus_params::energy_per_bit, "energy to move one bit across")
          .range(energy(0), energy(1e-9))
          .add("hop_energy_per_bit", &bus_params::hop_energy_per_bit, "ring, mesh: on top of it, of a bit a hop")
          .range(energy(0), energy(1e-9));
  return table;
}

void check_bus_params(const bus_params& p, problem_list& problems, const std::string& where, const std::string& path) {
  const std::string prefix = path.empty() ? "" : path + ".";
  if (!arbiters().contains(p.arbiter))
    problems.add({where, prefix + "arbiter", "unknown arbiter '" + p.arbiter + "'",
                  "one of: " + joined(arbiters().names()), nearest_name(p.arbiter, arbiters().names())});
  for (const auto& [key, map, arbiter] :
       {std::tuple{"weights", &p.weights, "weighted"}, std::tuple{"priorities", &p.priorities, "fixed_priority"}})
    if (!map->empty() && p.arbiter != arbiter)
      problems.add({where, prefix + key, "the arbiter is " + p.arbiter,
                    std::string("arbiter: ") + arbiter + ", or no '" + key + "'", ""});
  const std::int64_t granule = to_bytes(p.granule), width = to_bytes(p.width);
  if (granule != 0 && (granule < width || granule % width != 0))
    problems.add({where, prefix + "granule", "got " + std::to_string(granule) + " B",
                  "a multiple of the width, " + std::to_string(width) + " B", ""});
  if (!topologies().contains(p.topology)) {
    problems.add({where, prefix + "topology", "unknown topology '" + p.topology + "'",
                  "one of: " + joined(topologies().names()), nearest_name(p.topology, topologies().names())});
    return;
  }
  const int nodes = topologies().get(p.topology).nodes(static_cast<int>(p.columns), static_cast<int>(p.rows));
  for (const auto& [name, list] : p.nodes) {
    const std::string key = prefix + "nodes." + name;
    if (nodes == 0)
      problems.add(
          {where, key, "a " + p.topology + " bus has no routers", "no 'nodes', or topology: ring or mesh", ""});
    else if (list.empty())
      problems.add({where, key, "is an empty list", "at least one router", ""});
    for (const auto node : list)
      if (nodes != 0 && (node < 0 || node >= nodes))
        problems.add({where, key, "got " + std::to_string(node), "routers 0 to " + std::to_string(nodes - 1), ""});
  }
  const std::int64_t unit = p.granule_bytes();
  if (nodes != 0 && to_bytes(p.interleave) % unit != 0)
    problems.add({where, prefix + "interleave", "got " + std::to_string(to_bytes(p.interleave)) + " B",
                  "a multiple of the granule, " + std::to_string(unit) + " B", ""});
}

}  // namespace memwall
