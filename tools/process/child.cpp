// SPDX-License-Identifier: Apache-2.0
#include "tools/process/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "tools/process/exit_code.h"

namespace memwall::tools {
namespace {

constexpr int look_interval_ms = 250;  // for signals, while a command runs

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& w : words) out.push_back(w.data());
  out.push_back(nullptr);
  return out;
}

/// In the child: without its files it has nothing to say.
void onto(int target, const char* path, int flags) {
  const int file = ::open(path, flags, 0666);
  if (file < 0) ::_exit(cannot_write);
  if (file == target) return;
  ::dup2(file, target);
  ::close(file);
}

child_end describe(int status, const rusage& usage) {
  child_end out;
  if (WIFSIGNALED(status)) out.signal = WTERMSIG(status);
  out.exit_code = out.signal != 0 ? 128 + out.signal : WEXITSTATUS(status);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  out.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  out.peak_rss_mb = static_cast<double>(usage.ru_maxrss) / 1024;
  return out;
}

}  // namespace

pid_t start_child(const child_setup& setup) {
  std::vector<std::string> words = setup.arguments;
  words.insert(words.begin(), setup.program);
  const auto argv = pointers(words);
  const char* output = setup.output_file.empty() ? "/dev/null" : setup.output_file.c_str();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(std::string("no process can be started: ") + std::strerror(errno));
  if (pid != 0) return pid;

  // Only async-signal-safe calls from here to exec.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  if (setup.memory_bytes != 0) {
    rlimit limit{setup.memory_bytes, setup.memory_bytes};
    ::setrlimit(RLIMIT_AS, &limit);
    rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
  }
  onto(0, "/dev/null", O_RDONLY);
  onto(1, output, O_WRONLY | O_CREAT | O_TRUNC);
  onto(2, setup.error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
  signals_as_in_a_new_program();
  ::execv(setup.program.c_str(), argv.data());
  static const char text[] = "memwall: the simulation program cannot be executed\n";
  if (::write(2, text, sizeof text - 1) < 0) ::_exit(126);
  ::_exit(127);
}

int cores_here() {
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::string own_program() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::optional<child_end> reap_child(pid_t pid) {
  int status = 0;
  rusage usage{};
  if (::wait4(pid, &status, WNOHANG, &usage) != pid) return std::nullopt;
  return describe(status, usage);
}

child_end kill_child(pid_t pid) {
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);  // it may not lead its group yet
  int status = 0;
  rusage usage{};
  while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  return describe(status, usage);
}

command_result run_command(const std::vector<std::string>& command, const std::string& input) {
  int in[2], out[2], err[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0)
    throw std::runtime_error(std::string("no pipe: ") + std::strerror(errno));
  std::vector<std::string> words = command;
  const auto argv = pointers(words);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(std::string("no process can be started: ") + std::strerror(errno));
  if (pid == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    signals_as_in_a_new_program();
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(in[0]), ::close(out[1]), ::close(err[1]);
  // Scripts are far smaller than a pipe's buffer; a reader that went away is not our death.
  const signal_scope keep;
  void (*before)(int) = ::signal(SIGPIPE, SIG_IGN);
  std::size_t at = 0;
  while (at < input.size()) {
    const ssize_t n = ::write(in[1], input.data() + at, input.size() - at);
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  ::close(in[1]);
  command_result result;
  pollfd files[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  std::string* texts[2] = {&result.output, &result.errors};
  int open_files = 2;
  bool stopped = false;
  while (open_files > 0 && !stopped && ::poll(files, 2, look_interval_ms) >= 0) {
    stopped = signal_scope::stop_pending();
    for (int i = 0; i < 2; ++i) {
      if (files[i].fd < 0 || files[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(files[i].fd, buffer, sizeof buffer);
      if (n > 0) {
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      } else {
        files[i].fd = -1;
        --open_files;
      }
    }
  }
  ::close(out[0]), ::close(err[0]);
  ::signal(SIGPIPE, before);
  if (stopped) {
    kill_child(pid);
    result.exit_code = interrupted;
    return result;
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace memwall::tools
