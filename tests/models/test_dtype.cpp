// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <random>
#include <stdexcept>

#include "hw/common/error.h"
#include "models/dtype.h"
#include "models/model.h"

namespace memwall {
namespace {

struct expected_type {
  const char* text;
  const char* canonical;
  double bits;  // payload + (scale + zero) / group
};

TEST(dtype, names_and_average_bits) {
  const expected_type table[] = {
      {"fp32", "fp32", 32},
      {"tf32", "tf32", 32},
      {"fp16", "fp16", 16},
      {"bf16", "bf16", 16},
      {"fp8", "fp8", 8},
      {"int8", "int8", 8},
      {"int4", "int4", 4},
      {"int4g32", "int4g32", 4 + 16.0 / 32},
      {"int4g32s16", "int4g32", 4 + 16.0 / 32},
      {"int4g32s32", "int4g32s32", 4 + 32.0 / 32},
      {"int4g128z4", "int4g128z4", 4 + (16.0 + 4) / 128},
      {"int8g32", "int8g32", 8 + 16.0 / 32},
      {"fp4g32s8", "fp4g32s8", 4 + 8.0 / 32},
      {"w4.85", "w4.85", 4.85},
      {"w4.8992", "w4.8992", 4.8992},
      {"w3", "w3", 3},
      {"FP16", "fp16", 16},
      // llama.cpp: bytes of a block x 8 / its values
      {"q4_0", "int4g32", 18 * 8 / 32.0},
      {"q4_1", "int4g32z16", 20 * 8 / 32.0},
      {"q5_1", "int5g32z16", 24 * 8 / 32.0},
      {"q8_0", "int8g32", 34 * 8 / 32.0},
      {"q2_k", "w2.625", 84 * 8 / 256.0},
      {"q3_k", "w3.4375", 110 * 8 / 256.0},
      {"q4_k", "w4.5", 144 * 8 / 256.0},
      {"q5_k", "w5.5", 176 * 8 / 256.0},
      {"q6_k", "w6.5625", 210 * 8 / 256.0},
      {"mxfp4", "fp4g32s8", 17 * 8 / 32.0},
  };
  for (const auto& row : table) {
    const auto t = dtype::parse(row.text);
    EXPECT_EQ(t.name(), row.canonical) << row.text;
    EXPECT_DOUBLE_EQ(t.bits(), row.bits) << row.text;
    EXPECT_EQ(dtype::parse(t.name()), t) << row.text;
  }
}

TEST(dtype, every_listed_name_is_a_type) {
  for (const auto& name : dtype_names()) EXPECT_NO_THROW(dtype::parse(name)) << name;
  for (const auto& [alias, meaning] : dtype_aliases()) EXPECT_EQ(dtype::parse(alias), dtype::parse(meaning)) << alias;
}

TEST(dtype, refuses_what_is_no_type) {
  for (const char* text : {"",
                           "f",
                           "fp",
                           "fp7",
                           "fp12",
                           "bf8",
                           "tf16",
                           "int0",
                           "int33",
                           "int-4",
                           "int4g",
                           "int4g1",
                           "int4g0",
                           "int4g65537",
                           "int4g32s",
                           "int4g32s0",
                           "int4g32s65",
                           "int4g32z0",
                           "int4g32x",
                           "int4g32 ",
                           " int4",
                           "int4g32s32z",
                           "w",
                           "w0",
                           "w0.0",
                           "w-4",
                           "w65",
                           "w4.",
                           "w4.85555",
                           "w4.8x",
                           "w4,8",
                           "int99999999999999999999",
                           "w99999999999999999999"})
    EXPECT_THROW(dtype::parse(text), input_error) << "'" << text << "'";
}

TEST(dtype, error_names_the_nearest) {
  try {
    dtype::parse("fp17", "--dtype", "weights");
    FAIL();
  } catch (const input_error& e) {
    ASSERT_EQ(e.problems().size(), 1u);
    EXPECT_EQ(e.problems()[0].where, "--dtype");
    EXPECT_EQ(e.problems()[0].nearest, "fp16");
    EXPECT_THAT(e.problems()[0].expected, testing::HasSubstr("int4g32"));
  }
}

TEST(dtype, bytes_of_rows) {
  const auto bytes = [](const char* t, std::int64_t rows, std::int64_t row) {
    return bytes_of(dtype::parse(t), rows, row);
  };
  EXPECT_EQ(bytes("fp16", 3, 5), 30);
  EXPECT_EQ(bytes("fp32", 2, 7), 56);
  EXPECT_EQ(bytes("int8", 4, 9), 36);
  EXPECT_EQ(bytes("int4", 1, 9), 5);       // 36 bits
  EXPECT_EQ(bytes("int4", 2, 9), 10);      // each row starts on a byte
  EXPECT_EQ(bytes("int4g32", 1, 32), 18);  // llama.cpp's block_q4_0
  EXPECT_EQ(bytes("int4g32", 1, 33), 21);  // 132 + 2 x 16 bits = 20.5 bytes
  EXPECT_EQ(bytes("int4g32", 10, 4096), 10 * 128 * 18);
  EXPECT_EQ(bytes("int4g32s32", 1, 64), 2 * 20);
  EXPECT_EQ(bytes("int4g128z4", 1, 128), 67);  // 512 + 16 + 4 bits = 66.5 bytes
  EXPECT_EQ(bytes("w4.85", 1, 1000), 607);     // 606.25
  EXPECT_EQ(bytes("fp16", 0, 10), 0);
  EXPECT_EQ(bytes_of(dtype::parse("fp16"), 10), 20);
}

TEST(dtype, bytes_agree_with_the_average_for_whole_groups) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const auto bits = 1 + random() % 16, group = 8 * (1 + random() % 32), scale = 8 * (1 + random() % 4);
    const auto t =
        dtype::parse("int" + std::to_string(bits) + "g" + std::to_string(group) + "s" + std::to_string(scale));
    EXPECT_EQ(dtype::parse(t.name()), t);
    const auto rows = static_cast<std::int64_t>(1 + random() % 1000);
    const auto row = static_cast<std::int64_t>(group * (1 + random() % 500));
    EXPECT_DOUBLE_EQ(static_cast<double>(bytes_of(t, rows, row)), static_cast<double>(rows * row) * t.bits() / 8)
        << t.name();
  }
}

TEST(dtype, bytes_never_overflow_silently) {
  EXPECT_THROW(bytes_of(dtype::parse("fp32"), std::int64_t{1} << 40, std::int64_t{1} << 40), std::overflow_error);
  EXPECT_THROW(bytes_of(dtype::parse("fp64"), 1, INT64_MAX), std::overflow_error);
  EXPECT_THROW(bytes_of(dtype::parse("int4g2s64"), 1, INT64_MAX), std::overflow_error);
  EXPECT_THROW(checked_product({INT64_MAX, 2}), std::overflow_error);
  EXPECT_EQ(checked_product({3, 5, 7}), 105);
}

TEST(dtypes, triples) {
  EXPECT_EQ(dtypes::parse("fp16").name(), "fp16/fp16/fp16");
  EXPECT_EQ(dtypes::parse("bf16").name(), "bf16/bf16/bf16");
  EXPECT_EQ(dtypes::parse("fp8").name(), "fp8/fp8/fp8");
  EXPECT_EQ(dtypes::parse("int4g32").name(), "int4g32/fp16/fp16");
  EXPECT_EQ(dtypes::parse("int8").name(), "int8/fp16/fp16");
  EXPECT_EQ(dtypes::parse("q4_0").name(), "int4g32/fp16/fp16");
  EXPECT_EQ(dtypes::parse("w4.85").name(), "w4.85/fp16/fp16");
  EXPECT_EQ(dtypes::parse("int8/int8").name(), "int8/int8/int8");
  EXPECT_EQ(dtypes::parse("int4g32/bf16/fp8").name(), "int4g32/bf16/fp8");
  for (const char* text : {"", "/", "fp16/", "/fp16", "fp16//fp16", "fp16/fp16/fp16/fp16", "fp16/nope/fp16"})
    EXPECT_THROW(dtypes::parse(text), input_error) << text;
}

TEST(dtypes, experts_may_have_a_type_of_their_own) {
  const auto t = dtypes::parse("int8g32+fp4g32s8/fp16/fp16");
  EXPECT_EQ(t.weights, dtype::parse("int8g32"));
  EXPECT_EQ(t.experts, dtype::parse("fp4g32s8"));
  EXPECT_EQ(dtypes::parse(t.name()), t);
  EXPECT_EQ(dtypes::parse("int8g32").experts, dtype::parse("int8g32"));
  EXPECT_EQ(dtypes::parse("fp16+fp16").name(), "fp16/fp16/fp16");
  EXPECT_THROW(dtypes::parse("fp16+fp8+fp4/fp16"), input_error);
  // mixtral: 8 experts of three 14336 x 4096 matrices a layer, 32 layers; 4.25 bits instead of 16.
  const auto m = load_model("mixtral-8x7b");
  const std::int64_t experts = std::int64_t{32} * 8 * 3 * 14336 * 4096;
  EXPECT_EQ(weight_bytes(m, dtypes::parse("fp16")) - weight_bytes(m, dtypes::parse("fp16+fp4g32s8/fp16/fp16")),
            experts * (1600 - 425) / 800);
}

TEST(dtypes, vectors_keep_sixteen_bits) {
  EXPECT_EQ(dtypes::parse("int4g32").vectors().name(), "fp16");
  EXPECT_EQ(dtypes::parse("fp8").vectors().name(), "fp16");
  EXPECT_EQ(dtypes::parse("bf16").vectors().name(), "bf16");
  EXPECT_EQ(dtypes::parse("fp32").vectors().name(), "fp32");
}

}  // namespace
}  // namespace memwall
