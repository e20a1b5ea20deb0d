// SPDX-License-Identifier: Apache-2.0
// Traffic that a module is known to have had although it was not simulated: what a reused operator moved. Bytes are
// exact; what else a module counts is taken to go with them, or, of a DRAM, was estimated by kind of operator
// (tally_book.h).
#pragma once
#include <map>
#include <string>
#include <vector>

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

/// What a DRAM counts that goes neither with its bytes nor with time alone: transfers, time in use, rows opened, closed
/// and open, time by cause. Sums and multiples of such figures are such figures.
using tally_figures = std::vector<double>;
tally_figures figures_of(const dram_tally& t);

/// The report of a module that has simulated some of its traffic, with the rest. What belongs to time alone (refresh,
/// background) stays as it is. `ranks`: of all channels, each of which has rows open for no longer than the time (those
/// that a simulated operator left open may stay so while others are reused). `all`: the figures of everything;
/// nullptr: they grow with the bytes.
dram_report with_unseen(dram_report r, const unseen_traffic& t, int ranks, const tally_figures* all = nullptr);
bus_report with_unseen(bus_report r, const unseen_traffic& t);

}  // namespace memwall::platforms
