// SPDX-License-Identifier: Apache-2.0
#include "hw/ports/at_target.h"

namespace memwall {

using sc_core::SC_ZERO_TIME;

// A b_transport call that waits for its carrier, a payload of our own that goes the non-blocking way.
struct at_target_port::blocking_call {
  sc_core::sc_event done;
};

at_target_port::at_target_port(const char* name) : tlm::tlm_target_socket<>(name) {
  this->bind(static_cast<tlm::tlm_fw_transport_if<>&>(*this));
  run_on(m_due, sc_core::sc_gen_unique_name((std::string(name) + "_due").c_str()), [this] { run_pending(); });
}

at_target_port::~at_target_port() {
  for (transfer_info* i : m_spare_info) i->free();
}

tlm::tlm_sync_enum at_target_port::nb_transport_fw(transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_REQ) {
    if (m_withheld != nullptr || m_taking != nullptr)
      SC_REPORT_FATAL("/memwall/at_target", "BEGIN_REQ while the end of another request is withheld");
    if (!t.has_mm())
      SC_REPORT_FATAL("/memwall/at_target", "the non-blocking path needs payloads with a memory manager");
    t.acquire();
    adopt(t);
    if (delay != SC_ZERO_TIME) {
      later(t, event::request_begin, to_ps(sc_core::sc_time_stamp() + delay));
      return tlm::TLM_ACCEPTED;
    }
    switch (take(t)) {
      case outcome::answered:
        phase = tlm::BEGIN_RESP;
        done(t);
        return tlm::TLM_COMPLETED;
      case outcome::accepted:
        phase = tlm::END_REQ;
        return tlm::TLM_UPDATED;
      case outcome::withheld:
        return tlm::TLM_ACCEPTED;
    }
  } else if (phase == tlm::END_RESP) {
    if (!m_responding || m_responses.front() != &t)
      SC_REPORT_FATAL("/memwall/at_target", "END_RESP for a transfer whose response did not begin");
    if (delay != SC_ZERO_TIME)
      later(t, event::response_end, to_ps(sc_core::sc_time_stamp() + delay));
    else
      response_ended();
  } else if (phase == tlm::END_REQ || phase == tlm::BEGIN_RESP) {
    SC_REPORT_FATAL("/memwall/at_target", "a phase of the target came from the initiator");
  }
  return tlm::TLM_ACCEPTED;  // other phases are ignorable
}

// Payloads of foreign initiators get an extension for as long as they are here.
void at_target_port::adopt(transfer& t) {
  if (is_pooled(t) || t.get_extension<transfer_info>() != nullptr) return;
  transfer_info* i;
  if (m_spare_info.empty()) {
    i = new transfer_info;
  } else {
    i = m_spare_info.back();
    m_spare_info.pop_back();
    i->reset();
  }
  i->issued = i->booked_until = now_ps();
  i->first_data = never;
  i->attach_hop(&m_spare_info, this);
  t.set_extension(i);
}

at_target_port::outcome at_target_port::take(transfer& t) {
  m_taking = &t;
  m_answered = false;
  const bool accepted = on_request(t);
  m_taking = nullptr;
  if (m_answered) return outcome::answered;
  if (accepted) return outcome::accepted;
  // Its response may have begun meanwhile, which ends the request too.
  m_withheld = &t;
  return outcome::withheld;
}

void at_target_port::accept() {
  if (m_withheld == nullptr) SC_REPORT_FATAL("/memwall/at_target", "accept() without a withheld request");
  transfer& t = *m_withheld;
  m_withheld = nullptr;
  if (m_blocking > 0) m_request_free.notify(SC_ZERO_TIME);
  if (is_blocking(t)) return;
  tlm::tlm_phase phase = tlm::END_REQ;
  sc_core::sc_time delay = SC_ZERO_TIME;
  (*this)->nb_transport_bw(t, phase, delay);
}

void at_target_port::respond(transfer& t) {
  if (&t == m_taking && m_responses.empty()) {
    m_answered = true;
    return;
  }
  m_responses.push_back(&t);
  // A request being taken is answered after on_request has returned, so that its phases stay in order.
  if (&t == m_taking)
    later(t, event::try_responses, now_ps());
  else
    send_responses();
}

void at_target_port::send_responses() {
  if (m_in_send) return;
  m_in_send = true;
  while (!m_responding && !m_responses.empty() && m_responses.front() != m_taking) {
    transfer& t = *m_responses.front();
    m_responding = true;
    if (m_withheld == &t) {
      m_withheld = nullptr;
      if (m_blocking > 0) m_request_free.notify(SC_ZERO_TIME);
    }
    if (is_blocking(t)) {
      static_cast<blocking_call*>(info(t).hop(&m_blocking_pool))->done.notify(SC_ZERO_TIME);
      response_ended();
      continue;
    }
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = SC_ZERO_TIME;
    const tlm::tlm_sync_enum status = (*this)->nb_transport_bw(t, phase, delay);
    if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP)) {
      if (delay != SC_ZERO_TIME)
        later(t, event::response_end, to_ps(sc_core::sc_time_stamp() + delay));
      else
        response_ended();
    } else if (status == tlm::TLM_UPDATED) {
      SC_REPORT_FATAL("/memwall/at_target", "the initiator answered BEGIN_RESP with a phase that is not END_RESP");
    }
  }
  m_in_send = false;
}

void at_target_port::response_ended() {
  transfer& t = *m_responses.front();
  m_responses.pop_front();
  m_responding = false;
  done(t);
  send_responses();
}

void at_target_port::done(transfer& t) {
  if (on_done) on_done(t);
  transfer_info& i = info(t);
  if (i.hop(&m_spare_info) != nullptr) {
    t.clear_extension(&i);
    m_spare_info.push_back(&i);
  }
  t.release();
}

void at_target_port::later(transfer& t, event what, ps_t at) {
  m_pending.insert_sorted({at, &t, what}, [](const pending& a, const pending& b) { return a.at < b.at; });
  m_due.notify(to_sc_time(m_pending.front().at) - sc_core::sc_time_stamp());
}

void at_target_port::run_pending() {
  const ps_t now = now_ps();
  while (!m_pending.empty() && m_pending.front().at <= now) {
    transfer& t = *m_pending.front().t;
    const event what = m_pending.front().what;
    m_pending.pop_front();
    if (what == event::request_begin) {
      const outcome result = take(t);
      if (result == outcome::answered) {
        m_responses.push_back(&t);
        send_responses();
      } else if (result == outcome::accepted) {
        m_withheld = &t;
        accept();
      }
    } else if (what == event::response_end) {
      response_ended();
    } else {
      send_responses();
    }
  }
  if (!m_pending.empty()) m_due.notify(to_sc_time(m_pending.front().at) - sc_core::sc_time_stamp());
}

bool at_target_port::is_blocking(const transfer& t) const {
  return m_blocking > 0 && info(t).hop(&m_blocking_pool) != nullptr;
}

void at_target_port::b_transport(transfer& t, sc_core::sc_time& delay) {
  sc_core::wait(delay);
  delay = SC_ZERO_TIME;
  ++m_blocking;
  transfer& carrier = m_blocking_pool.make(t.get_command(), t.get_address(),
                                           t.get_data_length() == 0 ? 1 : t.get_data_length(), t.get_data_ptr());
  carrier.set_streaming_width(t.get_streaming_width());
  carrier.set_byte_enable_ptr(t.get_byte_enable_ptr());
  carrier.set_byte_enable_length(t.get_byte_enable_length());
  transfer_info& i = info(carrier);
  const auto* given = t.get_extension<transfer_info>();
  if (given != nullptr) i.copy_from(*given);
  i.issued = i.booked_until = now_ps();
  i.first_data = never;
  blocking_call call;
  i.attach_hop(&m_blocking_pool, &call);
  carrier.acquire();  // ours
  while (m_withheld != nullptr || m_taking != nullptr) sc_core::wait(m_request_free);
  carrier.acquire();  // the port's, given back by done()
  const outcome result = take(carrier);
  if (result == outcome::answered)
    done(carrier);
  else
    sc_core::wait(call.done);
  t.set_response_status(carrier.get_response_status());
  if (auto* back = t.get_extension<transfer_info>(); back != nullptr) back->copy_from(i);
  carrier.release();
  --m_blocking;
}

bool at_target_port::get_direct_mem_ptr(transfer& t, tlm::tlm_dmi& dmi) {
  dmi.init();  // the whole range, nothing granted
  t.set_dmi_allowed(false);
  return false;
}

unsigned int at_target_port::transport_dbg(transfer& t) {
  return on_debug ? on_debug(t) : 0;
}

}  // namespace memwall
