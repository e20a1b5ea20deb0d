// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz.h"
#include "traces/importer.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::file table(data, size);
  return fuzz::accept_or_refuse([&] { trace::open(table.path(), "gemm_csv", dtypes::parse("int8")); });
}
