// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/driver.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dram::standard ddr4 = dram::load_standard("DDR4-3200");
  static const dram::address_map map({ddr4.default_map, 1, 256}, ddr4.org);
  const fuzz::file requests(data, size);
  return fuzz::accept_or_refuse([&] {
    const auto in = dram::open_trace(requests.path(), ddr4, map, 0, 1000);
    for (dram::request r; in->next(r);) {
    }
  });
}
