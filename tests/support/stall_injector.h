// SPDX-License-Identifier: Apache-2.0
// Random delays on both paths of a link, with a fixed seed: requests forwarded late, the end of requests and
// of responses withheld, responses handed on late. What is right must stay right.
#pragma once
#include <cstdint>
#include <random>

#include "hw/ports/at_initiator.h"
#include "hw/ports/at_target.h"
#include "hw/ports/ring.h"

namespace memwall {

class stall_injector : public sc_core::sc_module {
 public:
  at_target_port from_initiator{"from_initiator"};
  at_initiator_port to_target{"to_target"};

  /// Each stall lasts up to `longest`; about a third of them are none.
  stall_injector(const sc_core::sc_module_name& name, unsigned seed, ps_t longest)
      : sc_core::sc_module(name), m_random(seed), m_longest(longest) {
    from_initiator.on_request = [this](transfer& t) {
      m_requests.push_back({next(m_last_request), &t});
      arm();
      if (m_random() % 2 == 0) return true;
      m_accept_at = now_ps() + pause();
      arm();
      return false;
    };
    from_initiator.on_debug = [this](transfer& t) { return to_target.debug(t); };
    to_target.on_ready = [this] { arm(); };
    to_target.on_response = [this](transfer&) {
      if (m_random() % 2 == 0) return true;
      m_end_at = now_ps() + pause();
      arm();
      return false;
    };
    to_target.on_complete = [this](transfer& t) {
      m_responses.push_back({next(m_last_response), &t});
      arm();
    };
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(&m_wake);
    sc_core::sc_spawn([this] { run(); }, "run", &options);
  }

 private:
  struct due {
    ps_t at = 0;
    transfer* t = nullptr;
  };
  ps_t pause() {
    return m_random() % 3 == 0 ? 0 : static_cast<ps_t>(m_random() % static_cast<std::uint64_t>(m_longest + 1));
  }
  ps_t next(ps_t& last) { return last = std::max(last, now_ps() + pause()); }

  void run() {
    const ps_t now = now_ps();
    if (m_end_at <= now) {
      m_end_at = never;
      to_target.end_response();
    }
    while (!m_requests.empty() && m_requests.front().at <= now && to_target.can_send()) {
      transfer& t = *m_requests.front().t;
      m_requests.pop_front();
      info(t).book(stall::link, now);
      to_target.forward(t);
    }
    while (!m_responses.empty() && m_responses.front().at <= now) {
      transfer& t = *m_responses.front().t;
      m_responses.pop_front();
      info(t).book(stall::link, now);
      from_initiator.respond(t);
    }
    if (m_accept_at <= now) {
      m_accept_at = never;
      if (from_initiator.withholding()) from_initiator.accept();
    }
    arm();
  }
  void arm() {
    ps_t at = std::min(m_end_at, m_accept_at);
    if (!m_requests.empty() && to_target.can_send()) at = std::min(at, m_requests.front().at);
    if (!m_responses.empty()) at = std::min(at, m_responses.front().at);
    if (at != never) m_wake.notify(to_sc_time(std::max<ps_t>(0, at - now_ps())));
  }

  std::mt19937 m_random;
  ps_t m_longest;
  ring<due> m_requests, m_responses;
  ps_t m_last_request = 0, m_last_response = 0, m_accept_at = never, m_end_at = never;
  sc_core::sc_event m_wake;
};

}  // namespace memwall
