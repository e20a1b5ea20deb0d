// SPDX-License-Identifier: Apache-2.0
#include "platforms/watch/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <stdexcept>

#include "hw/common/io_error.h"

namespace memwall::platforms {
namespace {

constexpr std::size_t buffer_bytes = 1 << 16;
// Room for the end of a span besides its names, for the closing note and for the brackets.
constexpr std::uint64_t end_bytes = 180, closing_bytes = 1200;

void append_text(std::string& out, std::string_view s) {
  out += '"';
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20 || u == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(u));
    } else {
      out += c;
    }
  }
  out += '"';
}

/// Microseconds with as many decimals as the picoseconds need: never through a double.
void append_time(std::string& out, ps_t t) {
  fmt::format_to(std::back_inserter(out), "{}", t / 1'000'000);
  ps_t fraction = t % 1'000'000;
  if (fraction == 0) return;
  int width = 6;
  while (fraction % 10 == 0) {
    fraction /= 10;
    --width;
  }
  fmt::format_to(std::back_inserter(out), ".{:0{}}", fraction, width);
}

/// The nanoseconds that Perfetto's importer makes of a time: the double cut off, not rounded.
std::int64_t imported_ns(ps_t t) {
  return static_cast<std::int64_t>(static_cast<double>(t) / 1e6 * 1000.0);
}

/// It cuts start and duration each for itself, and drops a slice whose start lies before the end of the one before.
/// What would end too late there is a picosecond shorter.
ps_t importable(ps_t start, ps_t duration) {
  const std::int64_t begin = imported_ns(start), end = imported_ns(start + duration);
  while (duration > 0 && begin + imported_ns(duration) > end) --duration;
  return duration;
}

}  // namespace

timeline_writer::timeline_writer(std::string path, std::uint64_t max_bytes)
    : m_path(std::move(path)),
      m_part(m_path + ".part"),
      m_max_bytes(std::max<std::uint64_t>(max_bytes, 4 * closing_bytes)) {
  m_file = std::fopen(m_part.c_str(), "wbe");
  if (m_file == nullptr) throw io_error(m_path + ": cannot be written: " + std::strerror(errno));
  m_buffer = "{\"traceEvents\":[\n";  // no displayTimeUnit: there are importers that take it for the unit of ts
  m_bytes = m_buffer.size();
}

timeline_writer::~timeline_writer() {
  if (m_file == nullptr) return;
  std::fclose(m_file);
  std::error_code ignored;
  std::filesystem::remove(m_part, ignored);
}

void timeline_writer::head(char phase, std::string_view name, std::string_view category, int process, int thread) {
  m_line = "{\"ph\":\"";
  m_line += phase;
  m_line += "\",\"name\":";
  append_text(m_line, name);
  if (!category.empty()) {
    m_line += ",\"cat\":";
    append_text(m_line, category);
  }
  fmt::format_to(std::back_inserter(m_line), ",\"pid\":{},\"tid\":{}", process, thread);
}

void timeline_writer::time_field(const char* key, ps_t t) {
  if (t < 0) throw std::invalid_argument("timeline: negative time");
  m_line += ",\"";
  m_line += key;
  m_line += "\":";
  append_time(m_line, t);
}

void timeline_writer::args_field(const timeline_args& args) {
  if (args.empty()) return;
  m_line += ",\"args\":{";
  const char* comma = "";
  for (const auto& a : args) {
    m_line += comma;
    comma = ",";
    append_text(m_line, a.key);
    m_line += ':';
    if (const auto* i = std::get_if<std::int64_t>(&a.value))
      fmt::format_to(std::back_inserter(m_line), "{}", *i);
    else if (const auto* d = std::get_if<double>(&a.value))
      std::isfinite(*d) ? fmt::format_to(std::back_inserter(m_line), "{}", *d)
                        : fmt::format_to(std::back_inserter(m_line), "\"{}\"", *d);
    else
      append_text(m_line, std::get<std::string_view>(a.value));
  }
  m_line += '}';
}

/// Adds the event in m_line to the file, or counts it as dropped. `reserve`: bytes its later end will need.
bool timeline_writer::put(bool slice, ps_t at, std::uint64_t reserve) {
  m_line += '}';
  const std::uint64_t size = m_line.size() + 2;
  const std::uint64_t limit = slice ? m_max_bytes : m_max_bytes / 5 * 4;
  if (m_bytes + m_reserved + size + reserve + closing_bytes > limit) {
    if (m_dropped++ == 0 || at < m_first_cut) m_first_cut = at;
    return false;
  }
  if (m_events++ > 0) m_buffer += ",\n";
  m_buffer += m_line;
  m_bytes += size;
  m_reserved += reserve;
  if (m_buffer.size() > buffer_bytes) flush();
  return true;
}

void timeline_writer::flush() {
  m_failed = std::fwrite(m_buffer.data(), 1, m_buffer.size(), m_file) != m_buffer.size() || m_failed;
  m_buffer.clear();
}

int timeline_writer::add_process(std::string_view name) {
  const int process = ++m_last_id;
  m_processes.push_back(process);
  head('M', "process_name", "", process, process);
  args_field({{"name", name}});
  put(true, 0);
  head('M', "process_sort_index", "", process, process);
  args_field({{"sort_index", process}});
  put(true, 0);
  return process;
}

timeline_writer::track timeline_writer::add_track(int process, std::string_view name) {
  if (!std::binary_search(m_processes.begin(), m_processes.end(), process))
    throw std::invalid_argument("timeline: no such process");
  const track t{process, ++m_last_id};
  head('M', "thread_name", "", t.process, t.thread);
  args_field({{"name", name}});
  put(true, 0);
  head('M', "thread_sort_index", "", t.process, t.thread);
  args_field({{"sort_index", t.thread}});
  put(true, 0);
  return t;
}

void timeline_writer::complete(track t, std::string_view name, std::string_view category, ps_t start, ps_t duration,
                               const timeline_args& args, importance i) {
  head('X', name, category, t.process, t.thread);
  time_field("ts", start);
  time_field("dur", importable(start, duration));
  args_field(args);
  if (put(i == importance::slice, start)) m_last = std::max(m_last, start + duration);
}

void timeline_writer::async_begin(track t, std::uint64_t id, std::string_view name, std::string_view category, ps_t at,
                                  const timeline_args& args) {
  const span_key key{std::string(category), id};
  if (m_open.count(key) != 0) throw std::invalid_argument("timeline: a span with this id is open already");
  head('b', name, category, t.process, t.thread);
  fmt::format_to(std::back_inserter(m_line), ",\"id\":\"{:#x}\"", id);
  time_field("ts", at);
  args_field(args);
  if (put(false, at, end_bytes + name.size() + category.size())) {
    m_open.emplace(key, open_span{t, std::string(name), key.first});
    m_last = std::max(m_last, at);
  } else {
    ++m_cut_spans[key];
  }
}

void timeline_writer::async_end(std::uint64_t id, std::string_view category, ps_t at, const timeline_args& args) {
  const span_key key{std::string(category), id};
  const auto it = m_open.find(key);
  if (it == m_open.end()) {
    const auto was_cut = m_cut_spans.find(key);
    if (was_cut == m_cut_spans.end()) throw std::invalid_argument("timeline: the end of a span that never began");
    if (--was_cut->second == 0) m_cut_spans.erase(was_cut);
    return;
  }
  const open_span& span = it->second;
  const std::uint64_t reserved = end_bytes + span.name.size() + span.category.size();
  m_reserved -= reserved;
  head('e', span.name, span.category, span.where.process, span.where.thread);
  fmt::format_to(std::back_inserter(m_line), ",\"id\":\"{:#x}\"", id);
  time_field("ts", at);
  const std::size_t plain = m_line.size();
  args_field(args);
  // The plain end has its room reserved; its arguments are dropped when they find none.
  if (m_bytes + m_reserved + m_line.size() + 3 + closing_bytes > m_max_bytes) m_line.resize(plain);
  put(true, at);
  m_last = std::max(m_last, at);
  m_open.erase(it);
}

void timeline_writer::counter(int process, std::string_view name, ps_t at, const timeline_args& values) {
  head('C', name, "", process, process);
  time_field("ts", at);
  args_field(values);
  if (put(false, at)) m_last = std::max(m_last, at);
}

void timeline_writer::flow_start(track t, std::uint64_t id, std::string_view name, ps_t at) {
  const span_key key{"flow:" + std::string(name), id};
  head('s', name, "flow", t.process, t.thread);
  fmt::format_to(std::back_inserter(m_line), ",\"id\":\"{:#x}\"", id);
  time_field("ts", at);
  if (!put(false, at, end_bytes + name.size())) ++m_cut_spans[key];
}

void timeline_writer::flow_end(track t, std::uint64_t id, std::string_view name, ps_t at) {
  const span_key key{"flow:" + std::string(name), id};
  if (const auto was_cut = m_cut_spans.find(key); was_cut != m_cut_spans.end()) {
    if (--was_cut->second == 0) m_cut_spans.erase(was_cut);
    return;
  }
  m_reserved -= std::min(m_reserved, end_bytes + name.size());
  head('f', name, "flow", t.process, t.thread);
  fmt::format_to(std::back_inserter(m_line), ",\"id\":\"{:#x}\",\"bp\":\"e\"", id);
  time_field("ts", at);
  put(true, at);
}

void timeline_writer::instant(track t, std::string_view name, ps_t at, const timeline_args& args) {
  head('i', name, "", t.process, t.thread);
  m_line += ",\"s\":\"t\"";
  time_field("ts", at);
  args_field(args);
  if (put(false, at)) m_last = std::max(m_last, at);
}

std::string timeline_writer::note() const {
  if (!cut()) return {};
  return fmt::format("timeline cut at its limit of {} MB: {} events from {} us on are left out",
                     m_max_bytes / 1'000'000, m_dropped, static_cast<double>(m_first_cut) * 1e-6);
}

void timeline_writer::finish() {
  if (m_file == nullptr) return;
  while (!m_open.empty()) {
    const auto key = m_open.begin()->first;
    async_end(key.second, key.first, m_last);
  }
  if (cut()) {
    head('i', "timeline cut here", "", 1, 1);
    m_line += ",\"s\":\"g\"";
    time_field("ts", m_first_cut);
    const std::string text = note();
    args_field({{"note", std::string_view(text)}});
    m_line += '}';
    m_buffer += (m_events++ > 0 ? ",\n" : "") + m_line;
  }
  m_buffer +=
      fmt::format("\n],\"otherData\":{{\"cut\":{},\"dropped_events\":{}}}}}\n", cut() ? "true" : "false", m_dropped);
  flush();
  m_failed = std::fclose(m_file) != 0 || m_failed;
  m_file = nullptr;
  std::error_code error;
  if (!m_failed) {
    m_bytes = std::filesystem::file_size(m_part, error);
    std::filesystem::rename(m_part, m_path, error);
  }
  if (m_failed || error) {
    std::error_code ignored;
    std::filesystem::remove(m_part, ignored);
    throw io_error(m_path + ": cannot be written completely (is the disk full?)");
  }
}

}  // namespace memwall::platforms
