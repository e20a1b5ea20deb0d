// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/link.h"
#include "hw/common/data_dir.h"

namespace memwall {

double link_params::peak_bytes_per_s() const {
  const double raw = static_cast<double>(lanes) * lane_rate.value / 8 * line_efficiency;
  return raw * packet_payload.value / (packet_payload.value + packet_overhead.value);
}

const param_table<link_params>& link_param_table() {
  static const auto table =
      param_table<link_params>("link")
          .add("preset", &link_params::preset, "values of hw/bus/links.yaml to start from; custom: the defaults here")
          .add("lanes", &link_params::lanes, "lanes a direction")
          .range(std::int64_t{1}, std::int64_t{4096})
          .add("lane_rate", &link_params::lane_rate, "raw bits a second of one lane")
          .range(bit_rate(1e6), bit_rate(1e13))
          .add("line_efficiency", &link_params::line_efficiency, "share of the raw bits left by line code, CRC and FEC")
          .range(0.01, 1.0)
          .add("packet_payload", &link_params::packet_payload,
               "largest data of one packet; the unit in which sources take turns")
          .range(byte_size(1), byte_size(65536))
          .add("packet_overhead", &link_params::packet_overhead, "framing, header, CRC of a data packet")
          .range(byte_size(0), byte_size(4096))
          .add("read_request", &link_params::read_request, "bytes that one read-request packet asks for")
          .range(byte_size(1), byte_size(1 << 20))
          .add("request_overhead", &link_params::request_overhead, "bytes of a read-request packet")
          .range(byte_size(0), byte_size(4096))
          .add("latency", &link_params::latency, "one way")
          .range(duration(0), duration(1))
          .add("credits", &link_params::credits,
               "data in flight that the receiver's buffers allow; limits a direction to credits / round "
               "trip; 0 B: no limit")
          .range(byte_size(0), byte_size(1ull << 40))
          .add("outstanding", &link_params::outstanding, "transfers in flight; 0: no limit")
          .range(std::int64_t{0}, std::int64_t{1} << 20)
          .add("energy_per_bit", &link_params::energy_per_bit, "energy to move one bit across, both ends")
          .range(energy(0), energy(1e-9));
  return table;
}

namespace {

config::node presets() {
  const std::string path = data_path("hw/bus/links.yaml");
  if (path.empty())
    throw input_error(problem{"", "", "hw/bus/links.yaml is missing", "the data files of memwall ($MEMWALL_DATA)", ""});
  return config::node::parse_file(path);
}

const std::vector<std::string> about_preset = {"source", "assumed"};

}  // namespace

std::vector<std::string> link_preset_names() {
  std::vector<std::string> out;
  const config::node all = presets();
  for (const auto& [name, unused] : all.entries()) out.push_back(name);
  return out;
}

link_params link_preset(const std::string& name, const std::string& where, const std::string& key) {
  const config::node all = presets();
  const config::node* found = all.find(name);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const auto& [n, unused] : all.entries()) names.push_back(n);
    throw input_error(problem{where, key, "unknown link preset '" + name + "'", "one of: custom, " + joined(names),
                              nearest_name(name, names)});
  }
  link_params p = link_param_table().read(*found, name, about_preset);
  p.preset = name;
  return p;
}

link_params read_link_params(const config::node& map, problem_list& problems, const std::string& path,
                             const std::vector<std::string>& ignore) {
  link_params p;
  if (const auto* preset = map.find("preset"); preset != nullptr && preset->is_scalar() && preset->text() != "custom") {
    try {
      p = link_preset(preset->text(), preset->where(), path.empty() ? "preset" : path + ".preset");
    } catch (const input_error& e) {
      for (const auto& problem : e.problems()) problems.add(problem);
    }
  }
  link_param_table().read(map, p, problems, path, ignore);
  return p;
}

}  // namespace memwall
