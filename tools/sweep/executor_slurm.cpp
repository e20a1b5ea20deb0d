// SPDX-License-Identifier: Apache-2.0
// Points as Slurm job arrays. A task simulates one chunk of points on its node with the local executor and
// writes one record file a point; this process submits, follows the queue, and submits again what a failed
// node left undone.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tools/process/child.h"
#include "tools/process/files.h"
#include "tools/sweep/digest.h"
#include "tools/sweep/executor.h"

namespace memwall::sweep {
namespace fs = std::filesystem;
using namespace tools;
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t fallback_array_size = 1001;  // Slurm's default MaxArraySize
constexpr int patience_with_scheduler = 60;        // looks at the queue in a row that may fail

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// What must outlive this process: DIR/slurm/state.json.
struct state {
  int round = 0;
  std::size_t chunk = 0;                     ///< points a task in this round
  std::map<std::string, int> failed_rounds;  ///< by key: rounds that ended without a record of the point

  static state load(const std::string& file) {
    state out;
    const auto text = read_text(file);
    const json j = text ? json::parse(*text, nullptr, false) : json();
    if (!j.is_object()) return out;
    out.round = j.value("round", 0);
    out.chunk = j.value("chunk", std::size_t{0});
    if (j.contains("failed_rounds")) j["failed_rounds"].get_to(out.failed_rounds);
    return out;
  }
  void save(const std::string& file) const {
    write_whole(file, json{{"round", round}, {"chunk", chunk}, {"failed_rounds", failed_rounds}}.dump(1) + "\n");
  }
};

class slurm_executor : public executor {
 public:
  run_outcome run(const run_request& r) override {
    const signal_scope signals;
    m_folder = r.options.directory + "/slurm";
    const std::string state_file = m_folder + "/state.json";
    m_state = state::load(state_file);
    if (r.options.retry_failed) m_state.failed_rounds.clear();
    progress_meter meter(r.todo.size(), r.options.terminal && !r.options.quiet);
    m_done = 0;

    // Jobs of an earlier start that are still there are followed first, not submitted twice.
    run_outcome stopped;
    stopped.stopped = true;
    if (m_state.round > 0 && !follow(r, meter, signals)) return stopped;
    while (true) {
      const auto left = unsettled(r);
      if (left.empty()) return {};
      ++m_state.round;
      submit(r, left, state_file);
      if (!follow(r, meter, signals)) return stopped;
      count_failures(r, left);
      m_state.save(state_file);
    }
  }

 private:
  std::string job_name(const run_request& r) const {
    return "memwall-" + sha256_hex(r.options.directory).substr(0, 10) + "-" + std::to_string(m_state.round);
  }
  std::string scancel(const run_request& r) const {
    std::string out = "scancel";
    for (const auto& option : on_clusters(r)) out += " " + option;
    return out + " --name=" + job_name(r);
  }
  std::string round_folder() const { return m_folder + "/" + std::to_string(m_state.round); }

  static std::vector<std::size_t> unsettled(const run_request& r) {
    std::vector<std::size_t> out;
    for (const std::size_t n : r.todo)
      if (!r.records.settled(r.points.at(n).key, r.options.limits, false)) out.push_back(n);
    return out;
  }

  /// `--clusters=...` where the sweep file names some: every command must ask those, and not the local one.
  static std::vector<std::string> on_clusters(const run_request& r) {
    const auto& options = r.points.sweep().slurm;
    for (const char* key : {"clusters", "M"})
      if (const auto found = options.find(key); found != options.end()) return {"--clusters=" + found->second};
    return {};
  }

  static command_result ask(const run_request& r, std::vector<std::string> command) {
    const auto where = on_clusters(r);
    command.insert(command.begin() + 1, where.begin(), where.end());
    return run_command(command);
  }

  static std::size_t largest_array(const run_request& r) {
    const auto answer = ask(r, {"scontrol", "show", "config"});
    const auto at = answer.output.find("MaxArraySize");
    if (at == std::string::npos) return fallback_array_size;
    const auto digits = answer.output.find_first_of("0123456789", at);
    return digits == std::string::npos ? fallback_array_size
                                       : std::max(2UL, std::stoul(answer.output.substr(digits, 9)));
  }

  /// Points that failed before go in smaller chunks, so that one that kills its node takes fewer and fewer
  /// with it.
  std::size_t chunk_size(const run_request& r, const std::vector<std::size_t>& left) const {
    std::size_t size = r.options.chunk != 0 ? r.options.chunk : std::clamp<std::size_t>(r.todo.size() / 1000, 10, 500);
    int worst = 0;
    for (const std::size_t n : left) {
      const auto found = m_state.failed_rounds.find(r.points.at(n).key);
      if (found != m_state.failed_rounds.end()) worst = std::max(worst, found->second);
    }
    for (int i = 0; i < worst; ++i) size = std::max<std::size_t>(1, size / 8);
    return size;
  }

  void submit(const run_request& r, const std::vector<std::size_t>& left, const std::string& state_file) {
    m_state.chunk = chunk_size(r, left);
    fs::create_directories(round_folder());
    std::size_t chunks = 0;
    for (std::size_t begin = 0; begin < left.size(); begin += m_state.chunk, ++chunks) {
      std::string text;
      for (std::size_t i = begin; i < std::min(left.size(), begin + m_state.chunk); ++i)
        text += std::to_string(left[i]) + "\n";
      write_whole(round_folder() + "/chunk." + std::to_string(chunks), text);
    }
    m_state.save(state_file);  // before the submission: a killed submitter finds its jobs by the round's name
    const std::size_t most = largest_array(r) - 1;
    for (std::size_t offset = 0; offset < chunks; offset += most)
      submit_array(r, offset, std::min(most, chunks - offset));
  }

  void submit_array(const run_request& r, std::size_t offset, std::size_t tasks) {
    const auto& o = r.options;
    std::string node = "exec " + shell_quoted(o.self) + " sweep " + shell_quoted(o.directory + "/sweep.yaml") +
                       " --out " + shell_quoted(o.directory) + " --node " + shell_quoted(round_folder() + "/chunk.") +
                       "$(( " + std::to_string(offset) + " + SLURM_ARRAY_TASK_ID ))";
    const auto add = [&](const std::string& option, const std::string& text) {
      node += " " + option + " " + shell_quoted(text);
    };
    add("--base-directory", r.points.sweep().directory);
    add("--plan-digest", r.points.digest());
    add("-j", std::to_string(o.jobs));
    if (!o.runner.empty()) add("--runner", fs::absolute(o.runner).string());
    for (const auto& s : o.overrides) add("--set", s);
    if (o.whatif) node += " --whatif";
    if (o.limits.timeout_s > 0) add("--timeout", fmt::format("{} s", o.limits.timeout_s));
    if (o.limits.memory_bytes > 0) add("--memory", fmt::format("{} B", o.limits.memory_bytes));
    if (o.kept != keep::nothing) add("--keep", o.kept == keep::result ? "result" : "everything");
    node += " --quiet\n";
    std::vector<std::string> command = {"sbatch",
                                        "--parsable",
                                        "--no-requeue",  // a failed node's points are submitted again from here
                                        "--job-name=" + job_name(r),
                                        fmt::format("--array=0-{}", tasks - 1),
                                        fmt::format("--cpus-per-task={}", o.jobs),
                                        fmt::format("--output={}/{}.%a.log", round_folder(), offset)};
    for (const auto& [key, text] : r.points.sweep().slurm)
      command.push_back(text.empty() ? "--" + key : "--" + key + "=" + text);
    const auto answer = run_command(command, "#!/bin/sh\n" + node);
    if (answer.exit_code == 127)
      throw input_error(problem{"--executor", "slurm", "sbatch was not found",
                                "Slurm's commands in PATH (Debian: slurm-client)", ""});
    if (answer.exit_code == 0 || signal_scope::stop_pending()) return;
    if (is_submit_limit(answer.errors))
      throw input_error(problem{
          "--executor", "slurm",
          fmt::format("the cluster takes no more jobs of this user now: {}{}", answer.errors,
                      offset == 0 ? "" : fmt::format("; {} tasks of this round are submitted and go on", offset)),
          fmt::format("fewer and longer tasks (--chunk more than {}), or the same command again when jobs have ended; "
                      "{} ends those that run",
                      m_state.chunk, scancel(r)),
          ""});
    throw input_error(problem{"--executor", "slurm", "sbatch refused the job: " + answer.errors,
                              "options under 'slurm:' in the sweep file that this cluster accepts", ""});
  }

  /// Slurm's words for a limit of submitted jobs (of a QOS, an association, or the whole controller).
  static bool is_submit_limit(const std::string& errors) {
    for (const char* sign : {"MaxSubmitJob", "submit limit", "job limit", "MaxJobCount"})
      if (errors.find(sign) != std::string::npos) return true;
    return false;
  }

  /// Until no task of the round is in the queue. False when a signal asks to stop.
  bool follow(const run_request& r, progress_meter& meter, const signal_scope& signals) {
    int failures = 0;
    while (true) {
      const auto answer = ask(r, {"squeue", "--noheader", "--array", "--name=" + job_name(r), "--format=%i"});
      if (answer.exit_code != 0) {
        if (++failures > patience_with_scheduler)
          throw std::runtime_error("squeue failed " + std::to_string(failures) + " times, the last time with: " +
                                   answer.errors + "; the jobs may still run: the same command goes on from here");
      } else {
        failures = 0;
        const std::size_t tasks = tasks_in(answer.output);
        const std::size_t waiting = std::min(r.todo.size(), tasks * std::max<std::size_t>(1, m_state.chunk));
        const std::size_t done = r.todo.size() - waiting;
        if (done > m_done) meter.done(done - m_done), m_done = done;
        if (tasks == 0) return true;
      }
      meter.draw();
      const auto end =
          steady::now() + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(r.options.poll_s));
      while (steady::now() < end)
        if (signal_scope::asks_to_stop(signals.wait(end - steady::now()))) {
          std::cerr << "\nmemwall: the jobs go on; the same command follows them, " << scancel(r) << " ends them\n";
          return false;
        }
    }
  }

  /// Lines that begin with a job's number; squeue heads the jobs of each cluster with its name.
  static std::size_t tasks_in(const std::string& text) {
    std::size_t n = 0;
    bool at_begin = true;
    for (const char c : text) {
      n += at_begin && c >= '0' && c <= '9' ? 1 : 0;
      at_begin = c == '\n' || (at_begin && c == ' ');
    }
    return n;
  }

  void count_failures(const run_request& r, const std::vector<std::size_t>& submitted) {
    // A network file system may show a node's last files late.
    bool waited = false;
    for (std::size_t i = 0; i < submitted.size(); ++i) {
      const point p = r.points.at(submitted[i]);
      if (r.records.settled(p.key, r.options.limits, false)) {
        m_state.failed_rounds.erase(p.key);
        continue;
      }
      if (!waited) {
        waited = true;
        run_command({"sleep", fmt::format("{}", r.options.poll_s)});
        --i;
        continue;
      }
      const int rounds = ++m_state.failed_rounds[p.key];
      if (rounds <= r.options.retries) continue;
      ending e;
      e.status = "lost";
      e.exit_code = -1;
      e.message =
          fmt::format("{} cluster jobs ended without a result of this point; see slurm/{}/", rounds, m_state.round);
      r.records.save(p, e, r.options.limits, nullptr);
      m_state.failed_rounds.erase(p.key);
    }
  }

  std::string m_folder;
  state m_state;
  std::size_t m_done = 0;
};

const executor_entry entry{"slurm", "Slurm job arrays", [] { return std::make_unique<slurm_executor>(); }};

}  // namespace
}  // namespace memwall::sweep
