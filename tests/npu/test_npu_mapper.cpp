// SPDX-License-Identifier: Apache-2.0
// The mapper against loop nests that are walked tile by tile, against bounds and against values by hand.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "hw/common/error.h"
#include "hw/npu/mapper.h"

using namespace memwall;
using namespace memwall::npu;

namespace {

/// Walks the loop nest with room for one tile of each operand and counts what crosses.
tile_traffic walk(const tiling_problem& p, const std::string& order, std::int64_t tm, std::int64_t tn,
                  std::int64_t tk) {
  const std::map<char, std::pair<std::int64_t, std::int64_t>> loops = {
      {'m', {p.shape.m, tm}}, {'n', {p.shape.n, tn}}, {'k', {p.shape.k, tk}}};
  tile_traffic t;
  using place = std::pair<std::int64_t, std::int64_t>;
  place x{-1, -1}, w{-1, -1}, y{-1, -1};
  std::set<place> begun;
  double y_values = 0;
  std::map<place, std::int64_t> done;  // of K, for each tile of results
  const auto write_back = [&](place at, double values) {
    if (at.first < 0) return;
    const bool complete = done[at] >= p.shape.k;
    t.output += values * (complete ? p.output_bytes : p.sum_bytes);
  };
  std::map<char, std::int64_t> at;
  const auto step = [&](char loop) { return std::min(loops.at(loop).second, loops.at(loop).first - at[loop]); };
  for (at[order[0]] = 0; at[order[0]] < loops.at(order[0]).first; at[order[0]] += loops.at(order[0]).second)
    for (at[order[1]] = 0; at[order[1]] < loops.at(order[1]).first; at[order[1]] += loops.at(order[1]).second)
      for (at[order[2]] = 0; at[order[2]] < loops.at(order[2]).first; at[order[2]] += loops.at(order[2]).second) {
        const double m = static_cast<double>(step('m')), n = static_cast<double>(step('n')),
                     k = static_cast<double>(step('k'));
        if (const place here{at['m'], at['k']}; here != x)
          x = here, t.input += p.input_on_chip ? 0 : m * k * p.input_bytes;
        if (const place here{at['k'], at['n']}; here != w) w = here, t.weight += k * n * p.weight_bytes;
        if (const place here{at['m'], at['n']}; here != y) {
          write_back(y, y_values);
          y = here;
          y_values = m * n;
          if (!begun.insert(here).second) {
            t.output += m * n * p.sum_bytes;
            t.sums_read += m * n * p.sum_bytes;
          }
        }
        done[y] += step('k');
      }
  write_back(y, y_values);
  return t;
}

tiling_problem problem_of(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t scratchpad) {
  tiling_problem p;
  p.shape = {m, n, k};
  p.scratchpad = scratchpad;
  p.input_bytes = 2;
  p.weight_bytes = 1;
  p.output_bytes = 2;
  return p;
}

const char* const orders[] = {"mnk", "nmk", "mkn", "kmn", "nkm", "knm"};

TEST(npu_mapper, traffic_is_that_of_the_walked_loops) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{12, 20, 8}, {7, 9, 11}, {1, 30, 16}, {16, 16, 1}})
    for (const char* order : orders)
      for (const std::int64_t tm : {1L, 3L, 7L, m})
        for (const std::int64_t tn : {2L, 5L, n})
          for (const std::int64_t tk : {1L, 4L, k}) {
            if (tm > m || tn > n || tk > k) continue;
            const tiling_problem p = problem_of(m, n, k, 1 << 20);
            const tile_traffic got = traffic_of(p, order, tm, tn, tk), want = walk(p, order, tm, tn, tk);
            EXPECT_DOUBLE_EQ(got.input, want.input)
                << order << " " << m << n << k << " tiles " << tm << " " << tn << " " << tk;
            EXPECT_DOUBLE_EQ(got.weight, want.weight) << order << " tiles " << tm << " " << tn << " " << tk;
            EXPECT_DOUBLE_EQ(got.output, want.output) << order << " tiles " << tm << " " << tn << " " << tk;
            EXPECT_DOUBLE_EQ(got.sums_read, want.sums_read) << order << " tiles " << tm << " " << tn << " " << tk;
          }
}

TEST(npu_mapper, nothing_beats_what_it_chose) {
  for (const std::int64_t scratchpad : {64, 100, 200, 400, 1000, 4000})
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{12, 20, 8}, {7, 9, 11}, {1, 30, 16}, {16, 16, 16}})
      for (const std::int64_t buffers : {1, 2}) {
        tiling_problem p = problem_of(m, n, k, scratchpad);
        p.buffers = buffers;
        const tiling chosen = best_tiling(p);
        EXPECT_LE(bytes_held(p, chosen.tile_m, chosen.tile_n, chosen.tile_k), static_cast<double>(scratchpad));
        double best = 1e300;
        for (std::int64_t tm = 1; tm <= m; ++tm)
          for (std::int64_t tn = 1; tn <= n; ++tn)
            for (std::int64_t tk = 1; tk <= k; ++tk)
              for (const char* order : orders)
                if (bytes_held(p, tm, tn, tk) <= static_cast<double>(scratchpad))
                  best = std::min(best, walk(p, order, tm, tn, tk).total());
        EXPECT_DOUBLE_EQ(chosen.traffic.total(), best) << m << " x " << n << " x " << k << " in " << scratchpad;
        EXPECT_GE(chosen.traffic.total(), lower_bound(p) * (1 - 1e-12));
      }
}

TEST(npu_mapper, a_larger_scratchpad_never_moves_more) {
  double before = 1e300;
  for (std::int64_t kib = 64; kib <= 1 << 16; kib *= 2) {
    tiling_problem p = problem_of(2048, 11008, 4096, kib * 1024);
    p.step_m = p.step_n = p.step_k = 32;
    const tiling t = best_tiling(p);
    EXPECT_LE(t.traffic.total(), before) << kib << " KiB";
    EXPECT_GE(t.traffic.total(), t.lower_bound);
    before = t.traffic.total();
  }
  // 64 MiB hold all of it: every operand once, 2048 x 4096 x 2 + 4096 x 11008 + 2048 x 11008 x 2 bytes.
  EXPECT_DOUBLE_EQ(before, 16777216.0 + 45088768.0 + 45088768.0);
}

// One row of 4096 inputs (8 KiB) stays, the weights stream past it once: the least there can be.
TEST(npu_mapper, a_vector_stays_while_the_weights_stream_past) {
  tiling_problem p = problem_of(1, 11008, 4096, 1 << 20);
  p.step_n = 128;
  const tiling t = best_tiling(p);
  EXPECT_DOUBLE_EQ(t.traffic.input, 8192);
  EXPECT_DOUBLE_EQ(t.traffic.weight, 4096.0 * 11008);
  EXPECT_DOUBLE_EQ(t.traffic.output, 22016);
  EXPECT_DOUBLE_EQ(t.traffic.total(), t.lower_bound);
  EXPECT_EQ(t.stays, "input weight output");
  EXPECT_NE(reason(p, t).find("weights once"), std::string::npos);
  EXPECT_NE(reason(p, t).find("1.000 x the lower bound"), std::string::npos);
}

// 8 x 4 results of 2 bytes from 8 x 16 inputs of 2 and 16 x 4 weights of 1: 64, 256 and 64 bytes once each.
TEST(npu_mapper, a_reason_says_how_often_each_operand_moves) {
  const tiling_problem p = problem_of(8, 4, 16, 1 << 10);
  tiling t;
  t.order = "nkm";
  t.tile_m = 8, t.tile_n = 2, t.tile_k = 4;
  t.bytes_held = 100;
  t.lower_bound = 320;
  t.traffic = {512, 64, 64, 0};
  EXPECT_EQ(reason(p, t),
            "order nkm, tiles 8 x 2 x 4 (100 of 1024 B): inputs 2 times, weights once, results once; 2.000 x the lower "
            "bound");
  t.traffic = {0, 160, 224, 96};
  t.lower_bound = 0;
  EXPECT_EQ(reason(p, t),
            "order nkm, tiles 8 x 2 x 4 (100 of 1024 B): inputs on chip, weights 2.5 times, results 3.5 times; 1.000 x "
            "the lower bound");
}

// 2 M N K / sqrt(S) - 2 S values of one byte: 2 * 1024^3 / 128 - 2 * 16384 = 16,744,448, more than 3 * 2^20 once each.
TEST(npu_mapper, the_bound_is_the_larger_of_once_each_and_the_hierarchy_s) {
  tiling_problem p;
  p.shape = {1024, 1024, 1024};
  p.input_bytes = p.weight_bytes = p.output_bytes = 1;
  p.scratchpad = 16384;
  EXPECT_DOUBLE_EQ(lower_bound(p), 16744448);
  p.scratchpad = 1 << 30;
  EXPECT_DOUBLE_EQ(lower_bound(p), 3 * 1048576.0);
}

TEST(npu_mapper, tiles_that_cannot_fit_are_an_error) {
  tiling_problem p = problem_of(64, 64, 64, 1024);
  p.step_m = p.step_n = p.step_k = 32;  // 2 * 32 * 32 * (2 + 1) + 32 * 32 * 4 = 10,240 bytes
  try {
    best_tiling(p);
    FAIL() << "it fits?";
  } catch (const input_error& e) {
    EXPECT_NE(std::string(e.what()).find("10240 B"), std::string::npos) << e.what();
  }
}

class mapping_file : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    m_path =
        testing::TempDir() + "npu_mapping_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
    std::ofstream(m_path) << text;
    return m_path;
  }
  void TearDown() override { std::remove(m_path.c_str()); }
  std::string m_path;
};

TEST_F(mapping_file, decides_order_and_tiles) {
  const auto lines = read_mappings(write("m,n,k,order,tile_m,tile_n,tile_k\n0,64,0,nkm,8,16,0\n0,0,0,mnk,1,1,1\n"));
  tiling t;
  ASSERT_TRUE(mapped_tiling(lines, problem_of(32, 64, 48, 1 << 20), t));
  EXPECT_EQ(t.order, "nkm");
  EXPECT_EQ(t.tile_m, 8);
  EXPECT_EQ(t.tile_n, 16);
  EXPECT_EQ(t.tile_k, 48) << "0: all of it";
  EXPECT_DOUBLE_EQ(t.traffic.weight, 64.0 * 48) << "weights stay while m runs";
  EXPECT_DOUBLE_EQ(t.traffic.input, 4 * 32.0 * 48 * 2) << "once for each of the four steps of n";
  ASSERT_TRUE(mapped_tiling(lines, problem_of(32, 63, 48, 1 << 20), t));
  EXPECT_EQ(t.tile_n, 1) << "the second line";
  EXPECT_THROW(mapped_tiling(lines, problem_of(32, 64, 48, 100), t), input_error);
}

TEST_F(mapping_file, says_where_it_is_wrong) {
  const auto message = [&](const std::string& text) {
    try {
      read_mappings(write(text));
    } catch (const input_error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(message("m,n,k,order,tile_m,tile_n,tile_k\n1,2,3,abc,1,1,1\n").find(":2"), std::string::npos);
  EXPECT_NE(message("m,n,k,order,tile_m,tile_n,tile_k\n1,2,x,mnk,1,1,1\n").find("got 'x'"), std::string::npos);
  EXPECT_NE(message("m,n,k\n1,2,3\n").find("tile_m"), std::string::npos);
}

}  // namespace
