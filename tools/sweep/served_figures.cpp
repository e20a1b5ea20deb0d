// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/served_figures.h"

#include <string>

namespace memwall::sweep {

void add_served_figures(nlohmann::ordered_json& result) {
  const auto served = result.find("serving");
  if (served == result.end() || !served->is_object() || !result.contains("summary")) return;
  auto& summary = result["summary"];
  for (const char* key : {"requests_per_s", "output_tokens_per_s", "preemptions"})
    if (served->contains(key)) summary[key] = (*served)[key];
  const auto good = served->find("goodput");
  if (good != served->end() && good->contains("share")) {
    summary["within"] = (*good)["share"];
    summary["goodput_per_s"] = (*good)["requests_per_s"];
  }
  for (const std::string time : {"ttft", "tpot", "e2e"})
    for (const std::string part : {"mean", "p50", "p90", "p99"}) {
      const auto distribution = served->find(time + "_ms");
      if (distribution != served->end() && distribution->contains(part))
        summary[time + "_" + part + "_ms"] = (*distribution)[part];
    }
}

}  // namespace memwall::sweep
