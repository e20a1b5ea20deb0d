// SPDX-License-Identifier: Apache-2.0
#include "hw/common/json_document.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] { parse_json_document(fuzz::text_of(data, size), "r.json", "a result").dump(); });
}
