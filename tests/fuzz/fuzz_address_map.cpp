// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/address_map.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dram::standard ddr4 = dram::load_standard("DDR4-3200");
  return fuzz::accept_or_refuse([&] { dram::address_map({fuzz::text_of(data, size), 2, 256}, ddr4.org); });
}
