// SPDX-License-Identifier: Apache-2.0
#include "hw/common/problem_place.h"

#include <algorithm>

namespace memwall {

problem located(problem p, const config::node& tree, const std::string& path) {
  if (!p.where.empty()) return p;
  const std::string key = p.key;
  std::string_view inside = key;
  const bool has_path = !path.empty() && inside.substr(0, path.size()) == path;
  if (has_path) inside.remove_prefix(std::min(inside.size(), path.size() + 1));
  if (!has_path && !path.empty()) p.key = key.empty() ? path : path + "." + key;
  // The key itself, or the innermost map around it that is there.
  p.where = tree.where();
  for (const config::node* at = &tree; at != nullptr && !inside.empty();) {
    const auto dot = inside.find('.');
    at = at->find(inside.substr(0, dot));
    inside = dot == std::string_view::npos ? std::string_view{} : inside.substr(dot + 1);
    if (at != nullptr && !at->where().empty()) p.where = at->where();
  }
  return p;
}

}  // namespace memwall
