// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/queues/two_queues.h"

namespace memwall::dram {
namespace {

// A request leaves its queue when its row is opened for it, and waits for its column command in a buffer of its own:
// another one may enter that much earlier. Ramulator 2's rule. At most one request a bank is in that buffer.
class active_buffer final : public copied<active_buffer, two_queues, queue_organisation> {
 public:
  explicit active_buffer(const channel_setup& s) : copied(s), m_banks(s.banks) {}
  int entries() const override { return two_queues::entries() + m_banks; }
  void opened_row(int, bool write) override { change(write, -1); }
  void served(int, bool write, bool opened) override { change(write, opened ? 0 : -1); }

 private:
  int m_banks;
};

const policy_entry<queue_organisation, active_buffer> entry{
    "active", "as direction, but a request leaves its queue with its ACT"};

}  // namespace
}  // namespace memwall::dram
