// SPDX-License-Identifier: Apache-2.0
// A hundred thousand points: the plan, the database and the CSV in bounded memory. Records are written here,
// as executors write them; the program then plans, finds nothing left to do, and collects.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/support/temp_dir.h"
#include "tools/process/child.h"
#include "tools/process/files.h"
#include "tools/sweep/plan.h"
#include "tools/sweep/record.h"

namespace {
using namespace memwall::sweep;
using namespace memwall::tools;
using memwall::test::temp_dir;

const std::string program_path = std::string(MEMWALL_BINARY_DIR) + "/bin/memwall";
const std::string fake = std::string(MEMWALL_BINARY_DIR) + "/tests/fake_run";

struct cost {
  double seconds = 0, peak_mb = 0;
};

cost sweep_of(std::size_t points) {
  const temp_dir dir;
  const std::string text = "base: {platform: p, model: m}\naxes: {workload.batch: {linear: [1, " +
                           std::to_string(points / 100) +
                           "], step: 1}, a.b: {log: [1 GB/s, 1 TB/s], count: 10}, c: {linear: [1, 10], step: 1}}\n";
  std::ofstream(dir / "s.yaml") << text;
  std::istringstream said(run_command({program_path, "--version"}).output);  // memwall VERSION (commit ...)
  std::string version;
  said >> version >> version;
  const plan p(parse_spec(text, "s.yaml", dir.path()), identify_program(fake, version));
  EXPECT_EQ(p.size(), points);
  const record_store store(dir / "o");
  // As large as a real configuration: some 200 values.
  nlohmann::ordered_json config;
  for (int m = 0; m < 20; ++m)
    for (int k = 0; k < 10; ++k) config["module" + std::to_string(m)]["parameter" + std::to_string(k)] = "1.25 ns";
  for (std::size_t i = 0; i < p.size(); ++i) {
    const point at = p.at(i);
    config["module3"]["parameter3"] = i % 10;
    store.save(at, {"ok", 0, "", 0.01, 0.01, 10}, {},
               {{"platform", "p"},
                {"model", "m"},
                {"config", config},
                {"summary", {{"time_ns", 1.5 * static_cast<double>(i)}, {"energy_pj", i}}},
                {"stall_stack_ns", {{"compute", 1.0}, {"dram", 2.0}}}});
  }
  child_setup setup;
  setup.program = program_path;
  setup.arguments = {"sweep", dir / "s.yaml", "--out", dir / "o", "--runner", fake};
  setup.output_file = dir / "log";
  setup.error_file = dir / "err";
  const auto begin = steady::now();
  const pid_t pid = start_child(setup);
  std::optional<child_end> end;
  while (!(end = reap_child(pid))) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(end->exit_code, 0) << *read_text(dir / "err");
  EXPECT_NE(read_text(dir / "log")->find(std::to_string(points) + " ok (0 run now"), std::string::npos)
      << *read_text(dir / "log");
  std::ifstream csv(dir / "o/results.csv");
  std::size_t rows = 0;
  for (std::string line; std::getline(csv, line);) ++rows;
  EXPECT_EQ(rows, points + 1);
  return {std::chrono::duration<double>(steady::now() - begin).count(), end->peak_rss_mb};
}

#ifndef SUITE
#define SUITE sweep_scale
#endif
TEST(SUITE, memory_is_bounded) {
  const cost few = sweep_of(500), many = sweep_of(POINTS);
  RecordProperty("seconds", std::to_string(many.seconds));
  RecordProperty("peak_mb", std::to_string(few.peak_mb) + " to " + std::to_string(many.peak_mb));
  // The plan's eight bytes a point, the list of what is left to do, and page caches of the database that fill
  // up.
  EXPECT_LT(many.peak_mb, few.peak_mb + 16);
}

}  // namespace
