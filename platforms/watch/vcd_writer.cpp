// SPDX-License-Identifier: Apache-2.0
#include "platforms/watch/vcd_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>

#include "hw/common/error.h"

namespace memwall::platforms {
namespace {

std::string code_of(std::size_t i) {
  std::string out;
  do {
    out += static_cast<char>('!' + i % 94);
    i /= 94;
  } while (i > 0);
  return out;
}

std::string binary(std::uint64_t v) {
  std::string out;
  do {
    out.insert(out.begin(), static_cast<char>('0' + (v & 1)));
    v >>= 1;
  } while (v != 0);
  return out;
}

}  // namespace

vcd_writer::vcd_writer(const std::string& path, std::int64_t limit, std::function<ps_t()> clock)
    : m_file(std::fopen(path.c_str(), "w")), m_limit(limit), m_clock(std::move(clock)) {
  if (m_file == nullptr)
    throw input_error(
        problem{path, "", std::string("cannot be written: ") + std::strerror(errno), "a writable place", ""});
}

vcd_writer::~vcd_writer() {
  if (m_file == nullptr) return;
  for (auto& s : m_signals) s.source->listen(nullptr);
  std::fclose(m_file);
}

void vcd_writer::add(const std::string& module, probe_base& p, bool windowed) {
  p.listen(this, m_signals.size());
  m_signals.push_back({module, &p, code_of(m_signals.size()), windowed});
  m_signals.back().value = p.number();
}

vcd_writer::value_names& vcd_writer::add_named(const std::string& module, probe_base& p) {
  add(module, p);
  m_signals.back().names = std::make_unique<value_names>();
  return *m_signals.back().names;
}

void vcd_writer::put(const std::string& text) {
  if (m_file == nullptr) return;
  m_failed = m_failed || std::fwrite(text.data(), 1, text.size(), m_file) != text.size();
  m_bytes += static_cast<std::int64_t>(text.size());
}

void vcd_writer::header() {
  m_header_done = true;
  put("$version memwall $end\n$timescale 1 ps $end\n$scope module memwall $end\n");
  std::vector<std::string> scope;
  for (const auto& s : m_signals) {
    std::vector<std::string> path;
    for (std::size_t at = 0; at <= s.module.size();) {
      const auto dot = std::min(s.module.find('.', at), s.module.size());
      path.push_back(s.module.substr(at, dot - at));
      at = dot + 1;
    }
    std::size_t same = 0;
    while (same < scope.size() && same < path.size() && scope[same] == path[same]) ++same;
    while (scope.size() > same) put("$upscope $end\n"), scope.pop_back();
    while (scope.size() < path.size()) {
      scope.push_back(path[scope.size()]);
      put("$scope module " + scope.back() + " $end\n");
    }
    if (s.is_text()) {
      put(fmt::format("$var string 1 {} {} $end\n", s.id, s.source->name()));
      continue;
    }
    switch (s.source->type()) {
      case probe_base::kind::boolean:
        put(fmt::format("$var wire 1 {} {} $end\n", s.id, s.source->name()));
        break;
      case probe_base::kind::integer:
        put(fmt::format("$var wire 64 {} {} [63:0] $end\n", s.id, s.source->name()));
        break;
      case probe_base::kind::real:
        put(fmt::format("$var real 64 {} {} $end\n", s.id, s.source->name()));
        break;
      case probe_base::kind::state:
        break;  // text
    }
  }
  for (std::size_t i = 0; i < scope.size(); ++i) put("$upscope $end\n");
  put("$upscope $end\n$enddefinitions $end\n");
}

std::string vcd_writer::value_text(const signal& s, double value) {
  const probe_base& p = *s.source;
  if (s.names != nullptr) {
    if (std::isnan(value)) return "s? ";
    const auto name = s.names->find(static_cast<std::uint64_t>(value));
    return "s" + (name == s.names->end() ? "-" : name->second) + " ";
  }
  if (std::isnan(value)) {
    switch (p.type()) {
      case probe_base::kind::boolean:
        return "x";
      case probe_base::kind::integer:
        return "bx ";
      case probe_base::kind::real:
        return "rnan ";
      case probe_base::kind::state:
        return "s? ";
    }
  }
  switch (p.type()) {
    case probe_base::kind::boolean:
      return value != 0 ? "1" : "0";
    case probe_base::kind::integer:
      return "b" + binary(static_cast<std::uint64_t>(value)) + " ";
    case probe_base::kind::real:
      return fmt::format("r{} ", value);
    case probe_base::kind::state: {
      const auto index = static_cast<std::size_t>(value);
      return "s" + (index < p.states().size() ? p.states()[index] : std::to_string(index)) + " ";
    }
  }
  return {};
}

void vcd_writer::stamp(ps_t t) {
  if (t == m_written_time) return;
  put(fmt::format("#{}\n", t));
  m_written_time = t;
}

/// Takes over the changes before `until` in the order of their times, and writes them.
void vcd_writer::settle(ps_t until, bool write) {
  m_settling = true;
  // Outside a window nobody shows what a memory has not told yet; the next one asks when it opens.
  if (catch_up && (write || m_opening)) catch_up();
  m_settling = false;
  std::stable_sort(m_changes.begin(), m_changes.end(), [](const change& a, const change& b) { return a.at < b.at; });
  std::size_t i = 0;
  while (i < m_changes.size() && m_changes[i].at < until) {
    const ps_t at = m_changes[i].at;
    for (; i < m_changes.size() && m_changes[i].at == at; ++i) {
      signal& s = m_signals[m_changes[i].signal];
      s.value = m_changes[i].value;
      if (!s.dirty) m_dirty.push_back(m_changes[i].signal);
      s.dirty = true;
    }
    for (const auto d : m_dirty) {
      signal& s = m_signals[d];
      s.dirty = false;
      if (!write || m_cut_at != never || s.value == s.written || (std::isnan(s.value) && std::isnan(s.written)))
        continue;
      if (at < m_written_time) {  // told too late: the file cannot go back
        ++m_late;
        continue;
      }
      stamp(at);
      put(value_text(s, s.value) + s.id + "\n");
      s.written = s.value;
      ++s.moves;
    }
    m_dirty.clear();
    if (write && m_bytes > m_limit && m_cut_at == never) m_cut_at = at;
  }
  m_changes.erase(m_changes.begin(), m_changes.begin() + static_cast<std::ptrdiff_t>(i));
}

void vcd_writer::open_window() {
  if (m_active || m_cut_at != never) return;
  if (!m_header_done) header();
  for (auto& s : m_signals)
    if (s.windowed) s.value = unknown;
  m_changes.erase(
      std::remove_if(m_changes.begin(), m_changes.end(), [&](const change& c) { return m_signals[c.signal].windowed; }),
      m_changes.end());
  if (on_window) on_window(true);
  const ps_t now = m_clock();
  m_opening = true;
  settle(now + 1, false);
  m_opening = false;
  m_active = true;
  m_settle_at = settle_in_window;
  if (m_first_time < 0) m_first_time = now;
  stamp(now);
  put("$dumpvars\n");
  for (auto& s : m_signals) {
    put(value_text(s, s.value) + s.id + "\n");
    s.written = s.value;
  }
  put("$end\n");
}

void vcd_writer::close_window() {
  if (!m_active) return;
  const ps_t now = m_clock();
  settle(now + 1, true);
  stop();
  if (m_cut_at != never) return;
  stamp(now);
  for (const auto& s : m_signals) put(value_text(s, unknown) + s.id + "\n");
}

void vcd_writer::stop() {
  m_active = false;
  if (on_window) on_window(false);
}

void vcd_writer::changed(const probe_base& p) {
  if (m_active)
    changed_at(p, p.number(), m_clock());
  else
    m_signals[p.tag()].value = p.number();
  // Here, and not where a DRAM tells its commands: catching up needs it at rest.
  if (m_settling || m_changes.size() < m_settle_at) return;
  const bool was_active = m_active;
  settle(m_clock(), was_active);
  // Changes told ahead of time stay. Where they are many the next look waits until there are twice as many, so that
  // each is sorted a few times, and not again with every change that comes.
  m_settle_at = std::max(m_active ? settle_in_window : settle_outside, 2 * m_changes.size());
  if (was_active && m_cut_at != never) stop();
}

void vcd_writer::changed_at(const probe_base& p, double value, ps_t at) {
  signal& s = m_signals[p.tag()];
  if (std::isnan(value) && at < s.told_until)
    m_changes.erase(std::remove_if(m_changes.begin(), m_changes.end(),
                                   [&](const change& c) { return c.signal == p.tag() && c.at > at; }),
                    m_changes.end());
  s.told_until = at;
  m_changes.push_back({at, p.tag(), value});
}

bool vcd_writer::close() {
  if (m_file == nullptr) return !m_failed;
  if (!m_header_done) header();
  if (m_active) {
    settle(m_clock() + 1, true);
    if (m_cut_at == never) stamp(m_clock());
    stop();
  }
  for (auto& s : m_signals) s.source->listen(nullptr);
  m_failed = (std::fclose(m_file) != 0) || m_failed;
  m_file = nullptr;
  return !m_failed;
}

void vcd_writer::write_save_file(const std::string& path, const std::string& dump_name) const {
  // Flags of GTKWave's save format: 0x200 blank label, 0x800000 + 0x1000000 group begin and end, 0x22 right-justified
  // hex, 0x24 right-justified decimal, 0x28 right-justified binary, 0x20000 ... analog.
  std::string no_markers;
  for (int i = 0; i < 26; ++i) no_markers += " -1";
  // Colours 2, 3 and 4 are orange, yellow and green: the others (red, blue, indigo, violet) are dark on black.
  // Zoom: 200 pixels are 2^-zoom ticks; the whole recording in about 1000 pixels.
  const double range = static_cast<double>(std::max<ps_t>(1, m_written_time - std::max<ps_t>(0, m_first_time)));
  std::string out = fmt::format(
      "[*] memwall\n[dumpfile] \"{}\"\n[timestart] {}\n[size] 1600 900\n[pos] -1 -1\n*-{:.6f} -1{}\n[sst_width] "
      "240\n[signals_width] 260\n[sst_expanded] 1\n",
      dump_name, std::max<ps_t>(0, m_first_time), std::max(0.0, std::log2(range / 5)), no_markers);
  std::string module;
  const auto end_group = [&] {
    if (!module.empty()) out += "@1000200\n-" + module + "\n";
  };
  // Modules that did something first, then the details of those that did most, last what slept the whole time.
  std::map<std::string, std::int64_t> moves;
  for (const auto& s : m_signals) moves[s.module] += s.moves;
  std::vector<const signal*> order;
  for (const auto& s : m_signals) order.push_back(&s);
  const auto rank = [&](const signal& s) {
    const std::int64_t n = moves[s.module];
    return n == 0       ? std::pair<int, std::int64_t>(2, 0)
           : s.windowed ? std::pair<int, std::int64_t>(1, -n)
                        : std::pair<int, std::int64_t>(0, 0);
  };
  std::stable_sort(order.begin(), order.end(), [&](const signal* x, const signal* y) { return rank(*x) < rank(*y); });
  for (const signal* in_order : order) {
    const signal& s = *in_order;
    if (s.module != module) {
      end_group();
      module = s.module;
      out += "@800200\n-" + module + "\n";
    }
    const std::string name = "memwall." + s.module + "." + s.source->name();
    if (s.is_text()) {
      out += "[color] 3\n@820\n" + name + "\n";
      continue;
    }
    switch (s.source->type()) {
      case probe_base::kind::boolean:
        out += "[color] 4\n@28\n" + name + "\n";
        break;
      case probe_base::kind::integer:
        out += "[color] 2\n@24\n" + name + "[63:0]\n";
        break;
      case probe_base::kind::real:
        out += "[color] 2\n@20\n" + name + "\n";
        break;
      case probe_base::kind::state:
        break;  // text
    }
  }
  end_group();
  std::FILE* f = std::fopen(path.c_str(), "w");
  if (f == nullptr)
    throw input_error(
        problem{path, "", std::string("cannot be written: ") + std::strerror(errno), "a writable place", ""});
  std::fwrite(out.data(), 1, out.size(), f);
  std::fclose(f);
}

}  // namespace memwall::platforms
