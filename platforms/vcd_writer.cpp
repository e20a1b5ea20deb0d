// SPDX-License-Identifier: Apache-2.0
#include "platforms/vcd_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>

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
  if (m_file == nullptr) throw input_error(problem{path, "", std::string("cannot be written: ") + std::strerror(errno), "a writable place", ""});
}

vcd_writer::~vcd_writer() { close(); }

void vcd_writer::add(const std::string& module, probe_base& p) {
  m_index[&p] = m_signals.size();
  m_signals.push_back({module, &p, code_of(m_signals.size()), "", false});
  p.listen(this);
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
    switch (s.source->type()) {
      case probe_base::kind::boolean: put(fmt::format("$var wire 1 {} {} $end\n", s.id, s.source->name())); break;
      case probe_base::kind::integer: put(fmt::format("$var wire 64 {} {} [63:0] $end\n", s.id, s.source->name())); break;
      case probe_base::kind::real: put(fmt::format("$var real 64 {} {} $end\n", s.id, s.source->name())); break;
      case probe_base::kind::state: put(fmt::format("$var string 1 {} {} $end\n", s.id, s.source->name())); break;
    }
  }
  for (std::size_t i = 0; i < scope.size(); ++i) put("$upscope $end\n");
  put("$upscope $end\n$enddefinitions $end\n");
}

std::string vcd_writer::value_text(const probe_base& p) {
  switch (p.type()) {
    case probe_base::kind::boolean: return p.number() != 0 ? "1" : "0";
    case probe_base::kind::integer: return "b" + binary(static_cast<std::uint64_t>(p.number())) + " ";
    case probe_base::kind::real: return fmt::format("r{} ", p.number());
    case probe_base::kind::state: {
      const auto index = static_cast<std::size_t>(p.number());
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

void vcd_writer::open_window() {
  if (m_active || m_cut_at != never) return;
  if (!m_header_done) header();
  m_active = true;
  if (m_first_time < 0) m_first_time = m_clock();
  stamp(m_clock());
  put("$dumpvars\n");
  for (auto& s : m_signals) {
    s.last = value_text(*s.source);
    s.dirty = false;
    put(s.last + s.id + "\n");
  }
  put("$end\n");
  m_dirty.clear();
}

void vcd_writer::close_window() {
  if (!m_active) return;
  flush();
  m_active = false;
  stamp(m_clock());
  for (auto& s : m_signals) {
    const auto k = s.source->type();
    put((k == probe_base::kind::boolean ? "x" : k == probe_base::kind::integer ? "bx " : k == probe_base::kind::real ? "rnan " : "s? ") + s.id + "\n");
  }
}

void vcd_writer::changed(const probe_base& p) {
  if (!m_active) return;
  const ps_t now = m_clock();
  if (now != m_pending_time) flush();
  m_pending_time = now;
  const std::size_t i = m_index.at(&p);
  if (!m_signals[i].dirty) {
    m_signals[i].dirty = true;
    m_dirty.push_back(i);
  }
  if (m_bytes > m_limit) {
    flush();
    m_cut_at = now;
    m_active = false;
  }
}

void vcd_writer::flush() {
  for (const auto i : m_dirty) {
    signal& s = m_signals[i];
    s.dirty = false;
    std::string v = value_text(*s.source);
    if (v == s.last) continue;
    stamp(m_pending_time);
    put(v + s.id + "\n");
    s.last = std::move(v);
    s.changed = true;
  }
  m_dirty.clear();
}

bool vcd_writer::close() {
  if (m_file == nullptr) return !m_failed;
  if (!m_header_done) header();
  if (m_active) {
    flush();
    stamp(m_clock());
  }
  for (auto& s : m_signals) s.source->listen(nullptr);
  m_failed = (std::fclose(m_file) != 0) || m_failed;
  m_file = nullptr;
  return !m_failed;
}

void vcd_writer::write_save_file(const std::string& path, const std::string& dump_name) const {
  // Flags of GTKWave's save format: 0x200 blank label, 0x800000 + 0x1000000 group begin and end, 0x22 right-justified hex,
  // 0x24 right-justified decimal, 0x28 right-justified binary, 0x20000 ... analog.
  std::string no_markers;
  for (int i = 0; i < 26; ++i) no_markers += " -1";
  // Zoom: 200 pixels are 2^-zoom ticks; the whole recording in about 1000 pixels.
  const double range = static_cast<double>(std::max<ps_t>(1, m_written_time - std::max<ps_t>(0, m_first_time)));
  std::string out = fmt::format("[*] memwall\n[dumpfile] \"{}\"\n[timestart] {}\n[size] 1600 900\n[pos] -1 -1\n*-{:.6f} -1{}\n[sst_width] 240\n[signals_width] 260\n[sst_expanded] 1\n",
                                dump_name, std::max<ps_t>(0, m_first_time), std::max(0.0, std::log2(range / 5)), no_markers);
  std::string module;
  const auto end_group = [&] {
    if (!module.empty()) out += "@1000200\n-" + module + "\n";
  };
  // Modules that did something first, those that slept the whole time last.
  std::set<std::string> awake;
  for (const auto& s : m_signals)
    if (s.changed) awake.insert(s.module);
  std::vector<const signal*> order;
  for (const bool wanted : {true, false})
    for (const auto& s : m_signals)
      if ((awake.count(s.module) != 0) == wanted) order.push_back(&s);
  for (const signal* in_order : order) {
    const signal& s = *in_order;
    if (s.module != module) {
      end_group();
      module = s.module;
      out += "@800200\n-" + module + "\n";
    }
    const std::string name = "memwall." + s.module + "." + s.source->name();
    switch (s.source->type()) {
      case probe_base::kind::boolean: out += "[color] 2\n@28\n" + name + "\n"; break;
      case probe_base::kind::integer: out += "[color] 6\n@24\n" + name + "[63:0]\n"; break;
      case probe_base::kind::real: out += "[color] 5\n@20\n" + name + "\n"; break;
      case probe_base::kind::state: out += "[color] 3\n@820\n" + name + "\n"; break;
    }
  }
  end_group();
  std::FILE* f = std::fopen(path.c_str(), "w");
  if (f == nullptr) throw input_error(problem{path, "", std::string("cannot be written: ") + std::strerror(errno), "a writable place", ""});
  std::fwrite(out.data(), 1, out.size(), f);
  std::fclose(f);
}

}  // namespace memwall::platforms
