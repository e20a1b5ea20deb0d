// SPDX-License-Identifier: Apache-2.0
// Macro -> tile -> chip -> package: local networks with bandwidth, buffers and accumulators, so that moving
// inputs and partial sums can itself become the wall.
#pragma once
#include <cstdint>
#include <string>

#include "hw/cim/macro.h"
#include "hw/cim/mapping.h"
#include "hw/common/params.h"

namespace memwall::cim {

struct hierarchy_params {
  std::int64_t macros_per_tile = 8, tiles_per_chip = 8, chips = 1;
  bandwidth tile_network{64e9};    ///< tile buffer <-> its macros, one tile
  bandwidth chip_network{256e9};   ///< chip port <-> tiles, shared by a chip's tiles
  bandwidth package_link{64e9};    ///< package port <-> chips, one chip's link
  bandwidth package_port{1e16};    ///< of the package's port itself: what all chips bring and take
  std::string topology = "star";   ///< a chip_network_kind
  std::int64_t switch_radix = 32;  ///< tree: links of a switch to the level below
  duration tile_latency{2e-9}, chip_latency{10e-9}, package_latency{50e-9};     ///< one crossing, one hop
  energy tile_energy{0.05e-12}, chip_energy{0.3e-12}, package_energy{1.2e-12};  ///< one byte across
  op_rate accumulate_rate{64e9};       ///< partial-sum additions a second, one tile
  energy accumulate_energy{0.03e-12};  ///< one addition
  byte_size tile_buffer{64 * 1024.0};  ///< inputs and outputs of one tile
  power tile_leakage{1e-3};
  double gated_leakage =
      1;  ///< share of their leakage that macros and tiles keep while they do not compute; 1: not gated
  duration wake_ahead{0};   ///< gated ones are powered this long before they compute, so that nobody waits for them
  area tile_area{0.05e-6};  ///< buffers, accumulators and network of one tile, macros excluded
  std::int64_t macros() const { return macros_per_tile * tiles_per_chip * chips; }
  /// Links between the port and the farthest of `used` neighbouring chips that lie, in the mean over all layers, as far
  /// away as any. star: 1. tree: a switch a level, and one link more. ring: a quarter of the chips and half of those in
  /// use, at most half of all. dragonfly: one in a group, three beyond. mesh: half of both sides (the port is at a
  /// corner) and half of both of the square in use.
  double hops(std::int64_t used) const;
};
const param_table<hierarchy_params>& hierarchy_table();

/// A layer spread over the hierarchy: time and energy of `vectors` input vectors.
struct layer_cost {
  ps_t total = 0;
  ps_t interval = 0;                         ///< of one vector in steady state: the larger of the two below
  ps_t own_interval = 0, port_interval = 0;  ///< of the layer's own macros and tiles; of the network of its chips
  bool shares_chip = false;                  ///< the layer leaves room for others on its chip
  stall_stack parts;       ///< sums to total; network time shows as link (package) and bus_transfer (chip, tile)
  breakdown macro_energy;  ///< pJ
  double network_pj = 0, accumulate_pj = 0;
  std::int64_t tile_bytes = 0, chip_bytes = 0, package_bytes = 0;  ///< moved at each level
  std::int64_t macros = 0, tiles = 0, chips = 0;                   ///< in use
};

/// Identical tiles are costed once. `in_bits`, `w_bits` as in mvm_shape. `group`: rows whose weights share a scale; a
/// column cannot scale part of its sum, so that an array computes a group of rows at a time, and its tile scales and
/// adds the partial sums; 0: no groups. Throws input_error when the layer needs more macros than there are.
layer_cost cost_layer(const hierarchy_params& h, const macro& m, const fold& f, std::int64_t vectors, int in_bits,
                      int w_bits, std::int64_t group = 0);

}  // namespace memwall::cim
