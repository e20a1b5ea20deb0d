// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/scheduler.h"

namespace memwall::dram {
namespace {

// As frfcfs, but only so many hits may pass an older request of their bank. (Mutlu and Moscibroda, Stall-time fair
// memory access scheduling, MICRO 2007.)
class frfcfs_cap final : public copied<frfcfs_cap, scheduler> {
 public:
  explicit frfcfs_cap(const channel_setup& s) : m_cap(s.params.cap), m_passed(at(s.banks), 0) {}
  std::int16_t pick(const bank_requests& r) const override { return m_passed[at(r.bank)] < m_cap ? r.hit() : r.oldest; }
  bool watches() const override { return true; }
  void served(int bank, bool overtook) override { m_passed[at(bank)] += overtook ? 1 : 0; }
  void row_changed(int bank) override { m_passed[at(bank)] = 0; }
  void visit(state_visitor& v) override {
    for (int& n : m_passed) v.value(n);
  }

 private:
  int m_cap;
  std::vector<int> m_passed;  ///< by bank: hits since its row was opened that passed an older request
};

const policy_entry<scheduler, frfcfs_cap> entry{"frfcfs_cap", "limits the hits that may overtake"};

}  // namespace
}  // namespace memwall::dram
