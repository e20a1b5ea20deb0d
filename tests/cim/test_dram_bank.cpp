// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "hw/cim/dram_bank.h"
#include "tests/cim/support.h"

using namespace memwall;
using namespace memwall::cim;

namespace {

dram::organisation one_group() {
  dram::organisation o;
  o.data_bits = 64;
  o.burst_beats = 4;
  o.bank_groups = 4;
  o.banks_per_group = 4;
  o.columns = 32;
  return o;
}

dram::timing plain() {
  dram::timing t;
  t.BL = 2;
  t.CL = 20;
  t.CWL = 8;
  t.RCDRD = 14;
  t.RCDWR = 10;
  t.RP = 14;
  t.RAS = 33;
  t.RC = 47;
  t.CCD_S = t.CCD_S_WR = 2;
  t.CCD_L = t.CCD_L_WR = 4;
  t.RRD_S = 4;
  t.RRD_L = 6;
  t.FAW = 16;
  t.WTR_S = t.WTR_L = 9;
  t.RTP = 3;
  t.WR = 16;
  t.RTW = 15;
  t.RFC = 350;
  t.REFI = 0;
  return t;
}

std::vector<column_access> reads(int count, int bank, std::int64_t row, bool fence = true) {
  std::vector<column_access> out(static_cast<std::size_t>(count));
  for (auto& a : out) {
    a.bank = bank;
    a.row = row;
  }
  out.back().fence = fence;
  return out;
}

std::int64_t total(const std::vector<column_access>& program, const dram::timing& t) {
  bank_sequencer s(one_group(), t);
  s.run(program);
  s.finish();
  return s.cycles().total;
}

}  // namespace

// ACT at 0, RD at RCD, seven more at CCD_L, data CL + BL after the last.
TEST(cim_dram_bank, a_group_in_one_row_takes_the_formula) {
  EXPECT_EQ(total(reads(8, 0, 5), plain()), 14 + 7 * 4 + 20 + 2);
}

// Before the first command there is nothing but the row to wait for: no refresh has been, and none comes.
TEST(cim_dram_bank, the_first_access_waits_for_its_row) {
  for (const bool write : {false, true}) {
    auto program = reads(1, 0, 5);
    program[0].write = write;
    bank_sequencer s(one_group(), plain());
    s.run(program);
    s.finish();
    EXPECT_EQ(s.cycles().row, write ? 10 : 14);
    EXPECT_EQ(s.cycles().refresh, 0);
    EXPECT_EQ(s.cycles().turnaround, 0);
    EXPECT_EQ(s.cycles().latency, write ? 8 + 2 : 20 + 2);
  }
}

// The next row: PRE RTP after the last read (which is later than RAS here), RP, RCD.
TEST(cim_dram_bank, a_row_change_takes_precharge_and_activate) {
  auto program = reads(8, 0, 5);
  const auto more = reads(1, 0, 6);
  program.insert(program.end(), more.begin(), more.end());
  EXPECT_EQ(total(program, plain()), 14 + 7 * 4 + 3 + 14 + 14 + 20 + 2);
}

// Read to write turnaround, then write to read: CWL + BL + WTR.
TEST(cim_dram_bank, turnarounds_take_the_formula) {
  auto program = reads(1, 0, 5);
  auto write = reads(1, 0, 5);
  write[0].write = true;
  program.insert(program.end(), write.begin(), write.end());
  const auto read = reads(1, 0, 5);
  program.insert(program.end(), read.begin(), read.end());
  EXPECT_EQ(total(program, plain()), 14 + 15 + (8 + 2 + 9) + 20 + 2);
}

TEST(cim_dram_bank, cycles_by_cause_sum_to_the_total) {
  const auto m = load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  for (const std::int64_t rows : {128, 1000, 4096})
    for (const std::int64_t cols : {1, 64, 172}) {
      const sequencer_cycles c = bank.gemv_cycles(rows, cols, 1);
      std::int64_t sum = c.row + c.turnaround + c.refresh + c.latency;
      for (const auto d : c.data) sum += d;
      EXPECT_EQ(sum, c.total) << rows << " x " << cols;
    }
}

// A stream is limited by CCD_S and by refresh: one access every two clocks for the part RFC / REFI leaves,
// within a percent.
TEST(cim_dram_bank, plain_traffic_reaches_the_refresh_limited_peak) {
  const auto m = load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  const double accesses = 200'000;
  const double expected = accesses * 2 / (1 - 350.0 / 3900);
  EXPECT_NEAR(static_cast<double>(bank.host_cycles(static_cast<std::int64_t>(accesses) * 32, 0).total) / expected, 1,
              0.01);
}

// The host reads, waits for the last beat, then writes: ACT, RD after RCDRD, data CL + BL later; then, in the next
// bank, ACT, WR after RCDWR, data CWL + BL later.
TEST(cim_dram_bank, plain_writes_begin_when_the_reads_have_ended) {
  const auto m = load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  constexpr std::int64_t read = 14 + 20 + 2, write = 10 + 8 + 2;
  EXPECT_EQ(bank.host_cycles(32, 0).total, read);
  EXPECT_EQ(bank.host_cycles(0, 32).total, write);
  const sequencer_cycles both = bank.host_cycles(32, 32);
  EXPECT_EQ(both.total, read + write);
  EXPECT_EQ(both.latency, (20 + 2) + (8 + 2));
  // Where nothing is read there is no direction to turn.
  const sequencer_cycles written = bank.host_cycles(0, 32);
  EXPECT_EQ(written.turnaround, 0);
  EXPECT_EQ(written.latency, 8 + 2);
}

// Results stay in the banks and are read back as ordinary memory, behind the program: eight accumulators of each of
// eight units are 64 accesses, which take between CCD_S and CCD_L each, from the first bank's RCDRD to the last one's
// data.
TEST(cim_dram_bank, results_in_registers_are_read_back_behind_the_program) {
  const auto m = load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  const mvm_cost c = m->mvm({1024, 64, 1, 16, 16, 0});
  EXPECT_EQ(c.output_bytes, 64 * 32);
  const std::int64_t back = c.total / 1000 - bank.gemv_cycles(1024, 64, 1).total;  // a clock is a nanosecond
  EXPECT_GE(back, 14 + 63 * 2 + 20 + 2);
  EXPECT_LE(back, 14 + 63 * 4 + 20 + 2 + 16 * 6) << "and rows of 16 banks, RRD_L from one another";
  EXPECT_EQ(c.parts.sum(), c.total);
}

// Beyond 65,536 accesses read-back goes on at its rate: 2,048 vectors of 64 results take twice as long as 1,024.
TEST(cim_dram_bank, many_results_are_read_back_at_the_rate_of_the_first) {
  const auto m = load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  const auto back = [&](std::int64_t vectors) {
    const mvm_cost c = m->mvm({128, 64, vectors, 16, 16, 0});
    EXPECT_EQ(c.output_bytes, 64 * vectors * 32);
    return c.total / 1000 - bank.gemv_cycles(128, 64, vectors).total;
  };
  const std::int64_t known = back(1024);
  EXPECT_GE(known, 65'536 * 2);
  EXPECT_NEAR(static_cast<double>(back(2048)), 2.0 * static_cast<double>(known), 1);
  EXPECT_NEAR(static_cast<double>(back(1536)), 1.5 * static_cast<double>(known), 1);
}

// Many vectors are taken at the rate of those simulated: the law is checked where both can run.
TEST(cim_dram_bank, vectors_beyond_the_simulated_ones_follow_their_rate) {
  const auto m = load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  // Twice 300 vectors in two programs hold the mode changes twice.
  const double both = static_cast<double>(bank.gemv_cycles(1024, 64, 600).total);
  double sum = 0;
  for (int i = 0; i < 60; ++i) sum += static_cast<double>(bank.gemv_cycles(1024, 64, 10).total);
  const double modes = static_cast<double>(bank.gemv_cycles(1024, 64, 10).total) -
                       (static_cast<double>(bank.gemv_cycles(1024, 64, 20).total) -
                        static_cast<double>(bank.gemv_cycles(1024, 64, 10).total));
  EXPECT_NEAR(both / (sum - 59 * modes), 1, 0.02);
}

// Column accesses do not depend on when a vector comes: each takes as many, simulated or not.
TEST(cim_dram_bank, every_vector_takes_as_many_accesses) {
  for (const char* name : {"hbm_pim", "aim"}) {
    const auto m = load_macro(name);
    const auto& bank = dynamic_cast<const dram_bank&>(*m);
    const auto at = [&](std::int64_t vectors) { return bank.gemv_cycles(1024, 64, vectors); };
    const auto one = at(1), two = at(2), many = at(100'000);
    EXPECT_GT(two.columns + two.all_bank_columns, one.columns + one.all_bank_columns);
    EXPECT_EQ(many.columns, one.columns + 99'999 * (two.columns - one.columns)) << name;
    EXPECT_EQ(many.all_bank_columns, one.all_bank_columns + 99'999 * (two.all_bank_columns - one.all_bank_columns))
        << name;
    // Refreshes close rows at any time: what 80,000 more take is eight times what 10,000 more do, within a hundredth.
    const auto some = at(10'000), more = at(20'000);
    for (const auto member : {&sequencer_cycles::activates, &sequencer_cycles::all_bank_activates,
                              &sequencer_cycles::refreshes, &sequencer_cycles::row, &sequencer_cycles::turnaround,
                              &sequencer_cycles::refresh, &sequencer_cycles::total}) {
      const auto last = static_cast<double>(many.*member - more.*member);
      EXPECT_NEAR(last, 8.0 * static_cast<double>(more.*member - some.*member), 0.01 * last + 1) << name;
    }
    EXPECT_GT(many.total, 4 * more.total);
  }
}

// An access holds sixteen values, and takes as long with fewer.
TEST(cim_dram_bank, broadcast_rows_that_fill_no_access_take_a_whole_one) {
  const auto m = load_macro("aim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  for (const std::int64_t rows : {1, 15, 33, 47, 1009, 1025})
    EXPECT_EQ(bank.gemv_cycles(rows, 64, 1).total, bank.gemv_cycles((rows + 15) / 16 * 16, 64, 1).total) << rows;
  EXPECT_LT(bank.gemv_cycles(1008, 64, 1).total, bank.gemv_cycles(1009, 64, 1).total);
}

TEST(cim_dram_bank, batch_scales_the_program) {
  const auto m = load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  const double one = static_cast<double>(bank.gemv_cycles(4096, 64, 1).total),
               eight = static_cast<double>(bank.gemv_cycles(4096, 64, 8).total);
  EXPECT_NEAR(eight / one, 8, 0.15);  // the mode changes are paid once
}

// AiM: 64 accesses of one row a nanosecond apart, then the next row: the unit waits for RCD and RP each row,
// which bounds its use between half and all of 64 / (64 + RCD + RP + RTP).
TEST(cim_dram_bank, broadcast_units_are_bound_by_rows) {
  const auto m = load_macro("aim");
  const auto& bank = dynamic_cast<const dram_bank&>(*m);
  const mvm_cost c = m->mvm({1024, 1600, 1, 16, 16, 0});
  const double peak_s = 1024.0 * 1600 / bank.peak_macs_per_s();
  const double use = peak_s / (static_cast<double>(c.total) * 1e-12);
  EXPECT_GT(use, 0.5);
  EXPECT_LT(use, 64.0 / (64 + 15.39 + 15.39));
}

// AiM's buffer of 2 KiB holds 1024 values of 16 bits: for each piece of the input that fits, every bank (16) gives a
// result a tile of 16 columns and a vector, read in one access of 32 bytes; inputs go there 16 values an access.
TEST(cim_dram_bank, broadcast_results_come_once_for_each_piece_that_the_buffer_holds) {
  const auto m = load_macro("aim");
  const auto half = test::from_yaml("{base: aim, global_buffer: 1 KiB}");
  const auto least = test::from_yaml("{base: aim, global_buffer: 32 B}");  // one access: 16 values
  struct expected {
    const macro* m;
    std::int64_t rows, cols, vectors, pieces, tiles;
  };
  for (const expected& e : {expected{m.get(), 1024, 16, 1, 1, 1}, expected{m.get(), 1025, 16, 1, 2, 1},
                            expected{m.get(), 3000, 17, 2, 3, 2}, expected{half.get(), 1024, 16, 1, 2, 1},
                            expected{half.get(), 1025, 16, 1, 3, 1}, expected{least.get(), 33, 16, 1, 3, 1}}) {
    const mvm_cost c = e.m->mvm({e.rows, e.cols, e.vectors, 16, 16, 0});
    const std::int64_t results = e.pieces * e.tiles * e.vectors, inputs = (e.rows + 15) / 16 * e.vectors;
    EXPECT_EQ(c.output_bytes, results * 32) << e.rows << " x " << e.cols;
    EXPECT_EQ(c.input_bytes, inputs * 32) << e.rows << " x " << e.cols;
    const double pj = static_cast<double>(results + inputs) * 256 * 7;  // 7 pJ a bit between chip and host
    EXPECT_NEAR(c.energy[component::buffer], pj, 1e-9 * pj) << e.rows << " x " << e.cols;
  }
}

// AiM's rows of 2 KiB are 64 accesses of 16 values. For each tile of 16 columns, what a piece of 1024 values is
// multiplied with lies in a row, of 2048 in two; a piece of 512 has a row to itself, too. All banks open theirs at once
// and take all accesses together, one a 16 values. Beside them inputs go into the buffer 16 at a time, and a result
// leaves it for each piece and tile; what else there is sets modes, however large the matrix.
TEST(cim_dram_bank, broadcast_pieces_open_the_rows_that_their_weights_fill) {
  struct expected {
    const char* buffer;
    std::int64_t rows, cols, opened, pieces, tiles;
  };
  for (const expected& e : {expected{"2 KiB", 1024, 16, 1, 1, 1}, expected{"2 KiB", 2048, 16, 2, 2, 1},
                            expected{"4 KiB", 2048, 16, 2, 1, 1}, expected{"4 KiB", 1040, 16, 2, 1, 1},
                            expected{"1 KiB", 2048, 16, 4, 4, 1}, expected{"2 KiB", 1024, 48, 3, 1, 3},
                            expected{"4 KiB", 2048, 48, 6, 1, 3}, expected{"4 KiB", 4096, 32, 8, 2, 2}}) {
    const auto m = test::from_yaml("{base: aim, global_buffer: " + std::string(e.buffer) + "}");
    const auto& bank = dynamic_cast<const dram_bank&>(*m);
    const auto cycles = bank.gemv_cycles(e.rows, e.cols, 1), least = bank.gemv_cycles(16, 16, 1);
    EXPECT_EQ(cycles.all_bank_activates, e.opened) << e.buffer << ", " << e.rows << " x " << e.cols;
    EXPECT_EQ(cycles.all_bank_columns, e.rows / 16 * e.tiles) << e.buffer << ", " << e.rows << " x " << e.cols;
    EXPECT_EQ(cycles.columns - (least.columns - 2), e.rows / 16 + e.pieces * e.tiles);
  }
}

// What a piece of A accesses more takes: A inputs at CCD_L_WR; the row's ACT a clock after the last one, and its first
// RD after RCDRD, or after the turn from writes to reads; A reads at CCD_L, the result behind them, the turn back. What
// a tile more takes: A reads and the result, and from that RTP, RP and RCDRD to the first read of the next row.
TEST(cim_dram_bank, broadcast_pieces_and_tiles_take_the_formula) {
  dram::timing t = dram::load_standard("GDDR6-16").t;
  t.CCD_L = t.CCD_L_WR = 2;  // the preset's
  const std::int64_t write_read = t.CWL + t.BL + t.WTR_L, read_write = t.read_to_write();
  struct expected {
    const char* buffer;
    std::int64_t accesses;
  };
  for (const expected& e : {expected{"2 KiB", 64}, expected{"1536 B", 48}, expected{"1 KiB", 32}}) {
    const auto m = test::from_yaml("{base: aim, global_buffer: " + std::string(e.buffer) + "}");
    const auto& bank = dynamic_cast<const dram_bank&>(*m);
    const std::int64_t rows = 16 * e.accesses;
    const auto one = bank.gemv_cycles(rows, 16, 1), pieces = bank.gemv_cycles(3 * rows, 16, 1),
               tiles = bank.gemv_cycles(rows, 3 * 16, 1), vectors = bank.gemv_cycles(rows, 16, 3);
    ASSERT_EQ(pieces.refreshes + tiles.refreshes, 0);
    const std::int64_t piece = (e.accesses - 1) * t.CCD_L_WR + std::max<std::int64_t>(1 + t.RCDRD, write_read) +
                               e.accesses * t.CCD_L + read_write;
    EXPECT_EQ(pieces.total - one.total, 2 * piece) << e.buffer;
    EXPECT_EQ(vectors.total - one.total, 2 * piece) << e.buffer;
    EXPECT_EQ(pieces.turnaround - one.turnaround, 2 * (write_read - t.CCD_L + read_write - t.CCD_L)) << e.buffer;
    EXPECT_EQ(tiles.total - one.total, 2 * (e.accesses * t.CCD_L + t.RTP + t.RP + t.RCDRD)) << e.buffer;
    EXPECT_EQ(tiles.turnaround, one.turnaround) << e.buffer;
  }
}

// Weights are written as ordinary memory: 16 x 2 values of two bytes are two accesses, to neighbouring banks of a
// group. The second bank's ACT comes RRD_L = 6 after the first one's (longer than CCD_L), its WR after RCDWR, its last
// beat CWL + BL later. Two rows are opened, and all bits pass the host's wires.
TEST(cim_dram_bank, weights_are_written_as_memory_is) {
  const auto m = load_macro("hbm_pim");
  const program_cost c = m->program(16, 2, 16);
  EXPECT_EQ(c.bytes, 64);
  EXPECT_EQ(c.cell_writes, 16 * 2 * 16);
  EXPECT_EQ(c.total, (6 + 10 + 8 + 2) * 1000);
  EXPECT_NEAR(c.energy[component::dram], 2 * 909, 1e-9);
  EXPECT_NEAR(c.energy[component::buffer], 64 * 8 * 3.48, 1e-9);
}

// 64 x 1000 bytes at 628 MB/s and 6 instructions at 350 MHz each: 101.9 us and 1097 us; the processor is the
// wall.
TEST(cim_dram_bank, a_processor_is_bound_by_the_longer_of_copying_and_computing) {
  const auto m = load_macro("upmem");
  EXPECT_NEAR(static_cast<double>(m->mvm({64, 1000, 1, 8, 8, 0}).total), 64000 * 6 / 350e6 * 1e12, 1);
  const auto fast = test::from_yaml("{base: upmem, instructions_per_mac: 0.1}");
  EXPECT_NEAR(static_cast<double>(fast->mvm({64, 1000, 1, 8, 8, 0}).total), 64000 / 628e6 * 1e12, 2);
}

TEST(cim_dram_bank, wrong_timing_names_and_lanes_are_refused) {
  EXPECT_THROW(test::from_yaml("{base: hbm_pim, timing: {CCDL: 4}}"), input_error);
  EXPECT_THROW(test::from_yaml("{base: hbm_pim, lanes: 8}"), input_error);
  EXPECT_THROW(test::from_yaml("{base: hbm_pim, banks_per_unit: 3}"), input_error);
}
