// SPDX-License-Identifier: Apache-2.0
// What a core with memory arrays of its own can do beside computing: compute-in-memory.
#pragma once
#include <cstdint>
#include <string>

#include "hw/common/quantity.h"

namespace memwall {

/// Arrays of a core that hold weights and multiply by them.
class weight_arrays {
 public:
  virtual ~weight_arrays() = default;
  /// Bytes of weights they hold.
  virtual std::int64_t weight_capacity() const = 0;
  /// Takes room for weights of `rows` inputs x `columns` outputs at `bits` bits; says why when they do not fit, else
  /// nothing.
  virtual std::string reserve(std::int64_t rows, std::int64_t columns, double bits) = 0;

  /// Share of the cells that reserved weights take, 0 to 1: narrow weights and folding take more of them than of the
  /// bytes.
  virtual double cells_used() const = 0;

  struct program_total {
    ps_t time = 0;
    double energy_pj = 0;
    double cell_writes = 0;
    program_total& operator+=(const program_total& o) {
      time += o.time;
      energy_pj += o.energy_pj;
      cell_writes += o.cell_writes;
      return *this;
    }
  };
  /// Writes reserved weights before the run; returns what that costs.
  virtual program_total make_resident(std::uint64_t tensor, std::int64_t rows, std::int64_t columns, double bits) = 0;
  /// Called once all are written: fills what is left with copies; returns what writing those costs.
  virtual program_total replicate() = 0;
};

/// Units of a core that sit in the banks of a memory: weights and caches that lie there are used where they are, and
/// the memory stays an ordinary one for everybody else.
class bank_units {
 public:
  virtual ~bank_units() = default;
  virtual std::string memory() const = 0;           ///< its name
  virtual std::int64_t units() const = 0;           ///< how many there are, one a channel
  virtual double held_bits(double bits) const = 0;  ///< that a value of `bits` takes there: units compute on one width
};

}  // namespace memwall
