// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/front_end.h"

namespace memwall::dram {
namespace {

class any_number final : public copied<any_number, front_end> {
 public:
  explicit any_number(const channel_setup&) {}
};

const policy_entry<front_end, any_number> entry{"any", "as many requests a clock as the queues have room for"};

}  // namespace
}  // namespace memwall::dram
