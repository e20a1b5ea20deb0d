// SPDX-License-Identifier: Apache-2.0
#include "platforms/tell/bounds.h"

#include <algorithm>
#include <string>
#include <vector>

#include "platforms/tell/result.h"

namespace memwall::platforms {
namespace {

struct bound {
  std::string resource;
  double at_least_ns = 0;
  ps_t exposed = 0;
};

double busiest(const json& list, double elapsed_ns) {
  double most = 0;
  for (const auto& m : list) most = std::max(most, m.value("utilization", 0.0));
  return most * elapsed_ns;
}

/// Operations at the peak of the type that the run computes in, of the core that has most of them.
double arithmetic_ns(const json& result) {
  double most = 0;
  for (const auto& roof : result["roofline"]["executors"]) {
    const std::string type = roof["dtype_used"];
    const json& peaks = roof["peak_flops"];
    const auto found = peaks.find(type);
    const double peak = (found != peaks.end() ? *found : peaks["fp16"]).get<double>();
    for (const auto& e : result["executors"])
      if (e["name"] == roof["name"] && peak > 0) most = std::max(most, e["flops"].get<double>() / peak * 1e9);
  }
  return most;
}

ps_t exposed(const stall_stack& critical, const char* group) {
  ps_t sum = 0;
  for (const auto& g : cause_groups())
    if (g.name == std::string(group))
      for (const auto c : g.causes) sum += critical[c];
  return sum;
}

}  // namespace

json bounds_of(const json& result, const stall_stack& critical, ps_t time) {
  const double elapsed = ns(time);
  std::vector<bound> all = {
      {"memory", busiest(result["memories"], elapsed), exposed(critical, "memory")},
      {"bus", busiest(result["buses"], elapsed), exposed(critical, "bus")},
      {"link", busiest(result["links"], elapsed), exposed(critical, "link")},
      {"arithmetic", arithmetic_ns(result), exposed(critical, "compute") + exposed(critical, "cim_compute")}};
  all.erase(std::remove_if(all.begin(), all.end(), [](const bound& b) { return b.at_least_ns <= 0; }), all.end());
  json out = json::array();
  for (const auto& b : all) {
    double others = 0;
    for (const auto& o : all)
      if (o.resource != b.resource) others = std::max(others, o.at_least_ns);
    json row{{"resource", b.resource},
             {"at_least_ns", b.at_least_ns},
             {"exposed_ns", ns(b.exposed)},
             {"overlapped_ns", std::max(0.0, b.at_least_ns - ns(b.exposed))}};
    if (others > 0) row["upper_bound"] = elapsed / others;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace memwall::platforms
