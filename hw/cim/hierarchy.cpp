// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/hierarchy.h"

#include <algorithm>

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
    t.add("tile_latency", &p::tile_latency, "one crossing").range(zero, second);
    t.add("chip_latency", &p::chip_latency, "one crossing").range(zero, second);
    t.add("package_latency", &p::package_latency, "one crossing").range(zero, second);
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

// Pieces of one column of the layer sit side by side, so that a tile adds up as many partial sums as it can
// itself. The fullest tile and the fullest chip set the pace; vectors follow one another through the stages.
layer_cost cost_layer(const hierarchy_params& h, const macro& m, const fold& f, std::int64_t vectors, int in_bits,
                      int w_bits) {
  if (f.pieces() > h.macros())
    throw input_error(problem{"", "macros", "the layer takes " + std::to_string(f.pieces()) + " macros",
                              "at most " + std::to_string(h.macros()), ""});
  layer_cost out;
  out.macros = f.pieces();
  out.tiles = ceil_div(out.macros, h.macros_per_tile);
  out.chips = ceil_div(out.tiles, h.tiles_per_chip);
  mvm_shape one{f.piece_rows, f.piece_cols, 1, in_bits, w_bits, 0};
  const mvm_cost macro_one = m.mvm(one);
  check_time(std::max(macro_one.total, macro_one.interval), static_cast<double>(vectors));
  checked_product(std::max(macro_one.input_bytes, macro_one.output_bytes), vectors);
  one.vectors = vectors;
  const mvm_cost macro_all = m.mvm(one);

  // Bytes of one vector. A network carries an input once to all who listen.
  const std::int64_t in_tile = std::min(h.macros_per_tile, out.macros);
  const std::int64_t in_chip_tiles = std::min(h.tiles_per_chip, out.tiles);
  const std::int64_t in_chip = std::min(h.tiles_per_chip * h.macros_per_tile, out.macros);
  const std::int64_t input_piece = ceil_div(f.piece_rows * in_bits, 8);
  const std::int64_t output_piece = macro_one.output_bytes;
  const std::int64_t tile_in = std::min(f.row_folds, in_tile) * input_piece;
  const std::int64_t tile_out = in_tile * output_piece;
  const std::int64_t chip_in = std::min(f.row_folds, in_chip) * input_piece;
  // Sums that leave a tile: one for each column it holds a part of.
  const std::int64_t columns_a_tile = ceil_div(in_tile, f.row_folds);
  const std::int64_t columns_a_chip = ceil_div(in_chip, f.row_folds);
  const std::int64_t chip_out = in_chip_tiles * columns_a_tile * output_piece;
  const std::int64_t package_in = chip_in, package_out = columns_a_chip * output_piece;
  const double additions_a_tile =
      static_cast<double>(in_tile - columns_a_tile +
                          ceil_div(in_chip_tiles * columns_a_tile - columns_a_chip, in_chip_tiles)) *
      static_cast<double>(f.piece_cols);

  const double tile_ps = ps_of(static_cast<double>(tile_in + tile_out), h.tile_network);
  const double chip_ps = ps_of(static_cast<double>(chip_in + chip_out), h.chip_network);
  const double package_ps = out.chips > 1 ? ps_of(static_cast<double>(package_in + package_out), h.package_link) : 0;
  const double add_ps = additions_a_tile / h.accumulate_rate.value * 1e12;
  const double macro_ps = static_cast<double>(macro_one.interval);
  const double pace = std::max({tile_ps, chip_ps, package_ps, add_ps, macro_ps});

  const auto whole = checked_ps;
  out.interval = whole(pace);
  out.own_interval = whole(std::max({tile_ps, package_ps, add_ps, macro_ps}));
  out.port_interval = whole(chip_ps);
  out.shares_chip = out.macros < h.macros_per_tile * h.tiles_per_chip;
  // First vector through every stage, the others behind it at the pace of the slowest.
  const double latency =
      2e12 * (h.tile_latency.value + h.chip_latency.value + (out.chips > 1 ? h.package_latency.value : 0));
  out.parts = macro_one.parts;
  out.parts[stall::bus_transfer] += whole(tile_ps + chip_ps + latency);
  out.parts[stall::link] += whole(package_ps);
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
      out.chips > 1 ? static_cast<std::int64_t>(v * chips * static_cast<double>(package_in + package_out)) : 0;
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
                   static_cast<double>(out.package_bytes) * to_pj(h.package_energy);
  out.accumulate_pj = v * static_cast<double>(f.accumulations()) * to_pj(h.accumulate_energy);
  return out;
}

}  // namespace memwall::cim
