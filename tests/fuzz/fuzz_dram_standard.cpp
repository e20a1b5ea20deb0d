// SPDX-License-Identifier: Apache-2.0
#include "hw/common/config.h"
#include "hw/dram/standard.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::file standard(data, size);
  return fuzz::accept_or_refuse([&] { dram::load_standard(standard.path(), config::node()); });
}
