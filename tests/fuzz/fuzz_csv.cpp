// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <sstream>

#include "hw/common/csv.h"
#include "tests/fuzz/fuzz.h"

using namespace memwall;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::accept_or_refuse([&] {
    csv_reader in(std::make_unique<std::istringstream>(fuzz::text_of(data, size)), "t.csv", "a table");
    std::string again = "a";
    for (std::size_t c = 1; c < in.head().size(); ++c) again += ",a";
    std::vector<std::vector<std::string>> rows;
    for (std::vector<std::string> cells; in.next(cells); rows.push_back(cells)) {
      again += "\n";
      for (std::size_t c = 0; c < cells.size(); ++c) again += (c > 0 ? "," : "") + csv_cell(cells[c]);
    }
    // What is written reads back.
    csv_reader second(std::make_unique<std::istringstream>(again), "again.csv", "a table");
    std::size_t row = 0;
    for (std::vector<std::string> cells; second.next(cells); ++row)
      if (row >= rows.size() || cells != rows[row]) std::abort();
    if (row != rows.size()) std::abort();
  });
}
