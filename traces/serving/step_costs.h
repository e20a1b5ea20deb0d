// SPDX-License-Identifier: Apache-2.0
// Steps of a model whose layers are alike: one layer of each class stands for all of them.
//
// What is given to the machine is a piece of the step as it is, with its rows, its sequences and their lengths: the
// begin, of each class of layers one behind the layer before it, the end. So whatever overlaps in a step, or is found
// in a cache, does so here. Whether the machine simulates an operator or knows what it takes is its own business.
#pragma once
#include <cstdint>
#include <vector>

#include "traces/serving/outcome.h"
#include "traces/serving/step_operators.h"

namespace memwall::serving {

/// A step, or a piece of it that stands for it.
struct probe {
  bool whole = true;
  step_shape shape;
  std::vector<std::vector<std::int64_t>> chosen;  ///< of a piece: of each class the layers that stand for it
};

class step_costs {
 public:
  /// `phases_differ`: prompts and decodes may run on different hardware.
  step_costs(const step_operators& operators, bool phases_differ);

  /// What to run to know what a step costs: all of it, as long as its classes of layers are not known.
  probe probe_of(const step_shape& shape);
  /// Its classes of layers are known.
  bool knows(const step_shape& shape) const { return of(shape.prompt()).known; }
  std::vector<step_operator> operators_of(const probe& p, std::int64_t number) const;
  /// Of each of them: how many of the step's operators it stands for.
  std::vector<double> times_of(const probe& p, const std::vector<step_operator>& operators) const;
  /// What a step costs by the outcomes of its probe's operators, in their order. A whole one tells the classes.
  outcome cost(const probe& p, const std::vector<step_operator>& operators, const std::vector<outcome>& outcomes);

 private:
  /// Layers that cost the same.
  struct layer_class {
    std::vector<std::int64_t> members;
    std::size_t turn = 0;
    std::int64_t window = 0;
    std::int64_t choose();
  };
  struct phase_layers {
    bool known = false;
    std::vector<layer_class> classes;
  };
  phase_layers& of(bool prompt) { return m_phases[prompt && m_differ ? 1 : 0]; }
  const phase_layers& of(bool prompt) const { return m_phases[prompt && m_differ ? 1 : 0]; }
  void sort_layers(phase_layers& to, const std::vector<step_operator>& operators, const std::vector<outcome>& outcomes);

  const step_operators& m_operators;
  bool m_differ;
  bool m_all_layers[2];  ///< a probe has all of them: a model so small that caches could hold a good part of it, or
                         ///< layers so short that refreshes decide what each takes
  phase_layers m_phases[2];
};

}  // namespace memwall::serving
