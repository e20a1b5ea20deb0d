// SPDX-License-Identifier: Apache-2.0
// A process per point on this machine.
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <stdexcept>

#include "hw/common/error.h"
#include "hw/common/io_error.h"
#include "tools/process/children.h"
#include "tools/process/exit_code.h"
#include "tools/process/files.h"
#include "tools/sweep/executor.h"

namespace memwall::sweep {
namespace fs = std::filesystem;
using namespace tools;
namespace {

constexpr std::size_t longest_message = 2000;

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

/// Folders of sweeps that were killed on this machine.
void remove_leftovers(const fs::path& root) {
  std::error_code error;
  const std::string host = host_name() + "-";
  for (const auto& entry : fs::directory_iterator(root, error)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(host, 0) != 0) continue;
    const long pid = std::strtol(name.c_str() + host.size(), nullptr, 10);
    if (pid > 0 && ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), error);
  }
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

/// The end of what the simulation said; temporary names taken out, so that equal points have equal messages.
std::string message_of(const std::string& folder) {
  std::string text = read_text(folder + "/stderr").value_or("");
  text = replaced(std::move(text), folder, "OUT");
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  if (text.size() > longest_message) text = "..." + text.substr(text.size() - longest_message);
  return text;
}

class local_executor : public executor {
 public:
  run_outcome run(const run_request& r) override {
    const fs::path root = fs::path(r.options.directory) / "tmp";
    remove_leftovers(root);
    const fs::path mine = root / (host_name() + "-" + std::to_string(::getpid()));
    std::error_code error;
    for (int attempt = 0; attempt < 5 && !fs::is_directory(mine); ++attempt)  // another process may just remove `root`
      fs::create_directories(mine, error);
    if (!fs::is_directory(mine)) throw io_error(mine.string() + ": cannot be made: " + error.message());
    const folder_remover remover{mine, root};
    progress_meter meter(r.todo.size(), r.options.terminal && !r.options.quiet);
    run_outcome out;
    child_jobs jobs;
    jobs.count = r.todo.size();
    jobs.at_once = r.options.jobs;
    jobs.when_stopped = child_jobs::stop::kill;  // what a point has half done is of no use
    const auto folder = [&](std::size_t i) { return (mine / std::to_string(r.todo[i])).string(); };
    jobs.start = [&](std::size_t i) { return setup_of(r, r.points.at(r.todo[i]), folder(i)); };
    jobs.ended = [&](std::size_t i, const child_end& end) {
      const verdict v = settle(r, r.points.at(r.todo[i]), end, folder(i));
      meter.done(1, v != verdict::good);
      out.taken_away += v == verdict::taken_away ? 1 : 0;
      out.unwritten += v == verdict::unwritten ? 1 : 0;
      return v != verdict::unwritten;  // the next ones would find the same disk
    };
    jobs.waiting = [&] { meter.draw(); };
    out.stopped = !run_children(jobs) && out.unwritten == 0;
    return out;
  }

 private:
  struct folder_remover {
    const fs::path &mine, &root;
    ~folder_remover() {
      std::error_code ignored;
      fs::remove_all(mine, ignored);
      fs::remove(root, ignored);  // when nobody else is using it
    }
  };

  static child_setup setup_of(const run_request& r, const point& p, const std::string& folder) {
    fs::create_directory(folder);
    child_setup setup;
    setup.program = r.points.program().path;
    setup.arguments = p.arguments;
    if (r.options.whatif) setup.arguments.insert(setup.arguments.end(), {"-j", "1"});  // the points are side by side
    for (const char* a : {"--json", "--quiet", "--out"}) setup.arguments.emplace_back(a);
    setup.arguments.push_back(folder + "/out");
    setup.error_file = folder + "/stderr";
    setup.memory_bytes = r.options.limits.memory_bytes;
    setup.timeout_s = r.options.limits.timeout_s;
    return setup;
  }

  enum class verdict { good, failed, taken_away, unwritten };

  /// Writes the record, if the simulation decided something: then the point is settled.
  static verdict settle(const run_request& r, const point& p, const child_end& end, const std::string& folder) {
    ending how;
    nlohmann::ordered_json result;
    how.exit_code = end.exit_code;
    how.wall_s = end.wall_s, how.cpu_s = end.cpu_s, how.peak_rss_mb = end.peak_rss_mb;
    const auto& limits = r.options.limits;
    const std::string out = folder + "/out";
    std::error_code ignored;
    if (end.timed_out) {
      how.status = "timeout";
      how.message = "took longer than " + format_seconds(limits.timeout_s);
    } else if (from_outside(end) || end.exit_code == cannot_write) {
      fs::remove_all(folder, ignored);
      return from_outside(end) ? verdict::taken_away : verdict::unwritten;
    } else if (end.exit_code == 0) {
      try {
        const auto text = read_text(out + "/result.json");
        if (!text) throw std::runtime_error("ended without result.json");
        result = distil_result(*text);
        how.status = "ok";
      } catch (const std::runtime_error& error) {
        how.status = "crashed";
        how.message = error.what();
      }
    } else {
      how.message = message_of(folder);
      const bool refused = end.exit_code == bad_input || end.exit_code == does_not_fit;
      how.status = !refused ? "crashed" : end.exit_code == bad_input ? "refused" : "does_not_fit";
      if (!refused && limits.memory_bytes != 0 && ran_out_of_memory(how.message, end, limits))
        how.status = "out_of_memory";
      if (end.signal != 0)
        how.message = "ended by signal " + std::to_string(end.signal) + (how.message.empty() ? "" : ": " + how.message);
    }
    if (how.status == "ok" && r.options.kept != keep::nothing) keep_output(r, p.key, out);
    fs::remove_all(folder, ignored);
    r.records.save(p, how, limits, result);
    return how.status == "ok" ? verdict::good : verdict::failed;
  }

  /// Somebody else ended it (a person, a shutdown, the kernel for want of memory): that says nothing about the point.
  /// What a simulation does to itself are the signals of a crash.
  static bool from_outside(const child_end& end) {
    if (end.signal == 0) return end.exit_code == interrupted;
    for (const int s : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP})
      if (end.signal == s) return false;
    return true;
  }

  static std::string format_seconds(double s) {
    std::string out = std::to_string(s);
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
    return out + " s";
  }

  static bool ran_out_of_memory(const std::string& message, const child_end& end, const point_limits& limits) {
    for (const char* sign : {"bad_alloc", "annot allocate memory", "ut of memory"})
      if (message.find(sign) != std::string::npos) return true;
    return end.peak_rss_mb * 1048576 > 0.9 * static_cast<double>(limits.memory_bytes);
  }

  static void keep_output(const run_request& r, const std::string& key, const std::string& out) {
    const std::string target = r.records.kept_path(key);
    fs::create_directories(target);
    for (const auto& entry : fs::directory_iterator(out)) {
      const std::string name = entry.path().filename().string();
      if (r.options.kept == keep::result && name != "result.json") continue;
      fs::rename(entry.path(), fs::path(target) / name);
    }
  }
};

const executor_entry entry{"local", "a process per point on this machine",
                           [] { return std::make_unique<local_executor>(); }};

}  // namespace
}  // namespace memwall::sweep
