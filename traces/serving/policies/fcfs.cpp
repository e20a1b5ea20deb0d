// SPDX-License-Identifier: Apache-2.0
// First come, first served; the last one let in gives way. What vLLM does.
#include "traces/serving/scheduler.h"

namespace memwall::serving {
namespace {

class fcfs : public policy {};

const policy_entry entry("fcfs", "first come, first served: prompts in chunks beside decodes",
                         [] { return std::make_unique<fcfs>(); });

}  // namespace
}  // namespace memwall::serving
