// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/topology.h"

namespace memwall {
namespace {

fabric_plan plan(const fabric_shape& shape) {
  fabric_plan out;
  out.lanes.push_back({shape.common ? "common" : "read", 0, true, -1});
  if (!shape.common) out.lanes.push_back({"write", 0, true, -1});
  const std::size_t paths = shape.initiators.size() * shape.targets.size();
  out.read.assign(paths, {{0}, 0});
  out.write.assign(paths, {{shape.common ? 0 : 1}, 0});
  return out;
}

const topology_entry entry{"shared", "one channel for everybody", {[](int, int) { return 0; }, plan}};

}  // namespace
}  // namespace memwall
