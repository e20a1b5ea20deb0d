// SPDX-License-Identifier: Apache-2.0
// Every key of a model's file is read, known to be irrelevant, or refused with its name.
#include <gmock/gmock.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <tuple>

#include "families.h"
#include "models/fields.h"

namespace memwall {
namespace {

using json = nlohmann::ordered_json;

std::vector<problem> problems_of(const json& file) {
  try {
    parse_model(file.dump(1), "x/config.json", "x");
  } catch (const input_error& e) {
    return e.problems();
  }
  return {};
}

/// All that a file decides: whatever a capacity or a trace is made of.
auto shape_of(const model& m) {
  std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> weights;
  for (const auto& w : weights_of(m)) weights.emplace_back(w.name, w.rows, w.columns);
  return std::tuple(weights, m.heads, m.kv_heads, m.head_dim, m.max_positions, m.position_offset, m.windows,
                    m.moe ? m.moe->active : 0, m.rope_fraction, m.parallel_blocks, m.positions, m.activation,
                    m.mla ? std::vector{m.mla->nope, m.mla->rope, m.mla->value} : std::vector<std::int64_t>());
}

std::optional<decltype(shape_of(std::declval<model>()))> shape_or_refusal(const json& file) {
  try {
    return shape_of(parse_model(file.dump(), "fuzz", "fuzz"));
  } catch (const input_error&) {
    return std::nullopt;
  }
}

bool is_irrelevant(const std::string& key) {
  const auto& keys = irrelevant_keys();
  return std::binary_search(keys.begin(), keys.end(), key);
}

TEST(every_key, files_of_all_families_are_read) {
  std::set<std::string> seen;
  for (const auto& file : test::family_files()) {
    EXPECT_NO_THROW(parse_model(file.dump(), "f", "f")) << file.dump();
    seen.insert(file["model_type"]);
  }
  for (const auto& name : families().names()) EXPECT_EQ(seen.count(name), 1u) << name << " has no file here";
}

TEST(every_key, none_can_be_left_out_unnoticed) {
  for (const auto& file : test::family_files()) {
    const auto whole = shape_or_refusal(file);
    ASSERT_TRUE(whole) << file.dump();
    for (const auto& [key, value] : file.items()) {
      if (key == "model_type") continue;
      json less = file;
      less.erase(key);
      EXPECT_NE(shape_or_refusal(less), whole) << "without " << key << ": " << file.dump();
    }
  }
}

json changed(const json& value, std::mt19937_64& random) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number_float()) return value.get<double>() / 2;
  if (value.is_number()) {
    const auto v = value.get<std::int64_t>();
    switch (random() % 4) {
      case 0:
        return v * 2;
      case 1:
        return v > 1 ? v / 2 : v + 1;
      case 2:
        return json::array({v, v + 1});
      default:
        return v + 1;
    }
  }
  if (value.is_array()) {
    json out = value;
    auto& entry = out[random() % out.size()];
    if (entry.is_string())
      entry = entry == "full_attention" ? "sliding_attention" : "full_attention";
    else if (value.size() > 1)
      entry = 1 - entry.get<int>();
    else
      entry = entry.get<int>() == 0 ? 1 : entry.get<int>() + 2;
    return out;
  }
  return value.get<std::string>() == "greedy" ? "noaux_tc" : "greedy";
}

TEST(every_key, none_can_be_changed_unnoticed) {
  std::mt19937_64 random(13);
  for (const auto& file : test::family_files()) {
    const auto whole = shape_or_refusal(file);
    for (const auto& [key, value] : file.items()) {
      if (key == "model_type") continue;
      for (int i = 0; i < 12; ++i) {
        json other = file;
        other[key] = changed(value, random);
        EXPECT_NE(shape_or_refusal(other), whole) << key << " = " << other[key].dump() << ": " << file.dump();
      }
    }
  }
}

/// Whether another field of the file makes this one meaningless: a window's size without use_sliding_window, norms in
/// parallel blocks where blocks follow each other.
bool overruled(const json& file, const std::string& key) {
  if (key == "use_qk_norm") return file["model_type"] == "qwen3_moe";  // it has them
  if (key == "sliding_window") return file["model_type"] == "qwen3_moe" && !file.contains("use_sliding_window");
  return key == "num_ln_in_parallel_attn" && file.contains("parallel_attn") && file["parallel_attn"] == false;
}

/// Fields of other libraries and later families that decide structure, and misspellings.
TEST(every_key, none_can_be_added_unnoticed) {
  const json extra = {{"attention_chunk_size", 8192},
                      {"attn_layer_period", 8},
                      {"altup_num_inputs", 4},
                      {"block_configs", json::array({json::object()})},
                      {"cross_attention_layers", json::array({3, 8})},
                      {"hybrid_override_pattern", "M-M*"},
                      {"interleave_moe_layer_step", 2},
                      {"layer_types", json::array({"linear_attention"})},
                      {"laurel_rank", 64},
                      {"mlp_only_layers", json::array({0})},
                      {"num_experts", 3},
                      {"num_key_value_heads_per_layer", json::array({4, 2})},
                      {"num_ln_in_parallel_attn", 1},
                      {"num_query_groups", 2},
                      {"num_shared_experts", 1},
                      {"parallel_attn", false},
                      {"shared_expert_intermediate_size", 48},
                      {"sliding_window_pattern", 2},
                      {"sliding_window", 7},
                      {"state_size", 128},
                      {"use_qk_norm", true},
                      {"v_head_dim", 6}};
  for (const auto& file : test::family_files()) {
    const auto whole = shape_or_refusal(file);
    for (const auto& [key, value] : extra.items()) {
      if (file.contains(key) || overruled(file, key)) continue;
      json more = file;
      more[key] = value;
      const auto shape = shape_or_refusal(more);
      EXPECT_NE(shape, whole) << key << ": " << file.dump();
    }
    for (const auto& [key, value] : file.items()) {
      if (key == "model_type") continue;
      json more = file;
      more[key + "s"] = value;
      const auto p = problems_of(more);
      ASSERT_FALSE(p.empty()) << key << "s";
      EXPECT_EQ(p[0].key, key + "s");
      EXPECT_EQ(p[0].nearest, key);
    }
  }
}

TEST(every_key, irrelevant_ones_change_nothing) {
  for (const auto& file : test::family_files()) {
    const auto whole = shape_or_refusal(file);
    json more = file;
    for (const auto& key : irrelevant_keys())
      if (!more.contains(key)) more[key] = "whatever";
    more["new_field_that_is_off"] = nullptr;
    EXPECT_EQ(shape_or_refusal(more), whole) << file["model_type"];
  }
  EXPECT_TRUE(is_irrelevant("rope_theta"));
  EXPECT_FALSE(is_irrelevant("sliding_window"));
}

TEST(every_key, two_spellings_must_agree) {
  auto file = test::family_files().front();
  file["n_embd"] = 64;
  EXPECT_TRUE(problems_of(file).empty());
  file["n_embd"] = 96;
  const auto p = problems_of(file);
  ASSERT_FALSE(p.empty());
  EXPECT_EQ(p[0].key, "n_embd");
  EXPECT_THAT(p[0].message, testing::HasSubstr("'hidden_size' is '64'"));
}

}  // namespace
}  // namespace memwall
