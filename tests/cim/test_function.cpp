// SPDX-License-Identifier: Apache-2.0
// Digital macros and analog ones without errors return the integers of the reference product.
#include <gtest/gtest.h>

#include "hw/cim/dram_bank.h"
#include "hw/cim/mapping.h"
#include "tests/cim/support.h"

using namespace memwall;
using namespace memwall::cim;
using namespace memwall::cim::test;

namespace {

struct variant {
  const char* name;
  const char* yaml;
};

// Small arrays, so that random layers fold often. A converter of 24 bits counts every integer these arrays
// can sum to.
const variant variants[] = {
    {"digital bit-serial", "{type: digital_sram, rows: 48, bit_columns: 64, weight_granularity: 1}"},
    {"digital 3 bits a cycle",
     "{type: digital_sram, rows: 20, bit_columns: 40, weight_granularity: 1, input_bits_per_cycle: 3}"},
    {"digital bit-parallel",
     "{type: digital_sram, rows: 64, bit_columns: 64, weight_granularity: 4, input_bits_per_cycle: 8}"},
    {"analog offset, 1-bit",
     "{type: analog_crossbar, rows: 40, columns: 64, bits_per_cell: 1, dac_bits: 1, adc_bits: 24}"},
    {"analog offset, 2-bit cells",
     "{type: analog_crossbar, rows: 33, columns: 32, bits_per_cell: 2, dac_bits: 3, adc_bits: 24}"},
    {"analog differential",
     "{type: analog_crossbar, rows: 64, columns: 96, bits_per_cell: 2, differential: true, dac_bits: 2, "
     "adc_bits: 24}"},
    {"analog bipolar",
     "{type: analog_crossbar, rows: 50, columns: 64, bits_per_cell: 8, differential: true, drive: pulse, "
     "signed_inputs: bipolar,"
     " dac_bits: 3, max_slices: 2, adc_bits: 24}"},
    {"analog bipolar offset cells",
     "{type: analog_crossbar, rows: 31, columns: 48, bits_per_cell: 3, signed_inputs: bipolar, dac_bits: 8, "
     "adc_bits: 24}"},
    {"analog few rows at once",
     "{type: analog_crossbar, rows: 64, columns: 64, bits_per_cell: 4, rows_parallel: 9, dac_bits: 4, "
     "adc_bits: 24}"},
    {"analog ideal converter",
     "{type: analog_crossbar, rows: 64, columns: 128, bits_per_cell: 4, differential: true, dac_bits: 8, "
     "adc_bits: 4, adc_ideal: true}"},
    {"dram bank, integer lanes", "{type: dram_bank, standard: HBM2, arithmetic: integer, max_input_bits: 16}"},
    {"dram bank, fp32 tree",
     "{type: dram_bank, standard: GDDR6-16, dataflow: broadcast, banks_per_unit: 1, arithmetic: fp32}"},
};

}  // namespace

TEST(cim_function, exact_products_for_all_widths_and_signs_folded_and_unfolded) {
  std::mt19937_64 random(5);
  for (const variant& v : variants) {
    const auto m = from_yaml(v.yaml);
    for (int in_bits = 1; in_bits <= 8; ++in_bits)
      for (int w_bits = 1; w_bits <= 8; ++w_bits)
        for (int signs = 0; signs < 4; ++signs) {
          const number_format in{in_bits, (signs & 1) != 0}, w{w_bits, (signs & 2) != 0};
          // A differential pair spends a bit more on unsigned weights; the macro then has fewer columns.
          const int held = std::min(w.is_signed ? w_bits : w_bits + 1, 8);
          const geometry g = m->shape(held);
          const std::int64_t rows = g.flexible
                                        ? 1 + static_cast<std::int64_t>(random() % 70)
                                        : 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(g.rows));
          const std::int64_t cols = g.flexible
                                        ? 1 + static_cast<std::int64_t>(random() % 20)
                                        : 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(g.cols));
          if (w_bits == 8 && !w.is_signed) continue;  // nine bits with a sign: outside the formats of these macros
          const auto weights = random_values(random, rows * cols, w);
          const auto x = random_values(random, rows, in);
          const auto a = m->program_weights(weights.data(), rows, cols, w, 1);
          ASSERT_EQ(compute(*a, x, in), product(x, weights, cols))
              << v.name << ": " << rows << " x " << cols << ", " << in_bits << " x " << w_bits << " bits, signs "
              << signs;
        }
  }
}

// Up to 16 bits and more: weights are kept in 8, 16 or 32 bits, and partial sums in 32 until they might not fit.
// Extremes over many rows pass that: 2,000 products of 2^15 x 2^7 are 2^33.
TEST(cim_function, wide_numbers_and_many_rows_are_exact) {
  std::mt19937_64 random(8);
  const auto m = from_yaml(
      "{type: digital_sram, rows: 2000, bit_columns: 64, weight_granularity: 1, max_input_bits: 16, max_weight_bits: "
      "16}");
  for (const number_format w : {number_format{8, true}, number_format{8, false}, number_format{9, true},
                                number_format{16, true}, number_format{16, false}})
    for (const number_format in : {number_format{8, true}, number_format{16, true}, number_format{16, false}}) {
      const std::int64_t rows = 1999, cols = 3;
      const auto weights = random_values(random, rows * cols, w), x = random_values(random, rows, in);
      EXPECT_EQ(compute(*m->program_weights(weights.data(), rows, cols, w, 1), x, in), product(x, weights, cols))
          << w.bits << ' ' << in.bits;
      const std::vector<std::int32_t> most_w(static_cast<std::size_t>(rows * cols), static_cast<std::int32_t>(w.low())),
          most_x(static_cast<std::size_t>(rows), static_cast<std::int32_t>(in.high()));
      EXPECT_EQ(compute(*m->program_weights(most_w.data(), rows, cols, w, 1), most_x, in),
                product(most_x, most_w, cols))
          << w.bits << ' ' << in.bits;
    }
}

// Eight lanes of single precision: each adds up its rows (r, r + 8, ...), rounding every sum to 24 bits, and the host
// adds the lanes. 2^24 + 1 is no number of single precision, so that ones after it are lost in its lane.
TEST(cim_function, lanes_of_single_precision_round_their_own_sums) {
  const auto m = from_yaml(
      "{type: dram_bank, standard: HBM2, dataflow: register, arithmetic: fp32, lanes: 8, value_bits: 32, "
      "max_input_bits: 30}");
  std::vector<std::int32_t> w(24, 1), x(24, 1);
  x[0] = 1 << 24;  // lane 0: 2^24, 2^24 + 1 and again + 1, both rounded away; the other seven: three each
  const auto a = m->program_weights(w.data(), 24, 1, {8, true}, 1);
  EXPECT_EQ(compute(*a, x, {30, true}), (std::vector<double>{16777216.0 + 7 * 3}));
  w[5] = -7, x[5] = 9;
  const auto b = m->program_weights(w.data(), 24, 1, {8, true}, 1);
  EXPECT_EQ(compute(*b, x, {30, true}), (std::vector<double>{16777216.0 + 7 * 3 - 1 - 63}));
}

TEST(cim_function, a_folded_layer_equals_the_reference) {
  std::mt19937_64 random(6);
  for (const variant& v : variants) {
    const auto m = from_yaml(v.yaml);
    for (int round = 0; round < 12; ++round) {
      const number_format in{1 + static_cast<int>(random() % 8), random() % 2 == 0},
          w{2 + static_cast<int>(random() % 7), true};
      const std::int64_t k = 1 + static_cast<std::int64_t>(random() % 300),
                         n = 1 + static_cast<std::int64_t>(random() % 90);
      const auto weights = random_values(random, k * n, w);
      const auto x = random_values(random, k, in);
      const folded_array layer(*m, weights.data(), k, n, w, 1);
      std::vector<double> y(static_cast<std::size_t>(n));
      layer.compute(x.data(), in, y.data());
      ASSERT_EQ(y, product(x, weights, n)) << v.name << ": " << k << " x " << n;
    }
  }
}

TEST(cim_function, weights_outside_their_format_and_shapes_outside_the_array_are_refused) {
  const auto m = from_yaml("{type: digital_sram, rows: 8, bit_columns: 16, weight_granularity: 4}");
  const std::vector<std::int32_t> w(64, 9);
  EXPECT_THROW(m->program_weights(w.data(), 2, 2, {4, true}, 1), input_error);  // 9 > 7
  EXPECT_NO_THROW(m->program_weights(w.data(), 2, 2, {4, false}, 1));
  EXPECT_THROW(m->program_weights(w.data(), 9, 2, {4, false}, 1), input_error);  // rows
  EXPECT_THROW(m->mvm({8, 5, 1, 4, 4, 0}), input_error);                         // 16 / 4 = 4 columns
  EXPECT_THROW(m->mvm({8, 4, 1, 9, 4, 0}), input_error);                         // input bits
  EXPECT_THROW(m->mvm({0, 4, 1, 8, 4, 0}), input_error);
}

// Reference values worked out by hand: 11 significant bits for half precision, 8 for bfloat16, ties to even.
TEST(cim_function, half_precision_and_bfloat16_round_to_nearest_even) {
  EXPECT_EQ(round_fp16(2049), 2048);
  EXPECT_EQ(round_fp16(2051), 2052);
  EXPECT_EQ(round_fp16(-2049), -2048);
  EXPECT_EQ(round_fp16(65504), 65504);
  EXPECT_TRUE(std::isinf(round_fp16(65536)));
  EXPECT_EQ(round_fp16(0x1.0p-24), 0x1.0p-24);
  EXPECT_EQ(round_fp16(0x1.0p-26), 0);
  EXPECT_EQ(round_bf16(257), 256);
  EXPECT_EQ(round_bf16(259), 260);
  EXPECT_EQ(round_bf16(1.00390625), 1);
}

// 16 lanes of half precision each sum rows r, r + 16, ...: 4096 rows of 1 x 1 stay exact in a lane (256), one
// lane of 1 x 4096 rows would stop at 2048.
TEST(cim_function, half_precision_lanes_lose_what_half_precision_loses) {
  const auto m = load_macro("hbm_pim");
  const std::vector<std::int32_t> ones(4096, 1);
  const auto a = m->program_weights(ones.data(), 4096, 1, {16, true}, 1);
  EXPECT_EQ(compute(*a, ones, {16, true})[0], 4096);
  std::vector<std::int32_t> one_lane(std::size_t{4096} * 16, 0);
  for (std::size_t i = 0; i < one_lane.size(); i += 16) one_lane[i] = 1;
  const auto b = m->program_weights(one_lane.data(), static_cast<std::int64_t>(one_lane.size()), 1, {16, true}, 1);
  const std::vector<std::int32_t> x(one_lane.size(), 1);
  EXPECT_EQ(compute(*b, x, {16, true})[0], 2048);
}

// Real numbers go through the units as integers do; values outside half precision's exact range round at each step:
// 0.1 is 0.0999755859375, its square 0.00999451..., and the sum of two products is rounded once more.
TEST(cim_function, units_beside_banks_compute_on_real_numbers) {
  const auto m = load_macro("hbm_pim");
  ASSERT_TRUE(m->is_floating());
  std::vector<float> weights(32, 0.0F), x(32, 0.0F);
  weights[0] = weights[16] = x[0] = x[16] = 0.1F;  // the same lane twice
  const auto a = m->hold_reals(weights.data(), 32, 1);
  float y = 0;
  a->compute_reals(x.data(), 1, &y);
  const double tenth = round_fp16(0.1), square = round_fp16(tenth * tenth);
  EXPECT_EQ(static_cast<double>(y), round_fp16(square + square));
}

// Every half, and what lies between two of them: the fast rounding against the one in double precision.
TEST(cim_function, rounding_of_whole_columns_equals_rounding_of_numbers) {
  const auto half = load_macro("hbm_pim"), brain = load_macro("aim");
  std::mt19937_64 random(9);
  for (int i = 0; i < 20000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    float v;
    std::memcpy(&v, &bits, sizeof v);
    if (!std::isfinite(v)) continue;
    if (i % 2 == 0)
      v = std::ldexp(static_cast<float>(bits | 1U) * 0x1p-32F,
                     static_cast<int>(random() % 45) - 27);  // around its range
    const float one = 1;
    float y = 0;
    half->hold_reals(&v, 1, 1)->compute_reals(&one, 1, &y);
    ASSERT_EQ(static_cast<double>(y), round_fp16(static_cast<double>(v))) << v;
    if (std::fabs(v) > 1e-30F && std::fabs(v) < 1e38F) {
      brain->hold_reals(&v, 1, 1)->compute_reals(&one, 1, &y);
      ASSERT_EQ(static_cast<double>(y), round_bf16(static_cast<double>(v))) << v;
    }
  }
}

// Ideal settings: an array that has settled still counts integers; many vectors are as many computations.
TEST(cim_function, settled_arrays_and_many_vectors_give_the_same) {
  std::mt19937_64 random(12);
  for (const variant& v : variants) {
    const auto m = from_yaml(v.yaml);
    const number_format f{8, true};
    const std::int64_t rows = std::min<std::int64_t>(m->shape(8).rows, 60),
                       cols = std::min<std::int64_t>(m->shape(8).cols, 9);
    const auto w = random_values(random, rows * cols, f), x = random_values(random, rows * 3, f);
    const auto a = m->program_weights(w.data(), rows, cols, f, 1);
    a->settle(0);
    std::vector<double> y(static_cast<std::size_t>(3 * cols));
    a->compute_many(x.data(), 3, f, y.data());
    for (std::int64_t i = 0; i < 3; ++i)
      ASSERT_EQ(std::vector<double>(y.begin() + i * cols, y.begin() + (i + 1) * cols),
                product({x.begin() + i * rows, x.begin() + (i + 1) * rows}, w, cols))
          << v.name;
  }
}
