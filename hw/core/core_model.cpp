// SPDX-License-Identifier: Apache-2.0
#include "hw/core/core_model.h"

#include <nlohmann/json.hpp>

namespace memwall {

nlohmann::ordered_json core_model::figures(ps_t) const {
  return nlohmann::ordered_json::object();
}

registry<core_kind>& core_kinds() {
  static registry<core_kind> kinds("core");
  return kinds;
}

}  // namespace memwall
