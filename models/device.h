// SPDX-License-Identifier: Apache-2.0
// Devices with a memory, and which models fit in it: the table the memory wall starts from.
#pragma once
#include <string>
#include <vector>

#include "hw/common/quantity.h"
#include "models/model.h"

namespace memwall {

/// One device as it is sold, from models/devices.yaml.
struct device {
  std::string name;   ///< "h100-sxm5-80gb"
  std::string alias;  ///< "h100"; may be empty
  std::string kind;   ///< "gpu", "cpu"
  byte_size memory;
  std::string memory_type;
  bandwidth memory_bandwidth;  ///< of the data sheet
  op_rate tensor16_rate;       ///< dense 16-bit matrix products
  power tdp;
  std::string source;
};

/// All devices, in the order of the file. Throws input_error when the file is defective.
std::vector<device> load_devices();
/// Reads such a file's text; `where` stands for it in messages.
std::vector<device> parse_devices(const std::string& text, const std::string& where);

/// Some devices of one kind whose memories count together: "h100-sxm5-80gb", "4xh100".
struct device_group {
  std::string name;  ///< as the user wrote it
  device what;
  std::int64_t count = 1;
  std::int64_t memory() const { return count * to_bytes(what.memory); }
};
/// Throws input_error with the nearest name.
device_group find_devices(const std::vector<device>& known, const std::string& name);

/// What a model needs once in one set of types: all weights and, where context > 0, the KV cache of `batch`
/// sequences. Activations, copies on several devices and what a runtime keeps for itself are not counted.
struct footprint {
  std::int64_t weights = 0, kv = 0;
  std::int64_t total() const { return weights + kv; }
};
footprint footprint_of(const model& m, const dtypes& types, std::int64_t batch, std::int64_t context);

}  // namespace memwall
