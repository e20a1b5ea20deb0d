// SPDX-License-Identifier: Apache-2.0
// The tensors of a generated trace: weights, KV cache, activation buffers.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/model.h"
#include "traces/trace.h"

namespace memwall::trace {

/// Flops of one value of the operators that are not matrix products. Multiplications, additions, comparisons
/// and elementary functions (exp, tanh, reciprocal) count one each.
namespace cost {
constexpr std::int64_t rms_norm = 4;               ///< square, sum, scale, gain
constexpr std::int64_t layer_norm = 7;             ///< mean, subtract, square, sum, scale, gain, bias
constexpr std::int64_t rope = 3;                   ///< a pair: four products, two sums
constexpr std::int64_t softmax = 5;                ///< scale, maximum, subtract, exp, sum (the division is once a row)
std::int64_t activation(const std::string& name);  ///< silu 4, gelu 9, relu 1
}  // namespace cost

/// Tensor table of a model under a workload.
class layout {
 public:
  layout(const model& m, const workload& w);

  const std::vector<tensor>& tensors() const { return m_tensors; }
  /// Index of a tensor that is known to exist.
  std::uint32_t at(std::string_view name) const;
  bool has(std::string_view name) const { return m_index.count(std::string(name)) != 0; }

  std::int64_t most_rows() const { return m_rows; }  ///< of activations: batch x the longest pass
  /// Positions a layer's cache has room for: all, or with a window a ring of window + pass - 1.
  std::int64_t kv_capacity(std::int64_t layer) const;
  std::int64_t kv_position_bytes() const { return m_kv_bytes; }  ///< of one position of one sequence and layer

 private:
  void add(tensor t);
  void add_activations(const model& m, const workload& w);

  const model& m_model;
  std::vector<tensor> m_tensors;
  std::unordered_map<std::string, std::uint32_t> m_index;
  std::int64_t m_pass = 0, m_rows = 0, m_longest = 0, m_kv_bytes = 0;
};

/// Rows each expert of a layer gets when `tokens` tokens choose `active` of `experts` each, without
/// repetition. Every token chooses independently and uniformly; the choice depends on `key` alone.
std::vector<std::int64_t> choose_experts(std::uint64_t key, std::int64_t tokens, std::int64_t experts,
                                         std::int64_t active);

/// A well-mixed 64-bit number from several (splitmix64).
std::uint64_t mix(std::uint64_t a, std::uint64_t b);

}  // namespace memwall::trace
