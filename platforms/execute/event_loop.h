// SPDX-License-Identifier: Apache-2.0
// Lets simulated time pass, and comes up for air.
#pragma once
#include <functional>

#include "hw/common/quantity.h"

namespace memwall::platforms {

/// SystemC runs until it is done; at burst level that can take hours. So it runs in slices of simulated time that take
/// some milliseconds of the host's, and between them somebody may look whether to go on. What happens in simulated time
/// does not depend on the slices.
class event_loop {
 public:
  /// `stop_asked` is called between slices; true ends the simulation. May be empty.
  explicit event_loop(std::function<bool()> stop_asked) : m_stop_asked(std::move(stop_asked)) {}

  /// Up to `end`; `never`: until nothing is left to happen.
  void run_until(ps_t end);
  /// It was ended by `stop_asked`.
  bool stopped() const { return m_stopped; }

 private:
  std::function<bool()> m_stop_asked;
  bool m_stopped = false;
};

}  // namespace memwall::platforms
