// SPDX-License-Identifier: Apache-2.0
// A checkpoint of each family with random numbers under the names its library gives them, against a forward pass
// written out here from those tensors as they lie in the file.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "platforms/values/inference.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

using mat = std::vector<std::vector<double>>;  // positions x values

struct tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

mat operator+(mat a, const mat& b) {
  for (std::size_t r = 0; r < a.size(); ++r)
    for (std::size_t c = 0; c < a[r].size(); ++c) a[r][c] += b[r][c];
  return a;
}
mat each(mat a, double (*f)(double)) {
  for (auto& row : a)
    for (double& v : row) v = f(v);
  return a;
}
mat columns(const mat& a, std::size_t first, std::size_t count) {
  mat out;
  for (const auto& row : a)
    out.emplace_back(row.begin() + static_cast<std::ptrdiff_t>(first),
                     row.begin() + static_cast<std::ptrdiff_t>(first + count));
  return out;
}
mat join(const mat& a, const mat& b) {
  mat out = a;
  for (std::size_t r = 0; r < a.size(); ++r) out[r].insert(out[r].end(), b[r].begin(), b[r].end());
  return out;
}
double silu(double v) {
  return v / (1 + std::exp(-v));
}
double gelu(double v) {
  return v * std::erfc(-v / std::sqrt(2.0)) / 2;
}
double gelu_tanh(double v) {
  return v / 2 * (1 + std::tanh(std::sqrt(2 / 3.141592653589793) * (v + 0.044715 * v * v * v)));
}
double relu(double v) {
  return v > 0 ? v : 0;
}

/// A checkpoint: tensors are made when they are asked for first, so that the forward pass below also says what there
/// is.
class checkpoint {
 public:
  checkpoint(std::string config, std::vector<std::int32_t> tokens) : m_config(std::move(config)), m_tokens(tokens) {}

  const tensor& at(const std::string& name, std::vector<std::int64_t> shape, double mean = 0) {
    auto [found, fresh] = m_tensors.try_emplace(name);
    if (fresh) {
      std::int64_t count = 1;
      for (const auto s : shape) count *= s;
      std::normal_distribution<double> draw(mean, 0.3);
      found->second.shape = shape;
      for (std::int64_t i = 0; i < count; ++i) found->second.values.push_back(static_cast<float>(draw(m_random)));
    }
    EXPECT_EQ(found->second.shape, shape) << name;
    return found->second;
  }
  /// y = W x (+ b), W outputs x inputs.
  mat linear(const mat& x, const std::string& name, std::int64_t outputs, bool bias) {
    const auto inputs = static_cast<std::int64_t>(x[0].size());
    return multiply(x, at(name + ".weight", {outputs, inputs}).values, outputs, inputs, 1,
                    bias ? &at(name + ".bias", {outputs}).values : nullptr);
  }
  /// W inputs x outputs.
  mat convolution(const mat& x, const std::string& name, std::int64_t outputs) {
    const auto inputs = static_cast<std::int64_t>(x[0].size());
    return multiply(x, at(name + ".weight", {inputs, outputs}).values, outputs, 1, outputs,
                    &at(name + ".bias", {outputs}).values);
  }
  static mat multiply(const mat& x, const std::vector<float>& w, std::int64_t outputs, std::int64_t by_output,
                      std::int64_t by_input, const std::vector<float>* bias, std::int64_t from = 0) {
    mat y;
    for (const auto& row : x) {
      y.emplace_back();
      for (std::int64_t o = 0; o < outputs; ++o) {
        double sum = bias != nullptr ? static_cast<double>((*bias)[static_cast<std::size_t>(o)]) : 0;
        for (std::size_t i = 0; i < row.size(); ++i)
          sum +=
              row[i] * static_cast<double>(
                           w[static_cast<std::size_t>(from + o * by_output + static_cast<std::int64_t>(i) * by_input)]);
        y.back().push_back(sum);
      }
    }
    return y;
  }
  mat layer_norm(mat x, const std::string& name) {
    const auto n = static_cast<std::int64_t>(x[0].size());
    const auto &gain = at(name + ".weight", {n}, 1), &bias = at(name + ".bias", {n});
    for (auto& row : x) {
      double mean = 0, square = 0;
      for (const double v : row) mean += v / static_cast<double>(n);
      for (const double v : row) square += (v - mean) * (v - mean) / static_cast<double>(n);
      for (std::size_t i = 0; i < row.size(); ++i)
        row[i] = (row[i] - mean) / std::sqrt(square + 1e-5) * static_cast<double>(gain.values[i]) +
                 static_cast<double>(bias.values[i]);
    }
    return x;
  }
  /// Of parts of `width` values each (heads), or of whole rows.
  mat rms_norm(mat x, const std::string& name, std::size_t width = 0, double offset = 0) {
    if (width == 0) width = x[0].size();
    const auto& gain = at(name + ".weight", {static_cast<std::int64_t>(width)}, 1 - offset);
    for (auto& row : x)
      for (std::size_t h = 0; h < row.size(); h += width) {
        double square = 0;
        for (std::size_t i = 0; i < width; ++i) square += row[h + i] * row[h + i] / static_cast<double>(width);
        for (std::size_t i = 0; i < width; ++i)
          row[h + i] *= (static_cast<double>(gain.values[i]) + offset) / std::sqrt(square + 1e-6);
      }
    return x;
  }
  mat embedding(const std::string& name, std::int64_t rows, std::int64_t hidden, std::int64_t offset = -1) {
    const auto& table = at(name + ".weight", {rows, hidden});
    mat x;
    for (std::size_t p = 0; p < m_tokens.size(); ++p) {
      const std::int64_t row = offset < 0 ? m_tokens[p] : static_cast<std::int64_t>(p) + offset;
      const auto from = table.values.begin() + row * hidden;
      x.emplace_back(from, from + hidden);
    }
    return x;
  }

  /// Logits of the last position, computed by memwall without a platform and with one that has floating-point units.
  void expect(const mat& logits) {
    const test::temp_dir dir;
    std::ofstream(dir / "config.json") << m_config;
    nlohmann::ordered_json header;
    std::string data;
    for (const auto& [name, t] : m_tensors) {
      const std::size_t bytes = t.values.size() * sizeof(float);
      header[name] = {{"dtype", "F32"}, {"shape", t.shape}, {"data_offsets", {data.size(), data.size() + bytes}}};
      data.append(reinterpret_cast<const char*>(t.values.data()), bytes);
    }
    std::string text = header.dump();
    while (text.size() % 8 != 0) text += ' ';
    const std::uint64_t length = text.size();
    std::ofstream(dir / "model.safetensors", std::ios::binary)
        << std::string(reinterpret_cast<const char*>(&length), 8) << text << data;
    const model shape = load_model(dir.path());
    const auto weights = open_weights(shape, dir.path());
    const numerics n = read_numerics(shape);
    value_settings settings;
    settings.types = dtypes::parse("fp32");
    settings.threads = 2;
    machine reference(shape, n, *weights, nullptr, settings);
    const auto got = logits_of(reference, shape, settings.types, m_tokens);
    ASSERT_EQ(got.size(), logits.size() * logits[0].size());
    for (std::size_t p = 0; p < logits.size(); ++p)
      for (std::size_t i = 0; i < logits[p].size(); ++i)
        ASSERT_NEAR(got[p * logits[p].size() + i], logits[p][i], 2e-4 * (1 + std::fabs(logits[p][i])))
            << "position " << p << ", logit " << i;
    // Token by token over the cache the same.
    machine again(shape, n, *weights, nullptr, settings);
    const std::vector<std::int32_t> prompt(m_tokens.begin(), m_tokens.begin() + 2);
    const auto made = generate_tokens(again, shape, workload_for(settings.types, 2, 4), prompt, 4);
    std::vector<std::int32_t> all = prompt;
    for (std::size_t i = 0; i < made.tokens.size(); ++i) {
      machine whole(shape, n, *weights, nullptr, settings);
      const auto row = logits_of(whole, shape, settings.types, all);
      for (std::int64_t v = 0; v < shape.vocab; ++v)
        ASSERT_NEAR(made.logits[i][static_cast<std::size_t>(v)],
                    row[row.size() - static_cast<std::size_t>(shape.vocab - v)], 1e-4);
      all.push_back(made.tokens[i]);
    }
  }

 private:
  std::string m_config;
  std::vector<std::int32_t> m_tokens;
  std::map<std::string, tensor> m_tensors;
  std::mt19937_64 m_random{17};
};

const std::vector<std::int32_t> tokens{3, 17, 4, 4, 29, 8, 11};

/// Queries, keys and values of every head to what is attended.
struct attention {
  std::size_t heads = 4, kv = 2, d = 6;
  double scale = 1 / std::sqrt(6.0), cap = 0, slope_scale = 1;
  std::size_t window = 0;
  std::vector<double> slopes, sinks;

  mat operator()(const mat& q, const mat& k, const mat& v) const {
    mat out(q.size(), std::vector<double>(heads * d, 0));
    for (std::size_t p = 0; p < q.size(); ++p)
      for (std::size_t h = 0; h < heads; ++h) {
        const std::size_t g = h / (heads / kv) * d, from = window > 0 && p + 1 > window ? p + 1 - window : 0;
        std::vector<double> e;
        double sum = sinks.empty() ? 0 : std::exp(sinks[h]);
        for (std::size_t j = from; j <= p; ++j) {
          double s = 0;
          for (std::size_t i = 0; i < d; ++i) s += q[p][h * d + i] * k[j][g + i];
          s *= scale;
          if (cap > 0) s = cap * std::tanh(s / cap);
          if (!slopes.empty()) s += slopes[h] * static_cast<double>(j) * slope_scale;  // the same up to a constant
          e.push_back(std::exp(s));
          sum += e.back();
        }
        for (std::size_t j = from; j <= p; ++j)
          for (std::size_t i = 0; i < d; ++i) out[p][h * d + i] += e[j - from] / sum * v[j][g + i];
      }
    return out;
  }
};

/// Turns pairs (i, i + rotated / 2) of each head, or (2i, 2i + 1).
mat turned(mat x, std::size_t d, std::size_t rotated, double theta, bool neighbours = false) {
  for (std::size_t p = 0; p < x.size(); ++p)
    for (std::size_t h = 0; h < x[p].size(); h += d)
      for (std::size_t i = 0; i < rotated / 2; ++i) {
        const double angle =
            static_cast<double>(p) * std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotated));
        double& a = x[p][h + (neighbours ? 2 * i : i)];
        double& b = x[p][h + (neighbours ? 2 * i + 1 : i + rotated / 2)];
        const double was = a;
        a = was * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + was * std::sin(angle);
      }
  return x;
}

/// Fused rows of queries, keys and values, by groups of heads: [queries of the group, key, value].
void split(const mat& fused, std::size_t groups, std::size_t queries, std::size_t d, mat& q, mat& k, mat& v) {
  q.assign(fused.size(), {});
  k = v = q;
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t at = g * (queries + 2) * d;
    q = join(q, columns(fused, at, queries * d));
    k = join(k, columns(fused, at + queries * d, d));
    v = join(v, columns(fused, at + (queries + 1) * d, d));
  }
}

std::string layer_name(const char* before, int layer) {
  return before + std::to_string(layer) + ".";
}

/// The experts of a row: those with the largest logits.
std::vector<std::size_t> best(const std::vector<double>& logits, std::size_t count) {
  std::vector<std::size_t> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  order.resize(count);
  return order;
}

}  // namespace

TEST(families, gpt2) {
  checkpoint c(R"({"model_type":"gpt2","n_embd":24,"n_layer":2,"n_head":4,"vocab_size":40,"n_positions":16})", tokens);
  attention attend;
  attend.kv = 4;
  mat x = c.embedding("wte", 40, 24) + c.embedding("wpe", 16, 24, 0);
  for (int l = 0; l < 2; ++l) {
    const std::string at = layer_name("h.", l);
    const mat qkv = c.convolution(c.layer_norm(x, at + "ln_1"), at + "attn.c_attn", 72);
    x = x +
        c.convolution(attend(columns(qkv, 0, 24), columns(qkv, 24, 24), columns(qkv, 48, 24)), at + "attn.c_proj", 24);
    x = x + c.convolution(each(c.convolution(c.layer_norm(x, at + "ln_2"), at + "mlp.c_fc", 96), gelu_tanh),
                          at + "mlp.c_proj", 24);
  }
  c.at("h.0.attn.bias", {1, 1, 16, 16});  // a mask that old files hold
  c.expect(c.linear(c.layer_norm(x, "ln_f"), "wte", 40, false));
}

TEST(families, opt) {
  checkpoint c(
      R"({"model_type":"opt","hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"ffn_dim":40,"vocab_size":40,"max_position_embeddings":16,"word_embed_proj_dim":24})",
      tokens);
  attention attend;
  attend.kv = 4;
  const std::string base = "model.decoder.";
  mat x = c.embedding(base + "embed_tokens", 40, 24) + c.embedding(base + "embed_positions", 18, 24, 2);
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("layers.", l), self = at + "self_attn.";
    const mat n = c.layer_norm(x, at + "self_attn_layer_norm");
    x = x + c.linear(attend(c.linear(n, self + "q_proj", 24, true), c.linear(n, self + "k_proj", 24, true),
                            c.linear(n, self + "v_proj", 24, true)),
                     self + "out_proj", 24, true);
    x = x + c.linear(each(c.linear(c.layer_norm(x, at + "final_layer_norm"), at + "fc1", 40, true), relu), at + "fc2",
                     24, true);
  }
  c.expect(c.linear(c.layer_norm(x, base + "final_layer_norm"), base + "embed_tokens", 40, false));
}

// Six heads: slopes of the four of the next smaller power of two, 2^-2, 2^-4, ..., then 2^-1 and 2^-3.
TEST(families, bloom) {
  checkpoint c(R"({"model_type":"bloom","hidden_size":24,"n_layer":2,"n_head":6,"vocab_size":40})", tokens);
  attention attend;
  attend.heads = attend.kv = 6;
  attend.d = 4;
  attend.scale = 0.5;
  attend.slopes = {0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125};
  const std::string base = "transformer.";
  mat x = c.layer_norm(c.embedding(base + "word_embeddings", 40, 24), base + "word_embeddings_layernorm");
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("h.", l);
    mat q, k, v;
    split(c.linear(c.layer_norm(x, at + "input_layernorm"), at + "self_attention.query_key_value", 72, true), 6, 1, 4,
          q, k, v);
    x = x + c.linear(attend(q, k, v), at + "self_attention.dense", 24, true);
    x = x +
        c.linear(each(c.linear(c.layer_norm(x, at + "post_attention_layernorm"), at + "mlp.dense_h_to_4h", 96, true),
                      gelu_tanh),
                 at + "mlp.dense_4h_to_h", 24, true);
  }
  c.expect(c.linear(c.layer_norm(x, base + "ln_f"), base + "word_embeddings", 40, false));
}

namespace {
void falcon(const std::string& more, std::size_t kv, bool two_norms, bool parallel, bool alibi) {
  checkpoint c(
      R"({"model_type":"falcon","hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"vocab_size":40,)" +
          more + "}",
      tokens);
  attention attend;
  attend.kv = kv;
  if (alibi) attend.slopes = {0.25, 0.0625, 0.015625, 0.00390625};
  attend.slope_scale = attend.scale;
  const std::string base = "transformer.";
  const bool bias = more.find("\"bias\":true") != std::string::npos;
  mat x = c.embedding(base + "word_embeddings", 40, 24);
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("h.", l);
    const mat n = c.layer_norm(x, at + (two_norms ? "ln_attn" : "input_layernorm"));
    mat q, k, v;
    split(c.linear(n, at + "self_attention.query_key_value", static_cast<std::int64_t>((4 + 2 * kv) * 6), bias), kv,
          4 / kv, 6, q, k, v);
    if (!alibi) {
      q = turned(q, 6, 6, 10000);
      k = turned(k, 6, 6, 10000);
    }
    const mat a = c.linear(attend(q, k, v), at + "self_attention.dense", 24, bias);
    const mat m = two_norms  ? c.layer_norm(x, at + "ln_mlp")
                  : parallel ? n
                             : c.layer_norm(x + a, at + "post_attention_layernorm");
    x = x + a +
        c.linear(each(c.linear(m, at + "mlp.dense_h_to_4h", 96, bias), gelu), at + "mlp.dense_4h_to_h", 24, bias);
  }
  c.expect(c.linear(c.layer_norm(x, base + "ln_f"), base + "word_embeddings", 40, false));
}
}  // namespace

TEST(families, falcon_7b) {
  falcon(R"("multi_query":true)", 1, false, true, false);
}
TEST(families, falcon_40b) {
  falcon(R"("new_decoder_architecture":true,"num_kv_heads":2)", 2, true, true, false);
}
TEST(families, falcon_rw) {
  falcon(R"("multi_query":false,"parallel_attn":false,"alibi":true,"bias":true)", 4, false, false, true);
}

TEST(families, gptj) {
  checkpoint c(
      R"({"model_type":"gptj","n_embd":24,"n_layer":2,"n_head":4,"vocab_size":40,"n_positions":16,"rotary_dim":4})",
      tokens);
  attention attend;
  attend.kv = 4;
  const std::string base = "transformer.";
  mat x = c.embedding(base + "wte", 40, 24);
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("h.", l);
    const mat n = c.layer_norm(x, at + "ln_1");
    const mat a = c.linear(attend(turned(c.linear(n, at + "attn.q_proj", 24, false), 6, 4, 10000, true),
                                  turned(c.linear(n, at + "attn.k_proj", 24, false), 6, 4, 10000, true),
                                  c.linear(n, at + "attn.v_proj", 24, false)),
                           at + "attn.out_proj", 24, false);
    x = x + a + c.linear(each(c.linear(n, at + "mlp.fc_in", 96, true), gelu_tanh), at + "mlp.fc_out", 24, true);
  }
  c.expect(c.linear(c.layer_norm(x, base + "ln_f"), "lm_head", 40, true));
}

TEST(families, gpt_neox) {
  checkpoint c(
      R"({"model_type":"gpt_neox","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":40,"vocab_size":40,"rotary_pct":0.5,"max_position_embeddings":16})",
      tokens);
  attention attend;
  attend.kv = 4;
  attend.d = 8;
  attend.scale = 1 / std::sqrt(8.0);
  const std::string base = "gpt_neox.";
  mat x = c.embedding(base + "embed_in", 40, 32);
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("layers.", l);
    mat q, k, v;
    split(c.linear(c.layer_norm(x, at + "input_layernorm"), at + "attention.query_key_value", 96, true), 4, 1, 8, q, k,
          v);
    const mat a = c.linear(attend(turned(q, 8, 4, 10000), turned(k, 8, 4, 10000), v), at + "attention.dense", 32, true);
    const mat m = c.layer_norm(x, at + "post_attention_layernorm");
    x = x + a +
        c.linear(each(c.linear(m, at + "mlp.dense_h_to_4h", 40, true), gelu), at + "mlp.dense_4h_to_h", 32, true);
  }
  c.expect(c.linear(c.layer_norm(x, base + "final_layer_norm"), "embed_out", 40, false));
}

namespace {
/// Gemma 2 and 3: gains are one more than stored, four norms a layer, a window in some layers.
void gemma(int version) {
  const bool third = version == 3;
  checkpoint c(
      std::string(R"({"model_type":")") + (third ? "gemma3_text" : "gemma2") +
          R"(","hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":6,"intermediate_size":40,"vocab_size":40,"sliding_window":3,"query_pre_attn_scalar":9,"max_position_embeddings":64)" +
          (third
               ? R"(,"sliding_window_pattern":2,"rope_theta":1000000,"rope_scaling":{"rope_type":"linear","factor":8}})"
               : R"(,"attn_logit_softcapping":2,"final_logit_softcapping":3})"),
      tokens);
  const std::string base = "model.";
  mat x = each(c.embedding(base + "embed_tokens", 40, 24), [](double v) { return v * std::sqrt(24.0); });
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("layers.", l), self = at + "self_attn.";
    attention attend;
    attend.scale = 1.0 / 3;
    attend.cap = third ? 0 : 2;
    attend.window = l == 0 ? 3 : 0;
    const mat n = c.rms_norm(x, at + "input_layernorm", 0, 1);
    mat q = c.linear(n, self + "q_proj", 24, false), k = c.linear(n, self + "k_proj", 12, false);
    if (third) {
      q = c.rms_norm(q, self + "q_norm", 6, 1);
      k = c.rms_norm(k, self + "k_norm", 6, 1);
    }
    // Global layers of Gemma 3: theta 1e6, positions slowed by 8; here 8 apart is turned by what one was.
    const auto turn = [&](const mat& v) {
      if (!third || l == 0) return turned(v, 6, 6, 10000);
      mat out = v;
      for (std::size_t p = 0; p < v.size(); ++p)
        for (std::size_t h = 0; h < v[p].size(); h += 6)
          for (std::size_t i = 0; i < 3; ++i) {
            const double angle = static_cast<double>(p) / 8 * std::pow(1e6, -static_cast<double>(i) / 3);
            out[p][h + i] = v[p][h + i] * std::cos(angle) - v[p][h + i + 3] * std::sin(angle);
            out[p][h + i + 3] = v[p][h + i + 3] * std::cos(angle) + v[p][h + i] * std::sin(angle);
          }
      return out;
    };
    const mat a =
        c.linear(attend(turn(q), turn(k), c.linear(n, self + "v_proj", 12, false)), self + "o_proj", 24, false);
    x = x + c.rms_norm(a, at + "post_attention_layernorm", 0, 1);
    const mat m = c.rms_norm(x, at + "pre_feedforward_layernorm", 0, 1);
    mat inner = each(c.linear(m, at + "mlp.gate_proj", 40, false), gelu_tanh);
    const mat up = c.linear(m, at + "mlp.up_proj", 40, false);
    for (std::size_t p = 0; p < inner.size(); ++p)
      for (std::size_t i = 0; i < 40; ++i) inner[p][i] *= up[p][i];
    x = x + c.rms_norm(c.linear(inner, at + "mlp.down_proj", 24, false), at + "post_feedforward_layernorm", 0, 1);
  }
  mat logits = c.linear(c.rms_norm(x, base + "norm", 0, 1), base + "embed_tokens", 40, false);
  if (!third) logits = each(logits, [](double v) { return 3 * std::tanh(v / 3); });
  c.expect(logits);
}

enum class mixture { mixtral, qwen3_moe, gpt_oss, none };

/// LLaMA's form with experts (or, `none`, Qwen3's dense one).
void experts(mixture kind) {
  const bool oss = kind == mixture::gpt_oss, qwen = kind == mixture::qwen3_moe || kind == mixture::none;
  const std::map<mixture, std::string> what{
      {mixture::mixtral,
       R"("model_type":"mixtral","num_local_experts":4,"num_experts_per_tok":2,"intermediate_size":20)"},
      {mixture::qwen3_moe,
       R"("model_type":"qwen3_moe","num_experts":4,"num_experts_per_tok":2,"moe_intermediate_size":20,"norm_topk_prob":false)"},
      {mixture::gpt_oss,
       R"("model_type":"gpt_oss","num_local_experts":4,"num_experts_per_tok":2,"intermediate_size":20,"sliding_window":3,"swiglu_limit":0.5)"},
      {mixture::none, R"("model_type":"qwen3","intermediate_size":20)"}};
  checkpoint c(
      "{" + what.at(kind) +
          R"(,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":6,"vocab_size":40,"rms_norm_eps":1e-6,"max_position_embeddings":64})",
      tokens);
  const std::string base = "model.";
  mat x = c.embedding(base + "embed_tokens", 40, 24);
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("layers.", l), self = at + "self_attn.";
    attention attend;
    const mat n = c.rms_norm(x, at + "input_layernorm");
    mat q = c.linear(n, self + "q_proj", 24, oss), k = c.linear(n, self + "k_proj", 12, oss);
    if (qwen) {
      q = c.rms_norm(q, self + "q_norm", 6);
      k = c.rms_norm(k, self + "k_norm", 6);
    }
    if (oss) {
      attend.window = l == 0 ? 3 : 0;
      for (const float s : c.at(self + "sinks", {4}).values) attend.sinks.push_back(static_cast<double>(s));
    }
    x = x + c.linear(attend(turned(q, 6, 6, 10000), turned(k, 6, 6, 10000), c.linear(n, self + "v_proj", 12, oss)),
                     self + "o_proj", 24, oss);
    const mat m = c.rms_norm(x, at + "post_attention_layernorm");
    const auto gated = [&](const mat& row, const std::string& gate, const std::string& up, const std::string& down) {
      mat inner = each(c.linear(row, gate, 20, false), silu);
      const mat others = c.linear(row, up, 20, false);
      for (std::size_t i = 0; i < 20; ++i) inner[0][i] *= others[0][i];
      return c.linear(inner, down, 24, false);
    };
    // Every expert is asked for once, so that the file holds all.
    const std::string box = at + (kind == mixture::mixtral ? "block_sparse_moe." : "mlp.");
    const auto expert = [&](const mat& row, std::size_t e) {
      const std::string one = box + "experts." + std::to_string(e) + ".";
      if (kind == mixture::mixtral) return gated(row, one + "w1", one + "w3", one + "w2");
      if (!oss) return gated(row, one + "gate_proj", one + "up_proj", one + "down_proj");
      const auto &w = c.at(box + "experts.gate_up_proj", {4, 24, 40}),
                 &b = c.at(box + "experts.gate_up_proj_bias", {4, 40});
      const auto &v = c.at(box + "experts.down_proj", {4, 20, 24}), &d = c.at(box + "experts.down_proj_bias", {4, 24});
      const auto first = static_cast<std::int64_t>(e);
      const mat both = checkpoint::multiply(row, w.values, 40, 1, 40, nullptr, first * 24 * 40);
      mat inner(1);
      for (std::size_t i = 0; i < 20; ++i) {
        const double gate = std::min(both[0][2 * i] + static_cast<double>(b.values[e * 40 + 2 * i]), 0.5);
        const double up = std::clamp(both[0][2 * i + 1] + static_cast<double>(b.values[e * 40 + 2 * i + 1]), -0.5, 0.5);
        inner[0].push_back((up + 1) * gate / (1 + std::exp(-1.702 * gate)));
      }
      mat out = checkpoint::multiply(inner, v.values, 24, 1, 24, nullptr, first * 20 * 24);
      for (std::size_t i = 0; i < 24; ++i) out[0][i] += static_cast<double>(d.values[e * 24 + i]);
      return out;
    };
    for (std::size_t p = 0; p < x.size(); ++p) {
      const mat row{m[p]};
      if (kind == mixture::none) {
        x[p] = (mat{x[p]} + gated(row, at + "mlp.gate_proj", at + "mlp.up_proj", at + "mlp.down_proj"))[0];
        continue;
      }
      const auto logits = c.linear(row, oss ? at + "mlp.router" : box + "gate", 4, oss)[0];
      std::vector<mat> outputs;
      for (std::size_t e = 0; e < 4; ++e) outputs.push_back(expert(row, e));
      double sum = 0;
      const auto chosen = best(logits, 2);
      if (kind == mixture::qwen3_moe)
        for (const double v : logits) sum += std::exp(v);
      else
        for (const auto e : chosen) sum += std::exp(logits[e]);
      for (const auto e : chosen)
        for (std::size_t i = 0; i < 24; ++i) x[p][i] += std::exp(logits[e]) / sum * outputs[e][0][i];
    }
  }
  c.expect(c.linear(c.rms_norm(x, base + "norm"), "lm_head", 40, false));
}
/// DeepSeek: latents of queries (V3) and of keys and values, a rotated part that all keys share, pairs of neighbours;
/// the first layer dense, then eight experts in four groups, of which two are taken, beside a shared one.
void deepseek(bool third) {
  checkpoint c(
      std::string("{") +
          (third
               ? R"("model_type":"deepseek_v3","q_lora_rank":10,"routed_scaling_factor":1.5,)"
               : R"("model_type":"deepseek_v2","q_lora_rank":null,"topk_method":"group_limited_greedy","norm_topk_prob":false,"routed_scaling_factor":1.5,)") +
          R"("hidden_size":24,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,"kv_lora_rank":8,)"
          R"("qk_nope_head_dim":6,"qk_rope_head_dim":4,"v_head_dim":5,"vocab_size":40,"first_k_dense_replace":1,)"
          R"("n_routed_experts":8,"n_shared_experts":1,"num_experts_per_tok":3,"moe_intermediate_size":20,"n_group":4,"topk_group":2,)"
          R"("rms_norm_eps":1e-6,"max_position_embeddings":64})",
      tokens);
  const std::string base = "model.";
  mat x = c.embedding(base + "embed_tokens", 40, 24);
  const auto gated = [&](const mat& in, const std::string& at) {
    mat inner = each(c.linear(in, at + "gate_proj", 20, false), silu);
    const mat up = c.linear(in, at + "up_proj", 20, false);
    for (std::size_t p = 0; p < in.size(); ++p)
      for (std::size_t i = 0; i < 20; ++i) inner[p][i] *= up[p][i];
    return c.linear(inner, at + "down_proj", 24, false);
  };
  for (int l = 0; l < 2; ++l) {
    const std::string at = base + layer_name("layers.", l), self = at + "self_attn.";
    const mat n = c.rms_norm(x, at + "input_layernorm");
    const mat q = third ? c.linear(c.rms_norm(c.linear(n, self + "q_a_proj", 10, false), self + "q_a_layernorm"),
                                   self + "q_b_proj", 40, false)
                        : c.linear(n, self + "q_proj", 40, false);
    const mat low = c.linear(n, self + "kv_a_proj_with_mqa", 12, false);
    const mat both = c.linear(c.rms_norm(columns(low, 0, 8), self + "kv_a_layernorm"), self + "kv_b_proj", 44, false);
    const mat k_turned = turned(columns(low, 8, 4), 4, 4, 10000, true);
    mat attended(x.size());
    for (std::size_t h = 0; h < 4; ++h) {
      const mat qh = join(columns(q, h * 10, 6), turned(columns(q, h * 10 + 6, 4), 4, 4, 10000, true));
      const mat kh = join(columns(both, h * 11, 6), k_turned), vh = columns(both, h * 11 + 6, 5);
      mat out(x.size(), std::vector<double>(5, 0));
      for (std::size_t p = 0; p < x.size(); ++p) {
        std::vector<double> e;
        double sum = 0;
        for (std::size_t j = 0; j <= p; ++j) {
          double s = 0;
          for (std::size_t i = 0; i < 10; ++i) s += qh[p][i] * kh[j][i];
          e.push_back(std::exp(s / std::sqrt(10.0)));
          sum += e.back();
        }
        for (std::size_t j = 0; j <= p; ++j)
          for (std::size_t i = 0; i < 5; ++i) out[p][i] += e[j] / sum * vh[j][i];
      }
      attended = join(attended, out);
    }
    x = x + c.linear(attended, self + "o_proj", 24, false);
    const mat m = c.rms_norm(x, at + "post_attention_layernorm");
    if (l == 0) {
      x = x + gated(m, at + "mlp.");
      continue;
    }
    std::vector<mat> outputs;
    for (std::size_t e = 0; e < 8; ++e) outputs.push_back(gated(m, at + "mlp.experts." + std::to_string(e) + "."));
    const mat logits = c.linear(m, at + "mlp.gate", 8, false);
    std::vector<double> correction(8, 0.0);
    if (third)
      for (std::size_t e = 0; e < 8; ++e)
        correction[e] = static_cast<double>(c.at(at + "mlp.gate.e_score_correction_bias", {8}).values[e]);
    x = x + gated(m, at + "mlp.shared_experts.");
    for (std::size_t p = 0; p < x.size(); ++p) {
      std::vector<double> scores, ranked, groups;
      double all = 0;
      for (const double v : logits[p]) all += std::exp(v);
      for (std::size_t e = 0; e < 8; ++e) {
        scores.push_back(third ? 1 / (1 + std::exp(-logits[p][e])) : std::exp(logits[p][e]) / all);
        ranked.push_back(scores[e] + correction[e]);
      }
      // A group of two: their sum (V3), or the better one.
      for (std::size_t g = 0; g < 4; ++g)
        groups.push_back(third ? ranked[2 * g] + ranked[2 * g + 1] : std::max(ranked[2 * g], ranked[2 * g + 1]));
      const auto taken = best(groups, 2);
      for (std::size_t e = 0; e < 8; ++e)
        if (e / 2 != taken[0] && e / 2 != taken[1]) ranked[e] = -1e9;
      const auto chosen = best(ranked, 3);
      double sum = 0;
      for (const auto e : chosen) sum += scores[e];
      for (const auto e : chosen)
        for (std::size_t i = 0; i < 24; ++i) x[p][i] += (third ? scores[e] / sum : scores[e]) * 1.5 * outputs[e][p][i];
    }
  }
  c.at(base + "layers.2.enorm.weight", {24});  // of a layer that predicts further tokens: not read
  c.expect(c.linear(c.rms_norm(x, base + "norm"), "lm_head", 40, false));
}
}  // namespace

TEST(families, deepseek_v2) {
  deepseek(false);
}
TEST(families, deepseek_v3) {
  deepseek(true);
}
TEST(families, gemma2) {
  gemma(2);
}
TEST(families, gemma3) {
  gemma(3);
}
TEST(families, mixtral) {
  experts(mixture::mixtral);
}
TEST(families, qwen3) {
  experts(mixture::none);
}
TEST(families, qwen3_moe) {
  experts(mixture::qwen3_moe);
}
TEST(families, gpt_oss) {
  experts(mixture::gpt_oss);
}
