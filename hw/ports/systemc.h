// SPDX-License-Identifier: Apache-2.0
// The only place that knows SystemC versions (2.3.4 and 3.x). Everything else that needs SystemC includes
// this.
#pragma once
#include <cstdint>
#include <functional>
#include <systemc>
#include <tlm>

#include "hw/common/quantity.h"

// SC_HAS_PROCESS is a deprecation warning in 3.x, where SC_METHOD needs no declaration any more.
#if SC_VERSION_MAJOR >= 3
#define MW_HAS_PROCESS(module) static_assert(true, "")
#else
#define MW_HAS_PROCESS(module) using SC_CURRENT_USER_MODULE = module
#endif

namespace memwall {

/// What is constructed while this lives becomes a child of `module`, also outside its constructor. Before
/// elaboration ends.
class child_of {
 public:
#if SC_VERSION_MAJOR >= 3
  explicit child_of(sc_core::sc_module& module) : m_scope(opened::scope(module)) {}

 private:
  // The scope of a module is its own affair (protected); here others ask for it, on behalf of the module.
  struct opened : sc_core::sc_module {
    static sc_core::sc_hierarchy_scope scope(sc_core::sc_module& m) { return (m.*(&opened::get_hierarchy_scope))(); }
  };
  sc_core::sc_hierarchy_scope m_scope;
#else
  explicit child_of(sc_core::sc_module& module) : m_context(*module.simcontext()) {
    m_context.hierarchy_push(&module);
  }
  ~child_of() {
    m_context.hierarchy_pop();
  }
  child_of(const child_of&) = delete;
  child_of& operator=(const child_of&) = delete;

 private:
  sc_core::sc_simcontext& m_context;
#endif
};

/// A method of the module under construction that runs `what` whenever `wake` is notified, and not at the start.
void run_on(sc_core::sc_event& wake, const char* name, std::function<void()> what);

/// Kernel ticks in one picosecond. The resolution must be 1 ps (the default of SystemC) or finer; anything
/// else is fatal. Fixed at the first call, as the kernel itself fixes the resolution with the first sc_time.
std::uint64_t ticks_per_ps();

/// Edge of the SystemC world: picoseconds to sc_time. Negative times are a bug of the caller.
inline sc_core::sc_time to_sc_time(ps_t t) {
  return sc_core::sc_time::from_value(static_cast<std::uint64_t>(t) * ticks_per_ps());
}
/// sc_time to picoseconds, rounded up: nothing happens earlier than the kernel says.
inline ps_t to_ps(const sc_core::sc_time& t) {
  const std::uint64_t ticks = ticks_per_ps();
  return static_cast<ps_t>(ticks == 1 ? t.value() : (t.value() + ticks - 1) / ticks);
}
/// The simulated time now.
inline ps_t now_ps() {
  return to_ps(sc_core::sc_time_stamp());
}

}  // namespace memwall
