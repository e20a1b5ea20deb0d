// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/search.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>
#include <set>

#include "tools/sweep/digest.h"

namespace memwall::sweep {
namespace {

constexpr std::size_t most_learned = 800;   // points a Gaussian process learns from
constexpr std::size_t most_guessed = 6000;  // candidates guessed at in a round

}  // namespace

pareto_search::pareto_search(space s, std::vector<std::vector<double>> candidates, std::size_t count,
                             std::size_t budget, std::uint64_t seed)
    : m_space(std::move(s)),
      m_candidates(std::move(candidates)),
      m_count(count),
      m_budget(std::min(budget, m_candidates.size())),
      m_seed(seed),
      m_models(count, surrogate(m_space)) {}

void pareto_search::tell(std::size_t candidate, std::optional<objectives> result) {
  m_told[candidate] = std::move(result);
}

std::vector<std::size_t> pareto_search::propose() {
  if (m_told.size() >= m_budget) return {};
  const std::size_t left = m_budget - m_told.size();
  const std::size_t first = std::min(m_budget, std::max(2 * (m_space.nominal.size() + 1), m_budget / 6));
  if (m_told.empty()) return spread(first);
  std::size_t good = 0;
  for (const auto& [unused, r] : m_told) good += r.has_value();
  const std::size_t batch = std::min(left, std::max<std::size_t>(4, m_budget / 14));
  return good < 4 ? spread(batch) : improve(batch);
}

/// Candidates near the points of a Latin hypercube over the axes.
std::vector<std::size_t> pareto_search::spread(std::size_t n) const {
  const std::size_t dimensions = m_space.nominal.size();
  std::vector<std::vector<std::size_t>> strata(dimensions, std::vector<std::size_t>(n));
  const std::uint64_t round = m_told.size();
  for (std::size_t d = 0; d < dimensions; ++d) {
    std::iota(strata[d].begin(), strata[d].end(), std::size_t{0});
    for (std::size_t i = n; i-- > 1;) std::swap(strata[d][i], strata[d][mix(m_seed, (round << 8) + d, i) % (i + 1)]);
  }
  std::set<std::size_t> taken;
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t best = m_candidates.size();
    double best_distance = INFINITY;
    for (std::size_t c = 0; c < m_candidates.size(); ++c) {
      if (m_told.count(c) != 0 || taken.count(c) != 0) continue;
      double sum = 0;
      for (std::size_t d = 0; d < dimensions; ++d) {
        const double x = m_candidates[c][d];
        const double wanted = (static_cast<double>(strata[d][i]) + 0.5) / static_cast<double>(n);
        sum += std::isnan(x) ? 0.25 : (x - wanted) * (x - wanted);
      }
      if (sum < best_distance) best_distance = sum, best = c;
    }
    if (best == m_candidates.size()) break;
    taken.insert(best);
    out.push_back(best);
  }
  return out;
}

std::vector<std::size_t> pareto_search::pool() const {
  std::vector<std::size_t> out;
  for (std::size_t c = 0; c < m_candidates.size(); ++c)
    if (m_told.count(c) == 0) out.push_back(c);
  if (out.size() <= most_guessed) return out;
  // A different random part each round, and everything within a step or so of the front.
  std::vector<objectives> values;
  std::vector<std::size_t> where;
  for (const auto& [c, r] : m_told)
    if (r) values.push_back(*r), where.push_back(c);
  const auto front = pareto_front(values);
  std::vector<std::pair<double, std::size_t>> ranked;
  for (const std::size_t c : out) {
    double nearest = INFINITY;
    for (const std::size_t f : front) {
      double sum = 0;
      for (std::size_t d = 0; d < m_space.nominal.size(); ++d) {
        const double x = m_space.distance(d, m_candidates[c][d], m_candidates[where[f]][d]);
        sum += x * x;
      }
      nearest = std::min(nearest, sum);
    }
    const bool lucky =
        mix_uniform(m_seed ^ 0x9d5, c, m_told.size()) < 0.5 * most_guessed / static_cast<double>(out.size());
    ranked.emplace_back(lucky ? -1 : nearest, c);
  }
  std::nth_element(ranked.begin(), ranked.begin() + most_guessed, ranked.end());
  out.clear();
  for (std::size_t i = 0; i < most_guessed; ++i) out.push_back(ranked[i].second);
  std::sort(out.begin(), out.end());
  return out;
}

double pareto_search::feasible(std::size_t candidate) const {
  double good = 1, all = 1;  // one imagined success: nothing is ruled out by distance alone
  for (const auto& [c, r] : m_told) {
    double sum = 0;
    for (std::size_t d = 0; d < m_space.nominal.size(); ++d) {
      const double x = m_space.distance(d, m_candidates[c][d], m_candidates[candidate][d]);
      sum += x * x;
    }
    const double w = std::exp(-sum / (2 * 0.15 * 0.15)) * 10;
    all += w;
    if (r) good += w;
  }
  return good / all;
}

std::vector<std::size_t> pareto_search::improve(std::size_t n) {
  // Objectives span decades: they are learned as logarithms where all are positive.
  std::vector<std::size_t> where;
  std::vector<objectives> values;
  for (const auto& [c, r] : m_told)
    if (r) where.push_back(c), values.push_back(*r);
  for (std::size_t m = 0; m < m_count; ++m) {
    const bool positive = std::all_of(values.begin(), values.end(), [&](const objectives& v) { return v[m] > 0; });
    if (positive)
      for (auto& v : values) v[m] = std::log(v[m]);
  }
  const auto front_at = pareto_front(values);
  std::vector<objectives> front;
  objectives reference(m_count, -INFINITY), best(m_count, INFINITY);
  for (const std::size_t i : front_at) front.push_back(values[i]);
  for (const auto& v : values)
    for (std::size_t m = 0; m < m_count; ++m) {
      reference[m] = std::max(reference[m], v[m]);
      best[m] = std::min(best[m], v[m]);
    }
  for (std::size_t m = 0; m < m_count; ++m) reference[m] += 0.1 * std::max(1e-9, reference[m] - best[m]);

  std::vector<std::size_t> learned;
  if (where.size() <= most_learned) {
    learned.resize(where.size());
    std::iota(learned.begin(), learned.end(), std::size_t{0});
  } else {
    std::set<std::size_t> chosen(front_at.begin(), front_at.end());
    for (std::size_t i = 0; chosen.size() < most_learned; ++i) chosen.insert(mix(m_seed, 77, i) % where.size());
    learned.assign(chosen.begin(), chosen.end());
  }
  const bool rescale = m_scaled_at == 0 || values.size() * 10 >= m_scaled_at * 13;
  if (rescale) m_scaled_at = values.size();
  std::vector<std::vector<double>> coordinates;
  for (const std::size_t i : learned) coordinates.push_back(m_candidates[where[i]]);
  for (std::size_t m = 0; m < m_count; ++m) {
    std::vector<double> y;
    for (const std::size_t i : learned) y.push_back(values[i][m]);
    m_models[m].fit(coordinates, y, rescale);
  }

  struct guessed {
    std::size_t candidate;
    objectives mean, deviation;
    double chance, doubt;
  };
  const bool failures = where.size() < m_told.size();
  const auto open = pool();
  std::vector<guessed> all;
  coordinates.clear();
  for (const std::size_t c : open) {
    all.push_back({c, objectives(m_count), objectives(m_count), failures ? feasible(c) : 1, 0});
    coordinates.push_back(m_candidates[c]);
  }
  for (std::size_t m = 0; m < m_count; ++m) {
    const auto guesses = m_models[m].at(coordinates);
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].mean[m] = guesses[i].mean, all[i].deviation[m] = guesses[i].deviation;
      all[i].doubt += guesses[i].deviation / std::max(1e-9, reference[m] - best[m]);
    }
  }

  std::vector<std::size_t> out;
  std::vector<bool> taken(all.size(), false);
  static constexpr double boldness[] = {1, 0, 2, 0.5};
  // One queue a boldness. The front only grows, so gains only shrink: a stale entry is an upper bound.
  std::vector<std::priority_queue<std::pair<double, std::size_t>>> queues(4);
  const auto gain = [&](std::size_t i, double bold) {
    objectives v(m_count);
    for (std::size_t m = 0; m < m_count; ++m) v[m] = all[i].mean[m] - bold * all[i].deviation[m];
    return all[i].chance * hypervolume_gain(front, v, reference);
  };
  for (std::size_t q = 0; q < 4; ++q)
    for (std::size_t i = 0; i < all.size(); ++i) queues[q].emplace(gain(i, boldness[q]), i);
  while (out.size() < n && out.size() < all.size()) {
    const std::size_t q = out.size() % 4;
    std::size_t pick = all.size();
    while (!queues[q].empty()) {
      const auto [bound, i] = queues[q].top();
      queues[q].pop();
      if (taken[i]) continue;
      const double now = gain(i, boldness[q]);
      if (now <= 0) continue;
      if (queues[q].empty() || now >= queues[q].top().first) {
        pick = i;
        break;
      }
      queues[q].emplace(now, i);
    }
    if (pick == all.size()) {
      // Nothing promises a gain: look where the guesses are worth least.
      double most = -1;
      for (std::size_t i = 0; i < all.size(); ++i)
        if (!taken[i] && all[i].doubt * all[i].chance > most) most = all[i].doubt * all[i].chance, pick = i;
    }
    taken[pick] = true;
    out.push_back(all[pick].candidate);
    front.push_back(all[pick].mean);
    std::vector<objectives> kept;
    for (const std::size_t i : pareto_front(front)) kept.push_back(front[i]);
    front = std::move(kept);
  }
  return out;
}

objective_name parse_objective(const std::string& text) {
  static const std::map<std::string, std::string> short_words = {
      {"time", "time_ns"}, {"energy", "energy_pj"}, {"latency", "time_per_token_ns"}, {"area", "area_mm2"}};
  objective_name out;
  std::string key = text;
  if (key.rfind("max:", 0) == 0) out.largest = true, key = key.substr(4);
  if (key.rfind("min:", 0) == 0) key = key.substr(4);
  const auto found = short_words.find(key);
  out.key = found != short_words.end() ? found->second : key;
  return out;
}

search_outcome search(const plan& points, const record_store& records, const sweep_options& options, executor& runs,
                      const std::vector<std::string>& names, std::size_t budget) {
  if (names.empty())
    throw input_error(
        problem{"--optimise", "", "names no objective", "keys of summary, e.g. time,energy or max:tokens_per_s", ""});
  std::vector<objective_name> wanted;
  for (const auto& n : names) wanted.push_back(parse_objective(n));
  space s;
  for (std::size_t g = 0; g < points.sweep().groups.size(); ++g) s.nominal.push_back(points.is_nominal(g));
  std::vector<std::vector<double>> candidates;
  for (std::size_t i = 0; i < points.size(); ++i) candidates.push_back(points.coordinates(i));
  pareto_search guide(s, std::move(candidates), wanted.size(), budget, points.sweep().seed);

  search_outcome out;
  std::set<std::size_t> evaluated;
  std::vector<std::pair<std::size_t, objectives>> good;
  while (out.how.complete()) {
    const auto batch = guide.propose();
    if (batch.empty()) break;
    std::vector<std::size_t> todo;
    for (const std::size_t i : batch)
      if (!records.settled(points.at(i).key, options.limits, options.retry_failed)) todo.push_back(i);
    std::sort(todo.begin(), todo.end());
    if (!todo.empty()) out.how = runs.run({points, todo, records, options});
    out.simulated += todo.size();
    for (const std::size_t i : batch) {
      const auto record = records.load(points.at(i).key);
      if (!record) continue;  // interrupted
      evaluated.insert(i);
      std::optional<objectives> result;
      if (record->value("status", "") == "ok") {
        const auto& summary = (*record)["result"]["summary"];
        objectives v;
        for (const auto& w : wanted) {
          const auto found = summary.find(w.key);
          if (found == summary.end() || !found->is_number()) {
            std::vector<std::string> known;
            for (const auto& [key, number] : summary.items())
              if (number.is_number()) known.push_back(key);
            throw input_error(problem{"--optimise", w.key, "is not a number in the results' summary",
                                      "one of: " + joined(known), nearest_name(w.key, known)});
          }
          v.push_back(w.largest ? -found->get<double>() : found->get<double>());
        }
        good.emplace_back(i, v);
        result = std::move(v);
      }
      guide.tell(i, std::move(result));
    }
  }
  out.evaluated.assign(evaluated.begin(), evaluated.end());

  std::vector<objectives> values;
  std::sort(good.begin(), good.end());
  for (const auto& [unused, v] : good) values.push_back(v);
  out.text = "Pareto front (point";
  for (const auto& w : wanted) out.text += ", " + w.key;
  for (const auto& c : points.columns()) out.text += ", " + c;
  out.text += "):\n";
  for (const std::size_t f : pareto_front(values)) {
    out.text += fmt::format("  {}", good[f].first);
    for (std::size_t m = 0; m < wanted.size(); ++m)
      out.text += fmt::format("\t{}", wanted[m].largest ? -values[f][m] : values[f][m]);
    for (const auto& v : points.at(good[f].first).values) out.text += "\t" + v.value_or("-");
    out.text += '\n';
  }
  return out;
}

}  // namespace memwall::sweep
