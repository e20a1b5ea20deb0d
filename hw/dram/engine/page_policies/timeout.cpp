// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/page_policy.h"

namespace memwall::dram {
namespace {

class timeout_page final : public copied<timeout_page, page_policy> {
 public:
  explicit timeout_page(const channel_setup& s) : m_timeout(s.page_timeout) {}
  bool has_timeout() const override { return true; }
  clocks_t timeout(int) const override { return m_timeout; }

 private:
  clocks_t m_timeout;
};

const policy_entry<page_policy, timeout_page> entry{"timeout", "an unused row closes after page_timeout"};

}  // namespace
}  // namespace memwall::dram
