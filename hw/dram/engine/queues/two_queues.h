// SPDX-License-Identifier: Apache-2.0
// Reads and writes have a queue each: what some organisations share.
#pragma once
#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/queues.h"

namespace memwall::dram {

class two_queues : public queue_organisation {
 public:
  explicit two_queues(const channel_setup& s) : m_size{s.params.read_queue, s.params.write_queue} {}
  int entries() const override { return m_size[0] + m_size[1]; }
  int write_entries() const override { return m_size[1]; }
  void entered(int, bool write) override { change(write, 1); }
  void served(int, bool write, bool) override { change(write, -1); }
  void clear() override {
    m_waiting[0] = m_waiting[1] = 0;
    m_room[0] = m_room[1] = true;
  }

 protected:
  void change(bool write, int by) {
    m_waiting[write] += by;
    m_room[write] = m_waiting[write] < m_size[write];
  }
  int m_size[2];
};

}  // namespace memwall::dram
