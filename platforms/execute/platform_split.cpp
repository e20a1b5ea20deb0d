// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/platform_split.h"

#include <algorithm>
#include <utility>

namespace memwall::platforms {

platform_split::platform_split(const system& hw, const symmetry& alike, const placement& where,
                               const trace::header& header)
    : m_alike(alike), m_where(where), m_header(header) {
  for (const auto& m : hw.modules())
    if (m->as_core() != nullptr) {
      m_names.push_back(m->name());
      m_works.push_back(alike.works(m->name()));
    }
  for (const auto& g : where.groups())
    for (const auto& name : g.cores) {
      hw.core(name);  // refuses what cannot execute operators
      m_numbers[&g].push_back(
          static_cast<std::size_t>(std::find(m_names.begin(), m_names.end(), name) - m_names.begin()));
    }
}

std::vector<std::size_t> platform_split::cores_of(const trace::op& op) const {
  const executor_group& g = group_of(op);
  const auto& all = numbers(g);
  if (!g.pipeline) return all;
  return {all[m_where.pipeline_stage(op, all.size())]};
}

std::vector<core_task> platform_split::parts_of(const trace::op& op) const {
  const executor_group& g = group_of(op);
  return working(split_operator(op, m_header, m_where, g), g);
}

std::vector<core_task> platform_split::sums_of(const trace::op& op) const {
  const executor_group& g = group_of(op);
  return working(all_reduce(op, m_header, m_where, g), g);
}

std::vector<core_task> platform_split::working(std::vector<device_task> tasks, const executor_group& g) const {
  std::vector<core_task> out;
  const auto& all = numbers(g);
  for (auto& t : tasks)
    if (m_works[all[t.device]]) out.push_back({all[t.device], std::move(t.work)});
  return out;
}

}  // namespace memwall::platforms
