// SPDX-License-Identifier: Apache-2.0
#include "tools/run_command.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "tools/needed_options.h"

namespace memwall::tools {

void run_arguments::add_to(CLI::App& app) {
  workload.add_to(app);
  app.add_option("--trace", trace, "run a layer trace (JSON Lines) instead of a model");
  app.add_option("--set", sets, "override a parameter: path=value, e.g. gpu.l2=100MiB, fabric.slices=96")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  app.add_option("--transfer-bytes", transfer_bytes,
                 "size of transfers: auto, burst (a request of the core each: a line of its cache, or a DRAM burst if "
                 "that is more) or bytes (not less than a request)")
      ->type_name("N|burst|auto");
  app.add_option("--replay", replay, "exact replay of recurring DRAM states; off gives the same result, slower")
      ->check(CLI::IsMember({"on", "off"}));
  reuse.add_to(app, "off; compare --requests: on");
  app.add_flag("--vcd{all}", vcd, "write waves.vcd and waves.gtkw; --vcd=10us:12us or --vcd='layers.3.*' bounds it");
  app.add_option("--vcd-limit", vcd_limit, "size at which waves.vcd is cut")->capture_default_str();
  app.add_option("--vcd-channels", vcd_channels,
                 "DRAM channels shown down to commands (timeline), banks and open rows (waveform) in a window: 0,4-7, "
                 "all or none")
      ->capture_default_str();
  app.add_option("--vcd-commands", vcd_commands, "DRAM commands looked at for that; then it ends")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40))
      ->capture_default_str();
  app.add_flag("--timeline{auto}", timeline,
               "write timeline.json (Perfetto, chrome://tracing); --timeline=WINDOW, as for --vcd: where transfers, "
               "DRAM commands and phases are shown one by one");
  app.add_flag(
      "--whatif", whatif,
      "simulate it again with each part of the machine better (DRAM bandwidth, latency, bus, arithmetic, ...): "
      "what each gains, and which is the wall");
  app.add_option("--factors", factors, "of --whatif: how many times as good; inf: as good as the parameters go")
      ->type_name("F,F,...")
      ->capture_default_str();
  app.add_option("-j,--jobs", jobs, "simulations at a time (--whatif, compare); 0: one a core")
      ->check(CLI::Range(0, 4096));
  app.add_flag("--quiet", quiet, "print nothing but errors");
  app.add_flag("--json", json, "print result.json to standard output");
}

void run_arguments::check(const CLI::App& app, bool reused) const {
  reuse.check(app, reused);
  problem_list problems;
  refuse_alone(app, {"--vcd-limit"}, {"--vcd"}, problems);
  refuse_alone(app, {"--vcd-channels", "--vcd-commands"}, {"--vcd", "--timeline"}, problems);
  if (!whatif) refuse_alone(app, {"--factors"}, {"--whatif"}, problems);
  problems.check();
}

std::vector<std::string> run_arguments::words() const {
  std::vector<std::string> words_out;
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) words_out.insert(words_out.end(), {option, value});
  };
  if (trace.empty()) {
    add("--model", workload.model);
    add("--phase", workload.phase);
    add("--batch", workload.batch);
    add("--prompt", workload.prompt);
    add("--context", workload.context);
    add("--tokens", workload.tokens);
    add("--prefill-chunk", workload.prefill_chunk);
    add("--dtype", workload.dtype);
    add("--seed", workload.seed);
  } else {
    add("--trace", trace);
  }
  for (const auto& s : sets) add("--set", s);
  add("--transfer-bytes", transfer_bytes);
  add("--replay", replay);
  for (auto& word : reuse.words()) words_out.push_back(std::move(word));
  if (!vcd.empty()) words_out.push_back(vcd == "all" ? "--vcd" : "--vcd=" + vcd);
  if (vcd_channels != "0") add("--vcd-channels", vcd_channels);
  if (vcd_commands != 2'000'000) add("--vcd-commands", std::to_string(vcd_commands));
  if (vcd_limit != "100 MB") add("--vcd-limit", vcd_limit);
  if (whatif) words_out.emplace_back("--whatif");
  if (whatif && factors != "1.1,2,inf") add("--factors", factors);
  if (!timeline.empty()) words_out.push_back(timeline == "auto" ? "--timeline" : "--timeline=" + timeline);
  return words_out;
}

void print_notes(const nlohmann::ordered_json& result) {
  if (const auto notes = result.find("notes"); notes != result.end())
    for (const auto& note : *notes) std::cerr << "memwall: note: " << note.get<std::string>() << '\n';
}

}  // namespace memwall::tools
