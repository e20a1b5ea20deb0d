// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <sstream>

#include "tests/fuzz/fuzz.h"
#include "traces/file.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] {
    const auto in = trace::read_stream(std::make_unique<std::istringstream>(fuzz::text_of(data, size)), "t.jsonl");
    for (trace::op o; in->next(o);) {
    }
  });
}
