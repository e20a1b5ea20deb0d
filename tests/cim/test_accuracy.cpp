// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>

#include "hw/cim/accuracy.h"
#include "tests/cim/support.h"
#include "tools/npy.h"

using namespace memwall;
using namespace memwall::cim;

namespace {

std::vector<accuracy_point> points(const std::string& yaml, const accuracy_options& o, std::int64_t k = 512,
                                   std::int64_t n = 32) {
  return measure_accuracy(config::node::parse_text(yaml, "test.yaml"), random_layer(k, n, 6, 1), o);
}

std::string file_with(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// A version 1 file by the format's definition: magic, version, length of the header, header, data.
std::string npy(const std::string& header, const std::string& data) {
  const char length[] = {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  return std::string("\x93NUMPY\x01\x00", 8) + std::string(length, 2) + header + data;
}

}  // namespace

TEST(cim_accuracy, a_digital_macro_is_exact_and_only_quantisation_shows) {
  const auto p = points("{base: tsmc_dcim_5nm}", {8, 8, {4}, {}, {3600}, 1, {}});
  ASSERT_EQ(p.size(), 1U);
  EXPECT_TRUE(std::isinf(p[0].snr_db));
  // Weights and inputs clipped at 4 sigma over 127 steps: error power (4 / 127)^2 / 12 of each, against their
  // own power 1.
  const double each = std::pow(4.0 / 127, 2) / 12;
  EXPECT_NEAR(p[0].total_snr_db, 10 * std::log10(1 / (2 * each + each * each)), 0.5);
}

// A bit more halves the converter's step: 6.02 dB, as long as the converter is what errs.
TEST(cim_accuracy, a_converter_bit_is_worth_six_decibels) {
  const auto p = points(
      "{type: analog_crossbar, rows: 256, columns: 512, bits_per_cell: 8, differential: true, signed_inputs: "
      "bipolar,"
      " dac_bits: 8, adc_ranging: weights, adc_sigmas: 6}",
      {8, 8, {7, 8, 9, 10}, {}, {}, 1, {}});
  ASSERT_EQ(p.size(), 5U);
  for (std::size_t i = 2; i < p.size(); ++i) EXPECT_NEAR(p[i].snr_db - p[i - 1].snr_db, 6.02, 0.5);
  EXPECT_NEAR(p[0].snr_db, p[2].snr_db, 1e-9);  // the preset's own 8 bits
}

TEST(cim_accuracy, phase_change_memory_forgets) {
  const auto p = points("{base: hermes}", {8, 8, {}, {}, {20, 86400, 3.15e7}, 1, {}}, 256);
  ASSERT_EQ(p.size(), 4U);
  EXPECT_GT(p[0].snr_db, 10);
  EXPECT_GE(p[1].snr_db, p[2].snr_db);
  EXPECT_GT(p[2].snr_db, p[3].snr_db);
}

// Four points (the preset, two converters, an age) of six vectors: told before each of the 24. A digital macro is one
// point.
TEST(cim_accuracy, progress_is_the_share_of_the_vectors_of_all_points) {
  std::vector<double> told;
  accuracy_options o{8, 8, {7, 8}, {}, {20}, 1, [&](double share) { told.push_back(share); }};
  points("{base: hermes}", o, 64);
  ASSERT_EQ(told.size(), 24U);
  for (std::size_t i = 0; i < told.size(); ++i) EXPECT_NEAR(told[i], static_cast<double>(i) / 24, 1e-12);
  told.clear();
  points("{base: tsmc_dcim_5nm}", o, 64);
  ASSERT_EQ(told.size(), 6U);
  for (std::size_t i = 0; i < told.size(); ++i) EXPECT_NEAR(told[i], static_cast<double>(i) / 6, 1e-12);
}

TEST(cim_npy, files_are_read_as_the_format_defines) {
  const std::string data("\x01\x02\x03\xff\x05\x06", 6);
  const auto rows =
      tools::read_npy(file_with("c.npy", npy("{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }\n", data)));
  EXPECT_EQ(rows.shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(rows.values, (std::vector<double>{1, 2, 3, -1, 5, 6}));
  const auto columns =
      tools::read_npy(file_with("f.npy", npy("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }\n", data)));
  EXPECT_EQ(columns.values, (std::vector<double>{1, 3, 5, 2, -1, 6}));
  // Half precision: 0x3c00 = 1, 0xc000 = -2, 0x0001 = 2^-24.
  const auto half =
      tools::read_npy(file_with("h.npy", npy("{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }\n",
                                             std::string("\x00\x3c\x00\xc0\x01\x00", 6))));
  EXPECT_EQ(half.values, (std::vector<double>{1, -2, 0x1.0p-24}));
}

TEST(cim_npy, what_is_written_reads_back) {
  const std::string path = testing::TempDir() + "w.npy";
  const tools::npy_array a{{2, 2}, {1.5, -2, 1e-300, 4}};
  tools::write_npy(path, a);
  const auto b = tools::read_npy(path);
  EXPECT_EQ(b.shape, a.shape);
  EXPECT_EQ(b.values, a.values);
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  EXPECT_EQ((static_cast<int>(in.tellg()) - 32) % 64, 0);  // the data start on 64 bytes
}

TEST(cim_npy, broken_files_are_refused) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
  for (const std::string& bytes :
       {std::string(), std::string("\x93NUMPY"), npy(good, "1234"),
        npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "12345678"),
        npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", "1234"), npy("{'shape': (1,)}", "1234"),
        npy(good, std::string("\0\0\x80\x7f\0\0\0\0", 8)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}", "")})
    EXPECT_THROW(tools::read_npy(file_with("bad.npy", bytes)), input_error);
  EXPECT_THROW(tools::read_npy(testing::TempDir() + "none.npy"), input_error);
  EXPECT_THROW(tools::write_npy("/nowhere/at/all.npy", {{1}, {1}}), input_error);
}
