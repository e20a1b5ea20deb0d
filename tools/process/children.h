// SPDX-License-Identifier: Apache-2.0
// Several children at once, to their end: what compare, validate, sweep and whatif do.
#pragma once
#include <cstddef>
#include <functional>

#include "tools/process/child.h"

namespace memwall::tools {

struct child_jobs {
  std::size_t count = 0;
  int at_once = 1;
  /// What the children do when this process is asked to stop. `ask`: they are sent TERM, so that they keep what they
  /// have; who has not ended after a second and a half, or at a second signal, is killed. `kill`: at once.
  enum class stop { ask, kill } when_stopped = stop::ask;
  std::function<child_setup(std::size_t)> start;
  /// Called once for each that ended. False: the others are killed, no more are started.
  std::function<bool(std::size_t, const child_end&)> ended;
  std::function<void()> waiting;  ///< called several times a second; may be empty
};

/// True when all jobs came to their end; false after a signal, or when `ended` said so. No child is left in any case,
/// also when a callback throws.
bool run_children(const child_jobs& jobs);

}  // namespace memwall::tools
