// SPDX-License-Identifier: Apache-2.0
// What programming, drift and reads do to rows of analog cells: the loops that run over every weight of a model. In
// single precision, from IEEE operations alone, so that every machine gives the same.
#pragma once
#include <cstddef>
#include <cstdint>

namespace memwall::cim {

/// Standard normal numbers: two for each index first ... first + count - 1 of a seed (Box and Muller 1958), from the 64
/// bits of hash(seed, index).
void gaussian_pairs(std::uint64_t seed, std::uint64_t first, std::size_t count, float* a, float* b);
/// `count` numbers, from the pairs 0 ... (count - 1) / 2 of a seed.
void gaussians(std::uint64_t seed, std::size_t count, float* out);

/// One slice of whole numbers: bits [shift, shift + width) of each magnitude, the top slice all from `shift` on. With
/// `pairs` positive numbers go to `plus`, negative ones to `minus`; else numbers are not negative, `minus` is not used.
struct slice {
  int shift = 0, width = 8;
  bool top = true, pairs = false;
};
void split_levels(const slice& s, const std::int32_t* numbers, std::size_t count, float* plus, float* minus);

/// The nearest whole numbers to values x scale, and the largest magnitude.
float largest_level(const float* values, std::size_t count);
void round_levels(const float* values, std::size_t count, float scale, std::int16_t* out);

/// sigma / g_max of programming is c0 + c1 g + c2 g^2 of the level g (in g_max), not below 0; `unit`: level at g_max.
struct programming {
  float unit = 1, c0 = 0, c1 = 0, c2 = 0;
  bool clip = true;  ///< no level below 0
};
/// levels[i] += unit sigma(levels[i] / unit) normal[i].
void program_cells(const programming& p, const float* normal, std::size_t count, float* levels);

/// Mean exponent nu = at_most + slope ln g, limited to least ... largest; sigma of it from cell to cell.
struct drifting {
  float unit = 1, at_most = 0, slope = 0, least = 0, largest = 1, spread = 0;
  float log_time = 0;  ///< ln(t / t0)
};
/// levels[i] *= (t / t0)^-nu.
void drift_cells(const drifting& d, const float* normal, std::size_t count, float* levels);

/// sums[i] += (level q(level / unit))^2, q(g) = min(q g^-exponent, 0.2): the variance of read noise but for its factor
/// of time.
struct reading {
  float unit = 1, q = 0, exponent = 0;
};
void add_read_variance(const reading& r, const float* levels, std::size_t count, double* sums);

/// A converter: codes low ... high, `step` apart.
struct converter {
  double gain = 1, step = 1, low = 0, high = 0, place = 1;
};
/// outputs[i] += place * step * (nearest code of sums[i] * gain / step).
void convert_columns(const converter& c, const double* sums, std::size_t count, double* outputs);

}  // namespace memwall::cim
