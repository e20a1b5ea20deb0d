// SPDX-License-Identifier: Apache-2.0
// memwall beside other simulators on the same traffic with the same timing parameters: prints the table of
// hw/dram/README.md, and fails where a row leaves its tolerance. The rows are in peers.csv.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "hw/common/data_dir.h"
#include "hw/dram/driver.h"

using namespace memwall;
using namespace memwall::dram;

namespace {

struct row {
  std::string tool, set, standard, map, settings, pattern, tolerance, note;
  double time_ns = 0, latency_ns = 0, requests_per_s = 0;
};

std::vector<row> rows() {
  std::ifstream file(std::string(MEMWALL_SOURCE_DIR) + "/tests/dram/peers.csv");
  std::vector<row> out;
  std::string line;
  bool header = true;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    if (header) {
      header = false;
      continue;
    }
    std::vector<std::string> f;
    std::stringstream in(line + ",");
    for (std::string field; std::getline(in, field, ',');) f.push_back(field);
    if (f.size() != 12) throw std::runtime_error("peers.csv: " + line);
    out.push_back(
        {f[0], f[1], f[2], f[3], f[4], f[5], f[10], f[11], std::stod(f[7]), std::stod(f[8]), std::stod(f[9])});
  }
  return out;
}

driver_result run(const row& r) {
  driver_params p;
  p.standard = r.standard.rfind("data/", 0) == 0
                   ? std::string(MEMWALL_SOURCE_DIR) + "/tests/dram/" + r.standard + ".yaml"
                   : r.standard;
  if (p.standard.size() > 10 && p.standard.substr(p.standard.size() - 10) == ".yaml.yaml")
    p.standard.resize(p.standard.size() - 5);
  p.map = r.map;
  p.pattern.pattern = r.pattern;
  config::node set = config::node::map("peers.csv");
  std::stringstream words(r.settings);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    const auto key = word.substr(0, equals);
    const auto value = config::node::scalar(word.substr(equals + 1), "peers.csv");
    if (key == "queue")
      set.insert("read_queue", value), set.insert("write_queue", value);
    else
      set.insert(key, value);
  }
  problem_list problems;
  controller_table().read(set, p.controller, problems);
  problems.check();
  return run_driver(p);
}

// One default test for the rows that must agree most closely; all others are slow.
void compare(bool quick) {
  fmt::print("{:<28}{:<9}{:<30}{:<8}{:>14}{:>14}{:>9}{:>10}{:>10}{:>8}\n", "tool", "set", "standard", "pattern",
             "its ns", "memwall ns", "diff %", "its lat", "ours", "faster");
  for (const row& r : rows()) {
    const bool close = r.set != "shipped" && (r.pattern == "a" || r.pattern == "d") && !r.tolerance.empty() &&
                       r.map == "row bank column bankgroup" && r.standard == "DDR4-3200";
    if (quick != close) continue;
    const driver_result result = run(r);
    const double time = static_cast<double>(result.time) * 1e-3, diff = 100 * (time / r.time_ns - 1);
    const double latency = result.stats.read_latency.mean() * static_cast<double>(result.stats.tck_fs) * 1e-6;
    fmt::print("{:<28}{:<9}{:<30}{:<8}{:>14.1f}{:>14.1f}{:>9.3f}{:>10.3f}{:>10.3f}{:>8.1f}  {}{}\n", r.tool, r.set,
               r.standard, r.pattern, r.time_ns, time, diff, r.latency_ns, latency,
               static_cast<double>(result.requests) / result.wall_s / r.requests_per_s, r.settings,
               r.note.empty() ? "" : "; " + r.note);
    if (r.tolerance.empty()) continue;
    EXPECT_LE(std::fabs(diff), std::stod(r.tolerance))
        << r.tool << " " << r.standard << " " << r.pattern << " " << r.settings << " " << r.map;
  }
}

TEST(peers, ddr4_streams) {
  compare(true);
}
TEST(slow_peers, all_rows) {
  compare(false);
}

}  // namespace
