// SPDX-License-Identifier: Apache-2.0
// Number formats of weights, activations and KV cache, and the exact bytes they take.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace memwall {

/// A number format. Types users write:
///   fp32 tf32 fp16 bf16 fp8 fp6 fp4, int2 ... int8 int16 int32      plain
///   int4g32            4-bit values, one 16-bit scale for every 32 of them: 4.5 bits a value
///   int4g32s32         the same with a 32-bit scale: 5 bits
///   int4g128z4         a group of 128 with a 16-bit scale and a 4-bit zero point: 4.15625 bits
///   fp4g32s8           shared exponents (MXFP4): 4.25 bits
///   w4.85              any average bits a value, up to four decimals (mixed formats such as Q4_K_M)
///   q4_0 q8_0 q4_k ... the block formats of llama.cpp, as names for the above (see dtype_aliases())
struct dtype {
  enum class kind : std::uint8_t { fp, bf, tf, integer, packed };

  kind number = kind::fp;
  std::uint32_t bits_e4 = 160000;  ///< bits of one value, scales not counted, times 10^4
  std::uint32_t group = 0;         ///< values that share a scale; 0: no scales
  std::uint32_t scale_bits = 0;    ///< bits of a group's scale
  std::uint32_t zero_bits = 0;     ///< bits of a group's zero point

  /// Throws input_error{where, key} with the nearest name when `text` names no type.
  static dtype parse(std::string_view text, const std::string& where = {}, const std::string& key = {});

  /// The canonical name: parse(name()) == *this.
  std::string name() const;
  /// Average bits a value, scales and zero points of full groups included.
  double bits() const;
  bool is_float() const { return number == kind::fp || number == kind::bf || number == kind::tf; }
  bool is_grouped() const { return group != 0; }
  /// True for types that cannot be multiplied as they are: arithmetic unpacks them first (below 8 bits,
  /// grouped, packed).
  bool needs_unpacking() const { return is_grouped() || number == kind::packed || bits_e4 < 80000; }

  friend bool operator==(const dtype& a, const dtype& b) {
    return a.number == b.number && a.bits_e4 == b.bits_e4 && a.group == b.group && a.scale_bits == b.scale_bits &&
           a.zero_bits == b.zero_bits;
  }
  friend bool operator!=(const dtype& a, const dtype& b) { return !(a == b); }
};

/// Bytes of `rows` rows of `row_length` values each. Every row starts on a byte; groups run along the row and
/// the last, partial group has its own scale. Throws std::overflow_error beyond 2^62 bytes.
std::int64_t bytes_of(const dtype& type, std::int64_t rows, std::int64_t row_length);
/// Bytes of one row.
inline std::int64_t bytes_of(const dtype& type, std::int64_t elements) {
  return bytes_of(type, 1, elements);
}

/// a x b x ... Throws std::overflow_error beyond 2^62.
std::int64_t checked_product(std::initializer_list<std::int64_t> factors);

/// Names of block formats of other programs and what they are here, e.g. {"q4_0", "int4g32"}. Sorted.
const std::vector<std::pair<std::string, std::string>>& dtype_aliases();
/// Plain and common grouped names, for messages and completion.
std::vector<std::string> dtype_names();

/// The types of a run, written "weights/activations/kv". Where experts are stored in another type than the other
/// matrices (MXFP4 checkpoints), the weights are "others+experts": "int8g32+fp4g32s8/fp16/fp16". Where the tables, that
/// is the embedding and the lm_head, are (most quantised checkpoints leave them as they were):
/// "int4g128@fp16/fp16/fp16".
struct dtypes {
  dtype weights, activations, kv;
  dtype experts;  ///< as weights unless named
  dtype tables;   ///< of embedding, positions and lm_head; as weights unless named

  /// "W/A/KV", "W/A" (KV as A) or "W". A lone floating-point type is used for all three; a lone integer or
  /// packed type is for the weights, with fp16 activations and KV cache.
  static dtypes parse(std::string_view text, const std::string& where = {}, const std::string& key = {});
  std::string name() const;  ///< always "weights/activations/kv", with "+experts" and "@tables" where they differ
  /// Type of norms, biases and routers: the weights' type where that has 16 bits or more, else fp16.
  dtype vectors() const;

  friend bool operator==(const dtypes& a, const dtypes& b) {
    return a.weights == b.weights && a.activations == b.activations && a.kv == b.kv && a.experts == b.experts &&
           a.tables == b.tables;
  }
};

}  // namespace memwall
