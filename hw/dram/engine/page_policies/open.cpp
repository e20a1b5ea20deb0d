// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/page_policy.h"

namespace memwall::dram {
namespace {

class open_page final : public copied<open_page, page_policy> {
 public:
  explicit open_page(const channel_setup&) {}
};

const policy_entry<page_policy, open_page> entry{"open", "rows stay open"};

}  // namespace
}  // namespace memwall::dram
