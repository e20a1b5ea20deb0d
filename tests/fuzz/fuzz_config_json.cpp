// SPDX-License-Identifier: Apache-2.0
#include "models/model.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] {
    const model m = parse_model(fuzz::text_of(data, size), "config.json", "m");
    parameter_count(m);
  });
}
