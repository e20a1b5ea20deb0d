// SPDX-License-Identifier: Apache-2.0
// A server of requests as a source of operators: forms steps, gives their operators to be simulated where their cost is
// not known yet, and goes on with what they took.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "traces/op_source.h"
#include "traces/reuse_report.h"
#include "traces/serving/engine.h"
#include "traces/serving/step_costs.h"

namespace memwall::serving {

class served_source final : public trace::op_source {
 public:
  /// All must outlive it. Where the report says that reuse is off every operator of every step is given.
  served_source(engine& server, const step_operators& operators, bool phases_differ, reuse_report& report);

  const trace::header& header() const override { return m_operators.header(); }
  trace::answer next(ps_t now, trace::op& out) override;
  void ended(const trace::ended_op& e) override;
  bool may_reuse() const override { return m_report.on && !m_auditing; }
  void known_longer(std::uint64_t id, double ps) override { m_longer += stands_for(id) * ps; }
  double stands_for(std::uint64_t id) const override { return m_times[static_cast<std::size_t>(id - m_base)]; }
  std::optional<std::int64_t> tokens() const override { return m_server.tokens(); }

 private:
  bool go_on();
  void emit(const probe& p, std::int64_t number);
  void give(std::vector<step_operator> operators);
  void collect();
  void complete(const outcome& o);
  bool audit_is_due();
  double audited_error(const outcome& simulated) const;
  std::int64_t operators_in(const step_shape& s) const;

  engine& m_server;
  const step_operators& m_operators;
  step_costs m_costs;
  reuse_report& m_report;

  // What is being simulated now.
  std::vector<step_operator> m_batch;
  std::vector<outcome> m_outcomes;
  probe m_probe;
  std::size_t m_given = 0, m_ended = 0;
  std::vector<double> m_times;  // of each operator: how many of the service it stands for
  std::uint64_t m_base = 0;
  ps_t m_last_end = 0;
  std::int64_t m_rest[2] = {0, 0};  // operators of a step but attention, by phase
  // Copies of KV blocks before the step: they are being simulated, or what they took.
  bool m_swapping = false;
  std::optional<outcome> m_swaps;
  // A step that is simulated to measure the error.
  bool m_auditing = false;
  probe m_piece;        // that would have stood for it
  double m_longer = 0;  // picoseconds by which its operators were known to take longer
  std::int64_t m_known_steps = 0, m_next_audit = 8, m_audits = 0;
};

}  // namespace memwall::serving
