// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "models/model.h"

namespace memwall {
namespace {

using testing::HasSubstr;

const std::string good = R"({
  "model_type": "llama",
  "hidden_size": 64,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "intermediate_size": 160,
  "vocab_size": 1000
}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<problem> problems_of(const std::string& text) {
  try {
    parse_model(text, "x/config.json", "x");
  } catch (const input_error& e) {
    return e.problems();
  }
  return {};
}

TEST(config, good_one_is_read) {
  EXPECT_TRUE(problems_of(good).empty());
}

TEST(config, missing_field) {
  const auto p = problems_of(replaced(good, "\"hidden_size\": 64,", ""));
  ASSERT_FALSE(p.empty());
  EXPECT_THAT(p[0].text(), HasSubstr("x/config.json"));
  EXPECT_THAT(p[0].key, HasSubstr("hidden_size"));
  EXPECT_THAT(p[0].message, HasSubstr("missing"));
}

TEST(config, misspelt_field_is_named) {
  const auto p = problems_of(replaced(good, "hidden_size", "hiden_size"));
  ASSERT_FALSE(p.empty());
  EXPECT_THAT(p[0].text(), HasSubstr("hiden_size"));
}

TEST(config, every_problem_is_reported_with_its_line) {
  const auto p =
      problems_of(replaced(replaced(good, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0"), "1000", "\"many\""));
  ASSERT_EQ(p.size(), 2u);
  EXPECT_EQ(p[0].where, "x/config.json:4");
  EXPECT_EQ(p[0].key, "num_hidden_layers");
  EXPECT_EQ(p[1].where, "x/config.json:8");
  EXPECT_THAT(p[1].message, HasSubstr("many"));
}

TEST(config, absurd_numbers) {
  for (const char* value : {"-64", "0", "1.5", "1e3", "99999999999999999999", "9223372036854775807", "4194304", "true",
                            "null", "[64]", "{}", "\"\"", "nan"})
    EXPECT_FALSE(problems_of(replaced(good, "\"hidden_size\": 64", std::string("\"hidden_size\": ") + value)).empty())
        << value;
}

TEST(config, each_field_in_range_but_the_product_absurd) {
  auto text = replaced(good, "\"hidden_size\": 64", "\"hidden_size\": 1048576");
  text = replaced(text, "160", "16777216");
  text = replaced(text, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 16384");
  const auto p = problems_of(text);
  ASSERT_FALSE(p.empty());
  EXPECT_THAT(p[0].message, HasSubstr("10^15"));
}

TEST(config, heads_must_divide_hidden_unless_head_dim_says_so) {
  const auto seven = replaced(replaced(good, "\"num_attention_heads\": 4", "\"num_attention_heads\": 7"),
                              "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 7");
  const auto p = problems_of(seven);
  ASSERT_EQ(p.size(), 1u);
  EXPECT_EQ(p[0].where, "x/config.json:5");
  EXPECT_THAT(p[0].message, HasSubstr("7 heads do not divide a hidden size of 64"));
  EXPECT_TRUE(problems_of(replaced(seven, "\"vocab_size\"", "\"head_dim\": 32, \"vocab_size\"")).empty());
}

TEST(config, kv_heads_must_divide_heads) {
  const auto p = problems_of(replaced(good, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"));
  ASSERT_EQ(p.size(), 1u);
  EXPECT_EQ(p[0].where, "x/config.json:6");
}

TEST(config, experts_contradict) {
  auto text = replaced(good, "\"llama\"", "\"mixtral\"");
  text = replaced(text, "\"vocab_size\"", "\"num_local_experts\": 4, \"num_experts_per_tok\": 5, \"vocab_size\"");
  const auto p = problems_of(text);
  ASSERT_EQ(p.size(), 1u);
  EXPECT_THAT(p[0].message, HasSubstr("got 5 of 4 experts"));
}

TEST(config, unknown_architecture_names_the_nearest) {
  const auto p = problems_of(replaced(good, "\"llama\"", "\"lama\""));
  ASSERT_EQ(p.size(), 1u);
  EXPECT_EQ(p[0].nearest, "llama");
  EXPECT_EQ(p[0].where, "x/config.json:2");
  EXPECT_FALSE(problems_of(replaced(good, "\"model_type\": \"llama\",", "")).empty());
}

TEST(config, features_that_are_not_modelled_are_refused) {
  auto opt = replaced(replaced(good, "\"llama\"", "\"opt\""), "\"intermediate_size\"",
                      "\"max_position_embeddings\": 128, \"ffn_dim\"");
  opt = replaced(opt, "\"num_key_value_heads\": 2,", "");
  EXPECT_TRUE(problems_of(opt).empty());
  EXPECT_FALSE(problems_of(replaced(opt, "\"vocab_size\"", "\"word_embed_proj_dim\": 32, \"vocab_size\"")).empty());
  EXPECT_FALSE(problems_of(replaced(opt, "\"vocab_size\"", "\"do_layer_norm_before\": false, \"vocab_size\"")).empty());
  EXPECT_FALSE(problems_of(replaced(opt, "\"max_position_embeddings\": 128,", "")).empty());
}

TEST(config, broken_files) {
  for (const char* text : {"", "{", "[1,2", "[]", "null", "42", "\"text\"", "{\"a\":1,\"a\":2}", "{\"model_type\":{}}",
                           "\xff\xfe\x00", "\t{", "}{"})
    EXPECT_FALSE(problems_of(text).empty()) << text;
  EXPECT_FALSE(problems_of(std::string(100000, '[')).empty());
  EXPECT_THROW(load_model(""), input_error);
  EXPECT_THROW(load_model("."), input_error);
  EXPECT_THROW(load_model("/"), input_error);
  EXPECT_THROW(load_model("/nonexistent/config.json"), input_error);
  EXPECT_THROW(load_model("/dev/null"), input_error);
}

TEST(config, unknown_model_names_the_nearest) {
  try {
    load_model("lama-65b");
    FAIL();
  } catch (const input_error& e) {
    EXPECT_EQ(e.problems()[0].nearest, "llama-65b");
    EXPECT_THAT(e.problems()[0].expected, HasSubstr("mixtral-8x7b"));
  }
}

// Whatever bytes come: a model that can be counted, or an input_error. Nothing else.
TEST(config, random_damage_is_never_worse_than_an_error) {
  std::mt19937_64 random(11);
  const std::string alphabet = "{}[]\",:0123456789-e.truefalsn \n\\#&*!|>%@`'\x01\x80";
  int read = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (auto edits = 1 + random() % 4; edits > 0; --edits) {
      const auto at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        case 2:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        default:
          text.resize(at);
      }
      if (text.empty()) text = "{";
    }
    try {
      const auto m = parse_model(text, "fuzz", "fuzz");
      EXPECT_GT(parameter_count(m), 0);
      ++read;
    } catch (const input_error&) {
    }
  }
  EXPECT_GT(read, 0);  // some damage is harmless: digits of a number
}

// Every count of the shipped models: its smallest value is read, one less is not.
TEST(config, counts_have_a_smallest_value) {
  struct smallest {
    const char *model, *key;
    int value;
  };
  const smallest table[] = {{"llama-7b", "hidden_size", 1},
                            {"llama-7b", "num_hidden_layers", 1},
                            {"llama-7b", "num_attention_heads", 1},
                            {"llama-2-70b", "num_key_value_heads", 1},
                            {"llama-7b", "intermediate_size", 1},
                            {"llama-7b", "vocab_size", 1},
                            {"llama-7b", "max_position_embeddings", 1},
                            {"llama-7b", "head_dim", 1},
                            {"mistral-7b", "sliding_window", 1},
                            {"qwen2-0.5b", "intermediate_size", 1},
                            {"qwen3-30b-a3b", "num_experts", 1},
                            {"qwen3-30b-a3b", "num_experts_per_tok", 1},
                            {"qwen3-30b-a3b", "moe_intermediate_size", 1},
                            {"qwen3-30b-a3b", "decoder_sparse_step", 1},
                            {"mixtral-8x7b", "num_local_experts", 1},
                            {"gpt-oss-20b", "sliding_window", 1},
                            {"gpt-2", "n_inner", 1},
                            {"gpt-2", "n_positions", 1},
                            {"opt-1.3b", "ffn_dim", 1},
                            {"gemma-2-2b", "sliding_window", 1},
                            {"gemma-3-4b", "sliding_window_pattern", 1},
                            {"deepseek-v3", "max_position_embeddings", 1},
                            {"deepseek-v3", "first_k_dense_replace", 0},
                            {"deepseek-v3", "moe_layer_freq", 1},
                            {"deepseek-v3", "q_lora_rank", 1},
                            {"deepseek-v3", "kv_lora_rank", 1},
                            {"deepseek-v3", "qk_nope_head_dim", 1},
                            {"deepseek-v3", "qk_rope_head_dim", 1},
                            {"deepseek-v3", "v_head_dim", 1},
                            {"deepseek-v3", "num_nextn_predict_layers", 0},
                            {"deepseek-v3", "n_shared_experts", 0},
                            {"deepseek-v3", "n_routed_experts", 1},
                            {"deepseek-v3", "moe_intermediate_size", 1}};
  for (const auto& row : table) {
    std::ifstream in(std::string(MEMWALL_SOURCE_DIR) + "/models/" + row.model + "/config.json");
    auto config = nlohmann::ordered_json::parse(in);
    const std::string expected = "an integer from " + std::to_string(row.value) + " to ";
    const auto refused = [&](int value) {
      config[row.key] = value;
      const auto problems = problems_of(config.dump(1));
      return std::any_of(problems.begin(), problems.end(),
                         [&](const problem& p) { return p.key == row.key && p.expected.rfind(expected, 0) == 0; });
    };
    EXPECT_TRUE(refused(row.value - 1)) << row.model << ' ' << row.key;
    EXPECT_FALSE(refused(row.value)) << row.model << ' ' << row.key;
  }
}

}  // namespace
}  // namespace memwall
