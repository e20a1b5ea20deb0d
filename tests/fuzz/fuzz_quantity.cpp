// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "hw/common/quantity.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_of(data, size);
  for (const char* dimension : {"time", "size", "bandwidth", "energy", "frequency", "area"}) {
    double value = 0, back = 0;
    std::string expected;
    if (!parse_quantity(text, dimension, value, expected)) continue;
    // What is printed reads back to the same value.
    if (!parse_quantity(format_quantity(value, dimension), dimension, back, expected) || back != value) std::abort();
  }
  return 0;
}
