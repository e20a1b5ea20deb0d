// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/standard.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] {
    const fuzz::file standard(data, size);
    dram::load_standard(standard.path());
  });
}
