// SPDX-License-Identifier: Apache-2.0
// Traces of linear layers, of attention and of all-reduces that are timed one by one, and of one step of a server.
#pragma once
#include <string>
#include <vector>

#include "tools/validation_data.h"

namespace memwall::tools {

/// Writes a trace with an operator for every kernel, named by its id, one after another. Before each, an operator reads
/// tensors that belong to nothing else, so that no kernel finds its weights in a cache.
void write_kernel_trace(const std::vector<const kernel_row*>& kernels, const std::string& file);

/// The same for attention over a cache (one query) or over a prompt.
void write_attention_trace(const std::vector<const attention_row*>& rows, const std::string& file);

/// The same for all experts of a layer: the operators of a row, from the choice of experts to the sum over them, have
/// the names that expert_operators gives. What a router computes is not timed, so that it has one input.
void write_expert_trace(const std::vector<const expert_row*>& rows, const std::string& file);
std::vector<std::string> expert_operators(const std::string& id);

/// Writes a trace for a tensor-parallel group: for each all-reduce an operator named by its id that ends in it, and
/// before that one named all_reduce_baseline(id) that is the same without it. The times of the two differ by the
/// all-reduce.
void write_all_reduce_trace(const std::vector<const collective_row*>& rows, const std::string& file);
std::string all_reduce_baseline(const std::string& id);

/// Writes one step of a server in the row's steady state: of its `batch` sequences `prompts` have their prompts
/// computed, whole, and the others get a token each at the row's context. All operators count as a prompt's.
void write_step_trace(const energy_row& r, std::int64_t prompts, const std::string& file);

}  // namespace memwall::tools
