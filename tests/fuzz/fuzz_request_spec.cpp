// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz.h"
#include "traces/serving/request_spec.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_of(data, size);
  if (text.find("n=") != std::string::npos && text.find_first_of("0123456789", text.find("n=")) != std::string::npos &&
      text.size() > 60)
    return 0;  // many requests only take time
  return fuzz::accept_or_refuse([&] { serving::from_spec(text, 1); });
}
