// SPDX-License-Identifier: Apache-2.0
// The bytes behind a core's transfers, for runs that carry them. Nothing here takes time.
#pragma once
#include <cstdint>

#include "hw/core/work.h"

namespace memwall {

class core_data {
 public:
  virtual ~core_data() = default;
  /// An operator starts; its transfers follow.
  virtual void begin(const operation& op) = 0;
  /// Where the bytes of a read go, and what a write sends: valid until the operator's end.
  virtual unsigned char* for_read(std::uint64_t address, std::int64_t bytes) = 0;
  virtual unsigned char* for_write(std::uint64_t address, std::int64_t bytes) = 0;
  /// A read has come back; `data` is what for_read() gave.
  virtual void arrived(const unsigned char* data) = 0;
  /// All operands are there: the operator's results can be computed.
  virtual void operands_there() = 0;
};

}  // namespace memwall
