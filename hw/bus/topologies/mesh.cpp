// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/topology.h"

namespace memwall {
namespace {

// columns x rows routers, numbered row by row; along the row first, then along the column (dimension order).
fabric_plan plan(const fabric_shape& shape) {
  const int columns = shape.columns;
  return plan_network(shape, [columns](int from, int to) {
    std::vector<int> way;
    while (from % columns != to % columns) way.push_back(from += to % columns > from % columns ? 1 : -1);
    while (from != to) way.push_back(from += to > from ? columns : -columns);
    return way;
  });
}

const topology_entry entry{"mesh",
                           "columns x rows routers, along the row first",
                           {[](int columns, int rows) { return columns * rows; }, plan}};

}  // namespace
}  // namespace memwall
