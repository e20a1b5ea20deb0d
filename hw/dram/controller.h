// SPDX-License-Identifier: Apache-2.0
// The parameters of a memory controller: everything that the DRAM standard does not fix.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>

#include "hw/common/params.h"
#include "hw/common/quantity.h"

namespace memwall::dram {

struct controller_params {
  std::string scheduler = "frfcfs";  ///< fcfs | frfcfs | frfcfs_cap
  int cap = 16;                      ///< frfcfs_cap: row hits that may pass an older request of the same bank
  int read_queue = 0;                ///< entries a channel; 0: what the standard needs (32 or 64)
  int write_queue = 0;               ///< entries a channel; 0: as read_queue
  std::string queues = "direction";  ///< direction | joint | bank | active: what is full when the interface stops
  std::string front = "any";         ///< any | one_a_clock: requests that may enter a channel at once
  std::string write_mode =
      "drain";              ///< drain: write queue between watermarks | unified: reads and writes compete by age
  double write_high = 0.8;  ///< drain: writes are served from this filling of the write queue on ...
  double write_low = 0.2;   ///< ... down to this one
  std::string command_order = "start";  ///< start | end: which of two commands that can go is first
  std::int64_t age_limit =
      50'000;  ///< clocks after which a waiting request goes first, whatever the scheduler; 0: none
  std::string page_policy = "open";             ///< open | closed | timeout | adaptive
  duration page_timeout{200e-9};                ///< timeout, adaptive: an unused row is closed after this time
  std::string refresh = "standard";             ///< standard (what the standard says) | all_bank | per_bank | none
  std::string refresh_precharge = "after_use";  ///< after_use | at_once: rows that were opened for a request
  int refresh_postpone = 0;  ///< refreshes that may be put off while requests wait (JEDEC DDR4: up to 8)
  bool refresh_stagger =
      false;              ///< ranks, pseudo-channels and channels refresh one after another instead of all at once
  int input_clocks = 1;   ///< clocks from a request's arrival at the queue to its first command: the input register
  duration front_end{0};  ///< pipeline latency before the queue
  duration back_end{0};   ///< pipeline latency from the data beats to the initiator
  int max_transfers =
      0;  ///< transfers in flight in the memory's front end; more are refused (back-pressure). 0: see transfer_limit
  bool replay = true;     ///< exact replay (page policies open and closed); off gives identical results, slower
  int replay_block = 64;  ///< bursts of one channel that one replayed block holds, at least
  byte_size replay_memory{64.0 * 1024 *
                          1024};  ///< limit of the replay table of one memory; the oldest entries go first

  /// max_transfers, or as many as never bound a memory whose transfers are single accesses: twice a queue's entries a
  /// channel.
  std::size_t transfer_limit(int channels) const {
    return max_transfers > 0 ? static_cast<std::size_t>(max_transfers)
                             : std::max<std::size_t>(4096, 128 * static_cast<std::size_t>(channels));
  }
};

/// Names, ranges, meaning, sources: what YAML, --set and `memwall describe` use.
const param_table<controller_params>& controller_table();

}  // namespace memwall::dram
