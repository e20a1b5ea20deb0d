// SPDX-License-Identifier: Apache-2.0
// The reader that judges our waveforms is judged first, against a dump written by hand.
#include <gtest/gtest.h>

#include "tests/support/vcd_reader.h"

namespace memwall::test {
namespace {

vcd_file read(const std::string& text) {
  std::istringstream in(text);
  return vcd_file::parse(in);
}

const std::string head = R"($date today $end
$version by hand $end
$timescale 1 ps $end
$scope module top $end
$scope module bus $end
$var wire 1 ! busy $end
$var wire 3 " owner [2:0] $end
$upscope $end
$var real 64 # load $end
$var wire 1 ! alias $end
$var string 1 $ state $end
$upscope $end
$enddefinitions $end
)";

TEST(vcd_reader, reads_scopes_values_and_times) {
  const auto f = read(head +
                      "#0\n$dumpvars\n0!\nb000 \"\nr0.5 #\nsidle $\n$end\n#10\n1!\nb101 "
                      "\"\n#30\n0!\n#50\n1!\nr1e-3 #\nsrow_open $\n#60\n");
  EXPECT_EQ(f.names(),
            (std::vector<std::string>{"top.bus.busy", "top.bus.owner", "top.load", "top.alias", "top.state"}));
  EXPECT_EQ(f.last_ps(), 60);
  const auto& busy = f["top.bus.busy"];
  EXPECT_EQ(busy.at(9), "0");
  EXPECT_EQ(busy.at(10), "1");
  EXPECT_EQ(busy.busy_ps(0, 60), 20 + 10) << "10..30 and 50..60";
  EXPECT_EQ(busy.busy_ps(15, 55), 15 + 5);
  EXPECT_EQ(f["top.alias"].busy_ps(0, 60), 30) << "another name of the same signal";
  EXPECT_EQ(f["top.bus.owner"].number_at(5), 0u);
  EXPECT_EQ(f["top.bus.owner"].number_at(40), 5u);
  EXPECT_EQ(f["top.load"].at(55), "1e-3");
  EXPECT_EQ(f["top.state"].at(50), "row_open");
  EXPECT_EQ(f["top.bus.owner"].type, "wire");
  EXPECT_EQ(f["top.bus.owner"].width, 3);
}

TEST(vcd_reader, time_scales) {
  std::string ns = head;
  ns.replace(ns.find("1 ps"), 4, "10ns");
  EXPECT_EQ(read(ns + "#0\n0!\n#3\n1!\n").last_ps(), 30'000);
  std::string fs = head;
  fs.replace(fs.find("1 ps"), 4, "1 fs");
  EXPECT_EQ(read(fs + "#0\n0!\n#3000\n1!\n").last_ps(), 3);
  EXPECT_THROW(read(fs + "#0\n0!\n#3001\n1!\n"), std::runtime_error);
}

TEST(vcd_reader, unknown_bits_are_no_numbers) {
  const auto f = read(head + "#0\nbx01 \"\nz!\n");
  EXPECT_EQ(f["top.bus.owner"].at(0), "x01");
  EXPECT_THROW(f["top.bus.owner"].number_at(0), std::runtime_error);
  EXPECT_EQ(f["top.load"].at(0), "x") << "never set";
  EXPECT_THROW(f["top.none"], std::runtime_error);
}

struct broken {
  const char* name;
  std::string text;
};
void PrintTo(const broken& b, std::ostream* out) {
  *out << b.name;
}

class vcd_broken : public testing::TestWithParam<broken> {};

TEST_P(vcd_broken, is_refused_with_its_line) {
  try {
    read(GetParam().text);
    FAIL() << "accepted";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), testing::MatchesRegex("vcd:[0-9]+: .*"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    rules, vcd_broken,
    testing::Values(broken{"time_back", head + "#10\n0!\n#5\n1!\n"}, broken{"time_twice", head + "#10\n0!\n#10\n1!\n"},
                    broken{"undeclared", head + "#0\n0%\n"}, broken{"too_many_bits", head + "#0\nb1111 \"\n"},
                    broken{"not_a_bit", head + "#0\nb12 \"\n"}, broken{"untimed", head + "0!\n"},
                    broken{"scalar_of_vector", head + "#0\n0\"\n"}, broken{"real_of_wire", head + "#0\nr1.5 !\n"},
                    broken{"no_real", head + "#0\nrabc #\n"}, broken{"open_dump", head + "#0\n$dumpvars\n0!\n"},
                    broken{"no_end", "$timescale 1 ps"}, broken{"no_timescale", "$enddefinitions $end\n#0\n"},
                    broken{"odd_timescale", "$timescale 2 ps $end $enddefinitions $end"},
                    broken{"open_scope", "$timescale 1 ps $end $scope module a $end $enddefinitions $end"},
                    broken{"twice",
                           "$timescale 1 ps $end $var wire 1 ! a $end $var wire 1 % a $end $enddefinitions $end"},
                    broken{"garbage", head + "#0\nhello !\n"}),
    [](const auto& p) { return p.param.name; });

}  // namespace
}  // namespace memwall::test
