// SPDX-License-Identifier: Apache-2.0
// What the channels of a memory share: constants of the standard, the map and the controller.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hw/dram/address_map.h"
#include "hw/dram/controller.h"
#include "hw/dram/engine/clocks.h"
#include "hw/dram/standard.h"

namespace memwall::dram {

class scheduler;
class page_policy;
class refresh_policy;
class queue_organisation;
class front_end;

/// Row and column commands by the constraint tables they index.
enum slot : std::uint8_t { slot_act, slot_pre, slot_rd, slot_wr, slot_count };

/// Constants of all channels of one memory, in the form the engine uses. Throws input_error for settings that
/// contradict.
struct channel_setup {
  channel_setup(const standard& s, const address_map& map, const controller_params& p);

  struct bank_place {
    std::int16_t rank, group, bank;  ///< group counts over all ranks, bank within its group
    std::int16_t group_in_rank;
  };

  timing t;
  organisation org;
  address_map map;
  controller_params params;
  int banks = 0, groups = 0, ranks = 0, buses = 1;
  int ranks_per_bus = 1;
  bool stacked = false;  ///< ranks are stack IDs: they share the activation window and the turnarounds
  bool unified = false;  ///< reads and writes in one queue
  // What the policies say once for all.
  bool in_order = false, watched = false, timed = false, closes_after_use = false, gated = false;
  bool refresh_at_once = false;  ///< a refresh does not wait for rows that were opened for a request
  std::string refresh;           ///< a name of the refreshes
  clocks_t page_timeout = 0;
  int entries = 0;        ///< requests in a channel, at most
  int high = 0, low = 0;  ///< writes are served from more than `high` entries down to `low`
  int read_to_write = 0, write_to_read_s = 0, write_to_read_l = 0, read_gap = 0, write_gap = 0, stack_gap = 0;
  int least_gap = 0;  ///< between any two bursts of one bus
  int write_to_pre = 0, prea_to_act = 0, refresh_interval = 0;
  // Replay: a period are bursts by which a stream repeats itself, a row each of some banks. They are all banks (the
  // map's row period), or those of one seat, where seats of a rank may change places and nobody would notice.
  std::int64_t period = 1;
  int period_bits = -1;      ///< binary logarithm; -1: no power of two
  bool one_stretch = false;  ///< all of a channel is one stretch of periods
  int seats = 1, seat_bits = 0, banks_per_seat = 0;
  std::vector<std::int16_t> seat_order;     ///< seats as a stream comes to them, period after period
  std::vector<std::int16_t> banks_of_seat;  ///< seat after seat
  std::vector<std::int16_t> seat_of_bank, place_in_seat;
  bool banks_rest = false;  ///< a bank that nobody uses has no future of its own, open or not
  bool sets_aside = false;  ///< of requests that wait for the other direction, only their number matters
  int longest = 0;  ///< no constraint reaches further than this from the command that causes it, but a refresh's
  std::array<int, slot_count> lead{};         ///< clocks from the moment that decides about a command to its last clock
  std::array<int, slot_count> after_bus{};    ///< from a free command bus to that moment
  std::array<int, slot_count> ready_after{};  ///< end of a request's first command after its arrival
  std::vector<bank_place> place;

  std::unique_ptr<scheduler> make_scheduler() const;
  std::unique_ptr<page_policy> make_page_policy() const;
  std::unique_ptr<refresh_policy> make_refresh() const;
  std::unique_ptr<queue_organisation> make_queues() const;
  std::unique_ptr<front_end> make_front_end() const;

  /// Which period a burst lies in, where in it, and the row of the period's first burst.
  std::int64_t period_of(std::int64_t burst) const { return period_bits >= 0 ? burst >> period_bits : burst / period; }
  int bank_of(const local_location& where) const {
    return (where.rank * org.bank_groups + where.bank_group) * org.banks_per_group + where.bank;
  }
  std::int64_t row_of_period(std::int64_t index) const {
    return one_stretch ? round_of(index) * map.row_period_rows() : map.decode_local(index * period).row;
  }
  std::int64_t stretch_of_period(std::int64_t index) const {
    return one_stretch ? 0 : round_of(index) / map.row_periods();
  }
  std::int16_t seat_of_period(std::int64_t index) const {
    return seat_order[static_cast<std::size_t>(index - round_of(index) * seats)];
  }

  /// First refresh of a rank; the others follow every refresh_interval.
  clocks_t first_refresh(int channel, int rank) const;
  clocks_t clock_at_or_after(ps_t time) const;  ///< first clock edge that is not before `time`
  ps_t time_of(clocks_t clock) const {          // in two parts: femtoseconds in 64 bits end after two hours
    return clock / 1000 * t.tck_fs + (clock % 1000 * t.tck_fs + 500) / 1000;
  }

 private:
  /// How often all seats have had their turn before this period.
  std::int64_t round_of(std::int64_t index) const { return seat_bits >= 0 ? index >> seat_bits : index / seats; }
  void find_seats();
};

}  // namespace memwall::dram
