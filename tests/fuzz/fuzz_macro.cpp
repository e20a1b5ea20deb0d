// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/macro.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse(
      [&] { cim::make_macro(config::node::parse_text(fuzz::text_of(data, size), "m.yaml"), "macro"); });
}
