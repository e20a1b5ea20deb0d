// SPDX-License-Identifier: Apache-2.0
// A process per point on this machine.
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <stdexcept>

#include "tools/sweep/executor.h"
#include "tools/sweep/process.h"

namespace memwall::sweep {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t longest_message = 2000;

struct live_point {
  point p;
  pid_t pid = 0;
  std::string folder;  ///< temporary; holds out/ and stderr
  steady::time_point begin, deadline;
};

struct ended_point {
  live_point live;
  child_end end;
  bool timed_out = false;
  double wall_s = 0;
};

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
std::string message_of(const live_point& live) {
  std::string text = read_text(live.folder + "/stderr").value_or("");
  text = replaced(std::move(text), live.folder, "OUT");
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  if (text.size() > longest_message) text = "..." + text.substr(text.size() - longest_message);
  return text;
}

class local_executor : public executor {
 public:
  bool run(const run_request& r) override {
    const signal_scope signals;
    const fs::path root = fs::path(r.options.directory) / "tmp";
    remove_leftovers(root);
    const fs::path mine = root / (host_name() + "-" + std::to_string(::getpid()));
    std::error_code error;
    for (int attempt = 0; attempt < 5 && !fs::is_directory(mine); ++attempt)  // another process may just remove `root`
      fs::create_directories(mine, error);
    progress meter(r.todo.size(), r.options.terminal && !r.options.quiet);
    std::vector<live_point> live;
    std::vector<ended_point> ended;
    std::size_t next = 0, left_out = 0;
    bool stop = false;
    const auto start_more = [&] {
      while (!stop && next < r.todo.size() && live.size() < static_cast<std::size_t>(std::max(1, r.options.jobs)))
        live.push_back(start(r, r.todo[next++], mine));
    };
    start_more();
    while (!live.empty()) {
      const int signal = signals.wait(patience(live));
      stop = stop || signal_scope::asks_to_stop(signal);
      for (std::size_t i = 0; i < live.size();) {
        if (auto e = end_of(live[i], stop)) {
          if (!stop || e->end.signal != SIGKILL) ended.push_back(std::move(*e));
          live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
          ++i;
        }
      }
      start_more();  // the cores work while we write
      for (const auto& e : ended) {
        const bool kept = settle(r, e);
        meter.done(1, !kept);
        left_out += !e.timed_out && taken_away(r, e);
      }
      ended.clear();
      meter.draw();
    }
    std::error_code ignored;
    fs::remove_all(mine, ignored);
    fs::remove(root, ignored);  // when nobody else is using it
    return !stop && left_out == 0;
  }

 private:
  static std::chrono::nanoseconds patience(const std::vector<live_point>& live) {
    auto until = steady::now() + std::chrono::milliseconds(250);
    for (const auto& l : live) until = std::min(until, l.deadline);
    return until - steady::now();
  }

  static live_point start(const run_request& r, std::size_t number, const fs::path& root) {
    live_point out;
    out.p = r.points.at(number);
    out.folder = (root / std::to_string(number)).string();
    fs::create_directory(out.folder);
    child_setup setup;
    setup.program = r.points.program().path;
    setup.arguments = out.p.arguments;
    for (const char* a : {"--json", "--quiet", "--out"}) setup.arguments.emplace_back(a);
    setup.arguments.push_back(out.folder + "/out");
    setup.error_file = out.folder + "/stderr";
    setup.memory_bytes = r.options.limits.memory_bytes;
    out.begin = steady::now();
    out.deadline = steady::time_point::max();
    if (r.options.limits.timeout_s > 0)
      out.deadline = out.begin + std::chrono::duration_cast<steady::duration>(
                                     std::chrono::duration<double>(r.options.limits.timeout_s));
    out.pid = start_child(setup);
    return out;
  }

  static std::optional<ended_point> end_of(live_point& live, bool stop) {
    ended_point out;
    if (auto end = reap_child(live.pid)) {
      out.end = *end;
    } else if (stop || steady::now() >= live.deadline) {
      out.end = kill_child(live.pid);
      out.timed_out = !stop;
    } else {
      return std::nullopt;
    }
    out.wall_s = std::chrono::duration<double>(steady::now() - live.begin).count();
    out.live = std::move(live);
    return out;
  }

  /// Writes the record; true when the point has a result. An interrupted point leaves none.
  static bool settle(const run_request& r, const ended_point& e) {
    ending how;
    nlohmann::ordered_json result;
    how.exit_code = e.end.exit_code;
    how.wall_s = e.wall_s, how.cpu_s = e.end.cpu_s, how.peak_rss_mb = e.end.peak_rss_mb;
    const auto& limits = r.options.limits;
    const std::string out = e.live.folder + "/out";
    std::error_code ignored;
    if (e.timed_out) {
      how.status = "timeout";
      how.message = "took longer than " + format_seconds(limits.timeout_s);
    } else if (taken_away(r, e)) {
      fs::remove_all(e.live.folder, ignored);
      return false;
    } else if (e.end.signal == 0 && e.end.exit_code == 0) {
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
      how.message = message_of(e.live);
      const bool refused = e.end.signal == 0 && (e.end.exit_code == 2 || e.end.exit_code == 3);
      how.status = !refused ? "crashed" : e.end.exit_code == 2 ? "refused" : "does_not_fit";
      if (!refused && limits.memory_bytes != 0 && ran_out_of_memory(how.message, e.end, limits))
        how.status = "out_of_memory";
      if (e.end.signal != 0)
        how.message =
            "ended by signal " + std::to_string(e.end.signal) + (how.message.empty() ? "" : ": " + how.message);
    }
    if (how.status == "ok" && r.options.kept != keep::nothing) keep_output(r, e.live.p.key, out);
    fs::remove_all(e.live.folder, ignored);
    r.records.save(e.live.p, how, limits, result);
    return how.status == "ok";
  }

  /// Somebody else ended it (a shutdown, the cluster): that says nothing about the point.
  static bool taken_away(const run_request& r, const ended_point& e) {
    if (e.end.signal == 0) return e.end.exit_code == 130;
    return signal_scope::asks_to_stop(e.end.signal) || (r.options.node && e.end.signal == SIGKILL);
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
