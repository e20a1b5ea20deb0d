// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/front_end.h"

namespace memwall::dram {
namespace {

// The interface takes one request a clock, as DRAMSys's does.
class one_a_clock final : public copied<one_a_clock, front_end> {
 public:
  explicit one_a_clock(const channel_setup&) {}
  bool limits() const override { return true; }
  clocks_t open_at() const override { return m_last + 1; }
  void entered(clocks_t t) override { m_last = t; }
  void visit(state_visitor& v) override { v.time(m_last, v.now() - 1); }

 private:
  clocks_t m_last = -1;  ///< when the last one entered
};

const policy_entry<front_end, one_a_clock> entry{"one_a_clock", "one request a clock"};

}  // namespace
}  // namespace memwall::dram
