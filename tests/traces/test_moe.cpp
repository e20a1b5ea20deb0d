// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numeric>

#include "closed_forms.h"
#include "traces/layout.h"

namespace memwall::trace {
namespace {

TEST(moe, every_token_gets_its_experts) {
  for (std::int64_t tokens : {1, 2, 7, 100})
    for (const auto& [experts, active] :
         {std::pair<std::int64_t, std::int64_t>{8, 2}, {128, 8}, {256, 8}, {4, 4}, {5, 1}}) {
      const auto rows = choose_experts(42, tokens, experts, active);
      EXPECT_EQ(std::accumulate(rows.begin(), rows.end(), std::int64_t{0}), tokens * active);
      for (const auto r : rows) EXPECT_LE(r, tokens);  // no token chooses an expert twice
      const auto touched = std::count_if(rows.begin(), rows.end(), [](std::int64_t r) { return r > 0; });
      EXPECT_GE(touched, active);
      EXPECT_LE(touched, std::min(experts, tokens * active));
    }
}

// With independent, uniform choices the mean number of distinct experts is E (1 - (1 - A/E)^T); its spread
// over many draws is well below the tolerance.
TEST(moe, distinct_experts_follow_the_expectation) {
  const std::int64_t experts = 128, active = 8;
  for (std::int64_t tokens : {1, 4, 16, 64}) {
    double sum = 0;
    constexpr int draws = 2000;
    for (int i = 0; i < draws; ++i) {
      const auto rows = choose_experts(mix(7, static_cast<std::uint64_t>(i)), tokens, experts, active);
      sum += static_cast<double>(std::count_if(rows.begin(), rows.end(), [](std::int64_t r) { return r > 0; }));
    }
    const double expected = 128 * (1 - std::pow(1 - 8.0 / 128, static_cast<double>(tokens)));
    EXPECT_NEAR(sum / draws, expected, 0.01 * expected + 1e-9) << tokens;
  }
}

TEST(moe, choice_is_uniform) {
  std::vector<std::int64_t> count(64, 0);
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) {
    const auto rows = choose_experts(mix(3, static_cast<std::uint64_t>(i)), 1, 64, 4);
    for (std::size_t e = 0; e < rows.size(); ++e) count[e] += rows[e];
  }
  // 20000 x 4 / 64 = 1250 each, standard deviation about 34: five of them.
  for (const auto c : count) EXPECT_NEAR(static_cast<double>(c), 1250, 5 * 34);
}

TEST(moe, weights_of_the_touched_experts_are_read) {
  const auto m = load_model("qwen3-30b-a3b");
  workload w;
  w.batch = 4;
  w.types = dtypes::parse("int4g32");
  auto g = generate(m, w);
  const std::int64_t up = bytes_of(w.types.weights, 2 * 768, 2048), down = bytes_of(w.types.weights, 2048, 768);
  std::size_t touched = 0;
  bool differs = false;
  for (op o; g->next(o);) {
    if (o.kind != op_kind::expert_gemm) continue;
    const bool is_up = o.name.find("gate_up") != std::string::npos;
    const auto bytes = o.bytes(g->header().tensors, tensor_class::weights, access::read);
    EXPECT_EQ(bytes, static_cast<std::int64_t>(o.group_rows.size()) * (is_up ? up : down));
    EXPECT_EQ(std::accumulate(o.group_rows.begin(), o.group_rows.end(), std::int64_t{0}), 4 * 8);
    EXPECT_EQ(o.m, 4 * 8);
    EXPECT_EQ(o.choices, 8);
    if (is_up) {
      differs = differs || (touched != 0 && touched != o.group_rows.size());
      touched = o.group_rows.size();
    } else {
      EXPECT_EQ(o.group_rows.size(), touched);  // the same experts go up and down
    }
  }
  EXPECT_TRUE(differs) << "every layer chooses anew";
}

TEST(moe, one_token_reads_active_experts_only) {
  const auto m = load_model("mixtral-8x7b");
  workload w;
  w.types = dtypes::parse("fp16");
  auto g = generate(m, w);
  // All parameters a token meets, less the embedding of which it reads a row.
  EXPECT_EQ(sum_of(*g).read[0], 2 * (active_parameter_count(m) - 32000 * 4096 + 4096));
}

TEST(moe, shared_experts_do_not_wait_for_the_router) {
  const auto m = load_model("deepseek-v3");
  workload w;
  auto g = generate(m, w);
  std::uint64_t norm = 0;
  int checked = 0;
  for (op o; g->next(o);) {
    if (o.name.find("mlp.norm") != std::string::npos) norm = o.id;
    if (o.name.find("moe.shared.gate_up") == std::string::npos) continue;
    EXPECT_EQ(o.deps, std::vector<std::uint64_t>{norm});
    EXPECT_EQ(o.n, 2 * 2048);
    ++checked;
  }
  EXPECT_EQ(checked, 58);
}

}  // namespace
}  // namespace memwall::trace
