// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/event_loop.h"

#include <algorithm>
#include <chrono>

#include "hw/ports/systemc.h"

namespace memwall::platforms {
namespace {

using clock = std::chrono::steady_clock;

constexpr ps_t first_slice = 100'000;  // small enough at burst level on any platform
constexpr ps_t longest_slice = 1'000'000'000'000;
// Where a slice takes less it may be longer, where it takes more it must be shorter.
constexpr auto short_slice = std::chrono::milliseconds(10), long_slice = std::chrono::milliseconds(40);

bool running() {
  return sc_core::sc_get_status() != sc_core::SC_STOPPED;
}

/// Time to the next event; `never`: there is none.
ps_t to_next_event() {
  if (!sc_core::sc_pending_activity()) return never;
  return sc_core::sc_pending_activity_at_current_time() ? 0 : to_ps(sc_core::sc_time_to_pending_activity());
}

}  // namespace

void event_loop::run_until(ps_t end) {
  ps_t slice = first_slice;
  if (now_ps() >= end) return;
  // Processes that have not run yet do not count as activity before the first start.
  if (running() && sc_core::sc_get_status() == sc_core::SC_ELABORATION) sc_core::sc_start(sc_core::SC_ZERO_TIME);
  while (running() && now_ps() < end) {
    if (m_stop_asked && m_stop_asked()) {
      m_stopped = true;
      sc_core::sc_stop();
      return;
    }
    const ps_t idle = to_next_event();
    if (idle == never && end == never) return;
    const ps_t left = end == never ? never : end - now_ps();
    const ps_t length = idle == never ? left : std::min(left, idle + slice);
    const auto begin = clock::now();
    sc_core::sc_start(to_sc_time(length));
    const auto took = clock::now() - begin;
    if (took < short_slice) slice = std::min(2 * slice, longest_slice);
    if (took > long_slice) slice = std::max<ps_t>(slice / 2, 1000);
  }
}

}  // namespace memwall::platforms
