// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"
#include "tools/process/files.h"

namespace {
using namespace memwall::sweep;
using memwall::test::temp_dir;
using memwall::tools::read_text;
using memwall::tools::write_whole;
using json = nlohmann::ordered_json;

const program here = {"/bin/true", "1.2", "digest"};

plan make(const std::string& text) {
  return plan(parse_spec("base: {platform: p, model: m}\n" + text, "s.yaml", ""), here);
}

/// Rows of a query, cells joined by '|'.
std::vector<std::string> query(const std::string& file, const std::string& sql) {
  sqlite3* db = nullptr;
  std::vector<std::string> out;
  EXPECT_EQ(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  const auto row = [](void* to, int n, char** cells, char**) {
    std::string line;
    for (int i = 0; i < n; ++i) line += (i != 0 ? "|" : "") + std::string(cells[i] != nullptr ? cells[i] : "null");
    static_cast<std::vector<std::string>*>(to)->push_back(line);
    return 0;
  };
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), row, &out, &error), SQLITE_OK) << (error != nullptr ? error : "");
  sqlite3_close(db);
  return out;
}

json result(double time, const json& config) {
  return {{"memwall_version", "1.2"},
          {"platform", "p"},
          {"model", "m"},
          {"seed", 7},
          {"config", config},
          {"summary", {{"time_ns", time}, {"bound_by", "bus, or \"so\""}}},
          {"workload", {{"batch", 1}}},
          {"stall_stack_ns", {{"compute", time / 2}, {"dram", time / 2}}}};
}

TEST(sweep_collect, tables_hold_results_configurations_and_stalls) {
  const temp_dir dir;
  const plan p = make("axes: {a: [1, 2 GB/s, 3], b: [0.5]}\nobjectives: [time_ns]");
  const record_store store(dir.path());
  const json c0 = {{"x", {{"y", 1}, {"z", {1, 2}}}}, {"w", "text"}};
  const json c1 = {{"x", {{"y", 2}}}, {"w", "text"}, {"new", 3}};  // changed, removed, added
  store.save(p.at(0), {"ok", 0, "", 0, 0, 0}, {}, result(1.5, c0));
  store.save(p.at(1), {"ok", 0, "", 0, 0, 0}, {}, result(2, c1));
  const auto counts = collect(p, store, dir.path());
  EXPECT_EQ(counts, (status_counts{{"ok", 2}, {"pending", 1}}));
  const std::string db = dir / "sweep.sqlite";
  EXPECT_THAT(query(db, "SELECT * FROM results"),
              testing::ElementsAre("0|ok|p|m|1|0.5|1.5|bus, or \"so\"", "1|ok|p|m|2 GB/s|0.5|2.0|bus, or \"so\"",
                                   "2|pending|p|m|3|0.5|null|null"));
  EXPECT_THAT(query(db, "SELECT \"axis.a\", typeof(\"axis.a\") FROM results"),
              testing::ElementsAre("1|integer", "2 GB/s|text", "3|integer"));
  const auto configs = query(db, "SELECT config FROM point_configs ORDER BY point");
  ASSERT_EQ(configs.size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(configs[0]), nlohmann::json(c0));
  EXPECT_EQ(nlohmann::json::parse(configs[1]), nlohmann::json(c1));
  EXPECT_THAT(query(db, "SELECT point, cause, ns FROM stalls WHERE point = 1"),
              testing::ElementsAre("1|compute|1.0", "1|dram|1.0"));
  EXPECT_THAT(query(db, "SELECT value FROM meta WHERE key IN ('schema_version', 'points', 'objectives') ORDER BY key"),
              testing::ElementsAre("time_ns", "3", "1"));
  EXPECT_THAT(query(db, "SELECT seed, memwall_version, workload, key FROM points WHERE point = 0"),
              testing::ElementsAre("7|1.2|{\"batch\":1}|" + p.at(0).key));
  EXPECT_EQ(read_text(dir / "results.csv")
                ->substr(0, 200)
                .find("point,status,axis.a,axis.b,summary.time_ns,summary.bound_by,platform"),
            0U);
  EXPECT_NE(read_text(dir / "results.csv")->find("0,ok,1,0.5,1.5,\"bus, or \"\"so\"\"\",p,m,7,1.2,0,,"),
            std::string::npos);
}

TEST(sweep_collect, order_of_arrival_does_not_show) {
  const plan p = make("axes: {a: {linear: [1, 60], step: 1}}");
  const temp_dir one, two;
  for (const auto* dir : {&one, &two}) {
    const record_store store(dir->path());
    for (std::size_t i = 0; i < p.size(); ++i) {
      const std::size_t at = dir == &one ? i : p.size() - 1 - i;
      json r = result(static_cast<double>(at), {{"a", at}});
      if (at % 2 == 1) r["summary"]["extra"] = at;  // columns that only some points have
      store.save(p.at(at), {"ok", 0, "", static_cast<double>(i), 0, 0}, {}, r);
    }
    collect(p, store, dir->path());
  }
  EXPECT_TRUE(read_text(one / "sweep.sqlite") == read_text(two / "sweep.sqlite"));
  EXPECT_EQ(read_text(one / "results.csv"), read_text(two / "results.csv"));
}

TEST(output_file, does_not_follow_a_link_in_the_place_of_its_temporary_name) {
  const temp_dir dir;
  std::ofstream(dir / "elsewhere") << "mine";
  std::filesystem::create_symlink(dir / "elsewhere", dir / "steps.csv.part");
  memwall::tools::output_file f(dir / "steps.csv");
  f.stream() << "new";
  f.finish();
  EXPECT_EQ(read_text(dir / "elsewhere"), "mine");
  EXPECT_EQ(read_text(dir / "steps.csv"), "new");
}

TEST(sweep_collect, torn_record_is_no_record) {
  const temp_dir dir;
  const plan p = make("axes: {a: [1]}");
  const record_store store(dir.path());
  store.save(p.at(0), {"ok", 0, "", 0, 0, 0}, {}, result(1, {}));
  const std::string key = p.at(0).key;
  const std::string file = dir / ("points/" + key.substr(0, 2) + "/" + key + ".json");
  const std::string whole = *read_text(file);
  EXPECT_TRUE(store.settled(key, {}, false));
  write_whole(file, "");
  EXPECT_FALSE(store.settled(key, {}, false));
  write_whole(file, whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(store.load(key));
}

// What ended at a limit is run again when that limit, and no other, is higher or gone.
TEST(sweep_collect, an_accident_is_settled_until_its_limit_is_raised) {
  const temp_dir dir;
  const plan p = make("axes: {a: [1, 2, 3, 4]}");
  const record_store store(dir.path());
  const point_limits then{10, 1000};
  store.save(p.at(0), {"timeout", 137, "", 0, 0, 0}, then, nullptr);
  store.save(p.at(1), {"out_of_memory", 137, "", 0, 0, 0}, then, nullptr);
  store.save(p.at(2), {"crashed", 139, "", 0, 0, 0}, then, nullptr);
  store.save(p.at(3), {"timeout", 137, "", 0, 0, 0}, {}, nullptr);  // under no limit: somebody else's
  const auto settled = [&](std::size_t i, const point_limits& now) { return store.settled(p.at(i).key, now, false); };
  for (const point_limits& same : {then, point_limits{10, 1001}, point_limits{10, 0}, point_limits{9, 1000}})
    EXPECT_TRUE(settled(0, same)) << same.timeout_s << " s, " << same.memory_bytes << " B";
  for (const point_limits& raised : {point_limits{10.5, 1000}, point_limits{0, 1000}})
    EXPECT_FALSE(settled(0, raised)) << raised.timeout_s;
  for (const point_limits& same : {then, point_limits{11, 1000}, point_limits{0, 1000}, point_limits{10, 999}})
    EXPECT_TRUE(settled(1, same)) << same.timeout_s << " s, " << same.memory_bytes << " B";
  for (const point_limits& raised : {point_limits{10, 1001}, point_limits{10, 0}})
    EXPECT_FALSE(settled(1, raised)) << raised.memory_bytes;
  EXPECT_TRUE(settled(2, {0, 0}));
  EXPECT_TRUE(settled(3, {0, 0}));
  EXPECT_TRUE(settled(3, {20, 0}));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_FALSE(store.settled(p.at(i).key, then, true));
}

TEST(sweep_collect, commands_can_be_pasted_into_a_shell) {
  EXPECT_EQ(shell_command({"run", "--set", "a=4 GB/s", "--set", "b='x'", ""}),
            "memwall run --set 'a=4 GB/s' --set 'b='\\''x'\\''' ''");
}

}  // namespace
