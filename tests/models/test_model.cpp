// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "models/model.h"

namespace memwall {
namespace {

struct count {
  std::int64_t parameters = 0, active = 0;
};

std::map<std::string, count> published() {
  std::map<std::string, count> out;
  std::ifstream in(MEMWALL_SOURCE_DIR "/tests/models/parameter_counts.csv");
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream cells(line);
    std::string name, parameters, active;
    std::getline(cells, name, ',');
    std::getline(cells, parameters, ',');
    std::getline(cells, active, ',');
    out[name] = {std::stoll(parameters), active.empty() ? std::stoll(parameters) : std::stoll(active)};
  }
  return out;
}

TEST(models, parameter_counts_equal_the_published_ones) {
  const auto table = published();
  ASSERT_GE(table.size(), 28u);
  for (const auto& name : model_names()) {
    const auto m = load_model(name);
    ASSERT_EQ(table.count(name), 1u) << name << " has no line in parameter_counts.csv";
    EXPECT_EQ(parameter_count(m), table.at(name).parameters) << name;
    EXPECT_EQ(active_parameter_count(m), table.at(name).active) << name;
  }
  for (const auto& [name, unused] : table) EXPECT_NO_THROW(load_model(name)) << name;
}

// GPT-2, GPT-3 and OPT: a layer has 12 h^2 weights, 4h + 5h biases (qkv 3h, o h, up 4h, down h) and 4h of
// norms.
TEST(models, gpt_closed_form) {
  struct row {
    const char* name;
    std::int64_t h, layers, vocab, positions;
  };
  for (const auto& [name, h, layers, vocab, positions] :
       {row{"gpt-2", 768, 12, 50257, 1024}, row{"gpt-2-xl", 1600, 48, 50257, 1024},
        row{"gpt-3-175b", 12288, 96, 50257, 2048}, row{"opt-30b", 7168, 48, 50272, 2048 + 2},
        row{"opt-66b", 9216, 64, 50272, 2050}, row{"opt-175b", 12288, 96, 50272, 2050}})
    EXPECT_EQ(parameter_count(load_model(name)), (vocab + positions) * h + layers * (12 * h * h + 13 * h) + 2 * h)
        << name;
}

// "Facts that other tools get wrong".
TEST(models, facts) {
  for (const auto& [name, ffn] : std::map<std::string, std::int64_t>{
           {"llama-7b", 11008}, {"llama-13b", 13824}, {"llama-33b", 17920}, {"llama-65b", 22016}})
    EXPECT_EQ(load_model(name).ffn, ffn) << name;
  const auto bloom = load_model("bloom-176b"), gpt3 = load_model("gpt-3-175b");
  EXPECT_NE(bloom.hidden, gpt3.hidden);
  EXPECT_NE(bloom.layers, gpt3.layers);
  const auto gemma = load_model("gemma-2-9b");
  EXPECT_EQ(gemma.head_dim, 256);
  EXPECT_NE(gemma.head_dim * gemma.heads, gemma.hidden);
  const auto qwen3 = load_model("qwen3-32b");
  EXPECT_EQ(qwen3.head_dim, 128);
  EXPECT_NE(qwen3.head_dim * qwen3.heads, qwen3.hidden);
  const auto deepseek = load_model("deepseek-v3");
  EXPECT_EQ(deepseek.kv_values(), 576);
  EXPECT_FALSE(deepseek.is_moe(2));
  EXPECT_TRUE(deepseek.is_moe(3));
}

TEST(models, qkv_of_grouped_queries_is_narrower) {
  for (const auto& name : {"llama-2-70b", "mistral-7b", "gemma-2-9b", "qwen3-30b-a3b"}) {
    const auto m = load_model(name);
    for (const auto& w : weights_of(m))
      if (w.name == "layers.0.attn.qkv") {
        EXPECT_EQ(w.rows, m.heads * m.head_dim + 2 * m.kv_heads * m.head_dim) << name;
        EXPECT_EQ(w.columns, m.hidden) << name;
      }
  }
}

// Bytes of the KV cache a position, FP16: 2 x layers x kv_heads x head_dim x 2, or layers x latent x 2.
TEST(models, kv_bytes_a_position) {
  const dtype fp16;
  EXPECT_EQ(kv_bytes(load_model("llama-65b"), fp16, 1, 1), 2 * 80 * 64 * 128 * 2);
  EXPECT_EQ(kv_bytes(load_model("llama-2-70b"), fp16, 1, 1), 2 * 80 * 8 * 128 * 2);
  EXPECT_EQ(kv_bytes(load_model("gemma-2-9b"), fp16, 1, 1), 2 * 42 * 8 * 256 * 2);
  EXPECT_EQ(kv_bytes(load_model("deepseek-v3"), fp16, 1, 1), 61 * 576 * 2);
  EXPECT_EQ(kv_bytes(load_model("llama-65b"), fp16, 8, 2048), std::int64_t{8} * 2048 * 2 * 80 * 64 * 128 * 2);
  EXPECT_EQ(kv_bytes(load_model("llama-65b"), dtype::parse("fp8"), 1, 100), 100 * 2 * 80 * 64 * 128);
}

TEST(models, windows_bound_the_cache) {
  const dtype fp16;
  const auto mistral = load_model("mistral-7b");
  EXPECT_EQ(kv_bytes(mistral, fp16, 1, 100000), kv_bytes(mistral, fp16, 1, 4096));
  const auto gemma = load_model("gemma-2-9b");  // every second layer
  const std::int64_t layer = 2 * 8 * 256 * 2;
  EXPECT_EQ(kv_bytes(gemma, fp16, 1, 8192), 21 * layer * 4096 + 21 * layer * 8192);
}

// Closed form of the bytes: matrices in the weights' type, norms and biases in 16 bits.
TEST(models, weight_bytes_of_llama) {
  const auto m = load_model("llama-65b");
  const std::int64_t vectors = 80 * 2 * 8192 + 8192, all = 65285660672;
  EXPECT_EQ(weight_bytes(m, dtypes::parse("fp16")), 2 * all);
  EXPECT_EQ(weight_bytes(m, dtypes::parse("int8")), all - vectors + 2 * vectors);
  EXPECT_EQ(weight_bytes(m, dtypes::parse("int4g32")),
            (all - vectors) / 32 * 18 + 2 * vectors);  // every row divides by 32
  EXPECT_EQ(weight_bytes(m, dtypes::parse("int4g32s32")), (all - vectors) / 32 * 20 + 2 * vectors);
}

TEST(models, tensors_have_distinct_names_and_whole_layers) {
  for (const auto& name : model_names()) {
    const auto m = load_model(name);
    std::map<std::string, int> seen;
    for (const auto& w : weights_of(m)) {
      EXPECT_EQ(seen[w.name]++, 0) << name << " " << w.name;
      EXPECT_GT(w.rows, 0) << name << " " << w.name;
      EXPECT_GT(w.columns, 0) << name << " " << w.name;
      EXPECT_GE(w.layer, -1);
      EXPECT_LT(w.layer, m.layers);
      EXPECT_EQ(w.name.rfind("layers.", 0) == 0, w.layer >= 0) << w.name;
    }
    EXPECT_EQ(seen.count("lm_head") == 0, m.tied) << name;
  }
}

TEST(models, own_config_by_file_and_by_folder) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "memwall-own-model";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json")
      << R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 160, "vocab_size": 1000, "torch_dtype": "float16", "rope_scaling": null})";
  const auto by_folder = load_model(folder.string());
  const auto by_file = load_model((folder / "config.json").string());
  EXPECT_EQ(by_folder.name, "memwall-own-model");
  EXPECT_EQ(by_file.name, "memwall-own-model");
  EXPECT_EQ(by_folder.kv_heads, 4);
  EXPECT_EQ(by_folder.head_dim, 16);
  // 2 x 1000 x 64 + 2 x (4 x 64^2 + 3 x 64 x 160 + 2 x 64) + 64
  EXPECT_EQ(parameter_count(by_file), 2 * 1000 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 160 + 2 * 64) + 64);
  std::filesystem::remove_all(folder);
}

TEST(models, aliases_are_the_same_model) {
  EXPECT_EQ(load_model("llama-30b").name, "llama-33b");
  EXPECT_EQ(load_model("gpt-3").name, "gpt-3-175b");
}

}  // namespace
}  // namespace memwall
