// SPDX-License-Identifier: Apache-2.0
#include "hw/gpu/gpu_params.h"

namespace memwall {

const param_table<gpu_silicon>& gpu_silicon_table() {
  static const auto table =
      param_table<gpu_silicon>("gpu")
          .add("sms", &gpu_silicon::sms,
               "streaming multiprocessors (compute units) that share the chip's rates below: more of them are smaller "
               "ones",
               "H100 whitepaper: 132 in the SXM5 part")
          .range<std::int64_t>(1, 4096)
          .add("clock", &gpu_silicon::clock, "clock at which tensor_rate holds",
               "H100 datasheet: dense rates at 1830 MHz")
          .range(frequency(1e6), frequency(1e10))
          .add("tensor_rate", &gpu_silicon::tensor_rate, "dense peak of the matrix units by arithmetic type",
               "H100 datasheet")
          .range(op_rate(1e6), op_rate(1e18))
          .choices({"fp32", "tf32", "fp16", "bf16", "fp8", "int8", "int4"})
          .add("vector_rate", &gpu_silicon::vector_rate, "fp32 peak of the vector units", "H100 datasheet")
          .range(op_rate(1e6), op_rate(1e18))
          .add("sustained_fraction", &gpu_silicon::sustained_fraction,
               "part of the dense peak a large GEMM sustains (power, clocks, issue)",
               "measured: M = 2048 linear layers, Vidur profiles")
          .range(0.01, 1.0)
          .add("byte_fraction", &gpu_silicon::byte_fraction,
               "part of sustained_fraction that large 8-bit products reach, each over its own peak",
               "fitted on 8-bit products, where there are any")
          .range(0.01, 2.0)
          .add("warp_fraction", &gpu_silicon::warp_fraction,
               "rate of products whose warps unpack narrow weights and multiply on their own, relative to 16-bit ones: "
               "they do not reach units that take whole warp groups",
               "4-bit experts on an H100: 254 TFLOP/s of 989 (sgl-project/sglang#38884); 1 before Hopper")
          .range(0.01, 2.0)
          .add("attention_efficiency", &gpu_silicon::attention_efficiency,
               "part of the sustained rate that fused attention of a generation reaches over long prompts",
               "FlashAttention-2 paper, Fig. 4-6: 50 to 73 % of peak on A100, 35 to 40 % on H100; FlashAttention-3 "
               "(Hopper only; 0: the library runs its second generation): fitted")
          .range(0.0, 2.0)
          .choices({"flash2", "flash3"})
          .add("attention_tile", &gpu_silicon::attention_tile,
               "query rows of a block of FlashAttention-2 over prompts; a token beside a prompt has one to itself",
               "its kernels for heads of 128: 64 rows on compute capability 8.6 and 8.9, whose SMs have less shared "
               "memory, else 128")
          .range<std::int64_t>(16, 256)
          .add("l2", &gpu_silicon::l2, "last-level cache", "H100 whitepaper")
          .range(byte_size(0), byte_size(1e12))
          .add("l2_line", &gpu_silicon::l2_line, "bytes of a request to memory",
               "line of an NVIDIA L2: 128 B in four sectors (tuning guides); assumed for other makers' parts")
          .range(byte_size(32), byte_size(4096))
          .add("l2_bandwidth", &gpu_silicon::l2_bandwidth, "last-level cache to SMs, total",
               "microbenchmarks: 64 B a cycle a slice")
          .range(bandwidth(1e6), bandwidth(1e15))
          .add("in_flight_per_sm", &gpu_silicon::in_flight_per_sm, "bytes an SM keeps in flight towards memory",
               "fitted on M = 1 linear layers; bounded by registers and MSHRs")
          .range(byte_size(32), byte_size(1e9))
          .add("load_latency", &gpu_silicon::load_latency,
               "load that misses every cache, unloaded, as a kernel sees it", "pointer-chase microbenchmarks")
          .range(duration(1e-9), duration(1e-4))
          .add("kernel_ramp", &gpu_silicon::kernel_ramp,
               "kernel prologue and tail: block scheduling, first loads, last stores",
               "intercept of kernel time over bytes, M = 1 linear layers")
          .range(duration(0), duration(1))
          .add(
              "stream_fraction", &gpu_silicon::stream_fraction,
              "part of the memory's peak that a stream reaches; paces what a runtime moves beyond the trace's operands",
              "refresh and turnarounds leave 88 to 93 % over the standards in hw/dram/standards")
          .range(0.01, 1.0)
          .add("dequant_ops", &gpu_silicon::dequant_ops, "vector operations to expand one narrow weight",
               "int4 unpack, scale: 2 (packed half2 conversion)")
          .range(0.0, 1000.0)
          .add("half_accumulate_gain", &gpu_silicon::half_accumulate_gain,
               "speed of fp16 products summed in fp16 relative to sums in fp32",
               "GA102 and Ada whitepapers: 2 on GeForce cards, else 1")
          .range(1.0, 8.0)
          .add("power_limit", &gpu_silicon::power_limit,
               "of the board; what an operator takes by its energies does not exceed it: it runs longer instead. 0 W: "
               "none",
               "data sheets")
          .range(power(0), power(1e5))
          .add("least_clock", &gpu_silicon::least_clock,
               "lowest clock that the limit may bring the cores to, relative to full",
               "H100: 345 of 1980 MHz; below, voltage no longer falls (ESTIMATE)")
          .range(0.05, 1.0)
          .add("gemm_energy", &gpu_silicon::gemm_energy,
               "what the board takes for a 16-bit operation of a large product, everything included; with power_limit "
               "it bounds the rate under a sustained load (8-bit operations take half). 0 pJ: no bound",
               "fitted: prompts of llama.cpp over cards of one architecture and different limits")
          .range(energy(0), energy(1e-6))
          .add("multicast_rate", &gpu_silicon::multicast_rate,
               "bytes of an all-reduce's result a second where the switch between the devices adds and copies; 0 GB/s: "
               "it "
               "cannot",
               "eight H100s: 119 us more for 24 MiB more (vllm-project/vllm#42324)")
          .range(bandwidth(0), bandwidth(1e15))
          .add("peer_rate", &gpu_silicon::peer_rate,
               "what a device reads a second from others' memories with loads of its SMs; 0 GB/s: it cannot",
               "vLLM's all-reduce on six H100s: 57 us more for 3.5 MiB more of each (vllm-project/vllm#24111)")
          .range(bandwidth(0), bandwidth(1e15))
          .add("cluster", &gpu_silicon::cluster,
               "thread blocks that share the operands they load (distributed shared memory)",
               "Hopper tuning guide: 2 is what the GEMM libraries use; 1 before Hopper")
          .range<std::int64_t>(1, 16)
          .add("energy_per_flop", &gpu_silicon::energy_per_flop,
               "dynamic energy of one 16-bit operation with what brings its operands (registers, shared memory, tiles "
               "from the L2); 32-bit ones take twice as much",
               "fitted: boards under batched decode (platforms/validation/README.md)")
          .range(energy(0), energy(1e-6))
          .add("byte_energy", &gpu_silicon::byte_energy, "the same of an 8-bit operation, relative to a 16-bit one",
               "8-bit products at a board's limit: 0.53 pJ (H100, 131072 rows: 1.1 PFLOP/s at 700 W)")
          .range(0.01, 2.0)
          .add("energy_per_l2_byte", &gpu_silicon::energy_per_l2_byte, "one byte of an operand, L2 to SM",
               "4.71 pJ/bit measured on an A100 (Antepara et al., SC25, Table 3)")
          .range(energy(0), energy(1e-6))
          .add("energy_per_memory_byte", &gpu_silicon::energy_per_memory_byte,
               "one byte between memory and L2: controllers and crossbar, without the memory itself",
               "HBM level measured on an A100 13.11 pJ/bit (Antepara et al., SC25, Table 3), less 3.97 of HBM2 itself "
               "(O'Connor et al., MICRO 2017)")
          .range(energy(0), energy(1e-6))
          .add("idle_power", &gpu_silicon::idle_power, "of the board without its memory, nothing running", "nvidia-smi")
          .range(power(0), power(1e5))
          .add("context_power", &gpu_silicon::context_power,
               "more, once a process has opened the device: clocks stay up",
               "+26 to +50 W on H100 and A100 (arXiv 2605.23918)")
          .range(power(0), power(1e5))
          .add("active_power", &gpu_silicon::active_power,
               "more, while a kernel is under way: SMs that wait, schedulers, clocks of all units",
               "fitted: boards under decode (platforms/validation/README.md)")
          .range(power(0), power(1e5));
  return table;
}

const param_table<gpu_software>& gpu_software_table() {
  static const auto table =
      param_table<gpu_software>("gpu")
          .add("kernel_launch", &gpu_software::kernel_launch, "gap between back-to-back kernels",
               "2.7 us from a stream, 1.3 us from a graph (H200 microbenchmark)")
          .range(duration(0), duration(1))
          .add("layer_overhead", &gpu_software::layer_overhead,
               "per layer, of the runtime (graph nodes, host synchronisation)",
               "intercept of decode time over bytes by runtime")
          .range(duration(0), duration(1))
          .add("fusion", &gpu_software::fusion,
               "none: a kernel an operator; elementwise: norms, rotations, activations and residuals run in their "
               "neighbour's kernel",
               "runtime")
          .choices({"none", "elementwise"})
          .add("accumulate", &gpu_software::accumulate, "type in which the runtime's GEMMs sum fp16 products",
               "runtime")
          .choices({"fp32", "fp16"})
          .add("load", &gpu_software::load,
               "burst: a kernel timed on its own, too short for the power limit to act; run: the limit acts on the "
               "energies of what runs; sustained: also on gemm_energy, runs repeated back to back",
               "how the runtime is used")
          .choices({"burst", "run", "sustained"})
          .add("attention", &gpu_software::attention,
               "flash2, flash3: scores stay on chip, kernels of that FlashAttention generation; separate: scores, "
               "softmax "
               "and values are kernels that pass fp32 scores through memory",
               "runtime")
          .choices({"flash2", "flash3", "separate"})
          .add(
              "attention_kernels", &gpu_software::attention_kernels,
              "kernels of a fused attention: FlashAttention-3 has one that plans, one that attends, one that joins the "
              "pieces of a cache",
              "runtime")
          .range<std::int64_t>(1, 16)
          .add("attention_floor", &gpu_software::attention_floor,
               "least time from one attention to the next where the host issues its kernels one by one; 0 us: a graph "
               "replays them",
               "fitted: attention over short caches, timed on its own")
          .range(duration(0), duration(1))
          .add("attention_edge", &gpu_software::attention_edge,
               "positions that a block of queries costs beside those it attends to: the half of its diagonal that is "
               "masked (64 of 128), its prologue and epilogue",
               "tiles of 128 queries; more: fitted on prompts of 1024 to 32768")
          .range<std::int64_t>(0, 1 << 16)
          .add("score_bytes", &gpu_software::score_bytes,
               "bytes that a score of an unfused attention moves: 16 for 32-bit ones that a product writes, a softmax "
               "reads and writes and a product reads",
               "runtime: types and conversions")
          .range(byte_size(0), byte_size(1000))
          .add(
              "score_efficiency", &gpu_software::score_efficiency,
              "part of the sustained rate that the products of an unfused attention reach over a prompt, masked scores "
              "included",
              "fitted: prompts over the context, by runtime")
          .range(0.01, 2.0)
          .add(
              "score_cycles", &gpu_software::score_cycles,
              "cycles of an SM that an unfused attention over one query takes for each query head and cached position: "
              "every query head reads its KV head again, in blocks of 32 threads with a 2-byte load each",
              "fitted: decode time over the context")
          .range(0.0, 1e5)
          .add("gemm_fraction", &gpu_software::gemm_fraction,
               "rate of the runtime's GEMMs relative to the vendor library's", "fitted on prefill rows, by runtime")
          .range(0.01, 2.0)
          .add("elementwise_traffic", &gpu_software::elementwise_traffic,
               "bytes that elementwise kernels move relative to 16-bit tensors read and written once (fp32 tensors, "
               "conversions, copies)",
               "by runtime: counted in its graph of a layer, or fitted on prefill rows")
          .range(0.1, 100.0)
          .add("route_time", &gpu_software::route_time,
               "after a router: kernels that choose experts and sort rows by expert", "runtime")
          .range(duration(0), duration(1))
          .add("expert_tiles", &gpu_software::expert_tiles,
               "of the kernel that multiplies by all experts of a layer: best: as other products have; rule: "
               "expert_thin_tile or expert_tile, and for each of its steps at least a given time",
               "runtime: rule where nobody tuned its kernel for the shape")
          .choices({"best", "rule"})
          .add("expert_tile", &gpu_software::expert_tile,
               "by rule: rows and columns of a tile, and the inputs that it sums in a step (depth)",
               "vLLM 0.11: 64 x 64, 32 inputs")
          .range<std::int64_t>(1, 1 << 16)
          .choices({"rows", "columns", "depth"})
          .add("expert_thin_tile", &gpu_software::expert_thin_tile, "by rule: the same for few tokens",
               "vLLM 0.11: 16 x 32, 64 inputs")
          .range<std::int64_t>(1, 1 << 16)
          .choices({"rows", "columns", "depth"})
          .add("expert_thin_tokens", &gpu_software::expert_thin_tokens,
               "by rule: tokens for each expert of the layer up to which they are few (half as many where two devices "
               "have half of the experts each)",
               "vLLM 0.11: as many tokens as a device has experts")
          .range(0.0, 1e6)
          .add("expert_step", &gpu_software::expert_step,
               "by rule: what an SM takes for a step, however little it computes",
               "fitted: Qwen3-30B-A3B's experts in fp8 on an H100")
          .range(duration(0), duration(1))
          .add("expert_thin_step", &gpu_software::expert_thin_step, "by rule: the same for few tokens",
               "fitted: the same")
          .range(duration(0), duration(1))
          .add("expand_rows", &gpu_software::expand_rows,
               "from that many rows on, narrow weights are first written out in 16 bits (and read back) before a "
               "16-bit GEMM; 0: never",
               "runtime")
          .range<std::int64_t>(0, 1 << 20)
          .add("dot_rows", &gpu_software::dot_rows,
               "up to that many rows, products of narrow weights run on the vector units' integer dot products (a row "
               "of weights a block, the activations re-read for each); 0: never",
               "runtime")
          .range<std::int64_t>(0, 1 << 20)
          .add("dot_ops", &gpu_software::dot_ops,
               "vector operations that a multiply-accumulate costs there, loads of activations and scales included",
               "fitted: micro-batches of 4 to 8 rows")
          .range(0.0, 1000.0)
          .add("dot_tile_ops", &gpu_software::dot_tile_ops,
               "the same for integer kernels with tiles, for all rows beyond dot_rows; 0: the matrix units multiply",
               "fitted: 4-bit prompts on kernels without matrix units")
          .range(0.0, 1000.0)
          .add("many_row_overhead", &gpu_software::many_row_overhead,
               "per layer, more than layer_overhead, where several rows are processed (graphs replay steps of one row "
               "only)",
               "runtime")
          .range(duration(0), duration(1))
          .add("gemm_overhead", &gpu_software::gemm_overhead,
               "beside each product of more rows than the runtime's thin kernels take: kernels that quantise or "
               "convert its input and join split sums",
               "runtime")
          .range(duration(0), duration(1))
          .add("launch_queue", &gpu_software::launch_queue,
               "kernels launched on a device that have not ended, at most: the host launches no more, on any device, "
               "until there is room. It bounds how far the stages of a pipeline run beside each other. 0: no bound",
               "a CUDA stream takes about 1,000 launches, then the host waits for each "
               "(forums.developer.nvidia.com/t/68937)")
          .range<std::int64_t>(0, 1 << 20)
          .add("kernels", &gpu_software::kernels,
               "kernels of a norm, a product, the expansion of its narrow weights, a rotation with what appends to the "
               "cache, an attention and an elementwise operator, for launch_queue",
               "runtime: its graph of a layer")
          .range<std::int64_t>(0, 1 << 10)
          .choices({"norm", "product", "expand", "rope", "attention", "elementwise"})
          .add("passes_in_flight", &gpu_software::passes_in_flight,
               "chunks of a prompt that are under way in a pipeline at a time; 0: no bound",
               "runtime: copies of a graph's inputs")
          .range<std::int64_t>(0, 1 << 10)
          .add("handoff", &gpu_software::handoff,
               "synchronisation before an operator whose operands another core made (the host's, another stage's)",
               "runtime")
          .range(duration(0), duration(1))
          .add("handoff_bandwidth", &gpu_software::handoff_bandwidth,
               "rate at which those operands are copied, counted in the trace's bytes; 0 GB/s: they are not",
               "runtime: through host memory, or to the peer")
          .range(bandwidth(0), bandwidth(1e15))
          .add("prompt_overhead", &gpu_software::prompt_overhead,
               "of the runtime before a prompt's pass (tokens, masks, tables)", "runtime: prompts of 128 tokens")
          .range(duration(0), duration(1))
          .add("step_overhead", &gpu_software::step_overhead,
               "of the runtime before each pass: it schedules, samples, launches; the device waits", "runtime")
          .range(duration(0), duration(1))
          .add("sequence_overhead", &gpu_software::sequence_overhead,
               "more, for each sequence of a step of decoding (samples, tokens, block tables)", "runtime")
          .range(duration(0), duration(1))
          .add(
              "fp8_fraction", &gpu_software::fp8_fraction,
              "rate of the runtime's 8-bit floating-point products relative to its 16-bit ones, each over its own peak",
              "runtime")
          .range(0.01, 2.0)
          .add("unpacking", &gpu_software::unpacking,
               "serial: registers that wait for narrow weights are held while the ones before are unpacked; "
               "overlapped: loads go to shared memory and never wait for it",
               "runtime: dequantise-on-load kernels against asynchronous-copy ones (Marlin, Frantar et al. 2024)")
          .choices({"serial", "overlapped"})
          .add("narrow_experts", &gpu_software::narrow_experts,
               "products of experts with weights below 16 bits: library: as others; warps: in kernels of their own, at "
               "the chip's warp_fraction",
               "runtime: vLLM's experts of 4 bits (Marlin) unpack and multiply warp by warp")
          .choices({"library", "warps"})
          .add("kernel_in_flight", &gpu_software::kernel_in_flight,
               "bytes an SM that the runtime's thin kernels (up to 16 rows) keep in flight with 16-bit weights; 0: as "
               "many as the SM can",
               "runtime: blocks an SM x threads x bytes a load")
          .range(byte_size(0), byte_size(1e9))
          .add("narrow_in_flight", &gpu_software::narrow_in_flight,
               "the same with weights below 16 bits, whose kernels load otherwise; 0: kernel_in_flight", "runtime")
          .range(byte_size(0), byte_size(1e9))
          .add("attention_in_flight", &gpu_software::attention_in_flight,
               "flash2, one query: bytes an SM that copies into shared memory keep in flight where few blocks run; all "
               "together bring what in_flight_per_sm allows. 0: in_flight_per_sm",
               "assumed: a tile of keys and one of values, 64 positions of 128 values in 16 bits each")
          .range(byte_size(0), byte_size(1e9))
          .add("attention_start", &gpu_software::attention_start,
               "flash2, one query: the kernel's blocks look up their pages, and a second kernel joins their results",
               "fitted: vLLM's attention on an RTX 4090")
          .range(duration(0), duration(1))
          .add("attention_fill", &gpu_software::attention_fill,
               "flash2, one query: bytes, at the memory's rate, before loads and products of a block overlap, for each "
               "of the blocks that are on the chip at a time (three an SM)",
               "fitted: vLLM's attention on an RTX 4090")
          .range(byte_size(0), byte_size(1e9))
          .add("collective_launch", &gpu_software::collective_launch,
               "start of an all-reduce whose words carry their own flags (the library's protocol for small ones): "
               "launch, handshake of all devices",
               "intercept of small all-reduces")
          .range(duration(0), duration(1))
          .add("collective_step", &gpu_software::collective_step, "a step of the ring: flag, copy, flag",
               "small all-reduces over device counts")
          .range(duration(0), duration(1))
          .add("collective_rate", &gpu_software::collective_rate,
               "what a device sends a second that way; 0 GB/s: what the links take",
               "fitted: all-reduces of 64 to 512 KiB")
          .range(bandwidth(0), bandwidth(1e15))
          .add(
              "bulk_collective_launch", &gpu_software::bulk_collective_launch,
              "start of an all-reduce in buffers (the protocol for large ones; the library takes whichever ends first)",
              "fitted: all-reduces of 1 to 64 MiB")
          .range(duration(0), duration(1))
          .add("bulk_collective_rate", &gpu_software::bulk_collective_rate,
               "what a device sends a second in buffers: the copying SMs; 0 GB/s: no such protocol",
               "H200, eight devices, 16 GiB: 367 GB/s (stas00/ml-engineering, network benchmarks)")
          .range(bandwidth(0), bandwidth(1e15))
          .add("direct_launch", &gpu_software::direct_launch,
               "start of an all-reduce whose devices read each other's data with loads (where peer_rate says that they "
               "can; 0 us: the runtime has no such kernel): launch, handshake of all devices",
               "vLLM's kernel on two and six H100s: 7 and 13 us for 512 KiB (vllm-project/vllm#24111)")
          .range(duration(0), duration(1))
          .add("direct_stage", &gpu_software::direct_stage,
               "what the second stage of such an all-reduce takes beside its bytes: one more handshake",
               "the same on six H100s, two stages: 15 us for 512 KiB, 37 for 4 MiB")
          .range(duration(0), duration(1))
          .add("direct_inputs", &gpu_software::direct_inputs,
               "up to so many bytes of all devices together each device reads all of the others' (one stage); more is "
               "reduced in parts, which are then gathered (two stages)",
               "vLLM: one stage below 512 KiB on four devices, 256 KiB on eight")
          .range(byte_size(0), byte_size(1e12))
          .add("multicast_launch", &gpu_software::multicast_launch,
               "start of an all-reduce in the switch, for more than four devices that would need two stages; 0 us: the "
               "runtime has no such kernel",
               "eight H100s: 11 us for 512 KiB, 46 for 8 MiB (vllm-project/vllm#42324)")
          .range(duration(0), duration(1))
          .add("thin_rows", &gpu_software::thin_rows,
               "rows up to which a product runs in a kernel for few rows, whose loads are its pace",
               "the smallest tile of the matrix units, m16n8k16 (PTX ISA): 16 rows")
          .range<std::int64_t>(1, 256)
          .add("overlap_order", &gpu_software::overlap_order,
               "how well a product of more rows hides its loads behind its arithmetic: it takes (loads^p + "
               "arithmetic^p)^(1/p); infinite: the longer of the two",
               "fitted on calibration rows of kernels.csv, all devices")
          .range(1.0, 1000.0)
          .add("tile_overhead", &gpu_software::tile_overhead,
               "of each tile beside its sums: the first slices come in, the results go out",
               "fitted on calibration rows of kernels.csv, all devices")
          .range(duration(0), duration(1))
          .add("tile_columns", &gpu_software::tile_columns, "least outputs of a tile", "GEMM libraries: 64 (CUTLASS)")
          .range<std::int64_t>(64, 128)
          .add("split_depth", &gpu_software::split_depth, "least inputs a block sums where k is split over blocks",
               "GEMM libraries: four slices of 64 (CUTLASS)")
          .range<std::int64_t>(1, 1 << 20)
          .add("split_limit", &gpu_software::split_limit, "most blocks that k is split over",
               "GEMM libraries: 16 (CUTLASS profiler)")
          .range<std::int64_t>(1, 1 << 10)
          .add("unpack_rows", &gpu_software::unpack_rows,
               "rows that use narrow weights once they are unpacked: the tallest tile", "GEMM libraries: 256 (CUTLASS)")
          .range<std::int64_t>(1, 1 << 20)
          .add("decode_piece", &gpu_software::decode_piece,
               "cached positions a block takes where attention over one query is split along the cache",
               "Flash-Decoding (Dao et al. 2023): pieces of 256")
          .range<std::int64_t>(1, 1 << 20)
          .add("block_bytes", &gpu_software::block_bytes,
               "bytes from memory that make a block of threads worth launching; smaller operators leave SMs idle",
               "128 threads with two 16-byte loads each")
          .range(byte_size(1), byte_size(1e9));
  return table;
}

const param_table<gpu_params>& gpu_param_table() {
  static const auto table = param_table<gpu_params>("gpu")
                                .include(gpu_silicon_table(), &gpu_params::silicon)
                                .include(gpu_software_table(), &gpu_params::software);
  return table;
}

}  // namespace memwall
