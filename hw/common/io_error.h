// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdexcept>

namespace memwall {

/// Something could not be written or read that should have been: a full disk, a lost file. Exit code 4: neither the
/// input's fault nor a bug, and it may go well next time.
class io_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace memwall
