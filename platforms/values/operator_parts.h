// SPDX-License-Identifier: Apache-2.0
// How an operator of the trace is read where its values are computed.
#pragma once
#include <stdexcept>
#include <string>

#include "traces/trace.h"

namespace memwall::platforms {

/// "attn.qkv" of "layers.3.attn.qkv".
inline std::string local_name(const trace::op& op) {
  if (op.layer < 0) return op.name;
  return op.name.substr(op.name.find('.', op.name.find('.') + 1) + 1);
}

/// The nth use of a kind.
inline std::size_t use_of(const trace::op& op, trace::access what, std::size_t nth = 0) {
  for (std::size_t i = 0; i < op.uses.size(); ++i)
    if (op.uses[i].what == what && nth-- == 0) return i;
  throw std::logic_error("operator '" + op.name + "' lacks a use");
}

}  // namespace memwall::platforms
