// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "traces/importer.h"
#include "traces/totals.h"

namespace memwall::trace {
namespace {

class csv : public testing::Test {
 protected:
  std::unique_ptr<op_stream> read(const std::string& text) {
    std::ofstream(m_path) << text;
    return open(m_path, "gemm_csv", dtypes::parse("int8"));
  }
  problem problem_of(const std::string& text) {
    try {
      read(text);
    } catch (const input_error& e) {
      return e.problems().front();
    }
    return {};
  }
  void TearDown() override { std::filesystem::remove(m_path); }
  std::string m_path = testing::TempDir() + "memwall-" + std::to_string(getpid()) + ".csv";
};

TEST_F(csv, products_become_operators) {
  auto t = read("name, K, N, M\r\nqkv, 64, 192, 3\nup,64,256,3\n\nqkv,64,192,5\n");
  const auto& tensors = t->header().tensors;
  ASSERT_EQ(tensors.size(), 4u);  // in, out, qkv, up
  EXPECT_EQ(tensors[2].bytes, 192 * 64);
  op o;
  ASSERT_TRUE(t->next(o));
  EXPECT_EQ(o.name, "qkv");
  EXPECT_EQ(o.m, 3);
  EXPECT_EQ(o.n, 192);
  EXPECT_EQ(o.k, 64);
  EXPECT_EQ(o.matmul_flops, 2 * 3 * 192 * 64);
  auto again = read("name,M,N,K\na,3,192,64\nb,1,1,1\n");
  const auto sum = sum_of(*again);
  EXPECT_EQ(sum.ops, 2);
  EXPECT_EQ(sum.read[0], 192 * 64 + 1);
  EXPECT_EQ(sum.read[2], 2 * (3 * 64 + 1));  // activations stay fp16
  EXPECT_EQ(sum.written[2], 2 * (3 * 192 + 1));
}

TEST_F(csv, defects) {
  EXPECT_THAT(problem_of("").message, testing::HasSubstr("is empty"));
  EXPECT_THAT(problem_of("name,M,N\na,1,2\n").key, "K");
  EXPECT_EQ(problem_of("nam,M,N,K\n").nearest, "name");
  EXPECT_THAT(problem_of("name,M,N,K\n").message, testing::HasSubstr("no matrix products"));
  for (const char* row : {"a,0,2,3", "a,-1,2,3", "a,x,2,3", "a,1,2", "a,1.5,2,3", "a,99999999999999999999,2,3",
                          ",1,2,3", "a,1099511627776,1099511627776,4", "a,1,2,3\na,1,2,4"}) {
    const auto p = problem_of(std::string("name,M,N,K\n") + row + "\n");
    EXPECT_THAT(p.where, testing::EndsWith(std::string(row).find('\n') == std::string::npos ? ":2" : ":3")) << row;
  }
}

TEST(importers, unknown_kind_names_the_nearest) {
  try {
    open("x", "gem_csv", dtypes{});
    FAIL();
  } catch (const input_error& e) {
    EXPECT_EQ(e.problems()[0].nearest, "gemm_csv");
  }
}

}  // namespace
}  // namespace memwall::trace
