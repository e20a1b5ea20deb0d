// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/memory.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <utility>

#include "hw/common/error.h"
#include "hw/dram/engine/channel_set.h"

namespace memwall::dram {

namespace {
constexpr stall stall_of(cause c) {
  switch (c) {
    case cause::data:
      return stall::dram_data;
    case cause::latency:
      return stall::dram_latency;
    case cause::order:
      return stall::dram_queue;
    case cause::row_miss:
      return stall::dram_row_miss;
    case cause::row_conflict:
      return stall::dram_row_conflict;
    case cause::bank_group:
      return stall::dram_bank_group;
    case cause::activate:
      return stall::dram_activate;
    case cause::refresh:
      return stall::dram_refresh;
    case cause::turnaround:
      return stall::dram_turnaround;
    default:
      return stall::idle;
  }
}

/// Timeouts close rows between requests: every command is simulated (README.md, "Classes and exact replay").
bool replayed(const controller_params& p) {
  return p.replay && (p.page_policy == "open" || p.page_policy == "closed");
}

/// Open transfers beyond this many get a weak bound of their completion.
constexpr std::size_t bounded_transfers = 64;
/// Transfers of up to so many bursts in one class of channels do not deserve a bound of their own.
constexpr std::int64_t brief_bursts = 8;
}  // namespace

class memory::impl {
 public:
  impl(const standard& s, const address_map& map, const controller_params& p)
      : m_standard(s),
        m_setup(s, map, p),
        m_front(to_ps(p.front_end)),
        m_back(to_ps(p.back_end)),
        m_table(static_cast<std::size_t>(p.replay_memory.value), m_setup),
        m_channels(m_setup, replayed(p) ? &m_table : nullptr) {}

  bool can_accept() const { return m_in_flight < m_limit; }

  void submit(const transfer& t) {
    if (t.bytes == 0) throw input_error({"", "transfer.bytes", "got 0", "at least 1", ""});
    const int source = source_index(t.source);
    const int i = new_slot();
    open_transfer& slot = m_slots[at(i)];
    slot.id = t.id;
    slot.arrival = t.arrival;
    slot.sequence = m_sequence++;
    slot.source = source;
    slot.bytes = static_cast<std::int64_t>(t.bytes);
    slot.ahead_own = m_waiting[at(source)];
    slot.ahead_others = m_waiting_bytes - slot.ahead_own;
    m_waiting[at(source)] += slot.bytes;
    m_waiting_bytes += slot.bytes;
    slot.paced = t.pace > 0;
    if (t.arrival != m_last_arrival) {
      m_last_arrival = t.arrival;
      m_last_clock = m_setup.clock_at_or_after(t.arrival + m_front);
    }
    work_order w;
    w.write = t.write;
    w.transfer = i;
    w.sequence = slot.sequence;
    w.arrival = m_last_clock;
    const auto access = static_cast<std::uint64_t>(m_setup.map.access_bytes());
    if (t.pace > 0) {
      const ps_t begin = t.arrival + m_front;
      w.start = begin / m_setup.t.tck_fs * 1000;
      w.start_fs = begin % m_setup.t.tck_fs * 1000;
      w.pace_fs = t.pace * 1000;
      w.last_paced = static_cast<std::int64_t>((t.address % access + t.bytes + access - 1) / access) - 1;
    }
    const auto capacity = static_cast<std::uint64_t>(m_setup.map.capacity_bytes());
    if (t.reads > 0) {
      submit_mix(t, w, i);
      return;
    }
    std::uint64_t address = t.address < capacity ? t.address : t.address % capacity;
    for (std::uint64_t left = t.bytes; left > 0;) {  // a transfer may wrap
      const std::uint64_t part = std::min(left, capacity - address);
      m_channels.distribute(
          address, part, [this](int from, int made) { split(from, made); },
          [&](int c, const channel_run& run) {
            w.next = run.first_burst;
            w.end = run.first_burst + run.count;
            give(i, c, w);
          });
      left -= part;
      address = 0;
    }
    if (slot.works.size() == 1 && w.end - w.next <= brief_bursts) {
      slot.brief = true;
      ++m_channels.get(at(slot.works[0].first))->brief;
    } else {
      m_wide.push_back(i);
    }
    ++m_in_flight;
  }

  ps_t advance(ps_t now) {
    const clocks_t limit = now >= never ? no_time - 1 : m_setup.clock_at_or_after(now);
    m_now = std::max(m_now, now);
    make_room_for_replay();
    if (std::exchange(m_runs_ahead, false)) m_channels.for_each([](int, auto& c) { c.engine.expect_more(false); });
    m_channels.for_each([&](int, auto& c) {
      if (!c.engine.busy() || c.engine.quiet(limit)) return;
      c.engine.advance(limit);
      collect(c);
    });
    if (now < never && m_in_flight == 0) m_channels.merge(limit);
    return next_completion();
  }

  void run_ahead() {
    make_room_for_replay();
    m_runs_ahead = true;
    m_channels.for_each([&](int, auto& c) {
      c.engine.expect_more(true);
      c.engine.advance(no_time - 1);
      collect(c);
    });
  }

  void take_completions(std::vector<completion>& out) {
    while (!m_done.empty() && (m_done.first().done <= m_now || m_runs_ahead)) {
      const int i = m_done.first().slot;
      m_done.pop();
      open_transfer& slot = m_slots[at(i)];
      completion& c = out.emplace_back();
      c.id = slot.id;
      c.first_data = m_setup.time_of(slot.first) + m_back;
      c.done = m_setup.time_of(slot.last.done) + m_back;
      c.spread = m_setup.time_of(slot.last.done - slot.mid_sum / std::max<std::int64_t>(1, slot.mid_count));
      if (m_attribute) attribute(slot, c);
      m_waiting[at(slot.source)] -= slot.bytes;
      m_waiting_bytes -= slot.bytes;
      slot.works.clear();
      m_free_slots.push_back(i);
      --m_in_flight;
    }
  }

  std::size_t in_flight() const { return m_in_flight; }
  void attribute(bool on) {
    m_attribute = on;
    m_channels.for_each([on](int, auto& c) { c.engine.attribute(on); });
  }

  dram::tally tally(ps_t now) {
    const clocks_t limit = m_setup.clock_at_or_after(now);
    m_now = std::max(m_now, now);
    m_channels.for_each([&](int, auto& c) {
      c.engine.advance(limit);
      c.engine.advance(limit, true);
      collect(c);
    });
    dram::tally out;
    out.channels = m_setup.map.channels() * m_setup.buses;
    out.tck_fs = m_setup.t.tck_fs;
    out.time = now;
    cause_clocks sum{};
    channel_counts n = m_table.counts();
    m_channels.add_to(n, sum, limit);
    out.commands = n.commands;
    out.reads = n.bursts[0];
    out.writes = n.bursts[1];
    out.row_hits = n.row_hits;
    out.row_misses = n.row_misses;
    out.row_conflicts = n.row_conflicts;
    out.active_clocks = n.active;
    out.bytes_read = out.reads * m_setup.org.access_bytes();
    out.bytes_written = out.writes * m_setup.org.access_bytes();
    out.data_clocks = (out.reads + out.writes) * m_setup.t.BL;
    // Clocks to picoseconds, so that the parts sum exactly to now x buses.
    const ps_t total = now * out.channels;
    add_parts(out.by_cause, sum, 0, total, stall::idle);
    return out;
  }

  statistics stats(ps_t now) {
    statistics out;
    static_cast<dram::tally&>(out) = tally(now);
    clock_histogram latency[2];
    m_table.add_to(latency, out.replay);
    m_channels.add_to(latency);
    out.read_latency = latency[0];
    out.write_latency = latency[1];
    out.replay.classes = m_channels.in_use();
    out.replay.simulated_bursts = out.reads + out.writes - out.replay.replayed_bursts;
    return out;
  }

  void data_time(ps_t now, std::vector<ps_t>& out) {
    const clocks_t limit = m_setup.clock_at_or_after(now);
    advance(now);
    m_channels.data_clocks(limit, m_data_clocks);
    out.clear();
    for (const clocks_t n : m_data_clocks) out.push_back(m_setup.time_of(n) / m_setup.buses);
  }

  const standard& spec() const { return m_standard; }
  const address_map& map() const { return m_setup.map; }
  void listen(command_listener* l) {
    m_channels.separate(l != nullptr, [this](int from, int made) { split(from, made); });
    m_channels.for_each([l](int, auto& c) { c.engine.listen(l); });
  }

 private:
  struct open_transfer {
    std::uint64_t id = 0;
    ps_t arrival = 0;
    std::int64_t sequence = 0;
    std::int64_t bytes = 0, ahead_own = 0, ahead_others = 0;  // ahead: in flight when this one came, by whose they were
    int source = 0, left = 0;
    bool paced = false, brief = false;
    clocks_t first = no_time;
    clocks_t mid_sum = 0;  ///< of the middles of its channels' works, one a channel
    std::int64_t mid_count = 0;
    finished_work last;                      ///< the work that finished last; of several the one of the lowest channel
    std::vector<std::pair<int, int>> works;  ///< class of channels, index there
    std::size_t watched = 0;                 ///< the one whose bound is asked for
  };
  struct done_transfer {
    ps_t done;
    std::int64_t sequence;
    int slot;
    bool operator<(const done_transfer& o) const { return done != o.done ? done > o.done : sequence > o.sequence; }
  };
  /// A queue that gives the earliest first. A channel's data come in order, so most are simply put behind the last one.
  class done_queue {
   public:
    bool empty() const { return m_begin == m_in_order.size() && m_others.empty(); }
    const done_transfer& first() const { return in_order() ? m_in_order[m_begin] : m_others.top(); }
    void push(const done_transfer& d) {
      if (2 * m_begin > m_in_order.size()) {
        m_in_order.erase(m_in_order.begin(), m_in_order.begin() + static_cast<std::ptrdiff_t>(m_begin));
        m_begin = 0;
      }
      if (m_in_order.empty() || d < m_in_order.back())
        m_in_order.push_back(d);
      else
        m_others.push(d);
    }
    void pop() {
      if (in_order())
        ++m_begin;
      else
        m_others.pop();
    }

   private:
    bool in_order() const {
      return m_begin < m_in_order.size() && (m_others.empty() || m_others.top() < m_in_order[m_begin]);
    }
    std::vector<done_transfer> m_in_order;
    std::size_t m_begin = 0;
    std::priority_queue<done_transfer> m_others;
  };

  void make_room_for_replay() {
    if (!m_table.full()) return;
    m_channels.for_each([](int, auto& c) { c.engine.leave_replay(); });
    m_table.clear();
  }

  int source_index(std::uint32_t source) {
    if (m_last_source < m_sources.size() && m_sources[m_last_source] == source) return static_cast<int>(m_last_source);
    for (std::size_t i = 0; i < m_sources.size(); ++i)
      if (m_sources[i] == source) return static_cast<int>(m_last_source = i);
    m_sources.push_back(source);
    m_waiting.push_back(0);
    return static_cast<int>(m_last_source = m_sources.size() - 1);
  }

  int new_slot() {
    if (m_free_slots.empty()) {
      m_slots.emplace_back();
      return static_cast<int>(m_slots.size()) - 1;
    }
    const int i = m_free_slots.back();
    m_free_slots.pop_back();
    open_transfer& slot = m_slots[at(i)];
    slot.first = no_time;
    slot.mid_sum = slot.mid_count = 0;
    slot.last = finished_work{};
    slot.watched = 0;
    slot.left = 0;
    slot.brief = false;
    return i;
  }

  /// A mix is one piece of work up to where one of its streams comes to the end of the memory.
  void submit_mix(const transfer& t, work_order w, int i) {
    const auto access = static_cast<std::uint64_t>(m_setup.map.access_bytes());
    if (m_setup.map.channels() != 1 || t.writes < 1 || t.pace > 0 || t.address % access != 0 ||
        t.written % access != 0 || t.bytes % access != 0)
      throw input_error({"", "transfer", "a mix", "one channel, whole accesses, writes, no pace", ""});
    const std::int64_t space = m_setup.map.local_bursts(), group = t.reads + t.writes;
    w.write = false;
    w.reads = t.reads;
    w.writes = t.writes;
    w.read_from = static_cast<std::int64_t>(t.address / access) % space;
    w.write_from = static_cast<std::int64_t>(t.written / access) % space;
    // Whole groups that both streams have room for, then the group in which one of them wraps, burst by burst.
    for (auto left = static_cast<std::int64_t>(t.bytes / access); left > 0;) {
      const std::int64_t groups = std::min((space - w.read_from) / t.reads, (space - w.write_from) / t.writes);
      work_order part = w;
      part.next = 0;
      part.end = std::min(left, groups * group);
      if (groups > 0) give(i, 0, part);
      left -= part.end;
      w.read_from = (w.read_from + groups * t.reads) % space;
      w.write_from = (w.write_from + groups * t.writes) % space;
      if (groups > 0) continue;
      for (std::int64_t k = 0; k < group && left > 0; ++k, --left) {
        work_order one = w;
        one.reads = one.writes = 0;
        one.write = k >= t.reads;
        one.next = (one.write ? w.write_from + k - t.reads : w.read_from + k) % space;
        one.end = one.next + 1;
        give(i, 0, one);
      }
      w.read_from = (w.read_from + t.reads) % space;
      w.write_from = (w.write_from + t.writes) % space;
    }
    m_wide.push_back(i);
    ++m_in_flight;
  }

  /// Work of transfer `i` for a class of channels.
  void give(int i, int c, const work_order& w) {
    open_transfer& to = m_slots[at(i)];
    to.works.emplace_back(c, m_channels.get(at(c))->engine.push(to.source, w));
    ++to.left;
  }

  void collect(channel_set::channel_class& c) {
    auto& finished = c.engine.finished();
    for (const finished_work& f : finished) {
      open_transfer& slot = m_slots[at(f.transfer)];
      slot.first = std::min(slot.first, f.first_done);
      const auto alike = static_cast<std::int64_t>(c.members.size());
      slot.mid_sum += (f.first_done + f.done) / 2 * alike;
      slot.mid_count += alike;
      if (f.done > slot.last.done || (f.done == slot.last.done && f.channel < slot.last.channel)) slot.last = f;
      if (slot.brief) --c.brief;
      if (--slot.left == 0) m_done.push({m_setup.time_of(slot.last.done) + m_back, slot.sequence, f.transfer});
    }
    finished.clear();
  }

  /// Class `made` has been split off class `from`: open transfers wait for its copies of their works, too.
  void split(int from, int made) {
    auto& old = *m_channels.get(at(from));
    old.engine.for_each_open([&](int index, const work& w) {
      open_transfer& slot = m_slots[at(w.transfer)];
      slot.works.emplace_back(made, index);
      ++slot.left;
      if (!slot.brief) return;
      slot.brief = false;
      --old.brief;
      const auto later = [this](int x, std::int64_t sequence) { return m_slots[at(x)].sequence < sequence; };
      m_wide.insert(std::lower_bound(m_wide.begin(), m_wide.end(), slot.sequence, later), w.transfer);
    });
    m_channels.get(at(made))->brief = 0;
  }

  /// Adds clocks by cause to a stack that so far covers `from`; it then covers `to`. What rounding leaves over is
  /// `rest`.
  void add_parts(stall_stack& out, const cause_clocks& parts, ps_t from, ps_t to, stall rest) const {
    clocks_t clocks = 0;
    ps_t begin = from;
    for (std::size_t i = 0; i < cause_count; ++i) {
      if (parts[i] == 0) continue;
      clocks += parts[i];
      const ps_t end = std::min(to, from + m_setup.time_of(clocks));
      out[stall_of(static_cast<cause>(i))] += end - begin;
      begin = end;
    }
    out[rest] += to - begin;
  }

  void attribute(const open_transfer& slot, completion& out) const {
    const ps_t entered = m_setup.time_of(slot.last.entered), done = out.done - m_back;
    const ps_t front = std::min(m_front, entered - slot.arrival);
    out.parts[stall::dram_latency] = front + m_back;
    cause_clocks parts = slot.last.parts;
    if (!slot.paced) {
      // Nothing to wait for but the input register.
      parts[static_cast<std::size_t>(cause::latency)] += parts[static_cast<std::size_t>(cause::idle)];
      parts[static_cast<std::size_t>(cause::idle)] = 0;
    }
    stall_stack inside;
    add_parts(inside, parts, entered, done, stall::dram_latency);
    out.parts += inside;
    // Time behind earlier requests of the same source is the stream's own data time; behind others it is queueing.
    const std::int64_t ahead = slot.ahead_own + slot.ahead_others;
    const ps_t own = slot.ahead_others == 0
                         ? inside[stall::dram_queue]
                         : static_cast<ps_t>(static_cast<double>(inside[stall::dram_queue]) *
                                             static_cast<double>(slot.ahead_own) / static_cast<double>(ahead));
    inside[stall::dram_queue] -= own;
    inside[stall::dram_data] += own;
    // What waits at the door waits for what happens inside: for its own stream's data beats, for others (dram_queue),
    // ...
    out.parts += apportion(entered - slot.arrival - front, inside, stall::dram_queue);
  }

  ps_t next_completion() {
    ps_t bound = m_done.empty() ? never : m_done.first().done;
    clocks_t clock = no_time;
    m_channels.for_each([&](int, auto& c) {
      if (c.brief > 0) clock = std::min(clock, c.engine.next_completion());
    });
    std::size_t kept = 0, seen = 0;
    for (const int i : m_wide) {
      open_transfer& slot = m_slots[at(i)];
      if (slot.left == 0) continue;
      m_wide[kept++] = i;
      if (++seen > bounded_transfers) continue;
      for (;; ++slot.watched) {
        const auto [c, w] = slot.works[slot.watched];
        auto* const where = m_channels.get(at(c));
        if (where == nullptr || !where->engine.open(w, slot.sequence)) continue;
        if (where->engine.rough_bound(slot.source, w) < clock)
          clock = std::min(clock, where->engine.completion_bound(slot.source, w));
        break;
      }
    }
    m_wide.resize(kept);
    if (seen > bounded_transfers)
      m_channels.for_each([&](int, auto& c) {
        if (c.engine.busy()) clock = std::min(clock, c.engine.next_completion());
      });
    if (clock < no_time) bound = std::min(bound, m_setup.time_of(clock) + m_back);
    return bound >= never ? never : std::max(bound, m_now + 1);
  }

  standard m_standard;
  channel_setup m_setup;
  ps_t m_front, m_back, m_now = 0;
  replay_table m_table;
  channel_set m_channels;
  std::vector<clocks_t> m_data_clocks;
  std::vector<std::uint32_t> m_sources;
  std::vector<std::int64_t> m_waiting;  // bytes in flight by source
  std::int64_t m_waiting_bytes = 0;     // and of all
  std::size_t m_last_source = 0;
  std::vector<open_transfer> m_slots;
  std::vector<int> m_free_slots;
  std::vector<int> m_wide;  ///< open transfers but the brief ones, in order of submission
  done_queue m_done;
  std::int64_t m_sequence = 0;
  std::size_t m_in_flight = 0;
  std::size_t m_limit = m_setup.params.transfer_limit(m_setup.map.channels());
  bool m_attribute = true, m_runs_ahead = false;
  ps_t m_last_arrival = -1;
  clocks_t m_last_clock = 0;  ///< of m_last_arrival, at the queue
};

memory::memory(const standard& s, const address_map& map, const controller_params& params)
    : m(std::make_unique<impl>(s, map, params)) {}
memory::~memory() = default;
memory::memory(memory&&) noexcept = default;
memory& memory::operator=(memory&&) noexcept = default;
bool memory::can_accept() const {
  return m->can_accept();
}
void memory::submit(const transfer& t) {
  m->submit(t);
}
ps_t memory::advance(ps_t now) {
  return m->advance(now);
}
void memory::run_ahead() {
  m->run_ahead();
}
void memory::take_completions(std::vector<completion>& out) {
  m->take_completions(out);
}
void memory::attribute(bool on) {
  m->attribute(on);
}
std::size_t memory::in_flight() const {
  return m->in_flight();
}
statistics memory::stats(ps_t now) const {
  return m->stats(now);
}
tally memory::tally(ps_t now) const {
  return m->tally(now);
}
void memory::data_time(ps_t now, std::vector<ps_t>& out) const {
  m->data_time(now, out);
}
const standard& memory::spec() const {
  return m->spec();
}
const address_map& memory::map() const {
  return m->map();
}
int memory::channels() const {
  return m->map().channels();
}
void memory::listen(command_listener* l) {
  m->listen(l);
}

}  // namespace memwall::dram
