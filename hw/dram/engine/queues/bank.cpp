// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/queues.h"

namespace memwall::dram {
namespace {

// A queue for each bank; the interface stops while one of them is full. DRAMSys's Bankwise buffers.
class by_bank final : public copied<by_bank, queue_organisation> {
 public:
  explicit by_bank(const channel_setup& s) : m_size(s.params.read_queue), m_queued(at(s.banks), 0) {}
  int entries() const override { return m_size * static_cast<int>(m_queued.size()); }
  int write_entries() const override { return entries(); }
  bool counts_banks() const override { return true; }
  void entered(int bank, bool write) override {
    ++m_waiting[write];
    if (++m_queued[at(bank)] == m_size) ++m_full;
    m_room[0] = m_room[1] = m_full == 0;
  }
  void served(int bank, bool write, bool) override {
    --m_waiting[write];
    if (m_queued[at(bank)]-- == m_size) --m_full;
    m_room[0] = m_room[1] = m_full == 0;
  }
  void clear() override {
    m_waiting[0] = m_waiting[1] = m_full = 0;
    m_room[0] = m_room[1] = true;
    std::fill(m_queued.begin(), m_queued.end(), 0);
  }

 private:
  int m_size, m_full = 0;
  std::vector<int> m_queued;  ///< by bank
};

const policy_entry<queue_organisation, by_bank> entry{
    "bank", "a queue of read_queue entries for each bank, and the interface stops while one of them is full"};

}  // namespace
}  // namespace memwall::dram
