// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "hw/common/error.h"
#include "models/weights/safetensors.h"
#include "models/weights/tensor_names.h"
#include "models/weights/weight_source.h"
#include "tests/support/temp_dir.h"

using namespace memwall;

namespace {

std::string file_of(const std::string& header, const std::string& data) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i));
  return out + header + data;
}
void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}
std::string refusal(const std::string& path) {
  try {
    const tensor_files f(path);
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}
std::vector<float> values(const stored_tensor& t) {
  std::vector<float> out(static_cast<std::size_t>(t.count));
  t.read(0, t.count, out.data());
  return out;
}

}  // namespace

// By the definitions of the types: 0x3c00 is 1 in half precision, 0x3f80 in bfloat16; E4M3 0x38 is 1, 0x7e is 448;
// E5M2 0x3c is 1.
TEST(safetensors, every_type_is_read_by_its_definition) {
  const test::temp_dir dir;
  const std::string path = dir.path() + "/model.safetensors";
  write(
      path,
      file_of(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},)"
          R"("c":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]},"d":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[10,12]},)"
          R"("e":{"dtype":"F8_E5M2","shape":[1,1],"data_offsets":[12,13]},"f":{"dtype":"I8","shape":[1],"data_offsets":[13,14]}})",
          std::string("\x00\x00\x80\x3f\x00\x3c\x01\x00\x80\xbf\x38\x7e\x3c\xff", 14)));
  const tensor_files f(dir.path());
  EXPECT_EQ(values(*f.find("a")), std::vector<float>{1});
  EXPECT_EQ(values(*f.find("b")), (std::vector<float>{1, 0x1p-24F}));
  EXPECT_EQ(values(*f.find("c")), std::vector<float>{-1});
  EXPECT_EQ(values(*f.find("d")), (std::vector<float>{1, 448}));
  EXPECT_EQ(values(*f.find("e")), std::vector<float>{1});
  EXPECT_EQ(values(*f.find("f")), std::vector<float>{-1});
  EXPECT_EQ(f.find("g"), nullptr);
}

TEST(safetensors, half_precision_there_and_back) {
  for (int bits = 0; bits < 0x7c00; ++bits) {
    const auto b = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(to_half(from_half(b)), b);
    ASSERT_EQ(to_half(-from_half(b)), b | 0x8000);
  }
  EXPECT_EQ(from_half(to_half(65519.0F)), 65504);
  EXPECT_TRUE(std::isinf(from_half(to_half(65520.0F))));
  EXPECT_TRUE(std::isnan(from_half(to_half(NAN))));
}

TEST(safetensors, defects_are_named) {
  const test::temp_dir dir;
  const std::string path = dir.path() + "/model.safetensors";
  const auto with = [&](const std::string& header, const std::string& data) {
    write(path, file_of(header, data));
    return refusal(path);
  };
  EXPECT_NE(with(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", "1234").find("unknown type 'F33'"),
            std::string::npos);
  EXPECT_NE(with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234")
                .find("a: has 4 bytes for 2 values of F32"),
            std::string::npos);
  EXPECT_NE(with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "123").find("is it whole"),
            std::string::npos);
  EXPECT_NE(with(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234").find("the shape has -1"),
            std::string::npos);
  EXPECT_NE(
      with(
          R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})",
          "123456")
          .find("overlap"),
      std::string::npos);
  EXPECT_NE(
      with(
          R"({"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]},"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}})",
          "12")
          .find("stands twice"),
      std::string::npos);
  EXPECT_NE(with("{", "").find("no JSON"), std::string::npos);
  write(path, std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8));
  EXPECT_NE(refusal(path).find("header would have"), std::string::npos);
  write(path, "123");
  EXPECT_NE(refusal(path).find("3 bytes long"), std::string::npos);
  EXPECT_NE(refusal(dir.path() + "/none.safetensors").find("cannot be read"), std::string::npos);
}

// Each member of an entry missing or of another kind, and what no file has room for.
TEST(safetensors, entries_that_make_no_sense_are_named) {
  const test::temp_dir dir;
  const std::string path = dir.path() + "/model.safetensors";
  const auto with = [&](const std::string& entry) {
    write(path, file_of("{\"a\":" + entry + "}", "1234"));
    return refusal(path);
  };
  for (const char* entry :
       {R"("F32")", R"({"shape":[1],"data_offsets":[0,4]})", R"({"dtype":1,"shape":[1],"data_offsets":[0,4]})",
        R"({"dtype":"F32","data_offsets":[0,4]})", R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":[1]})", R"({"dtype":"F32","shape":[1],"data_offsets":4})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[0,2,4]})"})
    EXPECT_NE(with(entry).find("a: lacks dtype, shape or data_offsets"), std::string::npos) << entry;
  EXPECT_NE(with(R"({"dtype":"F32","shape":[1],"data_offsets":[-4,0]})").find("two byte positions"), std::string::npos);
  EXPECT_NE(with(R"({"dtype":"F32","shape":[1],"data_offsets":[0,"4"]})").find("two byte positions"),
            std::string::npos);
  EXPECT_NE(with(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})").find("a range inside the file"),
            std::string::npos);
  EXPECT_EQ(with(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1],"data_offsets":[0,4]})"), "");
  EXPECT_NE(with(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]})").find("has 9 dimensions"),
            std::string::npos);
  EXPECT_NE(with(R"({"dtype":"F32","shape":[281474976710657],"data_offsets":[0,4]})").find("the shape has 28147"),
            std::string::npos);
  // 2^24 x 2^24 are 2^48 values, which are looked for; once more 2^24 is too many.
  EXPECT_NE(with(R"({"dtype":"F32","shape":[16777216,16777216],"data_offsets":[0,4]})").find("1125899906842624 bytes"),
            std::string::npos);
  EXPECT_NE(with(R"({"dtype":"F32","shape":[16777216,16777216,2],"data_offsets":[0,4]})").find("is too large"),
            std::string::npos);
  EXPECT_EQ(with(R"({"dtype":"F32","shape":[0,16777216],"data_offsets":[4,4]})"), "") << "nothing, anywhere";
  write(path, file_of("[]", ""));
  EXPECT_NE(refusal(path).find("the header is no JSON object"), std::string::npos);
  write(path, "");
  EXPECT_NE(refusal(path).find("is empty"), std::string::npos);
}

TEST(safetensors, folders_and_indices_that_make_no_sense_are_named) {
  const test::temp_dir dir;
  const std::string entry = R"({"dtype":"I8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_NE(refusal(dir.path()).find("holds 0 .safetensors files and no index"), std::string::npos);
  write(dir.path() + "/1.safetensors", file_of("{\"a\":" + entry + "}", "\x01"));
  EXPECT_EQ(refusal(dir.path()), "") << "one of any name will do";
  write(dir.path() + "/2.safetensors", file_of("{\"a\":" + entry + "}", "\x02"));
  EXPECT_NE(refusal(dir.path()).find("holds 2 .safetensors files and no index"), std::string::npos);
  const std::string index = dir.path() + "/model.safetensors.index.json";
  const auto with = [&](const std::string& text) {
    write(index, text);
    return refusal(dir.path());
  };
  EXPECT_NE(with("{").find("is no JSON"), std::string::npos);
  for (const char* text : {"[]", "{}", R"({"weight_map":[]})"})
    EXPECT_NE(with(text).find("weight_map: is missing"), std::string::npos) << text;
  EXPECT_NE(with(R"({"weight_map":{"a":1}})").find("weight_map.a: is 1"), std::string::npos);
  EXPECT_NE(with(R"({"weight_map":{"a":".."}})").find("a file beside the index"), std::string::npos);
  // Both have an "a".
  EXPECT_NE(with(R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})").find("1.safetensors too"),
            std::string::npos);
}

TEST(safetensors, shards_follow_their_index) {
  const test::temp_dir dir;
  write(dir.path() + "/1.safetensors", file_of(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "\x01"));
  write(dir.path() + "/2.safetensors", file_of(R"({"b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "\x02"));
  const std::string index = dir.path() + "/model.safetensors.index.json";
  write(index, R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  EXPECT_EQ(values(*tensor_files(dir.path()).find("b")), std::vector<float>{2});
  write(index, R"({"weight_map":{"a":"1.safetensors","c":"2.safetensors"}})");
  EXPECT_NE(refusal(dir.path()).find("c: is missing"), std::string::npos);
  write(index, R"({"weight_map":{"a":"../1.safetensors"}})");
  EXPECT_NE(refusal(dir.path()).find("a file beside the index"), std::string::npos);
}

// A model of one layer with one tensor missing, one misshapen and one that nobody knows: all three are named at once.
TEST(weight_source, missing_extra_and_misshapen_tensors_are_named_together) {
  const test::temp_dir dir;
  const std::string config =
      R"({"model_type":"llama","hidden_size":2,"intermediate_size":2,"num_hidden_layers":1,"num_attention_heads":1,"vocab_size":2,"tie_word_embeddings":true})";
  write(dir.path() + "/config.json", config);
  std::string header = "{", data;
  const auto add = [&](const std::string& name, const std::string& shape, int count) {
    header += (header.size() > 1 ? "," : "") + ("\"" + name) + R"(":{"dtype":"BF16","shape":)" + shape +
              ",\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + 2 * static_cast<std::size_t>(count)) + "]}";
    data.append(2 * static_cast<std::size_t>(count), '\x3f');
  };
  add("model.embed_tokens.weight", "[2,2]", 4);
  add("model.norm.weight", "[2]", 2);
  const std::string l = "model.layers.0.";
  add(l + "input_layernorm.weight", "[2]", 2);
  add(l + "post_attention_layernorm.weight", "[2]", 2);
  for (const char* p : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj"})
    add(l + p + ".weight", "[2,2]", 4);
  add(l + "mlp.down_proj.weight", "[4,1]", 4);
  add(l + "self_attn.v_prj.weight", "[2,2]", 4);
  write(dir.path() + "/model.safetensors", file_of(header + "}", data));
  try {
    open_weights(load_model(dir.path()), dir.path());
    FAIL();
  } catch (const input_error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("self_attn.v_proj.weight: is missing"), std::string::npos) << text;
    EXPECT_NE(text.find("mlp.down_proj.weight: has the shape 4 x 1 (expected 2 x 2"), std::string::npos) << text;
    EXPECT_NE(text.find("self_attn.v_prj.weight: is no tensor"), std::string::npos) << text;
    EXPECT_NE(text.find("did you mean 'model.layers.0.self_attn.v_proj.weight'"), std::string::npos) << text;
    EXPECT_EQ(e.problems().size(), 3U);
  }
}

namespace {

/// A checkpoint of zeros for a config.json, with some tensors of the test's own.
struct own_tensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};
void write_checkpoint(const test::temp_dir& dir, const std::string& config,
                      const std::map<std::string, own_tensor>& own, const std::set<std::string>& without) {
  std::ofstream(dir / "config.json") << config;
  const model m = load_model(dir.path());
  std::map<std::string, own_tensor> all = own;
  for (const weight& w : weights_of(m))
    for (const tensor_part& p : parts_of(m, w)) {
      std::size_t count = 1;
      for (const auto s : p.shape) count *= static_cast<std::size_t>(s);
      if (without.count(p.name) == 0) all.insert({p.name, {"F32", p.shape, std::string(4 * count, '\0')}});
    }
  std::string header = "{", data;
  for (const auto& [name, t] : all) {
    std::string shape;
    for (const auto s : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(s);
    header += (header.size() > 1 ? ",\"" : "\"") + name + R"(":{"dtype":")" + t.dtype + R"(","shape":[)" + shape +
              R"(],"data_offsets":[)" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + t.bytes.size()) + "]}";
    data += t.bytes;
  }
  write(dir / "model.safetensors", file_of(header + "}", data));
}

}  // namespace

// gpt-oss: blocks of 32 inputs in 16 bytes, the first of two values in the low half; gates at even rows of the tensor,
// the others between them. Value: E2M1 (0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) x 2^(scale - 127).
TEST(safetensors, experts_in_mxfp4_are_read) {
  constexpr std::int64_t experts = 2, rows = 128, inputs = 64;  // two gates of 64 outputs
  const std::string config =
      R"({"model_type":"gpt_oss","num_local_experts":2,"num_experts_per_tok":1,"intermediate_size":64,"hidden_size":64,)"
      R"("num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":2,"head_dim":4,"vocab_size":10,"max_position_embeddings":64,"sliding_window":8})";
  const auto code = [](std::int64_t e, std::int64_t r, std::int64_t c) { return (7 * e + 3 * r + 5 * c) % 16; };
  const auto exponent = [](std::int64_t e, std::int64_t r, std::int64_t b) { return 120 + (e + r + 2 * b) % 12; };
  own_tensor blocks{"U8", {experts, rows, inputs / 32, 16}, ""}, scales{"U8", {experts, rows, inputs / 32}, ""};
  for (std::int64_t e = 0; e < experts; ++e)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t b = 0; b < inputs / 32; ++b) {
        scales.bytes += static_cast<char>(exponent(e, r, b));
        for (std::int64_t i = 0; i < 16; ++i)
          blocks.bytes += static_cast<char>(code(e, r, 32 * b + 2 * i) | code(e, r, 32 * b + 2 * i + 1) << 4);
      }
  const std::string name = "model.layers.0.mlp.experts.gate_up_proj";
  const test::temp_dir dir;
  write_checkpoint(dir, config, {{name + "_blocks", blocks}, {name + "_scales", scales}}, {name});
  const model m = load_model(dir.path());
  const auto source = open_weights(m, dir.path());
  const auto all = weights_of(m);
  const weight& w =
      *std::find_if(all.begin(), all.end(), [](const weight& v) { return v.name == "layers.0.moe.gate_up"; });
  const double table[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  const auto value = [&](std::int64_t e, std::int64_t r, std::int64_t c) {
    const auto v = code(e, r, c);
    return (v < 8 ? 1 : -1) * table[v % 8] * std::pow(2.0, static_cast<double>(exponent(e, r, c / 32)) - 127);
  };
  std::vector<float> got(static_cast<std::size_t>(w.count()));
  source->rows(w, 0, w.rows, got.data());
  for (std::int64_t e = 0; e < experts; ++e)
    for (std::int64_t r = 0; r < rows; ++r)  // of ours: 64 gates, then 64 others
      for (std::int64_t c = 0; c < inputs; ++c)
        ASSERT_EQ(static_cast<double>(got[static_cast<std::size_t>((e * rows + r) * inputs + c)]),
                  value(e, r < 64 ? 2 * r : 2 * (r - 64) + 1, c))
            << e << ' ' << r << ' ' << c;
  // A part in the midst.
  float part[6];
  source->block(w, rows + 70, 2, 33, 3, part);
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(static_cast<double>(part[i]), value(1, 13 + 2 * (i / 3), 33 + i % 3));
  // Misshapen or missing halves are named.
  blocks.shape = {experts, rows, 16, inputs / 32};
  write_checkpoint(dir, config, {{name + "_blocks", blocks}, {name + "_scales", scales}}, {name});
  EXPECT_THROW(open_weights(m, dir.path()), input_error);
  write_checkpoint(dir, config, {{name + "_scales", scales}}, {name});
  EXPECT_THROW(open_weights(m, dir.path()), input_error);
}

// FP8 with a scale for each square of 128 x 128: all values are 1 (0x38), so that scales are what is read.
TEST(safetensors, squares_of_fp8_have_their_scales) {
  const std::string config =
      R"({"model_type":"llama","hidden_size":132,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,)"
      R"("num_key_value_heads":1,"head_dim":66,"vocab_size":10,"max_position_embeddings":64})";
  const std::string name = "model.layers.0.self_attn.o_proj.weight";
  const float scales[] = {1, 2, 3, 4};
  const std::string bytes(reinterpret_cast<const char*>(scales), sizeof scales);
  const test::temp_dir dir;
  const auto file = [&](const std::vector<std::int64_t>& shape) {
    write_checkpoint(
        dir, config,
        {{name, {"F8_E4M3", {132, 132}, std::string(132 * 132, '\x38')}}, {name + "_scale_inv", {"F32", shape, bytes}}},
        {});
  };
  file({2, 2});
  const model m = load_model(dir.path());
  const auto all = weights_of(m);
  const weight& w = *std::find_if(all.begin(), all.end(), [](const weight& v) { return v.name == "layers.0.attn.o"; });
  const auto source = open_weights(m, dir.path());
  float part[16];
  source->block(w, 126, 4, 126, 4, part);
  const std::vector<float> expected{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4};
  EXPECT_EQ(std::vector<float>(part, part + 16), expected);
  file({4, 1});
  EXPECT_THROW(open_weights(m, dir.path()), input_error);
}

// FP8 with one scale for all, or with one for each output: all values are 1 (0x38) but for those of input 3, which are
// 2 (0x40).
TEST(safetensors, fp8_of_one_scale_or_one_an_output) {
  const std::string config =
      R"({"model_type":"llama","hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,)"
      R"("num_key_value_heads":1,"head_dim":4,"vocab_size":10,"max_position_embeddings":64})";
  const std::string name = "model.layers.0.self_attn.o_proj.weight";
  std::string values(64, '\x38');
  for (std::size_t row = 0; row < 8; ++row) values[row * 8 + 3] = '\x40';
  const auto part = [&](const std::vector<float>& scales) {
    const std::string bytes(reinterpret_cast<const char*>(scales.data()), scales.size() * sizeof(float));
    const test::temp_dir dir;
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(scales.size())};
    write_checkpoint(dir, config, {{name, {"F8_E4M3", {8, 8}, values}}, {name + "_scale", {"F32", shape, bytes}}}, {});
    const model m = load_model(dir.path());
    const auto all = weights_of(m);
    const weight& w =
        *std::find_if(all.begin(), all.end(), [](const weight& v) { return v.name == "layers.0.attn.o"; });
    std::vector<float> out(6);
    open_weights(m, dir.path())->block(w, 5, 3, 2, 2, out.data());  // outputs 5 to 7, inputs 2 and 3
    return out;
  };
  EXPECT_EQ(part({0.5}), (std::vector<float>{0.5, 1, 0.5, 1, 0.5, 1}));
  EXPECT_EQ(part({1, 2, 3, 4, 5, 6, 7, 8}), (std::vector<float>{6, 12, 7, 14, 8, 16}));
  EXPECT_THROW(part({1, 2}), input_error);
}

// Drawn numbers: any part of a row is the same, wherever it begins; even over +-sqrt(3 / inputs), so that their
// variance is 1 / inputs; five standard errors (of the square: sqrt(4 / 45) of the reach squared).
TEST(safetensors, drawn_weights_are_even_and_the_same_in_any_part) {
  const test::temp_dir dir;
  std::ofstream(dir / "config.json")
      << R"({"model_type":"llama","hidden_size":75,"intermediate_size":2000,"num_hidden_layers":1,"num_attention_heads":5,)"
         R"("num_key_value_heads":1,"head_dim":16,"vocab_size":10,"max_position_embeddings":64})";
  const model m = load_model(dir.path());
  const auto source = draw_weights(m, 3);
  const auto all = weights_of(m);
  const weight& w =
      *std::find_if(all.begin(), all.end(), [](const weight& v) { return v.name == "layers.0.mlp.gate_up"; });
  std::vector<float> whole(static_cast<std::size_t>(w.count()));
  source->rows(w, 0, w.rows, whole.data());
  for (const std::int64_t column : {0, 1, 2, 7})
    for (const std::int64_t columns : {1, 2, 3, 64}) {
      std::vector<float> part(static_cast<std::size_t>(2 * columns));
      source->block(w, 5, 2, column, columns, part.data());
      for (std::int64_t r = 0; r < 2; ++r)
        for (std::int64_t c = 0; c < columns; ++c)
          ASSERT_EQ(part[static_cast<std::size_t>(r * columns + c)],
                    whole[static_cast<std::size_t>((5 + r) * 75 + column + c)]);
    }
  const double reach = std::sqrt(3 / 75.0), n = static_cast<double>(whole.size());
  double sum = 0, squares = 0, next = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const double v = static_cast<double>(whole[i]) / reach;
    ASSERT_LE(std::fabs(v), 1.0);
    sum += v;
    squares += v * v;
    if (i > 0) next += v * static_cast<double>(whole[i - 1]) / reach;
  }
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(1 / (3 * n)));
  EXPECT_NEAR(squares / n, 1.0 / 3, 5 * std::sqrt(4 / (45 * n)));
  EXPECT_NEAR(next / n, 0, 5 / (3 * std::sqrt(n)));
}
