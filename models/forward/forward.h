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
  double norm_eps = 1e-6;
  double rope_theta = 10000;
  // Llama 3's scaling of low frequencies; factor 1: none. `linear` divides all of them.
  double rope_factor = 1, rope_low = 1, rope_high = 4, rope_original = 8192;
  bool rope_linear = false;
};

/// Reads m.file, and refuses, by name, what the forward pass does not compute: families other than LLaMA's form,
/// experts, latent attention, other activations than SiLU and GELU. Throws input_error.
numerics read_numerics(const model& m);

/// The cosines and sines of a position, head_dim / 2 each.
class rotations {
 public:
  rotations(const model& m, const numerics& n);
  /// Rotates one head at a position: pairs (i, i + head_dim / 2).
  void apply(std::int64_t position, float* head) const;

 private:
  std::int64_t m_rotated;
  std::vector<double> m_frequency;
};

/// out = x / sqrt(mean(x^2) + eps) * gain, for each row.
void rms_norm(const float* x, const float* gain, std::int64_t rows, std::int64_t width, double eps, float* out);
/// The MLP's inner activation: act(gate) * up of a row [gate, up], or act(up).
void mlp_activation(const model& m, const float* x, std::int64_t rows, std::int64_t width, float* out);
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
