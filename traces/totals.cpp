// SPDX-License-Identifier: Apache-2.0
#include "traces/totals.h"

namespace memwall::trace {

void totals::add(const op& o, const std::vector<tensor>& tensors) {
  ++ops;
  matmul_flops += o.matmul_flops;
  vector_flops += o.vector_flops;
  for (const auto& u : o.uses) {
    const auto c = static_cast<std::size_t>(tensors[u.tensor].cls);
    (u.what == access::read ? read : written)[c] += u.bytes;
  }
}

totals sum_of(op_stream& trace) {
  tally counted(trace);
  for (op o; counted.next(o);) {
  }
  return counted.sum();
}

}  // namespace memwall::trace
