// SPDX-License-Identifier: Apache-2.0
// Layers onto macros: folding over rows and columns, replication, placement until the capacity is gone.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hw/cim/macro.h"

namespace memwall::cim {

/// A K x N layer cut into pieces that fit one macro. Pieces differ by at most one quantum in each direction.
struct fold {
  std::int64_t k = 0, n = 0;
  std::int64_t row_folds = 1, col_folds = 1;    ///< pieces along K (their outputs are summed) and along N
  std::int64_t piece_rows = 0, piece_cols = 0;  ///< of the largest piece
  std::int64_t pieces() const { return row_folds * col_folds; }
  /// Additions of partial sums for one vector, outside the macros.
  std::int64_t accumulations() const { return (row_folds - 1) * n; }
  /// Weights held / weights the used macros could hold.
  double utilisation = 0;
};

/// Folds a layer. `macros_wanted` (flexible macros only): spread the layer over that many macros, outputs
/// first, then inputs; 0: as few as hold it. Throws input_error for a width the macro cannot hold, or an
/// empty layer.
fold fold_layer(const macro& m, std::int64_t k, std::int64_t n, int w_bits, std::int64_t macros_wanted = 0);

/// A layer that asks for macros.
struct layer_request {
  std::string name;
  std::int64_t k = 0, n = 0;
  int w_bits = 8;
  std::int64_t copies = 1;  ///< identical layers (blocks of a model)
  double uses_per_token =
      1;  ///< how often a weight is used (MoE experts < 1); hot layers are placed first when policy asks
};

enum class placement_policy : std::uint8_t {
  in_order,   ///< until the capacity is gone
  most_used,  ///< by uses_per_token, ties in order
};

/// Where a layer went, and why.
struct layer_placement {
  std::string name;
  fold folded;
  std::int64_t resident = 0;  ///< copies that stay in macros
  std::int64_t streamed =
      0;  ///< copies that do not fit: weights are written each time they are used, or computed elsewhere
  std::int64_t replicas = 1;  ///< of each resident copy, for throughput: in macros of their own
  std::int64_t macros = 0;    ///< used by the resident copies, replicas included
  std::int64_t rounds = 1;    ///< passes a streamed copy takes through the macros left for streaming
  std::string reason;         ///< one sentence
};

struct mapped_layers {
  std::vector<layer_placement> layers;
  std::int64_t macro_slots = 0;  ///< weight sets available: macros x sets
  std::int64_t slots_used = 0;
  std::int64_t stream_slots = 0;  ///< kept free for weights that stream
  double resident_bytes = 0, streamed_bytes = 0;
  bool fits() const { return streamed_bytes == 0; }
};

struct placement_options {
  std::int64_t macro_count = 1;
  std::int64_t stream_macros = 1;  ///< kept free for streaming when not everything fits
  placement_policy policy = placement_policy::in_order;
  std::int64_t max_replicas = 1;  ///< fills what is left with replicas, slowest layer first
};

mapped_layers place_layers(const macro& m, const std::vector<layer_request>& layers, const placement_options& options);

/// A folded layer that computes: one programmed_array a piece, partial sums added exactly.
class folded_array {
 public:
  /// Weights of rows [r0, r1) and columns [c0, c1), row-major.
  template <class Number>
  using piece_source = std::function<void(std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, Number*)>;

  folded_array(const macro& m, const std::int32_t* weights, std::int64_t k, std::int64_t n, number_format format,
               std::uint64_t seed);
  /// Asks for the weights piece by piece, on several threads: the whole need not be there at once. `macros_wanted`: see
  /// fold_layer. With `age`, the pieces settle at it.
  folded_array(const macro& m, const piece_source<std::int32_t>& weights, std::int64_t k, std::int64_t n,
               number_format format, std::uint64_t seed, std::int64_t macros_wanted, std::optional<double> age,
               int threads);
  /// Real weights, for units that compute on them.
  folded_array(const macro& m, const piece_source<float>& weights, std::int64_t k, std::int64_t n,
               std::int64_t macros_wanted, int threads);

  void compute(const std::int32_t* inputs, number_format in, double* outputs, double age = 0,
               std::uint64_t read = 0) const;
  /// `vectors` of k inputs each; the v-th has read number read + v.
  void compute_many(const std::int32_t* inputs, std::int64_t vectors, number_format in, double* outputs, double age,
                    std::uint64_t read, int threads) const;
  void compute_reals(const float* inputs, std::int64_t vectors, float* outputs, int threads) const;
  const fold& folded() const { return m_fold; }

 private:
  folded_array(const macro& m, std::int64_t k, std::int64_t n, int bits, std::int64_t macros_wanted);
  template <class Number, class Make>
  void make_pieces(const piece_source<Number>& weights, int threads, Make&& make);
  template <class Input, class Output, class Compute>
  void for_each_piece(const Input* inputs, std::int64_t vectors, Output* outputs, int threads,
                      Compute&& compute_piece) const;

  fold m_fold;
  std::vector<std::int64_t> m_row_start, m_col_start;       ///< one more than folds
  std::vector<std::unique_ptr<programmed_array>> m_pieces;  ///< row-major
};

}  // namespace memwall::cim
