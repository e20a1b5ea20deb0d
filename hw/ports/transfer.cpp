// SPDX-License-Identifier: Apache-2.0
#include "hw/ports/transfer.h"

#include <new>

namespace memwall {

void transfer_info::attach_hop(const void* owner, void* state) {
  if (m_hops == max_hops)
    SC_REPORT_FATAL("/memwall/transfer", "a path has more interconnects than transfer_info::max_hops");
  m_hop[m_hops++] = {owner, state};
}

void transfer_info::detach_hop(const void* owner) {
  for (std::size_t i = m_hops; i-- > 0;)
    if (m_hop[i].first == owner) {
      m_hop[i] = m_hop[--m_hops];
      return;
    }
}

void transfer_info::reset() {
  source = 0;
  op = 0;
  carries = traffic::activations;
  issued = pace = booked_until = 0;
  first_data = never;
  spread = 0;
  command = {};
  origin = nullptr;
  parts = {};
  m_hops = 0;
}

tlm::tlm_extension_base* transfer_info::clone() const {
  auto* copy = new transfer_info;
  copy->copy_from(*this);
  return copy;
}

void transfer_info::copy_from(const tlm::tlm_extension_base& other) {
  const auto& o = static_cast<const transfer_info&>(other);
  source = o.source;
  op = o.op;
  carries = o.carries;
  issued = o.issued;
  first_data = o.first_data;
  spread = o.spread;
  pace = o.pace;
  command = o.command;
  parts = o.parts;
  booked_until = o.booked_until;
  origin = o.origin;
  m_hops = 0;  // the state of a hop belongs to the transfer it was attached to
}

transfer& payload_pool::make(tlm::tlm_command command, std::uint64_t address, std::uint64_t bytes,
                             unsigned char* data) {
  if (bytes == 0 || bytes > UINT32_MAX) SC_REPORT_FATAL("/memwall/transfer", "a transfer has 1 to 2^32-1 bytes");
  transfer* t;
  if (m_idle.empty()) {
    t = &m_all.emplace(this);
    if (m_idle.capacity() < m_all.size()) m_idle.reserve(2 * m_all.size());  // so that free() never allocates
  } else {
    t = m_idle.back();
    m_idle.pop_back();
    info(*t).reset();
  }
  t->set_command(command);
  t->set_address(address);
  t->set_data_ptr(data != nullptr ? data : scratch(bytes));
  t->set_data_length(static_cast<unsigned>(bytes));
  t->set_streaming_width(static_cast<unsigned>(bytes));
  t->set_byte_enable_ptr(nullptr);
  t->set_byte_enable_length(0);
  t->set_dmi_allowed(false);
  t->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  return *t;
}

void payload_pool::free(transfer* t) {
  t->reset();  // drops extensions that others marked for automatic release; ours stays
  m_idle.push_back(t);
}

unsigned char* payload_pool::scratch(std::uint64_t bytes) {
  if (bytes > m_scratch_bytes) {
    const std::uint64_t size = bytes < 65536 ? 65536 : bytes;
    auto* memory = static_cast<unsigned char*>(std::calloc(size, 1));
    if (memory == nullptr) throw std::bad_alloc();
    m_scratch.emplace_back(memory);
    m_scratch_bytes = size;
  }
  return m_scratch.back().get();
}

}  // namespace memwall
