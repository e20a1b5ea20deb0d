// SPDX-License-Identifier: Apache-2.0
#include "platforms/describe/badge.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "hw/common/config.h"
#include "hw/common/data_dir.h"
#include "hw/common/error.h"
#include "platforms/describe/description.h"

namespace memwall::platforms {
namespace {

constexpr const char* columns = "platform,figure,rows,median_error,p90_error";

std::string base_of(const std::string& platform) {
  const std::string path = data_path("platforms/presets/" + platform + ".yaml");
  if (path.empty()) return {};
  const config::node tree = config::node::parse_file(path);
  const config::node* base = tree.find("base");
  return base != nullptr ? base->text() : "";
}

/// Itself, its base, and so on.
std::vector<std::string> line_of(const std::string& platform, std::map<std::string, std::string>& bases) {
  std::vector<std::string> out;
  for (std::string p = platform; !p.empty() && std::find(out.begin(), out.end(), p) == out.end();) {
    out.push_back(p);
    if (bases.count(p) == 0) bases[p] = base_of(p);
    p = bases[p];
  }
  return out;
}

}  // namespace

badge badge::of_neighbour() const {
  badge out = *this;
  if (own) out.neighbours = {own->median_error, own->median_error};
  out.own.reset();
  return out;
}

std::string badge::text() const {
  if (own) return fmt::format("{} measured within {:.1f} % (n = {})", figure, 100 * own->median_error, own->rows);
  if (!neighbours) return fmt::format("{} extrapolated (n = 0)", figure);
  const auto whole = [](double share) { return fmt::format("{:.0f}", 100 * share); };
  if (whole(neighbours->first) == whole(neighbours->second))
    return fmt::format("{} extrapolated (n = 0), the nearest errs by {} %", figure, whole(neighbours->first));
  return fmt::format("{} extrapolated (n = 0), neighbours err by {:.0f} to {:.0f} %", figure, 100 * neighbours->first,
                     100 * neighbours->second);
}

std::vector<badge_row> read_badges(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!in || !std::getline(in, line) || line != columns)
    throw input_error(problem{file + ":1", "", "has the columns '" + line + "'", columns, ""});
  std::vector<badge_row> out;
  for (int n = 2; std::getline(in, line); ++n) {
    if (line.empty()) continue;
    std::istringstream cells(line);
    badge_row r;
    char comma = 0;
    if (!std::getline(cells, r.platform, ',') || !std::getline(cells, r.figure, ',') ||
        !(cells >> r.rows >> comma >> r.median_error >> comma >> r.p90_error) || r.rows < 1)
      throw input_error(problem{fmt::format("{}:{}", file, n), "", "got '" + line + "'", columns, ""});
    out.push_back(r);
  }
  return out;
}

std::string write_badges(const std::vector<badge_row>& rows) {
  std::string out = std::string(columns) + "\n";
  for (const auto& r : rows)
    out += fmt::format("{},{},{},{:.4f},{:.4f}\n", r.platform, r.figure, r.rows, r.median_error, r.p90_error);
  return out;
}

badge badge_of(const std::string& platform, const std::string& figure, const std::vector<badge_row>& rows) {
  badge out;
  out.figure = figure;
  std::map<std::string, std::string> bases;
  std::vector<const badge_row*> measured;
  for (const auto& r : rows)
    if (r.figure == figure) measured.push_back(&r);
  for (const auto* r : measured)
    if (r->platform == platform) out.own = *r;
  if (out.own) return out;
  // Up the line of bases until one of them, or a preset that comes from it, was measured.
  for (const auto& ancestor : line_of(platform, bases)) {
    for (const auto* r : measured) {
      const auto line = line_of(r->platform, bases);
      if (std::find(line.begin(), line.end(), ancestor) == line.end()) continue;
      if (!out.neighbours) out.neighbours = {r->median_error, r->median_error};
      out.neighbours->first = std::min(out.neighbours->first, r->median_error);
      out.neighbours->second = std::max(out.neighbours->second, r->median_error);
    }
    if (out.neighbours) break;
  }
  return out;
}

badge badge_of(const std::string& platform, const std::string& figure) {
  static const std::vector<badge_row> stored = [] {
    const std::string file = data_path("platforms/validation/badges.csv");
    return file.empty() ? std::vector<badge_row>{} : read_badges(file);
  }();
  return badge_of(platform, figure, stored);
}

}  // namespace memwall::platforms
