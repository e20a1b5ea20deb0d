// SPDX-License-Identifier: Apache-2.0
// What steps cost on a machine, from a few that were simulated. In the spirit of statistical sampling (SMARTS,
// Wunderlich et al., ISCA 2003): the cost of a step is put together from parts of the same kind and neighbourhood that
// were simulated, sizes in between are interpolated inside brackets that were simulated, and a share of the steps is
// simulated besides to measure the error.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "traces/serving/outcome.h"
#include "traces/serving/reuse_curve.h"
#include "traces/serving/step_operators.h"

namespace memwall::serving {

/// What the reuse of outcomes did, and how wrong it is: `fidelity.reuse` of a result.
struct reuse_report {
  bool on = true;
  double bound = 0;                                   ///< relative
  double operators = 0, simulated = 0;                ///< in all, and of them
  double simulated_bytes = 0, simulated_core_pj = 0;  ///< of what was simulated: asked of memories; spent by cores
  std::vector<double> errors;                         ///< of the audited steps: relative to simulation
  double mean_error() const;                          ///< of the magnitudes
  double max_error() const;
  /// Half of the interval in which the mean signed error lies with 95 % confidence, by Student's t; relative.
  double confidence() const;
};

/// Something to be simulated so that a cost becomes known.
struct probe {
  enum class kind { whole, layers, end, attention };
  kind what = kind::whole;
  step_shape shape;                               ///< whole, layers; end: what is sampled
  std::vector<std::vector<std::int64_t>> chosen;  ///< layers: of each class those that stand for it
  std::int64_t layer = 0;                         ///< attention
  std::size_t of_class = 0;                       ///< attention: the layer's
  attention_view view;                            ///< attention: one decode part or one chunk
  bool fused = false, prompt = false;             ///< attention: behind another one in the same kernel
};

class step_costs {
 public:
  /// `phases_differ`: prompts and decodes may run on different hardware.
  step_costs(const step_operators& operators, double bound, bool phases_differ);

  /// What a step costs. Nothing: simulate `wanted` first, give measured() what came out, and ask again.
  std::optional<outcome> cost(const step_shape& shape, probe& wanted);
  /// The operators of a probe.
  std::vector<step_operator> operators_of(const probe& p, std::int64_t number) const;
  /// One operator of a probe, in the order of operators_of(), has ended.
  void measured(const probe& p, const std::vector<step_operator>& operators, const std::vector<outcome>& outcomes);
  /// The cost of a step as its probe of kind `layers` shows it.
  outcome composed(const probe& p, const std::vector<step_operator>& operators,
                   const std::vector<outcome>& outcomes) const;
  probe audit_of(const step_shape& shape);

 private:
  /// Layers that cost the same.
  struct layer_class {
    std::vector<std::int64_t> members;
    std::size_t turn = 0;
    std::int64_t window = 0;
    reuse_curve rows;
    reuse_plane decodes;
    reuse_plane chunks[2];  ///< alone, and behind another attention in the same kernel
    std::int64_t choose();
  };
  struct phase_costs {
    bool known = false;
    std::vector<layer_class> classes;
    reuse_curve begin, end;
  };
  phase_costs& of(bool prompt) { return m_phases[prompt && m_differ ? 1 : 0]; }
  const phase_costs& of(bool prompt) const { return m_phases[prompt && m_differ ? 1 : 0]; }
  void sort_layers(phase_costs& to, const std::vector<step_operator>& operators, const std::vector<outcome>& outcomes);
  reuse_curve curve() const;
  probe layers_of(const step_shape& shape);
  step_shape shape_of_rows(std::int64_t rows, std::int64_t sampled, bool prompt) const;

  const step_operators& m_operators;
  double m_bound;
  bool m_differ;
  bool m_all_layers;  ///< a probe has all of them: a model so small that caches could hold a good part of it
  phase_costs m_phases[2];
};

}  // namespace memwall::serving
