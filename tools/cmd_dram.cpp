// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "hw/dram/driver.h"
#include "tools/commands.h"
#include "tools/number_between.h"
#include "tools/process/signals.h"

namespace memwall::tools {
namespace {

struct options {
  dram::driver_params run;
  std::vector<std::string> set;
  std::string commands, replay = "on", scheduler, page_policy, refresh;
  int queue = 0;
  bool json = false, list = false;
};

void list_everything() {
  std::cout << "standards\n";
  for (const auto& name : dram::standard_names()) {
    const dram::standard s = dram::load_standard(name);
    std::cout << fmt::format("  {:<18}{:>9.3f} GB/s x {:<3} {}\n", name, s.peak_bytes_per_s() * 1e-9,
                             s.channels_per_device, s.description);
  }
  std::cout << "address maps\n";
  for (const auto& [name, expression] : dram::address_map::named())
    std::cout << fmt::format("  {:<18}{}\n", name, expression);
  std::cout << "controller parameters (--set)\n";
  for (const auto& p : dram::controller_table().describe())
    std::cout << fmt::format("  {:<18}{:<12}{:<24}{}\n", p.name, p.default_text, p.range, p.doc);
}

/// Splits --set into the standard's values (timing.FAW=32) and the controller's (cap=8, controller.cap=8).
void apply_settings(const options& o, dram::driver_params& run) {
  config::node controller = config::node::map("--set");
  run.changes = config::node::map("--set");
  const auto short_form = [&](const char* option, const std::string& key, const std::string& value) {
    if (!value.empty()) controller.insert(key, config::node::scalar(value, option));
  };
  short_form("--scheduler", "scheduler", o.scheduler);
  short_form("--page-policy", "page_policy", o.page_policy);
  short_form("--refresh", "refresh", o.refresh);
  short_form("--replay", "replay", o.replay);
  if (o.queue > 0) {
    short_form("--queue", "read_queue", std::to_string(o.queue));
    short_form("--queue", "write_queue", std::to_string(o.queue));
  }
  for (const auto& s : o.set) {
    const auto equals = s.find('=');
    if (equals == std::string::npos || equals == 0)
      throw input_error(problem{"--set", s, "has no '='", "key=value, e.g. write_high=0.9 or timing.FAW=32", ""});
    const std::string key = s.substr(0, equals), value = s.substr(equals + 1);
    bool of_standard = key.find('.') == std::string::npos && (key == "data_rate" || key == "default_map");
    for (const char* group : {"timing.", "organisation.", "energy.", "idd."})
      of_standard = of_standard || key.rfind(group, 0) == 0;
    if (of_standard)
      run.changes.set(key, value, "--set");
    else
      controller.set(key.rfind("controller.", 0) == 0 ? key.substr(11) : key, value, "--set");
  }
  problem_list problems;
  dram::controller_table().read(controller, run.controller, problems);
  problems.check();
}

void run(options& o) {
  if (o.list) return list_everything();
  apply_settings(o, o.run);
  std::unique_ptr<dram::command_file> commands;
  if (!o.commands.empty()) commands = std::make_unique<dram::command_file>(o.commands);
  const stop_request stop;
  o.run.stop = [&stop] { return stop.asked(); };
  const dram::driver_result result = dram::run_driver(o.run, commands.get());
  if (result.interrupted)
    exit_status = interrupted;
  else if (commands)
    commands->finish();
  if (o.json)
    std::cout << dram::to_json(result).dump(2) << '\n';
  else
    std::cout << dram::to_text(result);
}

}  // namespace

void add_dram(CLI::App& app) {
  auto* sub = app.add_subcommand("dram", "the DRAM model alone: defined traffic or a trace through one memory");
  auto o = std::make_shared<options>();
  sub->add_option("--standard", o->run.standard, "name (--list) or YAML file")->capture_default_str();
  sub->add_option("--channels", o->run.channels, "channels (HBM: pseudo-channels; DDR5: sub-channels)")
      ->check(CLI::Range(1, dram::most_channels))
      ->capture_default_str();
  sub->add_option("--map", o->run.map,
                  "address map: name or bit fields from the most significant, e.g. 'row bank column bankgroup'");
  sub->add_option("--interleave", o->run.interleave, "bytes to one channel before the next")->capture_default_str();
  sub->add_option("--scheduler", o->scheduler, "fcfs, frfcfs, frfcfs_cap");
  sub->add_option("--page-policy", o->page_policy, "open, closed, timeout, adaptive");
  sub->add_option("--refresh", o->refresh, "standard, all_bank, per_bank, none");
  sub->add_option("--queue", o->queue, "entries of the read and of the write queue")->check(CLI::Range(1, 4096));
  auto* pattern =
      sub->add_option("--pattern", o->run.pattern.pattern, "seq, random, stride:BYTES, mix:R:W, or a, b, c, d, e")
          ->capture_default_str();
  sub->add_option("--requests", o->run.pattern.requests, "number of requests")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 50));
  sub->add_option("--bytes", o->run.pattern.size, "bytes a request (default: the standard's access)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  sub->add_option("--load", o->run.pattern.load, "offered share of peak, e.g. 0.5 (default: back-to-back)")
      ->check(number_between(0.0, 100.0));
  sub->add_option("--seed", o->run.pattern.seed, "of the pattern random")->capture_default_str();
  sub->add_option("--trace", o->run.trace, "file of requests: 0xADDR R|W [CYCLE] and its relatives")->excludes(pattern);
  sub->add_option("--set", o->set, "controller parameter or value of the standard, e.g. write_high=0.9, timing.FAW=32")
      ->take_all();
  sub->add_option("--commands", o->commands, "write every DRAM command to this CSV file");
  sub->add_option("--replay", o->replay, "on or off; the results are the same")->check(CLI::IsMember({"on", "off"}));
  sub->add_flag("--json", o->json, "one JSON object instead of the table");
  sub->add_flag("--list", o->list, "standards, address maps and controller parameters");
  sub->callback([o] { run(*o); });
}

}  // namespace memwall::tools
