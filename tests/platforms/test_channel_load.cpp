// SPDX-License-Identifier: Apache-2.0
// How busy the channels of a memory were, in a timeline: of a memory that says what the test wants.
#include "platforms/watch/channel_load.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace memwall::platforms {
namespace {

constexpr ps_t us = 1'000'000;

class told_memory final : public hardware {
 public:
  told_memory() : hardware({"memory", "dram", config::node::map("test"), "memory", 0}) {}
  json config() const override { return {}; }
  json report(ps_t) const override { return {}; }
  double energy_pj(ps_t) const override { return 0; }
  void data_time(std::vector<ps_t>& out) const override { out = data; }
  std::vector<ps_t> data;
};

struct counter {
  std::vector<double> at_us, value;
};

/// Samples and time, and the counters that come of them.
class channel_loads : public testing::Test {
 protected:
  /// Data of so much of the next `time`, by channel.
  void pass(ps_t time, const std::vector<ps_t>& data) {
    if (memory.data.empty()) {
      memory.data.resize(data.size());
      load.sample();
    }
    sc_core::sc_start(sc_core::sc_time(static_cast<double>(time), sc_core::SC_PS));
    for (std::size_t c = 0; c < data.size(); ++c) memory.data[c] += data[c];
    load.sample();
  }
  std::map<std::string, counter> written() {
    timeline_writer to(dir / "t.json");
    load.write(to, to.add_process("memory"));
    to.finish();
    std::ifstream in(dir / "t.json");
    const auto all = nlohmann::json::parse(in);
    std::map<std::string, counter> out;
    for (const auto& e : all["traceEvents"])
      if (e["ph"] == "C") {
        counter& c = out[e["name"]];
        c.at_us.push_back(e["ts"]);
        c.value.push_back(e["args"]["busy %"]);
      }
    return out;
  }
  /// The area below a counter: percent x us.
  static double area(const counter& c) {
    double sum = 0;
    for (std::size_t i = 0; i + 1 < c.value.size(); ++i) sum += c.value[i] * (c.at_us[i + 1] - c.at_us[i]);
    return sum;
  }
  test::temp_dir dir;
  told_memory memory;
  channel_load load{memory};
};

TEST_F(channel_loads, are_the_shares_of_their_intervals) {
  pass(us, {us / 4});
  pass(us, {us / 4});  // no change: not told again
  pass(us, {us});
  pass(2 * us, {us});
  const auto all = written();
  ASSERT_EQ(all.size(), 1U);
  const counter& c = all.at("channel 0 data bus");
  EXPECT_EQ(c.at_us, (std::vector<double>{0, 2, 3, 5}));
  EXPECT_EQ(c.value, (std::vector<double>{25, 100, 50, 0}));
}

// A replayed block has all its beats at once: 1.5 us in the first one, of which half a microsecond was the next one's;
// that has 0.7 then, and the third one what it had itself.
TEST_F(channel_loads, of_more_than_all_is_carried_on) {
  pass(us, {3 * us / 2});
  pass(us, {us / 5});
  pass(us, {us / 10});
  const counter c = written().at("channel 0 data bus");
  EXPECT_EQ(c.at_us, (std::vector<double>{0, 1, 2, 3}));
  EXPECT_EQ(c.value, (std::vector<double>{100, 70, 10, 0}));
}
// The same over intervals of different lengths: 1.5 us too many in 1 us, then 10 us with 2 us of their own.
TEST_F(channel_loads, of_more_than_all_is_carried_on_as_time) {
  pass(us, {5 * us / 2});
  pass(10 * us, {2 * us});
  pass(us, {0});
  const counter c = written().at("channel 0 data bus");
  EXPECT_EQ(c.value, (std::vector<double>{100, 35, 0, 0}));
}

TEST_F(channel_loads, never_fall_below_what_was_told) {
  pass(us, {us / 2});
  pass(us, {-us / 4});
  pass(us, {us / 2});  // a quarter more than half
  const counter c = written().at("channel 0 data bus");
  EXPECT_EQ(c.value, (std::vector<double>{50, 0, 25, 0}));
}

// 2 points beside the first of a group is alike, more in one interval is not; a group shows its mean.
TEST_F(channel_loads, that_are_alike_share_a_counter) {
  const auto percent = [](int p) { return us / 100 * p; };
  pass(us, {percent(40), percent(42), percent(40), percent(41), percent(40), percent(37)});
  pass(us, {percent(10), percent(12), percent(13), percent(11), percent(13), percent(10)});
  const auto all = written();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all.at("channel 5 data bus").value, (std::vector<double>{37, 10, 0}));
  EXPECT_EQ(all.at("channels 0-1,3 data bus").value, (std::vector<double>{41, 11, 0}));
  EXPECT_EQ(all.at("channels 2,4 data bus").value, (std::vector<double>{40, 13, 0}));
}

// 30 and 50 in turn. At 800 samples every second one goes: those that stay are 2 us apart, as are those to come.
TEST_F(channel_loads, of_a_long_run_are_told_over_longer_intervals) {
  ps_t moved = 0;
  for (int i = 0; i < 1001; ++i) {
    const ps_t data = i % 2 == 0 ? 3 * us / 10 : us / 2;
    pass(us, {data});
    moved += data;
  }
  const counter c = written().at("channel 0 data bus");
  EXPECT_EQ(c.at_us.front(), 0);
  EXPECT_EQ(c.at_us.back(), 1001);
  EXPECT_NEAR(area(c), 100 * static_cast<double>(moved) / us, 1e-6 * 1001 * 100);
  EXPECT_LE(c.value.size(), 5U) << "40 all the time, but for the interval before the 800th sample and the last one";
}

// 40 channels that differ and change with every interval: 24,000 values at most, and all data are still told.
TEST_F(channel_loads, of_many_channels_are_told_more_coarsely) {
  constexpr std::size_t channels = 40;
  std::vector<ps_t> moved(channels);
  for (int i = 0; i < 789; ++i) {
    std::vector<ps_t> data;
    for (std::size_t c = 0; c < channels; ++c) {
      data.push_back(us / 1000 * static_cast<ps_t>(22 * c + i / 4 % 2 * 10 + i % 7));
      moved[c] += data[c];
    }
    pass(us, data);
  }
  const auto all = written();
  ASSERT_EQ(all.size(), channels);
  std::size_t values = 0;
  for (const auto& [name, c] : all) values += c.value.size();
  EXPECT_LE(values, 24'000U + channels);
  EXPECT_GT(values, 6'000U);
  for (std::size_t k = 0; k < channels; ++k)
    EXPECT_NEAR(area(all.at("channel " + std::to_string(k) + " data bus")), 100 * static_cast<double>(moved[k]) / us,
                1);
}

TEST(channel_load, numbers_are_told_as_ranges) {
  EXPECT_EQ(ranges_text({}), "");
  EXPECT_EQ(ranges_text({5}), "5");
  EXPECT_EQ(ranges_text({0, 1, 2, 3, 8}), "0-3,8");
  EXPECT_EQ(ranges_text({1, 3, 4}), "1,3-4");
}

}  // namespace
}  // namespace memwall::platforms
