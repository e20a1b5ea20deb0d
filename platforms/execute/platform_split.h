// SPDX-License-Identifier: Apache-2.0
// How a platform's mapping spreads operators over its cores, as the schedule asks for it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "platforms/build/symmetry.h"
#include "platforms/build/system.h"
#include "platforms/execute/schedule.h"
#include "platforms/place/mapper.h"
#include "platforms/place/placement.h"

namespace memwall::platforms {

/// Cores are numbered in the order of the platform. All arguments must outlive it.
class platform_split final : public work_split {
 public:
  platform_split(const system& hw, const symmetry& alike, const placement& where, const trace::header& header);

  std::size_t cores() const { return m_names.size(); }
  const std::string& name(std::size_t core) const { return m_names[core]; }

  std::vector<std::size_t> cores_of(const trace::op& op) const override;
  std::vector<core_task> parts_of(const trace::op& op) const override;
  std::vector<core_task> sums_of(const trace::op& op) const override;
  int devices() const override { return m_alike.devices(); }
  launch_ahead launches_ahead(std::size_t core) const override { return m_models[core]->launches_ahead(); }
  std::int64_t kernels_of(const trace::op& op, std::size_t core) const override;

 private:
  const executor_group& group_of(const trace::op& op) const { return m_where.executors(m_where.rule(op)); }
  /// By position in a group: the core's number.
  const std::vector<std::size_t>& numbers(const executor_group& g) const { return m_numbers.at(&g); }
  std::vector<core_task> working(std::vector<device_task> tasks, const executor_group& g) const;

  const symmetry& m_alike;
  const placement& m_where;
  const trace::header& m_header;
  std::vector<std::string> m_names;                                     // by number
  std::vector<const core_model*> m_models;                              // by number
  std::vector<bool> m_works;                                            // by number; the others are stood for
  std::map<const executor_group*, std::vector<std::size_t>> m_numbers;  // looked up only
};

}  // namespace memwall::platforms
