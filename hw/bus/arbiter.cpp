// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/arbiter.h"

namespace memwall {

registry<arbiter_factory>& arbiters() {
  static registry<arbiter_factory> all("arbiter");
  return all;
}

}  // namespace memwall
