// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/executor.h"

#include <fmt/format.h>

#include <cstdio>

#include "tools/process/signals.h"

namespace memwall::sweep {
using tools::steady;

registry<executor_factory>& executors() {
  static registry<executor_factory> all("executor");
  return all;
}

struct progress_meter::state {
  std::size_t total = 0, done = 0, failed = 0;
  bool drawn = false, line_open = false;
  steady::time_point begin = steady::now(), last{};
};

progress_meter::progress_meter(std::size_t total, bool drawn) : m_state(std::make_unique<state>()) {
  m_state->total = total;
  m_state->drawn = drawn;
}

progress_meter::~progress_meter() {
  if (!m_state->drawn || m_state->total == 0) return;
  m_state->last = {};
  draw();
  std::fputc('\n', stderr);
}

void progress_meter::done(std::size_t points, bool failed) {
  m_state->done += points;
  if (failed) m_state->failed += points;
}

void progress_meter::draw() {
  auto& s = *m_state;
  const auto now = steady::now();
  if (!s.drawn || now - s.last < std::chrono::milliseconds(200)) return;
  s.last = now;
  const double elapsed = std::chrono::duration<double>(now - s.begin).count();
  const double rate = elapsed > 0 ? static_cast<double>(s.done) / elapsed : 0;
  std::string left = "?";
  if (rate > 0) {
    const auto seconds = static_cast<long>(static_cast<double>(s.total - s.done) / rate + 0.5);
    left = seconds >= 3600 ? fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60)
                           : fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  }
  const std::string line = fmt::format("{}/{} points  {:.1f}/s  {} left{}", s.done, s.total, rate, left,
                                       s.failed != 0 ? fmt::format("  {} failed", s.failed) : "");
  std::fprintf(stderr, "\r%-72s", line.c_str());
  std::fflush(stderr);
}

}  // namespace memwall::sweep
