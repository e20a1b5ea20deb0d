// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/cells.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "hw/common/each_cpu.h"

namespace memwall::cim {
namespace {

constexpr std::size_t block = 512;          // numbers at a time, in the nearest cache
constexpr float smallest_level = 1e-6F;     // of which a logarithm is taken, in g_max
constexpr float largest_read_noise = 0.2F;  // cap of the 1/f law (AIHWKit's PCM model)

template <class To, class From>
inline To as(From v) {
  static_assert(sizeof(To) == sizeof(From));
  To out;
  std::memcpy(&out, &v, sizeof out);
  return out;
}

// ln x = k ln 2 + 2 artanh((m - 1) / (m + 1)) of a normal number, m in [sqrt(1/2), sqrt(2)); to about 2e-7.
inline float log_of(float x) {
  const std::int32_t bits = as<std::int32_t>(x) - 0x3f3504f3;  // of sqrt(1/2)
  const auto k = static_cast<float>(bits >> 23);
  const auto m = as<float>((bits & 0x007fffff) + 0x3f3504f3);
  const float s = (m - 1.0F) / (m + 1.0F), s2 = s * s;
  const float series = ((1.0F / 9 * s2 + 1.0F / 7) * s2 + 1.0F / 5) * s2 + 1.0F / 3;
  // ln 2 in two parts, so that k ln 2 is exact enough.
  return k * 0.693145752F + (k * 1.42860677e-6F + 2.0F * s * (1.0F + s2 * series));
}

// e^x = 2^k e^r, |r| <= ln(2) / 2, by its series; x within the range of normal numbers.
inline float exp_of(float x) {
  constexpr float to_nearest = 12582912.0F;  // 1.5 x 2^23
  const float shifted = x * 1.44269504F + to_nearest, k = shifted - to_nearest;
  const float r = (x - k * 0.693145752F) - k * 1.42860677e-6F;
  const float series =
      (((((1.0F / 5040 * r + 1.0F / 720) * r + 1.0F / 120) * r + 1.0F / 24) * r + 1.0F / 6) * r + 0.5F) * r + 1.0F;
  const std::int32_t power = (as<std::int32_t>(shifted) - as<std::int32_t>(to_nearest)) * (1 << 23);
  return as<float>(as<std::int32_t>(series * r + 1.0F) + power);
}

// log2 x of a normal number and 2^x, |x| < 126, by their best polynomials over one octave (Remez): to 1.3e-5 and,
// relative, 2.7e-6. For what is not a value but how much one varies.
inline float rough_log2(float x) {
  const std::int32_t bits = as<std::int32_t>(x) - 0x3f3504f3;  // of sqrt(1/2)
  const float t = as<float>((bits & 0x007fffff) + 0x3f3504f3) - 1.0F;
  const float series =
      ((((0.253843437F * t - 0.397037373F) * t + 0.487001153F) * t - 0.71992338F) * t + 1.44254939F) * t -
      9.26583641e-06F;
  return static_cast<float>(bits >> 23) + series;
}
inline float rough_exp2(float x) {
  constexpr float to_nearest = 12582912.0F;  // 1.5 x 2^23
  const float shifted = x + to_nearest, r = x - (shifted - to_nearest);
  const float series = (((0.00968571145F * r + 0.0559220257F) * r + 0.240218655F) * r + 0.693121036F) * r + 1.00000015F;
  const std::int32_t power = (as<std::int32_t>(shifted) - as<std::int32_t>(to_nearest)) * (1 << 23);
  return as<float>(as<std::int32_t>(series) + power);
}

// The same hash as circuit.h's, here for the compiler to see.
MEMWALL_EACH_CPU void hashes(std::uint64_t seed, std::uint64_t first, std::size_t count, std::uint32_t* high,
                             std::int32_t* low) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t z = seed + (first + static_cast<std::uint64_t>(i) + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    high[i] = static_cast<std::uint32_t>(z >> 32);
    low[i] = static_cast<std::int32_t>(z);
  }
}

// Radius from one half of the bits, angle from the other.
MEMWALL_EACH_CPU void circle(const std::uint32_t* high, const std::int32_t* low, std::size_t count, float* a,
                             float* b) {
  for (std::size_t i = 0; i < count; ++i) {
    // Halves, so that the conversion is one of signed numbers: u = (2 n + 1) / 2^32, never 0.
    const float u = (static_cast<float>(static_cast<std::int32_t>(high[i] >> 1)) + 0.5F) * 0x1p-31F;
    const float radius = std::sqrt(std::max(-2.0F * log_of(u), 0.0F));
    // Quarter turns: the nearest whole one, and what is left, within an eighth of a turn.
    const float turns = static_cast<float>(low[i]) * 0x1p-30F;
    constexpr float to_nearest = 12582912.0F;
    const float shifted = turns + to_nearest;
    const std::int32_t quarter = as<std::int32_t>(shifted);
    const float x = (turns - (shifted - to_nearest)) * 1.57079633F, x2 = x * x;
    const float sine = x + x * x2 * ((-1.0F / 5040 * x2 + 1.0F / 120) * x2 - 1.0F / 6);
    const float cosine = 1.0F + x2 * (((1.0F / 40320 * x2 - 1.0F / 720) * x2 + 1.0F / 24) * x2 - 0.5F);
    const bool swapped = (quarter & 1) != 0;
    const float c = swapped ? sine : cosine, s = swapped ? cosine : sine;
    // cos: - in quarters 1 and 2; sin: - in quarters 2 and 3.
    a[i] = radius * as<float>(as<std::int32_t>(c) ^ (((quarter + 1) & 2) << 30));
    b[i] = radius * as<float>(as<std::int32_t>(s) ^ ((quarter & 2) << 30));
  }
}

MEMWALL_EACH_CPU void split(const slice& s, const std::int32_t* numbers, std::size_t count, float* plus, float* minus) {
  const int shift = s.shift;
  const std::int32_t mask = s.top ? INT32_MAX : (1 << s.width) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t sign = numbers[i] >> 31;
    const auto part = static_cast<float>((((numbers[i] ^ sign) - sign) >> shift) & mask);
    plus[i] = sign == 0 ? part : 0.0F;
    minus[i] = sign == 0 ? 0.0F : part;
  }
}

// Magnitudes of floats are in the order of their bits.
MEMWALL_EACH_CPU std::int32_t largest_bits(const float* values, std::size_t count) {
  std::int32_t most = 0;
  for (std::size_t i = 0; i < count; ++i) most = std::max(most, as<std::int32_t>(values[i]) & INT32_MAX);
  return most;
}

MEMWALL_EACH_CPU void round_to(const float* values, std::size_t count, float scale, std::int16_t* out) {
  constexpr float to_nearest = 12582912.0F;  // 1.5 x 2^23: adding it leaves whole numbers, ties to even
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<std::int16_t>(static_cast<std::int32_t>((values[i] * scale + to_nearest) - to_nearest));
}

MEMWALL_EACH_CPU void program(const programming& p, const float* normal, std::size_t count, float* levels) {
  const float unit = p.unit, inverse = 1.0F / p.unit, c0 = p.c0, c1 = p.c1, c2 = p.c2;
  const float floor = p.clip ? 0.0F : -3e38F;
  for (std::size_t i = 0; i < count; ++i) {
    const float g = levels[i] * inverse;
    const float sigma = std::max(c0 + g * (c1 + g * c2), 0.0F);
    levels[i] = std::max(levels[i] + unit * sigma * normal[i], floor);
  }
}

MEMWALL_EACH_CPU void drift(const drifting& d, const float* normal, std::size_t count, float* levels) {
  const float inverse = 1.0F / d.unit, at_most = d.at_most, slope = d.slope, least = d.least, largest = d.largest,
              spread = d.spread, time = d.log_time;
  for (std::size_t i = 0; i < count; ++i) {
    const float g = std::max(std::fabs(levels[i]) * inverse, smallest_level);
    const float mean = std::min(std::max(at_most + slope * log_of(g), least), largest);
    const float fall = -(mean + spread * normal[i]) * time;
    levels[i] *= exp_of(std::min(std::max(fall, -80.0F), 80.0F));
  }
}

// level^2 min(q g^-e, most)^2.
MEMWALL_EACH_CPU void variance(const reading& r, const float* levels, std::size_t count, float* out) {
  const float inverse = 1.0F / r.unit, power = -2.0F * r.exponent, q2 = r.q * r.q;
  const float most = largest_read_noise * largest_read_noise;
  for (std::size_t i = 0; i < count; ++i) {
    const float level = levels[i];
    const float g = std::max(std::fabs(level) * inverse, smallest_level);
    out[i] = level * level * std::min(q2 * rough_exp2(power * rough_log2(g)), most);
  }
}

MEMWALL_EACH_CPU void convert(const converter& c, const double* sums, std::size_t count, double* outputs) {
  const double gain = c.gain, step = c.step, low = c.low, high = c.high, place = c.place;
  for (std::size_t i = 0; i < count; ++i) {
    const double code = std::min(std::max(std::floor(sums[i] * gain / step + 0.5), low), high);
    outputs[i] += place * (code * step);
  }
}

MEMWALL_EACH_CPU void add(const float* values, std::size_t count, double* sums) {
  for (std::size_t i = 0; i < count; ++i) sums[i] += static_cast<double>(values[i]);
}

}  // namespace

void gaussian_pairs(std::uint64_t seed, std::uint64_t first, std::size_t count, float* a, float* b) {
  std::uint32_t high[block];
  std::int32_t low[block];
  for (std::size_t at = 0; at < count; at += block) {
    const std::size_t n = std::min(block, count - at);
    hashes(seed, first + static_cast<std::uint64_t>(at), n, high, low);
    circle(high, low, n, a + at, b + at);
  }
}

void gaussians(std::uint64_t seed, std::size_t count, float* out) {
  const std::size_t half = (count + 1) / 2;
  float first[block], second[block];
  for (std::size_t at = 0; at < half; at += block) {
    const std::size_t n = std::min(block, half - at);
    gaussian_pairs(seed, static_cast<std::uint64_t>(at), n, first, second);
    std::copy_n(first, n, out + at);
    std::copy_n(second, std::min(n, count - half - at), out + half + at);
  }
}

void split_levels(const slice& s, const std::int32_t* numbers, std::size_t count, float* plus, float* minus) {
  if (s.pairs) return split(s, numbers, count, plus, minus);
  float none[block];
  for (std::size_t at = 0; at < count; at += block)
    split(s, numbers + at, std::min(block, count - at), plus + at, none);
}

float largest_level(const float* values, std::size_t count) {
  return as<float>(largest_bits(values, count));
}

void round_levels(const float* values, std::size_t count, float scale, std::int16_t* out) {
  round_to(values, count, scale, out);
}

void program_cells(const programming& p, const float* normal, std::size_t count, float* levels) {
  program(p, normal, count, levels);
}

void drift_cells(const drifting& d, const float* normal, std::size_t count, float* levels) {
  drift(d, normal, count, levels);
}

void add_read_variance(const reading& r, const float* levels, std::size_t count, double* sums) {
  float out[block];
  for (std::size_t at = 0; at < count; at += block) {
    const std::size_t n = std::min(block, count - at);
    variance(r, levels + at, n, out);
    add(out, n, sums + at);
  }
}

void convert_columns(const converter& c, const double* sums, std::size_t count, double* outputs) {
  convert(c, sums, count, outputs);
}

}  // namespace memwall::cim
