// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/topology.h"

#include <map>

namespace memwall {

registry<topology>& topologies() {
  static registry<topology> all("topology");
  return all;
}

fabric_plan plan_network(const fabric_shape& shape, const std::function<std::vector<int>(int, int)>& route) {
  fabric_plan plan;
  std::map<std::string, int> known;  // only lanes that some path crosses are made
  const auto lane = [&](const std::string& name, ps_t hop, int initiator) {
    const auto [at, fresh] = known.emplace(name, static_cast<int>(plan.lanes.size()));
    if (fresh) plan.lanes.push_back({name, hop, false, initiator});
    return at->second;
  };
  const auto path = [&](const fabric_port& initiator, const fabric_port& target, bool read) {
    const std::string kind = shape.common ? "" : read ? "read." : "write.";
    const int at_initiator = lane(kind + "initiator." + initiator.name, 0, initiator.module);
    const int at_target = lane(kind + "target." + target.name, 0, -1);
    path_plan p;
    p.lanes.push_back(read ? at_target : at_initiator);
    int from = read ? target.node : initiator.node;
    for (const int to : route(from, read ? initiator.node : target.node)) {
      p.lanes.push_back(lane(kind + std::to_string(from) + "-" + std::to_string(to), shape.hop_latency, -1));
      p.latency += shape.hop_latency;
      from = to;
    }
    p.lanes.push_back(read ? at_initiator : at_target);
    return p;
  };
  for (const auto& i : shape.initiators)
    for (const auto& t : shape.targets) {
      plan.read.push_back(path(i, t, true));
      plan.write.push_back(path(i, t, false));
    }
  return plan;
}

}  // namespace memwall
