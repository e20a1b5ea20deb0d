// SPDX-License-Identifier: Apache-2.0
// What a config.json says about how its checkpoint is quantised.
#pragma once
#include "hw/common/config.h"
#include "models/model.h"

namespace memwall {

/// Sets model::stored to the types that the checkpoint is stored in and says so in model::notes; where the description
/// is of a kind memwall does not know, the note says that it was not used. `description`: the value of
/// quantization_config (of the transformers library) or quantization (of MLX).
void read_stored_types(const config::node& description, model& m);

}  // namespace memwall
