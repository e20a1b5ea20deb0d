// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "platforms/execute/serve.h"
#include "tools/commands.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/process/signals.h"
#include "tools/serve_screen.h"
#include "tools/terminal.h"
#include "traces/serving/request_file.h"
#include "traces/serving/request_spec.h"

namespace memwall::tools {
namespace {

struct serve_arguments {
  std::string platform, model, requests, dtype = "bf16", out, rate, slo, transfer_bytes = "auto", replay = "on",
                                         reuse = "on";
  std::int64_t replicas = 1, first = 0, warm_up = -1, seed = 1;
  double reuse_error = 1;
  std::vector<std::string> sets;
  bool quiet = false, json = false;
};

serving::request_list requests_of(const serve_arguments& a) {
  auto list = serving::open_requests(a.requests, static_cast<std::uint64_t>(a.seed));
  problem_list problems;
  if (a.first > 0) serving::keep_first(list, a.first);
  if (a.warm_up >= 0) list.warm_up = a.warm_up;
  if (list.warm_up >= static_cast<std::int64_t>(list.requests.size()))
    problems.add({"--warm-up", "", fmt::format("leaves none of {} requests", list.requests.size()),
                  "fewer than there are requests", ""});
  if (!a.rate.empty()) {
    double rate = 0;
    if (!detail::read_number(a.rate, rate) || rate <= 0 || rate > 1e9)
      problems.add({"--rate", "", "got '" + a.rate + "'", "requests a second, a number above 0", ""});
    else
      serving::scale_rate(list, rate);
  }
  problems.check();
  return list;
}

void serve_command(const serve_arguments& a) {
  platforms::serve_options o;
  o.run.platform = platforms::load_platform(a.platform, a.sets);
  o.run.as_validated = a.sets.empty();
  o.model = load_model(a.model);
  o.types = dtypes::parse(a.dtype, "--dtype");
  o.requests = requests_of(a);
  o.replicas = static_cast<int>(a.replicas);
  o.slo = platforms::service_level::parse(a.slo);
  o.reuse = a.reuse == "on";
  o.reuse_bound = a.reuse_error / 100;
  o.run.seed = static_cast<std::uint64_t>(a.seed);
  o.run.transfer_bytes = a.transfer_bytes;
  o.run.replay = a.replay == "on";
  o.run.version = MEMWALL_VERSION;
  o.run.max_layers = 0;  // what operators took is told by step
  o.run.command = fmt::format("memwall serve --platform {} --model {} --requests {} --dtype {}", a.platform, a.model,
                              a.requests, a.dtype);
  std::optional<output_directory> folder;
  std::optional<output_file> steps;
  if (!a.out.empty()) {
    folder.emplace(a.out, "serve");
    folder->clear_results();
    steps.emplace(a.out + "/steps.csv");
    steps->stream() << platforms::steps_csv_header() << '\n';
    o.steps_csv = [&steps](const std::string& line) { steps->stream() << line << '\n'; };
  }

  const platforms::serve_outcome outcome = [&o] {
    const stop_request request;
    o.run.stop_asked = [&request] { return request.asked(); };
    return platforms::serve(o);
  }();
  if (steps) {
    steps->finish();
    std::string requests = platforms::requests_csv_header() + "\n";
    for (const auto& line : outcome.requests_csv) requests += line + "\n";
    write_whole(a.out + "/requests.csv", requests);
    write_whole(a.out + "/result.json", outcome.result.dump(1) + "\n");
  }
  if (a.json)
    std::cout << outcome.result.dump(1) << '\n';
  else if (!a.quiet)
    std::cout << serve_screen(outcome.result, terminal_style::of_stdout());
  if (outcome.partial) exit_status = interrupted;
}

}  // namespace

void add_serve(CLI::App& app) {
  auto* sub = app.add_subcommand("serve", "requests over time on a platform: how long they wait, and for what");
  auto a = std::make_shared<serve_arguments>();
  sub->add_option("--platform", a->platform, "a preset (memwall describe platform) or a YAML file")->required();
  sub->add_option("--model", a->model, "a preset, a folder with a config.json, or that file")->required();
  sub->add_option("--requests", a->requests,
                  "a file (CSV with arrival_s,input_tokens,output_tokens; Azure, BurstGPT, Mooncake, JSON Lines) or a "
                  "specification: poisson:rate=8,n=1000,input=512,output=128, also constant, gamma (cv=), closed "
                  "(users=)")
      ->required();
  sub->add_option("--dtype", a->dtype, "types of weights/activations/kv")->capture_default_str();
  sub->add_option("--rate", a->rate, "scale arrivals to so many requests a second");
  sub->add_option("--replicas", a->replicas, "servers behind a router (server.router)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}))
      ->capture_default_str();
  sub->add_option("--first", a->first, "serve the first N requests only")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  sub->add_option("--warm-up", a->warm_up, "leave the first N requests out of the figures")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
  sub->add_option("--slo", a->slo, "what clients want: ttft=200ms,tpot=50ms,e2e=10s; goodput counts who got it");
  sub->add_option("--set", a->sets, "path=value: any parameter of the platform, or server.KEY=VALUE")
      ->allow_extra_args(false);
  sub->add_option("--reuse", a->reuse,
                  "on: operators of the same kind and neighbourhood are simulated once; off: all are simulated")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  sub->add_option("--reuse-error", a->reuse_error, "percent that a reused step may be off")
      ->check(CLI::Range(0.01, 50.0))
      ->capture_default_str();
  sub->add_option("--transfer-bytes", a->transfer_bytes, "auto, burst or a number: size of bus transfers")
      ->capture_default_str();
  sub->add_option("--replay", a->replay, "exact replay of DRAM states")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  sub->add_option("--seed", a->seed, "of the requests and of the choice of experts")->capture_default_str();
  sub->add_option("--out", a->out, "directory for result.json, requests.csv, steps.csv and what else is asked for");
  sub->add_flag("--quiet", a->quiet, "print nothing");
  sub->add_flag("--json", a->json, "print the result as JSON");
  sub->callback([a] { serve_command(*a); });
}

}  // namespace memwall::tools
