// SPDX-License-Identifier: Apache-2.0
// The operators of one step of a server: prompts' chunks and decodes of many lengths in one batch.
#pragma once
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "models/model.h"
#include "traces/serving/server_params.h"
#include "traces/trace.h"

namespace memwall::serving {

/// A prompt's part in a step: `fresh` positions behind `past` that are in the cache.
struct chunk {
  std::int64_t fresh = 0, past = 0;
};

/// All that decides what a step costs on a given machine.
struct step_shape {
  std::int64_t rows = 0;               ///< tokens that the products of the layers see, padding included
  std::int64_t sampled = 0;            ///< rows of the lm_head
  std::vector<std::int64_t> contexts;  ///< of each decode: positions it attends to, its own included
  std::vector<chunk> chunks;
  bool prompt() const { return !chunks.empty(); }
};

/// What an attention operator sees of a layer with a sliding window (0: none).
struct attention_view {
  std::int64_t decodes = 0;
  std::int64_t decode_positions = 0;  ///< over all decodes
  struct part {
    std::int64_t fresh = 0, pairs = 0, positions = 0;  ///< pairs: of a query and a position it sees
  };
  std::vector<part> chunks;
};
attention_view view_of(const step_shape& s, std::int64_t window);

/// What an operator belongs to: a step's cost is put together from these.
enum class segment : std::uint8_t { begin, rows, decode_attention, chunk_attention, end };

struct step_operator {
  trace::op op;  ///< ids and dependencies count from the first operator of the step
  segment part = segment::rows;
};

/// Makes the operators of steps of one model. All steps have the same tensors: weights, the pool of KV blocks, buffers
/// for the largest step.
class step_operators {
 public:
  /// `kv_tokens`: positions that the pool has room for.
  step_operators(const model& m, const dtypes& types, const server_params& server, std::int64_t kv_tokens,
                 std::uint64_t seed);

  const trace::header& header() const { return m_header; }
  const memwall::model& model() const { return m_model; }
  /// Of the pool of KV blocks, in all layers.
  std::int64_t pool_bytes() const;

  /// The operators of a step in the layers for which `layers` is set (all of them where it is empty). `number`
  /// chooses the experts of a mixture.
  std::vector<step_operator> make(const step_shape& shape, std::int64_t number,
                                  const std::vector<bool>& layers = {}) const;

  /// Copies before a step, where sequences are preempted by swap: of so many KV blocks to the host's memory, then of so
  /// many back, layer by layer, one after another. Their names have "kv_swap" in them.
  std::vector<step_operator> swaps(std::int64_t blocks_out, std::int64_t blocks_in, std::int64_t number) const;

 private:
  class maker;
  /// A decode pass of so many rows with one position each, whose operators, but attention, are those of any step.
  const std::vector<trace::op>& template_for(std::int64_t rows) const;

  const memwall::model m_model;
  trace::header m_header;
  std::uint64_t m_seed;
  const std::int64_t m_block_size;
  /// Where preempted sequences are swapped: of each tensor of the KV pool the one in the host's memory.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> m_swapped;
  mutable std::map<std::int64_t, std::vector<trace::op>> m_templates;
};

}  // namespace memwall::serving
