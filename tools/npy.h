// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files, as far as weights and inputs need them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace memwall::tools {

/// An array in C order. Element types float 16/32/64, integers of 8 to 64 bits, bool; little endian.
struct npy_array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// Throws input_error (file, what is wrong, what was expected).
npy_array read_npy(const std::string& path);
/// Writes float64. Through a temporary name: nothing half-written is left.
void write_npy(const std::string& path, const npy_array& array);

}  // namespace memwall::tools
