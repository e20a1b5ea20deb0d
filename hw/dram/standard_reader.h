// SPDX-License-Identifier: Apache-2.0
// From the tree of a standard's file, bases merged in, to its values. Internal to hw/dram.
#pragma once
#include <string>

#include "hw/common/config.h"
#include "hw/common/error.h"
#include "hw/dram/standard.h"

namespace memwall::dram {

/// Checks everything, throws all problems at once (those that were there before included).
standard read_standard(config::node tree, const std::string& name, problem_list& problems);

}  // namespace memwall::dram
