// SPDX-License-Identifier: Apache-2.0
#include "hw/common/quantity.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <vector>

namespace memwall {
namespace {

struct unit {
  const char* dimension;
  const char* name;
  double scale;
};

// The first unit of a dimension that brings a value to at least 1 is used for printing: order is large to small.
const std::vector<unit>& units() {
  static const std::vector<unit> table = {
      {"time", "s", 1},
      {"time", "ms", 1e-3},
      {"time", "us", 1e-6},
      {"time", "ns", 1e-9},
      {"time", "ps", 1e-12},
      {"time", "h", 3600},
      {"time", "day", 86400},
      {"frequency", "GHz", 1e9},
      {"frequency", "MHz", 1e6},
      {"frequency", "kHz", 1e3},
      {"frequency", "Hz", 1},
      {"size", "TiB", 1099511627776.0},
      {"size", "GiB", 1073741824.0},
      {"size", "MiB", 1048576.0},
      {"size", "KiB", 1024.0},
      {"size", "B", 1},
      {"size", "TB", 1e12},
      {"size", "GB", 1e9},
      {"size", "MB", 1e6},
      {"size", "kB", 1e3},
      {"bandwidth", "TB/s", 1e12},
      {"bandwidth", "GB/s", 1e9},
      {"bandwidth", "MB/s", 1e6},
      {"bandwidth", "kB/s", 1e3},
      {"bandwidth", "B/s", 1},
      {"bandwidth", "GiB/s", 1073741824.0},
      {"bandwidth", "MiB/s", 1048576.0},
      {"bit rate", "Tbps", 1e12},
      {"bit rate", "Gbps", 1e9},
      {"bit rate", "Mbps", 1e6},
      {"bit rate", "bps", 1},
      {"bit rate", "GT/s", 1e9},
      {"bit rate", "MT/s", 1e6},
      {"energy", "J", 1},
      {"energy", "mJ", 1e-3},
      {"energy", "uJ", 1e-6},
      {"energy", "nJ", 1e-9},
      {"energy", "pJ", 1e-12},
      {"energy", "fJ", 1e-15},
      {"power", "kW", 1e3},
      {"power", "W", 1},
      {"power", "mW", 1e-3},
      {"power", "uW", 1e-6},
      {"power", "nW", 1e-9},
      {"operation rate", "POPS", 1e15},
      {"operation rate", "TOPS", 1e12},
      {"operation rate", "GOPS", 1e9},
      {"operation rate", "MOPS", 1e6},
      {"operation rate", "OPS", 1},
      {"operation rate", "PFLOPS", 1e15},
      {"operation rate", "TFLOPS", 1e12},
      {"operation rate", "GFLOPS", 1e9},
      {"area", "mm2", 1e-6},
      {"area", "um2", 1e-12},
      {"voltage", "V", 1},
      {"voltage", "mV", 1e-3},
  };
  return table;
}

}  // namespace

bool parse_quantity(std::string_view text, std::string_view dimension_name, double& value, std::string& expected) {
  expected = "a number with a unit of " + std::string(dimension_name) + ":";
  for (const auto& u : units())
    if (dimension_name == u.dimension) expected += std::string(" ") + u.name;
  const char* first = text.data();
  const char* last = first + text.size();
  double number = 0;
  const auto [end, failure] = std::from_chars(first, last, number);
  if (failure != std::errc{} || !std::isfinite(number)) return false;
  std::string_view suffix(end, static_cast<std::size_t>(last - end));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  while (!suffix.empty() && suffix.back() == ' ') suffix.remove_suffix(1);
  for (const auto& u : units())
    if (dimension_name == u.dimension && suffix == u.name) {
      // Dividing by the inverse keeps "0.3 ps" and friends exact to the last bit more often than multiplying.
      value = u.scale < 1 ? number / (1 / u.scale) : number * u.scale;
      return std::isfinite(value);
    }
  return false;
}

std::string format_quantity(double value, std::string_view dimension_name) {
  const unit* fallback = nullptr;
  for (const auto& u : units()) {
    if (dimension_name != u.dimension) continue;
    if (u.name == std::string_view("h")) break;  // units after this point are for reading only
    const double scaled = u.scale < 1 ? value * (1 / u.scale) : value / u.scale;
    fallback = &u;
    const bool binary = std::string_view(u.name).find('i') != std::string_view::npos && dimension_name == "size";
    if (std::fabs(scaled) >= 1 - 1e-14 && (!binary || scaled == std::floor(scaled))) {
      // The number that a person wrote has few digits; scaling may have added others ("199.99999999999997 ns", or just
      // less than 1).
      for (const std::string& text :
           {fmt::format("{:.15g} {}", scaled, u.name), fmt::format("{} {}", scaled, u.name)}) {
        double back = 0;
        std::string ignored;
        if (parse_quantity(text, dimension_name, back, ignored) && back == value) return text;
      }
    }
    if (dimension_name == "size" && u.name == std::string_view("B")) break;
  }
  if (fallback == nullptr) return fmt::format("{}", value);
  // No readable form reads back to the same value: print it in the smallest unit, exactly.
  const double scaled = fallback->scale < 1 ? value * (1 / fallback->scale) : value / fallback->scale;
  return fmt::format("{} {}", scaled, fallback->name);
}

}  // namespace memwall
