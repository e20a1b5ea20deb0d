// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz.h"
#include "tools/sweep/expression.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] {
    const sweep::expression e(fuzz::text_of(data, size), {"x", "platform"}, "s.yaml:1", "when");
    e.test([](std::size_t i) { return i == 0 ? sweep::value(4.0) : sweep::value(std::string("a")); });
  });
}
