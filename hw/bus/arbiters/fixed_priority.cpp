// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/arbiter.h"

namespace memwall {
namespace {

// The highest priority with something to move; of equals the one added first.
class fixed_priority final : public arbiter {
 public:
  void add_requester(int priority, int) override { m_priority.push_back(priority); }
  void turns(const std::vector<arbiter_request>& waiting, std::vector<arbiter_turn>& period) const override {
    int best = waiting.front().requester;
    for (const auto& w : waiting)
      if (m_priority[static_cast<std::size_t>(w.requester)] > m_priority[static_cast<std::size_t>(best)])
        best = w.requester;
    period.push_back({best, 1});
  }
  void granted(int, std::int64_t) override {}

 private:
  std::vector<int> m_priority;
};

const arbiter_entry entry{"fixed_priority", "the highest priority first, always; others may starve",
                          [] { return std::make_unique<fixed_priority>(); }};

}  // namespace
}  // namespace memwall
