// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <thread>

#include "hw/common/error.h"
#include "hw/common/quantity.h"
#include "tools/commands.h"
#include "tools/sweep/sweep.h"

namespace memwall::tools {
namespace {

struct sweep_arguments {
  sweep::sweep_request request;
  std::string timeout, memory, keep = "nothing", objectives;
};

double quantity_option(const std::string& option, const std::string& text, const char* dimension) {
  double v = 0;
  std::string expected;
  if (!parse_quantity(text, dimension, v, expected) || v <= 0)
    throw input_error(problem{option, "", "got '" + text + "'", expected, ""});
  return v;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    if (comma > at) out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

void run(sweep_arguments& a) {
  auto& r = a.request;
  if (!a.timeout.empty()) r.run.limits.timeout_s = quantity_option("--timeout", a.timeout, dimension::time::name);
  if (!a.memory.empty())
    r.run.limits.memory_bytes =
        static_cast<std::uint64_t>(quantity_option("--memory", a.memory, dimension::size::name));
  r.run.kept = a.keep == "everything" ? sweep::keep::everything
               : a.keep == "result"   ? sweep::keep::result
                                      : sweep::keep::nothing;
  if (r.run.jobs == 0)
    r.run.jobs = r.executor == "local" ? static_cast<int>(std::max(1U, std::thread::hardware_concurrency())) : 1;
  r.run.terminal = ::isatty(STDERR_FILENO) == 1;
  r.objectives = split(a.objectives);
  if (r.objectives.empty() != (r.budget == 0))
    throw input_error(problem{"--optimise", "", "goes with --budget", "both, or none of the two", ""});
  r.version = MEMWALL_VERSION;
  exit_status = sweep::run_sweep(r, std::cout);
}

}  // namespace

void add_sweep(CLI::App& app) {
  const auto a = std::make_shared<sweep_arguments>();
  auto& r = a->request;
  CLI::App* c =
      app.add_subcommand("sweep", "Simulate many points: a grid, a list, a sample, or a search for the Pareto front");
  c->add_option("FILE", r.file, "sweep file (YAML): base, axes, constraints, sampling")->required();
  c->add_option("--out", r.run.directory, "folder for the results; an interrupted sweep goes on there");
  c->add_option("-j,--jobs", r.run.jobs, "points at once; slurm: in one array task; 0: one a core; slurm: 1")
      ->default_val(0)
      ->check(CLI::Range(0, 4096));
  c->add_option("--set", r.overrides, "PATH=VALUE: overrides the sweep file's base (also platform=, workload.batch=)");
  c->add_option("--executor", r.executor, "local: processes on this machine; slurm: job arrays")->default_val("local");
  c->add_flag("--whatif", r.whatif,
              "what bounds each point, by simulating it again with its parts better (summary.bound_by); some twenty "
              "simulations a point");
  c->add_flag("--dry-run", r.dry_run, "list the points, their number and an estimate of the time");
  c->add_option("--timeout", a->timeout, "longest time of a point, e.g. '60 s'");
  c->add_option("--memory", a->memory, "address space of a point, e.g. '4 GiB'");
  c->add_flag("--retry-failed", r.run.retry_failed, "run points again that crashed, timed out or were lost");
  c->add_option("--keep", a->keep, "of each point's output, beside the database")
      ->default_val("nothing")
      ->check(CLI::IsMember({"nothing", "result", "everything"}));
  c->add_option("--optimise,--optimize", a->objectives,
                "search: keys of summary to minimise (max:KEY to maximise), e.g. time,energy");
  c->add_option("--budget", r.budget, "search: points to simulate");
  c->add_flag("--collect", r.collect_only, "only make the database of the points that are there");
  c->add_flag("--quiet", r.run.quiet, "no progress, no last line");
  c->add_option("--chunk", r.run.chunk, "slurm: points an array task (default: by the number of points)");
  c->add_option("--retries", r.run.retries, "slurm: times that points of a failed node are submitted again")
      ->default_val(2);
  c->add_option("--poll", r.run.poll_s, "slurm: seconds between looks at the queue")->default_val(2.0);
  c->add_option("--runner", r.run.runner, "program to run for each point in place of this one")->group("");
  c->add_option("--node", r.chunk_file, "a cluster node's share")->group("");
  c->add_option("--base-directory", r.base_directory, "")->group("");
  c->add_option("--plan-digest", r.expected_digest, "")->group("");
  c->callback([a] { run(*a); });
}

}  // namespace memwall::tools
