// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "hw/common/quantity.h"

namespace memwall::sweep {

/// A quantity of a dimension that the text itself tells.
struct any_quantity {
  double value = 0;  ///< in the dimension's base unit
  const char* dimension = "";
};

/// "5.2 Gbps" -> 5.2e9 of "bit rate"; nothing for bare numbers and other text.
inline std::optional<any_quantity> parse_any_quantity(std::string_view text) {
  static constexpr std::array<const char*, 10> dimensions = {
      dimension::time::name,     dimension::frequency::name, dimension::size::name,  dimension::bandwidth::name,
      dimension::bit_rate::name, dimension::energy::name,    dimension::power::name, dimension::rate::name,
      dimension::area::name,     dimension::voltage::name};
  if (text.empty() || text.find_first_of("0123456789") == std::string_view::npos) return std::nullopt;
  std::string ignored;
  for (const char* d : dimensions) {
    double v = 0;
    if (parse_quantity(text, d, v, ignored)) return any_quantity{v, d};
  }
  return std::nullopt;
}

}  // namespace memwall::sweep
