// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, TERM and HUP, for every command. Three ways to take them, from the outside in:
//   end_on_signals()   the whole program: a signal removes temporary files and ends it with 130, at once;
//   stop_request       a simulation: the first signal only asks. Who runs the simulation looks; if nobody has looked
//                      after a second, or with a second signal, the program ends as above;
//   signal_scope       who waits for children: signals are waited for together with the children's ends.
#pragma once
#include <signal.h>

#include <chrono>
#include <string>

namespace memwall::tools {

using steady = std::chrono::steady_clock;

/// Called once, before anything that may take time. Also: writing beyond a limit of file size fails (exit code 4) and
/// does not kill.
void end_on_signals();
/// In a child between fork and exec: signals do what they do in a new program.
void signals_as_in_a_new_program();

class stop_request {
 public:
  stop_request();
  ~stop_request();
  stop_request(const stop_request&) = delete;
  stop_request& operator=(const stop_request&) = delete;
  /// Whether a signal came. Asking when one did takes over: the program will not be ended for being slow.
  bool asked() const;
};

/// A file that must not stay when the program ends early: removed by whatever ends it, unless released.
class temporary_name {
 public:
  explicit temporary_name(std::string path);
  ~temporary_name();
  temporary_name(const temporary_name&) = delete;
  temporary_name& operator=(const temporary_name&) = delete;
  const std::string& path() const { return m_path; }
  /// It has its final name now.
  void release();

 private:
  std::string m_path;
  int m_slot = -1;
  bool m_released = false;
};

/// Blocks SIGCHLD, SIGINT, SIGTERM and SIGHUP while it lives, so that they can be waited for.
class signal_scope {
 public:
  signal_scope();
  ~signal_scope();
  signal_scope(const signal_scope&) = delete;
  signal_scope& operator=(const signal_scope&) = delete;
  /// The signal that came, or 0 after the time.
  int wait(std::chrono::nanoseconds timeout) const;
  /// Whether a signal asks for the end of the program.
  static bool asks_to_stop(int signal) { return signal == SIGINT || signal == SIGTERM || signal == SIGHUP; }
  /// One of those has come and waits to be taken.
  static bool stop_pending();

 private:
  sigset_t m_set, m_before;
};

}  // namespace memwall::tools
