// SPDX-License-Identifier: Apache-2.0
// A child process: its start, its end. For many of them see children.h.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/process/signals.h"

namespace memwall::tools {

/// A child to start. It leads its own process group and dies with this process, also when that is killed.
struct child_setup {
  std::string program;
  std::vector<std::string> arguments;  ///< without the program's name
  std::string output_file;             ///< takes stdout; "" for /dev/null
  std::string error_file;              ///< takes stderr
  std::uint64_t memory_bytes = 0;      ///< address space limit; 0: none
  double timeout_s = 0;                ///< for run_children; 0: none
};

struct child_end {
  int exit_code = 0;
  int signal = 0;  ///< that ended it; 0 when it exited
  double cpu_s = 0, peak_rss_mb = 0;
  // Of run_children:
  double wall_s = 0;
  bool timed_out = false;  ///< killed at its limit
  bool stopped = false;    ///< killed because this process was asked to stop
};

/// Starts it; throws std::runtime_error when the system has no room for another process. A program that
/// cannot be executed exits with 127.
pid_t start_child(const child_setup& setup);
/// Its end when it has ended, else nothing. Never blocks.
std::optional<child_end> reap_child(pid_t pid);
/// Kills the child's process group and waits for the child.
child_end kill_child(pid_t pid);

/// Processor cores of this machine, at least 1.
int cores_here();
/// Path of this program, to start it again: a simulation is a process of its own (SystemC runs one a process).
std::string own_program();

/// Runs a command to its end, giving it `input`; returns its output. For the scheduler's commands. While signals are
/// blocked (signal_scope), one that asks to stop ends the command: exit code 130, and the signal stays to be taken.
struct command_result {
  int exit_code = 0;
  std::string output, errors;
};
command_result run_command(const std::vector<std::string>& command, const std::string& input = {});

}  // namespace memwall::tools
