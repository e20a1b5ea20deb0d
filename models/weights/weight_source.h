// SPDX-License-Identifier: Apache-2.0
// The numbers of a model's weights, under the names that models/model.h gives them.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "models/model.h"

namespace memwall {

class weight_source {
 public:
  virtual ~weight_source() = default;
  /// Columns [column, column + columns) of rows [first, first + count) of a weight of weights_of(). May be called from
  /// several threads.
  virtual void block(const weight& w, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t columns,
                     float* out) const = 0;
  /// The largest magnitude of each row, where that is known without reading (`out`: w.rows numbers); else false.
  virtual bool largest_of_rows(const weight& /*w*/, float* /*out*/) const { return false; }
  /// Nobody reads the weight for a while: what of a file is mapped for it may leave memory.
  virtual void rest(const weight& /*w*/) const {}
  void rows(const weight& w, std::int64_t first, std::int64_t count, float* out) const {
    block(w, first, count, 0, w.columns, out);
  }
};

/// The .safetensors of a folder (or a file). Names and shapes of all tensors are looked at first: what is missing,
/// misshapen or unknown is reported together (input_error).
std::unique_ptr<weight_source> open_weights(const model& m, const std::string& path);

/// Numbers drawn from a seed, for the shape of a model whose weights are not at hand: even within +-sqrt(3 / inputs),
/// so that products keep the variance of their inputs; gains 1, biases 0.
std::unique_ptr<weight_source> draw_weights(const model& m, std::uint64_t seed);

}  // namespace memwall
