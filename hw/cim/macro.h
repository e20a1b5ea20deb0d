// SPDX-License-Identifier: Apache-2.0
// The one interface of every compute-in-memory macro: what an array costs (time, energy, area, wear) and what
// it computes. Plain C++: the SystemC shell, the mapper and the tools all see macros through this header
// only.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "hw/common/config.h"
#include "hw/common/params.h"
#include "hw/common/quantity.h"
#include "hw/common/registry.h"
#include "hw/common/stall.h"

namespace memwall::cim {

/// Where energy and area go.
enum class component : std::uint8_t { array, dac, adc, digital, buffer, dram, leakage, count_ };
constexpr std::size_t component_count = static_cast<std::size_t>(component::count_);
constexpr const char* component_name(component c) {
  constexpr const char* names[component_count] = {"array", "dac", "adc", "digital", "buffer", "dram", "leakage"};
  return names[static_cast<std::size_t>(c)];
}

/// A number for each component. Energies in picojoules, areas in square millimetres.
struct breakdown {
  std::array<double, component_count> part{};
  double& operator[](component c) { return part[static_cast<std::size_t>(c)]; }
  double operator[](component c) const { return part[static_cast<std::size_t>(c)]; }
  double sum() const {
    double total = 0;
    for (const double p : part) total += p;
    return total;
  }
  breakdown& operator+=(const breakdown& o) {
    for (std::size_t i = 0; i < component_count; ++i) part[i] += o.part[i];
    return *this;
  }
  breakdown scaled(double f) const {
    breakdown out = *this;
    for (double& p : out.part) p *= f;
    return out;
  }
};

/// One use of one macro: `vectors` input vectors of `rows` numbers, each against the same `rows` x `cols`
/// weights.
struct mvm_shape {
  std::int64_t rows = 0;     ///< inputs used, at most geometry.rows
  std::int64_t cols = 0;     ///< logical outputs used, at most geometry.cols
  std::int64_t vectors = 1;  ///< input vectors, one after another (batch x tokens)
  int in_bits = 8, w_bits = 8;
  int out_bits = 0;  ///< 0: what the macro gives by itself
};

/// Time, energy and port traffic of one mvm_shape on one macro.
struct mvm_cost {
  ps_t total = 0;     ///< first input to last output
  ps_t interval = 0;  ///< steady state: from one vector to the next
  stall_stack parts;  ///< exposed time by cause (cim_input, cim_array, cim_adc, cim_digital, dram_*); sums to total
  breakdown energy;   ///< pJ, leakage over `total` included
  std::int64_t input_bytes = 0, output_bytes = 0;  ///< through the macro's port
};

/// Time, energy and wear of writing weights into one macro.
struct program_cost {
  ps_t total = 0;
  breakdown energy;              ///< pJ
  std::int64_t cell_writes = 0;  ///< cells written, each once (wear counts these)
  std::int64_t bytes = 0;        ///< weight bytes through the macro's port
};

/// What fits into one macro at one weight width.
struct geometry {
  std::int64_t rows = 0, cols = 0;  ///< largest K x N of one mvm
  int sets = 1;                     ///< weight sets that share the compute circuits (rows x cols each)
  std::int64_t weights = 0;         ///< capacity in weights (rows x cols x sets, or bank capacity when flexible)
  /// DRAM banks: any K x N up to `weights` runs as one mvm (rows and cols are then the limits of one
  /// dimension).
  bool flexible = false;
  std::int64_t row_quantum = 1, col_quantum = 1;  ///< K and N are padded to these inside the macro
};

/// Integer range of inputs or weights.
struct number_format {
  int bits = 8;
  bool is_signed = true;
  std::int64_t low() const { return is_signed ? -(std::int64_t{1} << (bits - 1)) : 0; }
  std::int64_t high() const { return (std::int64_t{1} << (is_signed ? bits - 1 : bits)) - 1; }
};

/// Weights held by a macro, ready to compute. Deterministic: the same seed gives the same values on any
/// machine.
class programmed_array {
 public:
  virtual ~programmed_array() = default;
  /// `inputs`: `rows` integers in the range of `in`. `outputs`: `cols` values in units of the integer
  /// product; exact integers from digital macros and from ideal analog ones. `age`: seconds since programming
  /// (drift). `read`: number of this read, which seeds read noise.
  virtual void compute(const std::int32_t* inputs, number_format in, double* outputs, double age = 0,
                       std::uint64_t read = 0) const = 0;
  /// `vectors` inputs one after another, as that many calls of compute() with read numbers from `read` on: while the
  /// weights are at hand.
  virtual void compute_many(const std::int32_t* inputs, std::int64_t vectors, number_format in, double* outputs,
                            double age = 0, std::uint64_t read = 0) const {
    for (std::int64_t v = 0; v < vectors; ++v)
      compute(inputs + v * rows(), in, outputs + v * cols(), age, read + static_cast<std::uint64_t>(v));
  }
  /// Of an array that holds real numbers (macro::hold_reals): `vectors` inputs in the units' floating-point arithmetic.
  virtual void compute_reals(const float* /*inputs*/, std::int64_t /*vectors*/, float* /*outputs*/) const {
    throw std::logic_error("this array holds integers");
  }
  /// From now on the array is read at this age only, so that it may keep less: two bytes a weight and slice.
  virtual void settle(double /*age*/) {}
  virtual std::int64_t rows() const = 0;
  virtual std::int64_t cols() const = 0;
};

/// One kind of array with one set of parameters. Immutable: thousands of identical macros share one object.
class macro {
 public:
  virtual ~macro() = default;
  virtual const std::string& kind() const = 0;  ///< name in the registry

  virtual geometry shape(int w_bits) const = 0;
  virtual int max_in_bits() const = 0;
  virtual int max_w_bits() const = 0;
  /// Width of one output as the macro's port carries it, when nothing else is asked for.
  virtual int natural_out_bits(const mvm_shape& s) const = 0;

  /// Throws input_error when the shape is outside shape(w_bits) or a width outside the macro's range.
  virtual mvm_cost mvm(const mvm_shape& s) const = 0;
  /// Ceiling of multiply-accumulates a second, whatever the shape; 0: that of a full-size mvm().
  virtual double peak_macs_per_s() const { return 0; }
  virtual program_cost program(std::int64_t rows, std::int64_t cols, int w_bits) const = 0;
  /// Other weights (another set) can be written while the array computes.
  virtual bool concurrent_program() const = 0;
  /// False for DRAM banks: the memory is unreachable for others while it computes.
  virtual bool shares_memory() const { return false; }

  /// `weights`: rows x cols, weights[r * cols + c]. Throws input_error on a value outside `format` or a shape
  /// that does not fit.
  virtual std::unique_ptr<programmed_array> program_weights(const std::int32_t* weights, std::int64_t rows,
                                                            std::int64_t cols, number_format format,
                                                            std::uint64_t seed) const = 0;

  /// Whether its units compute on floating-point numbers (DRAM banks): then weights and inputs go in as they are.
  virtual bool is_floating() const { return false; }
  /// Real weights for such units, rows x cols.
  virtual std::unique_ptr<programmed_array> hold_reals(const float* /*weights*/, std::int64_t /*rows*/,
                                                       std::int64_t /*cols*/) const {
    throw std::logic_error("this macro computes on integers");
  }

  virtual breakdown area() const = 0;     ///< mm2, one macro
  virtual double leakage_mw() const = 0;  ///< one macro, weights kept
  /// Writes a cell survives; infinite where writing does not wear.
  virtual double endurance() const { return std::numeric_limits<double>::infinity(); }
  virtual nlohmann::ordered_json parameters() const = 0;  ///< resolved, readable back
};

/// How a kind of macro is made and described.
struct macro_kind {
  /// Reads the parameters (keys `type`, `base`, `description`, `sources` are skipped); every problem is
  /// thrown at once.
  std::function<std::unique_ptr<const macro>(const config::node& parameters, const std::string& path)> make;
  std::function<std::vector<param_info>()> describe;
};

/// "digital_sram", "analog_crossbar", "dram_bank", and what others add from their own .cpp with one line.
registry<macro_kind>& macros();
using macro_entry = registered<&macros>;

/// Names of the presets in hw/cim/presets: "hermes", "neurram", ...
std::vector<std::string> macro_preset_names();
/// A preset's tree with its `base:` chain merged. `name` may be a path to a YAML file. Throws input_error
/// (nearest name, cycles).
config::node load_macro_tree(const std::string& name);
/// The macro described by a tree: `base:` (a preset or a file) first, then the tree's own keys. `path`
/// prefixes keys in messages.
std::unique_ptr<const macro> make_macro(const config::node& tree, const std::string& path = {});
/// Preset or file by name.
std::unique_ptr<const macro> load_macro(const std::string& name);

}  // namespace memwall::cim
