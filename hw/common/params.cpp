// SPDX-License-Identifier: Apache-2.0
#include "hw/common/params.h"

#include <charconv>
#include <cmath>

namespace memwall::detail {

bool read_integer(const std::string& text, std::int64_t lowest, std::int64_t highest, std::int64_t& out) {
  const char* last = text.data() + text.size();
  const auto [end, failure] = std::from_chars(text.data(), last, out);
  return failure == std::errc{} && end == last && !text.empty() && out >= lowest && out <= highest;
}

bool read_number(const std::string& text, double& out) {
  const char* last = text.data() + text.size();
  const auto [end, failure] = std::from_chars(text.data(), last, out);
  return failure == std::errc{} && end == last && !text.empty() && std::isfinite(out);
}

}  // namespace memwall::detail
