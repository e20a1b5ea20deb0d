// SPDX-License-Identifier: Apache-2.0
// Prompts have steps of their own and go before decodes: a short time to first token, at the price of tokens that
// wait. What vLLM did before chunked prefill.
#include "traces/serving/scheduler.h"

namespace memwall::serving {
namespace {

class prefill_first : public policy {
 public:
  bool prompts_apart() const override { return true; }
};

const policy_entry entry("prefill_first", "prompts in steps of their own, before decodes",
                         [] { return std::make_unique<prefill_first>(); });

}  // namespace
}  // namespace memwall::serving
