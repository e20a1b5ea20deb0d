// SPDX-License-Identifier: Apache-2.0
// How much load a server carries: a search over a yes or no that changes once.
#pragma once
#include <cstdint>
#include <optional>

namespace memwall::tools {

/// Halves a load that is too much until one is carried, then halves the bracket between the two, in logarithms, until
/// it is as narrow as asked for.
class load_search {
 public:
  /// `ceiling`: a load that is known to be too much. `precision`: relative width of the last bracket. `whole`: loads
  /// are whole numbers, and one is the least. Otherwise the least that is tried is a 1024th of the ceiling.
  load_search(double ceiling, double precision, bool whole);

  /// What to try next; nothing: the search is over.
  std::optional<double> next() const;
  void told(double load, bool carried);

  double carried() const { return m_carried; }    ///< the most that was carried; 0: nothing was
  double too_much() const { return m_too_much; }  ///< the least that was not

 private:
  double m_carried = 0, m_too_much, m_least, m_precision;
  bool m_whole;
};

}  // namespace memwall::tools
