// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "hw/common/error.h"
#include "hw/dram/address_map.h"

using namespace memwall;
using namespace memwall::dram;

namespace {

organisation shape(int bits, int beats, int ranks, int groups, int banks, std::int64_t rows, int columns) {
  organisation o;
  o.data_bits = bits, o.burst_beats = beats, o.ranks = ranks, o.bank_groups = groups, o.banks_per_group = banks;
  o.rows = rows, o.columns = columns;
  return o;
}
organisation ddr4() {
  return shape(64, 8, 1, 4, 4, 65536, 128);
}

TEST(address_map, fields_are_written_from_the_most_significant) {
  const address_map map({"row:16 bank:2 column:7 bankgroup:2", 1, 64}, ddr4());
  // burst index = ((row * 4 + bank) * 128 + column) * 4 + bank group
  const location at = map.decode((((37ull * 4 + 3) * 128 + 101) * 4 + 2) * 64 + 5);
  EXPECT_EQ(at.row, 37);
  EXPECT_EQ(at.bank, 3);
  EXPECT_EQ(at.column, 101);
  EXPECT_EQ(at.bank_group, 2);
}

TEST(address_map, the_rightmost_piece_holds_a_fields_lowest_bits) {
  const address_map map({"row bank column:4 bankgroup column:3", 1, 64}, ddr4());
  EXPECT_EQ(map.decode_local(0b1011'01'110).column, 0b1011'110);
  EXPECT_EQ(map.decode_local(0b1011'01'110).bank_group, 1);
}

TEST(address_map, a_piece_of_no_bits_holds_nothing) {
  const address_map with({"row column:0 bank column bankgroup", 1, 64}, ddr4()),
      without({"row bank column bankgroup", 1, 64}, ddr4());
  for (std::uint64_t a = 1; a < 1ull << 34; a = a * 3 + 64) EXPECT_EQ(with.decode(a), without.decode(a));
}

TEST(address_map, a_code_word_is_read_like_other_simulators_write_it) {
  // rochrababgco: row | channel | rank | bank | bank group | column, column lowest
  const address_map words({"row channel rank bank bankgroup column", 4, 64}, ddr4()),
      code({"rochrababgco", 4, 64}, ddr4());
  for (std::uint64_t a = 1; a < 1ull << 34; a = a * 3 + 64) EXPECT_EQ(words.decode(a), code.decode(a));
  EXPECT_EQ(code.interleave(), 16 * 128 * 64);
  // RoBaRaCoCh: Ba is all banks of a rank, the group in its low bits
  const address_map ramulator({"RoBaRaCoCh", 2, 4096}, ddr4());
  EXPECT_EQ(ramulator.interleave(), 64);
  const location at = ramulator.decode(((0b0110ull * 128 + 9) * 2 + 1) * 64);
  EXPECT_EQ(at.channel, 1);
  EXPECT_EQ(at.column, 9);
  EXPECT_EQ(at.bank_group, 2);
  EXPECT_EQ(at.bank, 1);
}

TEST(address_map, a_pseudo_channel_is_the_upper_part_of_the_rank) {
  organisation org = shape(32, 8, 4, 4, 4, 8192, 32);
  org.pseudo_channels = 2;
  const address_map map({"row bank rank column bankgroup pseudochannel", 1, 32}, org);
  EXPECT_EQ(map.decode_local(0).rank, 0);
  EXPECT_EQ(map.decode_local(1).rank, 2);           // pseudo-channel 1, stack ID 0
  EXPECT_EQ(map.decode_local(2 * 4 * 32).rank, 1);  // pseudo-channel 0, stack ID 1
  EXPECT_EQ(map.decode_local(2 * 4 * 32 + 1).rank, 3);
  for (std::int64_t b = 0; b < map.local_bursts(); b = b * 3 + 1) EXPECT_EQ(map.encode_local(map.decode_local(b)), b);
  EXPECT_EQ(address_map({map.text(), 1, 32}, org).text(), map.text());
}

TEST(address_map, xor_hashing) {
  const address_map map({"row bank column bankgroup ; bankgroup ^= row[1:0] ; bank ^= row[3:2]", 1, 64}, ddr4());
  const std::int64_t row_bursts = 16 * 128;
  const local_location at = map.decode_local(0b1110 * row_bursts + 1);
  EXPECT_EQ(at.row, 0b1110);
  EXPECT_EQ(at.bank_group, 1 ^ 2);
  EXPECT_EQ(at.bank, 0 ^ 3);
  EXPECT_EQ(map.row_period_bursts(), 16 * row_bursts);
  EXPECT_EQ(map.row_period_rows(), 16);
}

// decode(encode(x)) == x and encode(decode(a)) == a over shapes, maps and channel counts, and no two bursts
// share a place.
TEST(address_map, encode_is_the_inverse_of_decode) {
  std::mt19937_64 random(7);
  const std::vector<organisation> shapes = {ddr4(),
                                            shape(32, 16, 2, 8, 4, 65536, 64),
                                            shape(64, 4, 1, 4, 4, 32768, 32),
                                            shape(32, 8, 3, 4, 4, 12288, 32),  // three stack IDs, 24 Gb dies
                                            shape(8, 32, 1, 1, 16, 16384, 64),
                                            shape(16, 16, 1, 4, 4, 49152, 64)};
  const std::vector<std::string> expressions = {"bg_low",
                                                "column_low",
                                                "bank_low",
                                                "row_high_hashed",
                                                "RoBaRaCoCh",
                                                "RoRaBaChCo",
                                                "rochrababgco",
                                                "rorabgbachco",
                                                "rank row bankgroup column:2 bank column",
                                                "column:1 row:5 rank bank row column bankgroup",
                                                "row rank bank column bankgroup ; bankgroup ^= row[1:0]"};
  const std::vector<std::string> hashed = {
      "row rank bank column bankgroup ; bank ^= column[1:0] ; channel ^= row[2:0]",
      "row rank bank column bankgroup channel ; channel ^= column ; channel ^= row[9:8]"};
  const auto check = [&](const address_map& map, const organisation& org) {
    const auto bursts =
        static_cast<std::uint64_t>(map.capacity_bytes()) / static_cast<std::uint64_t>(org.access_bytes());
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t address = random() % bursts * static_cast<std::uint64_t>(org.access_bytes());
      const location at = map.decode(address);
      ASSERT_TRUE(at.rank >= 0 && at.rank < org.ranks && at.bank_group >= 0 && at.bank_group < org.bank_groups);
      ASSERT_TRUE(at.bank >= 0 && at.bank < org.banks_per_group && at.row >= 0 && at.row < org.rows);
      ASSERT_TRUE(at.column >= 0 && at.column < org.columns && at.channel >= 0 && at.channel < map.channels());
      ASSERT_EQ(map.encode(at), address) << map.text();
      const auto [channel, burst] = map.channel_of(address);
      ASSERT_EQ(map.address_of(channel, burst), address) << map.text();
    }
    const address_map again({map.text(), map.channels(), map.interleave()}, org);
    EXPECT_EQ(again.text(), map.text());
    for (std::uint64_t a = 77; a < bursts; a = a * 5 + 1)
      ASSERT_EQ(again.decode(a * 32), map.decode(a * 32)) << map.text();
    for (int i = 0; i < 50; ++i) {
      const std::int64_t burst = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(map.local_bursts()));
      if (burst / map.row_period_bursts() % map.row_periods() + 1 >= map.row_periods()) continue;
      local_location next = map.decode_local(burst);
      next.row += map.row_period_rows();
      ASSERT_EQ(map.decode_local(burst + map.row_period_bursts()), next) << map.text();
    }
  };
  for (const auto& org : shapes)
    for (const int channels : {1, 2, 8, 12, 160}) {
      for (const auto& e : expressions) {
        // Hashing needs powers of two.
        if (e == "row_high_hashed" && (org.rows & (org.rows - 1)) != 0) continue;
        if (e.find("^=") != std::string::npos && (org.rows & (org.rows - 1)) != 0) continue;
        if (e == "column:1 row:5 rank bank row column bankgroup" && org.rows % 32 != 0) continue;
        check(address_map({e, channels, 512}, org), org);
      }
      if (channels == 8 && (org.rows & (org.rows - 1)) == 0)
        for (const auto& e : hashed) check(address_map({e, channels, 512}, org), org);
    }
}

// The closed form against one burst at a time.
TEST(address_map, split_covers_every_burst_once_in_one_run_a_channel) {
  std::mt19937_64 random(11);
  const organisation org = shape(32, 8, 1, 4, 4, 64, 32);  // small, so that transfers wrap
  for (const char* expression : {"bg_low", "RoRaBaChCo", "row bank column bankgroup ; channel ^= row[2:0]"})
    for (const int channels : {1, 5, 8, 160}) {
      if (std::string(expression).find('^') != std::string::npos && channels != 8) continue;
      const address_map map({expression, channels, 256}, org);
      for (int i = 0; i < 200; ++i) {
        const std::uint64_t address = random() % static_cast<std::uint64_t>(map.capacity_bytes());
        const std::uint64_t bytes = 1 + random() % (i % 2 == 0 ? 700 : 200'000);
        std::map<std::pair<int, std::int64_t>, int> expected, got;
        for (std::uint64_t b = address / 32; b <= (address + bytes - 1) / 32; ++b) ++expected[map.channel_of(b * 32)];
        std::set<int> channels_seen;
        bool wraps = address + bytes > static_cast<std::uint64_t>(map.capacity_bytes());
        for (const auto& run : map.split(address, bytes)) {
          ASSERT_GT(run.count, 0);
          ASSERT_TRUE(channels_seen.insert(run.channel).second || wraps);
          for (std::int64_t b = 0; b < run.count; ++b) ++got[{run.channel, run.first_burst + b}];
        }
        ASSERT_EQ(got, expected) << map.text() << " " << address << " " << bytes;
      }
    }
}

// Three ranks behind each of two pseudo-channels: no string of bits. A burst's number in mixed digits, from the least:
// bank group (2), column (4), bank (2), pseudo-channel (2), rank of it (3), row.
TEST(address_map, ranks_of_pseudo_channels_may_be_three) {
  organisation o = shape(64, 8, 6, 2, 2, 4, 4);
  o.pseudo_channels = 2;
  const address_map map({"row rank pseudochannel bank column bankgroup", 1, 64}, o);
  for (std::int64_t i = 0; i < 2 * 4 * 2 * 2 * 3 * 4; ++i) {
    const location l = map.decode(static_cast<std::uint64_t>(i) * 64);
    EXPECT_EQ(l.bank_group, i % 2) << i;
    EXPECT_EQ(l.column, i / 2 % 4) << i;
    EXPECT_EQ(l.bank, i / 8 % 2) << i;
    EXPECT_EQ(l.rank, i / 16 % 2 * 3 + i / 32 % 3) << i;
    EXPECT_EQ(l.row, i / 96) << i;
  }
}

TEST(address_map, errors_say_what_is_wrong) {
  const auto message = [](const address_map_params& p) -> std::string {
    try {
      address_map(p, ddr4());
    } catch (const input_error& e) {
      return e.what();
    }
    return "no error";
  };
  using testing::HasSubstr;
  EXPECT_THAT(message({"row bank colum bankgroup", 1, 64}), HasSubstr("did you mean 'column'"));
  EXPECT_THAT(message({"row bank column", 1, 64}), HasSubstr("lacks bankgroup"));
  EXPECT_THAT(message({"row:15 bank column bankgroup", 1, 64}), HasSubstr("65536 values (16 bits)"));
  EXPECT_THAT(message({"row bank column column bankgroup", 1, 64}), HasSubstr("more than one piece without a width"));
  EXPECT_THAT(message({"bg_lo", 1, 64}), HasSubstr("bg_low"));
  EXPECT_THAT(message({"bg_low", 1, 100}), HasSubstr("multiple of the access size"));
  EXPECT_THAT(message({"bg_low ; bank ^= row[20:19]", 1, 64}), HasSubstr("bits 0 to 15"));
  EXPECT_THAT(message({"bg_low ; bank ^= row[3:0]", 1, 64}), HasSubstr("at most 2 bits"));
  EXPECT_THAT(message({"bg_low ; channel ^= row[1:0]", 3, 64}), HasSubstr("power of two"));
  EXPECT_THAT(message({"bg_low ; channel ^= bankgroup", 4, 1024}), HasSubstr("below the channel interleave"));
  EXPECT_THAT(message({"bg_low", 0, 64}), HasSubstr("at least 1"));
  EXPECT_THAT(message({"row bank column bankgroup ; colum ^= row[1:0]", 1, 64}), HasSubstr("did you mean 'column'"));
  EXPECT_THAT(message({"bg_low ; pseudochannel ^= row[0]", 1, 64}), HasSubstr("rank, whose upper bits it is"));
  EXPECT_THAT(message({"bg_low ; bank + row", 1, 64}), HasSubstr("'bank + row' is no hash"));
  for (const char* range : {"row[0:1]", "row[x]", "row[1:]", "row[1:0"})
    EXPECT_THAT(message({std::string("bg_low ; bank ^= ") + range, 1, 64}), HasSubstr("is no range of bits")) << range;
  EXPECT_THAT(message({"bg_low ; bank ^= bank[0]", 1, 64}), HasSubstr("two different fields"));
  EXPECT_THAT(message({"bg_low ; bank ^= channel", 4, 1024}), HasSubstr("the right one not channel"));
  for (const char* width : {"row:", "row:x", "row:41"})
    EXPECT_THAT(message({std::string(width) + " bank column bankgroup", 1, 64}), HasSubstr("has no width in bits"));
  EXPECT_THAT(message({"row channel bank column channel bankgroup", 4, 64}), HasSubstr("channel comes more than once"));
  // Banks, bank groups, 14 bits of rows and 7 of columns are 23 pieces; the last two bits of rows make 24, or 25.
  std::string pieces = "bank bankgroup ";
  for (int i = 0; i < 14; ++i) pieces += "row:1 ";
  for (int i = 0; i < 7; ++i) pieces += "column:1 ";
  EXPECT_EQ(message({pieces + "row:2", 1, 64}), "no error");
  EXPECT_THAT(message({pieces + "row:1 row:1", 1, 64}), HasSubstr("at most 24"));
  // 65536 rows x 128 columns x 16 banks: a stripe of three bursts does not divide them.
  EXPECT_THAT(message({"bg_low", 1, 3 * 64}), HasSubstr("a divisor of the channel's capacity"));
}

}  // namespace
