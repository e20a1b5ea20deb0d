// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/topology.h"

namespace memwall {
namespace {

// A channel at every port; a transfer crosses that of its source and that of its destination.
fabric_plan plan(const fabric_shape& shape) {
  fabric_plan out;
  const auto add = [&](const std::string& name, int initiator) {
    out.lanes.push_back({name, 0, false, initiator});
    return static_cast<int>(out.lanes.size()) - 1;
  };
  std::vector<int> read_target, write_target, read_initiator, write_initiator;
  for (const auto& t : shape.targets) {
    read_target.push_back(add((shape.common ? "target." : "read.target.") + t.name, -1));
    write_target.push_back(shape.common ? read_target.back() : add("write.target." + t.name, -1));
  }
  for (const auto& i : shape.initiators) {
    read_initiator.push_back(add((shape.common ? "initiator." : "read.initiator.") + i.name, i.module));
    write_initiator.push_back(shape.common ? read_initiator.back() : add("write.initiator." + i.name, i.module));
  }
  for (std::size_t i = 0; i < shape.initiators.size(); ++i)
    for (std::size_t t = 0; t < shape.targets.size(); ++t) {
      out.read.push_back({{read_target[t], read_initiator[i]}, 0});
      out.write.push_back({{write_initiator[i], write_target[t]}, 0});
    }
  return out;
}

const topology_entry entry{"crossbar", "a channel at every port", {[](int, int) { return 0; }, plan}};

}  // namespace
}  // namespace memwall
