// SPDX-License-Identifier: Apache-2.0
// The initiator's half of the TLM-2.0 base protocol, written once.
#pragma once
#include <functional>
#include <string>

#include "hw/ports/ring.h"
#include "hw/ports/transfer.h"

namespace memwall {

/// An initiator socket that speaks transfers instead of phases. It holds the whole base protocol (IEEE
/// 1666-2011 clause 15.2): request exclusion, every return value in both directions, annotated delays, early
/// completion, withheld END_RESP.
///
// clang-format off
///   at_initiator_port port{"port"};
///   port.on_complete = [this](transfer& t) { ... };  // data there, response status set, info(t).parts complete
///   port.on_ready = [this] { issue_more(); };        // the request phase is free again
///   if (port.can_send()) {
///     transfer& t = port.make(tlm::TLM_READ_COMMAND, address, bytes);
///     info(t).op = op;
///     port.send(t);
///   }
///   port.bind(fabric.add_initiator("core"));
// clang-format on
///
/// Callbacks run in the simulated time of the event and may call send() again. Payloads belong to the port:
/// valid until on_complete returns, longer for those who acquire() them.
class at_initiator_port : public tlm::tlm_initiator_socket<>, private tlm::tlm_bw_transport_if<> {
 public:
  /// Construct inside an sc_module.
  explicit at_initiator_port(const char* name);

  /// A pooled transfer with all attributes set. `bytes` > 0; `data` nullptr: timing only.
  transfer& make(tlm::tlm_command command, std::uint64_t address, std::uint64_t bytes, unsigned char* data = nullptr) {
    return m_pool.make(command, address, bytes, data);
  }
  transfer& read(std::uint64_t address, std::uint64_t bytes, unsigned char* data = nullptr) {
    return make(tlm::TLM_READ_COMMAND, address, bytes, data);
  }
  transfer& write(std::uint64_t address, std::uint64_t bytes, unsigned char* data = nullptr) {
    return make(tlm::TLM_WRITE_COMMAND, address, bytes, data);
  }

  /// False while the target withholds the end of the last request.
  bool can_send() const { return m_request == nullptr; }
  /// Starts a transfer made by make(): sets `issued`, then calls the target. Needs can_send().
  void send(transfer& t);
  /// Passes on a transfer of somebody else (an interconnect): does not touch `issued`. Needs can_send().
  void forward(transfer& t);

  /// The request phase ended some time after send() had returned: can_send() is true again.
  std::function<void()> on_ready;
  /// The response arrived. Return false to withhold the end of the response (back-pressure) and call
  /// end_response() later. Unset: always true.
  std::function<bool(transfer&)> on_response;
  /// The transfer is over: response status and read data are valid. t is released when this returns.
  std::function<void(transfer&)> on_complete;
  /// Cause of the time that nobody on the way booked (foreign modules), so that the parts always sum to the
  /// whole.
  stall unbooked = stall::idle;
  /// Ends the response that on_response withheld; on_complete follows before this returns.
  void end_response();

  /// Reads or writes at the target in no simulated time and without any statistics; returns the bytes moved.
  unsigned debug(transfer& t) { return (*this)->transport_dbg(t); }

  int outstanding() const { return m_outstanding; }  ///< transfers sent and not complete

 private:
  enum class event : std::uint8_t { request_end, response_begin, completion };
  struct pending {
    ps_t at = 0;
    transfer* t = nullptr;
    event what = event::completion;
  };
  tlm::tlm_sync_enum nb_transport_bw(transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) override;
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
  void begin(transfer& t);
  void happen(transfer& t, event what, const sc_core::sc_time& delay);
  void run_pending();
  bool end_request(transfer& t);
  bool take_response(transfer& t);
  void ready();
  void complete(transfer& t);

  payload_pool m_pool;
  transfer* m_request = nullptr;   // request phase open
  transfer* m_response = nullptr;  // response phase open (END_RESP withheld)
  bool m_sending = false;          // inside our own nb_transport_fw: can_send() is noticed by the caller, no on_ready
  int m_outstanding = 0;
  ring<pending> m_pending;  // annotated with a delay by the peer, in time order
  sc_core::sc_event m_due;
};

}  // namespace memwall
