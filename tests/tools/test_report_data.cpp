// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "hw/common/error.h"
#include "tools/report_data.h"
#include "tools/report_served.h"

namespace memwall::tools {
namespace {

ordered_json layer(const std::string& name, const std::string& kind, double start, double end, ordered_json stack) {
  return {{"name", name},        {"kind", kind},
          {"layer", 3},          {"token", 0},
          {"executor", "core0"}, {"start_ns", start},
          {"end_ns", end},       {"booked_most", "compute"},
          {"flops", 10},         {"bytes", {{"weights", 1}, {"kv_cache", 2}, {"activations", 3}}},
          {"dram_bytes", 3},     {"stall_stack_ns", std::move(stack)}};
}

ordered_json result(ordered_json layers) {
  return {{"schema", "memwall-result-1"},
          {"platform", "p"},
          {"model", "m"},
          {"summary", {{"time_ns", 12.345}}},
          {"layers", std::move(layers)}};
}

TEST(report_data, packs_every_number_of_the_layers) {
  const auto packed = pack_run(result({layer("a", "gemv", 0, 1.5, {{"compute", 1.25}, {"link", 0.25}}),
                                       layer("b", "gemv", 1.5, 2.5, {{"idle", 0}, {"link", 1}})}),
                               "run");
  const auto& l = packed["layers"];
  EXPECT_EQ(l["rows"], 2);
  EXPECT_EQ(l["start_ns"], ordered_json::parse("[0.0,1.5]"));
  EXPECT_EQ(l["end_ns"], ordered_json::parse("[1.5,2.5]"));
  EXPECT_EQ(l["strings"][l["name"][1].get<std::size_t>()], "b");
  EXPECT_EQ(l["kv_cache"], ordered_json::parse("[2,2]"));
  EXPECT_EQ(l["causes"], ordered_json::parse(R"(["compute","link"])")) << "a cause that never occurs takes no room";
  EXPECT_EQ(l["stall"], ordered_json::parse("[[1.25,0],[0.25,1]]"));
  EXPECT_FALSE(packed["result"].contains("layers")) << "layers are embedded once";
  EXPECT_EQ(packed["result"]["summary"]["time_ns"], 12.345);
}

TEST(report_data, sums_by_kind_are_exact_in_picoseconds) {
  // 0.001 ns is one picosecond: 1000 operators of 0.1 + 0.2 ns sum to 300 ns exactly, though 0.1 + 0.2 != 0.3
  // in doubles.
  ordered_json layers = ordered_json::array();
  for (int i = 0; i < 1000; ++i)
    layers.push_back(layer("x", i % 2 ? "a" : "b", i * 0.3, i * 0.3 + 0.3, {{"compute", 0.1}, {"link", 0.2}}));
  const auto packed = pack_run(result(layers), "run", 10);
  double total = 0;
  for (const auto& kind : packed["by_kind"]) {
    EXPECT_EQ(kind["count"], 500);
    EXPECT_EQ(kind["time_ns"], 150.0);
    EXPECT_EQ(kind["stall_stack_ns"]["compute"], 50.0);
    EXPECT_EQ(kind["stall_stack_ns"]["link"], 100.0);
    total += kind["bytes"].get<double>();
  }
  EXPECT_EQ(total, 6000.0) << "1000 operators of 1 + 2 + 3 bytes";
}

TEST(report_data, keeps_the_longest_operators_in_their_order_and_says_how_much_they_are) {
  ordered_json layers = ordered_json::array();
  for (int i = 0; i < 10; ++i)
    layers.push_back(layer("op" + std::to_string(i), "k", 0, i == 2 || i == 7 ? 40 : 2.5, {{"compute", 1}}));
  const auto l = pack_run(result(layers), "run", 2)["layers"];
  EXPECT_EQ(l["rows"], 2);
  EXPECT_EQ(l["total"], 10);
  EXPECT_EQ(l["strings"][l["name"][0].get<std::size_t>()], "op2");
  EXPECT_EQ(l["strings"][l["name"][1].get<std::size_t>()], "op7");
  EXPECT_EQ(l["shown_fraction"], 0.8) << "80 of 100 ns";
}

TEST(report_data, result_without_optional_keys_packs) {
  EXPECT_EQ(pack_run({{"schema", "memwall-result-1"}}, "x")["label"], "x");
  ordered_json odd =
      result({ordered_json{{"name", 5}, {"bytes", 7}, {"stall_stack_ns", "none"}}, ordered_json::object()});
  EXPECT_EQ(pack_run(odd, "x")["layers"]["rows"], 2) << "wrong types count as missing";
}

TEST(report_data, data_cannot_leave_its_script_element) {
  const ordered_json data{{"x", "</script><!--<script>"}, {"bytes", "\xff\xfe"}};
  const auto page = fill_page("<a>@MEMWALL_DATA@</a>", data);
  EXPECT_EQ(page.find('<', 3), page.size() - 4) << "no '<' between the template's own";
  const auto json = ordered_json::parse(page.substr(3, page.size() - 7));
  EXPECT_EQ(json["x"], data["x"]);
  EXPECT_THROW(fill_page("no placeholder", data), std::runtime_error);
}

TEST(report_data, labels_are_all_different) {
  const ordered_json a = {{"platform", "p"}, {"model", "m"}}, b = {{"platform", "q"}, {"model", "m"}},
                     c = {{"platform", "p"}, {"model", "n"}};
  EXPECT_EQ(run_labels({a, b}, {"x", "y"}), (std::vector<std::string>{"p", "q"}));
  EXPECT_EQ(run_labels({a, c}, {"x", "y"}), (std::vector<std::string>{"p m", "p n"}));
  EXPECT_EQ(run_labels({a, a}, {"x/1/", "x/2"}), (std::vector<std::string>{"p (1)", "p (2)"}));
  EXPECT_EQ(run_labels({a, a}, {"x/1", "y/1"}), (std::vector<std::string>{"p #1", "p #2"}));
}

class report_files : public testing::Test {
 protected:
  std::string file(const std::string& content) {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    m_path = testing::TempDir() + info->test_suite_name() + "_" + info->name() + "_" +
             std::to_string(::testing::UnitTest::GetInstance()->random_seed());
    std::ofstream(m_path, std::ios::binary) << content;
    return m_path;
  }
  void TearDown() override { std::remove(m_path.c_str()); }
  std::string m_path;
};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const input_error& e) {
    return e.what();
  }
  return "(no error)";
}

TEST_F(report_files, errors_name_file_line_and_remedy) {
  const auto cut = file("{\n\"schema\": \"memwall-result-1\",\n\"summary\": {");
  EXPECT_NE(message_of([&] { read_result(cut); }).find(":3: "), std::string::npos)
      << message_of([&] { read_result(cut); });
  const auto other = file("{\"schema\": \"something\"}");
  EXPECT_NE(message_of([&] { read_result(other); }).find("memwall-result-1"), std::string::npos);
  EXPECT_NE(message_of([&] { read_result("/nonexistent/result.json"); }).find("cannot be read"), std::string::npos);
}

TEST_F(report_files, sweep_table_keeps_numbers_and_text) {
  const auto csv = file("axis.batch,axis.platform,summary.time_ns\r\n1,\"a, \"\"b\"\"\",0.5\r\n2,c,\n4,c,1e3\n");
  const auto s = pack_sweep(csv, "s");
  EXPECT_EQ(s["points"], 3);
  EXPECT_EQ(s["shown"], 3);
  EXPECT_EQ(s["columns"][0]["values"], ordered_json::parse("[1,2,4]"));
  EXPECT_EQ(s["columns"][1]["levels"], ordered_json::parse(R"(["a, \"b\"","c"])"));
  EXPECT_EQ(s["columns"][1]["values"], ordered_json::parse("[0,1,1]"));
  EXPECT_EQ(s["columns"][2]["values"], ordered_json::parse("[0.5,null,1000]"));
}

TEST_F(report_files, sweep_table_says_repeated_things_once) {
  std::string content = "point,status,axis.bus.width,axis.platform,axis.workload.batch,summary.x,message,key,command\n";
  for (int i = 0; i < 64; ++i) {
    const int width = 8 << i % 3, batch = 1 + i % 4;
    const char* platform = i % 2 ? "a" : "b";
    content += fmt::format(
        "{},{},{},{},{},7,{},k{},memwall run --platform {} --batch {} --set 'bus.width={} bit' --set "
        "other=3\n",
        i, i == 5 ? "refused" : "ok", width, platform, batch, i == 5 ? "too wide" : "", i, platform, batch, width);
  }
  auto s = pack_sweep(file(content), "s");
  EXPECT_EQ(s["statuses"], ordered_json::parse(R"({"ok":63,"refused":1})"));
  const auto& c = s["columns"];
  ASSERT_EQ(c.size(), 8u) << "all but the key";
  EXPECT_EQ(c[2]["levels"], ordered_json::parse("[8,16,32]"));
  EXPECT_EQ(c[5], ordered_json::parse(R"({"name":"summary.x","constant":7})"));
  ASSERT_EQ(c[7]["levels"].size(), 1u) << "the values of the axes are marks with the number of their column";
  EXPECT_EQ(c[7]["levels"][0],
            "memwall run --platform \x01"
            "3\x01 --batch \x01"
            "4\x01 --set 'bus.width=\x01"
            "2\x01 bit' --set other=3");
}

// Messages may all be different: two hundred are kept, what comes behind is one text. Other text is kept, however much.
TEST_F(report_files, of_messages_two_hundred_are_kept) {
  std::string content = "point,axis.a,message\n";
  for (int i = 0; i < 300; ++i) content += fmt::format("{},name {},message {}\n", i, i, i % 250);
  const auto s = pack_sweep(file(content), "s");
  const auto& names = s["columns"][1];
  EXPECT_EQ(names["levels"].size(), 300u);
  EXPECT_EQ(names["levels"][299], "name 299");
  const auto& messages = s["columns"][2];
  ASSERT_EQ(messages["levels"].size(), 200u + 1);
  EXPECT_EQ(messages["levels"][199], "message 199");
  EXPECT_EQ(messages["levels"][200], "(more, see results.csv)");
  EXPECT_EQ(messages["values"][199], 199);
  EXPECT_EQ(messages["values"][249], 200);
  EXPECT_EQ(messages["values"][250], 0) << "known from before";
}

TEST_F(report_files, big_sweep_stays_under_its_limit) {
  std::string content = "point,axis.a,summary.x,summary.y\n";
  for (int i = 0; i < 30000; ++i)
    content += fmt::format("{},{},{:.12f},{}\n", i, i % 10, 1.0 / (i + 1), i * 1.23456789);
  const auto path = file(content);
  const auto whole = pack_sweep(path, "s");
  EXPECT_EQ(whole["shown"], 30000);
  EXPECT_EQ(whole["digits"], 6);
  EXPECT_EQ(whole["columns"][2]["values"][2], 0.333333);
  const auto half = pack_sweep(path, "s", report_sweep_rows, whole.dump().size() - 1);
  EXPECT_EQ(half["shown"], 15000);
  EXPECT_EQ(half["digits"], 17) << "few enough to be exact";
  EXPECT_EQ(half["points"], 30000);
}

TEST_F(report_files, sweep_is_sampled_evenly_in_bounded_memory) {
  std::string content = "axis.i,summary.x\n";
  for (int i = 0; i < 1000; ++i) content += std::to_string(i) + ",1\n";
  const auto s = pack_sweep(file(content), "s", 300);
  EXPECT_EQ(s["points"], 1000);
  ASSERT_EQ(s["shown"], 250) << "every fourth: the smallest power of two with at most 300 of 1000";
  for (int i = 0; i < 250; ++i) EXPECT_EQ(s["columns"][0]["values"][static_cast<std::size_t>(i)], 4 * i);
}

TEST_F(report_files, configurations_of_a_sweep_come_from_its_database) {
  auto sweep = pack_sweep(file("point,axis.a,summary.x\n0,1,5\n7,2,6\n8,3,7\n"), "s");
  const std::string database = m_path + ".sqlite";
  std::remove(database.c_str());
  pack_configs(sweep, database);
  EXPECT_FALSE(sweep.contains("configs")) << "no database: no configurations, no error";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(database.c_str(), &db), SQLITE_OK);
  const char* sql =
      R"(CREATE TABLE configs(config INTEGER PRIMARY KEY, json TEXT); CREATE TABLE points(point INTEGER, config INTEGER, config_patch TEXT);
    INSERT INTO configs VALUES(3, '{"a":1,"b":{"c":2}}'); INSERT INTO points VALUES(0, 3, NULL), (7, 3, '{"a":2}'), (8, NULL, NULL);
    CREATE TABLE meta(key TEXT, value TEXT); INSERT INTO meta VALUES('name', 'bandwidth x batch'), ('objectives', 'time_ns,max:tokens_per_s');)";
  ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  pack_configs(sweep, database);
  EXPECT_EQ(sweep["configs"],
            ordered_json::parse(
                R"({"whole":[{"a":1,"b":{"c":2}}],"patches":[{"a":2}],"of":[0,0,null],"patch":[null,0,null]})"));
  EXPECT_EQ(sweep["label"], "bandwidth x batch");
  EXPECT_EQ(sweep["objectives"], ordered_json::parse(R"(["time_ns","max:tokens_per_s"])"));
  sweep.erase("configs");
  pack_configs(sweep, database, 10);
  EXPECT_FALSE(sweep.contains("configs")) << "too large: left out";
  std::remove(database.c_str());
}

TEST_F(report_files, a_damaged_database_is_said) {
  auto sweep = pack_sweep(file("point,axis.a,summary.x\n0,1,5\n"), "s");
  const std::string database = m_path + ".sqlite";
  std::ofstream(database) << "SQLite format 3" << std::string(5000, '\xff');
  EXPECT_NE(message_of([&] { pack_configs(sweep, database); }).find("is damaged"), std::string::npos);
  std::remove(database.c_str());
}

TEST_F(report_files, broken_sweep_table_names_its_line) {
  const auto csv = file("axis.a,summary.b\n1,2\n3\n");
  EXPECT_NE(message_of([&] { pack_sweep(csv, "s"); }).find(":3: "), std::string::npos)
      << message_of([&] { pack_sweep(csv, "s"); });
  EXPECT_NE(message_of([&] { pack_sweep(file(""), "s"); }).find("is empty"), std::string::npos);
}

TEST_F(report_files, a_served_run_is_packed_over_time) {
  namespace fs = std::filesystem;
  const std::string dir = testing::TempDir() + "memwall_served_" + std::to_string(getpid());
  fs::create_directories(dir);
  EXPECT_TRUE(pack_served(dir).is_null()) << "no requests.csv, nothing served";
  std::ofstream(dir + "/requests.csv")
      << "request,arrival_s,scheduled_s,first_token_s,last_token_s,input_tokens,output_tokens,preemptions,class\n"
         "a,0.0,0.5,1.0,3.0,10,5,0,x\nb,1.0,1.5,2.0,6.0,20,1,2,\n";
  // Two of six seconds with two in the batch, one with a third of its tokens in each of three seconds.
  std::ofstream(dir + "/steps.csv")
      << "start_s,end_s,running,waiting,kv_blocks,tokens\n0.0,2.0,2,1,10,8\n3.0,6.0,1,0,4,300\n";
  const auto s = pack_served(dir);
  EXPECT_EQ(s["requests"]["total"], 2);
  EXPECT_EQ(s["requests"]["id"], ordered_json::parse(R"(["a","b"])"));
  EXPECT_EQ(s["latencies"]["ttft_ms"], ordered_json::parse("[1000.0,1000.0]"));
  EXPECT_EQ(s["latencies"]["e2e_ms"], ordered_json::parse("[3000.0,5000.0]"));
  EXPECT_EQ(s["latencies"]["tpot_ms"], ordered_json::parse("[500.0]")) << "(3 - 1) s over the four behind the first";
  const auto& steps = s["steps"];
  const double width = steps["interval_s"];
  EXPECT_NEAR(width * static_cast<double>(steps["running"].size()), 6, 1e-9);
  const auto at = [&](const char* key, double t) {
    return steps[key][static_cast<std::size_t>(t / width)].get<double>();
  };
  EXPECT_NEAR(at("running", 1), 2, 1e-3);
  EXPECT_NEAR(at("running", 2.5), 0, 1e-3) << "nobody between the steps";
  EXPECT_NEAR(at("kv_blocks", 4), 4, 1e-3);
  EXPECT_NEAR(at("tokens_per_s", 4), 100, 0.1);
  double tokens = 0;
  for (const auto& v : steps["tokens_per_s"]) tokens += v.get<double>() * width;
  EXPECT_NEAR(tokens, 308, 0.5) << "tokens are neither lost nor made";

  std::ofstream(dir + "/requests.csv") << "request,arrival_s\na,0\n";
  EXPECT_NE(message_of([&] { pack_served(dir); }).find("requests.csv:2: class"), std::string::npos)
      << message_of([&] { pack_served(dir); });
  fs::remove_all(dir);
}

}  // namespace
}  // namespace memwall::tools
