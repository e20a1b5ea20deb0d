// SPDX-License-Identifier: Apache-2.0
// The lists of result.json that modules have entries in.
#pragma once
#include <cstddef>

namespace memwall::platforms {

enum class result_section { memories, buses, links, executors, generators, pagers, others, count_ };
constexpr std::size_t result_sections = static_cast<std::size_t>(result_section::count_);

constexpr const char* section_name(result_section s) {
  constexpr const char* names[result_sections] = {"memories",   "buses",  "links", "executors",
                                                  "generators", "pagers", "others"};
  return names[static_cast<std::size_t>(s)];
}
/// Few platforms have modules for it: the list is left out where it would be empty.
constexpr bool is_rare(result_section s) {
  return s == result_section::generators || s == result_section::pagers || s == result_section::others;
}

}  // namespace memwall::platforms
