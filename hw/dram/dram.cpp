// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/dram.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace memwall {

struct dram_module::impl {
  struct slot {
    transfer* t = nullptr;
    transfer_info* i = nullptr;
    ps_t arrived = 0;
  };
  static constexpr std::uint64_t page_bytes = 4096;
  using page = std::array<unsigned char, page_bytes>;

  impl(dram_module& m, const dram_params& params, std::unique_ptr<dram_engine> e, std::uint64_t bytes)
      : self(m), p(params), engine(std::move(e)), size(bytes), burst_bytes(engine->burst_bytes()) {
    run_on(wake, "run", [this] { run(); });
  }

  dram_module& self;
  dram_params p;
  std::unique_ptr<dram_engine> engine;
  std::uint64_t size;
  std::int64_t burst_bytes;

  std::vector<slot> slots;
  std::vector<std::uint32_t> free_slots;
  std::vector<dram::completion> completions;
  transfer* held = nullptr;  // its request phase stays open: the engine is full
  ps_t held_since = 0;
  struct bank_claim {
    int source;
    std::function<void()> granted;  // empty once called
  };
  std::deque<bank_claim> claims;  // the first one has the banks, or waits until they are idle
  ps_t claimed_since = 0;
  std::deque<slot> waiting;  // of others than the owner: taken, not yet with the engine
  std::size_t in_flight = 0;
  ps_t busy_since = 0;
  sc_core::sc_event wake;
  ps_t wake_at = never;
  bool running = false;

  std::unordered_map<std::uint64_t, std::unique_ptr<page>> pages;  // only looked up, never iterated

  std::uint64_t transfers = 0, errors = 0;
  traffic_bytes read_bytes, write_bytes;
  ps_t busy = 0, withheld = 0, claimed = 0, delayed_time = 0;
  std::uint64_t delayed = 0;
  memwall::latency_histogram latency;
  transfer_observer* observer = nullptr;
  /// The engine has one listener; several may watch.
  struct watchers final : dram::command_listener {
    std::vector<dram::command_watcher*> all;
    void on_command(const dram::command_record& c) override {
      for (auto* w : all) w->on_command(c);
    }
  } watching;
  probe<bool> busy_probe{"busy"};
  probe<unsigned> queue_probe{"transfers"};
  probe<bool> full_probe{"full"};
  probe<std::uint64_t> bytes_probe{"bytes_in_flight", "B"};

  bool request(transfer& t) {
    transfer_info& i = info(t);
    const ps_t now = now_ps();
    i.book(stall::dram_queue, now);  // upstream leaves to the target what it had to wait for its room
    const std::uint64_t bytes = t.get_data_length();
    tlm::tlm_response_status error = tlm::TLM_OK_RESPONSE;
    if (t.get_byte_enable_ptr() != nullptr)
      error = tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
    else if (t.get_streaming_width() < bytes || bytes == 0)
      error = tlm::TLM_BURST_ERROR_RESPONSE;
    else if (bytes > size || t.get_address() > size - bytes)
      error = tlm::TLM_ADDRESS_ERROR_RESPONSE;
    if (error != tlm::TLM_OK_RESPONSE || t.get_command() == tlm::TLM_IGNORE_COMMAND) {
      errors += error != tlm::TLM_OK_RESPONSE ? 1 : 0;
      t.set_response_status(error);
      self.port.respond(t);
      return true;
    }
    if (!claims.empty() ? i.source != claims.front().source : !waiting.empty()) {
      waiting.push_back({&t, &i, now});
      return true;
    }
    if (!engine->can_accept()) {
      held = &t;
      held_since = now;
      full_probe.set(true);
      return false;
    }
    if (in_flight == 0) engine->advance(now);  // what the last transfers left behind is past: channels become alike
    submit(t, now);
    if (!running) schedule(now);  // once for all requests of this instant
    return true;
  }

  void submit(transfer& t, ps_t arrived) {
    const ps_t now = now_ps();
    std::uint32_t id;
    if (free_slots.empty()) {
      id = static_cast<std::uint32_t>(slots.size());
      slots.emplace_back();
    } else {
      id = free_slots.back();
      free_slots.pop_back();
    }
    transfer_info& i = info(t);
    slots[id] = {&t, &i, arrived};
    dram::transfer d;
    d.address = t.get_address();
    d.bytes = t.get_data_length();
    d.write = t.is_write();
    d.source = static_cast<std::uint32_t>(i.source);
    d.id = id;
    d.arrival = now;
    d.pace = i.pace * burst_bytes / 64;
    if (in_flight++ == 0) busy_since = now;
    engine->submit(d);
    if (p.functional && d.write) copy_in(d.address, t.get_data_ptr(), d.bytes);
    busy_probe.set(true);
    queue_probe.set(static_cast<unsigned>(in_flight));
    bytes_probe.set(bytes_probe.value() + d.bytes);
  }

  void grant() {
    if (claims.empty() || !claims.front().granted || in_flight > 0) return;
    claimed_since = now_ps();
    std::exchange(claims.front().granted, nullptr)();
  }

  // What came while the banks computed, in order, as far as the engine has room.
  void let_in(ps_t now) {
    while (!waiting.empty() && engine->can_accept()) {
      const slot s = waiting.front();
      waiting.pop_front();
      s.i->book(stall::dram_queue, now);
      ++delayed;
      delayed_time += now - s.arrived;
      if (in_flight == 0) engine->advance(now);
      submit(*s.t, s.arrived);
    }
  }

  void run() {
    const ps_t now = now_ps();
    wake_at = never;
    running = true;
    ps_t bound = engine->advance(now);
    for (;;) {
      completions.clear();
      engine->take_completions(completions);
      if (completions.empty()) break;
      for (std::size_t c = 0; c < completions.size(); ++c) {
        if (c + 6 < completions.size()) {
          const slot& s = slots[completions[c + 6].id];
          prefetch(s.t, sizeof *s.t);
          s.i->prefetch();
        }
        if (c + 3 < completions.size()) slots[completions[c + 3].id].i->prefetch_hops();
        finish(completions[c], now);
      }
      if (claims.empty()) let_in(now);
      if (held != nullptr && engine->can_accept()) {
        transfer& t = *held;
        held = nullptr;
        withheld += now - held_since;
        full_probe.set(false);
        info(t).book(stall::dram_queue, now);
        submit(t, held_since);
        self.port.accept();
      }
      bound = engine->advance(now);
    }
    running = false;
    for (std::size_t i = watching.all.size(); i-- > 0;)
      if (watching.all[i]->full()) watch(*watching.all[i], false);
    schedule(bound);
    grant();
  }

  void watch(dram::command_watcher& w, bool on) {
    auto& all = watching.all;
    const auto found = std::find(all.begin(), all.end(), &w);
    if (on == (found != all.end())) return;
    if (on) {
      all.push_back(&w);
      if (all.size() == 1) engine->listen(&watching);
      return;
    }
    all.erase(found);
    if (all.empty()) engine->listen(nullptr);
    w.forget(now_ps());
  }

  void finish(const dram::completion& c, ps_t now) {
    const auto id = static_cast<std::uint32_t>(c.id);
    transfer& t = *slots[id].t;
    const ps_t arrived = slots[id].arrived;
    transfer_info& i = *slots[id].i;
    free_slots.push_back(id);
    i.first_data = c.first_data;
    i.spread = c.spread;
    i.book(c.parts, now, stall::dram_latency);
    const std::int64_t bytes = t.get_data_length();
    if (p.functional && t.is_read()) copy_out(t.get_address(), t.get_data_ptr(), static_cast<std::uint64_t>(bytes));
    ++transfers;
    (t.is_write() ? write_bytes : read_bytes)[i.carries] += bytes;
    latency.add(now - arrived);
    if (--in_flight == 0) {
      busy += now - busy_since;
      busy_probe.set(false);
    }
    queue_probe.set(static_cast<unsigned>(in_flight));
    bytes_probe.set(bytes_probe.value() - static_cast<std::uint64_t>(bytes));
    if (observer != nullptr)
      observer->span({self.name(), t.is_write() ? "write" : "read", i.source, i.op, bytes, arrived, now});
    t.set_response_status(tlm::TLM_OK_RESPONSE);
    self.port.respond(t);
  }

  void schedule(ps_t at) {
    if (at == wake_at || at == never) return;
    if (wake_at != never && at > wake_at) wake.cancel();
    wake_at = at;
    wake.notify(to_sc_time(std::max<ps_t>(0, at - now_ps())));
  }

  template <class Move>
  static void by_page(std::uint64_t address, std::uint64_t bytes, Move&& move) {
    for (std::uint64_t done = 0; done < bytes;) {
      const std::uint64_t offset = (address + done) % page_bytes;
      const std::uint64_t part = std::min(bytes - done, page_bytes - offset);
      move((address + done) / page_bytes, offset, done, part);
      done += part;
    }
  }
  void copy_in(std::uint64_t address, const unsigned char* data, std::uint64_t bytes) {
    by_page(address, bytes, [&](std::uint64_t index, std::uint64_t offset, std::uint64_t done, std::uint64_t part) {
      auto& target = pages[index];
      if (target == nullptr) target = std::make_unique<page>();
      std::memcpy(target->data() + offset, data + done, part);
    });
  }
  void copy_out(std::uint64_t address, unsigned char* data, std::uint64_t bytes) const {
    by_page(address, bytes, [&](std::uint64_t index, std::uint64_t offset, std::uint64_t done, std::uint64_t part) {
      const auto found = pages.find(index);
      if (found == pages.end())
        std::memset(data + done, 0, part);
      else
        std::memcpy(data + done, found->second->data() + offset, part);
    });
  }

  ps_t busy_until(ps_t now) const { return busy + (in_flight > 0 ? now - busy_since : 0); }
  ps_t withheld_until(ps_t now) const { return withheld + (held != nullptr ? now - held_since : 0); }

  unsigned debug(transfer& t) {
    const std::uint64_t bytes = t.get_data_length();
    if (!p.functional || bytes == 0 || bytes > size || t.get_address() > size - bytes) return 0;
    if (t.is_read())
      copy_out(t.get_address(), t.get_data_ptr(), bytes);
    else if (t.is_write())
      copy_in(t.get_address(), t.get_data_ptr(), bytes);
    else
      return 0;
    return static_cast<unsigned>(bytes);
  }
};

dram_module::dram_module(const sc_core::sc_module_name& name, const dram_params& params,
                         std::unique_ptr<dram_engine> engine, std::uint64_t size)
    : sc_core::sc_module(name), port("port"), m_impl(std::make_unique<impl>(*this, params, std::move(engine), size)) {
  impl* m = m_impl.get();
  port.on_request = [m](transfer& t) { return m->request(t); };
  port.on_debug = [m](transfer& t) { return m->debug(t); };
}

dram_module::~dram_module() = default;

std::uint64_t dram_module::size() const {
  return m_impl->size;
}

dram_report dram_module::report() const {
  const impl& m = *m_impl;
  dram_report r;
  r.name = name();
  r.standard = m.p.standard;
  r.channels = m.p.channels;
  r.size = m.size;
  r.elapsed_ps = now_ps();
  r.peak_bytes_per_s = m.engine->peak_bytes_per_s();
  r.transfers = m.transfers;
  r.errors = m.errors;
  r.read_bytes = m.read_bytes;
  r.write_bytes = m.write_bytes;
  r.busy_ps = m.busy_until(r.elapsed_ps);
  r.withheld_ps = m.withheld_until(r.elapsed_ps);
  r.claimed_ps = m.claimed;
  r.delayed = m.delayed;
  r.delayed_ps = m.delayed_time;
  r.latency = summarize(m.latency);
  r.latency_bins = m.latency.bins();
  r.memory = m.engine->stats(r.elapsed_ps);
  return r;
}

dram_tally dram_module::counted() const {
  const impl& m = *m_impl;
  const ps_t now = now_ps();
  return {m.transfers, m.busy_until(now), m.withheld_until(now), m.engine->tally(now)};
}

probe_list dram_module::probes() {
  return {&m_impl->busy_probe, &m_impl->queue_probe, &m_impl->full_probe, &m_impl->bytes_probe};
}

void dram_module::observe(transfer_observer* observer) {
  m_impl->observer = observer;
}

void dram_module::watch(dram::command_watcher& watcher, bool on) {
  m_impl->watch(watcher, on);
}

void dram_module::data_time(std::vector<ps_t>& out) const {
  m_impl->engine->data_time(now_ps(), out);
}

void dram_module::catch_up() {
  // Counting makes channels that have nothing to do simulate their refreshes too; advance() leaves them for later.
  if (!m_impl->watching.all.empty()) m_impl->engine->stats(now_ps());
}

void dram_module::claim_banks(int source, std::function<void()> granted) {
  m_impl->claims.push_back({source, std::move(granted)});
  m_impl->grant();
}

void dram_module::release_banks() {
  impl& m = *m_impl;
  const ps_t now = now_ps();
  m.claimed += now - m.claimed_since;
  m.claims.pop_front();
  // Who waited goes first, then the next claim.
  m.let_in(now);
  if (!m.running && m.in_flight > 0) m.schedule(now);
  m.grant();
}

void dram_module::load(std::uint64_t address, const unsigned char* data, std::uint64_t bytes) {
  if (m_impl->p.functional) m_impl->copy_in(address, data, bytes);
}

void dram_module::store(std::uint64_t address, unsigned char* data, std::uint64_t bytes) const {
  m_impl->copy_out(address, data, bytes);
}

}  // namespace memwall
