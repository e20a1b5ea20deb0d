// SPDX-License-Identifier: Apache-2.0
// By the number in a request's class, the smallest first; who is not served first gives way first.
#include "traces/serving/scheduler.h"

namespace memwall::serving {
namespace {

class priority : public policy {
 public:
  bool before(const sequence& a, const sequence& b) const override { return a.priority < b.priority; }
  std::size_t victim(const std::vector<sequence*>& running) const override {
    std::size_t out = 0;
    for (std::size_t i = 1; i < running.size(); ++i)
      if (!before(*running[i], *running[out])) out = i;
    return out;
  }
};

const policy_entry entry("priority", "by the number in a request's class, the smallest first",
                         [] { return std::make_unique<priority>(); });

}  // namespace
}  // namespace memwall::serving
