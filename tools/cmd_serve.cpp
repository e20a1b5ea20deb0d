// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "platforms/execute/serve.h"
#include "tools/commands.h"
#include "tools/needed_options.h"
#include "tools/process/child.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/process/signals.h"
#include "tools/serve/rate_range.h"
#include "tools/serve/rate_sweep.h"
#include "tools/serve/serve_arguments.h"
#include "tools/serve_screen.h"
#include "tools/sweep/collect.h"
#include "tools/terminal.h"
#include "tools/whatif/whatif.h"
#include "traces/serving/request_file.h"
#include "traces/serving/request_spec.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

struct serve_command_words : serve_arguments {
  std::string platform, out, factors = "1.1,2,inf", vcd, vcd_channels = "0";
  int jobs = 0;
  bool quiet = false, json = false, whatif = false, timeline = false;
};

serving::request_list requests_of(const serve_arguments& a) {
  auto list = serving::open_requests(a.rate.empty() ? a.requests : with_some_rate(a.requests),
                                     static_cast<std::uint64_t>(a.seed));
  problem_list problems;
  if (!a.rate.empty() && a.requests.rfind("closed", 0) == 0)
    problems.add(
        {"--rate", "", "a closed loop has no arrival rate: its users send when they are answered", "users=", ""});
  if (a.first > 0) serving::keep_first(list, a.first);
  if (a.warm_up >= 0) list.warm_up = a.warm_up;
  if (list.warm_up >= static_cast<std::int64_t>(list.requests.size()))
    problems.add({"--warm-up", "", fmt::format("leaves none of {} requests", list.requests.size()),
                  "fewer than there are requests", ""});
  if (!a.rate.empty()) serving::scale_rate(list, parse_rates(a.rate, "--rate").front());
  problems.check();
  return list;
}

/// The files of a served run, under temporary names until it is over.
class serve_files {
 public:
  serve_files(const serve_command_words& a, platforms::serve_options& o) : m_path(a.out), m_folder(a.out, "serve") {
    m_folder.clear_results();
    m_steps.emplace(m_path + "/steps.csv");
    m_steps->stream() << platforms::steps_csv_header() << '\n';
    o.steps_csv = [this](const std::string& line) { m_steps->stream() << line << '\n'; };
    if (a.timeline) {
      m_timeline.emplace(m_path + "/timeline.json");
      o.timeline_file = m_timeline->part();
    }
    if (!a.vcd.empty()) {
      m_waves.emplace(m_path + "/waves.vcd");
      m_view.emplace(m_path + "/waves.gtkw");
      o.run.vcd_file = m_waves->part();
      o.run.save_file = m_view->part();
      o.run.vcd_window = a.vcd == "all" ? "" : a.vcd;
      o.run.vcd_channels = a.vcd_channels;
    }
  }
  serve_files(const serve_files&) = delete;
  serve_files& operator=(const serve_files&) = delete;

  void finish(const platforms::serve_outcome& outcome) {
    for (auto* file : {&m_steps, &m_timeline, &m_waves, &m_view})
      if (*file) (*file)->finish();
    std::string requests = platforms::requests_csv_header() + "\n";
    for (const auto& line : outcome.requests_csv) requests += line + "\n";
    write_whole(m_path + "/requests.csv", requests);
    write_whole(m_path + "/result.json", outcome.result.dump(1) + "\n");
  }

 private:
  std::string m_path;
  output_directory m_folder;
  std::optional<output_file> m_steps, m_timeline, m_waves, m_view;
};

/// --whatif: the same requests on the machine with its parts better. False when a signal cut it short.
bool look_further(json& result, const platforms::platform_description& d, const serve_command_words& a) {
  whatif_options options;
  options.factors = parse_factors(a.factors);
  options.jobs = a.jobs == 0 ? cores_here() : a.jobs;
  options.quiet = a.quiet;
  // The rate of arrivals decides how long a service runs; what its parts decide is how long a request takes.
  options.time = json::json_pointer("/serving/e2e_ms/mean");
  options.time_ns = 1e6;
  return add_whatif(result, d, a.command(a.platform), options);
}

void serve_once(const serve_command_words& a) {
  if (a.whatif) parse_factors(a.factors);  // what is wrong with it is told before anything runs
  if (a.out.empty() && (a.timeline || !a.vcd.empty()))
    throw input_error(problem{a.timeline ? "--timeline" : "--vcd", "", "needs a place for its file", "--out DIR", ""});
  platforms::serve_options o;
  o.run.platform = platforms::load_platform(a.platform, a.sets);
  o.run.as_validated = a.sets.empty();
  o.model = load_model(a.model);
  o.types = dtypes::parse(a.types(), "--dtype");
  o.requests = requests_of(a);
  o.replicas = static_cast<int>(a.replicas);
  o.slo = platforms::service_level::parse(a.slo);
  o.reuse = a.reuse.is_on(true);
  o.reuse_bound = a.reuse.bound();
  o.run.seed = static_cast<std::uint64_t>(a.seed);
  o.run.transfer_bytes = a.transfer_bytes;
  o.run.replay = a.replay == "on";
  o.run.version = MEMWALL_VERSION;
  o.run.max_layers = 0;  // what operators took is told by step
  o.run.command = sweep::shell_command(a.command(a.platform));
  std::optional<serve_files> files;
  if (!a.out.empty()) files.emplace(a, o);

  platforms::serve_outcome outcome = [&o] {
    const stop_request request;
    o.run.stop_asked = [&request] { return request.asked(); };
    return platforms::serve(o);
  }();
  if (a.whatif && !outcome.partial && !look_further(outcome.result, o.run.platform, a)) exit_status = interrupted;
  if (files) files->finish(outcome);
  if (a.json)
    std::cout << outcome.result.dump(1) << '\n';
  else if (!a.quiet)
    std::cout << serve_screen(outcome.result, terminal_style::of_stdout());
  if (outcome.partial) exit_status = interrupted;
}

void serve_command(const serve_command_words& a) {
  const auto rates = a.rate.empty() ? std::vector<double>{} : parse_rates(a.rate, "--rate");
  if (rates.size() < 2) return serve_once(a);
  if (a.whatif || a.timeline || !a.vcd.empty())
    throw input_error(problem{a.whatif     ? "--whatif"
                              : a.timeline ? "--timeline"
                                           : "--vcd",
                              "", "given together with several rates", "one rate", ""});
  platforms::load_platform(a.platform, a.sets);  // all errors before any run
  load_model(a.model);
  dtypes::parse(a.types(), "--dtype");
  platforms::service_level::parse(a.slo);
  rate_sweep_request asked;
  asked.platforms = {a.platform};
  asked.service = static_cast<const serve_arguments&>(a);
  asked.rates = rates;
  asked.out = a.out;
  asked.jobs = a.jobs == 0 ? cores_here() : a.jobs;
  asked.quiet = a.quiet;
  asked.json = a.json;
  sweep_rates(asked);
}

}  // namespace

void add_serve(CLI::App& app) {
  auto* sub = app.add_subcommand("serve", "requests over time on a platform: how long they wait, and for what");
  auto a = std::make_shared<serve_command_words>();
  sub->add_option("--platform", a->platform, "a preset (memwall describe platform) or a YAML file")->required();
  sub->add_option("--model", a->model, "a preset, a folder with a config.json, or that file")->required();
  a->add_service_to(*sub);
  a->reuse.add_to(*sub, "on");
  sub->get_option("--requests")->required();
  sub->add_option("--dtype", a->dtype,
                  "types of weights/activations/kv (default: what the model's checkpoint is stored in, where its file "
                  "says so, else bf16)");
  sub->add_option(
         "--rate", a->rate,
         "scale arrivals to so many requests a second; FROM..TO or FROM..TO:POINTS serves at each: latency against the "
         "rate, with the knee")
      ->type_name("RATE[..TO[:POINTS]]");
  sub->add_option("--set", a->sets, "path=value: any parameter of the platform, or server.KEY=VALUE")
      ->allow_extra_args(false);
  sub->add_option("--transfer-bytes", a->transfer_bytes, "auto, burst or a number: size of bus transfers")
      ->capture_default_str();
  sub->add_option("--replay", a->replay, "exact replay of DRAM states")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  sub->add_option("--seed", a->seed, "of the requests and of the choice of experts")->capture_default_str();
  sub->add_option("--out", a->out, "directory for result.json, requests.csv, steps.csv and what else is asked for");
  sub->add_flag("--timeline", a->timeline, "write timeline.json (Perfetto): requests, steps, batch and KV over time");
  sub->add_flag("--vcd{all}", a->vcd,
                "write waves.vcd and waves.gtkw of what is simulated, a probe after the other; --vcd=10us:12us or "
                "--vcd='layers.3.*' bounds it");
  sub->add_option("--vcd-channels", a->vcd_channels, "DRAM channels shown down to commands: 0,4-7, all or none")
      ->capture_default_str();
  sub->add_flag("--whatif", a->whatif,
                "serve again with each part of the machine better: what a request's mean time gains, and which is the "
                "wall");
  sub->add_option("--factors", a->factors, "of --whatif: how many times as good; inf: as good as the parameters go")
      ->capture_default_str();
  sub->add_option("-j,--jobs", a->jobs, "simulations at a time (several rates, --whatif); 0: one a core")
      ->check(CLI::Range(0, 4096));
  sub->add_flag("--quiet", a->quiet, "print nothing");
  sub->add_flag("--json", a->json, "print the result as JSON");
  sub->callback([a, sub] {
    a->reuse.check(*sub, true);
    problem_list problems;
    refuse_alone(*sub, {"--vcd-channels"}, {"--vcd"}, problems);
    refuse_alone(*sub, {"--factors"}, {"--whatif"}, problems);
    problems.check();
    serve_command(*a);
  });
}

}  // namespace memwall::tools
