// SPDX-License-Identifier: Apache-2.0
// Point-to-point full-duplex link (PCIe, NVLink, die-to-die) as a bridge between an initiator and a target.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/bus/bus_report.h"
#include "hw/common/error.h"
#include "hw/common/params.h"
#include "hw/common/probe.h"
#include "hw/ports/at_initiator.h"
#include "hw/ports/at_target.h"

namespace memwall {

/// Parameters of a link. `preset` fills the rest from hw/bus/links.yaml; keys given beside it win.
struct link_params {
  std::string preset = "custom";
  std::int64_t lanes = 1;          ///< a direction
  bit_rate lane_rate{32e9};        ///< raw, a lane and direction
  double line_efficiency = 1;      ///< payload of the line code: 128b/130b = 0.98462, flits 242/256
  byte_size packet_payload{256};   ///< largest data of a packet (PCIe: max payload size)
  byte_size packet_overhead{24};   ///< framing, header, CRC of a data packet
  byte_size read_request{512};     ///< bytes one read-request packet asks for
  byte_size request_overhead{24};  ///< bytes of a read-request packet on the wire
  duration latency{300e-9};        ///< one way, initiator side to target side
  byte_size credits{0};            ///< data in flight that the receiver's buffers allow; 0: never the limit
  std::int64_t outstanding = 0;    ///< transfers in flight; 0: no limit
  energy energy_per_bit{0};
  /// Data bytes a second in one direction, packets full.
  double peak_bytes_per_s() const;
};
const param_table<link_params>& link_param_table();
std::vector<std::string> link_preset_names();
/// The preset's values (NAME, or NAME with the number of lanes or links: "pcie5", "nvlink4"). Throws
/// input_error.
link_params link_preset(const std::string& name, const std::string& where = {}, const std::string& key = {});
/// Reads `map`: the preset first, then the other keys.
link_params read_link_params(const config::node& map, problem_list& problems, const std::string& path,
                             const std::vector<std::string>& ignore = {});

/// Requests and write data go from `upstream` to `downstream`, read data comes back; the two directions do
/// not disturb each other. Sources share a direction packet by packet, whatever their transfer size.
class link : public sc_core::sc_module {
 public:
  link(const sc_core::sc_module_name& name, const link_params& params);
  ~link() override;

  at_target_port upstream;       ///< bind an initiator (or a bus's target side) to it
  at_initiator_port downstream;  ///< bind it to a target (or to a bus's initiator side)

  bus_report report() const;  ///< topology "link", channels "forward" and "backward", one initiator entry a source id
  /// What report() calls a source; "source N" otherwise.
  void name_sources(std::function<std::string(int id)> names);
  probe_list probes();
  void observe(transfer_observer* observer);

 private:
  struct impl;
  std::unique_ptr<impl> m_impl;
};

}  // namespace memwall
