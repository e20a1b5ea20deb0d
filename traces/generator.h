// SPDX-License-Identifier: Apache-2.0
// From a model and a workload to a layer trace.
#pragma once
#include <memory>

#include "models/model.h"
#include "traces/trace.h"

namespace memwall::trace {

/// The operators of `w` on `m`, one after another. Throws input_error when the workload does not suit the
/// model (a learned position table that is too short) or is out of range. Two streams of the same arguments
/// are identical.
std::unique_ptr<op_stream> generate(const model& m, const workload& w);

/// Checks ranges (batch, prompt, context, tokens, chunk); throws input_error naming the fields, prefixed with
/// `where`.
void check(const workload& w, const std::string& where = {});

}  // namespace memwall::trace
