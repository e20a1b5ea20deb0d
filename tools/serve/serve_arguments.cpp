// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/serve_arguments.h"

#include <CLI/CLI.hpp>

#include "models/model.h"

namespace memwall::tools {

void serve_arguments::add_service_to(CLI::App& app) {
  app.add_option("--requests", requests,
                 "a file (CSV with arrival_s,input_tokens,output_tokens; Azure, BurstGPT, Mooncake, JSON Lines) or a "
                 "specification: poisson:rate=8,n=1000,input=512,output=128, also constant, gamma (cv=), closed "
                 "(users=)")
      ->group("Service");
  app.add_option("--slo", slo, "what clients want: ttft=200ms,tpot=50ms,e2e=10s; goodput counts who got it")
      ->group("Service");
  app.add_option("--replicas", replicas, "servers behind a router (server.router)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}))
      ->capture_default_str()
      ->group("Service");
  app.add_option("--first", first, "serve the first N requests only")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
      ->group("Service");
  app.add_option("--warm-up", warm_up, "leave the first N requests out of the figures")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40))
      ->group("Service");
}

std::string serve_arguments::types() const {
  if (!dtype.empty()) return dtype;
  const auto stored = load_model(model).stored;
  return stored ? stored->name() : "bf16";
}

std::vector<std::string> serve_arguments::words() const {
  std::vector<std::string> out{"--model", model, "--requests", requests, "--dtype", types()};
  const auto add = [&out](const char* option, const std::string& value) {
    if (!value.empty()) out.insert(out.end(), {option, value});
  };
  add("--rate", rate);
  add("--slo", slo);
  if (replicas != 1) add("--replicas", std::to_string(replicas));
  if (first > 0) add("--first", std::to_string(first));
  if (warm_up >= 0) add("--warm-up", std::to_string(warm_up));
  if (seed != 1) add("--seed", std::to_string(seed));
  for (auto& word : reuse.words()) out.push_back(std::move(word));
  if (transfer_bytes != "auto") add("--transfer-bytes", transfer_bytes);
  if (replay != "on") add("--replay", replay);
  for (const auto& s : sets) add("--set", s);
  return out;
}

std::vector<std::string> serve_arguments::command(const std::string& platform) const {
  std::vector<std::string> out{"serve", "--platform", platform};
  for (auto& word : words()) out.push_back(std::move(word));
  return out;
}

}  // namespace memwall::tools
