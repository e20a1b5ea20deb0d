// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/step_costs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace memwall::serving {
namespace {

/// Last-level caches have up to 256 MiB.
bool is_small(const trace::header& h) {
  constexpr std::int64_t most = std::int64_t{1} << 30;
  std::int64_t weights = 0;
  for (const auto& t : h.tensors)
    if (t.cls == trace::tensor_class::weights) weights += t.bytes;
  return weights < most;
}

}  // namespace

step_costs::step_costs(const step_operators& operators, bool phases_differ)
    : m_operators(operators), m_differ(phases_differ) {
  m_all_layers[0] = m_all_layers[1] = is_small(operators.header());
}

/// The next of its members, in turn: caches must not find what the last probe left there, since in a step all other
/// layers come between two visits of one.
std::int64_t step_costs::layer_class::choose() {
  turn = (turn + 2) % members.size();
  return members[turn];
}

probe step_costs::probe_of(const step_shape& shape) {
  probe out;
  out.shape = shape;
  phase_layers& phase = of(shape.prompt());
  if (!phase.known || m_all_layers[shape.prompt() ? 1 : 0]) return out;
  out.whole = false;
  for (auto& c : phase.classes) out.chosen.push_back({c.choose()});
  return out;
}

std::vector<step_operator> step_costs::operators_of(const probe& p, std::int64_t number) const {
  if (p.whole) return m_operators.make(p.shape, number);
  // Each chosen layer has one before it, which leaves caches as they are within a step.
  std::vector<bool> layers(static_cast<std::size_t>(m_operators.model().layers), false);
  for (const auto& members : p.chosen)
    for (const auto layer : members)
      layers[static_cast<std::size_t>(layer)] = layers[static_cast<std::size_t>(std::max<std::int64_t>(1, layer) - 1)] =
          true;
  return m_operators.make(p.shape, number, layers);
}

std::vector<double> step_costs::times_of(const probe& p, const std::vector<step_operator>& operators) const {
  std::vector<double> out(operators.size(), 1.0);
  if (p.whole) return out;
  const phase_layers& phase = of(p.shape.prompt());
  std::map<std::int64_t, double> times;
  for (std::size_t i = 0; i < phase.classes.size(); ++i)
    for (const auto layer : p.chosen[i])
      times[layer] = static_cast<double>(phase.classes[i].members.size()) / static_cast<double>(p.chosen[i].size());
  for (std::size_t i = 0; i < operators.size(); ++i)
    if (const auto layer = operators[i].op.layer; layer >= 0) {
      const auto found = times.find(layer);
      out[i] = found != times.end() ? found->second : 0.0;
    }
  return out;
}

outcome step_costs::cost(const probe& p, const std::vector<step_operator>& operators,
                         const std::vector<outcome>& outcomes) {
  const auto times = times_of(p, operators);
  outcome sum;
  double in_layers = 0;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    sum.add(outcomes[i], times[i]);
    if (operators[i].op.layer >= 0) in_layers += times[i] * outcomes[i].time();
  }
  // Layers of a few refresh intervals each meet one or none: what one of them takes says little of the others.
  constexpr double short_layer = 20e6;
  if (in_layers < short_layer * static_cast<double>(m_operators.model().layers))
    m_all_layers[p.shape.prompt() ? 1 : 0] = true;
  if (phase_layers& phase = of(p.shape.prompt()); p.whole && !phase.known) sort_layers(phase, operators, outcomes);
  return sum;
}

/// Layers with the same operators that took about the same time are of one class: others have another memory, another
/// executor, or a window.
void step_costs::sort_layers(phase_layers& to, const std::vector<step_operator>& operators,
                             const std::vector<outcome>& outcomes) {
  constexpr double alike = 0.05;  // phases of refresh and neighbours differ by less
  struct facts {
    std::string names;
    double time = 0;
  };
  std::map<std::int64_t, facts> layers;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const auto& op = operators[i].op;
    if (op.layer < 0) continue;
    facts& f = layers[op.layer];
    f.names += op.name.substr(op.name.find('.', op.name.find('.') + 1)) + ";";
    f.time += outcomes[i].time();
  }
  std::vector<facts> first;  // of each class
  for (const auto& [layer, f] : layers) {
    const std::int64_t window = m_operators.model().window_of(layer);
    std::size_t at = 0;
    while (at < first.size() && (to.classes[at].window != window || first[at].names != f.names ||
                                 std::abs(first[at].time - f.time) > alike * first[at].time))
      ++at;
    if (at == first.size()) {
      first.push_back(f);
      to.classes.push_back({{}, 0, window});
    }
    to.classes[at].members.push_back(layer);
  }
  to.known = true;
}

}  // namespace memwall::serving
