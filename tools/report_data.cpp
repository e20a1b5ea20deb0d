// SPDX-License-Identifier: Apache-2.0
#include "tools/report_data.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "hw/common/error.h"
#include "hw/common/json_document.h"

namespace memwall::tools {
namespace {

constexpr std::string_view placeholder = "@MEMWALL_DATA@";
constexpr const char* schema_prefix = "memwall-result-";

/// Text once, indices ever after.
class string_table {
 public:
  std::size_t index(const std::string& s) {
    const auto [it, added] = m_index.try_emplace(s, m_list.size());
    if (added) m_list.push_back(s);
    return it->second;
  }
  const std::vector<std::string>& list() const { return m_list; }

 private:
  std::map<std::string, std::size_t> m_index;
  std::vector<std::string> m_list;
};

double number(const ordered_json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : 0.0;
}

ordered_json number_or_zero(const ordered_json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? *it : ordered_json(0);
}

std::string text(const ordered_json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// Sums over all operators of a kind, in order of first appearance. Times are added as whole picoseconds, so
/// that the parts of the sum are exact where those of the operators are.
ordered_json sums_by_kind(const ordered_json& layers) {
  struct sums {
    std::uint64_t count = 0;
    long long time_ps = 0;
    double flops = 0, bytes = 0;
    std::vector<std::pair<std::string, long long>> stack_ps;
  };
  std::vector<std::pair<std::string, sums>> kinds;
  const auto ps = [](double ns) { return static_cast<long long>(ns * 1000.0 + (ns < 0 ? -0.5 : 0.5)); };
  for (const auto& layer : layers) {
    const std::string kind = text(layer, "kind");
    auto it = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.first == kind; });
    if (it == kinds.end()) it = kinds.emplace(kinds.end(), kind, sums{});
    sums& s = it->second;
    ++s.count;
    s.time_ps += ps(number(layer, "end_ns")) - ps(number(layer, "start_ns"));
    s.flops += number(layer, "flops");
    if (const auto bytes = layer.find("bytes"); bytes != layer.end() && bytes->is_object())
      for (const auto& part : *bytes)
        if (part.is_number()) s.bytes += part.get<double>();
    const auto stack = layer.find("stall_stack_ns");
    if (stack == layer.end() || !stack->is_object()) continue;
    for (const auto& [cause, ns] : stack->items()) {
      if (!ns.is_number()) continue;
      auto part =
          std::find_if(s.stack_ps.begin(), s.stack_ps.end(), [&, &c = cause](const auto& p) { return p.first == c; });
      if (part == s.stack_ps.end()) part = s.stack_ps.emplace(s.stack_ps.end(), cause, 0);
      part->second += ps(ns.get<double>());
    }
  }
  ordered_json out = ordered_json::array();
  for (const auto& [kind, s] : kinds) {
    ordered_json stack = ordered_json::object();
    for (const auto& [cause, part] : s.stack_ps)
      if (part != 0) stack[cause] = static_cast<double>(part) / 1000.0;
    out.push_back({{"kind", kind},
                   {"count", s.count},
                   {"time_ns", static_cast<double>(s.time_ps) / 1000.0},
                   {"flops", s.flops},
                   {"bytes", s.bytes},
                   {"stall_stack_ns", std::move(stack)}});
  }
  return out;
}

ordered_json pack_layers(const ordered_json& layers, std::size_t rows) {
  const auto duration = [&](std::size_t i) { return number(layers[i], "end_ns") - number(layers[i], "start_ns"); };
  std::vector<std::size_t> kept(layers.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  double fraction = 1;
  if (kept.size() > rows) {
    double all = 0, shown = 0;
    for (const auto i : kept) all += duration(i);
    std::stable_sort(kept.begin(), kept.end(), [&](auto a, auto b) { return duration(a) > duration(b); });
    kept.resize(rows);
    for (const auto i : kept) shown += duration(i);
    std::sort(kept.begin(), kept.end());
    fraction = all > 0 ? shown / all : 1;
  }

  string_table strings;
  std::vector<std::string> causes;
  for (const auto i : kept)
    if (const auto stack = layers[i].find("stall_stack_ns"); stack != layers[i].end() && stack->is_object())
      for (const auto& [cause, ns] : stack->items())
        if (ns.is_number() && ns.get<double>() != 0 && std::find(causes.begin(), causes.end(), cause) == causes.end())
          causes.push_back(cause);

  ordered_json out{{"rows", kept.size()}, {"total", layers.size()}, {"shown_fraction", fraction}, {"causes", causes}};
  const auto column = [&](const char* key, auto value) {
    ordered_json values = ordered_json::array();
    for (const auto i : kept) values.push_back(value(layers[i]));
    out[key] = std::move(values);
  };
  for (const char* key : {"name", "kind", "executor", "booked_most"})
    column(key, [&](const ordered_json& l) { return strings.index(text(l, key)); });
  for (const char* key : {"layer", "token", "start_ns", "end_ns", "flops", "dram_bytes"})
    column(key, [&](const ordered_json& l) { return number_or_zero(l, key); });
  for (const char* key : {"weights", "kv_cache", "activations"})
    column(key, [&](const ordered_json& l) {
      const auto bytes = l.find("bytes");
      return bytes != l.end() && bytes->is_object() ? number_or_zero(*bytes, key) : ordered_json(0);
    });
  ordered_json stall = ordered_json::array();
  for (const auto& cause : causes) {
    ordered_json values = ordered_json::array();
    for (const auto i : kept) {
      const auto stack = layers[i].find("stall_stack_ns");
      values.push_back(stack != layers[i].end() && stack->is_object() ? number_or_zero(*stack, cause.c_str())
                                                                      : ordered_json(0));
    }
    stall.push_back(std::move(values));
  }
  out["stall"] = std::move(stall);
  out["strings"] = strings.list();
  return out;
}

}  // namespace

ordered_json pack_run(ordered_json result, const std::string& label, std::size_t rows) {
  ordered_json out{{"label", label}};
  if (const auto layers = result.find("layers"); layers != result.end() && layers->is_array()) {
    out["layers"] = pack_layers(*layers, rows);
    out["by_kind"] = sums_by_kind(*layers);
    result.erase("layers");
  }
  out["result"] = std::move(result);
  return out;
}

std::string fill_page(std::string_view page_template, const ordered_json& data) {
  const auto at = page_template.find(placeholder);
  if (at == std::string_view::npos) throw std::runtime_error("the report's template has no placeholder for the data");
  // Inside a <script> element only "</script" and "<!--" could end or confuse the data: no '<' is left in it.
  // In JSON a
  // '<' can only be part of a string. Bytes that are not UTF-8 are replaced, not refused.
  const std::string json = data.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  std::string page;
  page.reserve(page_template.size() + json.size() + json.size() / 50);
  page.append(page_template.substr(0, at));
  for (const char c : json)
    if (c == '<')
      page += "\\u003c";
    else
      page += c;
  page.append(page_template.substr(at + placeholder.size()));
  return page;
}

ordered_json read_result(const std::string& file) {
  ordered_json result = read_json_document(file, "the result.json of a memwall run");
  const std::string schema = result.is_object() ? text(result, "schema") : std::string();
  if (schema.rfind(schema_prefix, 0) != 0)
    throw input_error(problem{file, "schema", schema.empty() ? "is missing" : "is '" + schema + "'",
                              std::string(schema_prefix) + "1", ""});
  return result;
}

std::vector<std::string> run_labels(const std::vector<ordered_json>& results,
                                    const std::vector<std::string>& directories) {
  const std::size_t n = results.size();
  const auto unique = [](const std::vector<std::string>& v) {
    return std::set<std::string>(v.begin(), v.end()).size() == v.size();
  };
  std::vector<std::string> platform(n), with_model(n), with_directory(n);
  for (std::size_t i = 0; i < n; ++i) {
    platform[i] = text(results[i], "platform");
    if (platform[i].empty()) platform[i] = "run";
    const std::string model = text(results[i], "model");
    with_model[i] = model.empty() ? platform[i] : platform[i] + " " + model;
    std::string dir = directories[i];
    while (dir.size() > 1 && dir.back() == '/') dir.pop_back();
    with_directory[i] = platform[i] + " (" + dir.substr(dir.find_last_of('/') + 1) + ")";
  }
  for (const auto& labels : {platform, with_model, with_directory})
    if (unique(labels)) return labels;
  for (std::size_t i = 0; i < n; ++i) with_directory[i] = platform[i] + " #" + std::to_string(i + 1);
  return with_directory;
}

}  // namespace memwall::tools
