// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/rate_range.h"

#include <algorithm>
#include <cmath>

#include "hw/common/error.h"
#include "hw/common/params.h"

namespace memwall::tools {
namespace {

constexpr double most = 1e9;
constexpr std::int64_t most_points = 200;

double rate(const std::string& text, const std::string& part, const std::string& option) {
  double out = 0;
  if (!detail::read_number(part, out) || !(out > 0) || out > most)
    throw input_error(problem{option, "", "got '" + part + "'" + (part == text ? "" : " in '" + text + "'"),
                              "requests a second, a number above 0; or FROM..TO, FROM..TO:POINTS", ""});
  return out;
}

}  // namespace

std::vector<double> parse_rates(const std::string& text, const std::string& option) {
  const std::size_t dots = text.find("..");
  std::vector<double> out;
  if (dots == std::string::npos) {
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t comma = std::min(text.find(',', at), text.size());
      out.push_back(rate(text, text.substr(at, comma - at), option));
      at = comma + 1;
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }
  const std::size_t colon = std::min(text.find(':', dots), text.size());
  const double low = rate(text, text.substr(0, dots), option),
               high = rate(text, text.substr(dots + 2, colon - dots - 2), option);
  if (high <= low)
    throw input_error(problem{option, "", "'" + text + "' ends before it begins", "a rate and a larger one", ""});
  std::int64_t points = 8;
  if (colon < text.size() && !detail::read_integer(text.substr(colon + 1), 2, most_points, points))
    throw input_error(problem{option, "", "got '" + text.substr(colon + 1) + "' points in '" + text + "'",
                              "an integer from 2 to " + std::to_string(most_points), ""});
  for (std::int64_t i = 0; i < points; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(points - 1);
    const double exact = low * std::pow(high / low, share), unit = std::pow(10, std::floor(std::log10(exact)) - 3);
    // Four digits: a rate that somebody can type again. The ends stay what they are.
    out.push_back(i == 0 ? low : i == points - 1 ? high : std::round(exact / unit) * unit);
  }
  return out;
}

std::string with_some_rate(const std::string& requests) {
  const std::size_t colon = std::min(requests.find(':'), requests.size());
  const std::string process = requests.substr(0, colon);
  if (process != "poisson" && process != "constant" && process != "gamma") return requests;
  // A word starts behind the ':' or a ','.
  if (requests.find(":rate=") != std::string::npos || requests.find(",rate=") != std::string::npos) return requests;
  return requests +
         (colon < requests.size() && colon + 1 < requests.size() ? ","
          : colon < requests.size()                              ? ""
                                                                 : ":") +
         "rate=1";
}

std::optional<std::size_t> knee_of(const std::vector<std::pair<double, double>>& points) {
  std::optional<std::size_t> best;
  double power = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto [rate, latency] = points[i];
    if (!(latency > 0) || rate / latency <= power) continue;
    power = rate / latency;
    best = i;
  }
  if (best && *best + 1 == points.size()) return std::nullopt;
  return best;
}

}  // namespace memwall::tools
