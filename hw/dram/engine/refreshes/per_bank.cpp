// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/refresh.h"

namespace memwall::dram {
namespace {

// REFpb: the banks of a rank in turn (or pairs of them, or one of every group), each once a tREFI. Consecutive
// refreshes go to different bank groups.
class per_bank final : public copied<per_bank, refresh_policy> {
 public:
  explicit per_bank(const channel_setup& s)
      : m_timing(s.t),
        m_org(s.org),
        m_round(s.t.refreshes_a_round(s.org)),
        m_groups(std::max(1, s.org.bank_groups / s.t.refresh_banks)),
        m_turn(at(s.ranks), 0) {}
  int interval() const override { return m_timing.REFIpb > 0 ? m_timing.REFIpb : std::max(1, m_timing.REFI / m_round); }
  int round() const override { return m_round; }
  bool whole_rank() const override { return false; }
  bool takes(int rank, int bank) const override {
    const int turn = m_turn[at(rank)], n = m_org.banks_per_group;
    if (m_timing.same_bank_refresh) return bank % n == turn;
    return m_timing.refreshes(m_org, turn % m_groups, turn / m_groups, bank / n, bank % n);
  }
  command kind() const override { return command::REFpb; }
  int duration() const override { return m_timing.RFCpb; }
  void issued(int rank) override { m_turn[at(rank)] = (m_turn[at(rank)] + 1) % m_round; }
  void visit(state_visitor& v) override {
    for (int& t : m_turn) v.value(t);
  }

 private:
  timing m_timing;
  organisation m_org;
  int m_round, m_groups;
  std::vector<int> m_turn;  ///< by rank
};

const policy_entry<refresh_policy, per_bank> entry{"per_bank", "REFpb: bank after bank"};

}  // namespace
}  // namespace memwall::dram
