// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace memwall::cim {

/// One published figure against the simulated one.
struct validation_row {
  std::string category;  ///< "cim macro", "dram-bank GEMV", ...
  std::string name;      ///< chip and operating point
  std::string quantity;  ///< "mvm_time", "energy_per_mvm", "tops", "cycles_pim", ...
  std::string unit;
  double measured = 0, simulated = 0;
  std::string kind;  ///< "calibration": a parameter was fitted on it; "validation": none was
  std::string source;
  double error() const { return measured != 0 ? simulated / measured - 1 : 0; }
};

/// Every CIM row that ships with memwall (hw/cim/data), simulated now.
std::vector<validation_row> validate_cim();

}  // namespace memwall::cim
