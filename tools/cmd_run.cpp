// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "platforms/execute/run.h"
#include "platforms/tell/result.h"
#include "tools/commands.h"
#include "tools/process/child.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/run_command.h"
#include "tools/sweep/collect.h"
#include "tools/terminal.h"
#include "tools/whatif/whatif.h"
#include "traces/file.h"
#include "traces/generator.h"

namespace memwall::tools {
namespace {

/// One line on the terminal's error stream, overwritten; silent when that is not a terminal.
class progress_line {
 public:
  explicit progress_line(bool wanted)
      : m_on(wanted && isatty(STDERR_FILENO) != 0), m_start(clock::now()), m_last(m_start) {}
  ~progress_line() {
    if (m_drawn) std::fputs("\r\033[K", stderr);
  }
  void update(const platforms::progress& p) {
    const auto now = clock::now();
    if (!m_on || now - m_last < std::chrono::milliseconds(200)) return;
    m_last = now;
    m_drawn = true;
    const double elapsed = std::chrono::duration<double>(now - m_start).count();
    std::string text = fmt::format("\r{} operators, {} simulated", p.operators_done,
                                   human_time(static_cast<double>(p.simulated) / 1000));
    if (p.operators_total > 0 && p.operators_done > 0) {
      const double fraction = static_cast<double>(p.operators_done) / static_cast<double>(p.operators_total);
      text += fmt::format(", {:.0f} %, {:.0f} s left", 100 * fraction, elapsed * (1 - fraction) / fraction);
    }
    std::fputs((text + "\033[K").c_str(), stderr);
  }

 private:
  using clock = std::chrono::steady_clock;
  bool m_on, m_drawn = false;
  clock::time_point m_start, m_last;
};

/// The files of a run, under temporary names until it is over.
struct run_files {
  run_files(const std::string& path, const run_arguments& a, platforms::run_options& o) : folder(path, "run") {
    folder.clear_results();
    csv.emplace(path + "/layers.csv");
    csv->stream() << platforms::layer_csv_header() << '\n';
    o.csv = [this](const std::string& line) { csv->stream() << line << '\n'; };
    if (!a.vcd.empty()) {
      waves.emplace(path + "/waves.vcd");
      view.emplace(path + "/waves.gtkw");
      o.vcd_file = waves->part();
      o.save_file = view->part();
    }
    if (!a.timeline.empty()) {
      timeline.emplace(path + "/timeline.json");
      o.timeline_file = timeline->part();
      timeline_part.emplace(timeline->part() + ".part");  // the writer's own
    }
  }
  run_files(const run_files&) = delete;
  run_files& operator=(const run_files&) = delete;

  void finish() {
    for (auto* file : {&csv, &waves, &view, &timeline})
      if (*file) (*file)->finish();
  }

  output_directory folder;
  std::optional<output_file> csv, waves, view, timeline;
  std::optional<temporary_name> timeline_part;
};

void read_watching(const run_arguments& a, platforms::run_options& o) {
  if (a.vcd.empty() && a.timeline.empty()) return;
  if (a.out.empty())
    throw input_error(
        problem{a.vcd.empty() ? "--timeline" : "--vcd", "", "needs a place for its file", "--out DIR", ""});
  if (!a.vcd.empty()) {
    o.vcd_window = a.vcd == "all" ? "" : a.vcd;
    double limit = 0;
    std::string expected;
    if (!parse_quantity(a.vcd_limit, "size", limit, expected) || limit < 1e5)
      throw input_error(
          problem{"--vcd-limit", "", "got '" + a.vcd_limit + "'", "a size of at least 100 kB, such as 1 GB", ""});
    o.vcd_limit = static_cast<std::int64_t>(limit);
  }
  o.vcd_channels = a.vcd_channels;
  o.vcd_commands = a.vcd_commands;
  if (!a.timeline.empty()) o.timeline_window = a.timeline == "all" ? "" : a.timeline;
}

/// --whatif: the same run with its parts better. False when a signal cut that short.
bool look_further(nlohmann::ordered_json& result, const platforms::platform_description& d, const std::string& platform,
                  const run_arguments& a) {
  run_arguments plain = a;
  plain.whatif = false;
  plain.vcd.clear();
  plain.timeline.clear();
  std::vector<std::string> words{"run", "--platform", platform};
  for (const auto& w : plain.words()) words.push_back(w);
  whatif_options options;
  options.factors = parse_factors(a.factors);
  options.jobs = a.jobs == 0 ? cores_here() : a.jobs;
  options.quiet = a.quiet;
  return add_whatif(result, d, words, options);
}

/// A trace says what is run.
void refuse_workload(const workload_options& w) {
  problem_list problems;
  for (const auto& [option, value] : {std::pair{"--batch", &w.batch},
                                      {"--prompt", &w.prompt},
                                      {"--context", &w.context},
                                      {"--tokens", &w.tokens},
                                      {"--prefill-chunk", &w.prefill_chunk},
                                      {"--dtype", &w.dtype}})
    if (!value->empty())
      problems.add({option, "", "given together with --trace, which says what is run",
                    "--model, or no " + std::string(option), ""});
  if (w.phase != workload_options().phase)
    problems.add({"--phase", "", "given together with --trace, which says what is run", "--model, or no --phase", ""});
  problems.check();
}

void run_command(const std::string& platform, const run_arguments& a) {
  if (a.whatif) parse_factors(a.factors);  // what is wrong with it is told before anything runs
  platforms::run_options o;
  o.platform = platforms::load_platform(platform, a.sets);
  o.as_validated = a.sets.empty() && a.trace.empty();
  if (!a.trace.empty()) {
    if (!a.workload.model.empty())
      throw input_error(problem{"--trace", "", "given together with --model", "one of the two", ""});
    refuse_workload(a.workload);
    if (trace::op first; !trace::read_file(a.trace)->next(first))
      throw input_error(problem{a.trace, "", "has no operators", "at least one", ""});
    o.source = [file = a.trace] { return trace::read_file(file); };
  } else {
    if (a.workload.model.empty())
      throw input_error(problem{"", "--model", "is missing", "--model NAME or --trace FILE", ""});
    const trace::workload w = a.workload.resolve();
    const memwall::model m = a.workload.load();
    o.seed = w.seed;
    o.source = [m, w] { return trace::generate(m, w); };
    o.source();  // what model and workload contradict each other in is told before the folder is cleared
  }
  o.transfer_bytes = a.transfer_bytes;
  o.replay = a.replay == "on";
  o.reuse = a.reuse.is_on(false);
  o.reuse_bound = a.reuse.bound();
  o.version = MEMWALL_VERSION;
  std::vector<std::string> command{"run", "--platform", platform};
  for (const auto& w : a.words()) command.push_back(w);
  o.command = sweep::shell_command(command);
  read_watching(a, o);

  std::optional<run_files> files;
  if (!a.out.empty()) files.emplace(a.out, a, o);
  progress_line progress(!a.quiet);
  o.on_progress = [&progress](const platforms::progress& p) { progress.update(p); };
  platforms::run_outcome outcome = [&o] {
    const stop_request request;
    o.stop_asked = [&request] { return request.asked(); };
    return platforms::run(o);
  }();

  if (a.whatif && !outcome.partial && !look_further(outcome.result, o.platform, platform, a)) exit_status = interrupted;
  if (files) {
    files->finish();
    write_whole(a.out + "/result.json", outcome.result.dump(1) + "\n");
  }
  if (a.json) {
    if (!a.quiet) print_notes(outcome.result);
    std::cout << outcome.result.dump(1) << '\n';
  } else if (!a.quiet) {
    std::cout << run_screen(outcome.result, terminal_style::of_stdout());
  }
  if (outcome.partial) exit_status = interrupted;
}

void add(CLI::App& app, const char* name, const char* description, bool whatif) {
  auto* sub = app.add_subcommand(name, description);
  auto arguments = std::make_shared<run_arguments>();
  auto platform = std::make_shared<std::string>();
  sub->add_option("--platform", *platform, "a preset (memwall describe platform) or a YAML file")->required();
  sub->add_option("--out", arguments->out, "directory for result.json, layers.csv and what else is asked for");
  arguments->add_to(*sub);
  sub->callback([sub, arguments, platform, whatif] {
    arguments->whatif = arguments->whatif || whatif;
    arguments->check(*sub, false);
    run_command(*platform, *arguments);
  });
}

}  // namespace

void add_run(CLI::App& app) {
  add(app, "run", "simulate a model, or a layer trace, on a platform", false);
}

void add_whatif(CLI::App& app) {
  add(app, "whatif", "run, then again with each part of the machine better: what bounds it, by simulation", true);
}

}  // namespace memwall::tools
