// SPDX-License-Identifier: Apache-2.0
// Capacity to the byte, advice that holds when it is followed, and one capacity for `fit` and `run`.
#include "platforms/place/capacity.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/device.h"
#include "place_bench.h"
#include "platforms/place/advice.h"

using namespace memwall;
using namespace memwall::platforms;
using namespace memwall::test;

namespace {

trace::workload workload_of(std::int64_t batch, std::int64_t context, const char* types = "fp16") {
  trace::workload w;
  w.batch = batch;
  w.context = context;
  w.types = dtypes::parse(types);
  return w;
}

std::string refusal(int devices, std::int64_t capacity, const trace_source& source) {
  const auto platform = tensor_parallel(devices);
  try {
    placement where(platform, memories(devices, capacity), source);
  } catch (const capacity_error& e) {
    return e.what();
  }
  return {};
}

TEST(capacity, a_byte_decides) {
  const auto source = source_of(load_model("gpt-2"), workload_of(1, 64));
  const auto platform = tensor_parallel(1);
  const auto needed = placement(platform, memories(1, std::int64_t{1} << 40), source).slots()[0].used;
  EXPECT_EQ(refusal(1, needed, source), "");
  const std::string text = refusal(1, needed - 1, source);
  EXPECT_NE(text.find("missing 1 B"), std::string::npos) << text;
}

// Every tensor starts on a stripe over all channels, so that equal tensors load channels equally.
TEST(capacity, tensors_start_on_a_stripe) {
  const std::int64_t stripe = 12 * 256;  // twelve channels: no power of two
  const auto source = source_of(load_model("gpt-2"), workload_of(1, 64));
  const auto platform = tensor_parallel(1);
  const placement where(platform, memories(1, std::int64_t{1} << 40, stripe), source);
  const auto header = source()->header();
  std::int64_t lowest = INT64_MAX, highest = 0, sum = 0;
  for (std::uint32_t t = 0; t < header.tensors.size(); ++t) {
    const auto& home = where.of(t, 0);
    const auto offset = static_cast<std::int64_t>(home.address - where.slots()[0].base);
    EXPECT_EQ(offset % stripe, 0) << header.tensors[t].name;
    lowest = std::min(lowest, offset);
    highest = std::max(highest, offset + home.bytes);
    sum += header.tensors[t].bytes;
  }
  EXPECT_EQ(lowest, 0);
  EXPECT_EQ(where.slots()[0].used, highest);
  EXPECT_GE(highest, sum);
  EXPECT_LT(highest, sum + stripe * static_cast<std::int64_t>(header.tensors.size()));
}

// A 70B model in 16 bits on two devices of 80 GB: 8-bit weights would fit, or three devices.
TEST(capacity, advice_counts_all_devices_together) {
  const auto m = load_model("llama-3.1-70b");
  const std::int64_t h100 = std::int64_t{81000} << 20;
  const std::string text = refusal(2, h100, source_of(m, workload_of(8, 20000)));
  EXPECT_NE(text.find("weights in fp8 or int8"), std::string::npos) << text;
  EXPECT_NE(text.find("Or 3 such devices in all"), std::string::npos) << text;
  // The advice, followed.
  EXPECT_EQ(refusal(2, h100, source_of(m, workload_of(8, 20000, "int8/fp16/fp16"))), "");
  EXPECT_EQ(refusal(3, h100, source_of(m, workload_of(8, 20000))), "");
}

TEST(capacity, advice_does_not_name_what_failed) {
  const auto m = load_model("llama-65b");
  const std::int64_t small = std::int64_t{24176} << 20;
  std::string text = refusal(1, small, source_of(m, workload_of(1, 2048, "int8/fp16/fp16")));
  EXPECT_EQ(text.find("int8"), std::string::npos) << text;
  EXPECT_NE(text.find("No smaller type makes it fit"), std::string::npos) << text;
  text = refusal(1, small, source_of(m, workload_of(1, 2048, "int4/fp16/fp16")));
  EXPECT_EQ(text.find("What would fit"), std::string::npos) << text;
  EXPECT_EQ(text.find("No smaller type"), std::string::npos) << "none was tried: " << text;
  EXPECT_NE(text.find("Or 2 such devices in all"), std::string::npos) << text;
}

// Whatever number of devices the advice names fits, and no smaller one from the present number on does.
TEST(capacity, the_number_of_devices_is_the_least) {
  const std::int64_t a40 = std::int64_t{48752} << 20;
  for (const char* name : {"qwen2.5-72b", "mixtral-8x7b", "deepseek-v3"}) {
    const auto source = source_of(load_model(name), workload_of(4, 4096));
    const auto n = devices_needed(source, a40);
    ASSERT_GT(n, 1u) << name;
    EXPECT_EQ(refusal(static_cast<int>(n), a40, source), "") << name;
    for (std::size_t fewer = n - 1; fewer > 0 && fewer + 3 > n; --fewer)
      EXPECT_NE(refusal(static_cast<int>(fewer), a40, source), "") << name << " on " << fewer;
    const auto platform = tensor_parallel(1);
    EXPECT_EQ(devices_that_hold(platform, memories(1, a40), source), n) << name;
  }
}

// Copies are part of the load: 4 KV heads on 8 devices are eight heads.
TEST(capacity, load_of_each_counts_copies) {
  const auto m = load_model("qwen2.5-7b");
  const auto source = source_of(m, workload_of(16, 8192));
  const auto kv = static_cast<std::size_t>(trace::tensor_class::kv_cache);
  const std::int64_t whole = kv_bytes(m, dtype(), 16, 8192);
  EXPECT_EQ(load_of_each(source, 1).by_class[kv], whole);
  EXPECT_EQ(load_of_each(source, 4).by_class[kv], whole / 4);
  EXPECT_EQ(load_of_each(source, 8).by_class[kv], whole / 4);
}

// `fit` reads devices, `run` reads presets: of one device they must tell the same.
TEST(capacity, devices_have_the_memory_of_their_presets) {
  int compared = 0;
  for (const auto& d : load_devices()) {
    std::string name = d.name == "a100-pcie-80gb" ? "a100_pcie" : d.name == "h100-pcie-80gb" ? "h100_pcie" : d.alias;
    if (name.empty()) name = d.name;
    name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
    const auto presets = platform_names();
    if (std::find(presets.begin(), presets.end(), "von_neumann_" + name) == presets.end()) continue;
    const auto platform = load_platform("von_neumann_" + name);
    const auto* memory = platform.find(platform.mapping.front().weights);
    ASSERT_NE(memory, nullptr) << name;
    double size = 0;
    std::string expected;
    ASSERT_TRUE(parse_quantity(memory->tree.find("size")->text(), "size", size, expected)) << name;
    EXPECT_EQ(to_bytes(d.memory), static_cast<std::int64_t>(size)) << name;
    ++compared;
  }
  EXPECT_GE(compared, 9);
}

}  // namespace
