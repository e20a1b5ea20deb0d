// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/goodput.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tools/line_chart.h"
#include "tools/terminal.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

constexpr const char* limits[] = {"ttft", "tpot", "e2e"};

double number(const json& j) {
  return j.is_number() ? j.get<double>() : 0.0;
}

std::string percentile(int share) {
  return "p" + std::to_string(share);
}

/// Requests in the system on average: the rate times the time each spends there (Little, 1961).
double under_way(const json& serving) {
  return number(serving["requests_per_s"]) * number(serving["e2e_ms"]["mean"]) * 1e-3;
}

json point_json(const tried_load& t, int share) {
  const json& s = t.result["serving"];
  json out{{"load", t.load},
           {"within", s["goodput"]["share"]},
           {"requests_per_s", s["requests_per_s"]},
           {"energy_per_token_pj", t.result["summary"]["energy_per_token_pj"]}};
  for (const char* l : limits) out[std::string(l) + "_ms"] = s[std::string(l) + "_ms"][percentile(share)];
  if (const auto tight = tightest_limit(t.result, share))
    out["tightest"] = tight->first, out["of_limit"] = tight->second;
  return out;
}

std::string times(double a, double b) {
  return b > 0 ? fmt::format("{:.3g}x", a / b) : "-";
}

/// A row of the table: a label and what it says of an entry that served something.
struct row {
  std::string label;
  std::function<std::string(const json&)> cell;
};

std::string plain(double v) {
  return v > 0 ? fmt::format("{:.4g}", v) : "-";
}

/// What is carried; where even all requests at once were, more would have to be asked to know the most.
std::string carried_text(const json& entry) {
  return (entry["too_much"].is_null() ? "at least " : "") + plain(number(entry["carried"]));
}

std::string named_limit(const json& entry) {
  if (!entry.contains("limited_by")) return "-";
  const std::string by = entry["limited_by"];
  return by == "ttft" ? "first token" : by == "tpot" ? "time a token" : by == "e2e" ? "end to end" : by;
}

std::vector<row> rows_of(bool users, int share) {
  const auto time = [share](const char* key) {
    return [share, key](const json& e) {
      const json& v = e["at"][key][percentile(share)];
      return v.is_number() ? human_time(v.get<double>() * 1e6) : std::string("-");
    };
  };
  std::vector<row> out;
  if (users) out.push_back({"users", carried_text});
  out.push_back({users ? "requests/s" : "requests/s it serves", [users](const json& e) {
                   return users ? plain(number(e["at"]["requests_per_s"])) : carried_text(e);
                 }});
  out.push_back({"requests under way", [](const json& e) { return plain(number(e["at"]["under_way"])); }});
  out.push_back({"output tokens/s", [](const json& e) { return plain(number(e["at"]["output_tokens_per_s"])); }});
  out.push_back({"first token, " + percentile(share), time("ttft_ms")});
  out.push_back({"time a token, " + percentile(share), time("tpot_ms")});
  out.push_back({"end to end, " + percentile(share), time("e2e_ms")});
  out.push_back({"beyond, it misses", named_limit});
  out.push_back({"energy a token", [](const json& e) { return human_energy(number(e["at"]["energy_per_token_pj"])); }});
  out.push_back({"power drawn, W", [](const json& e) { return plain(number(e["at"]["power_w"])); }});
  out.push_back({"requests/s a kW", [](const json& e) { return plain(number(e["at"]["requests_per_s_per_kw"])); }});
  out.push_back({"most time booked to", [](const json& e) { return e["at"].value("booked_most", "-"); }});
  out.push_back({"reuse, error on audit", [](const json& e) {
                   const json& r = e["at"]["reuse"];
                   return r.value("mode", "") == "on"
                              ? fmt::format("{:.2g} %, {:.2g} % at most", number(r["error_mean_pct"]),
                                            number(r["error_max_pct"]))
                              : "all simulated";
                 }});
  return out;
}

/// Rows that every platform has which ran at all.
std::vector<row> rows_of_machine() {
  return {{"requests/s without limits", [](const json& e) { return plain(number(e["at_once"]["requests_per_s"])); }},
          {"chips that compute", [](const json& e) { return plain(number(e["machine"]["chips"])); }},
          {"memory capacity", [](const json& e) { return human_bytes(number(e["machine"]["memory_capacity_bytes"])); }},
          {"outside bandwidth",
           [](const json& e) { return human_bytes(number(e["machine"]["memory_bandwidth_gbps"]) * 1e9) + "/s"; }},
          {"area that is known, mm2", [](const json& e) { return plain(number(e["machine"]["area_mm2"])); }}};
}

}  // namespace

bool within_limits(const json& result, int share) {
  const json& s = result["serving"];
  // Who is interrupted has not completed everything.
  return s["completed"] == s["requests"] && number(s["goodput"]["share"]) * 100 >= share - 1e-9;
}

std::optional<std::pair<std::string, double>> tightest_limit(const json& result, int share) {
  const json& s = result["serving"];
  std::optional<std::pair<std::string, double>> out;
  for (const char* l : limits) {
    const std::string key = std::string(l) + "_ms";
    if (!s["goodput"].contains(key) || !s[key][percentile(share)].is_number()) continue;
    const double of = number(s[key][percentile(share)]) / number(s["goodput"][key]);
    if (!out || of > out->second) out.emplace(l, of);
  }
  return out;
}

json goodput_json(const found_load& f) {
  json out{{"platform", f.platform}};
  if (f.at_once.contains("exit_code")) {
    out["exit_code"] = f.at_once["exit_code"];
    out["message"] = f.at_once["message"];
    return out;
  }
  out["load"] = f.users ? "users" : "requests_per_s";
  out["share_pct"] = f.share;
  out["carried"] = f.carried;
  std::vector<tried_load> tried = f.tried;
  std::sort(tried.begin(), tried.end(), [](const auto& a, const auto& b) { return a.load < b.load; });
  const tried_load *best = nullptr, *beyond = nullptr;
  for (const auto& t : tried) {
    if (t.load <= f.carried) best = &t;
    if (t.load > f.carried && beyond == nullptr) beyond = &t;
  }
  out["too_much"] = nullptr;
  if (beyond != nullptr)
    out["too_much"] = beyond->load;
  else if (f.ceiling > f.carried)
    out["too_much"] = f.ceiling;
  if (const auto tight = tightest_limit(beyond != nullptr ? beyond->result : f.at_once, f.share))
    out["limited_by"] = tight->first;
  const json& once = f.at_once["serving"];
  out["at_once"] = {{"requests_per_s", once["requests_per_s"]},
                    {"output_tokens_per_s", once["output_tokens_per_s"]},
                    {"power_w", f.at_once["machine"]["power_w"]}};
  const json& told = best != nullptr ? best->result : f.at_once;
  out["machine"] = told["machine"];
  if (best != nullptr) {
    const json& s = told["serving"];
    const double watts = number(told["machine"]["power_w"]);
    out["at"] = {
        {"requests_per_s", s["requests_per_s"]},
        {"within", s["goodput"]["share"]},
        {"under_way", under_way(s)},
        {"output_tokens_per_s", s["output_tokens_per_s"]},
        {"ttft_ms", s["ttft_ms"]},
        {"tpot_ms", s["tpot_ms"]},
        {"e2e_ms", s["e2e_ms"]},
        {"energy_per_token_pj", told["summary"]["energy_per_token_pj"]},
        {"energy_per_request_pj", told["summary"]["energy_per_request_pj"]},
        {"power_w", told["machine"]["power_w"]},
        {"requests_per_s_per_kw", watts > 0 ? json(number(s["requests_per_s"]) / watts * 1000) : json(nullptr)},
        {"booked_most", told["summary"]["booked_most"]},
        {"stall_stack_ns", told["stall_stack_ns"]},
        {"reuse", told["fidelity"]["reuse"]}};
  }
  out["points"] = json::array();
  for (const auto& t : tried) out["points"].push_back(point_json(t, f.share));
  return out;
}

std::string goodput_verdict(const json& entry, const json& first) {
  const std::string name = entry["platform"], base = first["platform"];
  if (entry.contains("exit_code")) return name + " was not run to its end: " + entry["message"].get<std::string>();
  const std::string what = entry["load"] == "users" ? "users" : "requests";
  if (number(entry["carried"]) == 0) {
    const json& least = entry["points"].empty() ? json() : entry["points"].front();
    return fmt::format(
        "{} serves none within the limits: at the least load that was tried, {:.3g} {}, the {} is {:.3g} times its "
        "limit",
        name, least.is_object() ? number(least["load"]) : 0.0, what == "users" ? "users" : "requests/s",
        named_limit(entry), least.is_object() ? number(least["of_limit"]) : 0.0);
  }
  if (first.contains("exit_code") || number(first["carried"]) == 0)
    return fmt::format("{} serves {:.4g} {}; {} serves none", name, number(entry["carried"]),
                       what == "users" ? "users" : "requests/s", base);
  const double ratio = number(entry["carried"]) / number(first["carried"]);
  std::string out = fmt::format("{} {}: it serves {} the {} of {}", name,
                                ratio > 1.05   ? "wins"
                                : ratio < 0.95 ? "loses"
                                               : "draws",
                                times(ratio, 1), what, base);
  const json &a = entry["at"], &b = first["at"];
  if (number(a["power_w"]) > 0 && number(b["power_w"]) > 0)
    out += fmt::format(" at {} the power", times(number(a["power_w"]), number(b["power_w"])));
  out += fmt::format(", for {} the energy a token; beyond, it misses the {}",
                     times(number(a["energy_per_token_pj"]), number(b["energy_per_token_pj"])), named_limit(entry));
  return out;
}

std::string goodput_table(const json& entries) {
  bool users = false;
  int share = 90;
  std::vector<std::size_t> width;
  for (const auto& e : entries) {
    users = users || e.value("load", "") == "users";
    share = e.value("share_pct", share);
    width.push_back(std::max<std::size_t>(e["platform"].get<std::string>().size(), 22) + 2);
  }
  std::string out = fmt::format("{:<26}", "");
  for (std::size_t i = 0; i < entries.size(); ++i)
    out += fmt::format("{:<{}}", entries[i]["platform"].get<std::string>(), width[i]);
  const auto add = [&](const std::string& label, const std::function<std::string(const json&)>& cell) {
    std::string line = fmt::format("{:<26}", label);
    for (std::size_t i = 0; i < entries.size(); ++i) line += fmt::format("{:<{}}", cell(entries[i]), width[i]);
    out += "\n" + line.substr(0, line.find_last_not_of(' ') + 1);
  };
  out = out.substr(0, out.find_last_not_of(' ') + 1);
  bool top = true;
  for (const auto& r : rows_of(users, share)) {
    add(r.label, [&](const json& e) -> std::string {
      if (e.contains("exit_code")) return !top ? "" : e["exit_code"] == 3 ? "does not fit" : "not run";
      if (number(e["carried"]) == 0) return top ? "none" : r.label == "beyond, it misses" ? named_limit(e) : "-";
      return r.cell(e);
    });
    top = false;
  }
  for (const auto& r : rows_of_machine())
    add(r.label, [&](const json& e) { return e.contains("exit_code") ? std::string() : r.cell(e); });
  return out + "\n";
}

std::string goodput_svg(const json& entries, const std::string& title) {
  line_chart c;
  c.title = title;
  bool users = false;
  int share = 90;
  for (const auto& e : entries) {
    users = users || e.value("load", "") == "users";
    share = e.value("share_pct", share);
    chart_line line;
    line.name = e["platform"];
    if (e.contains("points"))
      for (const auto& p : e["points"]) {
        if (!p.contains("of_limit")) continue;
        line.points.emplace_back(number(p["load"]), number(p["of_limit"]));
        if (p["load"] == e["carried"]) line.ring = line.points.back();
      }
    c.lines.push_back(std::move(line));
  }
  c.x_name = users ? "users" : "requests a second";
  c.y_name =
      fmt::format("{} of the tightest limit; rings: the most that is served within all of them", percentile(share));
  c.y_text = [](double v) { return fmt::format("{:g}x", v); };
  c.limit = 1;
  c.limit_name = "the limit";
  return svg_of(c);
}

std::string with_users(const std::string& requests, std::int64_t users) {
  const std::string word = "users=";
  // A word starts behind the ':' or a ','.
  for (std::size_t at = requests.find(word); at != std::string::npos; at = requests.find(word, at + 1)) {
    if (at == 0 || (requests[at - 1] != ':' && requests[at - 1] != ',')) continue;
    const std::size_t end = std::min(requests.find(',', at), requests.size());
    return requests.substr(0, at) + word + std::to_string(users) + requests.substr(end);
  }
  return requests + (requests.find(':') == std::string::npos ? ":" : ",") + word + std::to_string(users);
}

}  // namespace memwall::tools
