// SPDX-License-Identifier: Apache-2.0
// How the ports of a bus are joined: which channels there are and which of them a transfer crosses. A new topology is
// one file in hw/bus/topologies/. Functional core: no SystemC.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hw/common/quantity.h"
#include "hw/common/registry.h"

namespace memwall {

/// Where a module is attached. A module at several nodes has a port at each.
struct fabric_port {
  std::string name;
  int module = 0;  ///< index among the initiators or among the targets
  int node = 0;    ///< routers only
};

struct fabric_shape {
  std::vector<fabric_port> initiators, targets;
  bool common = false;        ///< reads and writes share channels
  ps_t hop_latency = 0;       ///< routers: from one to the next
  int columns = 1, rows = 1;  ///< routers
};

/// One channel.
struct lane_plan {
  std::string name;
  /// From the end of a granule on this lane until it is seen behind it: hops of a network. `latent` lanes end a path
  /// whose pipeline follows anyway: they are looked at that much later, which saves a wake-up.
  ps_t hop = 0;
  bool latent = false;
  int initiator = -1;  ///< stands at the port of this one, and targets take turns on it; -1: initiators take turns
};

struct path_plan {
  std::vector<int> lanes;  ///< in the order in which data cross them
  ps_t latency = 0;        ///< of what has no data on the same way: requests, responses of writes
};

struct fabric_plan {
  std::vector<lane_plan> lanes;
  std::vector<path_plan> read, write;  ///< [initiator port x number of target ports + target port]
};

struct topology {
  /// Routers that modules can be attached to; 0: places do not matter.
  std::function<int(int columns, int rows)> nodes;
  std::function<fabric_plan(const fabric_shape&)> plan;
};

/// All topologies by name.
registry<topology>& topologies();

using topology_entry = registered<&topologies>;

/// For networks of routers: every port has a lane into its router and one out of it, every router one to each
/// neighbour. `route` lists the routers after `from` up to `to`. Transfers are forwarded as soon as their first granule
/// is there (cut-through), and a router holds what does not go on: as many bytes as initiators may have outstanding, so
/// that a lane is never held by somebody who waits for another one and no cycle of waiting can form, whatever the
/// routes.
fabric_plan plan_network(const fabric_shape& shape, const std::function<std::vector<int>(int from, int to)>& route);

}  // namespace memwall
