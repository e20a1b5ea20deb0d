// SPDX-License-Identifier: Apache-2.0
// Modules for tests of the fabric: an initiator with a window, and a memory engine with a closed form.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "hw/dram/dram.h"
#include "hw/ports/at_initiator.h"
#include "hw/ports/ring.h"

namespace memwall {

/// One thing to ask for.
struct order {
  std::uint64_t address = 0, bytes = 64;
  bool write = false;
  ps_t not_before = 0;
};

/// What came of it.
struct record {
  ps_t issued = 0, completed = 0;
  tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
  stall_stack parts;
  ps_t latency() const { return completed - issued; }
};

/// Issues orders in sequence, at most `window` bytes (and at least one order) in flight.
class traffic_source : public sc_core::sc_module {
 public:
  at_initiator_port port{"port"};
  std::vector<record> records;  ///< by order
  ps_t finished = 0;
  std::size_t completed = 0;
  bool keep_records = true;

  traffic_source(const sc_core::sc_module_name& name, int id, std::size_t count, std::function<order(std::size_t)> make,
                 std::uint64_t window)
      : sc_core::sc_module(name), m_id(id), m_count(count), m_make(std::move(make)), m_window(window) {
    port.on_ready = [this] { issue(); };
    port.on_complete = [this](transfer& t) { complete(t); };
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.set_sensitivity(&m_wake);
    sc_core::sc_spawn([this] { issue(); }, "issue", &options);
  }

 private:
  void issue() {
    while (m_next < m_count && port.can_send()) {
      const order o = m_make(m_next);
      if (m_bytes > 0 && m_bytes + o.bytes > m_window) return;
      if (o.not_before > now_ps()) {
        m_wake.notify(to_sc_time(o.not_before - now_ps()));
        return;
      }
      transfer& t = o.write ? port.write(o.address, o.bytes) : port.read(o.address, o.bytes);
      transfer_info& i = info(t);
      i.source = m_id;
      i.op = m_next++;
      i.carries = traffic::weights;
      m_bytes += o.bytes;
      port.send(t);
    }
  }
  void complete(transfer& t) {
    const transfer_info& i = info(t);
    m_bytes -= t.get_data_length();
    ++completed;
    finished = now_ps();
    if (keep_records) {
      if (records.size() <= i.op) records.resize(i.op + 1);
      records[i.op] = {i.issued, finished, t.get_response_status(), i.parts};
    }
    issue();
  }

  int m_id;
  std::size_t m_count, m_next = 0;
  std::function<order(std::size_t)> m_make;
  std::uint64_t m_window, m_bytes = 0;
  sc_core::sc_event m_wake;
};

/// A memory that serves 64-byte bursts, one after another over all transfers of a source and in turn between
/// sources, each in `burst` picoseconds, after `latency`: what any real engine does, with a result that can
/// be written down.
class plain_engine final : public dram_engine {
 public:
  plain_engine(ps_t burst, ps_t latency, std::size_t room = 1u << 20)
      : m_burst(burst), m_latency(latency), m_room(room) {}
  bool can_accept() const override { return m_in_flight < m_room; }
  void submit(const dram::transfer& t) override {
    if (t.source >= m_sources.size()) m_sources.resize(t.source + 1);
    m_sources[t.source].push_back({t, static_cast<std::int64_t>((t.bytes + 63) / 64), 0});
    m_sources[t.source].back().t.arrival += m_latency;
    ++m_in_flight;
  }
  // Bursts are granted at the time they start, to what has arrived, in turn between sources.
  ps_t advance(ps_t now) override {
    const std::size_t n = m_sources.size();
    for (;;) {
      ps_t earliest = never;
      std::size_t busy = 0;
      for (const auto& s : m_sources)
        if (!s.empty()) earliest = std::min(earliest, s.front().t.arrival), ++busy;
      const ps_t start = std::max(m_free, earliest);
      if (busy == 0 || start >= now) break;
      std::size_t pick = (m_last + 1) % n;
      while (m_sources[pick].empty() || m_sources[pick].front().t.arrival > start) pick = (pick + 1) % n;
      m_last = pick;
      work& w = m_sources[pick].front();
      // Alone: whole runs at once, as far as they start before now.
      const std::int64_t bursts = busy == 1 ? std::min(w.left, (now - start + m_burst - 1) / m_burst) : 1;
      if (w.first == 0) w.first = start + m_burst;
      m_free = start + bursts * m_burst;
      m_bursts += bursts;
      w.left -= bursts;
      if (w.left > 0) continue;
      dram::completion c;
      c.id = w.t.id;
      c.first_data = w.first;
      c.done = m_free;
      c.parts[stall::dram_latency] = m_latency;
      c.parts[stall::dram_data] = m_free - w.t.arrival;
      m_done.push_back(c);
      m_sources[pick].pop_front();
    }
    m_now = now;
    for (std::size_t k = 0; k < m_done.size(); ++k)
      if (m_done[k].done > now) return m_done[k].done;
    ps_t bound = never;
    for (const auto& s : m_sources)
      if (!s.empty()) bound = std::min(bound, std::max(m_free, s.front().t.arrival) + s.front().left * m_burst);
    return bound;
  }
  void take_completions(std::vector<dram::completion>& out) override {
    for (; !m_done.empty() && m_done.front().done <= m_now; m_done.pop_front(), --m_in_flight)
      out.push_back(m_done.front());
  }
  dram::statistics stats(ps_t now) const override {
    dram::statistics s;
    s.time = now;
    s.reads = m_bursts;
    return s;
  }
  int burst_bytes() const override { return 64; }
  double peak_bytes_per_s() const override { return 64e12 / static_cast<double>(m_burst); }

 private:
  struct work {
    dram::transfer t;
    std::int64_t left = 0;
    ps_t first = 0;
  };
  ps_t m_burst, m_latency;
  std::size_t m_room, m_in_flight = 0;
  std::vector<ring<work>> m_sources;  // by source
  ring<dram::completion> m_done;      // in order of completion
  ps_t m_free = 0, m_now = 0;
  std::size_t m_last = 0;
  std::int64_t m_bursts = 0;
};

/// A plain memory that notes what it is asked for.
class noting_engine final : public dram_engine {
 public:
  noting_engine(ps_t burst, ps_t latency, std::vector<dram::transfer>& asked)
      : m_inner(burst, latency), m_asked(asked) {}
  bool can_accept() const override { return m_inner.can_accept(); }
  void submit(const dram::transfer& t) override {
    m_asked.push_back(t);
    m_inner.submit(t);
  }
  ps_t advance(ps_t now) override { return m_inner.advance(now); }
  void take_completions(std::vector<dram::completion>& out) override { m_inner.take_completions(out); }
  dram::statistics stats(ps_t now) const override { return m_inner.stats(now); }
  int burst_bytes() const override { return m_inner.burst_bytes(); }
  double peak_bytes_per_s() const override { return m_inner.peak_bytes_per_s(); }

 private:
  plain_engine m_inner;
  std::vector<dram::transfer>& m_asked;
};

inline std::unique_ptr<dram_module> plain_memory(const char* name, ps_t burst, ps_t latency,
                                                 std::uint64_t size = std::uint64_t{1} << 40,
                                                 std::size_t room = 1u << 20) {
  return std::make_unique<dram_module>(sc_core::sc_module_name(name), dram_params{},
                                       std::make_unique<plain_engine>(burst, latency, room), size);
}

}  // namespace memwall
