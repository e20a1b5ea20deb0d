// SPDX-License-Identifier: Apache-2.0
#include "models/device.h"

namespace memwall {
namespace {

constexpr double gib = 1024.0 * 1024.0 * 1024.0;

double need(const char* model, const char* types) {
  return static_cast<double>(footprint_of(load_model(model), dtypes::parse(types), 1, 0).total()) / gib;
}

// Published: LLaMA-65B takes 120 GB in FP16 and 38.5 GB in the 4-bit format with a 32-bit scale for 32
// weights.
TEST(fit, llama_65b_against_the_published_sizes) {
  EXPECT_NEAR(need("llama-65b", "fp16"), 65285660672.0 * 2 / gib, 1e-9);
  EXPECT_NEAR(need("llama-65b", "fp16"), 121.6, 0.05);
  EXPECT_NEAR(need("llama-65b", "int4g32s32"), 38.0, 0.5);
  EXPECT_NEAR(need("llama-65b", "int4g32"), 34.2, 0.05);
}

TEST(fit, what_fits_where) {
  const auto known = load_devices();
  const auto fits = [&](const char* model, const char* types, const char* devices) {
    return footprint_of(load_model(model), dtypes::parse(types), 1, 0).total() <= find_devices(known, devices).memory();
  };
  for (const char* types : {"fp16", "int4g32s32", "int4g32"})
    EXPECT_FALSE(fits("llama-65b", types, "rtx-4090")) << types;
  EXPECT_FALSE(fits("llama-65b", "fp16", "h100"));
  EXPECT_TRUE(fits("llama-65b", "fp16", "2xh100"));
  EXPECT_TRUE(fits("llama-65b", "int4g32s32", "h100"));
  EXPECT_TRUE(fits("llama-65b", "int4g32", "h100"));
  EXPECT_FALSE(fits("gpt-3-175b", "fp16", "h100"));
  EXPECT_FALSE(fits("gpt-3-175b", "fp16", "4xh100"));
  EXPECT_TRUE(fits("gpt-3-175b", "fp16", "8xa100"));
}

TEST(fit, the_cache_counts_when_asked) {
  const auto m = load_model("llama-65b");
  const auto f = footprint_of(m, dtypes::parse("fp16"), 16, 2048);
  EXPECT_EQ(f.kv, std::int64_t{16} * 2048 * 80 * 2 * 64 * 128 * 2);
  EXPECT_EQ(footprint_of(m, dtypes::parse("fp16"), 16, 0).kv, 0);
}

TEST(fit, devices_have_what_they_need) {
  for (const auto& d : load_devices()) {
    EXPECT_GT(d.memory.value, 0) << d.name;
    EXPECT_GT(d.memory_bandwidth.value, 0) << d.name;
    EXPECT_FALSE(d.source.empty()) << d.name;
    EXPECT_FALSE(d.memory_type.empty()) << d.name;
  }
}

TEST(fit, unknown_devices) {
  const auto known = load_devices();
  for (const char* name : {"", "h10", "0xh100", "x", "4x", "-4xh100", "99999999999999999999xh100", "4xh101"})
    EXPECT_THROW(find_devices(known, name), input_error) << name;
  EXPECT_EQ(find_devices(known, "4xh100").count, 4);
  EXPECT_EQ(find_devices(known, "4xh100").what.name, "h100-sxm5-80gb");
}

TEST(fit, defective_device_file) {
  EXPECT_THROW(parse_devices("a: {memory: 80}", "f"), input_error);
  EXPECT_THROW(parse_devices("a: {kind: gpu}", "f"), input_error);
  EXPECT_THROW(parse_devices("a: {memory: 80 GiB, memry: 1}", "f"), input_error);
  EXPECT_THROW(parse_devices("[]", "f"), input_error);
}

}  // namespace
}  // namespace memwall
