// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/sweep.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "hw/common/error.h"
#include "tools/process/exit_code.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/sweep/collect.h"
#include "tools/sweep/inputs.h"
#include "tools/sweep/search.h"

namespace memwall::sweep {
namespace fs = std::filesystem;
using namespace tools;
namespace {

constexpr std::size_t told_failures = 8;  // reasons on the terminal; results.csv has all

std::string duration_text(double s) {
  if (s < 120) return fmt::format("{:.1f} s", s);
  if (s < 7200) return fmt::format("{:.0f} min", s / 60);
  if (s < 172800) return fmt::format("{:.1f} h", s / 3600);
  return fmt::format("{:.1f} days", s / 86400);
}

void list_points(const plan& points, std::ostream& out) {
  out << "point";
  for (const auto& c : points.columns()) out << '\t' << c;
  out << '\n';
  for (std::size_t i = 0; i < points.size(); ++i) {
    out << i;
    for (const auto& v : points.at(i).values) out << '\t' << v.value_or("-");
    out << '\n';
  }
}

constexpr double probe_limit_s = 20;

/// Seconds a point: from records when there are any, else from running up to five points in a folder that is thrown
/// away. `at_least`: not all of them came to their end.
double time_a_point(const plan& points, const sweep_options& options, std::string& basis, bool& at_least) {
  constexpr std::size_t looked_at = 200;
  double sum = 0;
  std::size_t n = 0;
  if (!options.directory.empty()) {
    const record_store records(options.directory);
    for (std::size_t i = 0; i < points.size() && n < looked_at; i += 1 + points.size() / (4 * looked_at))
      if (const auto r = records.load(points.at(i).key)) {
        sum += (*r)["process"].value("wall_s", 0.0);
        ++n;
      }
    basis = fmt::format("from {} recorded points", n);
    if (n != 0) return sum / static_cast<double>(n);
  }
  std::error_code none;
  std::string folder = (fs::temp_directory_path(none) / "memwall-probe-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 0;
  std::vector<std::size_t> probes;  // spread, since the first and the last are often the extremes, or do not fit
  for (std::size_t i = 0; i < 5; ++i) probes.push_back(i * (points.size() - 1) / 4);
  probes.erase(std::unique(probes.begin(), probes.end()), probes.end());
  sweep_options probe = options;
  probe.directory = folder;
  probe.jobs = 1;
  probe.quiet = true;
  probe.limits.timeout_s =
      options.limits.timeout_s > 0 ? std::min(probe_limit_s, options.limits.timeout_s) : probe_limit_s;
  const record_store records(folder);
  executors().get("local")()->run({points, probes, records, probe});
  at_least = false;
  for (const std::size_t i : probes)
    if (const auto r = records.load(points.at(i).key)) {
      sum += (*r)["process"].value("wall_s", 0.0);
      at_least = at_least || r->value("status", "") == "timeout";
      ++n;
    }
  fs::remove_all(folder);
  basis = fmt::format("from {} points run for this", n);
  if (at_least) basis += fmt::format("; some took longer than {} s", probe_limit_s);
  return n != 0 ? sum / static_cast<double>(n) : 0;
}

std::vector<std::size_t> numbers_in(const std::string& file, std::size_t limit) {
  std::ifstream in(file);
  std::vector<std::size_t> out;
  for (std::size_t n = 0; in >> n;)
    if (n < limit) out.push_back(n);
  if (!in.eof()) throw input_error(problem{file, "", "cannot be read", "numbers of points, one a line", ""});
  return out;
}

int exit_code_of(const run_outcome& how) {
  return how.complete() ? done : how.unwritten > 0 ? cannot_write : interrupted;
}

/// What the last line begins with when points are open.
std::string what_stopped(const run_outcome& how, const std::string& directory) {
  if (how.unwritten > 0)
    return fmt::format(
        "{}: the output of a point could not be written (is the disk full?); run the same command to "
        "go on",
        directory);
  if (!how.stopped)
    return fmt::format("{} points were ended from outside and are open; run the same command to go on", how.taken_away);
  return "interrupted, run the same command to go on";
}

std::string counts_text(const status_counts& counts) {
  std::string out;
  for (const auto& [status, n] : counts) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", n, status);
  return out;
}

std::vector<std::size_t> unsettled(const plan& points, const record_store& records, const sweep_options& options) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (!records.settled(points.at(i).key, options.limits, options.retry_failed)) out.push_back(i);
  return out;
}

void freeze(const sweep_request& request, const plan& points) {
  const auto& s = points.sweep();
  write_whole(request.run.directory + "/sweep.yaml", s.text);
  nlohmann::ordered_json j = {{"schema", 1},
                              {"name", s.name},
                              {"points", points.size()},
                              {"columns", points.columns()},
                              {"directory", s.directory},
                              {"overrides", request.overrides},
                              {"memwall_version", points.program().version},
                              {"program_digest", points.program().digest},
                              {"plan_digest", points.digest()}};
  write_whole(request.run.directory + "/plan.json", j.dump(2) + "\n");
}

}  // namespace

int run_sweep(const sweep_request& request, std::ostream& out) {
  sweep_options options = request.run;
  spec s = read_spec(request.file, request.overrides);
  if (!request.base_directory.empty()) s.directory = request.base_directory;
  s.whatif = request.whatif;
  options.whatif = request.whatif;
  if (options.limits.timeout_s == 0) options.limits.timeout_s = s.timeout_s;
  if (options.limits.memory_bytes == 0) options.limits.memory_bytes = s.memory_bytes;
  const auto& make_executor = executors().get(request.executor, "", "--executor");
  const plan points(std::move(s), identify_program(options.runner, request.version));

  if (request.dry_run) {
    list_points(points, out);
    std::string basis;
    bool at_least = false;
    const double each = time_a_point(points, options, basis, at_least);
    const std::size_t runs = request.budget != 0 ? std::min(request.budget, points.size()) : points.size();
    out << fmt::format("{} points{}; {} {} with -j {} ({:.3g} s a point, {})\n", points.size(),
                       runs != points.size() ? fmt::format(", of which the search runs {}", runs) : "",
                       at_least ? "at least" : "about",
                       duration_text(each * static_cast<double>(runs) / std::max(1, options.jobs)), options.jobs, each,
                       basis);
    return 0;
  }
  if (options.directory.empty())
    throw input_error(problem{"--out", "", "is missing", "the folder for the sweep's results", ""});
  options.directory = fs::absolute(options.directory).lexically_normal().string();
  if (options.directory.size() > 1 && options.directory.back() == '/') options.directory.pop_back();
  options.self = fs::read_symlink("/proc/self/exe").string();
  options.overrides = request.overrides;
  const record_store records(options.directory);

  if (!request.chunk_file.empty()) {
    if (!request.expected_digest.empty() && request.expected_digest != points.digest())
      throw input_error(problem{"--node", request.file, "this node plans other points than the submitter",
                                "the same program and input files on every node", ""});
    std::vector<std::size_t> todo;
    for (const std::size_t n : numbers_in(request.chunk_file, points.size()))
      if (!records.settled(points.at(n).key, options.limits, options.retry_failed)) todo.push_back(n);
    return exit_code_of(make_executor()->run({points, todo, records, options}));
  }

  const tools::output_directory lock(options.directory, "sweep");
  lock.refuse_folders({"sweep.yaml", "plan.json", "results.csv", "sweep.sqlite"});
  sweep_request frozen = request;
  frozen.run.directory = options.directory;
  freeze(frozen, points);
  run_outcome how;
  std::vector<std::size_t> chosen;
  const auto begin = steady::now();
  std::size_t ran = 0;
  if (request.budget != 0 && !request.collect_only) {
    const auto found = search(points, records, options, *make_executor(), request.objectives, request.budget);
    how = found.how, chosen = found.evaluated, ran = found.simulated;
    out << found.text;
  } else if (!request.collect_only) {
    const auto todo = unsettled(points, records, options);
    ran = todo.size();
    if (!todo.empty()) {
      // A retry must not find the old failure when it is itself interrupted.
      if (options.retry_failed)
        for (const std::size_t n : todo) records.erase(points.at(n).key);
      how = make_executor()->run({points, todo, records, options});
    }
  }
  const auto counts = collect(points, records, options.directory, chosen.empty() ? nullptr : &chosen);
  const double wall = std::chrono::duration<double>(steady::now() - begin).count();
  if (!options.quiet || !how.complete())
    out << fmt::format("{}: {} ({} run now, {}); {}/results.csv, sweep.sqlite\n",
                       how.complete() ? points.sweep().name : what_stopped(how, request.run.directory),
                       counts_text(counts), ran, duration_text(wall), request.run.directory);
  if (!options.quiet)
    for (const failure& f : failures_in(options.directory, told_failures))
      out << fmt::format("  {} {}: {}\n", f.points, f.status, f.message);
  return exit_code_of(how);
}

}  // namespace memwall::sweep
