// SPDX-License-Identifier: Apache-2.0
// Traffic that a module is known to have had although it was not simulated: what a reused operator moved. Bytes are
// exact; what else a module counts is taken to go with them.
#pragma once
#include <map>
#include <string>

#include "hw/bus/bus_report.h"
#include "hw/dram/dram.h"
#include "hw/ports/traffic.h"

namespace memwall::platforms {

struct moved_bytes {
  traffic_bytes read, written;
  void add(bool write, traffic kind, std::int64_t bytes) { (write ? written : read)[kind] += bytes; }
  traffic_bytes both() const {
    traffic_bytes out = read;
    return out += written, out;
  }
  moved_bytes& operator+=(const moved_bytes& o) { return read += o.read, written += o.written, *this; }
};

/// By who sent them, under the name that the module's report gives it.
using unseen_traffic = std::map<std::string, moved_bytes>;
moved_bytes sum_of(const unseen_traffic& t);

/// The report of a module that has simulated some of its traffic, with the rest. What belongs to time alone (refresh,
/// background) stays as it is. `ranks`: of all channels, each of which has rows open for no longer than the time (those
/// that a simulated operator left open may stay so while others are reused).
dram_report with_unseen(dram_report r, const unseen_traffic& t, int ranks);
bus_report with_unseen(bus_report r, const unseen_traffic& t);

}  // namespace memwall::platforms
