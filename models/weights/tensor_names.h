// SPDX-License-Identifier: Apache-2.0
// Which tensors of a family's checkpoint a weight of ours is made of.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/model.h"

namespace memwall {

/// Rows of a weight that one tensor holds: value (row, column) lies at `first` + row x `row_step` + column x
/// `column_step`.
struct tensor_part {
  std::string name;
  std::vector<std::int64_t> shape;  ///< of the whole tensor
  std::int64_t rows = 0, first = 0, row_step = 1, column_step = 1;
};

/// In the order of our rows; biases and gains as one column, whose rows are their values. Empty where the family has no
/// names here.
std::vector<tensor_part> parts_of(const model& m, const weight& w);
/// Tensors that a checkpoint may hold beside the weights: buffers, or what stands a second time.
bool may_be_left(const model& m, const std::string& tensor);
/// Families whose checkpoints are read.
bool has_tensor_names(const std::string& family);

}  // namespace memwall
