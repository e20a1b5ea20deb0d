// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "platforms/describe/description.h"

namespace memwall::platforms {

/// Whether a rule of the mapping is one for an operator; names of kinds and phases as the trace spells them.
bool matches(const mapping_rule& rule, const std::string& name, std::string_view kind, std::int64_t layer,
             std::string_view phase);

}  // namespace memwall::platforms
