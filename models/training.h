// SPDX-License-Identifier: Apache-2.0
// What a training step keeps in memory: weights, gradients, optimizer states, activations, by device.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hw/common/params.h"
#include "models/model.h"

namespace memwall {

/// A training step and how devices share it. Words are those of `--set train.KEY=VALUE`; see training_table().
struct training_setup {
  // The step.
  std::int64_t batch = 1;        ///< sequences of the whole step
  std::int64_t micro_batch = 1;  ///< sequences that one device takes at a time
  std::int64_t length = 2048;    ///< tokens of a sequence
  std::string optimizer = "adamw";
  std::string recompute = "none";
  std::string sharding = "none";

  // How devices share it; data parallelism is what remains of the devices.
  std::int64_t devices = 1;
  std::int64_t tensor = 1, pipeline = 1, context = 1, expert = 1;
  std::int64_t data = 0;  ///< 0: follows from the devices
  bool sequence = false;
  std::string schedule = "1f1b";
  std::int64_t chunks = 1;

  // What is kept, in which precision.
  std::string main_weights = "fp32";
  std::string gradients = "fp32";
  std::string states = "fp32";
  std::string offload = "none";

  // How the operators are written.
  std::string attention = "auto";
  std::string dropout = "auto";
  std::string kernels = "fused";
  std::string loss = "plain";
  std::string selective = "attention";

  std::int64_t replicas() const { return data > 0 ? data : devices / (tensor * pipeline * context); }
  /// Micro-batches of a step on each device.
  std::int64_t accumulation() const { return batch / (micro_batch * replicas()); }
  /// GPT's layers were trained with dropout, and with scores that go through memory, before flash attention.
  bool keeps_scores(const model& m) const;
  bool has_dropout(const model& m) const;
};

/// The parameters that `--set train.KEY=VALUE` takes.
const param_table<training_setup>& training_table();

/// Contradictions that no single parameter shows: devices that do not divide, layers fewer than stages. Throws
/// input_error.
void check(const training_setup& t, const model& m);

/// What lies in the memory of one device of a pipeline stage when it holds most.
struct stage_memory {
  std::int64_t stage = 0;
  std::vector<std::pair<std::string, std::int64_t>> by_class;  ///< bytes; they sum to the peak
  std::string moment;                                          ///< when that is

  std::int64_t peak() const;
  /// Bytes of the classes whose names begin so.
  std::int64_t of(const std::string& prefix) const;
};

/// By stage. The devices of a stage are alike.
std::vector<stage_memory> training_memory(const training_setup& t, const model& m);

/// Bytes of activations that one micro-batch leaves in one layer for the backward pass, on one device.
std::int64_t layer_activation_bytes(const training_setup& t, const model& m, std::int64_t layer);

/// Bytes of 16-bit parameters, embeddings excluded: what stored activations are compared with.
std::int64_t block_weight_bytes(const model& m);

}  // namespace memwall
