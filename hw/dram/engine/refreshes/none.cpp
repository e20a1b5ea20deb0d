// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/refresh.h"

namespace memwall::dram {
namespace {

class no_refresh final : public copied<no_refresh, refresh_policy> {
 public:
  explicit no_refresh(const channel_setup&) {}
};

const policy_entry<refresh_policy, no_refresh> entry{"none", "rows keep their charge"};

}  // namespace
}  // namespace memwall::dram
