// SPDX-License-Identifier: Apache-2.0
#include "hw/common/error.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <string>

namespace memwall {
namespace {

std::string join(const std::vector<problem>& problems) {
  std::string out;
  for (const auto& p : problems) {
    if (!out.empty()) out += '\n';
    out += p.text();
  }
  return out;
}

/// Letters changed, left out, put in or swapped with their neighbour; capitals do not matter.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const bool same = lower(a[i]) == lower(b[j]);
      next[j + 1] = std::min({row[j] + (same ? 0 : 1), row[j + 1] + 1, next[j] + 1});
      if (i > 0 && j > 0 && lower(a[i]) == lower(b[j - 1]) && lower(a[i - 1]) == lower(b[j]))
        next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row.back();
}

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

/// A list of names, cut where it is long: whoever is told the nearest name need not read all the others.
std::string shortened(const std::string& list) {
  constexpr std::size_t shown = 12;
  const auto names = std::count(list.begin(), list.end(), ',') + 1;
  if (list.rfind("one of: ", 0) != 0 || names <= static_cast<std::ptrdiff_t>(shown) + 1) return list;
  std::size_t end = 0;
  for (std::size_t n = 0; n < shown; ++n) end = list.find(',', end + 1);
  return list.substr(0, end) + ", and " + std::to_string(names - static_cast<std::ptrdiff_t>(shown)) + " more";
}

}  // namespace

std::string problem::text() const {
  std::string out;
  if (!where.empty()) out += where + ": ";
  if (!key.empty()) out += key + ": ";
  out += message;
  std::string more;
  if (!nearest.empty()) more += "did you mean '" + nearest + "'?";
  if (!expected.empty())
    more += (nearest.empty() ? "expected " : " Expected ") + (nearest.empty() ? expected : shortened(expected));
  if (!more.empty()) out += " (" + more + ")";
  return out;
}

input_error::input_error(std::vector<problem> problems)
    : std::runtime_error(join(problems)), m_problems(std::move(problems)) {}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, (name.size() + 1) / 3) + 1;
  for (const auto& candidate : candidates) {
    // What is much longer or shorter need not be compared.
    const std::size_t longer = std::max(name.size(), candidate.size()),
                      shorter = std::min(name.size(), candidate.size());
    if (longer - shorter >= best_distance) continue;
    const std::size_t d = edit_distance(name, candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  // "h100" for "von_neumann_h100": the shortest name that has it inside.
  if (best.empty() && name.size() >= 3)
    for (const auto& candidate : candidates)
      if (contains(candidate, name) && (best.empty() || candidate.size() < best.size())) best = candidate;
  return best;
}

}  // namespace memwall
