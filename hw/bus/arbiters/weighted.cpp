// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/arbiter.h"

namespace memwall {
namespace {

// Round robin with `weight` granules in a row a turn. A turn ends when it is used up or when somebody else
// was granted.
class weighted final : public arbiter {
 public:
  void add_requester(int, int weight) override { m_weight.push_back(weight); }
  void turns(const std::vector<arbiter_request>& waiting, std::vector<arbiter_turn>& period) const override {
    std::size_t first = 0;
    while (first < waiting.size() && waiting[first].requester < m_current) ++first;
    std::int64_t rest = 0;
    if (first < waiting.size() && waiting[first].requester == m_current) {
      rest = m_left;
      if (rest > 0) period.push_back({m_current, rest});
      ++first;
    }
    const std::size_t n = waiting.size();
    for (std::size_t k = 0; k < n; ++k) {
      const int requester = waiting[(first + k) % n].requester;
      const std::int64_t weight = m_weight[static_cast<std::size_t>(requester)];
      const std::int64_t turn = requester == m_current ? weight - rest : weight;
      if (turn > 0) period.push_back({requester, turn});
    }
  }
  void granted(int requester, std::int64_t granules) override {
    const std::int64_t weight = m_weight[static_cast<std::size_t>(requester)];
    // A turn begins when somebody else had the channel, or when the last one was used up.
    const std::int64_t left = requester == m_current && m_left > 0 ? m_left : weight;
    m_current = requester;
    m_left = left - granules;
  }

 private:
  std::vector<std::int64_t> m_weight;
  int m_current = -1;
  std::int64_t m_left = 0;  // granules that m_current may still take in a row
};

const arbiter_entry entry{"weighted", "in turn, `weight` granules in a row each",
                          [] { return std::make_unique<weighted>(); }};

}  // namespace
}  // namespace memwall
