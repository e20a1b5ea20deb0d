// SPDX-License-Identifier: Apache-2.0
#include "models/device.h"

#include "hw/common/config.h"
#include "hw/common/data_dir.h"
#include "hw/common/params.h"
#include "hw/common/text_file.h"

namespace memwall {
namespace {

const param_table<device>& table() {
  static const auto fields = param_table<device>("device")
                                 .add("alias", &device::alias, "shorter name")
                                 .add("kind", &device::kind, "what it is")
                                 .choices({"gpu", "cpu", "accelerator"})
                                 .add("memory", &device::memory, "memory of one device")
                                 .range(byte_size(1048576), byte_size(1e15))
                                 .add("memory_type", &device::memory_type, "kind of memory")
                                 .add("bandwidth", &device::memory_bandwidth, "peak bandwidth of the memory")
                                 .range(bandwidth(1e6), bandwidth(1e16))
                                 .add("tensor16_rate", &device::tensor16_rate, "dense 16-bit matrix products")
                                 .range(op_rate(0), op_rate(1e20))
                                 .add("power", &device::tdp, "thermal design power")
                                 .range(power(0), power(1e6))
                                 .add("source", &device::source, "where the figures come from");
  return fields;
}

}  // namespace

std::vector<device> parse_devices(const std::string& text, const std::string& where) {
  const auto root = config::node::parse_text(text, where);
  std::vector<device> out;
  problem_list problems;
  if (!root.is_map()) problems.add({where, "", "is not a map", "devices by name", ""});
  problems.check();
  for (const auto& [name, value] : root.entries()) {
    device d;
    table().read(value, d, problems, name);
    d.name = name;
    if (d.memory.value <= 0) problems.add({value.where(), name + ".memory", "is missing", "a size such as 80 GiB", ""});
    out.push_back(std::move(d));
  }
  problems.check();
  return out;
}

std::vector<device> load_devices() {
  const std::string path = data_path("models/devices.yaml");
  if (path.empty()) throw input_error(problem{"models/devices.yaml", "", "cannot be read", "memwall's data files", ""});
  return parse_devices(read_text_file(path, "a list of devices"), path);
}

device_group find_devices(const std::vector<device>& known, const std::string& name) {
  device_group out;
  out.name = name;
  std::string single = name;
  if (const auto x = name.find('x'); x != std::string::npos && x > 0 && name.find_first_not_of("0123456789") == x) {
    if (!detail::read_integer(name.substr(0, x), 1, 1000000, out.count))
      throw input_error(problem{"--device", "", "got '" + name + "'", "1 to 1000000 devices, as in 4xh100", ""});
    single = name.substr(x + 1);
  }
  std::vector<std::string> names;
  for (const auto& d : known) {
    if (d.name == single || (!d.alias.empty() && d.alias == single)) {
      out.what = d;
      return out;
    }
    names.push_back(d.name);
    if (!d.alias.empty()) names.push_back(d.alias);
  }
  throw input_error(problem{"--device", "", "unknown device '" + single + "'", "one of: " + joined(names),
                            nearest_name(single, names)});
}

footprint footprint_of(const model& m, const dtypes& types, std::int64_t batch, std::int64_t context) {
  return {weight_bytes(m, types), context > 0 ? kv_bytes(m, types.kv, batch, context) : 0};
}

}  // namespace memwall
