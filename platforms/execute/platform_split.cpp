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
      m_models.push_back(&hw.core(m->name()).model());
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

std::int64_t platform_split::kernels_of(const trace::op& op, std::size_t core) const {
  const core_model& model = *m_models[core];
  if (!trace::is_gemm(op.kind)) {
    const bool named =
        op.kind == trace::op_kind::norm || op.kind == trace::op_kind::rope || op.kind == trace::op_kind::attention;
    return model.kernels_of(named ? std::string(trace::name_of(op.kind)) : "elementwise");
  }
  // A fused tensor ("q 4096 + k 1024 + v 1024") is one product for each of its parts, and for each expert.
  auto products = static_cast<std::int64_t>(std::max<std::size_t>(1, op.group_rows.size()));
  for (const auto& u : op.uses)
    if (const auto& t = m_header.tensors[u.tensor]; t.cls == trace::tensor_class::weights) {
      products *= 1 + std::count(t.parts.begin(), t.parts.end(), '+');
      break;
    }
  const bool narrow = op.m > 1 && op.weight.bits() < op.input.bits();
  return products * (model.kernels_of("product") + (narrow ? model.kernels_of("expand") : 0));
}

std::vector<core_task> platform_split::working(std::vector<device_task> tasks, const executor_group& g) const {
  std::vector<core_task> out;
  const auto& all = numbers(g);
  for (auto& t : tasks)
    if (m_works[all[t.device]]) out.push_back({all[t.device], std::move(t.work)});
  return out;
}

}  // namespace memwall::platforms
