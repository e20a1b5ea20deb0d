// SPDX-License-Identifier: Apache-2.0
// The shortest prompt is let in first: a smaller mean wait; a long prompt may wait for ever under load.
#include "traces/serving/scheduler.h"

namespace memwall::serving {
namespace {

class shortest_first : public policy {
 public:
  bool before(const sequence& a, const sequence& b) const override { return a.asked->input < b.asked->input; }
};

const policy_entry entry("shortest_first", "the shortest prompt is let in first",
                         [] { return std::make_unique<shortest_first>(); });

}  // namespace
}  // namespace memwall::serving
