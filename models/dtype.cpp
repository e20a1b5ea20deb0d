// SPDX-License-Identifier: Apache-2.0
#include "models/dtype.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <stdexcept>

#include "hw/common/error.h"

namespace memwall {
namespace {

constexpr std::uint32_t e4 = 10000;

/// Reads decimal digits at `at` and moves behind them; false when there are none or the number is above
/// `highest`.
bool digits(std::string_view text, std::size_t& at, std::uint32_t highest, std::uint32_t& out) {
  const std::size_t start = at;
  std::uint64_t v = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9' && at - start < 9)
    v = v * 10 + static_cast<std::uint64_t>(text[at++] - '0');
  out = static_cast<std::uint32_t>(v);
  return at != start && v <= highest;
}

/// "w4.85": up to four decimals, more than 0 and at most 64 bits.
bool parse_packed(std::string_view text, dtype& out) {
  std::size_t at = 1;
  std::uint32_t whole = 0, fraction = 0;
  if (!digits(text, at, 64, whole)) return false;
  if (at < text.size() && text[at] == '.') {
    const std::size_t start = ++at;
    if (!digits(text, at, 9999, fraction) || at - start > 4) return false;
    for (std::size_t i = at - start; i < 4; ++i) fraction *= 10;
  }
  out = {dtype::kind::packed, whole * e4 + fraction, 0, 0, 0};
  return at == text.size() && out.bits_e4 > 0 && out.bits_e4 <= 64 * e4;
}

/// "int4g32s16z4", "fp8", ...
bool parse_plain(std::string_view text, dtype& out) {
  const auto starts = [&](std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; };
  std::size_t at = 0;
  if (starts("int"))
    out.number = dtype::kind::integer, at = 3;
  else if (starts("fp"))
    out.number = dtype::kind::fp, at = 2;
  else if (starts("bf"))
    out.number = dtype::kind::bf, at = 2;
  else if (starts("tf"))
    out.number = dtype::kind::tf, at = 2;
  else
    return false;
  std::uint32_t width = 0;
  if (!digits(text, at, 64, width) || width == 0) return false;
  switch (out.number) {
    case dtype::kind::integer:
      if (width > 32) return false;
      break;
    case dtype::kind::fp:
      if (width != 4 && width != 6 && width != 8 && width != 16 && width != 32 && width != 64) return false;
      break;
    case dtype::kind::bf:
      if (width != 16) return false;
      break;
    default:
      if (width != 32) return false;
  }
  out.bits_e4 = width * e4;
  out.group = out.scale_bits = out.zero_bits = 0;
  if (at == text.size()) return true;
  if (text[at++] != 'g' || !digits(text, at, 65536, out.group) || out.group < 2) return false;
  out.scale_bits = 16;
  if (at < text.size() && text[at] == 's' && (!digits(text, ++at, 64, out.scale_bits) || out.scale_bits == 0))
    return false;
  if (at < text.size() && text[at] == 'z' && (!digits(text, ++at, 64, out.zero_bits) || out.zero_bits == 0))
    return false;
  return at == text.size();
}

bool parse_any(std::string_view text, dtype& out) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const auto& [alias, meaning] : dtype_aliases())
    if (alias == lower) lower = meaning;
  return !lower.empty() && (lower[0] == 'w' ? parse_packed(lower, out) : parse_plain(lower, out));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

const char* const expected_types =
    "fp32, fp16, bf16, fp8, int8, int4, a grouped form such as int4g32 (16-bit scale for 32 values) or "
    "int4g32s32, "
    "or average bits such as w4.85";

}  // namespace

std::int64_t checked_product(std::initializer_list<std::int64_t> factors) {
  std::int64_t out = 1;
  for (const std::int64_t f : factors)
    if (__builtin_mul_overflow(out, f, &out) || out > (std::int64_t{1} << 62))
      throw std::overflow_error("more than 2^62 bytes");
  return out;
}

const std::vector<std::pair<std::string, std::string>>& dtype_aliases() {
  // Block formats of llama.cpp: block size and bytes from ggml/src/ggml-common.h (block_q4_0: 18 bytes for 32
  // values; block_q4_K: 144 bytes for 256; block_q6_K: 210; ...). q4_k_m mixes q4_k and q6_k by layer: its
  // average depends on the model, 4.82 (Llama-2-7B) to 4.90 (Llama-3-8B); 4.85 stands in when the file size
  // is not known.
  static const std::vector<std::pair<std::string, std::string>> aliases = {
      {"f16", "fp16"},        {"f32", "fp32"},        {"iq1_s", "w1.5625"},  {"iq2_xs", "w2.3125"},
      {"iq2_xxs", "w2.0625"}, {"iq3_xxs", "w3.0625"}, {"iq4_nl", "int4g32"}, {"iq4_xs", "w4.25"},
      {"mxfp4", "fp4g32s8"},  {"nvfp4", "fp4g16s8"},  {"q2_k", "w2.625"},    {"q3_k", "w3.4375"},
      {"q4_0", "int4g32"},    {"q4_1", "int4g32z16"}, {"q4_k", "w4.5"},      {"q4_k_m", "w4.85"},
      {"q5_0", "int5g32"},    {"q5_1", "int5g32z16"}, {"q5_k", "w5.5"},      {"q6_k", "w6.5625"},
      {"q8_0", "int8g32"},
  };
  return aliases;
}

std::vector<std::string> dtype_names() {
  std::vector<std::string> out = {"fp32",    "tf32",       "fp16",    "bf16",     "fp8",       "fp6",
                                  "fp4",     "int8",       "int4",    "int3",     "int2",      "int8g32",
                                  "int4g32", "int4g32s32", "int4g64", "int4g128", "int4g128z4"};
  for (const auto& [alias, unused] : dtype_aliases()) out.push_back(alias);
  return out;
}

dtype dtype::parse(std::string_view text, const std::string& where, const std::string& key) {
  dtype out;
  if (!parse_any(text, out))
    throw input_error(problem{where, key, "unknown type '" + std::string(text) + "'", expected_types,
                              nearest_name(text, dtype_names())});
  return out;
}

std::string dtype::name() const {
  if (number == kind::packed) {
    std::string fraction = std::to_string(e4 + bits_e4 % e4).substr(1);
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    return "w" + std::to_string(bits_e4 / e4) + (fraction.empty() ? "" : "." + fraction);
  }
  static constexpr const char* prefix[] = {"fp", "bf", "tf", "int"};
  std::string out = prefix[static_cast<std::size_t>(number)] + std::to_string(bits_e4 / e4);
  if (group != 0) {
    out += "g" + std::to_string(group);
    if (scale_bits != 16) out += "s" + std::to_string(scale_bits);
    if (zero_bits != 0) out += "z" + std::to_string(zero_bits);
  }
  return out;
}

double dtype::bits() const {
  const double overhead = group == 0 ? 0.0 : static_cast<double>(scale_bits + zero_bits) / group;
  return bits_e4 / static_cast<double>(e4) + overhead;
}

std::int64_t bytes_of(const dtype& type, std::int64_t rows, std::int64_t row_length) {
  if (rows <= 0 || row_length <= 0) return 0;
  constexpr std::int64_t unit = 8 * static_cast<std::int64_t>(e4);  // one byte in units of 10^-4 bit
  const std::int64_t groups = type.group == 0 ? 0 : (row_length - 1) / type.group + 1;
  // In whole bytes and a rest, so that the product cannot overflow before its result does.
  std::int64_t row = checked_product({row_length / unit, type.bits_e4});
  const std::int64_t group_bits = checked_product({groups, type.scale_bits + type.zero_bits});
  row += group_bits / 8;
  const std::int64_t rest = row_length % unit * type.bits_e4 + group_bits % 8 * e4;
  row += (rest + unit - 1) / unit;
  return checked_product({rows, row});
}

dtypes dtypes::parse(std::string_view text, const std::string& where, const std::string& key) {
  const auto parts = split(text, '/');
  if (parts.size() > 3)
    throw input_error(
        problem{where, key, "got '" + std::string(text) + "'", "at most three types, weights/activations/kv", ""});
  dtypes out;
  const auto held = split(parts[0], '@');
  if (held.size() > 2)
    throw input_error(
        problem{where, key, "got '" + std::string(text) + "'", "at most one type of tables, others@tables", ""});
  const auto stored = split(held[0], '+');
  if (stored.size() > 2)
    throw input_error(
        problem{where, key, "got '" + std::string(text) + "'", "at most two types of weights, others+experts", ""});
  out.weights = dtype::parse(stored[0], where, key);
  out.experts = stored.size() == 2 ? dtype::parse(stored[1], where, key) : out.weights;
  out.tables = held.size() == 2 ? dtype::parse(held[1], where, key) : out.weights;
  if (parts.size() == 1)
    out.activations = out.kv = out.weights.is_float() && !out.weights.is_grouped() ? out.weights : dtype{};
  else
    out.activations = dtype::parse(parts[1], where, key);
  if (parts.size() >= 2) out.kv = parts.size() == 3 ? dtype::parse(parts[2], where, key) : out.activations;
  return out;
}

std::string dtypes::name() const {
  return weights.name() + (experts == weights ? "" : "+" + experts.name()) +
         (tables == weights ? "" : "@" + tables.name()) + "/" + activations.name() + "/" + kv.name();
}

dtype dtypes::vectors() const {
  return weights.is_float() && !weights.is_grouped() && weights.bits_e4 >= 16 * e4 ? weights : dtype{};
}

}  // namespace memwall
