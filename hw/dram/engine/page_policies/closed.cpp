// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/page_policy.h"

namespace memwall::dram {
namespace {

class closed_page final : public copied<closed_page, page_policy> {
 public:
  explicit closed_page(const channel_setup&) {}
  bool closes_after_use() const override { return true; }
};

const policy_entry<page_policy, closed_page> entry{"closed", "a row closes with its last queued access"};

}  // namespace
}  // namespace memwall::dram
