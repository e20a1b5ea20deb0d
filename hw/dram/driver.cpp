// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/driver.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "hw/common/error.h"

namespace memwall::dram {
namespace {

double clocks_to_ns(double clocks, const statistics& s) {
  return clocks * static_cast<double>(s.tck_fs) * 1e-6;
}

nlohmann::ordered_json latency_json(const clock_histogram& h, const statistics& s) {
  const auto ns = [&](std::int64_t clocks) { return clocks_to_ns(static_cast<double>(clocks), s); };
  return {{"mean", clocks_to_ns(h.mean(), s)},
          {"p50", ns(h.quantile(0.50))},
          {"p95", ns(h.quantile(0.95))},
          {"p99", ns(h.quantile(0.99))},
          {"max", ns(h.max())}};
}

double peak_rss_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

/// Brings requests to a memory, and time forward. What comes out does not depend on how many requests are submitted at
/// once, nor on how far time goes in one step.
class run {
 public:
  run(memory& m, const driver_params& p, driver_result& out) : m_memory(m), m_params(p), m_out(out) {}

  ps_t end() const { return std::max(m_out.time, m_now); }
  std::int64_t bytes() const { return m_bytes; }

  void all_at_once(const transfer& t, std::int64_t requests) {
    m_memory.submit(t);
    m_bytes = static_cast<std::int64_t>(t.bytes);
    m_out.requests = requests;
    drain();
  }

  /// Requests come at their times, or all at the beginning, and wait at their channels' queues.
  void as_they_come(traffic& source) {
    constexpr std::size_t least = 1024;  // at once: few enough to stay in the cache
    const std::size_t window = std::max(least, std::size_t{32} * static_cast<std::size_t>(m_params.channels));
    for (request r; source.next(r);) {
      submit(r, r.not_before);
      if (m_memory.in_flight() < window + m_left) continue;
      m_memory.run_ahead();
      take();
      m_left = m_memory.in_flight();
      if (stopped()) break;
    }
    m_memory.run_ahead();
    take();
    drain();
  }

  /// At most max_transfers at a time: the next one comes when one is done.
  void as_room_allows(traffic& source) {
    ps_t next = 0;
    for (request r; source.next(r);) {
      while (!m_memory.can_accept()) {
        if (stopped()) return;
        next = step(std::max(next, m_now));
      }
      submit(r, std::max(m_now, r.not_before));
      next = m_now;
    }
    drain();
  }

 private:
  bool stopped() {
    m_out.interrupted = m_params.stop && m_params.stop();
    return m_out.interrupted;
  }
  void submit(const request& r, ps_t arrival) {
    transfer t;
    t.address = r.address;
    t.bytes = r.bytes;
    t.write = r.write;
    t.id = static_cast<std::uint64_t>(m_out.requests++);
    t.arrival = arrival;
    m_bytes += r.bytes;
    m_memory.submit(t);
  }
  void take() {
    m_done.clear();
    m_memory.take_completions(m_done);
    for (const auto& c : m_done) m_out.time = std::max(m_out.time, c.done);
  }
  ps_t step(ps_t until) {
    const ps_t next = m_memory.advance(until);
    m_now = until;
    take();
    return next;
  }
  /// Until nothing is in flight. A step takes a small part of a second of the host's time, so that a user who stops the
  /// run need not wait.
  void drain() {
    using clock = std::chrono::steady_clock;
    constexpr auto long_step = std::chrono::milliseconds(200);
    ps_t stride = 1'000'000'000;  // a millisecond of the memory's time
    ps_t next = step(m_now);
    while (m_memory.in_flight() > 0 && !stopped()) {
      const auto begin = clock::now();
      next = step(next - m_now > stride ? m_now + stride : next);
      stride = clock::now() - begin > long_step ? stride / 2 + 1 : std::min(2 * stride, never / 4);
    }
  }

  memory& m_memory;
  const driver_params& m_params;
  driver_result& m_out;
  std::vector<completion> m_done;
  std::int64_t m_bytes = 0;
  std::size_t m_left = 0;  ///< in the queues after the last run_ahead()
  ps_t m_now = 0;
};

}  // namespace

driver_result run_driver(const driver_params& p, command_listener* listener) {
  driver_result out;
  out.spec = load_standard(p.standard, p.changes);
  const address_map map({p.map.empty() ? out.spec.default_map : p.map, p.channels, p.interleave}, out.spec.org);
  out.map = map.text();
  out.peak = out.spec.peak_bytes_per_s() * p.channels;
  const std::unique_ptr<traffic> source = p.trace.empty()
                                              ? make_pattern(p.pattern, out.spec, map)
                                              : open_trace(p.trace, out.spec, map, p.pattern.size, p.pattern.requests);
  out.traffic = p.trace.empty() ? p.pattern.pattern : p.trace;

  memory m(out.spec, map, p.controller);
  m.listen(listener);
  m.attribute(false);
  const auto start = std::chrono::steady_clock::now();
  run r(m, p, out);
  const transfer whole = source->as_one();
  const bool paced_stripes = whole.pace > 0 && p.channels > 1;  // a paced transfer comes by whole stripes
  const std::int64_t size = p.pattern.size > 0 ? p.pattern.size : out.spec.org.access_bytes();
  if (p.controller.max_transfers > 0)
    r.as_room_allows(*source);
  else if (whole.bytes > 0 && !paced_stripes)
    r.all_at_once(whole, static_cast<std::int64_t>(whole.bytes) / size);
  else
    r.as_they_come(*source);
  out.stats = m.stats(r.end());
  out.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const std::int64_t bytes = r.bytes();
  if (out.time > 0) out.bandwidth = static_cast<double>(bytes) / (static_cast<double>(out.time) * 1e-12);
  out.energy = energy_of(out.stats, out.spec);
  out.bound_by = bottleneck_line(out.stats);
  return out;
}

nlohmann::ordered_json to_json(const driver_result& r) {
  const statistics& s = r.stats;
  nlohmann::ordered_json out;
  out["time_ns"] = static_cast<double>(r.time) * 1e-3;
  out["bandwidth_gbps"] = r.bandwidth * 1e-9;
  out["pct_peak"] = 100 * r.bandwidth / r.peak;
  out["read_latency_ns"] = latency_json(s.read_latency, s);
  out["write_latency_ns"] = latency_json(s.write_latency, s);
  out["row"] = {{"hit", s.row_hits}, {"miss", s.row_misses}, {"conflict", s.row_conflicts}};
  for (std::size_t i = 0; i < command_count; ++i)
    out["commands"][command_name(static_cast<command>(i))] = s.commands[i];
  const energy_breakdown& e = r.energy;
  out["energy_pj"] = {
      {"activate", e.activate},     {"read", e.read},    {"write", e.write}, {"io", e.io}, {"refresh", e.refresh},
      {"background", e.background}, {"total", e.total()}};
  out["host"] = {{"wall_s", r.wall_s},
                 {"requests_per_s", r.wall_s > 0 ? static_cast<double>(r.requests) / r.wall_s : 0},
                 {"peak_rss_mb", peak_rss_mb()}};
  // Beyond the keys above: what was run, and why it took that long.
  out["standard"] = r.spec.name;
  out["map"] = r.map;
  out["traffic"] = r.traffic;
  out["requests"] = r.requests;
  out["peak_gbps"] = r.peak * 1e-9;
  out["bound_by"] = r.bound_by;
  if (r.interrupted) out["interrupted"] = true;
  for (std::size_t i = 0; i < stall_count; ++i)
    if (s.by_cause.part[i] != 0)
      out["data_bus_ns"][stall_name(static_cast<stall>(i))] = static_cast<double>(s.by_cause.part[i]) * 1e-3;
  return out;
}

std::string to_text(const driver_result& r) {
  const statistics& s = r.stats;
  std::string out;
  const auto line = [&](const std::string& name, const std::string& value) {
    out += fmt::format("{:<18}{}\n", name, value);
  };
  line(r.spec.name, r.spec.description);
  line("traffic", fmt::format("{}, {} requests{}", r.traffic, r.requests,
                              r.interrupted ? ", INTERRUPTED: not all of them are done" : ""));
  line("map", r.map);
  line("time", fmt::format("{:.3f} us", static_cast<double>(r.time) * 1e-6));
  line("bandwidth", fmt::format("{:.3f} GB/s, {:.2f} % of {:.3f} GB/s", r.bandwidth * 1e-9, 100 * r.bandwidth / r.peak,
                                r.peak * 1e-9));
  line("bound by", r.bound_by);
  out += fmt::format("\n{:<18}{:>10}{:>10}{:>10}{:>10}{:>10}{:>14}\n", "latency, ns", "mean", "p50", "p95", "p99",
                     "max", "bursts");
  const auto latency = [&](const char* name, const clock_histogram& h) {
    if (h.count() == 0) return;
    const auto ns = [&](std::int64_t c) { return clocks_to_ns(static_cast<double>(c), s); };
    out += fmt::format("{:<18}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>14}\n", name, clocks_to_ns(h.mean(), s),
                       ns(h.quantile(0.5)), ns(h.quantile(0.95)), ns(h.quantile(0.99)), ns(h.max()), h.count());
  };
  latency("  read", s.read_latency);
  latency("  write", s.write_latency);
  const std::int64_t rows = s.row_hits + s.row_misses + s.row_conflicts;
  out += '\n';
  line("rows", fmt::format("{} hits ({:.1f} %), {} misses ({:.1f} %), {} conflicts ({:.1f} %)", s.row_hits,
                           percent(s.row_hits, rows), s.row_misses, percent(s.row_misses, rows), s.row_conflicts,
                           percent(s.row_conflicts, rows)));
  std::string commands;
  for (std::size_t i = 0; i < command_count; ++i)
    if (s.commands[i] != 0)
      commands +=
          fmt::format("{}{} {}", commands.empty() ? "" : ", ", command_name(static_cast<command>(i)), s.commands[i]);
  line("commands", commands);
  const energy_breakdown& e = r.energy;
  const double total = e.total();
  const double bits = 8.0 * static_cast<double>(s.bytes_read + s.bytes_written);
  line("energy", fmt::format("{:.3f} uJ, {:.2f} pJ/bit, {:.3f} W", total * 1e-6, bits > 0 ? total / bits : 0,
                             r.time > 0 ? total / static_cast<double>(r.time) : 0));
  const auto share = [&](const char* name, double v) {
    if (v > 0)
      line(std::string("  ") + name,
           fmt::format("{:>10.3f} uJ  {:>5.1f} %", v * 1e-6, total > 0 ? 100 * v / total : 0));
  };
  share("activate", e.activate);
  share("read", e.read);
  share("write", e.write);
  share("io", e.io);
  share("refresh", e.refresh);
  share("background", e.background);
  line("simulated in", fmt::format("{:.4f} s, {:.3g} requests/s, {:.1f} MB", r.wall_s,
                                   r.wall_s > 0 ? static_cast<double>(r.requests) / r.wall_s : 0, peak_rss_mb()));
  return out;
}

struct command_file::impl {
  std::string path, partial;
  std::FILE* file = nullptr;
  std::vector<char> buffer = std::vector<char>(1u << 20);
  std::size_t used = 0;
  bool failed = false;

  bool flush() {
    const bool ok = std::fwrite(buffer.data(), 1, used, file) == used;
    used = 0;
    return ok;
  }
};

command_file::command_file(const std::string& path) : m(std::make_unique<impl>()) {
  m->path = path;
  m->partial = path + ".partial";
  m->file = std::fopen(m->partial.c_str(), "w");
  if (m->file == nullptr)
    throw input_error(problem{"--commands", "", "cannot write '" + m->partial + "'", "a writable path", ""});
  std::setvbuf(m->file, nullptr, _IONBF, 0);  // the buffer is ours
  const std::string_view header = "cycle,command,channel,rank,bank_group,bank,row,column\n";
  std::copy(header.begin(), header.end(), m->buffer.begin());
  m->used = header.size();
}

command_file::~command_file() {
  if (m->file == nullptr) return;
  std::fclose(m->file);
  std::remove(m->partial.c_str());
}

// A simulated command costs less than a hundred nanoseconds: printing it must not cost more.
void command_file::on_command(const command_record& c) {
  char* at = m->buffer.data() + m->used;
  char* const end = m->buffer.data() + m->buffer.size();
  const auto number = [&](std::int64_t v) {
    if (v >= 0 && v < 10)
      *at++ = static_cast<char>('0' + v);
    else
      at = std::to_chars(at, end, v).ptr;
    *at++ = ',';
  };
  number(c.cycle);
  for (const char* name = command_name(c.kind); *name != 0;) *at++ = *name++;
  *at++ = ',';
  number(c.channel);
  number(c.rank);
  number(c.bank_group);
  number(c.bank);
  number(c.row);
  number(c.column);
  at[-1] = '\n';
  m->used = static_cast<std::size_t>(at - m->buffer.data());
  constexpr std::size_t longest_line = 160;
  if (m->used + longest_line > m->buffer.size() && !m->flush()) m->failed = true;
}

void command_file::finish() {
  const bool written = m->flush() && !m->failed;
  const bool closed = std::fclose(m->file) == 0;
  m->file = nullptr;
  if (!written || !closed || std::rename(m->partial.c_str(), m->path.c_str()) != 0) {
    std::remove(m->partial.c_str());
    throw input_error(problem{"--commands", "", "cannot write '" + m->path + "'", "a writable path with room", ""});
  }
}

}  // namespace memwall::dram
