// SPDX-License-Identifier: Apache-2.0
// Model files as people have them: mixed layers, parts of other files, quantised checkpoints, caches with links.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "families.h"
#include "models/model.h"

namespace memwall {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;
using testing::Contains;
using testing::HasSubstr;

model read(const json& file) {
  return parse_model(file.dump(), "x/config.json", "x");
}
std::vector<problem> problems_of(const std::string& text) {
  try {
    parse_model(text, "x/config.json", "x");
  } catch (const input_error& e) {
    return e.problems();
  }
  return {};
}
json of(const std::string& family) {
  for (const auto& file : test::family_files())
    if (file["model_type"] == family) return file;
  return {};
}
json with(json file, const std::string& key, const json& value) {
  file[key] = value;
  return file;
}
json without(json file, const std::string& key) {
  file.erase(key);
  return file;
}

// A position of the cache takes 2 x 4 KV heads x 16 values x 2 bytes a layer in the files of six layers.
constexpr std::int64_t position = 2 * 4 * 16 * 2;

TEST(files, layer_types_say_which_layers_have_a_window) {
  const dtype fp16;
  const auto m = read(of("qwen3"));  // layers 1, 3 and 4
  EXPECT_EQ(m.windows, (std::vector<std::int64_t>{0, 100, 0, 100, 100, 0}));
  EXPECT_EQ(kv_bytes(m, fp16, 2, 500), 2 * position * (3 * 500 + 3 * 100));
  EXPECT_EQ(problems_of(with(of("qwen3"), "layer_types", json::array({"full_attention"})).dump()).at(0).key,
            "layer_types");
}

TEST(files, qwen_has_a_window_from_a_layer_on_if_any) {
  const dtype fp16;
  EXPECT_EQ(kv_bytes(read(of("qwen2")), fp16, 1, 500), position * (2 * 500 + 4 * 100));
  EXPECT_EQ(kv_bytes(read(with(of("qwen2"), "max_window_layers", 6)), fp16, 1, 500), position * 6 * 500);
  EXPECT_EQ(kv_bytes(read(with(of("qwen2"), "use_sliding_window", false)), fp16, 1, 500), position * 6 * 500);
  // 28 layers without a window, unless the file says otherwise: here, all six.
  EXPECT_EQ(kv_bytes(read(without(of("qwen2"), "max_window_layers")), fp16, 1, 500), position * 6 * 500);
}

TEST(files, rule_and_list_of_layers_must_agree) {
  auto file = of("gemma3_text");  // every third layer sees all
  const json types = {"sliding_attention", "sliding_attention", "full_attention",
                      "sliding_attention", "sliding_attention", "full_attention"};
  file["layer_types"] = types;
  EXPECT_EQ(read(file).windows, (std::vector<std::int64_t>{100, 100, 0, 100, 100, 0}));
  file["sliding_window_pattern"] = 2;
  EXPECT_EQ(problems_of(file.dump()).at(0).key, "layer_types");
  file.erase("sliding_window_pattern");
  file["_sliding_window_pattern"] = 3;
  EXPECT_TRUE(problems_of(file.dump()).empty());
}

TEST(files, defaults_are_the_familys_own) {
  // Gemma 3 4B as its checkpoint has it: heads, KV heads, head size and vocabulary are left to the family.
  const auto gemma = parse_model(R"({"model_type":"gemma3_text","hidden_size":2560,"intermediate_size":10240,
                                     "num_hidden_layers":34,"sliding_window":1024})",
                                 "f", "f");
  EXPECT_EQ(gemma.head_dim, 256);
  EXPECT_EQ(gemma.heads, 8);
  EXPECT_EQ(gemma.kv_heads, 4);
  EXPECT_EQ(parameter_count(gemma), 3880263168);
  EXPECT_THAT(gemma.notes, Contains(HasSubstr("head_dim is not in the file: 256")));
  // 5 layers see everything, 29 a window of 1024; a position is 2 x 4 x 256 values of 2 bytes.
  EXPECT_EQ(kv_bytes(gemma, dtype(), 1, 131072), std::int64_t{2 * 4 * 256 * 2} * (5 * 131072 + 29 * 1024));

  EXPECT_EQ(read(without(of("qwen3"), "head_dim")).head_dim, 128);
  EXPECT_EQ(read(without(of("gpt_oss"), "head_dim")).head_dim, 64);
  EXPECT_EQ(read(without(of("llama"), "head_dim")).head_dim, 8);  // 64 / 8 heads
  EXPECT_EQ(read(without(of("mistral"), "num_key_value_heads")).kv_heads, 8);
  auto many = with(of("mistral"), "num_attention_heads", 16);
  EXPECT_EQ(read(without(many, "num_key_value_heads")).kv_heads, 8);
  EXPECT_EQ(read(with(many, "num_key_value_heads", nullptr)).kv_heads, 16);  // as many as heads
  EXPECT_EQ(read(without(of("mistral"), "sliding_window")).window_of(0), 4096);
  EXPECT_EQ(read(with(of("mistral"), "sliding_window", nullptr)).window_of(0), 0);
}

TEST(files, dense_layers_among_mixtures) {
  const auto m = read(of("qwen3_moe"));  // every second layer from the first on is dense, and layer 3
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(m.is_moe(i), i == 1 || i == 5) << i;
  EXPECT_EQ(m.moe_layers(), 2);
  // Attention: qkv (8 + 2 x 2) x 16 rows with biases, o 64 x 128 with bias, norms of queries and keys; two norms.
  const std::int64_t attention = 192 * 64 + 192 + 64 * 128 + 64 + 2 * 16 + 2 * 64;
  const std::int64_t dense = 3 * 64 * 160, mixture = 6 * 64 + 6 * 3 * 64 * 24;
  EXPECT_EQ(parameter_count(m), 1000 * 64 + 6 * attention + 4 * dense + 2 * mixture + 64);

  const auto listed = read(of("deepseek_v3"));  // [0,1,0,1,1,0]
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(listed.is_moe(i), i == 1 || i == 3 || i == 4) << i;
}

TEST(files, falcon_with_one_norm_or_sequential_blocks) {
  const auto eleven = read(of("falcon"));  // late architecture, one norm
  EXPECT_TRUE(eleven.parallel_blocks);
  EXPECT_TRUE(eleven.shared_norm);
  EXPECT_EQ(eleven.kv_heads, 2);
  auto two = of("falcon");
  two.erase("num_ln_in_parallel_attn");
  EXPECT_EQ(parameter_count(read(two)), parameter_count(eleven) + 6 * 2 * 64);  // gain and bias of six norms more
  // Falcon-RW-1B, whose checkpoint has 1,311,625,216 parameters: blocks one after the other, ALiBi, all heads.
  const auto rw = parse_model(R"({"model_type":"falcon","hidden_size":2048,"num_hidden_layers":24,
                                  "num_attention_heads":32,"vocab_size":50304,"multi_query":false,"bias":true,
                                  "parallel_attn":false,"alibi":true})",
                              "f", "f");
  EXPECT_EQ(parameter_count(rw), 1311625216);
  // Falcon-7B's file names 71 KV heads, which multi_query overrules.
  const auto seven = parse_model(R"({"model_type":"falcon","hidden_size":4544,"num_hidden_layers":32,
                                     "num_attention_heads":71,"num_kv_heads":71,"vocab_size":65024})",
                                 "f", "f");
  EXPECT_EQ(seven.kv_heads, 1);
  EXPECT_EQ(parameter_count(seven), 6921720704);
}

TEST(files, a_value_a_layer_is_refused_with_its_name) {
  for (const auto& [family, key] : {std::pair{"llama", "num_key_value_heads"},
                                    {"llama", "intermediate_size"},
                                    {"mistral", "sliding_window"},
                                    {"llama", "num_attention_heads"}}) {
    const auto p = problems_of(with(of(family), key, json::array({4, 4, 2, 2, 4, 4})).dump());
    ASSERT_FALSE(p.empty()) << key;
    EXPECT_EQ(p[0].key, key);
    EXPECT_THAT(p[0].message, HasSubstr("a value for each layer"));
  }
}

TEST(files, not_modelled_architectures_have_no_neighbours) {
  for (const char* type : {"mamba", "mamba2", "jamba", "vit", "mpt", "bert", "t5", "llama4_text", "gemma3n_text",
                           "qwen2_moe", "phi", "some_thing_else"}) {
    const auto p = problems_of(json{{"model_type", type}, {"hidden_size", 64}}.dump());
    ASSERT_EQ(p.size(), 1u) << type;
    EXPECT_EQ(p[0].nearest, "") << type;
    EXPECT_THAT(p[0].expected, HasSubstr("gemma3_text")) << type;
  }
  EXPECT_THAT(problems_of(R"({"model_type":"mamba2"})").at(0).message, HasSubstr("state space"));
}

TEST(files, the_language_part_of_a_multimodal_file) {
  auto inner = of("gemma3_text");
  json file = {{"model_type", "gemma3"},
               {"text_config", inner},
               {"vision_config", {{"hidden_size", 1152}}},
               {"mm_tokens_per_image", 256}};
  EXPECT_EQ(parameter_count(read(file)), parameter_count(read(inner)));
  EXPECT_THAT(read(file).notes, Contains(HasSubstr("its text_config is read")));
  // What the inner object leaves out may stand around it; both must agree.
  file["text_config"].erase("tie_word_embeddings");
  file["tie_word_embeddings"] = false;
  EXPECT_FALSE(read(file).tied);
  file["text_config"]["tie_word_embeddings"] = true;
  EXPECT_EQ(problems_of(file.dump()).at(0).key, "tie_word_embeddings");
  // Its keys are held to the same rule.
  file = {{"model_type", "gemma3"}, {"text_config", with(inner, "altup_num_inputs", 4)}};
  EXPECT_EQ(problems_of(file.dump()).at(0).key, "altup_num_inputs");
}

struct quantised {
  const char* description;
  const char* types;
};

TEST(files, quantised_checkpoints_give_their_types) {
  for (const auto& q : {
           quantised{R"({"quant_method":"gptq","bits":4,"group_size":128})", "int4g128z4@fp16/fp16/fp16"},
           quantised{R"({"quant_method":"gptq","bits":8,"group_size":-1})", "int8@fp16/fp16/fp16"},
           quantised{R"({"quant_method":"awq","bits":4,"group_size":64,"zero_point":false})", "int4g64@fp16/fp16/fp16"},
           quantised{R"({"quant_method":"bitsandbytes","load_in_4bit":true})", "int4g64s32@fp16/fp16/fp16"},
           quantised{R"({"load_in_4bit":true,"bnb_4bit_use_double_quant":true})", "w4.127@fp16/fp16/fp16"},
           quantised{R"({"quant_method":"bitsandbytes","load_in_8bit":true})", "int8@fp16/fp16/fp16"},
           quantised{R"({"quant_method":"fp8","weight_block_size":[128,128]})", "fp8@fp16/fp8/fp16"},
           quantised{R"({"bits":4,"group_size":64})", "int4g64z16/fp16/fp16"},
           quantised{R"({"quant_method":"compressed-tensors","config_groups":{"group_0":{"weights":{"num_bits":4,
                         "type":"int","strategy":"group","group_size":128,"symmetric":true}}}})",
                     "int4g128/fp16/fp16"},
           quantised{R"({"quant_method":"compressed-tensors","config_groups":{"group_0":{"weights":{"num_bits":8,
                         "type":"float","strategy":"channel"},"input_activations":{"num_bits":8,"type":"float"}}},
                         "kv_cache_scheme":{"num_bits":8,"type":"float"}})",
                     "fp8/fp8/fp8"},
           quantised{R"({"config_groups":{"a":{"weights":{"num_bits":4,"type":"float","group_size":16}}}})",
                     "fp4g16s8/fp16/fp16"},
       }) {
    const auto m = read(with(of("llama"), "quantization_config", json::parse(q.description)));
    ASSERT_TRUE(m.stored) << q.description;
    EXPECT_EQ(m.stored->name(), q.types) << q.description;
    EXPECT_THAT(m.notes, Contains(HasSubstr(q.types)));
  }
  EXPECT_EQ(read(with(of("gpt_oss"), "quantization_config", {{"quant_method", "mxfp4"}})).stored->name(),
            "bf16+fp4g32s8/bf16/bf16");
  // Experts of another type than the rest need experts; kinds that are not known are said not to be used.
  for (const char* method : {"mxfp4", "aqlm", "torchao"}) {
    const auto m = read(with(of("llama"), "quantization_config", {{"quant_method", method}}));
    EXPECT_FALSE(m.stored) << method;
    EXPECT_THAT(m.notes, Contains(HasSubstr("was not used"))) << method;
  }
}

// 7.24 x 10^9 parameters of LLaMA's form in groups of 128: 4 + (16 + 4) / 128 bits a weight, but for the embedding and
// the lm_head, which GPTQ leaves in 16 bits.
TEST(files, a_gptq_checkpoint_is_as_large_as_its_types_say) {
  auto file = json::parse(R"({"model_type":"llama","hidden_size":4096,"intermediate_size":14336,
      "num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":32000,
      "quantization_config":{"quant_method":"gptq","bits":4,"group_size":128}})");
  const auto m = read(file);
  const std::int64_t vectors = 65 * 4096, tables = 2 * 32000 * 4096, matrices = 7241732096 - vectors - tables;
  EXPECT_EQ(weight_bytes(m, *m.stored), matrices / 128 * 64 + matrices / 128 * 5 / 2 + 2 * (vectors + tables));
}

TEST(files, what_a_quantised_checkpoint_leaves_in_16_bits) {
  const auto stored = [](const json& description) {
    const auto m = read(with(of("llama"), "quantization_config", description));
    return m.stored ? m.stored->name() : "not used";
  };
  // compressed-tensors quantises what it does not list; GPTQ's lm_head on request.
  json packed =
      json::parse(R"({"quant_method":"compressed-tensors","ignore":["lm_head"],"config_groups":{"a":{"weights":
      {"num_bits":4,"type":"int","group_size":128}}}})");
  EXPECT_EQ(stored(packed), "int4g128@fp16/fp16/fp16");
  EXPECT_EQ(stored({{"quant_method", "gptq"}, {"bits", 4}, {"lm_head", true}}), "int4g128z4/fp16/fp16");
  EXPECT_EQ(stored({{"quant_method", "gptq"}, {"bits", "four"}}), "not used");
  const auto more = read(with(of("llama"), "quantization_config",
                              {{"quant_method", "fbgemm_fp8"}, {"modules_to_not_convert", {"self_attn", "lm_head"}}}));
  EXPECT_THAT(more.notes, Contains(HasSubstr("'self_attn'), which are counted as quantised")));
  EXPECT_THAT(read(with(of("llama"), "quantization_config", "awq")).notes, Contains(HasSubstr("was not used")));
  // The types are words that --dtype reads.
  const dtypes again = dtypes::parse("int4g128z4+fp8@bf16/fp16/fp8");
  EXPECT_EQ(again.name(), "int4g128z4+fp8@bf16/fp16/fp8");
  EXPECT_EQ(again.tables, dtype::parse("bf16"));
  EXPECT_EQ(dtypes::parse("int8").tables, dtype::parse("int8"));
  EXPECT_THROW(dtypes::parse("int8@fp16@fp16"), input_error);
}

// The library's class has three dense layers, one shared expert and queries of rank 1536 where a file of V3 says
// nothing.
TEST(files, deepseek_takes_its_librarys_defaults) {
  auto v3 = of("deepseek_v3");
  for (const char* key : {"moe_layer_freq", "n_shared_experts", "q_lora_rank"}) v3.erase(key);
  const auto m = read(v3);
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(m.is_moe(i), i >= 3) << i;
  EXPECT_EQ(m.moe->shared, 1);
  EXPECT_EQ(m.mla->q_rank, 1536);
  for (const char* key : {"first_k_dense_replace", "n_shared_experts", "q_lora_rank"})
    EXPECT_THAT(m.notes, Contains(HasSubstr(std::string(key) + " is not in the file")));
  EXPECT_EQ(read(with(v3, "q_lora_rank", nullptr)).mla->q_rank, 0) << "null: queries have no latent";
  auto v2 = of("deepseek_v2");
  v2.erase("first_k_dense_replace");
  v2.erase("n_shared_experts");
  EXPECT_TRUE(read(v2).is_moe(0));
  EXPECT_EQ(read(v2).moe->shared, 2);
}

TEST(files, an_activation_that_nobody_knows_is_refused) {
  EXPECT_THROW(read(with(of("llama"), "hidden_act", "foo")), input_error);
}

TEST(files, positions_beyond_the_models_own) {
  EXPECT_EQ(check_positions(load_model("opt-6.7b"), 2048), "");
  EXPECT_THROW(check_positions(load_model("opt-6.7b"), 2049), input_error);
  EXPECT_EQ(check_positions(load_model("llama-2-7b"), 4096), "");
  EXPECT_THAT(check_positions(load_model("llama-2-7b"), 4097), HasSubstr("more than the 4096"));
}

class folder {
 public:
  folder() : m_path(fs::path(testing::TempDir()) / ("memwall-files-" + std::to_string(getpid()))) {
    fs::create_directories(m_path);
  }
  ~folder() { fs::remove_all(m_path); }
  fs::path operator/(const char* name) const { return m_path / name; }

 private:
  fs::path m_path;
};

TEST(files, a_cache_of_links_keeps_the_models_name) {
  const folder top;
  const auto cache = top / "models--meta-llama--Llama-2-7b-hf", other = top / "plain";
  for (const auto& at : {cache, other}) {
    fs::create_directories(at / "blobs");
    fs::create_directories(at / "snapshots" / "0123abcd");
    std::ofstream(at / "blobs" / "9f8e7d") << of("llama").dump();
    fs::create_symlink("../../blobs/9f8e7d", at / "snapshots" / "0123abcd" / "config.json");
  }
  const auto snapshot = cache / "snapshots" / "0123abcd";
  EXPECT_EQ(load_model((snapshot / "config.json").string()).name, "Llama-2-7b-hf");
  EXPECT_EQ(load_model(snapshot.string()).name, "Llama-2-7b-hf");
  EXPECT_EQ(load_model(snapshot.string() + "/").name, "Llama-2-7b-hf");
  EXPECT_EQ(load_model((other / "snapshots" / "0123abcd" / "config.json").string()).name, "0123abcd");
  fs::create_directory_symlink(snapshot, top / "my-model");
  EXPECT_EQ(load_model((top / "my-model").string()).name, "my-model");
}

}  // namespace
}  // namespace memwall
