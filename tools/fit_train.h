// SPDX-License-Identifier: Apache-2.0
// memwall fit --phase train: what a training step keeps on each device, and what would make it fit.
#pragma once
#include <string>
#include <vector>

#include "models/device.h"
#include "models/training.h"

namespace CLI {
class App;
}

namespace memwall::tools {

/// Options of a training step, as typed.
struct training_options {
  std::string micro_batch = "1", prompt = "2048", optimizer = "adamw", recompute = "none", sharding = "none";
  std::vector<std::string> sets;

  void add_to(CLI::App& app);
  /// An option that was given another value than it has by default; "" when there is none.
  std::string given() const;
  /// Throws input_error with every problem found. `batch`: as typed.
  training_setup resolve(const std::string& batch) const;
};

/// Prints a table, or JSON, for every model on every group of devices.
void print_training_fit(const training_setup& setup, const std::vector<model>& models,
                        const std::vector<device_group>& devices, bool json);

}  // namespace memwall::tools
