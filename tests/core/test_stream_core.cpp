// SPDX-License-Identifier: Apache-2.0
// The core's transfers: how large they are, when results leave, what that takes; a protocol checker on the link.
#include "hw/core/stream_core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/support/checked_links.h"
#include "tests/support/traffic.h"

namespace memwall {
namespace {

constexpr std::int64_t kib = 1024, mib = 1024 * kib;

/// Plans what it was given.
class fixed_model final : public core_model {
 public:
  explicit fixed_model(work w) : m_work(std::move(w)) {}
  work plan(const operation&) override { return m_work; }
  double peak_rate(const std::string&) const override { return 1e12; }
  nlohmann::ordered_json config() const override { return {}; }

 private:
  work m_work;
};

work reads(std::int64_t bytes) {
  work w;
  w.accesses.push_back({0, traffic::weights, false, false, 0, bytes});
  w.window = 64 * kib;
  w.load_latency = 500'000;
  w.fill_bandwidth = 100e9;
  return w;
}

/// A core on a memory of 64 GB/s with stripes of 4 KiB; `path` is what the platform says of the unloaded way there and
/// back.
struct one_core {
  one_core(work w, ps_t path, fidelity f = {0, 4 * kib, 64, false})
      : memory("memory", dram_params{}, std::make_unique<noting_engine>(1000, 50'000, asked), std::uint64_t{1} << 40),
        core("core", std::make_unique<fixed_model>(std::move(w)), 0) {
    links.join(core.port, memory.port);
    core.set_fidelity(f);
    core.set_path_latency([path](std::uint64_t) { return path; });
  }
  void run(work_kind kind = work_kind::gemm) {
    operation op;
    op.name = "operator";
    op.kind = kind;
    core.start(op, [this](const stream_core::result& r) { result = r; });
    sc_core::sc_start();
    links.verify();
    EXPECT_EQ(result.parts.sum(), result.end - result.start);
    std::uint64_t next = 0;
    for (const auto& t : asked) {
      EXPECT_EQ(t.address, next) << "in order, without gaps";
      next = t.address + t.bytes;
      sizes.push_back(static_cast<std::int64_t>(t.bytes));
    }
  }
  std::int64_t total() const { return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}); }

  std::vector<dram::transfer> asked;
  dram_module memory;
  stream_core core;
  checked_links links;
  stream_core::result result;
  std::vector<std::int64_t> sizes;
};

// 64 MiB: a 64th is 1 MiB. From a quarter of the window, 16 KiB, twice as large each; at the end the last MiB in
// halves, down to a sixteenth of it.
TEST(stream_core, transfers_grow_to_a_64th_of_the_operator_and_shrink_at_its_end) {
  one_core m(reads(64 * mib), 50'000);
  m.run();
  EXPECT_EQ(m.total(), 64 * mib);
  const std::vector<std::int64_t> begin(m.sizes.begin(), m.sizes.begin() + 7);
  EXPECT_EQ(begin, (std::vector<std::int64_t>{16 * kib, 32 * kib, 64 * kib, 128 * kib, 256 * kib, 512 * kib, mib}));
  EXPECT_EQ(*std::max_element(m.sizes.begin(), m.sizes.end()), mib);
  EXPECT_LT(m.sizes.size(), 64u + 6u + 8u);
  EXPECT_LE(m.sizes.back(), mib / 16);
  for (const std::int64_t s : m.sizes) EXPECT_EQ(s % (4 * kib), 0) << "whole stripes";
  // Once the largest was reached, sizes fall only within the last of them.
  std::int64_t from_end = 0;
  for (auto s = m.sizes.rbegin(); *s < mib; ++s) from_end += *s;
  EXPECT_LE(from_end, mib);
}

// The way to the memory is most of the load's latency: what is in flight decides how fast the core reads.
TEST(stream_core, transfers_stay_small_against_the_window_where_it_decides) {
  one_core near(reads(mib), 400'000);
  near.run();
  EXPECT_EQ(*std::max_element(near.sizes.begin(), near.sizes.end()), 16 * kib);
}
TEST(stream_core, transfers_stay_small_against_the_window_where_pages_fault) {
  one_core m(reads(64 * mib), 50'000, {0, 4 * kib, 64, true});
  m.run();
  EXPECT_EQ(*std::max_element(m.sizes.begin(), m.sizes.end()), 16 * kib);
}

// The platform's way to the memory is part of the load's latency: what the core itself adds is the rest of it, nothing
// where the way is longer than the whole.
TEST(stream_core, a_way_longer_than_the_loads_latency_is_all_of_it) {
  one_core m(reads(64), 600'000);
  m.run();
  EXPECT_EQ(m.result.end - m.result.start, 50'000 + 1000);  // the memory, and a burst
}
TEST(stream_core, what_the_way_leaves_of_the_loads_latency_is_the_cores) {
  one_core m(reads(64), 50'000);
  m.run();
  EXPECT_EQ(m.result.end - m.result.start, 50'000 + 1000 + (500'000 - 50'000));
}

// Less than 64 stripes: a 64th, at least 512 bytes. And the size that is asked for, whatever the operator.
TEST(stream_core, transfers_of_small_operators_and_fixed_ones) {
  one_core m(reads(100 * kib), 50'000);
  m.run();
  EXPECT_EQ(m.total(), 100 * kib);
  EXPECT_EQ(*std::max_element(m.sizes.begin(), m.sizes.end()), 100 * kib / 64 / 64 * 64);
}
TEST(stream_core, fixed_transfers) {
  one_core m(reads(100 * kib), 50'000, {64, 4 * kib, 64, false});
  m.run();
  EXPECT_EQ(m.sizes, std::vector<std::int64_t>(100 * kib / 64, 64));
}

// Line by line or not, the operator takes as long: memory-bound (100 GB/s asked of 64), and bound by the core (32 of
// 64).
class stream_core_sizes : public testing::TestWithParam<std::tuple<double, std::int64_t>> {};
TEST_P(stream_core_sizes, do_not_matter_for_the_time) {
  work w = reads(4 * mib);
  w.fill_bandwidth = std::get<0>(GetParam());
  w.compute[stall::compute] = 40'000'000;
  one_core m(w, 50'000, {std::get<1>(GetParam()), 4 * kib, 64, false});
  m.run();
  // Loads, then the arithmetic of the last line: the memory needs 1 ns a line, the core asks every 64 B / rate.
  const double line = std::max(1000.0, 64e12 / w.fill_bandwidth), lines = 4.0 * mib / 64;
  const double closed_form = 500'000 + lines * line + 40e6 / lines;
  EXPECT_NEAR(static_cast<double>(m.result.end - m.result.start) / closed_form, 1, 0.01);
}
INSTANTIATE_TEST_SUITE_P(rates, stream_core_sizes,
                         testing::Combine(testing::Values(100e9, 32e9), testing::Values<std::int64_t>(64, 1024, 0)));

// One buffer of 64 KiB: load, compute, load, compute. 4 MiB are 64 tiles; each takes 500 ns to the first line (the
// core's latency), its lines at the memory's or the core's rate, and a 64th of the arithmetic. Two buffers would take
// 4 MiB / 64 GB/s = 66 us in all.
TEST_P(stream_core_sizes, one_buffer_loses_the_overlap_tile_by_tile) {
  work w = reads(4 * mib);
  w.fill_bandwidth = std::get<0>(GetParam());
  w.compute[stall::compute] = 40'000'000;
  w.tile_bytes = 64 * kib;
  one_core m(w, 50'000, {std::get<1>(GetParam()), 4 * kib, 64, false});
  m.run();
  const double line = std::max(1000.0, 64e12 / w.fill_bandwidth);
  const double closed_form = 64 * (500'000 + 1024 * line + 40e6 / 64);
  EXPECT_NEAR(static_cast<double>(m.result.end - m.result.start) / closed_form, 1, 0.01);
  EXPECT_GT(m.result.parts[stall::core_requests], 64 * 400'000) << "that the next tile waited is the core's own limit";
  std::int64_t until = 0;
  for (const std::int64_t s : m.sizes) {
    EXPECT_EQ(until / (64 * kib), (until + s - 1) / (64 * kib)) << "no transfer reaches into the next tile";
    until += s;
  }
}
/// Notes the values of a probe.
struct noting_listener final : probe_listener {
  void hear(stream_core& core, const std::string& name) {
    for (probe_base* p : core.probes())
      if (p->name() == name) p->listen(this);
  }
  void changed(const probe_base& p) override { values.push_back(p.number()); }
  void changed_at(const probe_base&, double value, ps_t at) override {
    values.push_back(value);
    times.push_back(at);
  }
  std::vector<double> values;
  std::vector<ps_t> times;
};

// Three transfers, the last one in halves down to a sixteenth: of 30 us of arithmetic 10, 10, 5, 2.5 and so on, told in
// whole percent, from when it is done.
TEST(stream_core, progress_is_the_share_of_what_was_read_and_computed) {
  work w = reads(3 * 64 * kib);
  w.compute[stall::compute] = 30'000'000;
  one_core m(w, 50'000, {64 * kib, 4 * kib, 64, false});
  noting_listener seen;
  seen.hear(m.core, "tile_progress");
  noting_listener phases;
  phases.hear(m.core, "arithmetic");
  m.run();
  EXPECT_EQ(seen.values, (std::vector<double>{0, 33, 66, 83, 91, 95, 97, 100}));
  ASSERT_EQ(seen.times.size(), 8U);
  EXPECT_EQ(seen.times[0], m.result.start);
  // The arithmetic of one hides the transfer of the next.
  const ps_t each[] = {10'000'000, 5'000'000, 2'500'000, 1'250'000, 625'000, 625'000};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(seen.times[i + 2] - seen.times[i + 1], each[i]) << i;
  EXPECT_EQ(seen.times[7], m.result.end);
  // It is shown as idle when a transfer's arithmetic is done, and as computing again when the next one's begins.
  std::vector<ps_t> idle;
  for (std::size_t i = 0; i < phases.values.size(); ++i)
    if (phases.values[i] == 0) idle.push_back(phases.times[i]);
  EXPECT_EQ(idle, seen.times);
}

// Arithmetic alone: its phases one after another, of one cause or of several, and nothing behind them.
TEST(stream_core, phases_of_the_arithmetic_are_shown_as_long_as_they_are_booked) {
  work w;
  w.launch = 1'000'000;
  w.compute[stall::cim_input] = 3'000'000;
  w.compute[stall::cim_array] = 5'000'000;
  w.compute[stall::compute] = 2'000'000;
  one_core m(w, 50'000);
  noting_listener seen;
  seen.hear(m.core, "arithmetic");
  m.run();
  EXPECT_EQ(seen.values, (std::vector<double>{0, 3, 4, 1, 0}));
  const ps_t begin = m.result.start + 1'000'000;
  EXPECT_EQ(seen.times, (std::vector<ps_t>{m.result.start, begin, begin + 3'000'000, begin + 8'000'000, m.result.end}));
}
TEST(stream_core, arithmetic_of_one_cause_is_shown_as_long_as_it_is_booked) {
  work w;
  w.compute[stall::cim_adc] = 4'000'000;
  one_core m(w, 50'000);
  noting_listener seen;
  seen.hear(m.core, "arithmetic");
  m.run();
  EXPECT_EQ(seen.values, (std::vector<double>{0, 5, 0}));
  EXPECT_EQ(seen.times, (std::vector<ps_t>{m.result.start, m.result.start, m.result.start + 4'000'000}));
}

// A tile that is no whole number of lines, and a last one that is not full.
TEST(stream_core, a_tile_of_odd_size_ends) {
  work w = reads(100 * kib + 8);
  w.compute[stall::compute] = 1'000'000;
  w.tile_bytes = 3 * kib + 5;
  one_core m(w, 50'000);
  m.run();
  EXPECT_EQ(m.total(), 100 * kib + 8);
}

/// Takes as long for each transfer as a table says, whatever the others do; all of it is waited for as row conflicts.
class table_engine final : public dram_engine {
 public:
  explicit table_engine(std::vector<ps_t> times) : m_times(std::move(times)) {}
  bool can_accept() const override { return true; }
  void submit(const dram::transfer& t) override {
    dram::completion c;
    c.id = t.id;
    c.first_data = c.done = t.arrival + m_times.at(m_submitted++);
    c.parts[stall::dram_row_conflict] = c.done - t.arrival;
    m_under_way.push_back(c);
  }
  ps_t advance(ps_t now) override {
    m_now = now;
    ps_t next = never;
    for (const auto& c : m_under_way)
      if (c.done > now) next = std::min(next, c.done);
    return next;
  }
  void take_completions(std::vector<dram::completion>& out) override {
    for (std::size_t i = 0; i < m_under_way.size();)
      if (m_under_way[i].done <= m_now) {
        out.push_back(m_under_way[i]);
        m_under_way.erase(m_under_way.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
  }
  dram::statistics stats(ps_t) const override { return {}; }
  int burst_bytes() const override { return 64; }
  double peak_bytes_per_s() const override { return 1e12; }

 private:
  std::vector<ps_t> m_times;
  std::size_t m_submitted = 0;
  std::vector<dram::completion> m_under_way;
  ps_t m_now = 0;
};

// Four transfers of a quarter each, asked for at once. The third and then the second are there before the first (after
// 10 us), the fourth is not before 30 us. Of 16 us of arithmetic, 4 us each: nothing until 10 us, three quarters until
// 22 us, and from 30 us on the last one. A second operator, whose transfers are those of the first again, goes alike.
TEST(stream_core, what_comes_early_waits_for_what_was_asked_for_before_it) {
  work w;
  w.accesses.push_back({0, traffic::weights, false, false, 0, 4 * 64 * kib});
  w.compute[stall::compute] = 16'000'000;
  constexpr ps_t us = 1'000'000;
  const std::vector<ps_t> times = {10 * us, 5 * us, 2 * us, 30 * us, 10 * us, 5 * us, 2 * us, 30 * us};
  dram_module memory("memory", dram_params{}, std::make_unique<table_engine>(times), std::uint64_t{1} << 40);
  stream_core core("core", std::make_unique<fixed_model>(w), 0);
  checked_links links;
  links.join(core.port, memory.port);
  core.set_fidelity({64 * kib, 64 * kib, 64, false});
  std::vector<stream_core::result> results;
  const std::function<void()> start = [&] {
    core.start(operation{}, [&](const stream_core::result& r) {
      results.push_back(r);
      if (results.size() < 2) start();
    });
  };
  start();
  sc_core::sc_start();
  links.verify();
  ASSERT_EQ(results.size(), 2U);
  for (const auto& r : results) {
    EXPECT_EQ(r.end - r.start, 34 * us);
    EXPECT_EQ(r.parts[stall::compute], 16 * us);
    EXPECT_EQ(r.parts[stall::dram_row_conflict], (10 + 8) * us);
    EXPECT_EQ(r.read[traffic::weights], 4 * 64 * kib);
  }
}

// Results that leave at 8 GB/s: 2 MiB take 262 us, the launch comes before, and the core's own rate is what held them.
TEST(stream_core, results_leave_at_the_cores_rate) {
  work w;
  w.launch = 5'000'000;
  w.accesses.push_back({0, traffic::activations, true, false, 0, 2 * mib});
  w.result_bandwidth = 8e9;
  one_core m(w, 50'000);
  m.run();
  EXPECT_EQ(m.total(), 2 * mib);
  const double sending = 2.0 * mib / 8e9 * 1e12,
               last = 2.0 * mib / 64 / 64 * 1000;  // the last piece on the memory's pins
  EXPECT_NEAR(static_cast<double>(m.result.end - m.result.start), 5e6 + sending + 50'000 + last, 2000);
  EXPECT_NEAR(static_cast<double>(m.result.parts[stall::core_requests]), sending, 2000);
}

// 7 us before the first transfer, 2 of them the runtime's; results at 8 GB/s. Of an ordinary operator that is launch,
// host and the core's own limit; of a collective everything but the runtime's share is the all-reduce.
class stream_core_kinds : public testing::TestWithParam<work_kind> {};
TEST_P(stream_core_kinds, an_all_reduce_and_the_host_have_names_of_their_own) {
  work w;
  w.launch = 7'000'000;
  w.host = 2'000'000;
  w.drain = 1'000'000;
  w.accesses.push_back({0, traffic::activations, true, false, 0, 2 * mib});
  w.result_bandwidth = 8e9;
  const double sending = 2.0 * mib / 8e9 * 1e12;
  one_core m(w, 50'000);
  m.run(GetParam());
  const stall_stack& parts = m.result.parts;
  EXPECT_EQ(parts[stall::host], 2'000'000);
  if (GetParam() == work_kind::gemm) {
    EXPECT_EQ(parts[stall::launch], 6'000'000);
    EXPECT_NEAR(static_cast<double>(parts[stall::core_requests]), sending, 2000);
    EXPECT_EQ(parts[stall::all_reduce], 0);
  } else {
    EXPECT_NEAR(static_cast<double>(parts[stall::all_reduce]), 6e6 + sending, 2000);
    EXPECT_EQ(parts[stall::launch] + parts[stall::core_requests], 0);
  }
}
INSTANTIATE_TEST_SUITE_P(kinds, stream_core_kinds, testing::Values(work_kind::gemm, work_kind::collective));

}  // namespace
}  // namespace memwall
