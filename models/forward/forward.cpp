// SPDX-License-Identifier: Apache-2.0
#include "models/forward/forward.h"

#include <algorithm>
#include <cmath>

#include "hw/common/config.h"
#include "models/fields.h"

namespace memwall {

numerics read_numerics(const model& m) {
  problem_list problems;
  const auto root = config::node::parse_file(m.file);
  fields f(root, problems);
  const auto refuse = [&](fields::names keys, const std::string& what, const std::string& expected) {
    f.problem_at(keys, what, expected);
  };
  constexpr const char* known[] = {"llama", "mistral", "qwen2", "qwen3", "phi3"};
  if (std::find(std::begin(known), std::end(known), m.family) == std::end(known))
    refuse({"model_type"}, "'" + m.family + "' has no forward pass here", "llama, mistral, qwen2, qwen3 or phi3");
  if (m.moe) refuse({"num_local_experts", "num_experts"}, "experts are not computed", "a dense model");
  if (m.mla) refuse({"kv_lora_rank"}, "latent attention is not computed", "grouped queries");
  if (m.activation != "silu" && m.activation != "gelu" && m.activation != "relu")
    refuse({"hidden_act"}, "got '" + m.activation + "'", "silu, gelu or relu");
  numerics n;
  n.norm_eps = f.number_or({"rms_norm_eps"}, 1e-6, 0, 1);
  n.rope_theta = f.number_or({"rope_theta"}, 10000, 1, 1e12);
  if (const auto* s = root.find("rope_scaling"); s != nullptr && s->is_map()) {
    fields g(*s, problems);
    const std::string type = g.text_or({"rope_type", "type"}, "default");
    if (type == "llama3" || type == "linear") {
      n.rope_linear = type == "linear";
      n.rope_factor = g.number_or({"factor"}, 1, 1e-3, 1e6);
      n.rope_low = g.number_or({"low_freq_factor"}, 1, 1e-3, 1e6);
      n.rope_high = g.number_or({"high_freq_factor"}, 4, 1e-3, 1e6);
      n.rope_original = g.number_or({"original_max_position_embeddings"}, 8192, 1, 1e9);
    } else if (type != "default") {
      g.problem_at({"rope_type", "type"}, "got '" + type + "'", "default, linear or llama3");
    }
  }
  problems.check();
  return n;
}

rotations::rotations(const model& m, const numerics& n) {
  m_rotated = 2 * static_cast<std::int64_t>(static_cast<double>(m.head_dim) * m.rope_fraction / 2);
  constexpr double turn = 6.283185307179586;
  for (std::int64_t i = 0; i < m_rotated / 2; ++i) {
    double f = std::pow(n.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(m_rotated));
    if (n.rope_linear) {
      f /= n.rope_factor;
    } else if (n.rope_factor != 1) {
      // Long waves are slowed down, short ones left, those between mixed (Llama 3.1).
      const double waves = n.rope_original * f / turn;
      const double kept = std::clamp((waves - n.rope_low) / (n.rope_high - n.rope_low), 0.0, 1.0);
      f = kept * f + (1 - kept) * f / n.rope_factor;
    }
    m_frequency.push_back(f);
  }
}

void rotations::apply(std::int64_t position, float* head) const {
  const std::int64_t half = m_rotated / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const double angle = static_cast<double>(position) * m_frequency[static_cast<std::size_t>(i)];
    const auto c = static_cast<float>(std::cos(angle)), s = static_cast<float>(std::sin(angle));
    const float a = head[i], b = head[i + half];
    head[i] = a * c - b * s;
    head[i + half] = b * c + a * s;
  }
}

void rms_norm(const float* x, const float* gain, std::int64_t rows, std::int64_t width, double eps, float* out) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, out += width) {
    double squares = 0;
    for (std::int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
    const auto scale = static_cast<float>(1 / std::sqrt(squares / static_cast<double>(width) + eps));
    for (std::int64_t i = 0; i < width; ++i) out[i] = x[i] * scale * gain[i];
  }
}

void mlp_activation(const model& m, const float* x, std::int64_t rows, std::int64_t width, float* out) {
  const auto act = [&](float v) {
    if (m.activation == "silu") return v / (1.0F + std::exp(-v));
    if (m.activation == "relu") return std::max(v, 0.0F);
    return 0.5F * v * (1.0F + std::erf(v * 0.70710678F));
  };
  const std::int64_t in = m.gated ? 2 * width : width;
  for (std::int64_t r = 0; r < rows; ++r, x += in, out += width)
    for (std::int64_t i = 0; i < width; ++i) out[i] = m.gated ? act(x[i]) * x[width + i] : act(x[i]);
}

void softmax(float* scores, std::int64_t count) {
  const float most = *std::max_element(scores, scores + count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += scores[i] = std::exp(scores[i] - most);
  for (std::int64_t i = 0; i < count; ++i) scores[i] = static_cast<float>(scores[i] / sum);
}

std::int32_t arg_max(const float* values, std::int64_t count) {
  return static_cast<std::int32_t>(std::max_element(values, values + count) - values);
}

namespace {
double log_sum(const float* logits, std::int64_t count) {
  const double most = static_cast<double>(*std::max_element(logits, logits + count));
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(logits[i]) - most);
  return most + std::log(sum);
}
}  // namespace

double negative_log_likelihood(const float* logits, std::int64_t count, std::int32_t of) {
  return log_sum(logits, count) - static_cast<double>(logits[of]);
}

double divergence(const float* reference, const float* other, std::int64_t count) {
  const double a = log_sum(reference, count), b = log_sum(other, count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double p = static_cast<double>(reference[i]) - a, q = static_cast<double>(other[i]) - b;
    sum += std::exp(p) * (p - q);
  }
  return std::max(sum, 0.0);
}

}  // namespace memwall
