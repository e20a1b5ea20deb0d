// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz.h"
#include "tools/npy.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::file array(data, size);
  return fuzz::accept_or_refuse([&] { tools::read_npy(array.path()); });
}
