// SPDX-License-Identifier: Apache-2.0
// Every link of a hardware test: a protocol checker in it and, where asked, a stall injector between two of them.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/protocol_checker.h"
#include "tests/support/stall_injector.h"

namespace memwall {

class checked_links {
 public:
  /// `stall_seed` 0: no stalls.
  explicit checked_links(unsigned stall_seed = 0, ps_t longest_stall = 20'000)
      : m_seed(stall_seed), m_longest(longest_stall) {}

  template <class From, class To>
  void join(From& from, To& to, const checker_options& o = {}) {
    from.bind(before(to, o).from_initiator);
  }
  /// The checker that the initiator is bound to; `to` lies behind it.
  template <class To>
  protocol_checker& before(To& to, const checker_options& o = {}) {
    protocol_checker& first = checker(o);
    if (m_seed == 0) {
      first.to_target.bind(to);
      return first;
    }
    m_stalls.push_back(std::make_unique<stall_injector>(fmt::format("stalls{}", m_stalls.size()).c_str(),
                                                        m_seed + static_cast<unsigned>(m_stalls.size()), m_longest));
    protocol_checker& second = checker(o);
    first.to_target.bind(m_stalls.back()->from_initiator);
    m_stalls.back()->to_target.bind(second.from_initiator);
    second.to_target.bind(to);
    return first;
  }
  /// At the end: no rule was broken, and nothing is on its way.
  void verify() const {
    for (const auto& c : m_checkers) {
      EXPECT_EQ(c->errors(), 0) << c->text();
      EXPECT_EQ(c->in_flight(), 0u) << c->name();
    }
  }

 private:
  protocol_checker& checker(const checker_options& o) {
    m_checkers.push_back(std::make_unique<protocol_checker>(fmt::format("checker{}", m_checkers.size()).c_str(), o));
    return *m_checkers.back();
  }
  unsigned m_seed;
  ps_t m_longest;
  std::vector<std::unique_ptr<protocol_checker>> m_checkers;
  std::vector<std::unique_ptr<stall_injector>> m_stalls;
};

}  // namespace memwall
