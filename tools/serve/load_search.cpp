// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/load_search.h"

#include <algorithm>
#include <cmath>

namespace memwall::tools {
namespace {

/// Four digits: a rate that somebody can type again.
double rounded(double v) {
  const double unit = std::pow(10, std::floor(std::log10(v)) - 3);
  return std::round(v / unit) * unit;
}

}  // namespace

load_search::load_search(double ceiling, double precision, bool whole)
    : m_too_much(ceiling), m_least(whole ? 1 : ceiling / 1024), m_precision(precision), m_whole(whole) {}

std::optional<double> load_search::next() const {
  const auto value = [this](double v) { return m_whole ? std::floor(v) : rounded(v); };
  if (m_carried == 0) {
    const double half = value(m_too_much / 2);
    return half < m_least * 0.999 ? std::nullopt : std::optional(half);
  }
  if (m_too_much <= m_carried * (1 + m_precision)) return std::nullopt;
  const double middle = value(std::sqrt(m_carried * m_too_much));
  if (middle <= m_carried || middle >= m_too_much) {
    // Whole numbers, or digits, end before the bracket is narrow; between 1 and 3 the root rounds down to 1.
    const double above = m_carried + 1;
    return m_whole && above < m_too_much ? std::optional(above) : std::nullopt;
  }
  return middle;
}

void load_search::told(double load, bool carried) {
  if (carried)
    m_carried = std::max(m_carried, load);
  else
    m_too_much = std::min(m_too_much, load);
}

}  // namespace memwall::tools
