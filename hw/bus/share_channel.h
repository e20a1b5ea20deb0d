// SPDX-License-Identifier: Apache-2.0
// One channel of a bus or link, shared granule by granule, in closed form. Functional core: no SystemC.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "hw/bus/arbiter.h"
#include "hw/common/quantity.h"
#include "hw/common/statistics.h"
#include "hw/ports/ring.h"

namespace memwall {

/// Femtoseconds: a 64-byte granule of a fast fabric takes tens of picoseconds, which whole picoseconds would
/// round by percents.
using fs_t = std::int64_t;
constexpr fs_t fs_never = INT64_MAX;
constexpr fs_t to_fs(ps_t t) {
  return t == never ? fs_never : t * 1000;
}
/// Rounded up: nothing is seen before it has happened.
constexpr ps_t to_ps_up(fs_t t) {
  return t == fs_never ? never : (t + 999) / 1000;
}

struct channel_timing {
  std::int64_t granule_bytes = 64;  ///< arbitration unit
  std::int64_t width_bytes = 64;    ///< bytes a beat; a granule takes whole beats
  double beat_fs = 1e6;             ///< femtoseconds a beat (already divided by the number of slices)
};

/// A transfer has moved its first (`last` false) or its last granule.
struct channel_event {
  void* item = nullptr;  ///< as given to add()
  int requester = 0;
  bool last = true;
  fs_t time = 0;     ///< end of that granule
  fs_t first = 0;    ///< end of the transfer's first granule, on the channel or in hindsight (see add())
  fs_t service = 0;  ///< last: time its granules took after it was added
  fs_t waited = 0;   ///< last: time since it was added that was not service
};

/// Granules of the transfers in flight are granted one after another by the arbiter; a granule in progress is
/// never interrupted. Transfers of one requester are served in order. Between arrivals and departures nothing
/// is simulated: what happens is computed. The result is that of a granule-by-granule simulation in which a
/// grant at time t sees everything that arrived up to t.
///
/// Times passed in must not decrease. Sizes of a transfer do not matter: 1 x 1 MiB by somebody delays 1 x 64
/// B of somebody else by at most what the policy says, in granules.
class share_channel {
 public:
  share_channel(const channel_timing& timing, std::unique_ptr<arbiter> policy);

  /// Requesters are numbered in the order of these calls; may be called at any time.
  int add_requester(int priority = 0, int weight = 1);
  int requesters() const { return static_cast<int>(m_queues.size()); }

  /// `bytes` > 0 to move for `requester`. mark_first: an event also when the first of several granules has
  /// moved.
  ///
  /// since < now: the data became available evenly over [since, now], for instance because a DRAM delivered
  /// it while this transfer was still being served there. The granules that fit into the time in which the
  /// channel has stood idle since then count as moved (each stretch of idle time is used at most once),
  /// except for the last `keep` granules. Returns true when nothing is left to move (only with keep == 0): no
  /// event will come; *moved is filled. Without `moved` the event comes like any other, at `now`.
  bool add(void* item, int requester, std::int64_t bytes, fs_t since, fs_t now, bool mark_first, int keep,
           channel_event* moved);

  /// Time of the next event if nothing else arrives, fs_never if there is none.
  fs_t next() {
    if (!m_done.empty()) return m_done.front().time;
    if (m_waiting.empty()) return fs_never;
    if (!m_planned) plan();
    return m_plan_time;
  }
  /// Takes the next event that is not later than now.
  bool pop(fs_t now, channel_event& out);

  /// Time that `bytes` take alone.
  fs_t service_time(std::int64_t bytes) const;
  bool idle() const { return m_waiting.empty() && m_done.empty(); }
  /// The requester whose transfers are moving, `several` of them, or -1: nobody.
  static constexpr int several = -2;
  int holder() const { return m_waiting.empty() ? -1 : m_waiting.size() > 1 ? several : m_waiting.front().requester; }

  // Measurements.
  fs_t busy() const { return m_busy; }
  std::int64_t bytes() const { return m_bytes; }
  fs_t busy_of(int requester) const {
    return m_served[static_cast<std::size_t>(requester)] + m_hindsight[static_cast<std::size_t>(requester)];
  }
  /// Time that transfers of `requester` waited because granules of `blocker` were moved.
  fs_t waited_for(int requester, int blocker) const {
    return m_wait[static_cast<std::size_t>(requester) * m_stride + static_cast<std::size_t>(blocker)];
  }
  const time_series& occupancy() const { return m_occupancy; }  ///< busy time, ps
  const channel_timing& timing() const { return m_timing; }

 private:
  struct flow {
    void* item = nullptr;
    std::int64_t granules = 0;  // left
    fs_t arrival = 0, first = 0;
    fs_t service = 0;       // of what is left when it was added
    fs_t last_granule = 0;  // duration of the last granule
    bool mark = false;      // first granule is to be reported
    bool started = false;
  };
  struct idle_time {
    fs_t begin, end, free;
  };

  std::int64_t granules_to_event(const flow& f) const { return f.mark ? 1 : f.granules; }
  void advance(fs_t now);
  void plan();
  void commit(std::int64_t granules, fs_t departing_duration);
  void depart();
  fs_t use_idle(fs_t since, fs_t now, fs_t demand, fs_t limit);
  void forget_idle();
  void note_busy(fs_t begin, fs_t end);
  void widen(std::size_t requesters);
  fs_t* snapshot(int slot) { return &m_snapshots[static_cast<std::size_t>(slot) * m_stride]; }

  channel_timing m_timing;
  fs_t m_granule = 0;  // duration of a full one
  std::unique_ptr<arbiter> m_policy;

  std::vector<flow> m_flows;  // slots
  std::vector<int> m_free_slots;
  std::vector<fs_t> m_snapshots;    // slot x requester: m_served when the flow arrived
  std::vector<ring<int>> m_queues;  // by requester: slots
  std::vector<arbiter_request> m_waiting;
  std::vector<arbiter_turn> m_period;
  ring<channel_event> m_done;
  std::size_t m_stride = 0, m_queued = 0;

  fs_t m_free_at = 0;  // end of the last granule granted
  int m_owner = -1;
  bool m_planned = false;
  std::int64_t m_plan_granules = 0;  // granted up to and including the event's
  int m_plan_requester = 0;
  fs_t m_plan_time = 0, m_plan_duration = 0;

  std::vector<idle_time> m_idle;  // by time
  std::vector<fs_t> m_served;     // time granted, by requester
  std::vector<fs_t> m_hindsight;  // idle time used afterwards, by requester
  std::vector<fs_t> m_wait;       // requester x blocker
  fs_t m_busy = 0;
  std::int64_t m_bytes = 0;
  time_series m_occupancy;
};

}  // namespace memwall
