// SPDX-License-Identifier: Apache-2.0
#include "tools/process/children.h"

#include <algorithm>
#include <vector>

namespace memwall::tools {
namespace {

constexpr auto look_interval = std::chrono::milliseconds(250);
constexpr auto patience = std::chrono::milliseconds(1500);

class child_loop {
 public:
  explicit child_loop(const child_jobs& jobs) : m_jobs(jobs) {}
  ~child_loop() {
    for (const auto& l : m_live) kill_child(l.pid);
  }
  child_loop(const child_loop&) = delete;
  child_loop& operator=(const child_loop&) = delete;

  bool run() {
    const signal_scope signals;
    start_more();
    while (!m_live.empty()) {
      if (signal_scope::asks_to_stop(signals.wait(until_next_look()))) stop();
      std::vector<ended_child> ended = collect();
      start_more();  // the cores work while the results are read
      for (const auto& e : ended)
        if (!m_jobs.ended(e.number, e.end)) m_complete = false, m_kill = true;
      if (m_jobs.waiting) m_jobs.waiting();
    }
    return m_complete;
  }

 private:
  struct live_child {
    std::size_t number;
    pid_t pid;
    steady::time_point begin, deadline;
  };
  struct ended_child {
    std::size_t number;
    child_end end;
  };

  void start_more() {
    while (m_complete && m_next < m_jobs.count &&
           m_live.size() < static_cast<std::size_t>(std::max(1, m_jobs.at_once))) {
      const std::size_t number = m_next++;
      const child_setup setup = m_jobs.start(number);
      const auto begin = steady::now();
      auto deadline = steady::time_point::max();
      if (setup.timeout_s > 0)
        deadline = begin + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(setup.timeout_s));
      m_live.push_back({number, start_child(setup), begin, deadline});
    }
  }

  /// A signal came: the first, or one more.
  void stop() {
    m_kill = m_kill || !m_complete || m_jobs.when_stopped == child_jobs::stop::kill;
    m_complete = false;
    m_give_up = steady::now() + patience;
    if (!m_kill)
      for (const auto& l : m_live) ::kill(l.pid, SIGTERM);
  }

  std::chrono::nanoseconds until_next_look() const {
    if (m_kill) return std::chrono::nanoseconds(0);
    auto next = std::min(steady::now() + look_interval, m_give_up);
    for (const auto& l : m_live) next = std::min(next, l.deadline);
    return next - steady::now();
  }

  std::vector<ended_child> collect() {
    std::vector<ended_child> out;
    for (std::size_t i = 0; i < m_live.size();) {
      const live_child& l = m_live[i];
      const auto now = steady::now();
      const bool stopped = m_kill || now >= m_give_up;
      std::optional<child_end> end = reap_child(l.pid);
      if (!end && (stopped || now >= l.deadline)) {
        end = kill_child(l.pid);
        end->timed_out = !stopped;
        end->stopped = stopped;
      }
      if (!end) {
        ++i;
        continue;
      }
      end->wall_s = std::chrono::duration<double>(steady::now() - l.begin).count();
      out.push_back({l.number, *end});
      m_live.erase(m_live.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return out;
  }

  const child_jobs& m_jobs;
  std::vector<live_child> m_live;
  std::size_t m_next = 0;
  bool m_complete = true;  // nothing has cut it short
  bool m_kill = false;
  steady::time_point m_give_up = steady::time_point::max();
};

}  // namespace

bool run_children(const child_jobs& jobs) {
  return child_loop(jobs).run();
}

}  // namespace memwall::tools
