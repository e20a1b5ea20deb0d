// SPDX-License-Identifier: Apache-2.0
// Numbers as bytes: what comes back is the nearest number of the type, in as many bytes as the trace counts.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "hw/common/error.h"
#include "platforms/values/codec.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

std::vector<float> back(const char* type, const std::vector<float>& v, float scale = 1) {
  const codec c(dtype::parse(type), "test", "type");
  const auto n = static_cast<std::int64_t>(v.size());
  // One byte more, to see that none is written behind the row.
  std::vector<unsigned char> bytes(static_cast<std::size_t>(c.row_bytes(n)) + 1, 0xee);
  c.encode(v.data(), n, scale, bytes.data());
  EXPECT_EQ(bytes.back(), 0xee) << type;
  std::vector<float> out(v.size());
  c.decode(bytes.data(), n, scale, out.data());
  return out;
}

}  // namespace

TEST(codec, floating_point_types_round_to_nearest_even) {
  EXPECT_EQ(back("fp32", {0.1F, -3e38F}), (std::vector<float>{0.1F, -3e38F}));
  EXPECT_EQ(back("fp16", {2049, 2051, -0x1p-24F, 65504}), (std::vector<float>{2048, 2052, -0x1p-24F, 65504}));
  EXPECT_EQ(back("bf16", {257, 259, -1.00390625F}), (std::vector<float>{256, 260, -1}));
}

TEST(codec, integers_are_packed_and_keep_their_signs) {
  // Steps of 0.5: -7 ... 7 in four bits; what is beyond is clipped alike on both sides.
  EXPECT_EQ(back("int4", {3.5F, -3.5F, 0.24F, -0.26F, 9, -9, 1}, 0.5F),
            (std::vector<float>{3.5F, -3.5F, 0, -0.5F, 3.5F, -3.5F, 1}));
  EXPECT_EQ(back("int3", {3, -3, 1, 0, 2, -1, -2, 3, 1}), (std::vector<float>{3, -3, 1, 0, 2, -1, -2, 3, 1}));
  EXPECT_EQ(back("int8", {127, -127, 64}), (std::vector<float>{127, -127, 64}));
}

// A group's scale is its largest magnitude over 7; the last group is partial and has its own.
TEST(codec, groups_have_their_own_scales) {
  std::vector<float> v(40, 0.0F);
  v[0] = 7;
  v[1] = -3;
  v[32] = 70;
  v[33] = 20;
  auto expected = v;
  EXPECT_EQ(back("int4g32", v), expected);
  EXPECT_EQ(back("int4g32s32", v), expected);
}

TEST(codec, other_types_are_refused) {
  for (const char* type : {"fp8", "tf32", "w4.85", "int16", "int4g128z4"})
    EXPECT_THROW(codec(dtype::parse(type), "test", "type"), input_error) << type;
}
