// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/topology.h"

namespace memwall {
namespace {

// columns x rows stops in a circle, lanes both ways; the shorter way, upwards where both are equally long.
fabric_plan plan(const fabric_shape& shape) {
  const int stops = shape.columns * shape.rows;
  return plan_network(shape, [stops](int from, int to) {
    const int up = (to - from + stops) % stops;
    const int step = up <= stops - up ? 1 : stops - 1;
    std::vector<int> way;
    while (from != to) way.push_back(from = (from + step) % stops);
    return way;
  });
}

const topology_entry entry{"ring",
                           "columns x rows stops in a circle, both ways, the shorter way",
                           {[](int columns, int rows) { return columns * rows; }, plan}};

}  // namespace
}  // namespace memwall
