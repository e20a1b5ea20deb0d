// SPDX-License-Identifier: Apache-2.0
#include "platforms/values/codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "hw/common/each_cpu.h"
#include "hw/common/error.h"
#include "models/weights/safetensors.h"

namespace memwall::platforms {
namespace {

void pack(const std::int32_t* values, std::int64_t n, int bits, unsigned char* out) {
  std::uint32_t held = 0;
  int have = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    held |= (static_cast<std::uint32_t>(values[i]) & ((1U << bits) - 1)) << have;
    for (have += bits; have >= 8; have -= 8, held >>= 8) *out++ = static_cast<unsigned char>(held);
  }
  if (have > 0) *out = static_cast<unsigned char>(held);
}

void unpack(const unsigned char* in, std::int64_t n, int bits, std::int32_t* values) {
  std::uint32_t held = 0;
  int have = 0;
  const std::uint32_t sign = 1U << (bits - 1);
  for (std::int64_t i = 0; i < n; ++i) {
    for (; have < bits; have += 8) held |= std::uint32_t{*in++} << have;
    const std::uint32_t v = held & ((1U << bits) - 1);
    values[i] = static_cast<std::int32_t>(v ^ sign) - static_cast<std::int32_t>(sign);
    held >>= bits;
    have -= bits;
  }
}

constexpr float to_nearest = 12582912.0F;  // 1.5 x 2^23: adding it leaves whole numbers, ties to even

MEMWALL_EACH_CPU void nearest(const float* values, std::int64_t n, float scale, float top, std::int32_t* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float v = std::min(std::max(values[i] / scale, -top), top);
    out[i] = static_cast<std::int32_t>((v + to_nearest) - to_nearest);
  }
}

// Magnitudes of floats are in the order of their bits.
MEMWALL_EACH_CPU std::int32_t largest_bits(const float* values, std::int64_t n) {
  std::int32_t most = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    std::int32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    most = std::max(most, bits & 0x7fffffff);
  }
  return most;
}

}  // namespace

void quantise_to(float top, const float* values, std::int64_t n, float scale, std::int32_t* out) {
  nearest(values, n, scale, top, out);
}

float largest_magnitude(const float* values, std::int64_t n) {
  const std::int32_t bits = largest_bits(values, n);
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

codec::codec(const dtype& type, const char* where, const char* key) : m_type(type) {
  using kind = dtype::kind;
  const bool floating = (type.number == kind::fp && (type.bits_e4 == 320000 || type.bits_e4 == 160000)) ||
                        (type.number == kind::bf && type.bits_e4 == 160000);
  const bool integer = type.number == kind::integer && type.bits_e4 % 10000 == 0 && type.bits_e4 >= 20000 &&
                       type.bits_e4 <= 80000 && type.zero_bits == 0 &&
                       (type.group == 0 || type.scale_bits == 16 || type.scale_bits == 32);
  if (!(floating && !type.is_grouped()) && !integer)
    throw input_error(problem{where, key, "got '" + type.name() + "'",
                              "fp32, fp16, bf16, int2 to int8, or int2 to int8 in groups such as int4g32", ""});
  m_bits = static_cast<int>(type.bits_e4 / 10000);
}

void codec::encode(const float* values, std::int64_t n, float scale, unsigned char* out) const {
  if (m_type.number != dtype::kind::integer) {
    if (m_bits == 32) {
      std::memcpy(out, values, static_cast<std::size_t>(n) * sizeof *values);
      return;
    }
    const auto round = m_type.number == dtype::kind::bf ? to_bfloat : to_half;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::uint16_t v = round(values[i]);
      std::memcpy(out + 2 * i, &v, sizeof v);
    }
    return;
  }
  const std::int64_t group = m_type.is_grouped() ? m_type.group : n;
  std::vector<std::int32_t> q(static_cast<std::size_t>(group));
  for (std::int64_t begin = 0; begin < n; begin += group) {
    const std::int64_t count = std::min(group, n - begin);
    if (m_type.is_grouped()) {
      float largest = 0;
      for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[begin + i]));
      scale = largest > 0 ? largest / static_cast<float>(top()) : 1.0F;
      if (m_type.scale_bits == 16) scale = std::max(from_half(to_half(scale)), 0x1p-24F);
    }
    quantise(values + begin, count, scale, q.data());
    pack(q.data(), count, m_bits, out);
    out += (count * m_bits + 7) / 8;
    if (!m_type.is_grouped()) continue;
    if (m_type.scale_bits == 16) {
      const std::uint16_t s = to_half(scale);
      std::memcpy(out, &s, sizeof s);
    } else {
      std::memcpy(out, &scale, sizeof scale);
    }
    out += m_type.scale_bits / 8;
  }
}

void codec::decode(const unsigned char* in, std::int64_t n, float scale, float* values) const {
  if (m_type.number != dtype::kind::integer) {
    if (m_bits == 32) {
      std::memcpy(values, in, static_cast<std::size_t>(n) * sizeof *values);
      return;
    }
    const bool brain = m_type.number == dtype::kind::bf;
    for (std::int64_t i = 0; i < n; ++i) {
      std::uint16_t v;
      std::memcpy(&v, in + 2 * i, sizeof v);
      values[i] = brain ? from_bfloat(v) : from_half(v);
    }
    return;
  }
  const std::int64_t group = m_type.is_grouped() ? m_type.group : n;
  std::vector<std::int32_t> q(static_cast<std::size_t>(group));
  for (std::int64_t begin = 0; begin < n; begin += group) {
    const std::int64_t count = std::min(group, n - begin);
    unpack(in, count, m_bits, q.data());
    in += (count * m_bits + 7) / 8;
    if (m_type.is_grouped()) {
      if (m_type.scale_bits == 16) {
        std::uint16_t s;
        std::memcpy(&s, in, sizeof s);
        scale = from_half(s);
      } else {
        std::memcpy(&scale, in, sizeof scale);
      }
      in += m_type.scale_bits / 8;
    }
    for (std::int64_t i = 0; i < count; ++i)
      values[begin + i] = static_cast<float>(q[static_cast<std::size_t>(i)]) * scale;
  }
}

void codec::quantise(const float* values, std::int64_t n, float scale, std::int32_t* out) const {
  nearest(values, n, scale, static_cast<float>(top()), out);
}

void codec::decode_integers(const unsigned char* in, std::int64_t n, std::int32_t* values) const {
  unpack(in, n, m_bits, values);
}

}  // namespace memwall::platforms
