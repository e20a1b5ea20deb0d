// SPDX-License-Identifier: Apache-2.0
#include "tools/run_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "hw/common/error.h"

namespace memwall::tools {
namespace fs = std::filesystem;

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
  app.add_flag("--quiet", quiet, "print nothing but errors");
  app.add_flag("--json", json, "print result.json to standard output");
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
  if (!vcd.empty()) words_out.push_back(vcd == "all" ? "--vcd" : "--vcd=" + vcd);
  if (vcd_channels != "0") add("--vcd-channels", vcd_channels);
  if (vcd_commands != 2'000'000) add("--vcd-commands", std::to_string(vcd_commands));
  if (vcd_limit != "100 MB") add("--vcd-limit", vcd_limit);
  if (!timeline.empty()) words_out.push_back(timeline == "auto" ? "--timeline" : "--timeline=" + timeline);
  return words_out;
}

void write_whole(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".part";
  std::FILE* f = std::fopen(temporary.c_str(), "w");
  bool good = f != nullptr && std::fwrite(text.data(), 1, text.size(), f) == text.size();
  int reason = errno;
  if (f != nullptr && std::fclose(f) != 0) good = false, reason = errno;
  if (good && std::rename(temporary.c_str(), path.c_str()) != 0) good = false, reason = errno;
  if (!good) {
    std::remove(temporary.c_str());
    throw input_error(problem{path, "", std::string("cannot be written: ") + std::strerror(reason),
                              "a writable place with room", ""});
  }
}

void print_notes(const nlohmann::ordered_json& result) {
  if (const auto notes = result.find("notes"); notes != result.end())
    for (const auto& note : *notes) std::cerr << "memwall: note: " << note.get<std::string>() << '\n';
}

void make_output_directory(const std::string& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
  if (failure || !fs::is_directory(path) || access(path.c_str(), W_OK | X_OK) != 0)
    throw input_error(problem{
        "--out " + path, "",
        "cannot be used: " + (failure ? failure.message() : std::string(std::strerror(errno != 0 ? errno : EACCES))),
        "a directory that can be made and written to", ""});
}

}  // namespace memwall::tools
