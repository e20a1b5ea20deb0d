// SPDX-License-Identifier: Apache-2.0
#include "hw/ports/systemc.h"

#include "hw/ports/version.h"

namespace memwall {

std::uint64_t ticks_per_ps() {
  static const std::uint64_t ticks = [] {
    const double resolution_s = sc_core::sc_get_time_resolution().to_seconds();
    const double per_ps = 1e-12 / resolution_s;
    if (per_ps < 0.5) SC_REPORT_FATAL("/memwall/time", "the time resolution must be 1 ps or finer");
    return static_cast<std::uint64_t>(per_ps + 0.5);
  }();
  return ticks;
}

void run_on(sc_core::sc_event& wake, const char* name, std::function<void()> what) {
  sc_core::sc_spawn_options options;
  options.spawn_method();
  options.dont_initialize();
  options.set_sensitivity(&wake);
  sc_core::sc_spawn(std::move(what), name, &options);
}

std::string systemc_version() {
  return std::to_string(SC_VERSION_MAJOR) + "." + std::to_string(SC_VERSION_MINOR) + "." +
         std::to_string(SC_VERSION_PATCH);
}

}  // namespace memwall

// The SystemC library wants to find this symbol; memwall's programs have a main() of their own and call
// sc_start() themselves. Weak, so that a program written around sc_main() can link memwall too.
__attribute__((weak)) int sc_main(int, char*[]) {
  return 1;
}
