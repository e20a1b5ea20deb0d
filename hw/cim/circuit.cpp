// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/circuit.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "hw/cim/macro.h"

namespace memwall::cim {
namespace {

// Evaluates c[0] + c[1] x + ... + c[n-1] x^(n-1).
template <std::size_t N>
double polynomial(const double (&c)[N], double x) {
  double sum = 0;
  for (std::size_t i = N; i-- > 0;) sum = sum * x + c[i];
  return sum;
}

double alpha_power(double volts, double threshold, double exponent) {
  // (V - Vt)^a as exp(a ln(V - Vt)).
  return portable_exp(exponent * portable_log(volts - threshold)) / volts;
}

std::vector<std::pair<double, double>> clock_points(const std::map<std::string, frequency>& clock_at) {
  std::vector<std::pair<double, double>> points;
  for (const auto& [text, clock] : clock_at) {
    double volts = 0;
    std::string ignored;
    if (parse_quantity(text, "voltage", volts, ignored)) points.emplace_back(volts, clock.value);
  }
  std::sort(points.begin(), points.end());
  return points;
}

double interpolate(const std::vector<std::pair<double, double>>& points, double x) {
  if (points.size() == 1) return points.front().second;
  std::size_t i = 1;
  while (i + 1 < points.size() && x > points[i].first) ++i;
  const auto& [x0, y0] = points[i - 1];
  const auto& [x1, y1] = points[i];
  return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

}  // namespace

double supply::energy_factor() const {
  const double v = volts(), n = nominal.value, o = swing_offset.value;
  return v * (v - o) / (n * (n - o));
}

double supply::speed_factor() const {
  if (volts() == nominal.value) return 1;
  const auto points = clock_points(clock_at);
  if (!points.empty()) return interpolate(points, volts()) / interpolate(points, nominal.value);
  return alpha_power(volts(), threshold.value, velocity_exponent) /
         alpha_power(nominal.value, threshold.value, velocity_exponent);
}

void supply::check(problem_list& problems, const std::string& path) const {
  const double floor = std::max(threshold.value, swing_offset.value);
  const std::string prefix = path.empty() ? "" : path + ".";
  if (volts() <= floor || nominal.value <= floor)
    problems.add({"", prefix + "voltage", "is not above the threshold voltage and the swing offset",
                  "more than " + format_quantity(floor, "voltage"), ""});
  for (const auto& [text, clock] : clock_at) {
    double volts_at = 0;
    std::string expected;
    if (!parse_quantity(text, "voltage", volts_at, expected))
      problems.add({"", prefix + "clock_at." + text, "the key is not a voltage", expected, ""});
    if (!(clock.value > 0))
      problems.add({"", prefix + "clock_at." + text, "is not positive", "a frequency above 0 Hz", ""});
  }
}

namespace {
[[noreturn]] void refuse(const std::string& kind, const std::string& key, const std::string& got,
                         const std::string& expected) {
  throw input_error(problem{"", kind + "." + key, "got " + got, expected, ""});
}
void check_limit(const std::string& kind, const std::string& key, std::int64_t value, std::int64_t limit) {
  if (value < 1 || value > limit) refuse(kind, key, std::to_string(value), "1 to " + std::to_string(limit));
}
}  // namespace

void check_mvm(const std::string& kind, const mvm_shape& s, const geometry& limits, int max_in_bits, int max_w_bits) {
  check_limit(kind, "w_bits", s.w_bits, max_w_bits);
  check_limit(kind, "in_bits", s.in_bits, max_in_bits);
  check_limit(kind, "rows", s.rows, limits.rows);
  check_limit(kind, "cols", s.cols, limits.cols);
  check_limit(kind, "vectors", s.vectors, INT64_MAX);
  if (limits.flexible && s.rows * s.cols > limits.weights)
    refuse(kind, "rows x cols", std::to_string(s.rows) + " x " + std::to_string(s.cols),
           "at most " + std::to_string(limits.weights) + " weights");
}

void check_weights(const std::string& kind, const std::int32_t* weights, std::int64_t rows, std::int64_t cols,
                   const number_format& format, const geometry& limits, int max_w_bits) {
  check_mvm(kind, mvm_shape{rows, cols, 1, 1, format.bits, 0}, limits, 1, max_w_bits);
  std::int32_t least = 0, most = 0;
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    least = std::min(least, weights[i]);
    most = std::max(most, weights[i]);
  }
  if (least >= format.low() && most <= format.high()) return;
  for (std::int64_t i = 0; i < rows * cols; ++i)
    if (weights[i] < format.low() || weights[i] > format.high())
      refuse(kind, "weights[" + std::to_string(i / cols) + "][" + std::to_string(i % cols) + "]",
             std::to_string(weights[i]), std::to_string(format.low()) + " to " + std::to_string(format.high()));
}

int ceil_log2(std::int64_t n) {
  int bits = 0;
  while ((std::int64_t{1} << bits) < n) ++bits;
  return bits;
}

// Level l of a tree over n inputs has n / 2^l adders of (bits + l - 1) bits.
double tree_adder_bits(std::int64_t rows, int bits) {
  double sum = 0;
  std::int64_t left = rows;
  for (int level = 1; left > 1; ++level) {
    sum += static_cast<double>(left / 2) * (bits + level - 1);
    left = (left + 1) / 2;
  }
  return sum;
}

double chain_adder_bits(std::int64_t rows, int bits) {
  return static_cast<double>(rows) * (bits + ceil_log2(rows));
}

// The finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014) over a counter.
std::uint64_t hash(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

double uniform(std::uint64_t seed, std::uint64_t index) {
  return static_cast<double>(hash(hash(seed, 0), index) >> 11) * 0x1.0p-53;
}

// Inverse of the normal distribution function: Wichura's PPND16, Applied Statistics algorithm AS 241 (1988).
double gaussian(std::uint64_t seed, std::uint64_t index) {
  static constexpr double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                                 1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                 3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr double b[] = {1.0,
                                 4.2313330701600911252e+1,
                                 6.8718700749205790830e+2,
                                 5.3941960214247511077e+3,
                                 2.1213794301586595867e+4,
                                 3.9307895800092710610e+4,
                                 2.8729085735721942674e+4,
                                 5.2264952788528545610e+3};
  static constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                 3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                 2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double d[] = {1.0,
                                 2.05319162663775882187e0,
                                 1.67638483018380384940e0,
                                 6.89767334985100004550e-1,
                                 1.48103976427480074590e-1,
                                 1.51986665636164571966e-2,
                                 5.47593808499534494600e-4,
                                 1.05075007164441684324e-9};
  static constexpr double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                 2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                 2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double f[] = {1.0,
                                 5.99832206555887937690e-1,
                                 1.36929880922735805310e-1,
                                 1.48753612908506148525e-2,
                                 7.86869131145613259100e-4,
                                 1.84631831751005468180e-5,
                                 1.42151175831644588870e-7,
                                 2.04426310338993978564e-15};
  const double p = uniform(seed, index) + 0x1.0p-54;  // never 0
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double r = std::sqrt(-portable_log(q < 0 ? p : 1 - p));
  const double tail =
      r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6) : polynomial(e, r - 5) / polynomial(f, r - 5);
  return q < 0 ? -tail : tail;
}

// ln x = k ln 2 + 2 artanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2)).
double portable_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double sum = 0;
  for (int k = 23; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
  return exponent * 0.69314718055994531 + 2 * s * sum;
}

// e^x = 2^k e^r, |r| <= ln(2) / 2, by its series.
double portable_exp(double x) {
  const double k = std::floor(x / 0.69314718055994531 + 0.5);
  const double r = x - k * 0.69314718055994531;
  double sum = 1;
  for (int n = 18; n >= 1; --n) sum = 1 + sum * r / n;
  return std::ldexp(sum, static_cast<int>(k));
}

}  // namespace memwall::cim
