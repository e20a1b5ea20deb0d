// SPDX-License-Identifier: Apache-2.0
// Initiators and targets without any manners: each test says itself what they answer. For the checker and the
// ports.
#pragma once
#include <functional>
#include <vector>

#include "hw/ports/transfer.h"

namespace memwall {

/// Runs things at given times.
class stage : public sc_core::sc_module {
 public:
  explicit stage(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {}
  /// `thread`: may wait.
  void at(ps_t time, std::function<void()> what, bool thread = false) {
    if (thread) {
      sc_core::sc_spawn([time, what] {
        sc_core::wait(to_sc_time(time));
        what();
      });
      return;
    }
    m_events.push_back(std::make_unique<sc_core::sc_event>());
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(m_events.back().get());
    sc_core::sc_spawn(what, sc_core::sc_gen_unique_name("act"), &options);
    m_events.back()->notify(to_sc_time(time));
  }

 private:
  std::vector<std::unique_ptr<sc_core::sc_event>> m_events;
};

struct call {
  ps_t at;
  tlm::tlm_phase phase;
  transfer* t;
};

class raw_initiator : public sc_core::sc_module, private tlm::tlm_bw_transport_if<> {
 public:
  tlm::tlm_initiator_socket<> socket{"socket"};
  payload_pool pool;
  std::vector<call> calls;  ///< those of the target
  std::function<tlm::tlm_sync_enum(transfer&, tlm::tlm_phase&, sc_core::sc_time&)> answer;

  explicit raw_initiator(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    socket.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
  }
  transfer& make(std::uint64_t address = 0, unsigned bytes = 64) {
    transfer& t = pool.make(tlm::TLM_READ_COMMAND, address, bytes);
    t.acquire();
    return t;
  }
  tlm::tlm_sync_enum send(transfer& t, tlm::tlm_phase phase, ps_t delay = 0) {
    last_phase = phase;
    last_delay = to_sc_time(delay);
    return socket->nb_transport_fw(t, last_phase, last_delay);
  }
  tlm::tlm_phase last_phase;
  sc_core::sc_time last_delay;

 private:
  tlm::tlm_sync_enum nb_transport_bw(transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) override {
    calls.push_back({now_ps() + to_ps(delay), phase, &t});
    return answer ? answer(t, phase, delay) : tlm::TLM_ACCEPTED;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
};

class raw_target : public sc_core::sc_module, private tlm::tlm_fw_transport_if<> {
 public:
  tlm::tlm_target_socket<> socket{"socket"};
  std::vector<call> calls;  ///< those of the initiator
  std::function<tlm::tlm_sync_enum(transfer&, tlm::tlm_phase&, sc_core::sc_time&)> answer;
  std::function<unsigned(transfer&)> debug;
  bool grants_dmi = false;

  explicit raw_target(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    socket.bind(static_cast<tlm::tlm_fw_transport_if<>&>(*this));
  }
  tlm::tlm_sync_enum send(transfer& t, tlm::tlm_phase phase, ps_t delay = 0) {
    last_phase = phase;
    last_delay = to_sc_time(delay);
    return socket->nb_transport_bw(t, last_phase, last_delay);
  }
  tlm::tlm_phase last_phase;
  sc_core::sc_time last_delay;

 private:
  tlm::tlm_sync_enum nb_transport_fw(transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) override {
    calls.push_back({now_ps() + to_ps(delay), phase, &t});
    return answer ? answer(t, phase, delay) : tlm::TLM_ACCEPTED;
  }
  void b_transport(transfer& t, sc_core::sc_time&) override { t.set_response_status(tlm::TLM_OK_RESPONSE); }
  bool get_direct_mem_ptr(transfer&, tlm::tlm_dmi&) override { return grants_dmi; }
  unsigned int transport_dbg(transfer& t) override { return debug ? debug(t) : 0; }
};

}  // namespace memwall
