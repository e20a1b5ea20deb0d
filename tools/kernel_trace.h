// SPDX-License-Identifier: Apache-2.0
// A trace of linear layers that are timed one by one.
#pragma once
#include <string>
#include <vector>

#include "tools/validation_data.h"

namespace memwall::tools {

/// Writes a trace with an operator for every kernel, named by its id, one after another. Before each, an operator reads
/// tensors that belong to nothing else, so that no kernel finds its weights in a cache.
void write_kernel_trace(const std::vector<const kernel_row*>& kernels, const std::string& file);

}  // namespace memwall::tools
