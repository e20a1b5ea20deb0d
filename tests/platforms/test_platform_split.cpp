// SPDX-License-Identifier: Apache-2.0
// What operators are to the host that launches them.
#include "platforms/execute/platform_split.h"

#include <gtest/gtest.h>

#include <tuple>
#include <utility>

#include "models/model.h"
#include "traces/generator.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

/// Kernels of layer 1 and of all that is in no layer, on the first device.
std::pair<std::int64_t, std::int64_t> kernels(const std::string& dtype, trace::workload::phases phase) {
  const auto d = load_platform("von_neumann_h100x2", {"software=llama_cpp"});
  build_context context;
  const platforms::system hw(d, context);
  trace::workload w;
  w.phase = phase;
  w.prompt = 16;
  w.types = dtypes::parse(dtype);
  const memwall::model m = load_model("llama-2-7b");
  const trace_source source = [&] { return trace::generate(m, w); };
  const placement where(d, hw.slots(), source);
  const symmetry each;
  const auto stream = source();
  const platform_split split(hw, each, where, stream->header());
  const std::size_t cpu = 0;
  EXPECT_EQ(split.launches_ahead(cpu).room, 0) << "not launched by anybody";
  std::pair<std::int64_t, std::int64_t> out;
  trace::op op;
  while (stream->next(op)) {
    const std::size_t gpu = split.cores_of(op).front();
    EXPECT_EQ(split.launches_ahead(gpu).room, 980);
    EXPECT_EQ(split.launches_ahead(gpu).passes, 4);
    if (op.layer == 1) out.first += split.kernels_of(op, gpu);
    if (op.layer < 0) out.second += split.kernels_of(op, gpu);
  }
  return out;
}

// Of llama.cpp's graph a layer has two norms of 2 kernels, seven products (q, k, v, o, gate, up, down) of 3, a rotation
// and the appends of 4, an attention of 12, an activation and two sums of 1: 44. Narrow weights of a prompt are
// expanded by a kernel more for each product, those of one token are not. Outside: a look-up, a norm of 2, a product of
// 3 (4), a sample.
class platform_split_kernels : public testing::TestWithParam<std::tuple<const char*, trace::workload::phases, int>> {};
INSTANTIATE_TEST_SUITE_P(types, platform_split_kernels,
                         testing::Values(std::tuple{"fp16", trace::workload::phases::prefill, 44},
                                         std::tuple{"int4g32/fp16/fp16", trace::workload::phases::prefill, 51},
                                         std::tuple{"int4g32/fp16/fp16", trace::workload::phases::decode, 44}),
                         [](const auto& i) { return "n" + std::to_string(i.index); });

TEST_P(platform_split_kernels, are_those_of_the_runtimes_graph) {
  const auto& [types, phase, layer] = GetParam();
  EXPECT_EQ(kernels(types, phase), (std::pair<std::int64_t, std::int64_t>{layer, 7}));
}

}  // namespace
