// SPDX-License-Identifier: Apache-2.0
// Law 12: what is reused agrees with what is simulated, within the printed bound.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/support/run_program.h"

namespace memwall::test {

using json = nlohmann::ordered_json;

/// Nanoseconds as printed, back to whole picoseconds.
inline std::int64_t whole_ps(const json& nanoseconds) {
  return std::llround(nanoseconds.get<double>() * 1000);
}

inline std::int64_t stack_sum(const json& stack) {
  std::int64_t total = 0;
  for (const auto& part : stack) total += whole_ps(part);
  return total;
}

/// Both results of the same words; nulls where the model does not fit the platform.
struct both_results {
  json on, off;
  explicit both_results(const std::string& words) {
    const auto with = memwall(words + " --quiet --json --reuse on"),
               without = memwall(words + " --quiet --json --reuse off");
    EXPECT_EQ(with.exit_code, without.exit_code) << words << '\n' << with.err << without.err;
    constexpr int does_not_fit = 3;
    if (without.exit_code == does_not_fit) return;
    EXPECT_EQ(with.exit_code, 0) << words << '\n' << with.err;
    if (with.exit_code != 0 || without.exit_code != 0) return;
    on = with.json();
    off = without.json();
  }
  bool empty() const { return on.is_null() || off.is_null(); }
  void agree(const char* path, double relative) const {
    const json::json_pointer at(path);
    ASSERT_TRUE(on.contains(at) && off.contains(at)) << path;
    const double x = on.at(at), y = off.at(at);
    EXPECT_NEAR(x, y, relative * std::abs(y)) << path << ": " << 100 * (x / y - 1) << " %";
  }
};

/// A forward pass, or several.
inline void expect_run_agrees(const std::string& words) {
  SCOPED_TRACE(words);
  const both_results r("run " + words);
  if (r.empty()) return;
  const json& reuse = r.on["fidelity"]["reuse"];
  EXPECT_EQ(reuse["mode"], "on");
  EXPECT_FALSE(r.off["fidelity"].contains("reuse")) << "a run that simulates all says nothing of reuse";
  const double bound = reuse["bound_pct"].get<double>() / 100;
  for (const char* path : {"/summary/time_ns", "/summary/energy_pj"}) r.agree(path, bound);
  // Time by cause, of the whole.
  const double time = r.off["summary"]["time_ns"];
  for (const auto* a : {&r.on, &r.off})
    for (const auto& [cause, unused] : (*a)["stall_stack_ns"].items())
      EXPECT_NEAR(r.on["stall_stack_ns"].value(cause, 0.0), r.off["stall_stack_ns"].value(cause, 0.0), 2 * bound * time)
          << cause;
  // Bytes are exact, stacks sum.
  EXPECT_EQ(r.on["conservation"], r.off["conservation"]);
  for (const char* bytes : {"dram_bytes", "bus_bytes", "link_bytes"})
    if (r.off["summary"].contains(bytes)) {
      // (On the pins whole bursts count, in proportion.)
      r.agree((std::string("/summary/") + bytes).c_str(), 1e-3);
    }
  EXPECT_EQ(r.on["summary"]["tops"].is_null(), r.off["summary"]["tops"].is_null());
  EXPECT_EQ(r.on["layers_total"], r.off["layers_total"]);
  EXPECT_EQ(stack_sum(r.on["stall_stack_ns"]), whole_ps(r.on["summary"]["time_ns"]));
  for (const auto& l : r.on["layers"])
    EXPECT_EQ(stack_sum(l["stall_stack_ns"]), whole_ps(l["end_ns"]) - whole_ps(l["start_ns"])) << l["name"];
  for (std::size_t i = 0; i < r.on["executors"].size(); ++i) {
    const json &a = r.on["executors"][i], &b = r.off["executors"][i];
    EXPECT_EQ(stack_sum(a["stall_stack_ns"]), whole_ps(r.on["summary"]["time_ns"])) << a["name"];
    for (const char* same : {"operations", "flops", "read_bytes", "write_bytes"}) EXPECT_EQ(a[same], b[same]) << same;
    EXPECT_NEAR(a["utilization"].get<double>(), b["utilization"].get<double>(), 2 * bound);
  }
  for (std::size_t i = 0; i < r.on["memories"].size(); ++i) {
    EXPECT_NEAR(r.on["memories"][i]["utilization"].get<double>(), r.off["memories"][i]["utilization"].get<double>(),
                2 * bound);
    const auto read = [i](const json& of) { return of["memories"][i].value("asked_read_bytes", std::int64_t{-1}); };
    EXPECT_EQ(read(r.on), read(r.off));
  }
}

/// A served stream.
inline void expect_service_agrees(const std::string& words) {
  SCOPED_TRACE(words);
  const both_results r("serve " + words);
  if (r.empty()) return;
  const json& reuse = r.on["fidelity"]["reuse"];
  EXPECT_EQ(r.off["fidelity"]["reuse"]["mode"], "off");
  EXPECT_EQ(r.off["fidelity"]["reuse"]["operators"], r.off["fidelity"]["reuse"]["simulated"]);
  const double bound = reuse["bound_pct"].get<double>() / 100;
  // What the audits found is what it says of itself: the mean is within the bound.
  EXPECT_LE(reuse["error_mean_pct"].get<double>(), reuse["bound_pct"].get<double>());
  for (const char* path : {"/summary/time_ns", "/serving/tpot_ms/mean", "/serving/e2e_ms/mean", "/summary/energy_pj"})
    r.agree(path, bound);
  // The same requests in the same steps, unless a step ended just before another request came.
  r.agree("/serving/steps", 0.02);
  r.agree("/summary/tops", bound);
  // What caches hold between steps decides them. (Where DRAM does next to nothing, what little it does is off by more.)
  if (r.off["summary"]["dram_utilization"].get<double>() > 0.01) r.agree("/summary/dram_bytes", 3 * bound);
}

}  // namespace memwall::test
