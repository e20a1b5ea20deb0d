// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>

#include "platforms/execute/run.h"
#include "platforms/tell/result.h"
#include "tools/commands.h"
#include "tools/run_command.h"
#include "tools/sweep/collect.h"
#include "tools/terminal.h"
#include "traces/file.h"
#include "traces/generator.h"

namespace memwall::tools {
namespace {

std::atomic<bool> interrupted_by_user{false};

void on_signal(int) {
  interrupted_by_user = true;
}

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
    if (p.operators_total > 0) {
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

void run_command(const std::string& platform, const run_arguments& a) {
  platforms::run_options o;
  o.platform = platforms::load_platform(platform, a.sets);
  if (!a.trace.empty()) {
    if (!a.workload.model.empty())
      throw input_error(problem{"--trace", "", "given together with --model", "one of the two", ""});
    o.source = [file = a.trace] { return trace::read_file(file); };
  } else {
    if (a.workload.model.empty())
      throw input_error(problem{"", "--model", "is missing", "--model NAME or --trace FILE", ""});
    const trace::workload w = a.workload.resolve();
    const memwall::model m = a.workload.load();
    o.seed = w.seed;
    o.source = [m, w] { return trace::generate(m, w); };
  }
  o.transfer_bytes = a.transfer_bytes;
  o.replay = a.replay == "on";
  o.version = MEMWALL_VERSION;
  std::vector<std::string> command{"run", "--platform", platform};
  for (const auto& w : a.words()) command.push_back(w);
  o.command = sweep::shell_command(command);

  std::ofstream csv;
  const std::string csv_part = a.out + "/layers.csv.part";
  if (!a.out.empty()) {
    make_output_directory(a.out);
    csv.open(csv_part);
    csv << platforms::csv_header() << '\n';
    o.csv = [&csv](const std::string& line) { csv << line << '\n'; };
  }
  if (!a.vcd.empty() || !a.timeline.empty()) {
    if (a.out.empty())
      throw input_error(
          problem{a.vcd.empty() ? "--timeline" : "--vcd", "", "needs a place for its file", "--out DIR", ""});
    if (!a.vcd.empty()) {
      o.vcd_file = a.out + "/waves.vcd.part";
      o.save_file = a.out + "/waves.gtkw";
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
    if (!a.timeline.empty()) {
      o.timeline_file = a.out + "/timeline.json.part";
      o.timeline_window = a.timeline == "all" ? "" : a.timeline;
    }
  }
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  o.interrupted = &interrupted_by_user;
  progress_line progress(!a.quiet);
  o.on_progress = [&progress](const platforms::progress& p) { progress.update(p); };

  const platforms::run_outcome outcome = [&] {
    try {
      return platforms::run(o);
    } catch (...) {
      for (const std::string& part : {csv_part, o.vcd_file, o.timeline_file})
        if (!a.out.empty() && !part.empty()) std::remove(part.c_str());
      throw;
    }
  }();

  if (!a.out.empty()) {
    csv.close();
    if (!csv) throw input_error(problem{csv_part, "", "cannot be written", "room on the disk", ""});
    std::rename(csv_part.c_str(), (a.out + "/layers.csv").c_str());
    if (!o.vcd_file.empty()) std::rename(o.vcd_file.c_str(), (a.out + "/waves.vcd").c_str());
    if (!o.timeline_file.empty()) std::rename(o.timeline_file.c_str(), (a.out + "/timeline.json").c_str());
    write_whole(a.out + "/result.json", outcome.result.dump(1) + "\n");
  }
  if (!a.quiet) print_notes(outcome.result);
  if (a.json)
    std::cout << outcome.result.dump(1) << '\n';
  else if (!a.quiet)
    std::cout << run_screen(outcome.result, terminal_style::of_stdout());
  if (outcome.partial) exit_status = interrupted;
}

}  // namespace

void add_run(CLI::App& app) {
  auto* sub = app.add_subcommand("run", "simulate a model, or a layer trace, on a platform");
  auto arguments = std::make_shared<run_arguments>();
  auto platform = std::make_shared<std::string>();
  sub->add_option("--platform", *platform, "a preset (memwall describe platform) or a YAML file")->required();
  sub->add_option("--out", arguments->out, "directory for result.json, layers.csv and what else is asked for");
  arguments->add_to(*sub);
  sub->callback([arguments, platform] { run_command(*platform, *arguments); });
}

}  // namespace memwall::tools
