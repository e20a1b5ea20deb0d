// SPDX-License-Identifier: Apache-2.0
#include "traces/trace.h"

#include <array>
#include <tuple>

#include "traces/words.h"

namespace memwall::trace {

const std::array<std::string_view, tensor_classes> class_words = {"weights", "kv_cache", "activations"};
const std::array<std::string_view, 2> phase_words = {"prefill", "decode"};
const std::array<std::string_view, op_kinds> kind_words = {"embed",       "norm",        "gemm",      "lm_head",
                                                           "router",      "expert_gemm", "attention", "rope",
                                                           "elementwise", "softmax",     "sample",    "collective"};
const std::array<std::string_view, 5> shard_words = {"none", "columns", "rows", "heads", "experts"};
const std::array<std::string_view, 3> phases_words = {"prefill", "decode", "both"};

std::string_view name_of(tensor_class c) {
  return class_words[static_cast<std::size_t>(c)];
}
std::string_view name_of(phase p) {
  return phase_words[static_cast<std::size_t>(p)];
}
std::string_view name_of(op_kind k) {
  return kind_words[static_cast<std::size_t>(k)];
}
std::string_view name_of(shard s) {
  return shard_words[static_cast<std::size_t>(s)];
}
std::string_view name_of(workload::phases p) {
  return phases_words[static_cast<std::size_t>(p)];
}

bool operator==(const tensor& a, const tensor& b) {
  return std::tie(a.name, a.cls, a.type, a.shape, a.layer, a.bytes, a.parts) ==
         std::tie(b.name, b.cls, b.type, b.shape, b.layer, b.bytes, b.parts);
}

bool operator==(const op& a, const op& b) {
  const auto key = [](const op& o) {
    return std::tie(o.id, o.name, o.kind, o.layer, o.phase, o.step, o.group, o.m, o.n, o.k, o.batch, o.heads,
                    o.kv_heads, o.beside_prompt, o.group_rows, o.choices, o.shard, o.input, o.weight, o.output,
                    o.matmul_flops, o.vector_flops, o.uses, o.deps);
  };
  return key(a) == key(b);
}

bool operator==(const workload& a, const workload& b) {
  return a.phase == b.phase && a.batch == b.batch && a.prompt == b.prompt && a.context == b.context &&
         a.tokens == b.tokens && a.prefill_chunk == b.prefill_chunk && a.types == b.types && a.seed == b.seed;
}

}  // namespace memwall::trace
