// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a forward pass outside matrix products, in single precision, and what a config.json says about it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/model.h"

namespace memwall {

/// What the values of a forward pass need beyond the model's shape.
struct numerics {
  /// gelu: with the error function; gelu_tanh: its approximation; clamped: gpt-oss's gate, limited to swiglu_limit.
  enum class activation { silu, gelu, gelu_tanh, relu, clamped };
  activation act = activation::silu;
  double swiglu_limit = 7;
  double norm_eps = 1e-6;
  double gain_offset = 0;  ///< added to the gains of norms (Gemma: 1)
  double rope_theta = 10000;
  /// Of layers with a window where they differ, without scaling (Gemma 3); 0: as the others.
  double local_theta = 0;
  bool rope_interleaved = false;  ///< pairs (2i, 2i + 1) instead of (i, i + half) (GPT-J)
  /// linear divides all frequencies by the factor; llama3 and yarn the low ones.
  enum class scaling { none, linear, llama3, yarn };
  scaling rope_scaling = scaling::none;
  double rope_factor = 1, rope_low = 1, rope_high = 4, rope_original = 8192;  // llama3
  double yarn_fast = 32, yarn_slow = 1, yarn_magnitude = 1;                   // yarn, and the original positions
  bool yarn_truncate = true;
  double score_scale = 0;           ///< of queries times keys; 0: 1 / sqrt(head_dim)
  double score_cap = 0;             ///< scores become cap tanh(score / cap); 0: none (Gemma 2)
  double logit_cap = 0;             ///< logits, too
  bool alibi_scaled = false;        ///< ALiBi's distances are scaled as scores are (Falcon)
  bool experts_normalised = false;  ///< the chosen experts' shares sum to 1
  // DeepSeek: scores are sigmoids (V3) or a softmax over all; the best groups of experts first, by their best expert or
  // by the sum of their two best; a correction that counts in the choice alone; shares times a factor.
  bool experts_grouped = false, experts_sigmoid = false, group_by_two = false, shares_scaled = false;
  std::int64_t expert_groups = 1, groups_taken = 1;
  double experts_scale = 1;
};

/// Reads m.file, and refuses, by name, what the forward pass does not compute: other activations, other ways to scale
/// positions, families whose checkpoints are not known. Throws input_error.
numerics read_numerics(const model& m);

/// The cosines and sines of a position, head_dim / 2 each.
class rotations {
 public:
  /// `local`: of layers with a window.
  rotations(const model& m, const numerics& n, bool local = false);
  /// Rotates one head at a position.
  void apply(std::int64_t position, float* head) const;

 private:
  std::int64_t m_rotated;
  bool m_interleaved;
  double m_magnitude;
  std::vector<double> m_frequency;
};

/// ALiBi's slope of each head: 2^(-8 i / n) for i = 1 ... n where n is a power of two; else those of the next smaller
/// power, then every second one of the next larger (Press, Smith, Lewis 2022).
std::vector<float> alibi_slopes(std::int64_t heads);

/// out = (x - mean) / sqrt(variance + eps) * gain + bias, for each row.
void layer_norm(const float* x, const float* gain, const float* bias, std::int64_t rows, std::int64_t width, double eps,
                float* out);
/// v = cap tanh(v / cap).
void soft_cap(float* v, std::int64_t count, double cap);
/// The `active` largest logits of experts, largest first (the first of equal ones), and their shares: the softmax over
/// all, or over those where experts_normalised.
struct expert_choice {
  std::vector<std::int64_t> expert;
  std::vector<float> share;
};
expert_choice choose_experts(const float* logits, std::int64_t experts, std::int64_t active, bool normalised);
/// The same by numerics::experts_grouped; `correction` (may be nullptr) is added to the scores in the choice alone.
expert_choice choose_in_groups(const float* logits, const float* correction, std::int64_t experts, std::int64_t active,
                               const numerics& n);

/// out = x / sqrt(mean(x^2) + eps) * gain, for each row.
void rms_norm(const float* x, const float* gain, std::int64_t rows, std::int64_t width, double eps, float* out);
/// The MLP's inner activation: act(gate) * up of a row [gate, up], or act(up).
void mlp_activation(const model& m, const numerics& n, const float* x, std::int64_t rows, std::int64_t width,
                    float* out);
/// Scores to probabilities, in place.
void softmax(float* scores, std::int64_t count);
/// y[m,n] = x[m,k] w[n,k]^T in single precision, to the same bits on every machine.
void product(const float* x, std::int64_t m, std::int64_t k, const float* w, std::int64_t n, float* y);
/// Largest value; the first of equal ones.
std::int32_t arg_max(const float* values, std::int64_t count);
/// -ln of the softmax's probability of one value, in double precision.
double negative_log_likelihood(const float* logits, std::int64_t count, std::int32_t of);
/// Kullback-Leibler divergence of the softmax of `other` from that of `reference`, in nats.
double divergence(const float* reference, const float* other, std::int64_t count);

}  // namespace memwall
