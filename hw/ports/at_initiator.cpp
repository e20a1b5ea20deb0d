// SPDX-License-Identifier: Apache-2.0
#include "hw/ports/at_initiator.h"

namespace memwall {

using sc_core::SC_ZERO_TIME;

at_initiator_port::at_initiator_port(const char* name) : tlm::tlm_initiator_socket<>(name) {
  this->bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
  run_on(m_due, sc_core::sc_gen_unique_name((std::string(name) + "_due").c_str()), [this] { run_pending(); });
}

void at_initiator_port::send(transfer& t) {
  transfer_info& i = info(t);
  i.issued = i.booked_until = now_ps();
  i.first_data = never;
  i.spread = 0;
  i.origin = this;
  begin(t);
}

void at_initiator_port::forward(transfer& t) {
  begin(t);
}

void at_initiator_port::begin(transfer& t) {
  if (m_request != nullptr)
    SC_REPORT_FATAL("/memwall/at_initiator", "send() while a request is open: ask can_send() first");
  t.acquire();
  m_request = &t;
  ++m_outstanding;
  const bool outer = m_sending;
  m_sending = true;
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = SC_ZERO_TIME;
  switch ((*this)->nb_transport_fw(t, phase, delay)) {
    case tlm::TLM_ACCEPTED:
      break;
    case tlm::TLM_UPDATED:
      if (phase == tlm::END_REQ)
        happen(t, event::request_end, delay);
      else if (phase == tlm::BEGIN_RESP)
        happen(t, event::response_begin, delay);
      else
        SC_REPORT_FATAL("/memwall/at_initiator",
                        "the target answered BEGIN_REQ with a phase that is neither END_REQ nor BEGIN_RESP");
      break;
    case tlm::TLM_COMPLETED:
      happen(t, event::completion, delay);
      break;
  }
  m_sending = outer;
}

tlm::tlm_sync_enum at_initiator_port::nb_transport_bw(transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_RESP) {
    if (delay != SC_ZERO_TIME) {
      happen(t, event::response_begin, delay);
      return tlm::TLM_ACCEPTED;
    }
    const bool freed = end_request(t);
    const bool taken = take_response(t);
    if (taken) complete(t);
    if (freed) ready();
    if (!taken) return tlm::TLM_ACCEPTED;
    phase = tlm::END_RESP;
    return tlm::TLM_COMPLETED;
  }
  if (phase == tlm::END_REQ)
    happen(t, event::request_end, delay);
  else if (phase == tlm::BEGIN_REQ || phase == tlm::END_RESP)
    SC_REPORT_FATAL("/memwall/at_initiator", "a phase of the initiator came from the target");
  return tlm::TLM_ACCEPTED;  // other phases are ignorable
}

// Acts now, or queues what the peer annotated with a delay.
void at_initiator_port::happen(transfer& t, event what, const sc_core::sc_time& delay) {
  if (delay != SC_ZERO_TIME) {
    const ps_t at = to_ps(sc_core::sc_time_stamp() + delay);
    m_pending.insert_sorted({at, &t, what}, [](const pending& a, const pending& b) { return a.at < b.at; });
    m_due.notify(to_sc_time(m_pending.front().at) - sc_core::sc_time_stamp());
    return;
  }
  const bool freed = end_request(t);
  if (what == event::response_begin && take_response(t)) {
    tlm::tlm_phase phase = tlm::END_RESP;
    sc_core::sc_time none = SC_ZERO_TIME;
    (*this)->nb_transport_fw(t, phase, none);
    complete(t);
  } else if (what == event::completion) {
    complete(t);
  }
  if (freed) ready();
}

void at_initiator_port::run_pending() {
  const ps_t now = now_ps();
  while (!m_pending.empty() && m_pending.front().at <= now) {
    const pending p = m_pending.front();
    m_pending.pop_front();
    happen(*p.t, p.what, SC_ZERO_TIME);
  }
  if (!m_pending.empty()) m_due.notify(to_sc_time(m_pending.front().at) - sc_core::sc_time_stamp());
}

bool at_initiator_port::end_request(transfer& t) {
  if (m_request != &t) return false;
  m_request = nullptr;
  return true;
}

// False: the owner withholds the end of the response.
bool at_initiator_port::take_response(transfer& t) {
  if (!on_response || on_response(t)) return true;
  m_response = &t;
  return false;
}

// A caller inside send() notices by itself.
void at_initiator_port::ready() {
  if (!m_sending && can_send() && on_ready) on_ready();
}

void at_initiator_port::end_response() {
  if (m_response == nullptr) SC_REPORT_FATAL("/memwall/at_initiator", "end_response() without a withheld response");
  transfer& t = *m_response;
  m_response = nullptr;
  tlm::tlm_phase phase = tlm::END_RESP;
  sc_core::sc_time delay = SC_ZERO_TIME;
  (*this)->nb_transport_fw(t, phase, delay);
  complete(t);
}

void at_initiator_port::complete(transfer& t) {
  --m_outstanding;
  if (info(t).origin == this) info(t).book(unbooked, now_ps());
  if (on_complete) on_complete(t);
  t.release();
}

}  // namespace memwall
