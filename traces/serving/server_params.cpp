// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/server_params.h"

namespace memwall::serving {

const param_table<server_params>& server_param_table() {
  static const auto table =
      param_table<server_params>("server")
          .add("max_num_seqs", &server_params::max_num_seqs, "sequences that run at once, at most", "vLLM's default")
          .range<std::int64_t>(1, 1 << 20)
          .add("max_num_batched_tokens", &server_params::max_num_batched_tokens,
               "tokens of one step, prompts and decodes together: the budget that a long prompt is cut into",
               "vLLM's default for an online server")
          .range<std::int64_t>(1, 1 << 24)
          .add("chunked_prefill", &server_params::chunked_prefill,
               "a prompt may be taken in several steps, beside decodes; off: whole, as soon as the budget has room")
          .add("policy", &server_params::policy, "who is served next: a file of traces/serving/policies")
          .add("preemption", &server_params::preemption,
               "what happens to a sequence whose KV blocks are taken away: computed again, or copied to the host's "
               "memory and back")
          .choices({"recompute", "swap"})
          .add("block_size", &server_params::block_size, "tokens of a KV block", "vLLM's default")
          .range<std::int64_t>(1, 1 << 20)
          .add("kv_blocks", &server_params::kv_blocks,
               "KV blocks of a server; 0: what the platform's memory leaves beside weights, activations and `reserve`")
          .range<std::int64_t>(0, 1 << 28)
          .add("gpu_memory_utilization", &server_params::gpu_memory_utilization,
               "share of the memory that the engine takes", "vLLM's default")
          .range(0.01, 1.0)
          .add("reserve", &server_params::reserve,
               "what the runtime holds beside weights, activations and KV: contexts, workspaces, captured graphs")
          .range(byte_size(0), byte_size(1e13))
          .add("watermark", &server_params::watermark,
               "share of the KV blocks that stays free when a sequence is let in")
          .range(0.0, 0.9)
          .add("prefix_caching", &server_params::prefix_caching,
               "blocks of prompts that start alike are computed once and kept, least recently used go first")
          .add("router", &server_params::router, "which of several replicas gets a request")
          .choices({"round_robin", "least_loaded", "prefix_aware"})
          .add("step_time", &server_params::step_time,
               "of the host a step: scheduling, preparing inputs, launching, collecting results")
          .range(duration(0), duration(10))
          .add("sequence_time", &server_params::sequence_time,
               "of the host a step and sequence in it: block tables, sampling, detokenising")
          .range(duration(0), duration(1))
          .add("token_time", &server_params::token_time, "of the host a token of a prompt in a step")
          .range(duration(0), duration(1))
          .add("request_time", &server_params::request_time,
               "outside the engine before a request is queued: front end, tokenising, messages between processes")
          .range(duration(0), duration(10))
          .add("overlap", &server_params::overlap,
               "the host prepares the next step while the device works on this one: of the two the longer counts")
          .add(
              "async_scheduling", &server_params::async_scheduling,
              "a step is formed when the one before it starts: who comes while it runs takes part in the one after the "
              "next",
              "vLLM's option of that name; the times to the first token of served logs say that it was on")
          .add("graph_rows", &server_params::graph_rows,
               "steps of so many tokens run from captured graphs: a step is padded to the next of these sizes; beyond "
               "the last, and with an empty list, steps have the size they have");
  return table;
}

}  // namespace memwall::serving
