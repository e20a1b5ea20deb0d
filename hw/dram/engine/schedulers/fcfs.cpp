// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/scheduler.h"

namespace memwall::dram {
namespace {

// First come, first served: data move in the order of arrival, whatever rows are open.
class fcfs final : public copied<fcfs, scheduler> {
 public:
  explicit fcfs(const channel_setup&) {}
  std::int16_t pick(const bank_requests& r) const override { return r.oldest; }
  bool in_order() const override { return true; }
};

const policy_entry<scheduler, fcfs> entry{"fcfs", "keeps the order of requests and opens rows ahead"};

}  // namespace
}  // namespace memwall::dram
