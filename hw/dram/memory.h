// SPDX-License-Identifier: Apache-2.0
// All channels of one memory: takes transfers of any size, gives their completion times. Functional core: no SystemC.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/common/quantity.h"
#include "hw/common/stall.h"
#include "hw/dram/address_map.h"
#include "hw/dram/command.h"
#include "hw/dram/controller.h"
#include "hw/dram/standard.h"
#include "hw/dram/statistics.h"

namespace memwall::dram {

/// What an initiator asks for: one burst or many megabytes. Bursts touched in part count whole.
struct transfer {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;  ///< > 0
  bool write = false;
  std::uint32_t source = 0;  ///< initiator; transfers of one source enter each channel in order of submission
  std::uint64_t id = 0;      ///< given back in the completion; need not be unique
  ps_t arrival = 0;
  /// > 0: an arrival-limited initiator. Bursts come in stripes of one a channel; burst i enters no earlier than
  /// arrival + (last burst of its stripe) x pace.
  ps_t pace = 0;
  /// A mix, in a memory of one channel: of every reads + writes accesses, the first `reads` read on from `address`, the
  /// others write on from `written`; `bytes` are those of all. Whole accesses, not paced. 0: no mix.
  std::int32_t reads = 0, writes = 0;
  std::uint64_t written = 0;
};

struct completion {
  std::uint64_t id = 0;
  ps_t first_data = 0;  ///< end of the transfer's first burst (the one that finished first)
  ps_t spread = 0;      ///< by which the average byte's beat preceded the last one
  ps_t done = 0;        ///< last data beat of its last burst, plus the back end's latency
  stall_stack parts;    ///< sums to done - arrival
};

class memory {
 public:
  /// One map for all channels; map.channels() is the number of channels. Throws input_error for parameters that make no
  /// sense.
  memory(const standard& s, const address_map& map, const controller_params& params);
  ~memory();
  memory(memory&&) noexcept;
  memory& operator=(memory&&) noexcept;

  /// False while max_transfers are in flight: wait for a completion before the next submit.
  bool can_accept() const;
  /// t.arrival must not lie before the `now` of an earlier advance(); arrivals need not be in order otherwise.
  void submit(const transfer& t);
  /// Lets everything happen that is certain up to and including `now`. Returns a lower bound, > now, of the next
  /// completion (call advance again then), or `never` when nothing is in flight. Calling it more often or with later
  /// times than it asked for never changes a result, as long as transfers are submitted before their arrival is passed.
  ps_t advance(ps_t now);
  /// For an initiator that does not wait for completions (a trace): lets everything happen that the transfers submitted
  /// so far decide, whatever is submitted later with arrivals in their order; a channel stops where nothing waits to
  /// enter it. Their completions can be taken at once, those of each channel in order. However many are submitted
  /// between two calls, the result is the same. The next advance() ends it.
  void run_ahead();
  /// Appends the completions with done <= the last `now`, ordered by (done, submission), each once.
  void take_completions(std::vector<completion>& out);
  /// off: completions come without parts, which costs less (statistics still have the causes). Before the first
  /// transfer.
  void attribute(bool on);
  /// Transfers submitted and not yet taken.
  std::size_t in_flight() const;

  /// Counts up to `now` (not before the last advance). by_cause sums to now x channels.
  statistics stats(ps_t now) const;
  /// The same without distributions, which costs less.
  dram::tally tally(ps_t now) const;

  /// By channel: the time up to `now` in which its data buses moved data, on average over its buses. To be called like
  /// stats().
  void data_time(ps_t now, std::vector<ps_t>& out) const;

  const standard& spec() const;
  const address_map& map() const;
  int channels() const;

  /// Sees every command from now on; nullptr: none. Not owned. Turns replay off while set.
  void listen(command_listener* l);

 private:
  class impl;
  std::unique_ptr<impl> m;
};

}  // namespace memwall::dram
