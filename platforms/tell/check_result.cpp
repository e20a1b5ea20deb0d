// SPDX-License-Identifier: Apache-2.0
#include "platforms/tell/check_result.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "hw/common/checked.h"
#include "platforms/tell/summary.h"

namespace memwall::platforms {
namespace {

using json = nlohmann::ordered_json;

class checker {
 public:
  std::vector<std::string> found;

  void whole(const json& result) {
    const bool partial = result.value("partial", false);
    const json& summary = result.at("summary");
    const double time = number(summary, "time_ns");
    if (partial ? time < 0 : !(time > 0)) say("summary.time_ns", "is " + fmt::format("{}", time));
    if (time > static_cast<double>(longest_run) / 1000) say("summary.time_ns", "is beyond what the clocks count");
    stack("stall_stack_ns", result, time);
    for (const char* section : {"summary", "memories", "buses", "links", "executors", "generators", "pagers"})
      if (const auto at = result.find(section); at != result.end()) figures(section, *at);
    if (const auto layers = result.find("layers"); layers != result.end())
      for (std::size_t i = 0; i < layers->size() && found.size() < most; ++i)
        layer(fmt::format("layers.{}", i), (*layers)[i]);
    for (const auto& path : undeclared(result)) say(path, "is a figure that no table declares");
  }

 private:
  static constexpr std::size_t most = 10;

  static double number(const json& in, const char* key) {
    const auto at = in.find(key);
    return at != in.end() && at->is_number() ? at->get<double>() : std::nan("");
  }
  void say(const std::string& where, const std::string& what) {
    if (found.size() < most) found.push_back(where + " " + what);
  }

  /// Nothing that is counted or measured is negative.
  void figures(const std::string& where, const json& in) {
    if (in.is_number()) {
      if (const double v = in.get<double>(); !(v >= 0) || std::isinf(v)) say(where, fmt::format("is {}", v));
    } else if (in.is_structured()) {
      for (const auto& [key, part] : in.items()) figures(where + "." + key, part);
    }
  }

  /// Parts are whole picoseconds: they sum exactly.
  void stack(const std::string& where, const json& in, double time_ns) {
    const auto parts = in.find("stall_stack_ns");
    if (parts == in.end()) return say(where, "is missing");
    long long sum = 0;
    for (const auto& [cause, part] : parts->items()) {
      if (!part.is_number() || part.get<double>() < 0) say(where + "." + cause, "is " + part.dump());
      if (part.is_number()) sum += std::llround(part.get<double>() * 1000);
    }
    if (sum != std::llround(time_ns * 1000))
      say(where, fmt::format("sums to {} ps, the time is {} ps", sum, std::llround(time_ns * 1000)));
  }

  void layer(const std::string& where, const json& in) {
    const double start = number(in, "start_ns"), end = number(in, "end_ns");
    if (!(start >= 0) || !(end >= start)) say(where, fmt::format("lasts from {} ns to {} ns", start, end));
    if (const auto parts = in.find("stall_stack_ns"); parts != in.end())
      stack(where + ".stall_stack_ns", in,
            static_cast<double>(std::llround(end * 1000) - std::llround(start * 1000)) / 1000);
  }
};

}  // namespace

std::vector<std::string> defects_of(const nlohmann::ordered_json& result) {
  checker c;
  c.whole(result);
  return std::move(c.found);
}

void check_result(const nlohmann::ordered_json& result) {
  const auto found = defects_of(result);
  if (!found.empty())
    throw std::runtime_error(fmt::format("the result cannot be right:\n  {}", fmt::join(found, "\n  ")));
}

}  // namespace memwall::platforms
