// SPDX-License-Identifier: Apache-2.0
// What several macro families need of circuits: supply-voltage scaling, adder counts, numbers from a seed.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "hw/common/error.h"
#include "hw/common/params.h"
#include "hw/common/quantity.h"

namespace memwall::cim {

/// Supply voltage: energies go with V (V - swing_offset), which is V^2 by default; speeds with the
/// alpha-power law (V - threshold)^exponent / V (Sakurai and Newton, JSSC 1990), or with published clocks
/// where there are some.
struct supply {
  voltage nominal{0.9};  ///< at which the preset's times and energies hold
  voltage actual{0};     ///< 0: nominal
  voltage threshold{0.3};
  double velocity_exponent = 1.3;
  voltage swing_offset{0};
  std::map<std::string, frequency> clock_at;  ///< "0.85 V": 40 MHz; between two points linear

  double volts() const { return actual.value > 0 ? actual.value : nominal.value; }
  double energy_factor() const;  ///< energy at `actual` / energy at `nominal`
  double speed_factor() const;   ///< clock at `actual` / clock at `nominal`
  /// Adds problems for voltages at or below the threshold or the swing offset, and for clock_at keys that are
  /// no voltages.
  void check(problem_list& problems, const std::string& path) const;
};

/// Adds the supply's parameters to the table of a struct derived from it, and those that every SRAM or crossbar macro
/// has: its leakage and its update port.
template <class P>
void add_supply(param_table<P>& t) {
  t.add("leakage", &P::leakage, "of the macro, at the nominal supply").range(power(0), power(1e3));
  t.add("concurrent_write", &P::concurrent_write, "a weight set can be written while another computes");
  const auto volt = [](voltage supply::*m) { return static_cast<voltage P::*>(m); };
  t.add("nominal_voltage", volt(&supply::nominal), "supply at which times and energies are given")
      .range(voltage(0.1), voltage(5.0))
      .add("voltage", volt(&supply::actual), "supply used; 0 V: the nominal one")
      .range(voltage(0.0), voltage(5.0))
      .add("threshold", volt(&supply::threshold), "transistor threshold in the alpha-power law")
      .range(voltage(0.0), voltage(2.0))
      .add("velocity_exponent", static_cast<double P::*>(&supply::velocity_exponent), "exponent of the alpha-power law",
           "Sakurai and Newton, JSSC 1990")
      .range(1.0, 2.0)
      .add("swing_offset", volt(&supply::swing_offset), "energy goes with V (V - swing_offset); 0 V: with the square")
      .range(voltage(0.0), voltage(2.0))
      .add("clock_at", static_cast<std::map<std::string, frequency> P::*>(&supply::clock_at),
           "published clocks by supply, {0.85 V: 40 MHz}; replaces the alpha-power law");
}

/// Throws when a shape or a width does not fit; `limits` is shape(w_bits) of the macro.
struct mvm_shape;
struct geometry;
void check_mvm(const std::string& kind, const mvm_shape& s, const geometry& limits, int max_in_bits, int max_w_bits);
/// Throws when a value of rows x cols weights is outside `format`.
struct number_format;
void check_weights(const std::string& kind, const std::int32_t* weights, std::int64_t rows, std::int64_t cols,
                   const number_format& format, const geometry& limits, int max_w_bits);

/// One-bit additions that sum `rows` numbers of `bits` bits: a balanced tree, or a chain whose sum is carried
/// at full width.
double tree_adder_bits(std::int64_t rows, int bits);
double chain_adder_bits(std::int64_t rows, int bits);
int ceil_log2(std::int64_t n);

/// A number in [0, 1) and a standard normal number for a seed and an index. No state, no libm: equal on every
/// machine.
std::uint64_t hash(std::uint64_t seed, std::uint64_t index);
double uniform(std::uint64_t seed, std::uint64_t index);
double gaussian(std::uint64_t seed, std::uint64_t index);
/// Logarithm and exponential from IEEE arithmetic alone, to about 1e-15.
double portable_log(double x);
double portable_exp(double x);

}  // namespace memwall::cim
