// SPDX-License-Identifier: Apache-2.0
// Options that are real numbers in a range.
#pragma once
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <string>

namespace memwall::tools {

/// As CLI::Range, which lets "nan" pass: it is neither below nor above anything.
inline CLI::Validator number_between(double low, double high) {
  CLI::Validator range = CLI::Range(low, high);
  return CLI::Validator(
      [range, low, high](std::string& text) {
        if (text.find_first_of("nN") == std::string::npos) return range(text);
        return fmt::format("got '{}' (expected a number from {} to {})", text, low, high);
      },
      range.get_description());
}

}  // namespace memwall::tools
