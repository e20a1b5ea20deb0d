// SPDX-License-Identifier: Apache-2.0
// What a serving engine is set to: `server:` in a platform's software preset, `--set server.KEY=VALUE`.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hw/common/params.h"

namespace memwall::serving {

struct server_params {
  // --- scheduler
  std::int64_t max_num_seqs = 256;
  std::int64_t max_num_batched_tokens = 2048;
  bool chunked_prefill = true;
  std::string policy = "fcfs";
  std::string preemption = "recompute";
  // --- KV cache
  std::int64_t block_size = 16;
  std::int64_t kv_blocks = 0;
  double gpu_memory_utilization = 0.9;
  byte_size reserve{1e9};
  double watermark = 0;
  bool prefix_caching = true;
  // --- several servers
  std::string router = "round_robin";
  // --- the host
  duration step_time{0};
  duration sequence_time{0};
  duration token_time{0};
  duration request_time{0};
  bool overlap = false;
  bool async_scheduling = false;
  std::vector<std::int64_t> graph_rows;
};

const param_table<server_params>& server_param_table();

}  // namespace memwall::serving
