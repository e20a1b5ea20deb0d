// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "hw/common/error.h"
#include "hw/dram/driver.h"

using namespace memwall;
using namespace memwall::dram;
using testing::HasSubstr;

namespace {

std::vector<request> first(traffic& t, int n) {
  std::vector<request> out;
  request r;
  while (n-- > 0 && t.next(r)) out.push_back(r);
  return out;
}

std::vector<request> first(const std::string& pattern, int n, std::uint64_t seed = 0) {
  const standard s = load_standard("DDR4-3200");
  const address_map map({"", 1, 256}, s.org);
  pattern_params p;
  p.pattern = pattern;
  p.seed = seed;
  return first(*make_pattern(p, s, map), n);
}

int count_of(const std::string& pattern) {
  const standard s = load_standard("DDR4-3200");
  pattern_params p;
  p.pattern = pattern;
  const auto t = make_pattern(p, s, address_map({"", 1, 256}, s.org));
  request r;
  int n = 0;
  while (t->next(r)) ++n;
  return n;
}

TEST(traffic, patterns_a_to_e_are_the_defined_ones) {
  EXPECT_EQ(count_of("a"), 1'000'000);
  EXPECT_EQ(count_of("b"), 200'000);
  EXPECT_EQ(count_of("c"), 1'000'000);
  EXPECT_EQ(count_of("e"), 100'000);
  const auto a = first("a", 3);
  EXPECT_EQ(a[2].address, 128u);
  EXPECT_FALSE(a[2].write);
  EXPECT_EQ(a[2].not_before, 0);
  // SplitMix64 seeded with 0 starts with 0xE220A8397B1DCDAF (the published test vector of the generator).
  EXPECT_EQ(first("b", 1)[0].address, 0xE220A8397B1DCDAFu % (1024 * 1024 * 1024 / 64) * 64);
  // R R W: reads 2g + r, writes from 512 MiB on
  const auto c = first("c", 6);
  const std::vector<std::uint64_t> addresses = {0, 64, 512u << 20, 128, 192, (512u << 20) + 64};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(c[i].address, addresses[i]);
    EXPECT_EQ(c[i].write, i % 3 == 2);
  }
  // 25.6 GB/s: a request of 64 B every 2.5 ns is the peak; half of it 5 ns, 1 % 250 ns
  EXPECT_EQ(first("d", 4)[3].not_before, 15'000);
  EXPECT_EQ(first("e", 4)[3].not_before, 750'000);
}

TEST(traffic, other_patterns) {
  const auto stride = first("stride:4KiB", 3);
  EXPECT_EQ(stride[2].address, 8192u);
  const auto mix = first("mix:1:2", 6);
  EXPECT_EQ(mix[1].address, 512u << 20);
  EXPECT_EQ(mix[5].address, (512u << 20) + 3 * 64);
  EXPECT_TRUE(mix[5].write);
  EXPECT_EQ(mix[3].address, 64u);
  EXPECT_NE(first("random", 1, 1)[0].address, first("random", 1, 2)[0].address);
  for (const char* bad : {"sek", "mix:1", "mix:0:0", "mix:a:b", "stride:", "stride:0", "stride:x"})
    EXPECT_THROW(first(bad, 1), input_error) << bad;
}

// What the memory may take in one piece: bursts one after another, at once or at a pace of whole picoseconds, and turns
// of up to 128 on one channel. At half of 25.6 GB/s a burst of 64 B comes every 5 ns.
TEST(traffic, what_may_be_one_transfer_is) {
  const standard s = load_standard("DDR4-3200");
  const auto one = [&](const std::string& pattern, double load = 0, std::int64_t size = 0, int channels = 1) {
    pattern_params p;
    p.pattern = pattern;
    p.requests = 1000;
    p.load = load;
    p.size = size;
    return make_pattern(p, s, address_map({"", channels, 256}, s.org))->as_one();
  };
  EXPECT_EQ(one("seq").bytes, 64'000u);
  EXPECT_EQ(one("seq").pace, 0);
  EXPECT_EQ(one("seq", 0, 256).bytes, 256'000u);
  EXPECT_EQ(one("seq", 0, 256).pace, 0);
  EXPECT_EQ(one("d").bytes, 64'000u);
  EXPECT_EQ(one("d").pace, 5000);
  EXPECT_EQ(one("seq", 0.3).bytes, 0u) << "8333.3 ps are not whole";
  EXPECT_EQ(one("seq", 0.5, 256).bytes, 0u) << "a request's bursts come together";
  EXPECT_EQ(one("seq", 0, 192).bytes, 0u) << "the last request would pass the end";
  for (const char* pattern : {"random", "b", "stride:4KiB"}) EXPECT_EQ(one(pattern).bytes, 0u) << pattern;
  const transfer mix = one("mix:2:1");
  EXPECT_EQ(mix.bytes, 64'000u);
  EXPECT_EQ(mix.reads, 2);
  EXPECT_EQ(mix.writes, 1);
  EXPECT_EQ(mix.written, std::uint64_t{512} << 20);
  EXPECT_EQ(one("mix:126:2").bytes, 64'000u);
  EXPECT_EQ(one("mix:127:2").bytes, 0u);
  EXPECT_EQ(one("mix:1:0").bytes, 0u);
  EXPECT_EQ(one("mix:0:1").bytes, 0u);
  EXPECT_EQ(one("mix:2:1", 0.5).bytes, 0u);
  EXPECT_EQ(one("mix:2:1", 0, 128).bytes, 0u);
  EXPECT_EQ(one("mix:2:1", 0, 0, 2).bytes, 0u);
}

class trace_file : public testing::Test {
 protected:
  ~trace_file() override { std::remove(m_path.c_str()); }
  std::vector<request> read(const std::string& text, std::int64_t size = 0) {
    std::ofstream(m_path) << text;
    const auto t = open_trace(m_path, spec, map, size, 0);
    return first(*t, 100);
  }
  std::string error(const std::string& text) {
    try {
      read(text);
    } catch (const input_error& e) {
      return e.what();
    }
    return "no error";
  }
  const standard spec = load_standard("DDR4-3200");
  const address_map map{{spec.default_map, 2, 256}, spec.org};
  std::string m_path = testing::TempDir() + "memwall_trace_" + std::to_string(::getpid()) + ".txt";
};

TEST_F(trace_file, formats_of_other_simulators) {
  struct example {
    const char* text;
    bool cycles;
  };
  for (const auto& e : {example{"0x1f40 R\n0x80 W\n", false},  // Ramulator 1
                        {"8000 R\n128 W\n", false},
                        {"LD 0x1f40\nST 0x80\n", false},  // Ramulator 2
                        {"R 8000\nW 128\n", false},
                        {"# comment\n\n0x1f40 READ 4\n0x80 WRITE 8\n", true},  // DRAMsim3
                        {"0x1F40 P_MEM_RD 4\n0x80 P_MEM_WR 8\n", true},
                        {"4:\tread\t0x1f40\n8:\twrite\t0x80\n", true},  // DRAMSys
                        {"4: read (64) 0x1f40\n8: write (64) 0x80\n", true},
                        {"4, 0x1f40, R\n8, 0x80, W\n", true},
                        {"4: write 0x1f40 0xabcd\n8: read 0x80\n", true},  // with the data of writes
                        {"4: read 1f40\n8: write 80 00ff\n", true},        // hexadecimal without saying so
                        {"0x1f40 P_FETCH 4\n0x80 BOFF 8\n", true},         // DRAMSim2's k6
                        {"4 R 0x1f40\r\n8 w 0x80\r\n", true}}) {
    SCOPED_TRACE(e.text);
    const auto r = read(e.text);
    ASSERT_EQ(r.size(), 2u);
    EXPECT_EQ(r[0].address, 8000u);
    EXPECT_EQ(r[1].address, 128u);
    const bool turned = std::string(e.text).find("write 0x1f40") != std::string::npos;
    EXPECT_EQ(r[0].write, turned);
    EXPECT_EQ(r[1].write, !turned);
    EXPECT_EQ(r[0].bytes, 64u);
    EXPECT_EQ(r[1].not_before, e.cycles ? 5000 : 0);  // 8 clocks of 625 ps
  }
  EXPECT_EQ(read("7: read (256) 0x40\n")[0].bytes, 256u);
}

TEST_F(trace_file, errors_name_the_line) {
  EXPECT_THAT(error("0x40 R\n\n0x80 X\n"), HasSubstr(":3: "));
  EXPECT_THAT(error("0x40 R\n0x80\n"), HasSubstr("another number of columns"));
  EXPECT_THAT(error("0x40 R 1\nzz R 2\n"), HasSubstr(":2: "));
  EXPECT_THAT(error("hello world\n"), HasSubstr("in no known format"));
  EXPECT_THAT(error("# nothing\n"), HasSubstr("holds no request"));
  EXPECT_THAT(error("0x40 R -3\n"), HasSubstr("in no known format"));
  EXPECT_THROW(open_trace("/nonexistent/trace", spec, map, 0, 0), input_error);
  // A vector of address parts, as Ramulator 2 reads it, is not an address and a cycle.
  EXPECT_THAT(error("R 3,77\nW 3,78\n"), HasSubstr(":1: 'R 3,77' holds a list of numbers"));
  EXPECT_THAT(error("LD 0,0,1,2,3,4\n"), HasSubstr("list of numbers"));
  EXPECT_THAT(error("0x40 R 5\n0x80 R 6,7\n"), HasSubstr(":2: "));
  // 2^62 - 1 picoseconds, over two channels: 4611686018427387903 / 625 / 2 clocks.
  EXPECT_THAT(error("0x40 R 3689348814741910\n0x40 R 3689348814741911\n"), HasSubstr(":2: "));
  EXPECT_THAT(error("0x40 R 3689348814741912\n"), HasSubstr("at most cycle 3689348814741910"));
}

// Each pseudo-channel has a data bus of its own, over all of which time is summed: 2^62 - 1 picoseconds over two
// channels of two, 4611686018427387903 / 1000 / 4 clocks.
TEST_F(trace_file, the_latest_cycle_is_that_of_all_data_buses) {
  const standard two = [] {
    standard s;
    s.t.tck_fs = 1'000'000;
    s.org.pseudo_channels = 2;
    s.org.ranks = 2;
    return s;
  }();
  const address_map channels{{"row rank bank bankgroup column", 2, 256}, two.org};
  const auto last_line = [&](const std::string& text) {
    std::ofstream(m_path) << text;
    const auto t = open_trace(m_path, two, channels, 0, 0);
    return first(*t, 100).back().not_before;
  };
  EXPECT_EQ(last_line("0x40 R 1152921504606846\n"), 1'152'921'504'606'846'000);
  EXPECT_THROW(last_line("0x40 R 1152921504606847\n"), input_error);
}

TEST_F(trace_file, an_access_is_the_line_that_holds_its_address) {
  const auto r = read("0x1f7f R\n0x3f W\n0x40 R\n");
  EXPECT_EQ(r[0].address, 0x1f40u);
  EXPECT_EQ(r[1].address, 0u);
  EXPECT_EQ(r[2].address, 0x40u);
  EXPECT_EQ(read("0x1f7f R\n", 256)[0].address, 0x1f40u);
  // Where the trace gives a size, its bytes are touched: 60 to 67 lie in two accesses.
  EXPECT_EQ(read("5: read (8) 0x3c\n")[0].address, 0x3cu);
}

TEST_F(trace_file, cycles_of_an_rstl_count_from_the_request_before) {
  std::remove(m_path.c_str());
  m_path += ".rstl";
  const auto r = read("10: read 0x40\n0: read 0x80\n6: write 0xc0\n");
  EXPECT_EQ(r[0].not_before, 6'250);
  EXPECT_EQ(r[1].not_before, 6'250);
  EXPECT_EQ(r[2].not_before, 10'000);
}

TEST_F(trace_file, late_cycles_keep_their_time) {
  EXPECT_EQ(read("0x7f00 R 110000000000000\n")[0].not_before, 68'750'000'000'000'000);
}

}  // namespace
