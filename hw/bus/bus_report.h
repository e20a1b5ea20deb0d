// SPDX-License-Identifier: Apache-2.0
// What buses and links measured. Plain data: picoseconds, bytes, picojoules.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hw/common/statistics.h"
#include "hw/ports/traffic.h"

namespace memwall {

/// One initiator's view of a bus, or one source's view of a link.
struct fabric_port_report {
  std::string name;
  std::uint64_t transfers = 0;
  traffic_bytes read_bytes, write_bytes;
  /// Time not spent moving: the channel or the way to the target was held by somebody (also by own earlier
  /// transfers).
  latency_summary wait;
  std::vector<histogram_bin> wait_histogram;
  latency_summary round_trip;  ///< request in to response out
  ps_t busy_ps = 0;            ///< time its bytes occupied the channels (both directions)
};

/// Of anything that counts transfers, bytes, waits and round trips under these names.
template <class Side>
fabric_port_report port_report(const std::string& name, const Side& s) {
  fabric_port_report port;
  port.name = name;
  port.transfers = s.transfers;
  port.read_bytes = s.read_bytes;
  port.write_bytes = s.write_bytes;
  port.wait = summarize(s.wait);
  port.wait_histogram = s.wait.bins();
  port.round_trip = summarize(s.round_trip);
  return port;
}

struct fabric_target_report {
  std::string name;
  std::uint64_t base = 0, size = 0;
  std::uint64_t transfers = 0;
  std::int64_t bytes = 0;
  ps_t blocked_ps = 0;  ///< requests stood at this target because it withheld the end of a request
};

struct fabric_channel_report {
  std::string name;  ///< "read", "write"; crossbars: "read.TARGET", ...
  double peak_bytes_per_s = 0;
  std::int64_t bytes = 0;
  ps_t busy_ps = 0;
};

struct bus_report {
  std::string name;      ///< full name of the module
  std::string topology;  ///< shared | crossbar | link
  std::string arbiter;
  ps_t elapsed_ps = 0;
  double peak_bytes_per_s = 0;  ///< one direction, all channels
  std::int64_t bytes = 0;       ///< data moved, both directions
  traffic_bytes bytes_by_class;
  double utilization = 0;  ///< busy time of the busiest channel / elapsed
  double energy_pj = 0;
  std::uint64_t errors = 0;  ///< transfers answered with an error of the fabric itself (nothing mapped there)
  std::vector<fabric_port_report> initiators;
  std::vector<fabric_target_report> targets;
  std::vector<fabric_channel_report> channels;
  /// waited_for[i][j]: time transfers of initiator i waited because transfers of j were being moved (j == i:
  /// own earlier ones).
  std::vector<std::vector<ps_t>> waited_for;
  /// Busy fraction of the busiest channel per bucket of `occupancy_bucket_ps`.
  ps_t occupancy_bucket_ps = 0;
  std::vector<double> occupancy;
};

}  // namespace memwall
