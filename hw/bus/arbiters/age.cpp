// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/arbiter.h"

namespace memwall {
namespace {

// The transfer that reached the channel first goes first.
class age final : public arbiter {
 public:
  void add_requester(int, int) override {}
  void turns(const std::vector<arbiter_request>& waiting, std::vector<arbiter_turn>& period) const override {
    const arbiter_request* oldest = &waiting.front();
    for (const auto& w : waiting)
      if (w.arrival < oldest->arrival) oldest = &w;  // equal: the lower requester
    period.push_back({oldest->requester, 1});
  }
  void granted(int, std::int64_t) override {}
};

const arbiter_entry entry{"age", "the oldest transfer first", [] { return std::make_unique<age>(); }};

}  // namespace
}  // namespace memwall
