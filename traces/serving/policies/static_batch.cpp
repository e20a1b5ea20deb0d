// SPDX-License-Identifier: Apache-2.0
// A batch is filled, runs until its last sequence has ended, and only then is the next one filled: serving before
// continuous batching.
#include <algorithm>

#include "traces/serving/scheduler.h"

namespace memwall::serving {
namespace {

class static_batch : public policy {
 public:
  /// Until the first one generates, the batch is being filled; a preempted sequence may come back any time.
  bool lets_in(const std::vector<sequence*>& running) const override {
    return std::all_of(running.begin(), running.end(), [](const sequence* s) { return s->in_prompt(); });
  }
};

const policy_entry entry("static", "whole batches: nobody joins one that runs",
                         [] { return std::make_unique<static_batch>(); });

}  // namespace
}  // namespace memwall::serving
