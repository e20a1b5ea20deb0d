// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "platforms/watch/timeline.h"
#include "tests/support/timeline_check.h"

namespace memwall::platforms {
namespace {
namespace fs = std::filesystem;

class timeline : public testing::Test {
 protected:
  void SetUp() override {
    m_dir = fs::path(testing::TempDir()) /
            (std::string("timeline_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(m_dir);
    fs::create_directories(m_dir);
  }
  void TearDown() override { fs::remove_all(m_dir); }
  std::string path() const { return (m_dir / "timeline.json").string(); }
  std::string text() const {
    std::ifstream in(path());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  fs::path m_dir;
};

TEST_F(timeline, every_kind_of_event_is_valid) {
  timeline_writer t(path());
  const int core = t.add_process("core0"), hbm = t.add_process("hbm");
  const auto operators = t.add_track(core, "operators"), channel = t.add_track(hbm, "channel 0");
  t.complete(operators, "layer 0", "layer", 0, 5_us);
  t.complete(operators, "qkv \"quoted\" \\ \n", "gemv", 1_us, 2_us,
             {{"bytes", std::int64_t{1} << 40}, {"share", 0.25}, {"bound_by", "dram_data"}});
  t.complete(channel, "stream", "dram", 1_us, 3_us);
  t.async_begin(operators, 7, "transfer", "read", 1_us, {{"bytes", 65536}});
  t.async_begin(operators, 8, "transfer", "read", 2_us);
  t.async_end(7, "read", 3_us);
  t.async_end(8, "read", 4_us, {{"queued_ns", 12.5}});
  t.counter(hbm, "bandwidth", 1_us, {{"GB/s", 12.5}});
  t.flow_start(operators, 1, "request", 1_us);
  t.flow_end(channel, 1, "request", 2_us);
  t.instant(operators, "refresh", 1'000'001);
  t.finish();
  const auto facts = test::check_timeline(path());
  EXPECT_THAT(facts.problems, testing::IsEmpty());
  EXPECT_EQ(facts.events, (std::map<char, std::size_t>{
                              {'M', 8}, {'X', 3}, {'b', 2}, {'e', 2}, {'C', 1}, {'s', 1}, {'f', 1}, {'i', 1}}));
  EXPECT_DOUBLE_EQ(facts.busy_us.at("core0/operators"), 5);
  EXPECT_EQ(facts.slices[1]["name"], "qkv \"quoted\" \\ \n");
  EXPECT_EQ(facts.slices[1]["args"]["bytes"], std::int64_t{1} << 40);
  EXPECT_FALSE(facts.cut);
  EXPECT_EQ(t.note(), "");
}

TEST_F(timeline, picoseconds_survive) {
  timeline_writer t(path());
  const auto k = t.add_track(t.add_process("p"), "k");
  // One picosecond in 100 days is beyond a double's 53 bits in microseconds only after the text: the text
  // must be exact.
  t.complete(k, "a", "c", 8'640'000'000'000'000'001, 10);
  t.complete(k, "b", "c", 1'234'567, 1'000'000);
  t.finish();
  EXPECT_THAT(text(), testing::HasSubstr("\"ts\":8640000000000.000001,\"dur\":0.00001}"));
  EXPECT_THAT(text(), testing::HasSubstr("\"ts\":1.234567,\"dur\":1}"));
}

TEST_F(timeline, slices_that_meet_still_meet_after_an_importer_cut_them_to_nanoseconds) {
  // Times of whole nanoseconds are the hard ones: 0.512276 us x 1000 may be a little less than 512276 ns as a double.
  std::mt19937 random(3);
  timeline_writer t(path());
  const auto k = t.add_track(t.add_process("p"), "k");
  ps_t at = 0;
  for (int i = 0; i < 20'000; ++i) {
    const ps_t length =
        random() % 4 == 0 ? static_cast<ps_t>(random() % 5000) : 1000 * static_cast<ps_t>(random() % 2000);
    t.complete(k, "a", "c", at, length);
    at += length;
  }
  t.finish();
  const auto facts = test::check_timeline(path());
  EXPECT_THAT(facts.problems, testing::IsEmpty());
  EXPECT_NEAR(facts.busy_us.at("p/k"), static_cast<double>(at) * 1e-6, 20'000 * 1e-6) << "at most a picosecond a slice";
}

TEST_F(timeline, nothing_is_left_without_finish) {
  {
    timeline_writer t(path());
    t.add_process("p");
  }
  EXPECT_TRUE(fs::is_empty(m_dir));
  EXPECT_THROW(timeline_writer((m_dir / "none" / "t.json").string()), std::runtime_error);
}

TEST_F(timeline, misuse_is_refused) {
  timeline_writer t(path());
  const auto k = t.add_track(t.add_process("p"), "k");
  EXPECT_THROW(t.complete(k, "a", "c", -1, 5), std::invalid_argument);
  EXPECT_THROW(t.async_end(5, "c", 5), std::invalid_argument);
  t.async_begin(k, 1, "a", "c", 0);
  EXPECT_THROW(t.async_begin(k, 1, "a", "c", 0), std::invalid_argument);
  EXPECT_THROW(t.add_track(9, "k"), std::invalid_argument);
}

TEST_F(timeline, the_limit_holds_and_the_file_says_so) {
  std::mt19937 random(7);
  for (const std::uint64_t limit : {20'000u, 200'000u}) {
    timeline_writer t(path(), limit);
    const int p = t.add_process("p");
    const auto k = t.add_track(p, "k"), l = t.add_track(p, "l");
    std::vector<std::uint64_t> open;
    constexpr int n = 4000;
    for (int i = 0; i < n; ++i) {
      const ps_t now = i * 1000;
      t.complete(k, "operator", "gemv", now, 900, {{"i", i}});
      t.complete(l, "burst", "dram", now, 950);
      t.async_begin(k, static_cast<std::uint64_t>(i), "transfer with a long name", "read", now, {{"bytes", 64}});
      open.push_back(static_cast<std::uint64_t>(i));
      t.flow_start(k, static_cast<std::uint64_t>(i), "flow", now);
      t.flow_end(l, static_cast<std::uint64_t>(i), "flow", now + 10);
      t.counter(p, "queue", now, {{"depth", i % 7}});
      while (open.size() > random() % 40) {
        std::swap(open[random() % open.size()], open.back());
        t.async_end(open.back(), "read", now + 500, {{"note", "an argument that may not find room any more"}});
        open.pop_back();
      }
    }
    t.finish();
    EXPECT_LE(fs::file_size(path()), limit);
    EXPECT_GT(fs::file_size(path()), limit * 9 / 10) << "the room is used";
    EXPECT_TRUE(t.cut());
    EXPECT_THAT(t.note(), testing::HasSubstr(std::to_string(t.dropped())));
    const auto facts = test::check_timeline(path());
    EXPECT_THAT(facts.problems, testing::IsEmpty()) << "cut, but valid";
    EXPECT_TRUE(facts.cut);
    EXPECT_GT(facts.events.at('X'), facts.events.at('b')) << "transfers are cut before operators";
  }
}

TEST_F(timeline, checker_finds_what_is_wrong) {
  const auto problems = [](const std::string& events) {
    return test::check_timeline_text("{\"traceEvents\":[" + events + "]}").problems.size();
  };
  const std::string names =
      R"({"ph":"M","name":"process_name","pid":1,"tid":0,"args":{"name":"p"}},{"ph":"M","name":"thread_name","pid":1,"tid":1,"args":{"name":"t"}},)";
  const std::string x = R"({"ph":"X","name":"a","pid":1,"tid":1,"ts":0,"dur":10})";
  EXPECT_EQ(problems(names + x), 0u);
  EXPECT_EQ(problems(names + x + R"(,{"ph":"X","name":"b","pid":1,"tid":1,"ts":5,"dur":10})"), 1u) << "overlap";
  EXPECT_EQ(problems(x), 2u) << "no names";
  EXPECT_EQ(problems(names + x + R"(,{"ph":"b","cat":"c","id":"1","name":"b","pid":1,"tid":1,"ts":5})"), 1u)
      << "never ends";
  EXPECT_EQ(problems(names + x + R"(,{"ph":"s","cat":"c","id":"1","name":"b","pid":1,"tid":1,"ts":50})"), 1u)
      << "flow outside a slice";
  EXPECT_EQ(problems(names + x + R"(,{"ph":"C","name":"b","pid":1,"tid":1,"ts":5,"args":{"v":"text"}})"), 1u)
      << "counter of text";
  EXPECT_EQ(problems(names + R"({"ph":"X","name":"a","pid":1,"tid":1,"ts":0})"), 1u) << "no duration";
  // What only an importer minds.
  const std::string y = R"(,{"ph":"X","name":"b","pid":1,"tid":1,"ts":10,"dur":10})";
  const std::string flow =
      R"(,{"ph":"s","cat":"c","id":"1","name":"f","pid":1,"tid":1,"ts":10},{"ph":"f","bp":"e","cat":"c","id":"1","name":"f","pid":1,"tid":1,"ts":12})";
  EXPECT_EQ(problems(names + x + y + flow), 0u);
  EXPECT_EQ(problems(names + x + flow + y), 0u) << "where one ends and the other begins both will do";
  EXPECT_EQ(problems(names + R"({"ph":"X","name":"a","pid":1,"tid":1,"ts":0,"dur":9.9995})" + flow + y), 1u)
      << "an arrow before its slice";
  EXPECT_EQ(
      problems(
          names +
          R"({"ph":"M","name":"process_name","pid":2,"tid":2,"args":{"name":"q"}},{"ph":"M","name":"thread_name","pid":2,"tid":1,"args":{"name":"t"}},)" +
          x),
      1u)
      << "threads of two processes with one number";
  EXPECT_EQ(
      problems(
          names +
          R"({"ph":"X","name":"a","pid":1,"tid":1,"ts":510.496,"dur":1.78},{"ph":"X","name":"b","pid":1,"tid":1,"ts":512.276,"dur":1.52})"),
      1u)
      << "cut to nanoseconds they overlap";
  EXPECT_EQ(test::check_timeline_text("[").problems.size(), 1u);
}

}  // namespace
}  // namespace memwall::platforms
