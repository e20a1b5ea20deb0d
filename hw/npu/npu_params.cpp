// SPDX-License-Identifier: Apache-2.0
#include "hw/npu/npu_params.h"

namespace memwall {

const param_table<npu_silicon>& npu_silicon_table() {
  static const auto table =
      param_table<npu_silicon>("npu")
          .add("rows", &npu_silicon::rows, "R: processing elements down an array", "Neuron docs: 128 (NeuronCore-v2)")
          .range<std::int64_t>(1, 4096)
          .add("columns", &npu_silicon::columns, "C: processing elements across an array",
               "Neuron docs: 128 (NeuronCore-v2)")
          .range<std::int64_t>(1, 4096)
          .add("arrays", &npu_silicon::arrays, "arrays that share a product", "Neuron docs: one a NeuronCore-v2")
          .range<std::int64_t>(1, 4096)
          .add("clock", &npu_silicon::clock, "of the arrays and their scratchpads",
               "95 TFLOPS of 128 x 128 (Neuron docs) is 2.8 GHz of multiply-accumulates at two a cycle: 1.4 GHz")
          .range(frequency(1e6), frequency(1e10))
          .add("dataflow", &npu_silicon::dataflow,
               "what an element keeps while the other operands pass: output, weight, input; any: the one that ends "
               "first, operator by operator",
               "architecture")
          .choices({"output", "weight", "input", "any"})
          .add("folds", &npu_silicon::folds,
               "serial: a block of the stationary operand fills, streams and drains before the next (SCALE-Sim's "
               "count); pipelined: the next block's fill runs beneath the stream",
               "architecture: arrays with a second set of weight registers are pipelined (TPU, Jouppi et al. 2017)")
          .choices({"serial", "pipelined"})
          .add("type_rate", &npu_silicon::type_rate,
               "multiply-accumulates an element does a cycle by type: above 1 a dot product along K, below 1 several "
               "cycles each; a type that is not listed runs at the next wider one's rate",
               "data sheet's dense rates over rows x columns x arrays x clock")
          .range(1e-3, 4096.0)
          .choices({"fp32", "tf32", "fp16", "bf16", "fp8", "int8", "int4"})
          .add("sustained_fraction", &npu_silicon::sustained_fraction,
               "part of the array's cycles that products of more than one row use: issue of instructions, power",
               "measured, where it is")
          .range(0.01, 1.0)
          .add("scratchpad", &npu_silicon::scratchpad, "on-chip memory for the tiles of an operator, of all arrays",
               "Neuron docs: 24 MiB of SBUF a NeuronCore-v2")
          .range(byte_size(1024), byte_size(1e12))
          .add("double_buffer", &npu_silicon::double_buffer,
               "the next tile loads while this one computes; without, a tile's room is held until it is computed",
               "architecture, or the compiler")
          .add("retained", &npu_silicon::retained,
               "on-chip memory beside it in which activations stay from one operator to the next", "compiler")
          .range(byte_size(0), byte_size(1e12))
          .add("scratchpad_banks", &npu_silicon::scratchpad_banks,
               "banks of an array's scratchpad, a word a cycle each", "Neuron docs: 128 partitions")
          .range<std::int64_t>(1, 1 << 16)
          .add("bank_width", &npu_silicon::bank_width, "a word of a bank", "architecture")
          .range(byte_size(1), byte_size(4096))
          .add("scratchpad_layout", &npu_silicon::scratchpad_layout,
               "blocked: what the array's edge takes in a cycle lies side by side; row_major: it lies a tile's row "
               "apart, and banks that the stride leaves out are no help",
               "compiler")
          .choices({"blocked", "row_major"})
          .add("dma_engines", &npu_silicon::dma_engines, "DMA engines between memory and scratchpad",
               "Neuron docs: 16 a NeuronCore-v2")
          .range<std::int64_t>(1, 4096)
          .add("dma_descriptors", &npu_silicon::dma_descriptors, "descriptors an engine has under way at most",
               "architecture")
          .range<std::int64_t>(1, 1 << 16)
          .add("descriptor_bytes", &npu_silicon::descriptor_bytes, "bytes a descriptor moves at most", "architecture")
          .range(byte_size(16), byte_size(1e9))
          .add("descriptor_dimensions", &npu_silicon::descriptor_dimensions,
               "strides a descriptor walks: with one, each row of a tile takes a descriptor of its own", "architecture")
          .range<std::int64_t>(1, 8)
          .add("descriptor_time", &npu_silicon::descriptor_time, "an engine's, from one descriptor to the next",
               "architecture")
          .range(duration(0), duration(1e-3))
          .add("dma_bandwidth", &npu_silicon::dma_bandwidth, "of an engine",
               "Neuron docs: 1 TB/s of DMA a chip over its engines")
          .range(bandwidth(1e6), bandwidth(1e15))
          .add("weight_layout", &npu_silicon::weight_layout,
               "tiled: the compiler stored each weight tile in one piece; row_major: a tile's rows lie a matrix row "
               "apart in memory",
               "compiler")
          .choices({"tiled", "row_major"})
          .add("load_latency", &npu_silicon::load_latency, "a descriptor's, unloaded: from issue to data",
               "ESTIMATE: 1 us")
          .range(duration(1e-9), duration(1e-3))
          .add("network_bandwidth", &npu_silicon::network_bandwidth,
               "of the network that brings what DMA loads to the arrays; 0 GB/s: no limit", "architecture")
          .range(bandwidth(0), bandwidth(1e15))
          .add("multicast", &npu_silicon::multicast,
               "the network brings an operand that several arrays use to all of them at once; without, once for each",
               "architecture")
          .add("vector_rate", &npu_silicon::vector_rate, "of the vector unit, fp32", "data sheet")
          .range(op_rate(1e6), op_rate(1e18))
          .add(
              "unpack_ops", &npu_silicon::unpack_ops,
              "vector operations to expand a weight that is stored narrower than the arithmetic type; 0: on the way in",
              "kernel: shift, mask, scale")
          .range(0.0, 1000.0)
          .add("softmax_ops", &npu_silicon::softmax_ops, "vector operations for each score of an attention",
               "maximum, difference, exponential (4), sum, scale")
          .range(0.0, 1000.0)
          .add("attention_unit", &npu_silicon::attention_unit,
               "array: attention's two products run on the arrays; vector: on the vector unit where few queries share "
               "a KV head (fewer than the array has rows)",
               "runtime")
          .choices({"array", "vector"})
          .add("energy_per_mac", &npu_silicon::energy_per_mac, "a 16-bit multiply-accumulate; 8-bit ones take half",
               "ESTIMATE: 7 nm class; Jouppi et al. 2021 (TPUv4i): bf16 multiply 0.21 pJ, fp32 add 0.38 pJ")
          .range(energy(0), energy(1e-6))
          .add("energy_per_scratchpad_byte", &npu_silicon::energy_per_scratchpad_byte, "a byte read or written there",
               "ESTIMATE; Jouppi et al. 2021, 7 nm: 8.5 pJ for 8 bytes of a 32 KiB SRAM")
          .range(energy(0), energy(1e-6))
          .add("energy_per_memory_byte", &npu_silicon::energy_per_memory_byte,
               "a byte between memory and scratchpad: controller and network, without the memory itself", "ESTIMATE")
          .range(energy(0), energy(1e-6))
          .add("energy_per_vector_op", &npu_silicon::energy_per_vector_op, "an fp32 operation of the vector unit",
               "ESTIMATE; Jouppi et al. 2021, 7 nm: fp32 multiply 1.31 pJ, add 0.38 pJ")
          .range(energy(0), energy(1e-6))
          .add("idle_power", &npu_silicon::idle_power, "of the core, nothing running", "data sheet or measured")
          .range(power(0), power(1e5))
          .add("active_power", &npu_silicon::active_power, "more, while an operator is under way",
               "data sheet or measured")
          .range(power(0), power(1e5))
          .add("element_area", &npu_silicon::element_area, "of a processing element; 0: not known", "layout")
          .range(area(0), area(1e-6))
          .add("scratchpad_area", &npu_silicon::scratchpad_area, "of a byte of scratchpad; 0: not known", "SRAM macro")
          .range(area(0), area(1e-9));
  return table;
}

const param_table<npu_software>& npu_software_table() {
  static const auto table =
      param_table<npu_software>("npu")
          .add("launch", &npu_software::launch,
               "of an operator: instructions and descriptors are fetched, engines start", "runtime")
          .range(duration(0), duration(1))
          .add("synchronisation", &npu_software::synchronisation, "after an operator: semaphores of engines and cores",
               "runtime")
          .range(duration(0), duration(1))
          .add("fusion", &npu_software::fusion,
               "none: each operator is launched; elementwise: norms, rotations, activations and residuals run in their "
               "neighbour's; layer: a layer is one graph that is launched once",
               "runtime")
          .choices({"none", "elementwise", "layer"})
          .add("layer_overhead", &npu_software::layer_overhead, "per layer, of the runtime", "runtime")
          .range(duration(0), duration(1))
          .add("step_overhead", &npu_software::step_overhead, "of the runtime before each pass: it samples, submits",
               "runtime")
          .range(duration(0), duration(1))
          .add("prompt_overhead", &npu_software::prompt_overhead, "more, before a prompt's pass", "runtime")
          .range(duration(0), duration(1))
          .add("sequence_overhead", &npu_software::sequence_overhead, "more, for each sequence of a step", "runtime")
          .range(duration(0), duration(1))
          .add("handoff", &npu_software::handoff, "synchronisation before an operator whose operands another core made",
               "runtime")
          .range(duration(0), duration(1))
          .add("handoff_bandwidth", &npu_software::handoff_bandwidth, "at which those are copied; 0 GB/s: they are not",
               "runtime")
          .range(bandwidth(0), bandwidth(1e15))
          .add("score_cycles", &npu_software::score_cycles,
               "cycles of the core's clock for each query head and cached position where attention has one query: a "
               "single row of scores is one lane of the vector unit; 0: spread over all lanes",
               "fitted: decode time over the context")
          .range(0.0, 1e5)
          .add(
              "attention_launch", &npu_software::attention_launch,
              "of a prompt's attention, for each sequence and KV head that a device has: kernels that take them one by "
              "one",
              "fitted: requests of many sequences")
          .range(duration(0), duration(1))
          .add("padded_context", &npu_software::padded_context,
               "positions that attention covers at least: a graph compiled for fixed lengths masks what is not cached",
               "runtime")
          .range<std::int64_t>(0, 1 << 24)
          .add("result_time", &npu_software::result_time,
               "of the host, for each value that a product of more than one row makes: it joins sums, applies scales, "
               "lays them out",
               "fitted: prompts")
          .range(duration(0), duration(1e-3))
          .add("collective_launch", &npu_software::collective_launch, "start of an all-reduce", "runtime")
          .range(duration(0), duration(1))
          .add("collective_step", &npu_software::collective_step, "a step of the ring", "runtime")
          .range(duration(0), duration(1))
          .add("collective_rate", &npu_software::collective_rate,
               "what a device sends a second; 0 GB/s: what the links take", "runtime")
          .range(bandwidth(0), bandwidth(1e15))
          .add("mapping", &npu_software::mapping,
               "CSV file m,n,k,order,tile_m,tile_n,tile_k with tilings of one's own (0: any, all); empty: the mapper's",
               "hw/npu/README.md");
  return table;
}

const param_table<npu_params>& npu_param_table() {
  static const auto table = param_table<npu_params>("npu")
                                .include(npu_silicon_table(), &npu_params::silicon)
                                .include(npu_software_table(), &npu_params::software);
  return table;
}

}  // namespace memwall
