// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "platforms/describe/description.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] {
    const auto d = platforms::read_platform(config::node::parse_text(fuzz::text_of(data, size), "p.yaml"), "p");
    d.tree.to_json().dump();
  });
}
