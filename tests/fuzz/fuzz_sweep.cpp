// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz.h"
#include "tools/sweep/sweep_file.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] { sweep::parse_spec(fuzz::text_of(data, size), "s.yaml", "/nonexistent", {}); });
}
