// SPDX-License-Identifier: Apache-2.0
// Tiles of a product in a scratchpad: which order and sizes move the fewest bytes to and from memory. Plain C++.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hw/npu/systolic.h"

namespace memwall::npu {

/// A product as the scratchpad sees it. Bytes of a value: of the inputs x, the weights W, the results y, and of a sum
/// that is not complete.
struct tiling_problem {
  product_shape shape;
  double input_bytes = 2, weight_bytes = 2, output_bytes = 2, sum_bytes = 4;
  bool input_on_chip = false;   ///< x lies in the scratchpad already: no traffic, and no room here
  bool output_on_chip = false;  ///< y stays there
  std::int64_t scratchpad = 0;  ///< bytes for tiles
  std::int64_t buffers = 2;     ///< of each operand tile: 2 where the next one loads while this one computes
  std::int64_t step_m = 1, step_n = 1, step_k = 1;  ///< tiles are multiples of these (the array), or all of a dimension
};

/// Bytes that cross to and from memory.
struct tile_traffic {
  double input = 0, weight = 0, output = 0;  ///< output: results and incomplete sums, written and read back
  double sums_read = 0;                      ///< of output, what is read back
  double total() const { return input + weight + output; }
};

/// Three loops over tiles, outermost first ("mnk": sums stay in place; "nkm": weights stay), and tile sizes.
struct tiling {
  std::string order = "mnk";
  std::int64_t tile_m = 1, tile_n = 1, tile_k = 1;
  tile_traffic traffic;
  double bytes_held = 0;   ///< of the scratchpad, buffers included
  double lower_bound = 0;  ///< no order and no tiles move fewer bytes
  std::string stays;       ///< what is not moved twice: "input weight output", a part of it, or ""
};

/// Bytes that a loop nest moves with room for one tile of each operand (times `buffers`): an operand is loaded again
/// whenever one of its own indices has changed.
tile_traffic traffic_of(const tiling_problem& p, const std::string& order, std::int64_t tile_m, std::int64_t tile_n,
                        std::int64_t tile_k);

/// Scratchpad that tiles take.
double bytes_held(const tiling_problem& p, std::int64_t tile_m, std::int64_t tile_n, std::int64_t tile_k);

/// The larger of: every operand once; and what a memory of S values needs for M N K multiply-accumulates,
/// 2 M N K / sqrt(S) - 2 S values (Smith, Lowery, Langou, van de Geijn 2019), the narrowest operand's bytes each.
double lower_bound(const tiling_problem& p);

/// The tiling with the fewest bytes; among equals the one with the fewest tiles. Throws input_error when not even the
/// smallest tiles fit.
tiling best_tiling(const tiling_problem& p);

/// Why, in words: "weights once, inputs once; sums stay (order nmk): 1.00 x the lower bound".
std::string reason(const tiling_problem& p, const tiling& t);

/// A mapping from a file: CSV with the columns m,n,k,order,tile_m,tile_n,tile_k; 0 in m, n or k matches any, in a tile:
/// all of that dimension. The first line that matches wins. Throws input_error with file and line.
struct mapping_line {
  product_shape shape;
  std::string order;
  std::int64_t tile_m = 0, tile_n = 0, tile_k = 0;
  std::string where;
};
std::vector<mapping_line> read_mappings(const std::string& path);
/// The line that matches, as a tiling; throws input_error when its tiles do not fit. Null when none matches.
bool mapped_tiling(const std::vector<mapping_line>& lines, const tiling_problem& p, tiling& out);

}  // namespace memwall::npu
