// SPDX-License-Identifier: Apache-2.0
// A source of operators that looks at the clock, in a whole run.
#include "traces/op_source.h"

#include <gtest/gtest.h>

#include "models/model.h"
#include "platforms/execute/run.h"
#include "traces/generator.h"

using namespace memwall;

namespace {

/// A trace whose first operator comes in at a time, and whose operator `second` only when the one before it has ended.
class arriving final : public trace::op_source {
 public:
  arriving(std::unique_ptr<trace::op_stream> trace, ps_t first, std::uint64_t second)
      : m_trace(std::move(trace)), m_first(first), m_second(second) {}
  const trace::header& header() const override { return m_trace->header(); }
  trace::answer next(ps_t now, trace::op& out) override {
    if (now < m_first) return trace::answer::ask_at(m_first);
    if (m_given == m_second && m_ended < m_second) return trace::answer::ask_after(m_second - 1);
    if (!m_trace->next(out)) return trace::answer::end();
    ++m_given;
    return trace::answer::ready();
  }
  void ended(const trace::ended_op& e) override {
    ++m_ended;
    EXPECT_EQ(e.path.sum(), e.end);
    EXPECT_EQ(e.parts.sum(), e.end - e.start);
  }
  std::optional<std::int64_t> tokens() const override { return 42; }

 private:
  std::unique_ptr<trace::op_stream> m_trace;
  ps_t m_first;
  std::uint64_t m_second, m_given = 0, m_ended = 0;
};

TEST(op_source, operators_that_arrive_late_are_simulated_from_then_on) {
  const model m = load_model(std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini");
  const trace::workload w;
  constexpr ps_t arrival = 1'000'000'000;  // 1 ms
  platforms::run_options o;
  o.platform = platforms::load_platform("von_neumann_h100", {});
  o.source = [&] { return trace::generate(m, w); };
  o.operators = [&] { return std::make_unique<arriving>(trace::generate(m, w), arrival, 5); };
  const auto r = platforms::run(o).result;
  EXPECT_EQ(r["layers"][0]["start_ns"], 1e6);
  EXPECT_EQ(r["stall_stack_ns"]["idle"], 1e6);
  EXPECT_EQ(r["summary"]["tokens"], 42);
  std::int64_t operators = 0;
  trace::op op;
  for (const auto t = trace::generate(m, w); t->next(op);) ++operators;
  EXPECT_EQ(r["layers_total"], operators);
}

}  // namespace
