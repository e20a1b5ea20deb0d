// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/record.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "tools/process/files.h"
#include "tools/sweep/served_figures.h"

namespace memwall::sweep {
namespace fs = std::filesystem;
using tools::read_text;
using tools::write_whole;

bool is_accident(const std::string& status) {
  return status == "crashed" || status == "timeout" || status == "out_of_memory" || status == "lost";
}

nlohmann::ordered_json distil_result(const std::string& text) {
  using json = nlohmann::ordered_json;
  // The layers are most of the file and are not kept: the parser drops them as it goes.
  const auto keep = [](int depth, json::parse_event_t event, json& parsed) {
    return depth != 1 || event != json::parse_event_t::key || parsed != "layers";
  };
  json full;
  try {
    full = json::parse(text, keep);
  } catch (const json::exception& e) {
    throw std::runtime_error(std::string("result.json is not valid: ") + e.what());
  }
  if (!full.is_object() || !full.contains("summary") || !full["summary"].is_object())
    throw std::runtime_error("result.json has no summary");
  add_served_figures(full);
  json out = json::object();
  for (const char* key : {"schema", "memwall_version", "platform", "model", "workload", "seed", "fidelity", "config",
                          "summary", "stall_stack_ns", "whatif", "whatif_pairs", "host"})
    if (full.contains(key)) out[key] = std::move(full[key]);
  return out;
}

record_store::record_store(const std::string& directory) : m_directory(directory) {}

std::string record_store::path(const std::string& key, bool good) const {
  return m_directory + "/points/" + key.substr(0, 2) + "/" + key + (good ? ".json" : ".failed.json");
}

std::string record_store::kept_path(const std::string& key) const {
  return m_directory + "/kept/" + key.substr(0, 2) + "/" + key;
}

void record_store::save(const point& p, const ending& e, const point_limits& limits,
                        const nlohmann::ordered_json& result) const {
  nlohmann::ordered_json out = {{"record", 1}, {"key", p.key}, {"status", e.status}, {"exit_code", e.exit_code}};
  if (!e.message.empty()) out["message"] = e.message;
  if (result.is_object()) out["result"] = result;
  if (is_accident(e.status)) out["limits"] = {{"timeout_s", limits.timeout_s}, {"memory_bytes", limits.memory_bytes}};
  out["process"] = {{"wall_s", e.wall_s}, {"cpu_s", e.cpu_s}, {"peak_rss_mb", e.peak_rss_mb}};
  const bool good = !is_accident(e.status);
  write_whole(path(p.key, good), out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  if (good) ::unlink(path(p.key, false).c_str());
}

std::optional<nlohmann::ordered_json> record_store::load(const std::string& key) const {
  for (const bool good : {true, false})
    if (const auto text = read_text(path(key, good))) {
      auto out = nlohmann::ordered_json::parse(*text, nullptr, false);
      if (out.is_object() && out.value("key", "") == key) return out;
    }
  return std::nullopt;
}

void record_store::erase(const std::string& key) const {
  for (const bool good : {true, false}) ::unlink(path(key, good).c_str());
}

bool record_store::settled(const std::string& key, const point_limits& limits, bool retry_failed) const {
  // An empty file is what a power cut leaves of a renamed one; a simulation's record is never empty.
  std::error_code error;
  if (const auto size = fs::file_size(path(key, true), error); !error && size > 0) return true;
  if (retry_failed || ::access(path(key, false).c_str(), F_OK) != 0) return false;
  const auto record = load(key);
  if (!record || !record->contains("limits")) return false;
  const auto raised = [](double now, double then) { return then > 0 && (now == 0 || now > then); };
  const auto& then = (*record)["limits"];
  const std::string status = record->value("status", "");
  if (status == "timeout") return !raised(limits.timeout_s, then.value("timeout_s", 0.0));
  if (status == "out_of_memory")
    return !raised(static_cast<double>(limits.memory_bytes), then.value("memory_bytes", 0.0));
  return true;
}

}  // namespace memwall::sweep
