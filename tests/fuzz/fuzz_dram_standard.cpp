// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/standard_reader.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] {
    problem_list problems;
    dram::read_standard(config::node::parse_text(fuzz::text_of(data, size), "s.yaml"), "s", problems);
    problems.check();
  });
}
