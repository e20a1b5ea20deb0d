// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace memwall::sweep {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& w : words) out.push_back(w.data());
  out.push_back(nullptr);
  return out;
}

void onto(int target, const char* path, int flags) {
  const int file = ::open(path, flags, 0666);
  if (file >= 0 && file != target) {
    ::dup2(file, target);
    ::close(file);
  }
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
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(setup.program.c_str(), argv.data());
  static const char text[] = "memwall: the simulation program cannot be executed\n";
  if (::write(2, text, sizeof text - 1) < 0) ::_exit(126);
  ::_exit(127);
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
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(in[0]), ::close(out[1]), ::close(err[1]);
  // Scripts are far smaller than a pipe's buffer; a reader that went away is not our death.
  signal_scope keep;
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
  while (open_files > 0 && ::poll(files, 2, -1) >= 0) {
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
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

signal_scope::signal_scope() {
  sigemptyset(&m_set);
  for (const int s : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&m_set, s);
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

}  // namespace memwall::sweep
