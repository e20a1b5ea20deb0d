// SPDX-License-Identifier: Apache-2.0
#include "hw/common/quantity.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <vector>

namespace memwall {
namespace {

struct unit {
  const char* dimension;
  const char* name;
  double scale;
  std::optional<int> tens = std::nullopt;  // the scale is this power of ten
};

/// The exponent of a power of ten; nothing for other scales. Asked once a unit.
std::optional<int> ten_to(double scale) {
  const int exponent = static_cast<int>(std::lround(std::log10(scale)));
  double power = 0;
  const std::string text = fmt::format("1e{}", exponent);
  std::from_chars(text.data(), text.data() + text.size(), power);
  return power == scale ? std::optional<int>(exponent) : std::nullopt;
}

/// A number in decimal digits: 0.d1d2d3... x 10^point.
struct decimal {
  bool negative = false;
  std::string digits;
  int point = 0;
};

/// The fewest digits that read back as `value`.
decimal shortest(double value) {
  decimal out;
  char buffer[40];
  const auto written =
      std::to_chars(std::begin(buffer), std::end(buffer), std::fabs(value), std::chars_format::scientific);
  const std::string_view shown(buffer, static_cast<std::size_t>(written.ptr - buffer));
  const auto e = shown.find('e');
  for (const char c : shown.substr(0, e))
    if (c != '.') out.digits += c;
  out.negative = std::signbit(value);
  out.point = std::atoi(std::string(shown.substr(e + 1)).c_str()) + 1;
  return out;
}

std::string written(const decimal& d) {
  std::string out = d.negative ? "-" : "";
  const int count = static_cast<int>(d.digits.size());
  if (d.point > 21 || d.point < -6) {
    out += d.digits.substr(0, 1) + (count > 1 ? "." + d.digits.substr(1) : "");
    return out + fmt::format("e{}", d.point - 1);
  }
  if (d.point <= 0) return out + "0." + std::string(static_cast<std::size_t>(-d.point), '0') + d.digits;
  if (d.point >= count) return out + d.digits + std::string(static_cast<std::size_t>(d.point - count), '0');
  return out + d.digits.substr(0, static_cast<std::size_t>(d.point)) + "." +
         d.digits.substr(static_cast<std::size_t>(d.point));
}

// The first unit of a dimension that brings a value to at least 1 is used for printing: order is large to small.
const std::vector<unit>& units() {
  static const std::vector<unit> table = [] {
    std::vector<unit> all = {
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
    for (unit& u : all) u.tens = ten_to(u.scale);
    return all;
  }();
  return table;
}

/// `text`, whose value is `number`, times the scale, correctly rounded: "0.3" and 1e-12 make what 0.3e-12 is.
double scaled(std::string text, double number, const unit& by) {
  if (!by.tens) return number * by.scale;
  int exponent = *by.tens;
  if (const auto e = text.find_first_of("eE"); e != std::string::npos) {
    exponent += std::atoi(text.c_str() + e + 1);
    text.resize(e);
  }
  text += fmt::format("e{}", exponent);
  double out = number * by.scale;  // where it is out of range
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
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
      value = scaled(std::string(first, end), number, u);
      return std::isfinite(value);
    }
  return false;
}

std::string format_quantity(double value, std::string_view dimension_name) {
  const unit* smallest = nullptr;
  const decimal d = shortest(value);
  for (const auto& u : units()) {
    if (dimension_name != u.dimension) continue;
    if (u.name == std::string_view("h")) break;  // units after this point are for reading only
    const auto& tens = u.tens;
    if (tens) smallest = &u;
    // A power of two is exact; it is used where it leaves a whole number.
    if (!tens && std::fabs(value) >= u.scale && std::fmod(value, u.scale) == 0)
      return written(shortest(value / u.scale)) + " " + u.name;
    if (tens && d.point - *tens >= 1 && value != 0) break;
    if (dimension_name == "size" && u.name == std::string_view("B")) break;
  }
  if (smallest == nullptr) return written(d);
  if (value == 0) return std::string("0 ") + smallest->name;
  decimal moved = d;
  moved.point -= smallest->tens.value_or(0);
  return written(moved) + " " + smallest->name;
}

}  // namespace memwall
