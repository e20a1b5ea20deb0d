// SPDX-License-Identifier: Apache-2.0
// What run and compare print: one screen an architect reads at a glance.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memwall::tools {

/// How standard output may look: colour and Unicode on a terminal, plain when piped or NO_COLOR is set.
struct terminal_style {
  bool colour = false, unicode = false;
  static terminal_style of_stdout();
};

/// "1.23 ms", "456 us": nanoseconds with three significant digits.
std::string human_time(double nanoseconds);
std::string human_flops(double operations);
std::string human_bytes(double bytes);  ///< decimal: 34.2 GB
std::string human_energy(double picojoules);
/// A bar of `width` cells filled to `fraction`.
std::string bar(double fraction, int width, const terminal_style& style);

/// A line on `fidelity.reuse`, empty where everything was simulated. `audited`: what the audits are of.
std::string reuse_line(const nlohmann::ordered_json& reuse, const char* audited);

/// The story of one result in at most 40 lines.
std::string run_screen(const nlohmann::ordered_json& result, const terminal_style& style);
/// Results side by side, a column each. Entries without `summary` (a run that was refused) show `message`.
std::string compare_screen(const std::vector<nlohmann::ordered_json>& results, const terminal_style& style);

}  // namespace memwall::tools
