// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/reuse_book.h"

#include <boost/container_hash/hash.hpp>
#include <boost/math/distributions/students_t.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace memwall::platforms {
namespace {

constexpr std::size_t fewest = 3, most = 48;  // samples that a prediction needs, and takes
constexpr double narrowest = 0.01, widest = 0.3;
constexpr double beyond = 0.05;  // so far outside of what was simulated its ratio is taken to go on
// Audits are made when orders reused have grown so many times; sooner while the error may be beyond the bound.
constexpr double audit_growth = 2.5, sooner = 1.6;
constexpr double furthest = 0.4;  // samples on both sides of an order that may tell what it takes
constexpr double near = 0.004;    // samples nearer than that count alike

/// How much wider an interval is that n samples leave than many would (Student's t): three often scatter too little.
double small_sample(std::size_t n) {
  static const auto table = [] {
    std::array<double, most + 1> out{};
    out.fill(HUGE_VAL);
    for (std::size_t i = 2; i <= most; ++i)
      out[i] = boost::math::quantile(boost::math::students_t(static_cast<double>(i) - 1), 0.975) / 1.96;
    return out;
  }();
  return table[std::min(n, most)];
}

}  // namespace

std::size_t reuse_book::hash::operator()(const std::vector<std::int64_t>& v) const {
  return boost::hash_range(v.begin(), v.end());
}

std::size_t reuse_book::number_of(const std::vector<std::int64_t>& kind) {
  const auto [at, fresh] = m_numbers.try_emplace(kind, m_kinds.size());
  if (fresh) m_kinds.emplace_back();
  return at->second;
}

/// How much of its time is of another size.
double reuse_book::distance(const sample& s, const order_shape& shape) {
  double apart = 0;
  for (std::size_t i = 0; i < shape.sizes.size(); ++i) apart += std::abs(s.sizes[i] - shape.sizes[i]);
  return apart / std::max(1.0, std::max(s.expected, shape.expected));
}

std::optional<reuse_book::prediction> reuse_book::predict(const kind_state& k, const order_shape& shape,
                                                          double radius) const {
  prediction out;
  out.nearest = HUGE_VAL;
  double weights = 0, squares = 0;
  // Expected times differ by no more than the sizes do. From the middle outwards, the nearer side first.
  const double low = shape.expected * (1 - radius), high = shape.expected / (1 - radius);
  // (Of samples of one size the last ones.)
  auto above = std::upper_bound(k.samples.begin(), k.samples.end(), shape.expected,
                                [](double e, const sample& o) { return e < o.expected; });
  auto below = above;
  while (out.samples < most) {
    const bool more_above = above != k.samples.end() && above->expected <= high;
    const bool more_below = below != k.samples.begin() && (below - 1)->expected >= low;
    if (!more_above && !more_below) break;
    const bool up =
        more_above && (!more_below || above->expected - shape.expected <= shape.expected - (below - 1)->expected);
    const auto at = up ? above++ : --below;
    const double d = distance(*at, shape);
    if (d > radius) continue;
    const double w = 1 / ((d + near) * (d + near));
    if (out.parts.empty()) out.parts.assign(at->parts.size(), 0.0);
    weights += w;
    out.ratio += w * at->ratio;
    squares += w * at->ratio * at->ratio;
    out.transfers += w * at->transfers;
    for (std::size_t i = 0; i < out.parts.size(); ++i) out.parts[i] += w * at->parts[i];
    out.nearest = std::min(out.nearest, d);
    out.smaller = out.smaller || at->expected <= shape.expected;
    out.larger = out.larger || at->expected >= shape.expected;
    ++out.samples;
  }
  if (out.samples == 0) return std::nullopt;
  out.ratio /= weights;
  out.transfers /= weights;
  for (double& p : out.parts) p /= weights;
  const auto n = static_cast<double>(out.samples);
  const double variance = std::max(0.0, squares / weights - out.ratio * out.ratio);
  out.error = n > 1 && out.ratio > 0 ? std::sqrt(variance / (n - 1)) / out.ratio : HUGE_VAL;
  return out;
}

/// From the nearest smaller and the nearest larger one, further away than the radius: the ratio moves slowly with the
/// size, and where it differs little between the two it is taken to go straight from one to the other.
std::optional<reuse_book::prediction> reuse_book::between(const kind_state& k, const order_shape& shape) const {
  const sample *below = nullptr, *above = nullptr;
  double to_below = furthest, to_above = furthest;
  const auto middle = std::upper_bound(k.samples.begin(), k.samples.end(), shape.expected,
                                       [](double e, const sample& o) { return e < o.expected; });
  const auto look = [&](const sample& s, const sample*& best, double& to_best) {
    if (const double d = distance(s, shape); d < to_best) best = &s, to_best = d;
  };
  for (auto i = middle; i != k.samples.end() && i->expected * (1 - furthest) <= shape.expected; ++i)
    look(*i, above, to_above);
  for (auto i = middle; i != k.samples.begin() && (i - 1)->expected >= shape.expected * (1 - furthest); --i)
    look(*(i - 1), below, to_below);
  if (below == nullptr || above == nullptr) return std::nullopt;
  const double far = to_below + to_above, w = far > 0 ? to_above / far : 0.5;
  prediction out;
  out.samples = fewest;
  out.smaller = out.larger = true;
  out.nearest = std::min(to_below, to_above);
  out.ratio = w * below->ratio + (1 - w) * above->ratio;
  out.transfers = w * below->transfers + (1 - w) * above->transfers;
  for (std::size_t i = 0; i < below->parts.size(); ++i)
    out.parts.push_back(w * below->parts[i] + (1 - w) * above->parts[i]);
  // A curve that bends by as much as it rises is off by an eighth of that in the middle; two instances scatter as well.
  out.error = out.ratio > 0 ? std::abs(below->ratio - above->ratio) / 4 / out.ratio : HUGE_VAL;
  return out;
}

std::optional<reuse_book::prediction> reuse_book::known(const kind_state& k, const order_shape& shape) const {
  if (auto p = predict(k, shape, k.radius); p && is_enough(k, *p, shape, small_sample(p->samples))) return p;
  if (auto p = between(k, shape); p && is_enough(k, *p, shape, 1)) return p;
  return std::nullopt;
}

/// Kinds that take much of the time must be known well, the others less: shares of the whole's error, of which each
/// gets one in proportion to its time. (95 % of means lie within two standard errors.)
bool reuse_book::is_enough(const kind_state& k, const prediction& p, const order_shape& shape, double wider) const {
  if (p.samples < fewest || (p.nearest > beyond && !(p.smaller && p.larger))) return false;
  if (p.samples == most) return true;
  const double share = m_time > 0 ? k.time / m_time : 1.0, loosest = 5 * m_report.bound;
  const double stream = p.ratio * shape.expected;
  const double allowed = std::min(loosest, 0.4 * m_report.bound / std::sqrt(std::max(share, 1e-6)));
  return wider * p.error * stream <= allowed * (stream + static_cast<double>(shape.fixed));
}

bool reuse_book::within_bound() const {
  return std::abs(m_report.bias()) + m_report.confidence() <= m_report.bound;
}

/// Where brief ones take little of the time their mean will do: orders that last long scatter when the next one starts.
bool reuse_book::locks(const kind_state& k, const order_shape& shape) const {
  constexpr double few = 0.1;
  return shape.brief && k.time > 0.4 * m_report.bound * m_time && m_brief_time > few * m_time;
}

void reuse_book::passes(kind_state& k, const order_shape& shape, double time) {
  k.time += time;
  m_time += time;
  if (shape.brief) m_brief_time += time;
}

std::optional<order_outcome> reuse_book::ask(const order_shape& shape, bool exact) {
  ++m_report.operators;
  kind_state& k = m_kinds[number_of(shape.kind)];
  if (k.wanted || exact || locks(k, shape)) {
    k.wanted = false;
    return std::nullopt;
  }
  const auto p = known(k, shape);
  if (!p) return std::nullopt;
  if (++k.reused == k.next_audit) {
    const double growth = within_bound() ? audit_growth : sooner;
    k.next_audit = static_cast<std::int64_t>(std::ceil(static_cast<double>(k.next_audit) * growth));
    return std::nullopt;
  }
  order_outcome out;
  out.time = std::llround(p->ratio * shape.expected);
  stall_stack weights;
  for (std::size_t i = 0; i < stall_count; ++i) weights.part[i] = std::llround(p->parts[i] * 1e9);
  out.parts = apportion(out.time, weights, stall::core_requests);
  out.transfers = static_cast<std::uint64_t>(std::llround(p->transfers));
  const auto whole = static_cast<double>(out.time + shape.fixed);
  k.unaudited += whole;
  passes(k, shape, whole);
  return out;
}

std::optional<double> reuse_book::known_time(const order_shape& shape) {
  const kind_state& k = m_kinds[number_of(shape.kind)];
  const auto p = locks(k, shape) ? std::nullopt : known(k, shape);
  if (!p) return std::nullopt;
  return p->ratio * shape.expected + static_cast<double>(shape.fixed);
}

void reuse_book::tell(const order_shape& shape, const order_outcome& simulated, bool counts) {
  ++m_report.simulated;
  if (!counts) return;
  kind_state& k = m_kinds[number_of(shape.kind)];
  const auto whole = static_cast<double>(simulated.time + shape.fixed);
  const auto error_of = [&](const prediction& p) {
    return whole > 0 ? (p.ratio * shape.expected - static_cast<double>(simulated.time)) / whole : 0.0;
  };
  if (const auto p = known(k, shape); p && !locks(k, shape)) {
    m_report.audits.push_back({error_of(*p), k.unaudited + whole});
    k.unaudited = 0;
  }
  // Does what lies further away tell it as well? Scatter of instances is no matter of distance.
  if (const auto p = predict(k, shape, std::min(widest, 2 * k.radius)); p && p->nearest > narrowest) {
    const double error = std::abs(error_of(*p));
    const double scatter = p->samples > 2 ? p->error * std::sqrt(static_cast<double>(p->samples)) : 0.0;
    if (error <= std::max(m_report.bound / 2, scatter))
      k.radius = std::max(k.radius, std::min(widest, 1.5 * p->nearest));
    else if (error > std::max(2 * m_report.bound, 3 * scatter))
      k.radius = std::max(narrowest, p->nearest / 2);
  }
  passes(k, shape, whole);
  sample s;
  s.expected = shape.expected;
  s.ratio = shape.expected > 0 ? static_cast<double>(simulated.time) / shape.expected : 0.0;
  s.sizes = shape.sizes;
  s.transfers = static_cast<double>(simulated.transfers);
  for (const ps_t p : simulated.parts.part)
    s.parts.push_back(simulated.time > 0 ? static_cast<double>(p) / static_cast<double>(simulated.time) : 0.0);
  const auto at = std::upper_bound(k.samples.begin(), k.samples.end(), s.expected,
                                   [](double e, const sample& o) { return e < o.expected; });
  k.samples.insert(at, std::move(s));
}

}  // namespace memwall::platforms
