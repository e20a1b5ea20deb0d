// SPDX-License-Identifier: Apache-2.0
// Physical quantities as distinct types, so that a latency cannot be passed for a bandwidth.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace memwall {

/// Simulated time in picoseconds: the one time base outside the DRAM engine's clock cycles. Runs end at 9,000 s: buses
/// and cores count femtoseconds.
using ps_t = std::int64_t;
constexpr ps_t never = INT64_MAX;
constexpr ps_t operator""_ps(unsigned long long v) {
  return static_cast<ps_t>(v);
}
constexpr ps_t operator""_ns(unsigned long long v) {
  return static_cast<ps_t>(v) * 1000;
}
constexpr ps_t operator""_us(unsigned long long v) {
  return static_cast<ps_t>(v) * 1'000'000;
}

/// A quantity of one dimension. `value` is in the dimension's base unit (see the aliases).
template <class Dimension>
struct quantity {
  double value = 0;
  constexpr quantity() = default;
  constexpr explicit quantity(double v) : value(v) {}
  friend constexpr bool operator==(quantity a, quantity b) { return a.value == b.value; }
  friend constexpr bool operator!=(quantity a, quantity b) { return a.value != b.value; }
  friend constexpr bool operator<(quantity a, quantity b) { return a.value < b.value; }
  friend constexpr quantity operator+(quantity a, quantity b) { return quantity(a.value + b.value); }
  friend constexpr quantity operator*(quantity a, double f) { return quantity(a.value * f); }
  friend constexpr double operator/(quantity a, quantity b) { return a.value / b.value; }
};

namespace dimension {
struct time {
  static constexpr const char* name = "time";
};
struct frequency {
  static constexpr const char* name = "frequency";
};
struct size {
  static constexpr const char* name = "size";
};
struct bandwidth {
  static constexpr const char* name = "bandwidth";
};
struct bit_rate {
  static constexpr const char* name = "bit rate";
};
struct energy {
  static constexpr const char* name = "energy";
};
struct power {
  static constexpr const char* name = "power";
};
struct rate {
  static constexpr const char* name = "operation rate";
};
struct area {
  static constexpr const char* name = "area";
};
struct voltage {
  static constexpr const char* name = "voltage";
};
}  // namespace dimension

using duration = quantity<dimension::time>;        ///< seconds
using frequency = quantity<dimension::frequency>;  ///< hertz
using byte_size = quantity<dimension::size>;       ///< bytes
using bandwidth = quantity<dimension::bandwidth>;  ///< bytes per second
using bit_rate = quantity<dimension::bit_rate>;    ///< bits per second (a pin, a lane)
using energy = quantity<dimension::energy>;        ///< joules
using power = quantity<dimension::power>;          ///< watts
using op_rate = quantity<dimension::rate>;         ///< operations per second (a MAC is two)
using area = quantity<dimension::area>;            ///< square metres
using voltage = quantity<dimension::voltage>;      ///< volts

/// Nearest picosecond.
constexpr ps_t to_ps(duration d) {
  return static_cast<ps_t>(d.value * 1e12 + (d.value < 0 ? -0.5 : 0.5));
}
constexpr ps_t period_ps(frequency f) {
  return static_cast<ps_t>(1e12 / f.value + 0.5);
}
constexpr std::int64_t to_bytes(byte_size s) {
  return static_cast<std::int64_t>(s.value + 0.5);
}
constexpr double to_pj(energy e) {
  return e.value * 1e12;
}

/// Parses "14 ns", "3.2 Gbps", "64 KiB", "1.4 pJ" into the base unit of the named dimension. A space is optional.
/// Returns false (and says in `expected` which units would be right) when the number or the unit is wrong.
bool parse_quantity(std::string_view text, std::string_view dimension_name, double& value, std::string& expected);

/// Prints a base-unit value with the unit that keeps it readable, e.g. (1.4e-12, "energy") -> "1.4 pJ".
/// parse_quantity(format_quantity(x)) == x.
std::string format_quantity(double value, std::string_view dimension_name);

}  // namespace memwall
