// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/scheduler.h"

namespace memwall::dram {
namespace {

// First ready, first come: hits to the open row, then the oldest request. (Rixner et al., Memory access scheduling,
// ISCA 2000.)
class frfcfs final : public copied<frfcfs, scheduler> {
 public:
  explicit frfcfs(const channel_setup&) {}
  std::int16_t pick(const bank_requests& r) const override { return r.hit(); }
};

const policy_entry<scheduler, frfcfs> entry{"frfcfs", "serves row hits first, then the oldest"};

}  // namespace
}  // namespace memwall::dram
