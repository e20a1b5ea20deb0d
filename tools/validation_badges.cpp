// SPDX-License-Identifier: Apache-2.0
#include "tools/validation_badges.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace memwall::tools {

double quantile(std::vector<double> v, double part) {
  if (v.empty()) return 0;
  std::sort(v.begin(), v.end());
  const auto at = static_cast<std::size_t>(std::ceil(part * static_cast<double>(v.size())));
  return v[std::max<std::size_t>(at, 1) - 1];
}

double median(std::vector<double> v) {
  if (v.empty()) return 0;
  std::sort(v.begin(), v.end());
  return v.size() % 2 == 1 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

std::string figure_of(const std::string& metric) {
  if (metric == "prefill_tokens_per_s" || metric == "first_token_ms") return "prefill";
  if (metric == "watts" || metric == "joules_per_token") return "energy";
  // Whole requests are mostly decoding.
  if (metric == "decode_tokens_per_s" || metric == "token_ms" || metric == "token_ms_per_sequence" ||
      metric == "total_ms" || metric == "generated_tokens_per_s" || metric == "total_tokens_per_s")
    return "decode";
  return {};
}

std::vector<platforms::badge_row> badges_of(const std::vector<validated>& rows) {
  std::map<std::pair<std::string, std::string>, std::vector<double>> errors;
  for (const auto& r : rows)
    if (const std::string figure = figure_of(r.metric); !figure.empty() && !r.platform.empty())
      errors[{r.platform, figure}].push_back(std::abs(r.error));
  std::vector<platforms::badge_row> out;
  for (const auto& [key, list] : errors)
    out.push_back({key.first, key.second, static_cast<std::int64_t>(list.size()), median(list), quantile(list, 0.9)});
  return out;
}

std::vector<platforms::badge_row> merge_badges(std::vector<platforms::badge_row> stored,
                                               const std::vector<platforms::badge_row>& fresh) {
  const auto key = [](const platforms::badge_row& r) { return std::make_pair(r.platform, r.figure); };
  std::map<std::pair<std::string, std::string>, platforms::badge_row> all;
  for (const auto& r : stored) all[key(r)] = r;
  for (const auto& r : fresh) all[key(r)] = r;
  std::vector<platforms::badge_row> out;
  for (auto& [unused, r] : all) out.push_back(std::move(r));
  return out;
}

}  // namespace memwall::tools
