// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/policy.h"

#include "hw/dram/engine/front_end.h"
#include "hw/dram/engine/page_policy.h"
#include "hw/dram/engine/queues.h"
#include "hw/dram/engine/refresh.h"
#include "hw/dram/engine/scheduler.h"

namespace memwall::dram {

// Defined here, used before main() by the policies that register themselves.
template <>
policy_registry<scheduler>& policies() {
  static policy_registry<scheduler> all("scheduler");
  return all;
}
template <>
policy_registry<page_policy>& policies() {
  static policy_registry<page_policy> all("page policy");
  return all;
}
template <>
policy_registry<refresh_policy>& policies() {
  static policy_registry<refresh_policy> all("refresh");
  return all;
}
template <>
policy_registry<queue_organisation>& policies() {
  static policy_registry<queue_organisation> all("queue organisation");
  return all;
}
template <>
policy_registry<front_end>& policies() {
  static policy_registry<front_end> all("front end");
  return all;
}

}  // namespace memwall::dram
