// SPDX-License-Identifier: Apache-2.0
#include "models/forward/forward.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace memwall {

rotations::rotations(const model& m, const numerics& n, bool local)
    : m_rotated(2 * static_cast<std::int64_t>(static_cast<double>(m.head_dim) * m.rope_fraction / 2 + 1e-9)),
      m_interleaved(n.rope_interleaved),
      m_magnitude(1) {
  constexpr double turn = 6.283185307179586;
  const double theta = local && n.local_theta > 0 ? n.local_theta : n.rope_theta;
  const auto scaling = local && n.local_theta > 0 ? numerics::scaling::none : n.rope_scaling;
  const auto width = static_cast<double>(m_rotated);
  // Yarn: the dimension that turns so many times over the original positions.
  const auto dimension = [&](double turns) {
    return width * std::log(n.rope_original / (turns * turn)) / (2 * std::log(theta));
  };
  double from = dimension(n.yarn_fast), to = dimension(n.yarn_slow);
  if (n.yarn_truncate) from = std::floor(from), to = std::ceil(to);
  from = std::max(from, 0.0);
  to = std::max(std::min(to, width - 1), from + 1e-3);
  for (std::int64_t i = 0; i < m_rotated / 2; ++i) {
    double f = std::pow(theta, -2.0 * static_cast<double>(i) / width);
    if (scaling == numerics::scaling::linear) {
      f /= n.rope_factor;
    } else if (scaling == numerics::scaling::llama3) {
      // Long waves are slowed down, short ones left, those between mixed (Llama 3.1).
      const double waves = n.rope_original * f / turn;
      const double kept = std::clamp((waves - n.rope_low) / (n.rope_high - n.rope_low), 0.0, 1.0);
      f = kept * f + (1 - kept) * f / n.rope_factor;
    } else if (scaling == numerics::scaling::yarn) {
      const double slowed = std::clamp((static_cast<double>(i) - from) / (to - from), 0.0, 1.0);
      f = (1 - slowed) * f + slowed * f / n.rope_factor;
    }
    m_frequency.push_back(f);
  }
  if (scaling == numerics::scaling::yarn) m_magnitude = n.yarn_magnitude;
}

void rotations::apply(std::int64_t position, float* head) const {
  const std::int64_t half = m_rotated / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const double angle = static_cast<double>(position) * m_frequency[static_cast<std::size_t>(i)];
    const auto c = static_cast<float>(std::cos(angle) * m_magnitude),
               s = static_cast<float>(std::sin(angle) * m_magnitude);
    float& first = head[m_interleaved ? 2 * i : i];
    float& second = head[m_interleaved ? 2 * i + 1 : i + half];
    const float a = first, b = second;
    first = a * c - b * s;
    second = b * c + a * s;
  }
}

std::vector<float> alibi_slopes(std::int64_t heads) {
  std::vector<float> out;
  std::int64_t power = 1;
  while (2 * power <= heads) power *= 2;
  for (std::int64_t i = 1; i <= power; ++i)
    out.push_back(static_cast<float>(std::exp2(-8.0 * static_cast<double>(i) / static_cast<double>(power))));
  for (std::int64_t i = 1; static_cast<std::int64_t>(out.size()) < heads; i += 2)
    out.push_back(static_cast<float>(std::exp2(-4.0 * static_cast<double>(i) / static_cast<double>(power))));
  return out;
}

void layer_norm(const float* x, const float* gain, const float* bias, std::int64_t rows, std::int64_t width, double eps,
                float* out) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, out += width) {
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < width; ++i) sum += static_cast<double>(x[i]);
    const double mean = sum / static_cast<double>(width);
    for (std::int64_t i = 0; i < width; ++i)
      squares += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + eps);
    for (std::int64_t i = 0; i < width; ++i)
      out[i] = static_cast<float>((static_cast<double>(x[i]) - mean) * scale) * gain[i] + bias[i];
  }
}

void soft_cap(float* v, std::int64_t count, double cap) {
  const auto limit = static_cast<float>(cap);
  for (std::int64_t i = 0; i < count; ++i) v[i] = limit * std::tanh(v[i] / limit);
}

expert_choice choose_experts(const float* logits, std::int64_t experts, std::int64_t active, bool normalised) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(experts));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return logits[a] > logits[b]; });
  std::vector<float> share;
  for (const auto e : order) share.push_back(logits[e]);
  if (normalised) share.resize(static_cast<std::size_t>(active));
  softmax(share.data(), static_cast<std::int64_t>(share.size()));
  order.resize(static_cast<std::size_t>(active));
  share.resize(static_cast<std::size_t>(active));
  return {order, share};
}

namespace {

/// The first `count` of `of` places by falling value; the first of equal ones.
std::vector<std::int64_t> largest_places(const std::vector<float>& of, std::int64_t count) {
  std::vector<std::int64_t> order(of.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return of[static_cast<std::size_t>(a)] > of[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  return order;
}

}  // namespace

expert_choice choose_in_groups(const float* logits, const float* correction, std::int64_t experts, std::int64_t active,
                               const numerics& n) {
  std::vector<float> scores(logits, logits + experts);
  if (n.experts_sigmoid)
    for (float& s : scores) s = 1.0F / (1.0F + std::exp(-s));
  else
    softmax(scores.data(), experts);
  std::vector<float> ranked = scores;
  if (correction != nullptr)
    for (std::size_t e = 0; e < ranked.size(); ++e) ranked[e] += correction[e];
  const auto size = static_cast<std::size_t>(experts / n.expert_groups);
  if (n.groups_taken < n.expert_groups) {
    std::vector<float> of_group;
    for (std::size_t g = 0; g < static_cast<std::size_t>(n.expert_groups); ++g) {
      std::vector<float> own(ranked.begin() + static_cast<std::ptrdiff_t>(g * size),
                             ranked.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
      std::sort(own.begin(), own.end(), std::greater<>());
      of_group.push_back(own[0] + (n.group_by_two && size > 1 ? own[1] : 0.0F));
    }
    std::vector<bool> taken(of_group.size(), false);
    for (const std::int64_t g : largest_places(of_group, n.groups_taken)) taken[static_cast<std::size_t>(g)] = true;
    for (std::size_t e = 0; e < ranked.size(); ++e)
      if (!taken[e / size]) ranked[e] = -std::numeric_limits<float>::infinity();
  }
  expert_choice out;
  out.expert = largest_places(ranked, active);
  double sum = 0;
  for (const std::int64_t e : out.expert) {
    out.share.push_back(scores[static_cast<std::size_t>(e)]);
    sum += static_cast<double>(out.share.back());
  }
  for (float& s : out.share) {
    if (n.experts_normalised) s = static_cast<float>(static_cast<double>(s) / (sum + 1e-20));
    if (n.shares_scaled) s *= static_cast<float>(n.experts_scale);
  }
  return out;
}

void rms_norm(const float* x, const float* gain, std::int64_t rows, std::int64_t width, double eps, float* out) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, out += width) {
    double squares = 0;
    for (std::int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
    const auto scale = static_cast<float>(1 / std::sqrt(squares / static_cast<double>(width) + eps));
    for (std::int64_t i = 0; i < width; ++i) out[i] = x[i] * scale * gain[i];
  }
}

namespace {

float activated(numerics::activation a, float v) {
  using act = numerics::activation;
  if (a == act::silu) return v / (1.0F + std::exp(-v));
  if (a == act::relu) return std::max(v, 0.0F);
  if (a == act::gelu_tanh) return 0.5F * v * (1.0F + std::tanh(0.79788456F * (v + 0.044715F * v * v * v)));
  return 0.5F * v * (1.0F + std::erf(v * 0.70710678F));
}

}  // namespace

void mlp_activation(const model& m, const numerics& n, const float* x, std::int64_t rows, std::int64_t width,
                    float* out) {
  const std::int64_t in = m.gated ? 2 * width : width;
  const auto limit = static_cast<float>(n.swiglu_limit);
  for (std::int64_t r = 0; r < rows; ++r, x += in, out += width)
    for (std::int64_t i = 0; i < width; ++i) {
      if (n.act == numerics::activation::clamped) {
        const float gate = std::min(x[i], limit), up = std::clamp(x[width + i], -limit, limit);
        out[i] = (up + 1.0F) * (gate / (1.0F + std::exp(-1.702F * gate)));
      } else {
        out[i] = m.gated ? activated(n.act, x[i]) * x[width + i] : activated(n.act, x[i]);
      }
    }
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
