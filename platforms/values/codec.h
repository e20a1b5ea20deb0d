// SPDX-License-Identifier: Apache-2.0
// Numbers as the bytes that lie in memories and travel in transfers.
#pragma once
#include <cstdint>

#include "models/dtype.h"

namespace memwall::platforms {

/// Rows of numbers in one type: fp32, fp16, bf16; plain integers of 2 to 8 bits, packed from the lowest bit on, whose
/// scale lies elsewhere; or groups of integers, each with its scale of 16 or 32 bits behind it. As long as bytes_of().
class codec {
 public:
  /// Throws input_error{where, key} for other types.
  codec(const dtype& type, const char* where, const char* key);

  bool has_scale() const { return m_type.number == dtype::kind::integer && !m_type.is_grouped(); }
  bool is_single() const { return m_type.number != dtype::kind::integer && m_bits == 32; }
  int bits() const { return m_bits; }
  /// Largest integer, as far below zero as above.
  std::int32_t top() const { return (1 << (m_bits - 1)) - 1; }
  std::int64_t row_bytes(std::int64_t n) const { return bytes_of(m_type, n); }
  void encode(const float* values, std::int64_t n, float scale, unsigned char* out) const;
  void decode(const unsigned char* in, std::int64_t n, float scale, float* values) const;
  /// The nearest integers of the type to values / scale, ties to even.
  void quantise(const float* values, std::int64_t n, float scale, std::int32_t* out) const;
  /// Plain integers as they are.
  void decode_integers(const unsigned char* in, std::int64_t n, std::int32_t* values) const;

 private:
  dtype m_type;
  int m_bits = 16;
};

/// The nearest whole numbers to values / scale within -top ... top, ties to even.
void quantise_to(float top, const float* values, std::int64_t n, float scale, std::int32_t* out);
/// Largest magnitude of finite numbers; 0 of none.
float largest_magnitude(const float* values, std::int64_t n);

}  // namespace memwall::platforms
