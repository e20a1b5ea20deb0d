// SPDX-License-Identifier: Apache-2.0
// Checks the TLM-2.0 base protocol on one link: initiator -> checker -> target. Clauses: IEEE 1666-2011.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "hw/ports/transfer.h"

namespace memwall {

/// What can be wrong. The names are those the tests use; the clause is beside each.
enum class rule {
  phase_order,         ///< R1: phases from the right side, in order (15.2.3 c, 15.2.4)
  request_exclusion,   ///< R2: BEGIN_REQ while another request is open (15.2.6 e)
  response_exclusion,  ///< R2: BEGIN_RESP while another response is open (15.2.6 f)
  return_value,        ///< R3: ACCEPTED with a changed phase or delay, a call after COMPLETED, UPDATED where
                       ///< nothing can follow
  time_order,          ///< R4: time stamp + delay goes back for a transaction (15.2.7 c)
  path,                ///< R5: a response for a transaction that never came this way (15.2.11 a)
  blocking,            ///< R6: time or a delta cycle passed in a non-blocking or debug call; b_transport outside a
                       ///< thread, or mixed
  attributes,          ///< R7: payload not set up (14.7 to 14.17)
  changed,             ///< R8: command, data pointer, length, byte enables or streaming width changed on the way
  response_status,     ///< R8: response without a status
  refusal,             ///< R9: byte enables, streaming or a range that the target does not have answered with OK
  memory_manager,      ///< R11: no memory manager or no reference on the non-blocking path (14.5)
  extension,           ///< R12: the extension of the payload was lost or exchanged on the way
  debug,               ///< R14: debug transport moved more than asked for
  dmi,                 ///< R15: direct memory was granted: it bypasses the bus
  count_
};

inline const char* rule_name(rule r) {
  constexpr const char* names[] = {
      "phase_order", "request_exclusion", "response_exclusion", "return_value", "time_order",
      "path",        "blocking",          "attributes",         "changed",      "response_status",
      "refusal",     "memory_manager",    "extension",          "debug",        "dmi"};
  return names[static_cast<std::size_t>(r)];
}

struct checker_options {
  bool byte_enables = false;  ///< the target supports them
  bool streaming = false;
  std::uint64_t size = 0;  ///< bytes of the target; 0: not checked
  /// R10: the address is not preserved for the caller. The checker breaks it on the way back, so that whoever
  /// looks at it is found.
  bool scramble_address = true;
};

class protocol_checker : public sc_core::sc_module,
                         private tlm::tlm_fw_transport_if<>,
                         private tlm::tlm_bw_transport_if<> {
 public:
  tlm::tlm_target_socket<> from_initiator{"from_initiator"};
  tlm::tlm_initiator_socket<> to_target{"to_target"};

  explicit protocol_checker(const sc_core::sc_module_name& name, const checker_options& options = {})
      : sc_core::sc_module(name), m_options(options) {
    from_initiator.bind(static_cast<tlm::tlm_fw_transport_if<>&>(*this));
    to_target.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
  }

  int errors() const {
    int sum = 0;
    for (const int n : m_counts) sum += n;
    return sum;
  }
  int errors(rule r) const { return m_counts[static_cast<std::size_t>(r)]; }
  const std::vector<std::string>& messages() const { return m_messages; }
  std::string text() const {
    std::string out;
    for (const auto& m : m_messages) out += m + "\n";
    return out;
  }
  std::size_t in_flight() const {
    return m_open.size();
  }  ///< transactions begun and not over: 0 at the end of a good test
  std::uint64_t requests() const { return m_requests; }

 private:
  enum class stage { requested, request_over, responding };
  struct transaction {
    stage at = stage::requested;
    sc_core::sc_time last;
    tlm::tlm_command command = tlm::TLM_IGNORE_COMMAND;
    std::uint64_t address = 0;
    unsigned char* data = nullptr;
    unsigned length = 0, streaming = 0, enable_length = 0;
    unsigned char* enables = nullptr;
    const transfer_info* extension = nullptr;
  };

  void error(rule r, const std::string& what) {
    ++m_counts[static_cast<std::size_t>(r)];
    if (m_messages.size() < 50) {
      std::ostringstream out;
      out << name() << " at " << sc_core::sc_time_stamp() << ": " << rule_name(r) << ": " << what;
      m_messages.push_back(out.str());
    }
  }

  static const char* phase_text(const tlm::tlm_phase& p) { return p.get_name(); }

  void check_time(transaction& x, const sc_core::sc_time& delay) {
    const sc_core::sc_time at = sc_core::sc_time_stamp() + delay;
    if (at < x.last) error(rule::time_order, "time goes back to " + at.to_string() + " from " + x.last.to_string());
    x.last = at;
  }

  void check_unchanged(const transaction& x, const tlm::tlm_generic_payload& t) {
    if (t.get_command() != x.command || t.get_data_ptr() != x.data || t.get_data_length() != x.length ||
        t.get_streaming_width() != x.streaming || t.get_byte_enable_ptr() != x.enables ||
        t.get_byte_enable_length() != x.enable_length)
      error(rule::changed, "an attribute that nobody may change differs from the request");
    if (x.extension != nullptr && t.get_extension<transfer_info>() != x.extension)
      error(rule::extension, "the extension that came with the request is gone");
  }

  void check_request(const tlm::tlm_generic_payload& t) {
    if (t.get_data_ptr() == nullptr) error(rule::attributes, "data pointer is null (14.11 e)");
    if (t.get_data_length() == 0) error(rule::attributes, "data length is 0 (14.12 d)");
    if (t.get_streaming_width() == 0) error(rule::attributes, "streaming width is 0 (14.15 f)");
    if (t.get_byte_enable_ptr() != nullptr && t.get_byte_enable_length() == 0)
      error(rule::attributes, "byte enables of length 0 (14.14)");
    if (t.is_dmi_allowed()) error(rule::attributes, "dmi_allowed is not false (14.16)");
    if (t.get_response_status() != tlm::TLM_INCOMPLETE_RESPONSE)
      error(rule::attributes, "response status is not TLM_INCOMPLETE_RESPONSE (14.17 e)");
  }

  void check_response(const transaction& x, tlm::tlm_generic_payload& t) {
    const auto status = t.get_response_status();
    if (status == tlm::TLM_INCOMPLETE_RESPONSE) error(rule::response_status, "response without a status");
    if (status == tlm::TLM_OK_RESPONSE) {
      if (x.enables != nullptr && !m_options.byte_enables)
        error(rule::refusal, "byte enables are not supported and were accepted");
      if (x.streaming < x.length && !m_options.streaming)
        error(rule::refusal, "streaming is not supported and was accepted");
      if (m_options.size != 0 && (x.length > m_options.size || x.address > m_options.size - x.length))
        error(rule::refusal, "an address beyond the target's size was accepted");
    }
    check_unchanged(x, t);
    if (m_options.scramble_address) t.set_address(~x.address);
  }

  void begin_response(transaction& x, tlm::tlm_generic_payload& t) {
    if (m_request == &t) m_request = nullptr;
    if (m_response != nullptr && m_response != &t)
      error(rule::response_exclusion, "BEGIN_RESP while another response is open");
    m_response = &t;
    x.at = stage::responding;
    check_response(x, t);
  }

  void over(tlm::tlm_generic_payload& t) {
    if (m_request == &t) m_request = nullptr;
    if (m_response == &t) m_response = nullptr;
    m_open.erase(&t);
  }

  // Runs a call and sees that no time passes in it.
  template <class Call>
  auto timeless(const char* what, Call&& call) {
    const sc_core::sc_time before = sc_core::sc_time_stamp();
    const auto deltas = sc_core::sc_delta_count();
    const auto result = call();
    if (sc_core::sc_time_stamp() != before || sc_core::sc_delta_count() != deltas)
      error(rule::blocking, std::string("time passed in ") + what);
    return result;
  }

  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& t, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    const tlm::tlm_phase given = phase;
    const sc_core::sc_time given_delay = delay;
    if (!t.has_mm() || t.get_ref_count() < 1) error(rule::memory_manager, "no memory manager or no reference (14.5)");
    if (phase == tlm::BEGIN_REQ) {
      ++m_requests;
      check_request(t);
      if (m_open.count(&t) != 0) error(rule::phase_order, "BEGIN_REQ for a transaction that is not over");
      if (m_request != nullptr && m_request != &t)
        error(rule::request_exclusion, "BEGIN_REQ while another request is open");
      m_request = &t;
      transaction x;
      x.last = sc_core::sc_time_stamp() + delay;
      x.command = t.get_command();
      x.address = t.get_address();
      x.data = t.get_data_ptr();
      x.length = t.get_data_length();
      x.streaming = t.get_streaming_width();
      x.enables = t.get_byte_enable_ptr();
      x.enable_length = t.get_byte_enable_length();
      x.extension = t.get_extension<transfer_info>();
      m_open[&t] = x;
    } else if (phase == tlm::END_RESP) {
      const auto found = m_open.find(&t);
      if (found == m_open.end())
        error(rule::return_value, "END_RESP for a transaction that is over or never began");
      else if (found->second.at != stage::responding)
        error(rule::phase_order, "END_RESP before BEGIN_RESP");
      else {
        check_time(found->second, delay);
        check_unchanged(found->second, t);
      }
      over(t);
    } else {
      error(rule::phase_order, std::string("the initiator sent ") + phase_text(phase));
    }

    const auto status = timeless("nb_transport_fw", [&] { return to_target->nb_transport_fw(t, phase, delay); });
    if (status == tlm::TLM_ACCEPTED) {
      if (phase != given || delay != given_delay)
        error(rule::return_value, "TLM_ACCEPTED with a changed phase or delay");
      return status;
    }
    if (given == tlm::END_RESP) {
      if (status == tlm::TLM_UPDATED)
        error(rule::return_value, "END_RESP answered with TLM_UPDATED: nothing can follow");
      return status;
    }
    const auto found = m_open.find(&t);
    if (found == m_open.end()) {
      error(rule::return_value, "answered with a new state although the transaction is over");
      return status;
    }
    check_time(found->second, delay);
    if (status == tlm::TLM_COMPLETED) {
      check_response(found->second, t);
      over(t);
    } else if (phase == tlm::END_REQ) {
      if (found->second.at != stage::requested) error(rule::phase_order, "END_REQ returned after the request was over");
      found->second.at = stage::request_over;
      if (m_request == &t) m_request = nullptr;
    } else if (phase == tlm::BEGIN_RESP) {
      begin_response(found->second, t);
    } else {
      error(rule::phase_order, std::string("the target returned ") + phase_text(phase));
    }
    return status;
  }

  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& t, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    const tlm::tlm_phase given = phase;
    const sc_core::sc_time given_delay = delay;
    const auto found = m_open.find(&t);
    const bool known = found != m_open.end();
    if (!known) {
      error(rule::path, std::string("the target sent ") + phase_text(phase) +
                            " for a transaction that is over or never came this way");
    } else {
      transaction& x = found->second;
      if (t.get_ref_count() < 1) error(rule::memory_manager, "the payload has no reference any more");
      check_time(x, delay);
      if (phase == tlm::END_REQ) {
        if (x.at != stage::requested) error(rule::phase_order, "END_REQ after the request was over");
        x.at = stage::request_over;
        if (m_request == &t) m_request = nullptr;
        check_unchanged(x, t);
      } else if (phase == tlm::BEGIN_RESP) {
        if (x.at == stage::responding)
          error(rule::phase_order, "BEGIN_RESP twice");
        else
          begin_response(x, t);
      } else {
        error(rule::phase_order, std::string("the target sent ") + phase_text(phase));
      }
    }

    const auto status = timeless("nb_transport_bw", [&] { return from_initiator->nb_transport_bw(t, phase, delay); });
    if (status == tlm::TLM_ACCEPTED) {
      if (phase != given || delay != given_delay)
        error(rule::return_value, "TLM_ACCEPTED with a changed phase or delay");
      return status;
    }
    if (given == tlm::END_REQ) {
      error(rule::return_value, "END_REQ answered with a new state");
    } else if (status == tlm::TLM_UPDATED && phase != tlm::END_RESP) {
      error(rule::phase_order, std::string("the initiator returned ") + phase_text(phase));
    } else if (const auto still = m_open.find(&t); still != m_open.end()) {
      check_time(still->second, delay);
      over(t);
    } else if (given == tlm::BEGIN_RESP && known) {
      error(rule::return_value, "the response was ended twice");
    }
    return status;
  }

  void b_transport(tlm::tlm_generic_payload& t, sc_core::sc_time& delay) override {
    const auto kind = sc_core::sc_get_current_process_handle().proc_kind();
    if (kind != sc_core::SC_THREAD_PROC_ && kind != sc_core::SC_CTHREAD_PROC_)
      error(rule::blocking, "b_transport outside a thread (11.1.1.4 b)");
    if (m_open.count(&t) != 0)
      error(rule::blocking, "b_transport with a transaction that is on the non-blocking path (15.2.10 c)");
    check_request(t);
    transaction x;
    x.command = t.get_command();
    x.address = t.get_address();
    x.data = t.get_data_ptr();
    x.length = t.get_data_length();
    x.streaming = t.get_streaming_width();
    x.enables = t.get_byte_enable_ptr();
    x.enable_length = t.get_byte_enable_length();
    to_target->b_transport(t, delay);
    check_response(x, t);
  }

  unsigned int transport_dbg(tlm::tlm_generic_payload& t) override {
    const unsigned moved = timeless("transport_dbg", [&] { return to_target->transport_dbg(t); });
    if (moved > t.get_data_length()) error(rule::debug, "debug transport moved more than asked for (11.3.4)");
    return moved;
  }

  bool get_direct_mem_ptr(tlm::tlm_generic_payload& t, tlm::tlm_dmi& dmi) override {
    const bool granted = to_target->get_direct_mem_ptr(t, dmi);
    if (granted) error(rule::dmi, "direct memory was granted");
    return granted;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64 begin, sc_dt::uint64 end) override {
    from_initiator->invalidate_direct_mem_ptr(begin, end);
  }

  checker_options m_options;
  std::map<tlm::tlm_generic_payload*, transaction> m_open;
  tlm::tlm_generic_payload* m_request = nullptr;
  tlm::tlm_generic_payload* m_response = nullptr;
  std::array<int, static_cast<std::size_t>(rule::count_)> m_counts{};
  std::vector<std::string> m_messages;
  std::uint64_t m_requests = 0;
};

}  // namespace memwall
