// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace memwall::sweep {

using steady = std::chrono::steady_clock;

/// A child to start. It leads its own process group and dies with this process, also when that is killed.
struct child_setup {
  std::string program;
  std::vector<std::string> arguments;  ///< without the program's name
  std::string output_file;             ///< takes stdout; "" for /dev/null
  std::string error_file;              ///< takes stderr
  std::uint64_t memory_bytes = 0;      ///< address space limit; 0: none
};

struct child_end {
  int exit_code = 0;
  int signal = 0;  ///< that ended it; 0 when it exited
  double cpu_s = 0, peak_rss_mb = 0;
};

/// Starts it; throws std::runtime_error when the system has no room for another process. A program that
/// cannot be executed exits with 127.
pid_t start_child(const child_setup& setup);
/// Its end when it has ended, else nothing. Never blocks.
std::optional<child_end> reap_child(pid_t pid);
/// Kills the child's process group and waits for the child.
child_end kill_child(pid_t pid);

/// Runs a command to its end, giving it `input`; returns its output. For the scheduler's commands.
struct command_result {
  int exit_code = 0;
  std::string output, errors;
};
command_result run_command(const std::vector<std::string>& command, const std::string& input = {});

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

 private:
  sigset_t m_set, m_before;
};

}  // namespace memwall::sweep
