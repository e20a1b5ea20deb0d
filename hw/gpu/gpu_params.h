// SPDX-License-Identifier: Apache-2.0
// What a GPU is (silicon) and what drives it (software): two structs, one map to the user. Defaults: H100 SXM5 with
// CUDA graphs.
#pragma once
#include <map>
#include <string>

#include "hw/common/params.h"

namespace memwall {

/// The chip and its board: data sheets, microbenchmarks, and what was fitted on kernels of that card.
struct gpu_silicon {
  std::int64_t sms = 132;
  frequency clock{1.83e9};
  std::map<std::string, op_rate> tensor_rate{{"fp16", op_rate(989.4e12)},
                                             {"bf16", op_rate(989.4e12)},
                                             {"tf32", op_rate(494.7e12)},
                                             {"fp8", op_rate(1978.9e12)},
                                             {"int8", op_rate(1978.9e12)}};
  op_rate vector_rate{66.9e12};
  double sustained_fraction = 0.71;
  double byte_fraction = 1;
  double warp_fraction = 1;
  std::map<std::string, double> attention_efficiency{{"flash2", 0.5}, {"flash3", 0.5}};
  std::int64_t attention_tile = 128;
  byte_size l2{50 * 1048576.0};
  byte_size l2_line{128};
  bandwidth l2_bandwidth{5.5e12};
  byte_size in_flight_per_sm{16384};
  duration load_latency{560e-9};
  duration kernel_ramp{3.0e-6};
  double stream_fraction = 0.9;
  std::int64_t cluster = 2;
  bandwidth peer_rate{0};
  bandwidth multicast_rate{0};
  double dequant_ops = 2;
  double half_accumulate_gain = 1;
  power power_limit{0};
  double least_clock = 0.25;
  energy gemm_energy{0};
  energy energy_per_flop{0.85e-12};
  double byte_energy = 0.62;
  energy energy_per_l2_byte{37.7e-12};
  energy energy_per_memory_byte{73e-12};
  power idle_power{0};
  power context_power{0};
  power active_power{0};
};

/// The runtime and its kernels: platforms/software holds a set a runtime.
struct gpu_software {
  duration kernel_launch{1.3e-6};
  duration layer_overhead{0};
  std::string unpacking = "serial";
  std::string narrow_experts = "library";
  std::string fusion = "elementwise";
  std::string accumulate = "fp32";
  std::string load = "run";
  std::string attention = "flash2";
  std::int64_t attention_kernels = 1;
  duration attention_floor{0};
  std::int64_t attention_edge = 64;
  byte_size score_bytes{16};
  double score_efficiency = 1;
  double score_cycles = 0;
  double gemm_fraction = 1;
  double elementwise_traffic = 1;
  duration route_time{0};
  std::string expert_tiles = "best";
  std::map<std::string, std::int64_t> expert_tile{{"rows", 64}, {"columns", 64}, {"depth", 32}};
  std::map<std::string, std::int64_t> expert_thin_tile{{"rows", 16}, {"columns", 32}, {"depth", 64}};
  double expert_thin_tokens = 1;
  duration expert_step{165e-9};
  duration expert_thin_step{70e-9};
  std::int64_t expand_rows = 0;
  std::int64_t dot_rows = 0;
  double dot_ops = 6.5;
  double dot_tile_ops = 0;
  duration many_row_overhead{0};
  duration gemm_overhead{0};
  std::int64_t launch_queue = 0;
  std::int64_t passes_in_flight = 0;
  std::map<std::string, std::int64_t> kernels{{"norm", 1},      {"product", 1}, {"expand", 1},
                                              {"attention", 1}, {"rope", 1},    {"elementwise", 1}};
  duration handoff{0};
  bandwidth handoff_bandwidth{0};
  duration prompt_overhead{0};
  duration step_overhead{0};
  duration sequence_overhead{0};
  double fp8_fraction = 1;
  byte_size kernel_in_flight{0};
  byte_size narrow_in_flight{0};
  byte_size attention_in_flight{0};
  duration attention_start{0};
  byte_size attention_fill{0};
  std::int64_t thin_rows = 16;
  double overlap_order = 2.8;
  duration tile_overhead{1e-6};
  std::int64_t tile_columns = 64;
  std::int64_t split_depth = 256;
  std::int64_t split_limit = 16;
  std::int64_t unpack_rows = 256;
  std::int64_t decode_piece = 256;
  byte_size block_bytes{4096};
  duration collective_launch{8e-6};
  duration collective_step{1.2e-6};
  bandwidth collective_rate{35e9};
  duration bulk_collective_launch{20e-6};
  bandwidth bulk_collective_rate{367e9};
  duration direct_launch{0};
  duration direct_stage{7e-6};
  byte_size direct_inputs{2 * 1048576.0};
  duration multicast_launch{0};
};

struct gpu_params {
  gpu_silicon silicon;
  gpu_software software;
};

const param_table<gpu_silicon>& gpu_silicon_table();
const param_table<gpu_software>& gpu_software_table();
const param_table<gpu_params>& gpu_param_table();

}  // namespace memwall
