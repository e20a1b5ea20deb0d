// SPDX-License-Identifier: Apache-2.0
#include "platforms/tell/serving_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "platforms/tell/result.h"

namespace memwall::platforms {
namespace {

using serving::served_request;

double ms(ps_t t) {
  return static_cast<double>(t) * 1e-9;
}

ps_t ttft(const served_request& r) {
  return r.first_token - r.arrival;
}
ps_t e2e(const served_request& r) {
  return r.last_token - r.arrival;
}
/// Time a token after the first; 0 where there is only one.
ps_t tpot(const serving::request& asked, const served_request& r) {
  return asked.output > 1 ? (r.last_token - r.first_token) / (asked.output - 1) : 0;
}

/// Seconds to the picosecond.
std::string seconds(ps_t t) {
  return fmt::format("{}.{:012}", t / 1'000'000'000'000, t % 1'000'000'000'000);
}

/// What of a stack belongs to a group of causes.
ps_t of_group(const stall_stack& s, const cause_group& g) {
  ps_t sum = 0;
  for (const auto c : g.causes) sum += s[c];
  return sum;
}

struct times {
  weighted ttft_ms, tpot_ms, e2e_ms;
  std::int64_t requests = 0, good = 0;
};

json times_json(const times& t) {
  return {{"requests", t.requests},
          {"ttft_ms", distribution_json(t.ttft_ms)},
          {"tpot_ms", distribution_json(t.tpot_ms)},
          {"e2e_ms", distribution_json(t.e2e_ms)}};
}

}  // namespace

service_level service_level::parse(const std::string& text) {
  service_level out;
  problem_list problems;
  std::size_t at = 0;
  while (at <= text.size() && !text.empty()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, comma - at);
    at = comma + 1;
    const std::size_t equal = part.find('=');
    const std::string key = part.substr(0, equal);
    ps_t* to = key == "ttft" ? &out.ttft : key == "tpot" ? &out.tpot : key == "e2e" ? &out.e2e : nullptr;
    double value = 0;
    std::string expected;
    if (to == nullptr || equal == std::string::npos)
      problems.add({"--slo", key, "got '" + part + "'", "ttft=TIME, tpot=TIME or e2e=TIME, with commas between",
                    nearest_name(key, {"ttft", "tpot", "e2e"})});
    else if (!parse_quantity(part.substr(equal + 1), "time", value, expected) || value <= 0)
      problems.add({"--slo", key, "got '" + part.substr(equal + 1) + "'", "a time above 0, such as 200ms", ""});
    else if (*to != 0)
      problems.add({"--slo", key, "is given twice", "one limit", ""});
    else
      *to = to_ps(duration(value));
  }
  problems.check();
  return out;
}

json distribution_json(weighted values) {
  std::sort(values.begin(), values.end());
  std::int64_t count = 0;
  double sum = 0;
  for (const auto& [v, n] : values) {
    count += n;
    sum += v * static_cast<double>(n);
  }
  // The value with so many before it in order.
  const auto ranked = [&](std::int64_t rank) {
    for (const auto& [v, n] : values) {
      if (rank < n) return v;
      rank -= n;
    }
    return values.back().first;
  };
  const auto percentile = [&](double share) -> json {
    if (count == 0) return nullptr;
    const double place = share * static_cast<double>(count - 1);
    const auto below = static_cast<std::int64_t>(place);
    const double low = ranked(below), high = ranked(std::min(below + 1, count - 1));
    return low + (high - low) * (place - static_cast<double>(below));
  };
  json out;
  out["mean"] = count > 0 ? json(sum / static_cast<double>(count)) : json(nullptr);
  for (const auto& [name, share] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}})
    out[name] = percentile(share);
  return out;
}

json serving_json(const serving::request_list& list, const serving::engine& server,
                  const serving::server_params& params, const service_level& slo) {
  times all;
  std::map<std::string, times> classes;
  json bounds = json::object();
  std::int64_t output_tokens = 0, input_tokens = 0;
  ps_t first = never, last = 0;
  for (std::size_t i = static_cast<std::size_t>(list.warm_up); i < list.requests.size(); ++i) {
    const auto& asked = list.requests[i];
    const auto& r = server.requests()[i];
    if (!r.completed) continue;
    first = std::min(first, r.arrival);
    last = std::max(last, r.last_token);
    output_tokens += asked.output;
    input_tokens += asked.input;
    const bool good = (slo.ttft == 0 || ttft(r) <= slo.ttft) && (slo.tpot == 0 || tpot(asked, r) <= slo.tpot) &&
                      (slo.e2e == 0 || e2e(r) <= slo.e2e);
    for (times* t : {&all, &classes[asked.kind]}) {
      ++t->requests;
      t->good += good ? 1 : 0;
      t->ttft_ms.emplace_back(ms(ttft(r)), 1);
      t->e2e_ms.emplace_back(ms(e2e(r)), 1);
      if (asked.output > 1) t->tpot_ms.emplace_back(ms(tpot(asked, r)), 1);
    }
  }
  const double span = last > 0 ? static_cast<double>(last - first) * 1e-12 : 0.0;
  const auto rate = [span](double n) { return span > 0 ? n / span : 0.0; };
  json out;
  out["requests"] = static_cast<std::int64_t>(list.requests.size());
  out["completed"] = server.completed();
  out["warm_up"] = list.warm_up;
  out["duration_ns"] = ns(server.now());
  out["steps"] = server.steps();
  out["preemptions"] = server.preemptions();
  out["prefix_hit_rate"] = server.asked_tokens() > 0
                               ? static_cast<double>(server.hit_tokens()) / static_cast<double>(server.asked_tokens())
                               : 0.0;
  out["requests_per_s"] = rate(static_cast<double>(all.requests));
  out["input_tokens_per_s"] = rate(static_cast<double>(input_tokens));
  out["output_tokens_per_s"] = rate(static_cast<double>(output_tokens));
  out["ttft_ms"] = distribution_json(all.ttft_ms);
  out["tpot_ms"] = distribution_json(all.tpot_ms);
  weighted gaps;
  for (const auto& [gap, n] : server.gaps()) gaps.emplace_back(ms(gap), n);
  out["itl_ms"] = distribution_json(std::move(gaps));
  out["e2e_ms"] = distribution_json(all.e2e_ms);
  out["kv"] = {
      {"blocks", server.kv_blocks()}, {"block_size", params.block_size}, {"peak_blocks", server.peak_blocks()}};
  out["goodput"] = json::object();
  if (slo.any()) {
    if (slo.ttft > 0) out["goodput"]["ttft_ms"] = ms(slo.ttft);
    if (slo.tpot > 0) out["goodput"]["tpot_ms"] = ms(slo.tpot);
    if (slo.e2e > 0) out["goodput"]["e2e_ms"] = ms(slo.e2e);
    out["goodput"]["share"] =
        all.requests > 0 ? static_cast<double>(all.good) / static_cast<double>(all.requests) : 0.0;
    out["goodput"]["requests_per_s"] = rate(static_cast<double>(all.good));
  }
  if (classes.size() > 1) {
    out["classes"] = json::object();
    for (const auto& [name, t] : classes) out["classes"][name.empty() ? "(none)" : name] = times_json(t);
  }
  if (!list.notes.empty()) out["notes"] = list.notes;
  return out;
}

namespace {

void distribution_figures(const std::string& path, const char* doc, std::vector<figure_info>& out) {
  out.push_back({path, "object", "ms", doc, sums::no, false, false});
  for (const char* part : {"mean", "p50", "p90", "p95", "p99"})
    out.push_back({path + "." + part, "number", "ms", "null where there is none", sums::no, true, true});
}

}  // namespace

std::vector<figure_info> serving_figures() {
  const auto row = [](const char* path, const char* type, const char* unit, const char* doc, sums how = sums::no) {
    return figure_info{path, type, unit, doc, how, false, false};
  };
  std::vector<figure_info> out = {
      row("serving", "object", "", "a service: requests over time"),
      row("serving.requests", "integer", "", "requests asked for", sums::adds),
      row("serving.completed", "integer", "", "requests completed", sums::adds),
      row("serving.warm_up", "integer", "", "requests left out of the figures", sums::adds),
      row("serving.duration_ns", "number", "ns", "first arrival to last token", sums::largest),
      row("serving.steps", "integer", "", "steps of the scheduler", sums::adds),
      row("serving.preemptions", "integer", "", "sequences that had to make room", sums::adds),
      row("serving.prefix_hit_rate", "number", "1", "prompt tokens found in the prefix cache", sums::mean),
      row("serving.requests_per_s", "number", "1/s", "completed", sums::adds),
      row("serving.input_tokens_per_s", "number", "1/s", "prompt tokens of completed requests", sums::adds),
      row("serving.output_tokens_per_s", "number", "1/s", "tokens made", sums::adds),
      row("serving.kv", "object", "", "the KV cache"),
      row("serving.kv.blocks", "integer", "", "blocks of it, a replica", sums::adds),
      row("serving.kv.block_size", "integer", "", "positions of a block"),
      row("serving.kv.peak_blocks", "integer", "", "blocks in use at most", sums::largest),
      row("serving.goodput", "object", "", "requests within --slo"),
      row("serving.goodput.ttft_ms", "number", "ms", "the limit asked for"),
      row("serving.goodput.tpot_ms", "number", "ms", "the limit asked for"),
      row("serving.goodput.e2e_ms", "number", "ms", "the limit asked for"),
      row("serving.goodput.share", "number", "1", "of completed requests", sums::mean),
      row("serving.goodput.requests_per_s", "number", "1/s", "requests within the limits", sums::adds),
      row("serving.classes", "object", "", "by class of requests"),
      row("serving.classes.*", "object", "", "of that class"),
      row("serving.classes.*.requests", "integer", "", "of that class", sums::adds),
      row("serving.notes", "array", "", "what was settled about the requests, in words")};
  for (const std::string prefix : {"serving.", "serving.classes.*."}) {
    distribution_figures(prefix + "ttft_ms", "time to the first token", out);
    distribution_figures(prefix + "tpot_ms", "time of each token behind it, a request's mean", out);
    if (prefix == "serving.") distribution_figures(prefix + "itl_ms", "time between tokens", out);
    distribution_figures(prefix + "e2e_ms", "arrival to last token", out);
  }
  return out;
}

std::string requests_csv_header() {
  std::string out =
      "request,arrival_s,scheduled_s,first_token_s,last_token_s,input_tokens,output_tokens,preemptions,class,replica,"
      "prefix_hit,energy_pj,front_end_ps,queue_ps";
  for (const char* phase : {"prompt", "decode"}) {
    for (const auto& g : cause_groups()) out += fmt::format(",{}_{}_ps", phase, g.name);
  }
  return out;
}

std::string requests_csv_line(const serving::request& asked, const served_request& r, double pj_per_byte) {
  const bool plain = asked.kind.find_first_of(",\"\n") == std::string::npos;
  std::string kind = asked.kind;
  if (!plain) {
    kind.clear();
    for (const char c : asked.kind) kind += c == '"' ? std::string("\"\"") : std::string(1, c);
    kind = '"' + kind + '"';
  }
  std::string out =
      fmt::format("{},{},{},{},{},{},{},{},{},{},{},{:.0f},{},{}", asked.id, seconds(r.arrival), seconds(r.scheduled),
                  seconds(r.first_token), seconds(r.last_token), asked.input, asked.output, r.preemptions, kind,
                  r.replica, r.hit_tokens, r.core_pj + pj_per_byte * r.memory_bytes, r.time.front_end, r.time.queue);
  for (const bool prompt : {true, false}) {
    stall_stack s = prompt ? r.time.prompt : r.time.decode;
    s[stall::host] += prompt ? r.time.prompt_host : r.time.decode_host;
    for (const auto& g : cause_groups()) out += fmt::format(",{}", of_group(s, g));
  }
  return out;
}

std::string steps_csv_header() {
  std::string out =
      "step,replica,start_s,end_s,prompts,decodes,tokens,running,waiting,kv_blocks,preempted,memory_bytes,core_energy_"
      "pj";
  for (const auto& g : cause_groups()) out += fmt::format(",{}_ps", g.name);
  return out;
}

std::string steps_csv_line(std::int64_t number, const serving::served_step& s) {
  std::string out = fmt::format("{},{},{},{},{},{},{},{},{},{},{},{:.0f},{:.0f}", number, s.replica, seconds(s.start),
                                seconds(s.end), s.prompts, s.decodes, s.tokens, s.running, s.waiting, s.kv_used,
                                s.preempted, s.memory_bytes, s.energy_pj);
  stall_stack parts = s.parts;
  parts[stall::host] += s.host;
  for (const auto& g : cause_groups()) out += fmt::format(",{}", of_group(parts, g));
  return out;
}

}  // namespace memwall::platforms
