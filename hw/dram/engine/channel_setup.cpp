// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "hw/common/error.h"
#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/front_end.h"
#include "hw/dram/engine/page_policy.h"
#include "hw/dram/engine/queues.h"
#include "hw/dram/engine/refresh.h"
#include "hw/dram/engine/scheduler.h"

namespace memwall::dram {
namespace {

/// -1: no power of two.
int binary_logarithm(std::int64_t n) {
  if ((n & (n - 1)) != 0) return -1;
  int bits = 0;
  while (std::int64_t{1} << bits < n) ++bits;
  return bits;
}

}  // namespace

channel_setup::channel_setup(const standard& s, const address_map& m, const controller_params& p)
    : t(s.t), org(s.org), map(m), params(p) {
  if (params.read_queue == 0) params.read_queue = s.queue;
  if (params.write_queue == 0) params.write_queue = params.read_queue;
  problem_list problems;
  const auto refuse = [&](const char* key, const std::string& what, const std::string& expected) {
    problems.add({"", key, what, expected, ""});
  };
  ranks = org.ranks;
  banks = org.ranks * org.banks_per_rank();
  groups = org.ranks * org.bank_groups;
  buses = org.pseudo_channels;
  if (buses < 1 || ranks % buses != 0)
    refuse("organisation.pseudo_channels", std::to_string(buses) + " for " + std::to_string(ranks) + " ranks",
           "a divisor of the number of ranks");
  if (banks > 1024) refuse("organisation", std::to_string(banks) + " banks in a channel", "at most 1024");
  if (t.BL < 1 || t.CL < 1 || t.CWL < 0 || t.tck_fs < 1)
    refuse("timing", "BL, CL or tCK is missing", "positive values");
  if (m.access_bytes() != org.access_bytes())
    refuse("map", "made for accesses of " + std::to_string(m.access_bytes()) + " bytes",
           std::to_string(org.access_bytes()) + " bytes");
  if (p.write_low >= p.write_high) refuse("controller.write_low", "is not below write_high", "write_low < write_high");

  refresh = p.refresh == "standard" ? s.refresh : p.refresh;
  if (refresh == "per_bank" && t.RFCpb <= 0)
    refuse("controller.refresh", "'" + s.name + "' has no per-bank refresh (RFCpb)", "all_bank or none");
  if (refresh != "none" && (t.RFC <= 0 || t.REFI <= t.RFC))
    refuse("timing.REFI", "REFI " + std::to_string(t.REFI) + " with RFC " + std::to_string(t.RFC), "0 < RFC < REFI");
  problems.check();

  ranks_per_bus = ranks / buses;
  stacked = t.CCD_R > 0;
  page_timeout = std::max<clocks_t>(1, std::llround(p.page_timeout.value * 1e15 / static_cast<double>(t.tck_fs)));
  const auto order = make_scheduler();
  in_order = order->in_order();
  watched = order->watches();
  gated = make_front_end()->limits();
  unified = p.write_mode == "unified" || in_order;  // the order of arrival holds for reads and writes together
  refresh_at_once = p.refresh_precharge == "at_once" || in_order;  // which may have opened rows far ahead
  const auto pages = make_page_policy();
  timed = pages->has_timeout();
  closes_after_use = pages->closes_after_use();
  refresh_interval = make_refresh()->interval();
  const auto queues = make_queues();
  entries = queues->entries();
  if (entries > 16384)
    refuse("controller.read_queue", std::to_string(entries) + " entries in a channel", "at most 16384 in all");
  problems.check();
  // Writes are served from `write_high` of the queue on: 26 of 32 entries at 26/32, 25 at 0.8.
  high = std::max(1, static_cast<int>(p.write_high * queues->write_entries())) - 1;
  low = static_cast<int>(std::ceil(p.write_low * queues->write_entries())) - 1;

  one_stretch = map.row_period_bursts() * map.row_periods() == map.local_bursts();
  banks_rest = !timed && make_refresh()->whole_rank();
  sets_aside = banks_rest && !watched && !unified && !closes_after_use && !queues->counts_banks() &&
               params.refresh_postpone == 0;

  const int per_rank = org.banks_per_rank();
  read_to_write = t.read_to_write();
  write_to_read_s = t.CWL + t.BL + t.WTR_S;
  write_to_read_l = t.CWL + t.BL + t.WTR_L;
  write_to_pre = t.CWL + t.BL + t.WR;
  read_gap = std::max(t.CCD_S, t.BL);
  write_gap = std::max(t.CCD_S_WR, t.BL);
  stack_gap = std::max(t.CCD_R, t.BL);
  least_gap = ranks_per_bus > 1 ? t.BL : std::min(read_gap, write_gap);
  prea_to_act = t.RPab > 0 ? t.RPab : t.RP;
  longest = std::max({t.RC, t.FAW, prea_to_act, t.RTP + t.RP, write_to_pre + t.RP, read_to_write, write_to_read_l,
                      t.CCD_L_WR, t.CL + t.BL + t.CS}) +
            t.ACT_CK + t.CAS_CK + std::max(t.CL, t.CWL) +
            std::max(t.RCDRD, t.RCDWR);                                          // and bookings look back by a latency
  const std::array<int, slot_count> length = {t.ACT_CK, 1, t.CAS_CK, t.CAS_CK};  // on the command bus
  for (std::size_t k = 0; k < slot_count; ++k) lead[k] = p.command_order == "start" ? length[k] - 1 : 0;
  for (std::size_t k = 0; k < slot_count; ++k) after_bus[k] = length[k] - 1 - lead[k];
  for (std::size_t k = 0; k < slot_count; ++k) ready_after[k] = params.input_clocks + length[k] - 1;

  place.resize(static_cast<std::size_t>(banks));
  for (int b = 0; b < banks; ++b) {
    const int rank = b / per_rank, group = b % per_rank / org.banks_per_group;
    place[static_cast<std::size_t>(b)] = {
        static_cast<std::int16_t>(rank), static_cast<std::int16_t>(rank * org.bank_groups + group),
        static_cast<std::int16_t>(b % org.banks_per_group), static_cast<std::int16_t>(group)};
  }
  find_seats();
}

/// A seat is a bank of every group of a rank. Within a rank they are alike if no rule knows banks by number, and if
/// the map goes through them one after another, a row of each bank, before it comes to the next row.
void channel_setup::find_seats() {
  constexpr int most = 64;
  constexpr std::int64_t longest_period = 1 << 14;
  const int all = org.ranks * org.banks_per_group;
  const std::int64_t whole = map.row_period_bursts();
  const auto in_order_of_seats = [&](std::int64_t n) {
    std::vector<bool> met(at(all));
    for (int k = 0; k < all; ++k) {
      const local_location first = map.decode_local(k * n);
      const int seat = first.rank * org.banks_per_group + first.bank;
      if (met[at(seat)] || first.row != 0) return false;
      met[at(seat)] = true;
      seat_order.push_back(static_cast<std::int16_t>(seat));
      for (std::int64_t i = 0; i < n; ++i) {
        local_location here = map.decode_local(k * n + i);
        const local_location same = map.decode_local(i);
        if (here.rank != first.rank || here.bank != first.bank) return false;
        here.rank = same.rank, here.bank = same.bank;
        if (!(here == same)) return false;
      }
    }
    return true;
  };
  if (banks_rest && !watched && all <= most && whole % all == 0 && whole <= longest_period && map.row_periods_apart() &&
      map.row_period_rows() == 1 && in_order_of_seats(whole / all))
    seats = all;
  else
    seat_order.assign(1, 0);
  seat_bits = binary_logarithm(seats);
  banks_per_seat = banks / seats;
  period = whole / seats;
  period_bits = binary_logarithm(period);
  for (int b = 0; b < banks; ++b) {
    const auto& p = place[at(b)];
    seat_of_bank.push_back(static_cast<std::int16_t>(seats == 1 ? 0 : p.rank * org.banks_per_group + p.bank));
    place_in_seat.push_back(seats == 1 ? static_cast<std::int16_t>(b) : p.group_in_rank);
  }
  banks_of_seat.resize(at(banks));
  for (int b = 0; b < banks; ++b)
    banks_of_seat[at(seat_of_bank[at(b)] * banks_per_seat + place_in_seat[at(b)])] = static_cast<std::int16_t>(b);
}

std::unique_ptr<scheduler> channel_setup::make_scheduler() const {
  return policies<scheduler>().get(params.scheduler, "", "controller.scheduler")(*this);
}
std::unique_ptr<page_policy> channel_setup::make_page_policy() const {
  return policies<page_policy>().get(params.page_policy, "", "controller.page_policy")(*this);
}
std::unique_ptr<refresh_policy> channel_setup::make_refresh() const {
  return policies<refresh_policy>().get(refresh, "", "controller.refresh")(*this);
}
std::unique_ptr<queue_organisation> channel_setup::make_queues() const {
  return policies<queue_organisation>().get(params.queues, "", "controller.queues")(*this);
}
std::unique_ptr<front_end> channel_setup::make_front_end() const {
  return policies<front_end>().get(params.front, "", "controller.front")(*this);
}

clocks_t channel_setup::first_refresh(int channel, int rank) const {
  if (refresh_interval == 0) return no_time;
  const clocks_t parts = clocks_t{map.channels()} * ranks;
  const clocks_t offset =
      params.refresh_stagger ? (clocks_t{rank} * map.channels() + channel) * refresh_interval / parts : 0;
  return refresh_interval - offset;
}

clocks_t channel_setup::clock_at_or_after(ps_t time) const {
  // Times handed out by time_of() are rounded to the nearest picosecond: the same edge must come back.
  const clocks_t clock = time / t.tck_fs * 1000 + time % t.tck_fs * 1000 / t.tck_fs;
  return time_of(clock) >= time ? clock : clock + 1;
}

}  // namespace memwall::dram
