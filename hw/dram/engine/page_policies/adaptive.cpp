// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/page_policy.h"

namespace memwall::dram {
namespace {

// Each bank has a timeout of its own, within page_timeout / 16 and x 16. (Awasthi et al., Prediction based DRAM
// row-buffer management, PACT 2011: the idea, to learn from the last closing.)
class adaptive_page final : public copied<adaptive_page, page_policy> {
 public:
  explicit adaptive_page(const channel_setup& s)
      : m_least(std::max<clocks_t>(1, s.page_timeout / span)),
        m_most(s.page_timeout * span),
        m_banks(at(s.banks), bank{s.page_timeout, -1}) {}
  bool has_timeout() const override { return true; }
  clocks_t timeout(int b) const override { return m_banks[at(b)].timeout; }
  // The row that the timeout closed is wanted again: it closed too early.
  void opened(int b, std::int64_t row) override {
    bank& k = m_banks[at(b)];
    if (k.timed_out == row) k.timeout = std::min(2 * k.timeout, m_most);
    k.timed_out = -1;
  }
  void timed_out(int b, std::int64_t row) override { m_banks[at(b)].timed_out = row; }
  // A request had to wait for the row to close: it stayed open too long.
  void conflict(int b) override { m_banks[at(b)].timeout = std::max(m_banks[at(b)].timeout / 2, m_least); }
  void visit(state_visitor& v) override {
    for (bank& b : m_banks) {
      v.value(b.timeout);
      v.row(b.timed_out);
    }
  }

 private:
  static constexpr int span = 16;
  struct bank {
    clocks_t timeout;
    std::int64_t timed_out;  ///< the row that the timeout closed last; -1: none since the last ACT
  };
  clocks_t m_least, m_most;
  std::vector<bank> m_banks;
};

const policy_entry<page_policy, adaptive_page> entry{
    "adaptive",
    "after a time of its bank, doubled when the row that it closed is the next to be opened, halved at a row conflict"};

}  // namespace
}  // namespace memwall::dram
