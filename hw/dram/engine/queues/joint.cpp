// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/queues/two_queues.h"

namespace memwall::dram {
namespace {

// One interface in front of both queues, which stops while one of them is full.
class joint final : public copied<joint, two_queues, queue_organisation> {
 public:
  using copied::copied;
  void entered(int, bool write) override { change_both(write, 1); }
  void served(int, bool write, bool) override { change_both(write, -1); }

 private:
  void change_both(bool write, int by) {
    m_waiting[write] += by;
    m_room[0] = m_room[1] = m_waiting[0] < m_size[0] && m_waiting[1] < m_size[1];
  }
};

const policy_entry<queue_organisation, joint> entry{"joint", "both enter only while both queues have room"};

}  // namespace
}  // namespace memwall::dram
