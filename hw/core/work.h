// SPDX-License-Identifier: Apache-2.0
// An operator as hardware sees it: arithmetic, operands with addresses, and the transfers that follow. No SystemC.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hw/common/quantity.h"
#include "hw/common/stall.h"
#include "hw/ports/traffic.h"

namespace memwall {

/// Arithmetic shape of an operator: decides which unit of a core computes it and how well it is used.
enum class work_kind : std::uint8_t {
  gemm,         ///< M x K by K x N; M = 1 is a GEMV
  attention,    ///< scores, softmax and values over the KV cache, in one pass (flash)
  elementwise,  ///< one or more tensors in, one out, a few operations an element (norms and softmax too)
  gather,       ///< rows of a table
  collective,   ///< all-reduce or all-gather between devices
};

/// A tensor, or part of one, that an operator reads or writes in one memory.
struct operand {
  std::uint64_t tensor = 0;  ///< identity, for on-chip caches
  traffic kind = traffic::weights;
  bool write = false;
  bool resident = false;      ///< lies in the arrays of the core that uses it: no transfer
  std::uint64_t address = 0;  ///< platform-global
  std::int64_t bytes = 0;
};

struct operation {
  std::uint64_t id = 0;
  std::string name;
  work_kind kind = work_kind::gemm;
  std::int64_t m = 1, n = 1, k = 1;  ///< gemm: M, N, K. attention: queries, cached positions, head dimension
  std::int64_t batch = 1;            ///< gemm: independent products. attention: sequences x KV heads
  std::vector<std::int64_t> rows;    ///< gemm of experts: rows of each product, m is their mean; empty: m each
  std::int64_t tokens = 0;           ///< gemm of experts: rows before each was sent to several
  std::int64_t experts = 0;          ///< gemm of experts: those that the layer has
  bool routes = false;               ///< gemm of a router: rows are sorted by the experts it chooses
  std::int64_t group = 1;            ///< attention: query heads that share a KV head
  double flops = 0;                  ///< a multiply-accumulate is two
  std::string type = "fp16";         ///< arithmetic type: key of a core's rate table
  double weight_bits = 16;        ///< stored bits a weight; less than the arithmetic type's width means dequantisation
  std::int64_t weight_group = 0;  ///< inputs whose weights share a scale; 0: no such groups
  bool first_of_layer = false;    ///< carries the per-layer overhead of the software stack
  bool fused = false;             ///< runs inside its predecessor's kernel: no launch of its own
  bool beside_prompt = false;     ///< attention over one query, in the same kernel as a prompt's
  bool handed_over = false;       ///< what it waits for ran on another core: the runtime copies and synchronises
  bool first_of_pass = false;     ///< the first operator of a pass: a step of decoding, a chunk of a prompt
  bool first_of_prompt = false;   ///< the first operator of a prompt's pass
  std::vector<operand> operands;
};

/// What a core will do for an operator; the plan of a core_model, carried out by stream_core.
struct work {
  ps_t launch = 0;  ///< before the first transfer: driver, kernel launch, prologue
  ps_t host = 0;    ///< of the launch, what the runtime on the host takes
  stall_stack
      compute;  ///< time in the arithmetic units by cause, spread over the tiles in proportion to the bytes they bring
  ps_t drain = 0;  ///< after the last tile: epilogue, synchronisation
  ps_t load_latency =
      0;  ///< a load that misses every cache, unloaded, core to memory and back (published by pointer chasing)
  double fill_bandwidth =
      0;  ///< bytes per second the core can take in, however many requests are in flight; 0: no such limit
  double result_bandwidth = 0;  ///< bytes per second at which results are sent; 0: as they are made
  std::int64_t window = 0;      ///< bytes in flight at most
  std::int64_t tile_bytes = 0;  ///< on-chip room for what is read: so many bytes, free again when all of them have been
                                ///< computed on, which starts when the last one is there; 0: room enough
  double energy_pj = 0;         ///< arithmetic and on-chip movement
  std::vector<operand> accesses;  ///< what remains after the on-chip caches
};

/// How an operation went.
struct work_result {
  ps_t start = 0, end = 0;
  stall_stack parts;            ///< sums to end - start
  traffic_bytes read, written;  ///< asked of memories
  double energy_pj = 0;
  bool failed = false;  ///< a transfer came back with an error response
};

}  // namespace memwall
