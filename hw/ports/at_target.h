// SPDX-License-Identifier: Apache-2.0
// The target's half of the TLM-2.0 base protocol, written once.
#pragma once
#include <functional>
#include <string>

#include "hw/ports/ring.h"
#include "hw/ports/transfer.h"

namespace memwall {

/// A target socket that speaks transfers instead of phases: request exclusion by withheld END_REQ, response
/// exclusion, both return paths, early completion, annotated delays, b_transport (for threads), debug
/// transport. DMI is refused: it would bypass the bus and with it every number about contention.
///
// clang-format off
///   at_target_port port{"port"};
///   port.on_request = [this](transfer& t) { queue.push(t); return !queue.full(); };  // false: not now
///   port.accept();    // room again: ends the withheld request
///   port.respond(t);  // data there, response status set; queued while the initiator withholds the end of another one
// clang-format on
///
/// Every transfer seen has a transfer_info, also from foreign initiators. It stays valid until on_done
/// returns.
class at_target_port : public tlm::tlm_target_socket<>, private tlm::tlm_fw_transport_if<> {
 public:
  /// Construct inside an sc_module.
  explicit at_target_port(const char* name);
  ~at_target_port() override;

  /// A request arrived. True: request phase over, the next may come. False: withheld until accept() (or until
  /// its response). respond(t) may be called from inside (early completion).
  std::function<bool(transfer&)> on_request;
  /// The initiator has taken the response; t is released when this returns. May be unset.
  std::function<void(transfer&)> on_done;
  /// Debug transport: moves bytes, returns how many. Unset: 0.
  std::function<unsigned(transfer&)> on_debug;

  /// True while a request is withheld.
  bool withholding() const { return m_withheld != nullptr; }
  /// Ends the withheld request; a next request may arrive before this returns.
  void accept();
  /// Sends the response of t (response status must be set) now, or as soon as the response phase is free.
  void respond(transfer& t);
  /// Responses not yet taken by the initiator (the one in progress included).
  std::size_t responses_waiting() const { return m_responses.size(); }

 private:
  enum class event : std::uint8_t { request_begin, response_end, try_responses };
  struct pending {
    ps_t at = 0;
    transfer* t = nullptr;
    event what = event::request_begin;
  };
  struct blocking_call;
  tlm::tlm_sync_enum nb_transport_fw(transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) override;
  void b_transport(transfer& t, sc_core::sc_time& delay) override;
  bool get_direct_mem_ptr(transfer& t, tlm::tlm_dmi& dmi) override;
  unsigned int transport_dbg(transfer& t) override;
  bool is_blocking(const transfer& t) const;
  void adopt(transfer& t);
  enum class outcome { accepted, withheld, answered };
  outcome take(transfer& t);
  void later(transfer& t, event what, ps_t at);
  void run_pending();
  void send_responses();
  void response_ended();
  void done(transfer& t);

  payload_pool m_blocking_pool;              // carriers of b_transport calls
  std::vector<transfer_info*> m_spare_info;  // for payloads of foreign initiators
  int m_blocking = 0;                        // b_transport calls in progress
  sc_core::sc_event m_request_free;          // for b_transport callers that wait for the request phase
  transfer* m_withheld = nullptr;            // request phase open
  transfer* m_taking = nullptr;              // inside on_request
  bool m_answered = false;                   // respond() was called inside on_request
  bool m_responding = false;                 // a BEGIN_RESP is waiting for its END_RESP
  bool m_in_send = false;
  ring<transfer*> m_responses;  // front: in progress when m_responding
  ring<pending> m_pending;
  sc_core::sc_event m_due;
};

}  // namespace memwall
