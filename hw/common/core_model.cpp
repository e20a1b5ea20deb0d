// SPDX-License-Identifier: Apache-2.0
#include "hw/common/core_model.h"

namespace memwall {

registry<core_kind>& core_kinds() {
  static registry<core_kind> kinds("core");
  return kinds;
}

}  // namespace memwall
