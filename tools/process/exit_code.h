// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace memwall::tools {

/// What a command returns to the shell; see the README.
enum exit_code : int {
  done = 0,
  internal_error = 1,
  bad_input = 2,
  does_not_fit = 3,
  cannot_write = 4,  ///< neither the input's fault nor a bug: a full disk, a lost file
  interrupted = 130
};

}  // namespace memwall::tools
