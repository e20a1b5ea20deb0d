// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "hw/core/core_model.h"

namespace memwall {

/// The model's plan for an operator. Throws input_error with the operator's name when the operator is larger than the
/// model's arithmetic or the clocks reach, or when the model refuses it.
work checked_plan(core_model& model, const operation& op);

}  // namespace memwall
