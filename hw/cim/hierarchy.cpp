// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/hierarchy.h"

#include <algorithm>
#include <cmath>

#include "hw/common/checked.h"

namespace memwall::cim {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}
double ps_of(double bytes, bandwidth b) {
  return bytes / b.value * 1e12;
}

}  // namespace

const param_table<hierarchy_params>& hierarchy_table() {
  static const auto table = [] {
    using p = hierarchy_params;
    const bandwidth slow(1e3), fast(1e16);
    const duration zero(0), second(1.0);
    const energy none(0), most(1e-6);
    param_table<p> t("cim_hierarchy");
    t.add("macros_per_tile", &p::macros_per_tile, "macros of one tile").range<std::int64_t>(1, 1 << 20);
    t.add("tiles_per_chip", &p::tiles_per_chip, "tiles of one chip").range<std::int64_t>(1, 1 << 20);
    t.add("chips", &p::chips, "chips of the package (or rack)").range<std::int64_t>(1, 1 << 24);
    t.add("tile_network", &p::tile_network, "tile buffer to and from its macros").range(slow, fast);
    t.add("chip_network", &p::chip_network, "chip port to and from its tiles, shared").range(slow, fast);
    t.add("package_link", &p::package_link, "package port to and from one chip").range(slow, fast);
    t.add("package_port", &p::package_port, "the package's port: what all its chips bring and take").range(slow, fast);
    t.add(
         "topology", &p::topology,
         "links between the port and the chips. star: one to each chip; ring, mesh: from chip to chip; tree: switches; "
         "dragonfly: all to all in a group of switch_radix chips, and among groups")
        .choices({"star", "ring", "mesh", "tree", "dragonfly"});
    t.add("switch_radix", &p::switch_radix, "tree: links of a switch to the level below; dragonfly: chips of a group")
        .range<std::int64_t>(2, 1 << 20);
    t.add("tile_latency", &p::tile_latency, "one crossing").range(zero, second);
    t.add("chip_latency", &p::chip_latency, "one crossing").range(zero, second);
    t.add("package_latency", &p::package_latency, "one link of the topology").range(zero, second);
    t.add("tile_energy", &p::tile_energy, "one byte across a tile").range(none, most);
    t.add("chip_energy", &p::chip_energy, "one byte across a chip").range(none, most);
    t.add("package_energy", &p::package_energy, "one byte to or from a chip").range(none, most);
    t.add("accumulate_rate", &p::accumulate_rate, "partial-sum additions of one tile")
        .range(op_rate(1.0), op_rate(1e18));
    t.add("accumulate_energy", &p::accumulate_energy, "one addition").range(none, most);
    t.add("tile_buffer", &p::tile_buffer, "inputs and outputs of one tile").range(byte_size(1), byte_size(1e12));
    t.add("tile_leakage", &p::tile_leakage, "buffers, accumulators and network of one tile")
        .range(power(0), power(1e3));
    t.add("gated_leakage", &p::gated_leakage,
          "share of their leakage that macros and tiles keep while they do not compute; 1: no power gating")
        .range(0.0, 1.0);
    t.add("wake_ahead", &p::wake_ahead, "gated macros and tiles are powered this long before they compute")
        .range(zero, second);
    t.add("tile_area", &p::tile_area, "buffers, accumulators and network of one tile").range(area(0), area(1e-2));
    return t;
  }();
  return table;
}

double hierarchy_params::hops(std::int64_t used) const {
  const auto all = static_cast<double>(chips), in_use = static_cast<double>(used);
  if (topology == "ring") return std::max(1.0, std::min(all / 2, all / 4 + in_use / 2));
  if (topology == "mesh") return std::max(1.0, std::sqrt(all) - 1 + std::sqrt(in_use) - 1);
  if (topology == "tree") return 1 + std::ceil(std::log(all) / std::log(static_cast<double>(switch_radix)) - 1e-9);
  if (topology == "dragonfly") return chips <= switch_radix ? 1 : 3;
  return 1;
}

// Pieces of one column of the layer sit side by side, so that a tile adds up as many partial sums as it can
// itself. The fullest tile and the fullest chip set the pace; vectors follow one another through the stages.
layer_cost cost_layer(const hierarchy_params& h, const macro& m, const fold& f, std::int64_t vectors, int in_bits,
                      int w_bits, std::int64_t group) {
  if (f.pieces() > h.macros())
    throw input_error(problem{"", "macros", "the layer takes " + std::to_string(f.pieces()) + " macros",
                              "at most " + std::to_string(h.macros()), ""});
  layer_cost out;
  out.macros = f.pieces();
  out.tiles = ceil_div(out.macros, h.macros_per_tile);
  out.chips = ceil_div(out.tiles, h.tiles_per_chip);
  // A vector is `parts` products, one a group of rows, behind each other.
  const std::int64_t parts = group > 0 ? ceil_div(f.piece_rows, group) : 1;
  mvm_shape one{group > 0 ? std::min(group, f.piece_rows) : f.piece_rows, f.piece_cols, parts, in_bits, w_bits, 0};
  const mvm_cost macro_one = m.mvm(one);
  const ps_t macro_interval = macro_one.interval * parts;
  check_time(std::max(macro_one.total, macro_interval), static_cast<double>(vectors));
  checked_product(std::max(macro_one.input_bytes, macro_one.output_bytes), vectors);
  one.vectors = checked_product(vectors, parts);
  const mvm_cost macro_all = m.mvm(one);

  // Bytes of one vector. A network carries an input once to all who listen.
  const std::int64_t in_tile = std::min(h.macros_per_tile, out.macros);
  const std::int64_t in_chip_tiles = std::min(h.tiles_per_chip, out.tiles);
  const std::int64_t in_chip = std::min(h.tiles_per_chip * h.macros_per_tile, out.macros);
  const std::int64_t input_piece = ceil_div(f.piece_rows * in_bits, 8);
  const std::int64_t partial_piece = macro_one.output_bytes;  // of all groups
  const std::int64_t output_piece = partial_piece / parts;
  const std::int64_t tile_in = std::min(f.row_folds, in_tile) * input_piece;
  const std::int64_t tile_out = in_tile * partial_piece;
  const std::int64_t chip_in = std::min(f.row_folds, in_chip) * input_piece;
  // Sums that leave a tile: one for each column it holds a part of.
  const std::int64_t columns_a_tile = ceil_div(in_tile, f.row_folds);
  const std::int64_t columns_a_chip = ceil_div(in_chip, f.row_folds);
  const std::int64_t chip_out = in_chip_tiles * columns_a_tile * output_piece;
  // Beyond the chip sums are numbers, not the accesses that macros answer with.
  const int sum_bits = m.natural_out_bits({f.piece_rows, f.piece_cols, 1, in_bits, w_bits, 0});
  const std::int64_t package_in = chip_in;
  const std::int64_t package_out = ceil_div(columns_a_chip * f.piece_cols * sum_bits, 8);
  const std::int64_t sums_a_column = ceil_div(f.row_folds, in_chip);  // of a column that lies on several chips
  // Each partial sum of a group takes a multiplication by its scale and an addition.
  const std::int64_t scalings = group > 0 ? 2 * parts * in_tile : 0;
  const double additions_a_tile =
      static_cast<double>(scalings + in_tile - columns_a_tile +
                          ceil_div(in_chip_tiles * columns_a_tile - columns_a_chip, in_chip_tiles)) *
      static_cast<double>(f.piece_cols);

  const double tile_ps = ps_of(static_cast<double>(tile_in + tile_out), h.tile_network);
  const double chip_ps = ps_of(static_cast<double>(chip_in + chip_out), h.chip_network);
  // The network carries the inputs to all chips at once; what they bring comes together at the port.
  const double port_ps = ps_of(
      static_cast<double>(ceil_div(f.k * in_bits, 8) + ceil_div(sums_a_column * f.n * sum_bits, 8)), h.package_port);
  const double package_ps =
      h.chips > 1 ? std::max(port_ps, ps_of(static_cast<double>(package_in + package_out), h.package_link)) : 0;
  const double add_ps = additions_a_tile / h.accumulate_rate.value * 1e12;
  const double macro_ps = static_cast<double>(macro_interval);
  const double pace = std::max({tile_ps, chip_ps, package_ps, add_ps, macro_ps});

  const auto whole = checked_ps;
  out.interval = whole(pace);
  out.own_interval = whole(std::max({tile_ps, package_ps, add_ps, macro_ps}));
  out.port_interval = whole(chip_ps);
  out.shares_chip = out.macros < h.macros_per_tile * h.tiles_per_chip;
  // First vector through every stage, the others behind it at the pace of the slowest.
  const double latency = 2e12 * (h.tile_latency.value + h.chip_latency.value);
  // A package of one chip has no links; in a larger one a layer on a single chip is no nearer to the port.
  const double links = h.chips > 1 ? 2e12 * h.package_latency.value * h.hops(out.chips) : 0;
  out.parts = macro_one.parts;
  out.parts[stall::bus_transfer] += whole(tile_ps + chip_ps + latency);
  out.parts[stall::link] += whole(package_ps + links);
  out.parts[stall::cim_digital] += whole(add_ps);
  const ps_t rest = whole(pace * static_cast<double>(vectors - 1));
  if (pace <= macro_ps) {
    // The macro's own account of the vectors that follow.
    stall_stack following = macro_all.parts;
    for (std::size_t i = 0; i < stall_count; ++i)
      following.part[i] = std::max<ps_t>(0, following.part[i] - macro_one.parts.part[i]);
    out.parts += apportion(rest, following, stall::cim_array);
  } else {
    const stall cause = pace == package_ps ? stall::link : pace == add_ps ? stall::cim_digital : stall::bus_transfer;
    stall_stack following;
    following[cause] = whole((pace - macro_ps) * static_cast<double>(vectors - 1));
    const stall_stack macro_part = apportion(rest - following[cause], macro_one.parts, stall::cim_array);
    out.parts += following;
    out.parts += macro_part;
  }
  out.total = out.parts.sum();

  const double v = static_cast<double>(vectors), tiles = static_cast<double>(out.tiles),
               chips = static_cast<double>(out.chips);
  out.tile_bytes = static_cast<std::int64_t>(v * tiles * static_cast<double>(tile_in + tile_out));
  out.chip_bytes = static_cast<std::int64_t>(v * chips * static_cast<double>(chip_in + chip_out));
  out.package_bytes =
      h.chips > 1 ? static_cast<std::int64_t>(v * chips * static_cast<double>(package_in + package_out)) : 0;
  // Inputs branch on their way, so that they cross about a link a chip; sums come each from its own chip.
  const double package_crossings =
      h.chips > 1 ? v * chips * (static_cast<double>(package_in) + h.hops(out.chips) * static_cast<double>(package_out))
                  : 0;
  // Dynamic energy is that of the layer's own numbers; leakage runs in every macro for the whole time.
  out.macro_energy = macro_all.energy;
  out.macro_energy[component::leakage] = 0;
  const double shape = static_cast<double>(f.k) * static_cast<double>(f.n) /
                       (static_cast<double>(f.piece_rows) * static_cast<double>(f.piece_cols));
  out.macro_energy = out.macro_energy.scaled(shape);
  out.macro_energy[component::leakage] =
      static_cast<double>(out.total) * 1e-3 *
      (m.leakage_mw() * static_cast<double>(out.macros) + h.tile_leakage.value * 1e3 * tiles);
  out.network_pj = static_cast<double>(out.tile_bytes) * to_pj(h.tile_energy) +
                   static_cast<double>(out.chip_bytes) * to_pj(h.chip_energy) +
                   package_crossings * to_pj(h.package_energy);
  const double scaled = group > 0 ? 2 * static_cast<double>(ceil_div(f.k, group)) * static_cast<double>(f.n) : 0;
  out.accumulate_pj = v * (static_cast<double>(f.accumulations()) + scaled) * to_pj(h.accumulate_energy);
  return out;
}

}  // namespace memwall::cim
