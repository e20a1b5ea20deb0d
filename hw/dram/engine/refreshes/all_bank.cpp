// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/refresh.h"

namespace memwall::dram {
namespace {

class all_bank final : public copied<all_bank, refresh_policy> {
 public:
  explicit all_bank(const channel_setup& s) : m_interval(s.t.REFI), m_duration(s.t.RFC) {}
  int interval() const override { return m_interval; }
  int duration() const override { return m_duration; }

 private:
  int m_interval, m_duration;
};

const policy_entry<refresh_policy, all_bank> entry{"all_bank", "REFab: all banks of a rank at once"};

}  // namespace
}  // namespace memwall::dram
