// SPDX-License-Identifier: Apache-2.0
// What a CPU is (silicon) and what drives it (software): two structs, one map to the user. Defaults: Xeon Platinum
// 8480+ (Sapphire Rapids).
#pragma once
#include <map>
#include <string>

#include "hw/common/params.h"

namespace memwall {

/// A socket: cores, caches, what a core keeps in flight.
struct cpu_silicon {
  std::int64_t cores = 56;
  frequency clock{3.0e9};
  std::map<std::string, double> flops_per_cycle{{"fp32", 64}, {"bf16", 1024}, {"fp16", 128}, {"int8", 2048}};
  double sustained_fraction = 0.7;
  std::int64_t line_fill_buffers = 48;
  byte_size line{64};
  duration load_latency{110e-9};
  byte_size cache{105e6};
  bandwidth cache_bandwidth{1.5e12};
  std::int64_t cluster_cores = 0;  // 0: all in one
  bandwidth cluster_bandwidth{0};  // 0: no limit but the memory's
  double dequant_ops = 1.5;
  double half_lanes = 2;
  double byte_lanes = 4;
  std::int64_t tile_rows = 16;
  energy energy_per_flop{5e-12};
  energy energy_per_cache_byte{10e-12};
  power idle_power{0};
};

/// The runtime and its kernels: platforms/software holds a set a runtime.
struct cpu_software {
  std::int64_t threads = 0;            // 0: one a core
  double dot_per_cycle = 0;            // 0: narrow weights are expanded
  std::string gemm_type = "operator";  // the operator's own
  double gemm_fraction = 1;
  double attention_fraction = 1;
  duration operator_overhead{3e-6};
  duration barrier_per_thread{0};
  duration handoff{0};
  duration layer_overhead{0};
};

struct cpu_params {
  cpu_silicon silicon;
  cpu_software software;
};

const param_table<cpu_silicon>& cpu_silicon_table();
const param_table<cpu_software>& cpu_software_table();
const param_table<cpu_params>& cpu_param_table();

}  // namespace memwall
