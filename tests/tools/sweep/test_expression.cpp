// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/common/error.h"
#include "tools/sweep/digest.h"

namespace {
using namespace memwall;
using namespace memwall::sweep;

const std::vector<std::string> names = {"x", "hbm.rate", "platform", "blank", "a-b"};

bool holds(const std::string& text) {
  const std::vector<value> values = {4.0, to_value("5.2 Gbps"), std::string("cim_dram"), value(), 7.0};
  return expression(text, names, "f:3", "when").test([&](std::size_t i) { return values[i]; });
}

std::string error_of(const std::string& text) {
  try {
    holds(text);
  } catch (const input_error& e) {
    return e.what();
  }
  return "none";
}

TEST(sweep_expression, precedence) {
  EXPECT_TRUE(holds("1 + 2 * 3 == 7"));
  EXPECT_TRUE(holds("(1 + 2) * 3 == 9"));
  EXPECT_TRUE(holds("2 ** 3 ** 2 == 512"));  // right to left
  EXPECT_TRUE(holds("-2 ** 2 == -4"));       // as in Python
  EXPECT_TRUE(holds("2 ** -1 == 0.5"));
  EXPECT_TRUE(holds("7 % 4 - 3 == 0"));
  EXPECT_TRUE(holds("8 / 4 / 2 == 1"));  // left to right
  EXPECT_TRUE(holds("true or false and false"));
  EXPECT_TRUE(holds("not false and true"));
  EXPECT_FALSE(holds("not (true and x == 4)"));
}

TEST(sweep_expression, values) {
  EXPECT_TRUE(holds("x == 4 and x in [1, 2, 4]"));
  EXPECT_FALSE(holds("x in [1, 2, 8 / 3]"));
  EXPECT_TRUE(holds("platform == 'cim_dram' and platform != \"cim_sram\""));
  EXPECT_TRUE(holds("platform in ['a', 'cim_dram']"));
  EXPECT_TRUE(holds("hbm.rate > 5 Gbps and hbm.rate < 5.3Gbps and hbm.rate == 5200 Mbps"));
  EXPECT_TRUE(holds("64 KiB == 65536 B and 1 GB/s < 1 GiB/s"));
  EXPECT_TRUE(holds("`a-b` == 7"));
  EXPECT_TRUE(holds("log2(x) == 2 and sqrt(x) == 2 and max(1, x, 3) == 4 and min(x, 2) == 2"));
  EXPECT_TRUE(holds("abs(-3) == 3 and floor(2.7) == 2 and ceil(2.1) == 3 and round(2.5) == 3"));
  EXPECT_TRUE(holds("blank != 1 and blank != 'x'"));
  EXPECT_FALSE(holds("x == '4'"));
}

TEST(sweep_expression, errors_say_where_and_what) {
  using testing::AllOf;
  using testing::HasSubstr;
  EXPECT_THAT(error_of("platfrom == 'a'"), AllOf(HasSubstr("f:3: when"), HasSubstr("did you mean 'platform'")));
  EXPECT_THAT(error_of("x == cim_dram"), HasSubstr("text is written in quotes"));
  EXPECT_THAT(error_of("x +"), HasSubstr("ends early"));
  EXPECT_THAT(error_of("x == 4)"), HasSubstr("unexpected ')'"));
  EXPECT_THAT(error_of("x"), HasSubstr("gives a number"));
  EXPECT_THAT(error_of("platform < 3"), HasSubstr("got text"));
  EXPECT_THAT(error_of("x / 0 == 1"), HasSubstr("by zero"));
  EXPECT_THAT(error_of("blank > 1"), HasSubstr("not set"));
  EXPECT_THAT(error_of("log2(1, 2) == 0"), HasSubstr("log2 got 2"));
  EXPECT_THAT(error_of("'open"), HasSubstr("not closed"));
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(sweep_expression, what_no_one_writes_does_not_end_on_the_stack) {
  using testing::HasSubstr;
  for (const char* open : {"(", "not ", "-", "2 ** ", "abs("})
    EXPECT_THAT(error_of(repeated(open, 100000) + "x"), HasSubstr("too deep inside each other")) << open;
  EXPECT_THAT(error_of("x" + repeated(" + 1", 100000) + " > 0"), HasSubstr("is too long"));
  EXPECT_THAT(error_of("x == 4" + repeated(" and x == 4", 100000)), HasSubstr("is too long"));
  EXPECT_TRUE(holds(repeated("(", 40) + "x == 4" + repeated(")", 40)));
  EXPECT_TRUE(holds(repeated("not ", 60) + "x == 4"));
  EXPECT_TRUE(holds("x" + repeated(" + 1", 900) + " == 904"));
}

// Random arithmetic against the same tree evaluated here.
struct made {
  std::string text;
  double v;
};
made make(std::uint64_t seed, int depth) {
  const auto r = mix(seed, 1);
  if (depth == 0 || r % 4 == 0) {
    const auto n = mix(seed, 2) % 9 + 1;
    return {std::to_string(n), static_cast<double>(n)};
  }
  const made a = make(mix(seed, 3), depth - 1), b = make(mix(seed, 4), depth - 1);
  switch (mix(seed, 5) % 3) {
    case 0:
      return {"(" + a.text + " + " + b.text + ")", a.v + b.v};
    case 1:
      return {"(" + a.text + " - " + b.text + ")", a.v - b.v};
    default:
      return {"(" + a.text + "*" + b.text + ")", a.v * b.v};
  }
}

TEST(sweep_expression, random_arithmetic) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const made m = make(seed, 5), n = make(seed + 1000, 5);
    EXPECT_EQ(holds(m.text + " <= " + n.text), m.v <= n.v) << m.text << " <= " << n.text;
    EXPECT_TRUE(holds(m.text + " - " + m.text + " == 0"));
  }
}

// Any bytes either evaluate or give input_error.
TEST(sweep_expression, garbage_is_refused_without_harm) {
  static const char alphabet[] = "x.()[]+-*/%<>=!'\"` 0129andorin,KiBG";
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    std::string text;
    for (std::uint64_t i = 0; i < mix(seed, 0) % 12; ++i) text += alphabet[mix(seed, 1, i) % (sizeof alphabet - 1)];
    try {
      holds(text);
    } catch (const input_error&) {
    }
  }
}

}  // namespace
