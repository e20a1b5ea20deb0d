// SPDX-License-Identifier: Apache-2.0
#include "hw/core/checked_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "hw/common/checked.h"

namespace memwall {
namespace {

bool within_the_clock(const work& w) {
  // One part at a time: a sum of parts that are too large would wrap.
  double sum = 0;
  bool good = true;
  const auto count = [&](ps_t part) {
    good = good && part >= 0;
    sum += static_cast<double>(part);
  };
  count(w.launch);
  count(w.drain);
  for (const ps_t part : w.compute.part) count(part);
  return good && w.host >= 0 && w.host <= w.launch && sum <= static_cast<double>(longest_run) && w.energy_pj >= 0;
}

[[noreturn]] void refuse(const operation& op, const std::string& why) {
  throw input_error(problem{"", "", fmt::format("operator '{}' is too large: {}", op.name, why),
                            fmt::format("one that takes at most 9,000 s; its sizes are m {}, n {}, k {}, batch {}",
                                        op.m, op.n, op.k, op.batch),
                            ""});
}

}  // namespace

work checked_plan(core_model& model, const operation& op) {
  try {
    work w = model.plan(op);
    if (!within_the_clock(w)) refuse(op, "its time passes what the clocks count");
    return w;
  } catch (const std::overflow_error& e) {
    refuse(op, e.what());
  } catch (const input_error& e) {
    std::vector<problem> all = e.problems();
    const std::string of = fmt::format("operator '{}'", op.name);
    for (auto& p : all)
      if (p.message.find(of) == std::string::npos) p.message = of + ": " + p.message;
    throw input_error(std::move(all));
  }
}

}  // namespace memwall
