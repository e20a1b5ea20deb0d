// SPDX-License-Identifier: Apache-2.0
// The layer trace: what a forward pass computes and which bytes it touches, operator by operator. See
// traces/README.md.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/dtype.h"

namespace memwall::trace {

constexpr int format_version = 1;

enum class tensor_class : std::uint8_t { weights, kv_cache, activations };
constexpr std::size_t tensor_classes = 3;
std::string_view name_of(tensor_class c);  ///< "weights", "kv_cache", "activations"

enum class phase : std::uint8_t { prefill, decode };
std::string_view name_of(phase p);

/// What an operator does.
///   embed        gathers rows of the embedding table
///   norm         layer norm or RMS norm over rows of k values
///   gemm         y[m,n] = x[m,k] * W[n,k], `batch` independent ones; weights W
///   lm_head      the gemm that makes logits
///   router       the small gemm and top-k that choose experts
///   expert_gemm  one gemm for each expert touched; group_rows has the rows of each
///   attention    scores, softmax and values in one pass over the KV cache (flash)
///   rope         rotates queries and keys, and writes the new keys and values into the cache
///   elementwise  residual add, activation, scaling, cache append
///   softmax      a softmax outside attention
///   sample       picks the next token from the logits
///   collective   reserved for traces that carry their own communication
enum class op_kind : std::uint8_t {
  embed,
  norm,
  gemm,
  lm_head,
  router,
  expert_gemm,
  attention,
  rope,
  elementwise,
  softmax,
  sample,
  collective
};
constexpr std::size_t op_kinds = 12;
std::string_view name_of(op_kind k);
/// gemm, lm_head, router, expert_gemm.
constexpr bool is_gemm(op_kind k) {
  return k >= op_kind::gemm && k <= op_kind::expert_gemm;
}

/// How tensor parallelism over P devices cuts an operator. After `rows` the results must be summed over the
/// devices.
enum class shard : std::uint8_t {
  none,     ///< every device does all of it
  columns,  ///< n / P outputs each (qkv, gate_up, lm_head)
  rows,     ///< k / P inputs each, then an all-reduce (o_proj, down)
  heads,    ///< KV heads / P each (attention, rope); where KV heads < P, each device has a copy of one
  experts   ///< cut inside each expert as columns, or experts / P each
};
std::string_view name_of(shard s);

/// A block of memory. Declared once, before the first operator, so that a platform can place it.
struct tensor {
  std::string name;  ///< "layers.3.attn.qkv", "layers.3.kv", "act.residual"
  tensor_class cls = tensor_class::weights;
  dtype type;
  std::vector<std::int64_t> shape;  ///< outermost first
  std::int64_t layer = -1;          ///< -1: not of one layer
  std::int64_t bytes = 0;           ///< all of it; for the KV cache, at the longest context of the trace
  std::string parts;                ///< of a fused tensor: "q 4096 + k 1024 + v 1024"; may be empty
};

enum class access : std::uint8_t { read, write };

/// Bytes [offset, offset + bytes) of a tensor, read or written once. An operator may use a tensor more than
/// once.
struct tensor_use {
  std::uint32_t tensor = 0;  ///< index into header::tensors
  access what = access::read;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;

  friend bool operator==(const tensor_use& a, const tensor_use& b) {
    return a.tensor == b.tensor && a.what == b.what && a.offset == b.offset && a.bytes == b.bytes;
  }
};

/// One operator. Activations are written by one operator and read by the next: whether they leave the chip is
/// the platform's business.
struct op {
  std::uint64_t id = 0;  ///< 0, 1, 2, ... in the order of the trace
  std::string name;      ///< "layers.3.attn.qkv"; the same in every step
  op_kind kind = op_kind::gemm;
  std::int64_t layer = -1;  ///< -1: outside the layers (embedding, final norm, lm_head, sample)
  trace::phase phase = trace::phase::decode;
  std::int64_t step = 0;  ///< decode: index of the generated token; prefill: index of the chunk
  /// Operators of one step that have the same group and follow each other may run as one kernel (add + norm,
  /// gate_up + activation, rope + cache append). Then what they hand each other in activations stays inside.
  std::string group;

  // Shape. gemm: y[m,n] = x[m,k] W[n,k]^T, `batch` times. attention: m queries a sequence see up to n
  // positions, k = head_dim, batch = sequences. Others: m rows of k values, n = values written a row.
  std::int64_t m = 0, n = 0, k = 0, batch = 1;
  /// Of attention and rope, and of products whose outputs or inputs are heads: devices that share the operator get
  /// whole ones. 0: none.
  std::int64_t heads = 0, kv_heads = 0;
  /// Attention over one query a sequence that is computed in the same kernel as a prompt's. Only in steps of a server:
  /// a file does not hold it.
  bool beside_prompt = false;
  std::vector<std::int64_t> group_rows;  ///< expert_gemm only: rows of each expert touched; their sum is m
  std::int64_t choices = 0;              ///< expert_gemm only: experts that each row goes to (top-k); 0: not told
  trace::shard shard = trace::shard::none;

  dtype input, weight, output;    ///< types of x, W and y (attention: queries, KV cache, result)
  std::int64_t matmul_flops = 0;  ///< multiply-accumulates of matrix products, two each
  std::int64_t vector_flops = 0;  ///< everything else (softmax, norms, activations, bias, residual)
  std::vector<tensor_use> uses;
  std::vector<std::uint64_t> deps;  ///< operators that must end before this one starts; all have smaller ids

  std::int64_t flops() const { return matmul_flops + vector_flops; }
  /// Bytes of uses of one class and direction. Needs the header to know the classes.
  std::int64_t bytes(const std::vector<trace::tensor>& tensors, tensor_class c, access a) const {
    std::int64_t sum = 0;
    for (const auto& u : uses)
      if (u.what == a && tensors[u.tensor].cls == c) sum += u.bytes;
    return sum;
  }
};
bool operator==(const tensor& a, const tensor& b);
bool operator==(const op& a, const op& b);

/// What a run asks of a model.
struct workload {
  enum class phases { prefill, decode, both };

  phases phase = phases::decode;
  std::int64_t batch = 1;     ///< sequences
  std::int64_t prompt = 512;  ///< prefill: tokens of each sequence
  /// decode: positions the first generated token attends to, its own included. (With `both` it is prompt
  /// + 1.)
  std::int64_t context = 2048;
  std::int64_t tokens = 1;         ///< decode steps; each makes `batch` tokens and the context grows by one
  std::int64_t prefill_chunk = 0;  ///< prompt tokens a prefill pass takes at most; 0: the whole prompt
  dtypes types;
  std::uint64_t seed = 1;  ///< of the choice of experts

  /// Positions the KV cache must hold.
  std::int64_t longest() const {
    if (phase == phases::prefill) return prompt;
    return phase == phases::decode ? context + tokens - 1 : prompt + tokens;
  }
};
std::string_view name_of(workload::phases p);
bool operator==(const workload& a, const workload& b);

/// What stands before the operators.
struct header {
  int version = format_version;
  std::string model;   ///< name; free text in a trace made by other means
  std::string origin;  ///< what made the trace
  trace::workload workload;
  std::vector<tensor> tensors;
  std::vector<std::string> notes;  ///< what a user should know about the model and the workload; not in trace files
};

/// A trace, pulled operator by operator. Memory does not grow with its length.
class op_stream {
 public:
  virtual ~op_stream() = default;
  virtual const trace::header& header() const = 0;
  /// The next operator, or false at the end. `out` is overwritten (its buffers are reused). Throws
  /// input_error when the trace is defective.
  virtual bool next(op& out) = 0;
  /// Operators in the whole trace, where known beforehand; else -1. (For progress.)
  virtual std::int64_t size() const { return -1; }
};

}  // namespace memwall::trace
