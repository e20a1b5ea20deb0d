// SPDX-License-Identifier: Apache-2.0
#include "tools/process/signals.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tools/process/exit_code.h"

namespace memwall::tools {
namespace {

constexpr unsigned patience_s = 1;  // for a simulation to look whether it is asked to stop
constexpr std::array stop_signals = {SIGINT, SIGTERM, SIGHUP};

// What the handler reads: nothing but atomics, in memory that is never given back while it is listed.
std::array<std::atomic<char*>, 64> temporaries{};
std::atomic<bool> may_ask{false}, was_asked{false};
static_assert(std::atomic<char*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

[[noreturn]] void end_at_once(int) {
  for (auto& t : temporaries)
    if (const char* path = t.load()) ::unlink(path);
  static const char text[] = "memwall: interrupted\n";
  if (::write(STDERR_FILENO, text, sizeof text - 1) < 0) ::_exit(interrupted);
  ::_exit(interrupted);
}

void on_stop_signal(int number) {
  if (!may_ask || was_asked.exchange(true)) end_at_once(number);
  ::alarm(patience_s);
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
}

}  // namespace

void end_on_signals() {
  struct sigaction before {};
  for (const int s : stop_signals) {
    // nohup asks that HUP be ignored. A shell without job control ignores INT of what runs in its background; who sends
    // it all the same means it.
    if (s == SIGHUP && ::sigaction(s, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    handle(s, on_stop_signal);
  }
  handle(SIGALRM, end_at_once);
  handle(SIGXFSZ, SIG_IGN);
}

void signals_as_in_a_new_program() {
  for (const int s : stop_signals) handle(s, SIG_DFL);
  for (const int s : {SIGALRM, SIGXFSZ}) handle(s, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

stop_request::stop_request() {
  was_asked = false;
  may_ask = true;
}

stop_request::~stop_request() {
  may_ask = false;
  ::alarm(0);
}

bool stop_request::asked() const {
  if (!was_asked) return false;
  ::alarm(0);
  return true;
}

temporary_name::temporary_name(std::string path) : m_path(std::move(path)) {
  // What lies there is an earlier run's, or a link that leads elsewhere: nothing is written through it.
  ::unlink(m_path.c_str());
  for (std::size_t i = 0; i < temporaries.size() && m_slot < 0; ++i) {
    char* free = nullptr;
    if (char* copy = ::strdup(m_path.c_str()); temporaries[i].compare_exchange_strong(free, copy))
      m_slot = static_cast<int>(i);
    else
      std::free(copy);
  }
}

temporary_name::~temporary_name() {
  if (!m_released) ::unlink(m_path.c_str());
  release();
}

void temporary_name::release() {
  m_released = true;
  if (m_slot < 0) return;
  std::free(temporaries[static_cast<std::size_t>(m_slot)].exchange(nullptr));
  m_slot = -1;
}

signal_scope::signal_scope() {
  sigemptyset(&m_set);
  sigaddset(&m_set, SIGCHLD);
  for (const int s : stop_signals) sigaddset(&m_set, s);
  ::pthread_sigmask(SIG_BLOCK, &m_set, &m_before);
}

signal_scope::~signal_scope() {
  ::pthread_sigmask(SIG_SETMASK, &m_before, nullptr);
}

int signal_scope::wait(std::chrono::nanoseconds timeout) const {
  const auto ns = std::max<std::int64_t>(0, timeout.count());
  timespec t{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  const int s = ::sigtimedwait(&m_set, nullptr, &t);
  return s > 0 ? s : 0;
}

bool signal_scope::stop_pending() {
  sigset_t pending;
  sigemptyset(&pending);
  ::sigpending(&pending);
  return std::any_of(stop_signals.begin(), stop_signals.end(), [&](int s) { return sigismember(&pending, s) == 1; });
}

}  // namespace memwall::tools
