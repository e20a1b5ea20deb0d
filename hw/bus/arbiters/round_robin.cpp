// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/arbiter.h"

namespace memwall {
namespace {

// One granule each, in the order of the requesters, starting after the one served last.
class round_robin final : public arbiter {
 public:
  void add_requester(int, int) override {}
  void turns(const std::vector<arbiter_request>& waiting, std::vector<arbiter_turn>& period) const override {
    std::size_t first = 0;
    while (first < waiting.size() && waiting[first].requester <= m_last) ++first;
    for (std::size_t k = 0; k < waiting.size(); ++k)
      period.push_back({waiting[first + k < waiting.size() ? first + k : first + k - waiting.size()].requester, 1});
  }
  void granted(int requester, std::int64_t) override { m_last = requester; }

 private:
  int m_last = -1;
};

const arbiter_entry entry{"round_robin", "one granule each in turn", [] { return std::make_unique<round_robin>(); }};

}  // namespace
}  // namespace memwall
