// SPDX-License-Identifier: Apache-2.0
// The errors of analog macros against closed forms.
#include <gtest/gtest.h>

#include <cmath>

#include "hw/cim/cells.h"
#include "hw/cim/circuit.h"
#include "hw/cim/mapping.h"
#include "tests/cim/support.h"

using namespace memwall;
using namespace memwall::cim;
using namespace memwall::cim::test;

namespace {

double power(const std::vector<double>& v) {
  double p = 0;
  for (const double x : v) p += x * x;
  return p / static_cast<double>(v.size());
}

struct measured {
  double signal = 0, error = 0, mean_error = 0;
  double snr_db() const { return 10 * std::log10(signal / error); }
};

// Runs `vectors` random inputs through one programmed array and compares with the exact product.
measured run(const macro& m, std::int64_t rows, std::int64_t cols, number_format in, number_format w, int vectors,
             double age = 0) {
  std::mt19937_64 random(11);
  std::uniform_int_distribution<std::int32_t> weight(static_cast<std::int32_t>(w.low()),
                                                     static_cast<std::int32_t>(w.high()));
  std::uniform_int_distribution<std::int32_t> input(static_cast<std::int32_t>(in.low()),
                                                    static_cast<std::int32_t>(in.high()));
  std::vector<std::int32_t> weights(static_cast<std::size_t>(rows * cols)), x(static_cast<std::size_t>(rows));
  for (auto& v : weights) v = weight(random);
  const auto a = m.program_weights(weights.data(), rows, cols, w, 3);
  measured out;
  for (int v = 0; v < vectors; ++v) {
    for (auto& i : x) i = input(random);
    const auto exact = product(x, weights, cols);
    auto y = compute(*a, x, in, age, static_cast<std::uint64_t>(v));
    out.signal += power(exact) / vectors;
    for (std::size_t c = 0; c < y.size(); ++c) {
      y[c] -= exact[c];
      out.mean_error += y[c] / static_cast<double>(y.size()) / vectors;
    }
    out.error += power(y) / vectors;
  }
  return out;
}

}  // namespace

// One conversion of a sum of many products: the error is evenly spread over a step, so its power is step^2
// / 12. The range is rows x 128 x 128 (both signs take one level more), over 2^(bits - 1) - 1 steps a side,
// used in part so that nothing clips.
TEST(cim_noise, quantisation_noise_matches_its_closed_form) {
  constexpr std::int64_t rows = 256, cols = 64;
  for (int bits = 6; bits <= 12; ++bits) {
    const double part = 0.12;  // 0.12 x 256 x 2^14 = 5e5 is six standard deviations of the sum (16 x 73.6^2 = 8.7e4)
    const auto m = from_yaml(
        "{type: analog_crossbar, rows: 256, columns: 128, bits_per_cell: 8, differential: true,"
        " signed_inputs: bipolar, dac_bits: 8, adc_range: 0.12, adc_bits: " +
        std::to_string(bits) + "}");
    const double step = part * static_cast<double>(rows) * 128 * 128 / (std::ldexp(1.0, bits - 1) - 1);
    const measured r = run(*m, rows, cols, {8, true}, {8, true}, 60);
    const double expected = 10 * std::log10(r.signal / (step * step / 12));
    EXPECT_NEAR(r.snr_db(), expected, 0.5) << bits << " bits";
  }
}

// Offset inputs and cells without a sign: slices of 4 bits, four conversions whose errors add up in power,
// weighted by place: step^2 / 12 x (1 + 16^2 + 16^2 + 16^4) = step^2 / 12 x 257^2. Range: rows x 15 x 15,
// over 2^bits - 1 steps.
TEST(cim_noise, errors_of_slices_add_in_power_by_place) {
  constexpr std::int64_t rows = 128, cols = 64;
  for (const int bits : {7, 9, 11}) {
    const auto m =
        from_yaml("{type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 4, dac_bits: 4, adc_bits: " +
                  std::to_string(bits) + "}");
    const double step = static_cast<double>(rows) * 15 * 15 / (std::ldexp(1.0, bits) - 1);
    const measured r = run(*m, rows, cols, {8, true}, {8, true}, 60);
    const double expected = 10 * std::log10(r.signal / (step * step / 12 * 257 * 257));
    EXPECT_NEAR(r.snr_db(), expected, 0.5) << bits << " bits";
  }
}

// Each cell of a pair is off by sigma x g_max, and g_max stands for 128: the error of a sum has the power
// rows x E[x^2] x 2 (128 sigma)^2.
TEST(cim_noise, gaussian_weight_noise_matches_its_closed_form) {
  constexpr std::int64_t rows = 256, cols = 64;
  const double x2 = (256.0 * 256.0 - 1) / 12 + 0.25;  // even distribution over -128..127: variance, and a mean of -1/2
  for (const double sigma : {0.005, 0.02, 0.1}) {
    const auto m = from_yaml(
        "{type: analog_crossbar, rows: 256, columns: 128, bits_per_cell: 8, differential: true,"
        " signed_inputs: bipolar, dac_bits: 8, adc_ideal: true, clip_conductance: false, program_noise: " +
        std::to_string(sigma) + "}");
    const measured r = run(*m, rows, cols, {8, true}, {8, true}, 60);
    const double expected =
        10 * std::log10(r.signal / (static_cast<double>(rows) * x2 * 2 * 128 * 128 * sigma * sigma));
    EXPECT_NEAR(r.snr_db(), expected, 0.3) << sigma;
  }
}

TEST(cim_noise, output_noise_is_given_in_converter_steps) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 64, columns: 128, bits_per_cell: 8, differential: true,"
      " signed_inputs: bipolar, dac_bits: 8, adc_bits: 10, adc_ideal: true, output_noise: 2}");
  const double step = 64.0 * 128 * 128 / 511;
  const measured r = run(*m, 64, 64, {8, true}, {8, true}, 60);
  EXPECT_NEAR(10 * std::log10(r.error), 10 * std::log10(4 * step * step), 0.3);
}

// All cells with the same exponent: every output shrinks by (t / t0)^-nu, and compensation takes it out
// exactly.
TEST(cim_noise, drift_follows_its_power_law_and_is_compensated) {
  const std::string base =
      "{type: analog_crossbar, rows: 64, columns: 128, bits_per_cell: 8, differential: true,"
      " signed_inputs: bipolar, dac_bits: 8, adc_ideal: true, drift: 0.05, drift_start: 20 s";
  const auto plain = from_yaml(base + "}"), compensated = from_yaml(base + ", drift_compensation: true}");
  const number_format f{8, true};
  std::mt19937_64 random(3);
  const auto w = random_values(random, 64 * 64, f), x = random_values(random, 64, f);
  const auto exact = product(x, w, 64);
  const auto a = plain->program_weights(w.data(), 64, 64, f, 1),
             b = compensated->program_weights(w.data(), 64, 64, f, 1);
  EXPECT_EQ(compute(*a, x, f, 20), exact);
  const double year = 365.25 * 86400, shrink = std::pow(year / 20, -0.05);
  const auto old = compute(*a, x, f, year), mended = compute(*b, x, f, year);
  for (std::size_t c = 0; c < exact.size(); ++c) {
    EXPECT_NEAR(old[c], exact[c] * shrink, 1e-2 * (std::fabs(exact[c]) * 1e-3 + 1));
    EXPECT_NEAR(mended[c], exact[c], 1e-2 * (std::fabs(exact[c]) * 1e-3 + 1));
  }
}

// One column of equal cells, all rows at full drive: segment j carries rows - j currents; cell r lacks ir x
// sum of them up to r.
TEST(cim_noise, ir_drop_is_the_first_order_loss_along_the_wire) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 16, columns: 8, bits_per_cell: 8, dac_bits: 8, adc_ideal: true,"
      " ir_drop: 0.0001}");
  const number_format f{8, false};
  const std::vector<std::int32_t> w(16, 255), x(16, 255);
  const auto a = m->program_weights(w.data(), 16, 1, f, 1);
  double lost = 0, fall = 0;
  for (int r = 0; r < 16; ++r) {
    fall += 1e-4 * (16 - r);
    lost += fall;
  }
  EXPECT_NEAR(compute(*a, x, f)[0], 255.0 * 255 * (16 - lost), 1e-3);
}

TEST(cim_noise, a_narrow_range_clips) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 16, columns: 8, bits_per_cell: 8, dac_bits: 8, adc_bits: 16, adc_range: "
      "0.25}");
  const number_format f{8, false};
  const std::vector<std::int32_t> w(16, 255), x(16, 255);
  const auto a = m->program_weights(w.data(), 16, 1, f, 1);
  EXPECT_NEAR(compute(*a, x, f)[0], 0.25 * 16 * 255 * 255, 16.0 * 255 * 255 / 65535);
}

TEST(cim_noise, the_same_seed_gives_the_same_errors_and_another_read_gives_others) {
  const auto m = load_macro("hermes");
  const number_format f{8, true};
  std::mt19937_64 random(3);
  const auto w = random_values(random, 64 * 64, f), x = random_values(random, 64, f);
  const auto a = m->program_weights(w.data(), 64, 64, f, 1), b = m->program_weights(w.data(), 64, 64, f, 1),
             c = m->program_weights(w.data(), 64, 64, f, 2);
  EXPECT_EQ(compute(*a, x, f, 100, 7), compute(*b, x, f, 100, 7));
  EXPECT_NE(compute(*a, x, f, 100, 7), compute(*a, x, f, 100, 8));
  EXPECT_NE(compute(*a, x, f, 100, 7), compute(*c, x, f, 100, 7));
}

// Quantiles of the normal distribution from its tables; moments of a million draws within five standard
// errors.
TEST(cim_noise, random_numbers_are_normal) {
  double sum = 0, squares = 0, beyond = 0;
  constexpr int n = 1'000'000;
  for (int i = 0; i < n; ++i) {
    const double g = gaussian(42, static_cast<std::uint64_t>(i));
    sum += g;
    squares += g * g;
    beyond += std::fabs(g) > 1.959964 ? 1 : 0;
  }
  EXPECT_NEAR(sum / n, 0, 0.005);
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(beyond / n, 0.05, 5 * std::sqrt(0.05 * 0.95 / n));
}

TEST(cim_noise, portable_functions_agree_with_the_library) {
  for (double x = 1e-9; x < 1e9; x *= 1.37) {
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-14 * (1 + std::fabs(std::log(x))));
    const double y = std::log(x);
    EXPECT_NEAR(portable_exp(y) / std::exp(y), 1, 1e-13);
  }
}

// All cells alike at g_max: each read adds x g q sqrt(ln((t + t_read) / 2 t_read)) a cell, in power over the rows.
TEST(cim_noise, read_noise_of_equal_cells_matches_its_closed_form) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 64, columns: 64, bits_per_cell: 8, dac_bits: 8, adc_ideal: true, read_noise: "
      "0.01}");
  const number_format f{8, false};
  const std::vector<std::int32_t> w(64 * 64, 255), x(64, 100);
  const auto a = m->program_weights(w.data(), 64, 64, f, 1);
  const double age = 1000, sigma = 100.0 * 255 * 0.01 * std::sqrt(64 * std::log((age + 250e-9) / 500e-9));
  double squares = 0;
  constexpr int reads = 40;
  for (int i = 0; i < reads; ++i)
    for (const double y : compute(*a, x, f, age, static_cast<std::uint64_t>(i)))
      squares += (y - 64.0 * 255 * 100) * (y - 64.0 * 255 * 100) / (64 * reads);
  EXPECT_NEAR(10 * std::log10(squares), 20 * std::log10(sigma), 0.4);  // 2560 draws: five standard errors
}

// A cell at half of g_max drifts by another exponent: nu = 0.05 - 0.02 ln(1/2), within its limits.
TEST(cim_noise, small_conductances_drift_by_their_own_exponent) {
  const std::string base =
      "{type: analog_crossbar, rows: 16, columns: 16, bits_per_cell: 8, dac_bits: 8, adc_ideal: true, drift: 0.05, "
      "drift_slope: -0.02, drift_start: 20 s";
  const number_format f{8, false};
  const std::vector<std::int32_t> w(16, 51), x(16, 200);  // a fifth of g_max
  const double year = 365.25 * 86400, exact = 16.0 * 51 * 200;
  const auto at = [&](const std::string& more) {
    return compute(*from_yaml(base + more + "}")->program_weights(w.data(), 16, 1, f, 1), x, f, year)[0];
  };
  EXPECT_NEAR(at("") / exact, std::pow(year / 20, -(0.05 - 0.02 * std::log(0.2))), 1e-5);
  EXPECT_NEAR(at(", drift_max: 0.06") / exact, std::pow(year / 20, -0.06), 1e-5);
  EXPECT_NEAR(at(", drift_min: 0.1") / exact, std::pow(year / 20, -0.1), 1e-5);
}

// A slope alone lets cells drift, too: nu = -0.02 ln(1/5) of a fifth of g_max, and none of g_max itself.
TEST(cim_noise, a_slope_alone_is_drift) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 16, columns: 16, bits_per_cell: 8, dac_bits: 8, adc_ideal: true, drift: 0, "
      "drift_slope: -0.02, drift_start: 20 s}");
  const number_format f{8, false};
  const std::vector<std::int32_t> x(16, 200);
  for (const int level : {51, 255}) {
    const std::vector<std::int32_t> w(16, level);
    EXPECT_NEAR(compute(*m->program_weights(w.data(), 16, 1, f, 1), x, f, 2000)[0] / (16.0 * level * 200),
                std::pow(100.0, 0.02 * std::log(level / 255.0)), 1e-5)
        << level;
  }
}

// At a fifth of g_max the noise is q g^-0.65 of the level, at a thousandth its cap of 0.2.
TEST(cim_noise, read_noise_grows_towards_small_conductances_up_to_a_cap) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 64, columns: 64, bits_per_cell: 10, max_weight_bits: 10, dac_bits: 8, adc_ideal: "
      "true, read_noise: 0.01, read_noise_exponent: 0.65}");
  const number_format in{8, false}, weights{10, false};
  for (const int level : {200, 1}) {
    const std::vector<std::int32_t> w(64 * 64, level), x(64, 100);
    const auto a = m->program_weights(w.data(), 64, 64, weights, 1);
    const double part = std::min(0.01 * std::pow(level / 1023.0, -0.65), 0.2), age = 1000;
    const double sigma = 100.0 * level * part * std::sqrt(64 * std::log((age + 250e-9) / 500e-9));
    double squares = 0;
    for (int i = 0; i < 40; ++i)
      for (const double y : compute(*a, x, in, age, static_cast<std::uint64_t>(i)))
        squares += (y - 64.0 * level * 100) * (y - 64.0 * level * 100) / (64 * 40);
    EXPECT_NEAR(10 * std::log10(squares), 20 * std::log10(sigma), 0.4) << level;  // 2560 draws: five standard errors
  }
}

// The variance of every level, by its definition: to 2e-5 of it.
TEST(cim_noise, read_variance_follows_its_law_at_every_level) {
  for (const double exponent : {0.0, 0.65, 1.0, 2.0})
    for (double g = 1e-4; g < 4; g *= 1.07) {
      const float level = static_cast<float>(g) * 255;
      double sum = 7;
      add_read_variance({255, 0.0088F, static_cast<float>(exponent)}, &level, 1, &sum);
      const double sigma = static_cast<double>(level) * std::min(0.0088F * std::pow(g, -exponent), 0.2);
      EXPECT_NEAR((sum - 7) / (sigma * sigma), 1, 5e-5 + 1e-15 / (sigma * sigma)) << g << ' ' << exponent;
    }
  const float none = 0;
  double sum = 0;
  add_read_variance({255, 0.0088F, 0.65F}, &none, 1, &sum);
  EXPECT_EQ(sum, 0);
}

// A settled array keeps 16 bits a pair: levels lie within 128 and six sigma of 2.56, so that 32767 / 144 = 227 steps a
// digit are kept at least, and each cell is off by half a step at most.
TEST(cim_noise, an_array_that_has_settled_keeps_its_levels_finely) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 64, columns: 128, bits_per_cell: 8, differential: true, signed_inputs: bipolar, "
      "dac_bits: 8, adc_ideal: true, clip_conductance: false, program_noise: 0.02}");
  const number_format f{8, true};
  std::mt19937_64 random(5);
  const auto w = random_values(random, 64 * 64, f), x = random_values(random, 64, f);
  const auto fresh = m->program_weights(w.data(), 64, 64, f, 1), settled = m->program_weights(w.data(), 64, 64, f, 1);
  settled->settle(0);
  double most = 0;
  for (const auto v : x) most += std::abs(v) * 0.5 / 227;
  const auto exact = compute(*fresh, x, f), kept = compute(*settled, x, f);
  EXPECT_NE(exact, kept);
  for (std::size_t c = 0; c < exact.size(); ++c) EXPECT_NEAR(kept[c], exact[c], most) << c;
}

// Pairs: both numbers normal, without a connection to each other or to those of the next index; five standard errors.
TEST(cim_noise, pairs_of_random_numbers_are_normal_and_independent) {
  constexpr std::size_t n = 500'000;
  std::vector<float> a(n), b(n);
  gaussian_pairs(42, 7, n, a.data(), b.data());
  double squares = 0, fourth = 0, together = 0, next = 0, beyond = 0, sum = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (const double g : {static_cast<double>(a[i]), static_cast<double>(b[i])}) {
      sum += g / (2 * n);
      squares += g * g / (2 * n);
      fourth += g * g * g * g / (2 * n);
      beyond += std::fabs(g) > 1.959964 ? 0.5 / n : 0;
    }
  for (std::size_t i = 0; i < n; ++i) together += static_cast<double>(a[i]) * static_cast<double>(b[i]) / n;
  for (std::size_t i = 1; i < n; ++i) next += static_cast<double>(a[i]) * static_cast<double>(a[i - 1]) / n;
  EXPECT_NEAR(sum, 0, 5 / std::sqrt(2.0 * n));
  EXPECT_NEAR(squares, 1, 5 * std::sqrt(2 / (2.0 * n)));
  EXPECT_NEAR(fourth, 3, 5 * std::sqrt(96 / (2.0 * n)));
  EXPECT_NEAR(beyond, 0.05, 5 * std::sqrt(0.05 * 0.95 / (2.0 * n)));
  EXPECT_NEAR(together, 0, 5 / std::sqrt(1.0 * n));
  EXPECT_NEAR(next, 0, 5 / std::sqrt(1.0 * n));
  // Any part of the stream by itself is the same.
  std::vector<float> c(600), d(600);
  gaussian_pairs(42, 1007, 600, c.data(), d.data());
  EXPECT_TRUE(std::equal(c.begin(), c.end(), a.begin() + 1000));
  EXPECT_TRUE(std::equal(d.begin(), d.end(), b.begin() + 1000));
}

// Box and Muller from the two halves of the hash: 31 bits of the upper one, as u = (2 n + 1) / 2^32, give the radius
// sqrt(-2 ln u), the lower one the angle in turns. In single precision an angle of half a turn is known to 2e-7, and
// the series of sine and cosine, which end at x^7 and x^8, leave 3.1e-7 within an eighth of a turn (0.785); u is known
// to 2^-24 of it, which moves the radius by 2^-24 / radius, and its logarithm to some 2e-7.
TEST(cim_noise, pairs_of_random_numbers_lie_on_their_circle) {
  constexpr std::size_t n = 20'000;
  std::vector<float> a(n), b(n);
  gaussian_pairs(9, 3, n, a.data(), b.data());
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t h = hash(9, 3 + i);
    const double u = (static_cast<double>(h >> 33) + 0.5) / 2147483648.0;
    const double radius = std::sqrt(-2 * std::log(u));
    const double angle = static_cast<double>(static_cast<std::int32_t>(h)) / 4294967296.0 * 6.283185307179586;
    const double within = 1e-6 * radius + 0x1p-23 / radius;
    ASSERT_NEAR(static_cast<double>(a[i]), radius * std::cos(angle), within) << i;
    ASSERT_NEAR(static_cast<double>(b[i]), radius * std::sin(angle), within) << i;
  }
}

// Arrays of one layer have errors of their own: equal weights in two of them do not give equal results.
TEST(cim_noise, folds_of_a_layer_have_errors_of_their_own) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 16, columns: 8, bits_per_cell: 8, dac_bits: 8, adc_ideal: true, program_noise: "
      "0.02}");
  const number_format f{8, false};
  const std::vector<std::int32_t> w(16 * 16, 100), x(16, 100);
  const folded_array layer(*m, w.data(), 16, 16, f, 1);
  ASSERT_EQ(layer.folded().col_folds, 2);
  std::vector<double> y(16);
  layer.compute(x.data(), f, y.data());
  for (std::size_t c = 0; c < 8; ++c) EXPECT_NE(y[c], y[c + 8]);
}
