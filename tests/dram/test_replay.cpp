// SPDX-License-Identifier: Apache-2.0
// Exact replay and classes of channels: with and without give the same times, parts, statistics, whatever the traffic.
#include <gtest/gtest.h>

#include <functional>

#include "hw/dram/engine/channel_setup.h"
#include "tests/dram/streams.h"

namespace memwall::dram {
namespace {

using namespace streams;

TEST(dram_replay, on_is_off_for_random_streams) {
  EXPECT_GT(on_is_off(1, 60, 1), 20'000);
}
// Paces that clocks divide or not, slower and faster than the memory, of one source and of several. (Seed 20 found a
// block that ended as a lagging source caught up: another one in the same state may not.)
TEST(dram_replay, on_is_off_for_paced_streams) {
  EXPECT_GT(on_is_off(1, 20, 1, true), 100'000);
}

// Turns of reads and writes, slices among few rows, streams that meet, mixes: what a block has to know of its bursts
// and of the rows that they find.
TEST(dram_replay, on_is_off_for_mixes) {
  EXPECT_GT(on_is_off_for_mixes(1, 120), 500'000);
}

// Pieces of one block or two that go on through a period; half of them in another row than the piece before, exactly
// where a block begins: the state and the places are those of a stream that goes on, the rows are not. With two sources
// what waits behind a block's bursts changes its direction, too.
TEST(dram_replay, on_is_off_where_rows_change_at_a_block) {
  for (const char* pages : {"open", "closed"})
    for (const std::uint64_t sources : {1u, 2u}) {
      traffic::setup setup;
      setup.spec = traffic::ddr4_3200();
      setup.map = "row bank column bankgroup";
      setup.params.page_policy = pages;
      setup.params.max_transfers = 16;
      const std::uint64_t block = static_cast<std::uint64_t>(setup.params.replay_block) * (3 - sources), access = 64,
                          period = 2048;
      std::uint64_t row[2] = {0, 30'000};
      for (std::uint64_t i = 0; i < 3000; ++i) {
        const std::uint64_t x = traffic::mix(i), source = i % sources, place = i / sources * block % period;
        if (place == 0 || x % 2 == 0) row[source] += 1 + x / 2 % 3;
        transfer t;
        t.id = i;
        t.source = static_cast<std::uint32_t>(source);
        t.write = source == 1 && x / 8 % 4 == 0;
        t.address = (row[source] * period + place) * access;
        t.bytes = (source == 1 && x / 16 % 2 == 0 ? 2 : 1) * block * access;  // it goes on, or another one follows
        setup.transfers.push_back(t);
      }
      const std::int64_t replayed = on_is_off(setup, 0);
      if (sources == 1) {
        EXPECT_GT(replayed, 3000 * 64) << pages;
      }
    }
}

// Two reads and a write in turns, as one transfer and as one for each access: the same times and counts. As one they
// are replayed: the reads of 32 groups are a power of two, so that the streams are at the same places of their rows'
// banks again after 64 blocks of 96, and a refresh is met in few phases.
TEST(dram_replay, a_mix_is_its_accesses_and_replayed) {
  const standard s = traffic::ddr4_3200();
  const auto map = traffic::map_of(s, "row bank column bankgroup");
  constexpr std::int64_t n = 600'000;
  constexpr std::uint64_t written = std::uint64_t{512} << 20, access = 64;
  statistics of[2];
  ps_t end[2] = {0, 0};
  for (const bool one : {false, true}) {
    memory m(s, map, {});
    m.attribute(false);
    std::vector<completion> done;
    transfer t;
    if (one) {
      t.bytes = n * access;
      t.reads = 2;
      t.writes = 1;
      t.written = written;
      m.submit(t);
    } else {
      t.bytes = access;
      for (std::int64_t i = 0; i < n; ++i) {
        const auto group = static_cast<std::uint64_t>(i / 3);
        t.write = i % 3 == 2;
        t.address = t.write ? written + group * access : (2 * group + static_cast<std::uint64_t>(i % 3)) * access;
        m.submit(t);
      }
    }
    for (ps_t next = m.advance(0); next != never; next = m.advance(next)) m.take_completions(done);
    m.take_completions(done);
    ASSERT_EQ(done.size(), one ? 1u : static_cast<std::size_t>(n));
    end[one] = done.back().done;
    of[one] = m.stats(end[one]);
  }
  EXPECT_EQ(end[0], end[1]);
  EXPECT_TRUE(same_results(of[0], of[1]));
  EXPECT_EQ(of[1].reads, n * 2 / 3);
  EXPECT_EQ(of[1].writes, n / 3);
  EXPECT_GT(of[1].replay.replayed_bursts, n * 9 / 10);
}

// Slices of eight blocks at four places of a period, each time in other rows. What a bank keeps open that a block does
// not want is no part of its state, and banks of a rank are alike: a block depends on where in its slice it is, on
// whether the slice before was at the same place, and on whether the banks that it wants are open. Without refresh all
// of them are, soon: the blocks of two kinds of pairs are all there is, eight a pair, and as many where banks are
// closed.
TEST(dram_replay, rows_that_nobody_wants_do_not_matter) {
  const standard s = traffic::ddr4_3200();
  controller_params p;
  p.refresh = "none";
  p.max_transfers = 4;
  memory m(s, traffic::map_of(s, "row bank column bankgroup"), p);
  const std::int64_t period = m.map().row_period_bursts(), slice = 512, slices = 600;
  ASSERT_EQ(period, 4 * slice);
  const auto r = traffic::offer(m, slices, [&](std::int64_t i) {
    transfer t;
    const auto x = traffic::mix(static_cast<std::uint64_t>(i));
    const auto row = static_cast<std::int64_t>(x % 60'000), place = static_cast<std::int64_t>(x >> 40) % 4;
    t.address = static_cast<std::uint64_t>((row * period + place * slice) * s.org.access_bytes());
    t.bytes = static_cast<std::uint64_t>(slice * s.org.access_bytes());
    return t;
  });
  EXPECT_EQ(r.stats.reads, slices * slice);
  EXPECT_LE(r.stats.replay.entries, 2 * 2 * 8);
  EXPECT_GT(r.stats.replay.replayed_bursts, slices * slice * 19 / 20);
}

/// Many bursts of one direction in a row, one to eight blocks' worth, and behind each of these a few of the other one,
/// of a source of their own or not.
std::int64_t replayed_where_few_wait(bool writes_wait, std::uint32_t waiting_source, int age_limit,
                                     std::int64_t& bursts) {
  traffic::setup setup;
  setup.spec = traffic::ddr4_3200();
  setup.map = "row bank column bankgroup";
  setup.params.max_transfers = 8;
  setup.params.age_limit = age_limit;
  setup.params.refresh = "none";
  const std::int64_t access = 64, few = 4, rounds = 2000, period = 2048;
  std::int64_t row = 0;
  bursts = 0;
  for (std::int64_t i = 0; i < 2 * rounds; ++i) {
    const bool waits = i % 2 == 1;
    transfer t;
    t.id = static_cast<std::uint64_t>(i);
    t.source = waits ? waiting_source : 0;
    t.write = waits == writes_wait;
    const std::int64_t n = waits ? few : 512 * (1 + static_cast<std::int64_t>(traffic::mix(t.id) % 8));
    t.address = static_cast<std::uint64_t>((waits ? 20'000 + i / 2 : row) * period * access);
    t.bytes = static_cast<std::uint64_t>(n * access);
    if (!waits) row += (n + period - 1) / period;
    bursts += n;
    setup.transfers.push_back(t);
  }
  return on_is_off(setup, 0);
}

// Writes that wait until the queue holds enough of them: since when they have been inside is no part of a state, so
// that only the first rounds are simulated. Each write waits for others or for its age; its latency and its transfer's
// end are as without replay.
TEST(dram_replay, writes_that_wait_behind_reads_do_not_matter) {
  for (const int age_limit : {0, 50'000, 3000}) {
    std::int64_t bursts = 0;
    const std::int64_t replayed = replayed_where_few_wait(true, 0, age_limit, bursts);
    // With the limit of 3,000 clocks (a read takes 2,048 and more) each write is the oldest one once.
    EXPECT_GT(replayed, bursts * (age_limit == 3000 ? 5 : 9) / 10) << age_limit;
  }
}

// The same the other way round: writes follow each other for as long as the queue holds enough of them, and a few reads
// wait. Of those, a block of writes knows no more than that they are there.
TEST(dram_replay, reads_that_wait_behind_writes_do_not_matter) {
  std::int64_t bursts = 0;
  const std::int64_t replayed = replayed_where_few_wait(false, 1, 0, bursts);
  EXPECT_GT(replayed, bursts * 9 / 10);
}

// 256 bursts at one place after pauses of any length: how long the bus has been idle is no part of a state. The first
// 64 bursts that enter are simulated each time; what follows is replayed to the end, where nothing comes any more.
TEST(dram_replay, pauses_and_ends_are_replayed) {
  traffic::setup setup;
  setup.spec = traffic::ddr4_3200();
  setup.map = "row bank column bankgroup";
  setup.params.refresh = "none";
  const std::int64_t bursts = 256, rounds = 200, access = 64, period = 2048;
  ps_t arrival = 0;
  for (std::int64_t i = 0; i < rounds; ++i) {
    transfer t;
    t.id = static_cast<std::uint64_t>(i);
    t.address = static_cast<std::uint64_t>(i * period * access);
    t.bytes = static_cast<std::uint64_t>(bursts * access);
    t.arrival = arrival;
    arrival += 2'000'000 + static_cast<ps_t>(traffic::mix(t.id) % 100'000'000);  // one takes less than a microsecond
    setup.transfers.push_back(t);
  }
  on_is_off(setup, 0);
  const auto on = run(setup, true, 0);
  const std::int64_t replayed = bursts - setup.params.replay_block;
  EXPECT_EQ(on.stats.reads, bursts * rounds);
  EXPECT_GT(on.stats.replay.replayed_bursts, replayed * (rounds - 5));
  EXPECT_LE(on.stats.replay.replayed_bursts, replayed * rounds);
  EXPECT_LT(on.stats.replay.entries, 20);  // those of the first rounds
}

// What ends a stream, as far as is known, does not end it where more may come at any time: bursts of other banks, sent
// while those are being served, find their rows open and follow without a gap.
TEST(dram_replay, an_end_is_none_while_more_may_come) {
  const standard s = traffic::ddr4_3200();
  const auto last_done = [&](bool replay) {
    controller_params p;
    p.refresh = "none";
    p.replay = replay;
    memory m(s, traffic::map_of(s, "row bank column bankgroup"), p);
    std::vector<completion> done;
    ps_t now = 0;
    transfer t;
    const auto send = [&](ps_t arrival, std::uint64_t address) {
      t.arrival = arrival;
      t.address = address;
      m.submit(t);
      ++t.id;
    };
    for (std::uint64_t i = 0; i < 10; ++i) {  // what a stream does that goes on is learned, and then the end
      t.bytes = (i < 4 ? 512 : 250) * 64;
      send(now, i * 2048 * 64);
      while (m.in_flight() > 0) {
        now = m.advance(now + 100'000);
        m.take_completions(done);
      }
      now += 5'000'000;
    }
    const ps_t begin = now;
    send(begin, 20 * 2048 * 64);
    m.run_ahead();
    m.take_completions(done);
    send(begin + 100'000, (20 * 2048 + 512) * 64);  // while the first bursts are on the bus
    m.run_ahead();
    while (m.in_flight() > 0) {
      now = m.advance(now + 100'000);
      m.take_completions(done);
    }
    return done.back().done - begin;
  };
  const ps_t off = last_done(false);
  EXPECT_EQ(off, last_done(true));
  // Opening the row of the first, data of all without a gap, and two clocks at the door and the register.
  EXPECT_LE(off, (s.t.RP + s.t.RCDRD + s.t.CL + 500 * s.t.BL + 8) * s.t.tck_fs / 1000);
}

// Banks of a rank may change places where no rule knows them by number and a stream comes to them one after another.
TEST(dram_replay, seats_are_banks_that_may_change_places) {
  const standard s = traffic::ddr4_3200();
  const auto seats = [&](const char* map, const std::function<void(controller_params&)>& change) {
    controller_params p;
    change(p);
    const channel_setup setup(s, traffic::map_of(s, map), p);
    EXPECT_EQ(setup.seats * setup.period, setup.map.row_period_bursts()) << map;
    for (std::int64_t i = 0; i < 2 * setup.map.row_period_bursts(); ++i) {  // a period's banks are those of its seat
      const local_location where = setup.map.decode_local(i);
      const auto bank = static_cast<std::size_t>(setup.bank_of(where));
      EXPECT_EQ(setup.seat_of_bank[bank], setup.seat_of_period(setup.period_of(i)));
      EXPECT_EQ(setup.row_of_period(setup.period_of(i)), where.row);
      EXPECT_EQ(setup.banks_of_seat[static_cast<std::size_t>(setup.seat_of_bank[bank] * setup.banks_per_seat +
                                                             setup.place_in_seat[bank])],
                static_cast<int>(bank));
    }
    return setup.seats;
  };
  const auto plain = [](controller_params&) {};
  const char* rows_of_groups = "row bank column bankgroup";
  EXPECT_EQ(seats(rows_of_groups, plain), 4);
  EXPECT_EQ(seats("row column bank bankgroup", plain), 1);  // a column of all banks at a time
  EXPECT_EQ(seats("row bank bankgroup column", plain), 4);
  EXPECT_EQ(seats("row bankgroup bank column", plain), 1);  // a seat has a bank of every group
  EXPECT_EQ(seats(rows_of_groups, [](controller_params& p) { p.scheduler = "frfcfs_cap"; }), 1);
  EXPECT_EQ(seats(rows_of_groups, [](controller_params& p) { p.page_policy = "timeout"; }), 1);
  EXPECT_EQ(seats(rows_of_groups, [](controller_params& p) { p.page_policy = "closed"; }), 4);
  EXPECT_EQ(seats(rows_of_groups, [](controller_params& p) { p.refresh = "none"; }), 4);
}

// Requests of the other direction may be set aside where nothing asks which banks and rows they want before their turn
// comes: neither a queue for each bank, nor a refresh that waits while a rank has requests, nor a row that is closed
// when nobody wants it any more, nor a rule that knows banks.
TEST(dram_replay, requests_are_set_aside_where_only_their_number_counts) {
  const standard s = traffic::ddr4_3200();
  const auto sets_aside = [&](const std::function<void(controller_params&)>& change) {
    controller_params p;
    change(p);
    return channel_setup(s, traffic::map_of(s, "row bank column bankgroup"), p).sets_aside;
  };
  EXPECT_TRUE(sets_aside([](controller_params&) {}));
  EXPECT_TRUE(sets_aside([](controller_params& p) { p.refresh = "none"; }));
  EXPECT_FALSE(sets_aside([](controller_params& p) { p.queues = "bank"; }));
  EXPECT_FALSE(sets_aside([](controller_params& p) { p.refresh_postpone = 1; }));
  EXPECT_FALSE(sets_aside([](controller_params& p) { p.page_policy = "closed"; }));
  EXPECT_FALSE(sets_aside([](controller_params& p) { p.page_policy = "timeout"; }));
  EXPECT_FALSE(sets_aside([](controller_params& p) { p.scheduler = "frfcfs_cap"; }));
  EXPECT_FALSE(sets_aside([](controller_params& p) { p.write_mode = "unified"; }));
}

// Half the peak for a whole second's worth of bursts: after one row of every bank and the refresh's phases nothing is
// simulated.
TEST(dram_replay, a_paced_stream_is_replayed) {
  const standard s = traffic::ddr4_3200();
  memory m(s, traffic::map_of(s, "row bank column bankgroup"), {});
  constexpr std::int64_t n = 4'000'000;
  const ps_t pace = 2 * s.t.BL * s.t.tck_fs / 1000;
  const auto r = traffic::offer(m, 1, [&](std::int64_t) {
    transfer t;
    t.bytes = static_cast<std::uint64_t>(n * s.org.access_bytes());
    t.pace = pace;
    return t;
  });
  EXPECT_EQ(r.stats.reads, n);
  EXPECT_GT(r.stats.replay.replayed_bursts, n * 9 / 10);
  // The last burst may enter at n - 1 paces; a refresh delays it by no more than itself and opening its row again.
  const ps_t entry = (n - 1) * pace, tck = s.t.tck_fs / 1000;
  EXPECT_GE(r.end, entry + (s.t.CL + s.t.BL) * tck);
  EXPECT_LE(r.end, entry + (2 + s.t.RP + s.t.RFC + s.t.RP + s.t.RCDRD + s.t.CL + s.t.BL) * tck);
}

// Seeds that once found a block that waited beyond its end for a burst of another place, a source running dry, a write
// that overtook reads, precharges ordered by a forgotten past. Of 1178 a block ends before a burst of the other
// direction, and a stream comes by that goes on in its own.
TEST(dram_replay, on_is_off_for_streams_that_once_failed) {
  for (const std::uint32_t seed : {980u, 1178u, 1297u, 1735u, 2130u, 5202u, 40747u}) on_is_off(seed, seed, 1);
  on_is_off(3293, 3293, 1, true);   // a write behind a paced read that lags
  on_is_off_for_mixes(1957, 1957);  // two buses: the last command's data are not the last ones
  on_is_off_for_mixes(1141, 1141);  // two buses: idle time booked ahead of each was compared with the other's
}
// Whole stripes, parts of them, bursts to single channels, pauses: classes split and merge.
TEST(dram_classes, together_is_apart_for_random_streams) {
  deaf listener;
  std::int64_t alike = 0;
  for (std::uint32_t seed = 1; seed <= 120; ++seed) {
    auto setup = stream_setup(seed, 4);
    const std::string what = "seed " + std::to_string(seed) + ' ' + setup.text();
    const auto apart = run(setup, false, 0, &listener), together = run(setup, false, 0);
    ASSERT_EQ(apart.completions.size(), setup.transfers.size()) << what;
    ASSERT_EQ(apart.stats.replay.classes, setup.channels);
    ASSERT_NO_FATAL_FAILURE(expect_same(apart, together, what));
    if (::testing::Test::HasFailure()) return;
    alike += setup.channels - together.stats.replay.classes;
  }
  EXPECT_GT(alike, 50);  // channels that ended in a class of several
}

// A stripe-wise stream never splits; a burst to one channel makes two classes; idle for longer than any constraint,
// with the rows closed by a refresh, they are one again.
TEST(dram_classes, split_by_work_and_merge_when_idle) {
  const standard s = traffic::ddr4_3200();
  controller_params p;
  memory m(s, traffic::map_of(s, "row bank column bankgroup", 8), p);
  const std::uint64_t stripe = 8 * 256;
  const auto finish = [&] {
    ps_t end = 0;
    std::vector<completion> done;
    for (ps_t next = m.advance(0); next != never; next = m.advance(next)) {
      end = next;
      m.take_completions(done);
    }
    return end;
  };
  transfer t;
  t.bytes = 100 * stripe;
  m.submit(t);
  ps_t now = finish();
  EXPECT_EQ(m.stats(now).replay.classes, 1);
  t.address = 5 * 256;
  t.bytes = 64;
  t.arrival = now;
  m.submit(t);
  now = finish();
  EXPECT_EQ(m.stats(now).replay.classes, 2);
  EXPECT_EQ(m.stats(now).reads, 100 * 8 * 4 + 1);
  now += 2 * s.t.REFI * s.t.tck_fs / 1000;
  m.advance(now);
  const auto end = m.stats(now);
  EXPECT_EQ(end.replay.classes, 1);
  EXPECT_EQ(end.reads, 100 * 8 * 4 + 1);
  EXPECT_EQ(end.by_cause.sum(), now * 8);
}

// Whoever asks in the middle changes nothing of what is told later: blocks that were replayed count once.
TEST(dram_replay, what_was_told_is_not_counted_again) {
  const standard s = traffic::ddr4_3200();
  const auto stats = [&](bool replay, int questions) {
    controller_params p;
    p.replay = replay;
    memory m(s, traffic::map_of(s, "row bank column bankgroup", 2), p);
    transfer t;
    t.bytes = 4 << 20;
    m.submit(t);
    std::vector<completion> done;
    ps_t now = 0;
    for (int i = 1; i <= questions; ++i) {
      m.advance(now = i * 20'000'000);
      m.stats(now);
    }
    m.advance(now = 400'000'000);
    m.take_completions(done);
    EXPECT_EQ(done.size(), 1u);
    return m.stats(now);
  };
  const auto expected = stats(false, 0);
  EXPECT_GT(stats(true, 0).replay.replayed_bursts, 0);
  EXPECT_TRUE(same_results(stats(true, 0), expected));
  EXPECT_TRUE(same_results(stats(true, 3), expected));
}

// What a burst leaves behind where rows are closed after use: its row cycle and its data. Once they are past, nothing
// tells its channel from the others, long before the time that a refresh would take.
TEST(dram_classes, merge_once_the_last_row_cycle_is_past) {
  const standard s = traffic::ddr4_3200();
  controller_params p;
  p.page_policy = "closed";
  memory m(s, traffic::map_of(s, "row bank column bankgroup", 8), p);
  ps_t now = 0;
  const auto read = [&](std::uint64_t address, std::uint64_t bytes) {
    transfer t;
    t.address = address;
    t.bytes = bytes;
    t.arrival = now;
    m.submit(t);
    std::vector<completion> done;
    for (; done.empty(); m.take_completions(done)) m.advance(now += 1000);
  };
  read(0, 8 * 256);  // all have had data
  read(5 * 256, 64);
  const auto in_clocks = [&](std::int64_t n) { return n * s.t.tck_fs / 1000; };
  m.advance(now);
  EXPECT_EQ(m.stats(now).replay.classes, 2) << "the row is not closed yet";
  const std::int64_t pause = s.t.RC + s.t.CL + s.t.BL + s.t.RCDRD + 8;
  ASSERT_LT(2 * pause, s.t.RFC);
  m.advance(now += in_clocks(pause));
  EXPECT_EQ(m.stats(now).replay.classes, 1);
  ASSERT_LT(now, in_clocks(s.t.REFI)) << "no refresh has come";
}

// Of two channels one has learned to keep rows open for longer. They are idle and all rows are closed, which a refresh
// did before a timeout could: nothing of the past matters but what was learned. They stay apart, and the same reads
// find different things.
//
// Timeouts begin at 1000 clocks; a read's column command comes 1 + tRCD = 23 clocks after its arrival. Both channels
// read twice, 1200 clocks apart: the timeout has closed the first row (1177 > 1000). On channel 0 it was the same row,
// so that it keeps rows for 2000 clocks; on channel 1 another one. Both read the last row again, which their timeouts
// have closed: 4000 and 2000 clocks. That is 60 clocks before the refresh at 12480, which is over by 13100 (tRP + tRFC
// = 582). Then both read twice, 3000 clocks apart (2977 of them idle): a hit on channel 0, another miss on channel 1.
TEST(dram_classes, what_page_policies_have_learned_keeps_channels_apart) {
  const standard s = traffic::ddr4_3200();
  controller_params p;
  p.refresh_stagger = false;
  p.page_policy = "adaptive";
  p.page_timeout = duration(1000 * static_cast<double>(s.t.tck_fs) * 1e-15);
  memory m(s, traffic::map_of(s, "bank bankgroup row column", 2), p);
  const auto at = [&](std::int64_t clock) { return clock * s.t.tck_fs / 1000; };
  const auto read = [&](int channel, std::int64_t row, std::int64_t clock) {
    transfer t;
    t.bytes = 64;
    t.address = static_cast<std::uint64_t>(row * s.org.row_bytes() * 2 + channel * 64);
    t.arrival = at(clock);
    m.submit(t);
  };
  read(0, 7, 0), read(1, 3, 0);
  for (const int channel : {0, 1}) read(channel, 7, 1200);
  for (const int channel : {0, 1}) read(channel, 7, s.t.REFI - 60);
  std::vector<completion> done;
  for (ps_t next = m.advance(0); next != never; next = m.advance(next)) m.take_completions(done);
  m.advance(at(13'500));  // time to see that both are idle
  const auto before = m.stats(at(13'500));
  EXPECT_EQ(before.row_misses, 3 + 3);
  EXPECT_EQ(before.row_hits, 0);
  EXPECT_EQ(before.count(command::REFab), 2);
  EXPECT_EQ(before.replay.classes, 2);
  for (const int i : {0, 1})
    for (const int channel : {0, 1}) read(channel, 7, 14'000 + i * 3000);
  for (ps_t next = m.advance(at(13'500)); next != never; next = m.advance(next)) m.take_completions(done);
  const auto after = m.stats(at(20'000));
  EXPECT_EQ(after.row_misses - before.row_misses, 1 + 2);
  EXPECT_EQ(after.row_hits - before.row_hits, 1);
}

}  // namespace
}  // namespace memwall::dram
