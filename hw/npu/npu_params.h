// SPDX-License-Identifier: Apache-2.0
// What an NPU is (silicon) and what drives it (software): two structs, one map to the user. Defaults: an array of
// 128 x 128 with 24 MiB of scratchpad at 1.4 GHz (the class of a NeuronCore-v2).
#pragma once
#include <map>
#include <string>

#include "hw/common/params.h"

namespace memwall {

/// The chip: arrays, scratchpads, DMA engines, vector unit, on-chip network.
struct npu_silicon {
  std::int64_t rows = 128, columns = 128, arrays = 1;
  frequency clock{1.4e9};
  std::string dataflow = "weight";
  std::string folds = "pipelined";
  std::map<std::string, double> type_rate{{"fp16", 1}, {"bf16", 1}, {"fp8", 1}, {"int8", 1}};
  double sustained_fraction = 1;

  byte_size scratchpad{24.0 * 1024 * 1024};
  bool double_buffer = true;
  byte_size retained{0};
  std::int64_t scratchpad_banks = 128;
  byte_size bank_width{4};
  std::string scratchpad_layout = "blocked";

  std::int64_t dma_engines = 16;
  std::int64_t dma_descriptors = 16;
  byte_size descriptor_bytes{4096};
  std::int64_t descriptor_dimensions = 3;
  duration descriptor_time{0};
  bandwidth dma_bandwidth{60e9};
  std::string weight_layout = "tiled";
  duration load_latency{1e-6};

  bandwidth network_bandwidth{0};  // 0: no limit
  bool multicast = true;

  op_rate vector_rate{1e12};
  double unpack_ops = 2;
  double softmax_ops = 8;
  std::string attention_unit = "array";

  energy energy_per_mac{0.5e-12};
  energy energy_per_scratchpad_byte{1e-12};
  energy energy_per_memory_byte{5e-12};
  energy energy_per_vector_op{1e-12};
  power idle_power{0};
  power active_power{0};
  area element_area{0};
  area scratchpad_area{0};
};

/// The runtime and its compiler.
struct npu_software {
  duration launch{5e-6};
  duration synchronisation{0};
  std::string fusion = "elementwise";
  duration layer_overhead{0};
  duration step_overhead{0};
  duration prompt_overhead{0};
  duration sequence_overhead{0};
  duration handoff{0};
  bandwidth handoff_bandwidth{0};  // 0: not copied
  double score_cycles = 0;
  duration attention_launch{0};
  std::int64_t padded_context = 0;
  duration result_time{0};
  duration collective_launch{20e-6};
  duration collective_step{2e-6};
  bandwidth collective_rate{0};  // 0: what the links take
  std::string mapping;           // a file; empty: the mapper's
};

struct npu_params {
  npu_silicon silicon;
  npu_software software;
};

const param_table<npu_silicon>& npu_silicon_table();
const param_table<npu_software>& npu_software_table();
const param_table<npu_params>& npu_param_table();

}  // namespace memwall
