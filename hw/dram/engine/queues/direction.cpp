// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/queues/two_queues.h"

namespace memwall::dram {
namespace {

class by_direction final : public copied<by_direction, two_queues, queue_organisation> {
 public:
  using copied::copied;
};

const policy_entry<queue_organisation, by_direction> entry{
    "direction", "a read enters while the read queue has room, a write while the write queue has"};

}  // namespace
}  // namespace memwall::dram
