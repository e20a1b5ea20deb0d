// SPDX-License-Identifier: Apache-2.0
// A small file of every architecture family with all fields that decide its shape, for tests that change them.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memwall::test {

/// Files as JSON, the family's model_type in each. Every value differs from the family's default where it has one.
inline std::vector<nlohmann::ordered_json> family_files() {
  const char* const files[] = {
      R"({"model_type":"llama","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,"num_key_value_heads":4,
          "head_dim":16,"intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,
          "tie_word_embeddings":true,"attention_bias":true,"mlp_bias":true})",
      R"({"model_type":"mistral","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "num_key_value_heads":4,"head_dim":16,"intermediate_size":160,"vocab_size":1000,
          "max_position_embeddings":512,"tie_word_embeddings":true,"sliding_window":100})",
      R"({"model_type":"mixtral","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "num_key_value_heads":4,"head_dim":16,"intermediate_size":160,"vocab_size":1000,
          "max_position_embeddings":512,"tie_word_embeddings":true,"sliding_window":100,"num_local_experts":6,
          "num_experts_per_tok":3})",
      R"({"model_type":"qwen2","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,"num_key_value_heads":4,
          "head_dim":16,"intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,
          "tie_word_embeddings":true,"use_sliding_window":true,"sliding_window":100,"max_window_layers":2})",
      R"({"model_type":"qwen3","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,"num_key_value_heads":4,
          "head_dim":16,"intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,
          "tie_word_embeddings":true,"attention_bias":true,"use_sliding_window":true,"sliding_window":100,
          "layer_types":["full_attention","sliding_attention","full_attention","sliding_attention",
                         "sliding_attention","full_attention"]})",
      R"({"model_type":"qwen3_moe","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "num_key_value_heads":2,"head_dim":16,"intermediate_size":160,"vocab_size":1000,
          "max_position_embeddings":512,"tie_word_embeddings":true,"attention_bias":true,"num_experts":6,
          "num_experts_per_tok":3,"moe_intermediate_size":24,"decoder_sparse_step":2,"mlp_only_layers":[3]})",
      R"({"model_type":"phi3","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,"num_key_value_heads":4,
          "head_dim":16,"intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,
          "tie_word_embeddings":true,"sliding_window":100,"partial_rotary_factor":0.5})",
      R"({"model_type":"gemma2","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":4,"num_key_value_heads":2,
          "head_dim":32,"intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,
          "tie_word_embeddings":false,"attention_bias":true,"sliding_window":100})",
      R"({"model_type":"gemma3_text","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":4,
          "num_key_value_heads":2,"head_dim":32,"intermediate_size":160,"vocab_size":1000,
          "max_position_embeddings":512,"tie_word_embeddings":false,"attention_bias":true,"sliding_window":100,
          "sliding_window_pattern":3})",
      R"({"model_type":"gpt_oss","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "num_key_value_heads":4,"head_dim":16,"intermediate_size":160,"vocab_size":1000,
          "max_position_embeddings":512,"tie_word_embeddings":true,"attention_bias":false,"sliding_window":100,
          "num_local_experts":6,"num_experts_per_tok":3})",
      R"({"model_type":"gpt2","n_embd":64,"n_layer":6,"n_head":8,"n_inner":160,"vocab_size":1000,"n_positions":512,
          "tie_word_embeddings":false})",
      R"({"model_type":"opt","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,"ffn_dim":160,
          "vocab_size":1000,"max_position_embeddings":512,"tie_word_embeddings":false,"enable_bias":false})",
      R"({"model_type":"bloom","hidden_size":64,"n_layer":6,"n_head":8,"vocab_size":1000,"seq_length":512,
          "tie_word_embeddings":false})",
      R"({"model_type":"gptj","n_embd":64,"n_layer":6,"n_head":8,"n_inner":160,"vocab_size":1000,"n_positions":512,
          "tie_word_embeddings":true,"rotary_dim":4})",
      R"({"model_type":"gpt_neox","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,"tie_word_embeddings":true,
          "attention_bias":false,"use_parallel_residual":false,"rotary_pct":0.5})",
      R"({"model_type":"falcon","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,"num_kv_heads":2,
          "new_decoder_architecture":true,"num_ln_in_parallel_attn":1,"ffn_hidden_size":160,"bias":true,
          "vocab_size":1000,"max_position_embeddings":512,"tie_word_embeddings":false})",
      R"({"model_type":"falcon","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,"multi_query":false,
          "parallel_attn":false,"alibi":true,"bias":true,"vocab_size":1000,"tie_word_embeddings":false})",
      R"({"model_type":"deepseek_v2","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,"tie_word_embeddings":true,
          "q_lora_rank":24,"kv_lora_rank":20,"qk_nope_head_dim":12,"qk_rope_head_dim":8,"v_head_dim":10,
          "n_routed_experts":6,"num_experts_per_tok":3,"n_shared_experts":3,"moe_intermediate_size":24,
          "first_k_dense_replace":2,"topk_method":"noaux_tc"})",
      R"({"model_type":"deepseek_v2","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "intermediate_size":160,"vocab_size":1000,"kv_lora_rank":20,"qk_nope_head_dim":12,"qk_rope_head_dim":8,
          "v_head_dim":10,"n_routed_experts":6,"num_experts_per_tok":3,"moe_intermediate_size":24,
          "moe_layer_freq":2})",
      R"({"model_type":"deepseek_v3","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,"tie_word_embeddings":true,
          "q_lora_rank":24,"kv_lora_rank":20,"qk_nope_head_dim":12,"qk_rope_head_dim":8,"v_head_dim":10,
          "n_routed_experts":6,"num_experts_per_tok":3,"n_shared_experts":3,"moe_intermediate_size":24,
          "moe_layer_freq":[0,1,0,1,1,0],"topk_method":"greedy"})",
      R"({"model_type":"kimi_k2","hidden_size":64,"num_hidden_layers":6,"num_attention_heads":8,
          "intermediate_size":160,"vocab_size":1000,"max_position_embeddings":512,"tie_word_embeddings":true,
          "q_lora_rank":24,"kv_lora_rank":20,"qk_nope_head_dim":12,"qk_rope_head_dim":8,"v_head_dim":10,
          "n_routed_experts":6,"num_experts_per_tok":3,"n_shared_experts":3,"moe_intermediate_size":24,
          "first_k_dense_replace":1,"topk_method":"greedy"})",
  };
  std::vector<nlohmann::ordered_json> out;
  for (const char* text : files) out.push_back(nlohmann::ordered_json::parse(text));
  return out;
}

}  // namespace memwall::test
