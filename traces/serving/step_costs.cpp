// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/step_costs.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace memwall::serving {
namespace {

/// Rows at which kernels change: one row is a vector, up to 16 a thin product, then tiles of 64 and 128 rows fill up.
/// What lies between two of them is interpolated where it proves straight.
const std::vector<std::int64_t>& kernel_edges() {
  static const std::vector<std::int64_t> edges = [] {
    std::vector<std::int64_t> out = {1, 2, 17, 33};
    for (std::int64_t e = 65; e <= (1 << 20); e = 2 * (e - 1) + 1) out.push_back(e);
    return out;
  }();
  return edges;
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// Last-level caches have up to 256 MiB.
bool is_small(const trace::header& h) {
  constexpr std::int64_t most = std::int64_t{1} << 30;
  std::int64_t weights = 0;
  for (const auto& t : h.tensors)
    if (t.cls == trace::tensor_class::weights) weights += t.bytes;
  return weights < most;
}

/// A chunk's place in the plane: how many queries, and how many positions they see on average.
reuse_plane::point place_of(const attention_view::part& c) {
  return {c.fresh, std::max<std::int64_t>(1, divide_up(c.pairs, c.fresh))};
}

}  // namespace

double reuse_report::mean_error() const {
  double sum = 0;
  for (const double e : errors) sum += std::abs(e);
  return errors.empty() ? 0.0 : sum / static_cast<double>(errors.size());
}

double reuse_report::max_error() const {
  double out = 0;
  for (const double e : errors) out = std::max(out, std::abs(e));
  return out;
}

double reuse_report::confidence() const {
  const auto n = static_cast<double>(errors.size());
  if (errors.size() < 2) return 0;
  double sum = 0, squares = 0;
  for (const double e : errors) sum += e;
  for (const double e : errors) squares += (e - sum / n) * (e - sum / n);
  const boost::math::students_t t(n - 1);
  return boost::math::quantile(boost::math::complement(t, 0.025)) * std::sqrt(squares / (n - 1) / n);
}

step_costs::step_costs(const step_operators& operators, double bound, bool phases_differ)
    : m_operators(operators),
      m_bound(bound),
      m_differ(phases_differ),
      m_all_layers(is_small(operators.header())),
      m_phases{{false, {}, curve(), curve()}, {false, {}, curve(), curve()}} {}

reuse_curve step_costs::curve() const {
  return reuse_curve(kernel_edges(), m_bound);
}

std::optional<outcome> step_costs::cost(const step_shape& shape, probe& wanted) {
  phase_costs& phase = of(shape.prompt());
  if (!phase.known) {
    wanted = {};
    wanted.shape = shape;
    return std::nullopt;
  }
  // Products first: one probe may serve the layers, the begin and the end together. The end alone is probed without
  // layers.
  std::int64_t rows = 0, sampled = 0, size = 0;
  outcome sum;
  const auto take = [&](reuse_curve& c, std::int64_t at, double times, std::int64_t& missing) {
    if (const auto o = c.at(at, size))
      sum.add(*o, times);
    else if (missing == 0)
      missing = size;
  };
  take(phase.begin, shape.rows, 1, rows);
  for (auto& c : phase.classes) take(c.rows, shape.rows, static_cast<double>(c.members.size()), rows);
  if (shape.sampled > 0) take(phase.end, shape.sampled, 1, sampled);
  if (rows > 0 || sampled > 0) {
    wanted = layers_of(shape_of_rows(rows > 0 ? rows : sampled, sampled, shape.prompt()));
    if (rows == 0) wanted.what = probe::kind::end;
    return std::nullopt;
  }
  for (std::size_t number = 0; number < phase.classes.size(); ++number) {
    layer_class& c = phase.classes[number];
    const attention_view v = view_of(shape, c.window);
    const auto times = static_cast<double>(c.members.size());
    const auto want = [&](reuse_plane::point p, bool chunk, bool fused) {
      wanted = {};
      wanted.what = probe::kind::attention;
      wanted.layer = c.choose();
      wanted.of_class = number;
      wanted.fused = fused;
      wanted.prompt = shape.prompt();
      if (chunk)
        wanted.view.chunks = {{p.x, p.x * p.y, p.y + p.x / 2}};
      else
        wanted.view.decodes = p.x, wanted.view.decode_positions = p.y;
    };
    reuse_plane::point missing;
    if (v.decodes > 0) {
      const auto o = c.decodes.at({v.decodes, v.decode_positions}, missing);
      if (!o) return want(missing, false, false), std::nullopt;
      sum.add(*o, times);
    }
    for (std::size_t i = 0; i < v.chunks.size(); ++i) {
      const bool fused = v.decodes > 0 || i > 0;
      const auto o = c.chunks[fused ? 1 : 0].at(place_of(v.chunks[i]), missing);
      if (!o) return want(missing, true, fused), std::nullopt;
      sum.add(*o, times);
    }
  }
  return sum;
}

/// A step with so many rows whose attention is short: it is measured elsewhere.
step_shape step_costs::shape_of_rows(std::int64_t rows, std::int64_t sampled, bool prompt) const {
  step_shape out;
  out.rows = rows;
  out.sampled = sampled;
  if (prompt)
    out.chunks.push_back({rows, 0});
  else
    out.contexts.assign(static_cast<std::size_t>(rows), 64);
  return out;
}

/// The next of its members, in turn: caches must not find what the last probe left there, since in a step all other
/// layers come between two visits of one.
std::int64_t step_costs::layer_class::choose() {
  turn = (turn + 2) % members.size();
  return members[turn];
}

probe step_costs::layers_of(const step_shape& shape) {
  probe out;
  out.what = probe::kind::layers;
  out.shape = shape;
  for (auto& c : of(shape.prompt()).classes)
    out.chosen.push_back(m_all_layers ? c.members : std::vector<std::int64_t>{c.choose()});
  return out;
}

probe step_costs::audit_of(const step_shape& shape) {
  return layers_of(shape);
}

std::vector<step_operator> step_costs::operators_of(const probe& p, std::int64_t number) const {
  if (p.what == probe::kind::whole) return m_operators.make(p.shape, number);
  if (p.what != probe::kind::attention) {
    // Each chosen layer has one before it, which leaves caches as they are within a step.
    std::vector<bool> layers(static_cast<std::size_t>(m_operators.model().layers), false);
    if (p.what == probe::kind::layers)
      for (const auto& members : p.chosen)
        for (const auto layer : members)
          layers[static_cast<std::size_t>(layer)] =
              layers[static_cast<std::size_t>(std::max<std::int64_t>(1, layer) - 1)] = true;
    return m_operators.make(p.shape, number, layers);
  }
  attention_view view = p.view;
  if (p.fused) {
    // Something short goes first and pays for the launch.
    view.decodes = 1;
    view.decode_positions = 1;
  }
  auto out = m_operators.make_attention(p.layer, view, p.prompt);
  for (auto& o : out) o.op.step = number;
  return out;
}

void step_costs::measured(const probe& p, const std::vector<step_operator>& operators,
                          const std::vector<outcome>& outcomes) {
  const bool prompt = p.what == probe::kind::attention ? p.prompt : p.shape.prompt();
  phase_costs& phase = of(prompt);
  if (p.what == probe::kind::attention) {
    layer_class& c = phase.classes[p.of_class];
    if (p.view.chunks.empty())
      c.decodes.add({p.view.decodes, p.view.decode_positions}, outcomes.back());
    else
      c.chunks[p.fused ? 1 : 0].add({p.view.chunks[0].fresh, p.view.chunks[0].pairs / p.view.chunks[0].fresh},
                                    outcomes.back());
    return;
  }
  if (p.what == probe::kind::end) {
    outcome end;
    for (std::size_t i = 0; i < operators.size(); ++i)
      if (operators[i].part == segment::end) end.add(outcomes[i]);
    phase.end.add(p.shape.sampled, end);
    return;
  }
  if (p.what == probe::kind::whole && !phase.known) sort_layers(phase, operators, outcomes);
  outcome begin, end;
  std::map<std::int64_t, outcome> rows;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const auto& o = operators[i];
    if (o.part == segment::begin) begin.add(outcomes[i]);
    if (o.part == segment::end) end.add(outcomes[i]);
    if (o.part == segment::rows) rows[o.op.layer].add(outcomes[i]);
  }
  phase.begin.add(p.shape.rows, begin);
  if (p.shape.sampled > 0) phase.end.add(p.shape.sampled, end);
  for (std::size_t i = 0; i < phase.classes.size(); ++i) {
    layer_class& c = phase.classes[i];
    const auto& seen = p.what == probe::kind::whole ? c.members : p.chosen[i];
    outcome mean;
    for (const auto layer : seen) mean.add(rows[layer], 1 / static_cast<double>(seen.size()));
    c.rows.add(p.shape.rows, mean);
  }
}

/// Layers with the same operators that took about the same time are of one class: others have another memory, another
/// executor, or a window.
void step_costs::sort_layers(phase_costs& to, const std::vector<step_operator>& operators,
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
      to.classes.push_back({{}, 0, window, curve(), {}, {}});
    }
    to.classes[at].members.push_back(layer);
  }
  to.known = true;
}

outcome step_costs::composed(const probe& p, const std::vector<step_operator>& operators,
                             const std::vector<outcome>& outcomes) const {
  outcome sum;
  std::map<std::int64_t, double> times;
  const auto& classes = of(p.shape.prompt()).classes;
  for (std::size_t i = 0; i < classes.size(); ++i)
    for (const auto layer : p.chosen[i])
      times[layer] = static_cast<double>(classes[i].members.size()) / static_cast<double>(p.chosen[i].size());
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const std::int64_t layer = operators[i].op.layer;
    if (layer < 0)
      sum.add(outcomes[i]);
    else if (const auto found = times.find(layer); found != times.end())
      sum.add(outcomes[i], found->second);
  }
  return sum;
}

}  // namespace memwall::serving
