// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "models/forward/forward.h"
#include "tests/support/temp_dir.h"

using namespace memwall;

TEST(forward, norm_divides_by_the_root_mean_square) {
  const float x[] = {3, 4}, gain[] = {1, 2};
  float y[2];
  rms_norm(x, gain, 1, 2, 0, y);
  EXPECT_NEAR(y[0], 3 / std::sqrt(12.5), 1e-6);
  EXPECT_NEAR(y[1], 8 / std::sqrt(12.5), 1e-6);
}

// Angle p theta^(-2i/d): the first pair turns by the position in radians, the second of four values by p / 100.
TEST(forward, rotations_turn_pairs) {
  model m;
  m.head_dim = 4;
  const rotations r(m, numerics{});
  float head[] = {1, 0, 0, 1};
  r.apply(3, head);
  EXPECT_NEAR(head[0], std::cos(3.0), 1e-6);
  EXPECT_NEAR(head[2], std::sin(3.0), 1e-6);
  EXPECT_NEAR(head[1], -std::sin(0.03), 1e-6);
  EXPECT_NEAR(head[3], std::cos(0.03), 1e-6);
}

// DeepSeek-V3's: waves slowed by 40, two factors of 1: rotations keep their size, scores are sharpened by
// (0.1 ln 40 + 1)^2 = 1.3689^2.
TEST(forward, scores_of_a_stretched_context_are_sharpened) {
  const test::temp_dir dir;
  const auto of = [&](const char* scaling) {
    std::ofstream(dir / "config.json")
        << R"({"model_type":"deepseek_v3","hidden_size":24,"intermediate_size":20,"num_hidden_layers":1,"num_attention_heads":4,)"
           R"("q_lora_rank":10,"kv_lora_rank":8,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":5,"vocab_size":40,)"
           R"("n_routed_experts":null,"first_k_dense_replace":0,"max_position_embeddings":64)"
        << scaling << "}";
    return read_numerics(load_model(dir.path()));
  };
  EXPECT_NEAR(of("").score_scale, 1 / std::sqrt(192.0), 1e-12);
  const numerics n = of(
      R"(,"rope_scaling":{"type":"yarn","factor":40,"mscale":1.0,"mscale_all_dim":1.0,"beta_fast":32,"beta_slow":1,"original_max_position_embeddings":4096})");
  const double sharper = 0.1 * std::log(40.0) + 1;
  EXPECT_NEAR(n.score_scale, sharper * sharper / std::sqrt(192.0), 1e-12);
  EXPECT_NEAR(n.yarn_magnitude, 1, 1e-12);
  EXPECT_NEAR(of(R"(,"rope_scaling":{"type":"yarn","factor":40,"mscale":0.5,"mscale_all_dim":1.0})").yarn_magnitude,
              (0.05 * std::log(40.0) + 1) / sharper, 1e-12);
}

// What a file does not say of Llama 3's scaling is what its first model has: 1 and 4 turns within the first context.
TEST(forward, bounds_of_llama_3s_scaling_have_defaults) {
  const test::temp_dir dir;
  const auto of =
      [&](const char* more) {
        std::ofstream(dir / "config.json")
            << R"({"model_type":"llama","hidden_size":64,"num_hidden_layers":1,"num_attention_heads":4,)"
               R"("intermediate_size":128,"vocab_size":40,"max_position_embeddings":131072,)"
               R"("rope_scaling":{"rope_type":"llama3","factor":8.0,"original_max_position_embeddings":4096)"
            << more << "}}";
        return read_numerics(load_model(dir.path()));
      };
  const numerics usual = of("");
  EXPECT_EQ(usual.rope_scaling, numerics::scaling::llama3);
  EXPECT_EQ(usual.rope_factor, 8);
  EXPECT_EQ(usual.rope_original, 4096);
  EXPECT_EQ(usual.rope_low, 1);
  EXPECT_EQ(usual.rope_high, 4);
  const numerics told = of(R"(,"low_freq_factor":2.0,"high_freq_factor":6.0)");
  EXPECT_EQ(told.rope_low, 2);
  EXPECT_EQ(told.rope_high, 6);
}

// Llama 3.1's scaling: waves longer than 8192 / 1 positions are slowed by the factor, shorter than 8192 / 4 left alone.
TEST(forward, long_waves_are_slowed_down) {
  model m;
  m.head_dim = 4;
  numerics n;
  n.rope_theta = 1e12;  // the second frequency is 1e-6: a wave of 6.3 million positions
  n.rope_scaling = numerics::scaling::llama3;
  n.rope_factor = 8;
  const rotations r(m, n);
  float head[] = {1, 1, 0, 0};
  r.apply(100000, head);
  EXPECT_NEAR(head[1], std::cos(0.1 / 8), 1e-6);
  EXPECT_NEAR(head[3], std::sin(0.1 / 8), 1e-6);
  EXPECT_NEAR(head[0], std::cos(100000.0), 1e-4);
}

TEST(forward, likelihood_and_divergence_have_their_closed_forms) {
  const float even[] = {2, 2, 2, 2}, other[] = {0, 0, 0, std::log(3.0F)};
  EXPECT_NEAR(negative_log_likelihood(even, 4, 1), std::log(4.0), 1e-12);
  EXPECT_NEAR(negative_log_likelihood(other, 4, 3), std::log(2.0), 1e-7);
  // sum of 1/4 ln((1/4) / q), q = 1/6 three times and 1/2.
  EXPECT_NEAR(divergence(even, other, 4), 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-7);
  EXPECT_EQ(divergence(even, even, 4), 0);
}

TEST(forward, activations) {
  model m;
  const float x[] = {1, -2, 3, 5};  // gates, then the others
  float y[2];
  mlp_activation(m, numerics{}, x, 1, 2, y);
  EXPECT_NEAR(y[0], 3 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(y[1], -10 / (1 + std::exp(2.0)), 1e-6);
}

TEST(forward, what_is_not_computed_is_refused_by_name) {
  const test::temp_dir dir;
  std::ofstream(dir / "config.json")
      << R"({"model_type":"llama","hidden_size":4,"intermediate_size":4,"num_hidden_layers":1,"num_attention_heads":1,"vocab_size":2,"rope_scaling":{"rope_type":"longrope","factor":2}})";
  EXPECT_THROW(read_numerics(load_model(dir.path())), input_error);
  EXPECT_EQ(read_numerics(load_model("llama-3.2-1b")).rope_theta, 500000);
  const numerics deep = read_numerics(load_model("deepseek-v3"));  // defaults of its library
  EXPECT_TRUE(deep.experts_sigmoid && deep.group_by_two && deep.experts_normalised && deep.rope_interleaved);
  EXPECT_EQ(deep.expert_groups, 8);
  EXPECT_EQ(deep.groups_taken, 4);
  EXPECT_EQ(deep.experts_scale, 2.5);
  for (const char* broken : {R"("scoring_func":"tanh")", R"("topk_method":"random")", R"("n_group":3,"topk_group":1)",
                             R"("n_group":4,"topk_group":1)"}) {
    std::ofstream(dir / "config.json")
        << R"({"model_type":"deepseek_v3","hidden_size":24,"intermediate_size":20,"num_hidden_layers":1,"num_attention_heads":4,)"
           R"("kv_lora_rank":8,"qk_nope_head_dim":6,"qk_rope_head_dim":4,"v_head_dim":5,"vocab_size":40,"n_routed_experts":8,)"
           R"("num_experts_per_tok":3,"moe_intermediate_size":20,"max_position_embeddings":64,)"
        << broken << "}";
    EXPECT_THROW(read_numerics(load_model(dir.path())), input_error) << broken;
  }
}
