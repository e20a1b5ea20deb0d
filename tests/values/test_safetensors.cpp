// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "hw/common/error.h"
#include "models/weights/safetensors.h"
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
