// SPDX-License-Identifier: Apache-2.0
// Finding the Pareto front of a sweep with a fraction of its points. See README.md, "Search".
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/sweep/executor.h"
#include "tools/sweep/pareto.h"
#include "tools/sweep/surrogate.h"

namespace memwall::sweep {

/// Proposes which candidates to evaluate next. Deterministic: the same answers lead to the same questions.
///
/// A first batch is spread over the axes (Latin hypercube). From then on a Gaussian process for each
/// objective guesses at all other candidates, and a batch is chosen one by one: the candidate whose
/// optimistic guess (mean - k deviations, k cycling from bold to sober) adds most hypervolume to the front,
/// weighted with the share of feasible neighbours, then taken to behave as guessed while the rest of the
/// batch is chosen (the "believer" of Ginsbourger et al., 2010).
class pareto_search {
 public:
  /// `candidates`: coordinates; `count`: number of objectives.
  pareto_search(space s, std::vector<std::vector<double>> candidates, std::size_t count, std::size_t budget,
                std::uint64_t seed);

  /// The next candidates, at most the batch size; empty when the budget is spent.
  std::vector<std::size_t> propose();
  /// What came out; nothing when the candidate has no result (it does not fit, it crashed).
  void tell(std::size_t candidate, std::optional<objectives> result);

 private:
  std::vector<std::size_t> spread(std::size_t n) const;
  std::vector<std::size_t> pool() const;
  std::vector<std::size_t> improve(std::size_t n);
  double feasible(std::size_t candidate) const;

  space m_space;
  std::vector<std::vector<double>> m_candidates;
  std::size_t m_count, m_budget;
  std::uint64_t m_seed;
  std::map<std::size_t, std::optional<objectives>> m_told;
  std::vector<surrogate> m_models;
  std::size_t m_scaled_at = 0;  ///< results when length scales were last chosen
};

/// "time" -> time_ns, "energy" -> energy_pj and other short words; "max:KEY" for what is to be large.
struct objective_name {
  std::string key;  ///< of summary{}
  bool largest = false;
};
objective_name parse_objective(const std::string& text);

struct search_outcome {
  run_outcome how;                     ///< of its last batch
  std::vector<std::size_t> evaluated;  ///< numbers of the points, ascending
  std::size_t simulated = 0;           ///< of them now, not from records
  std::string text;                    ///< the front, for people
};

search_outcome search(const plan& points, const record_store& records, const sweep_options& options, executor& runs,
                      const std::vector<std::string>& names, std::size_t budget);

}  // namespace memwall::sweep
