// SPDX-License-Identifier: Apache-2.0
// A libFuzzer target, and the body of the property test in test_legality.cpp. To fuzz:
//   clang++ -std=c++17 -g -O1 -fsanitize=fuzzer,address,undefined -DMEMWALL_LIBFUZZER -I.
//   tests/dram/fuzz_memory.cpp
//     tests/support/dram_timing_checker.cpp hw/dram/*.cpp hw/common/*.cpp ...
#include "tests/dram/fuzz_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "hw/common/error.h"
#include "hw/dram/memory.h"
#include "tests/support/dram_timing_checker.h"

namespace memwall::test {

using namespace memwall::dram;

namespace {

/// Bytes as choices; zeros when they run out.
class choices {
 public:
  choices(const std::uint8_t* data, std::size_t size) : m_data(data), m_size(size) {}
  std::uint64_t below(std::uint64_t n) {
    std::uint64_t v = 0;
    for (std::uint64_t r = n; r > 1; r >>= 8) v = v << 8 | byte();
    return n > 0 ? v % n : 0;
  }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::uint64_t>(high - low) + 1)); }
  bool flag() { return below(2) != 0; }
  bool empty() const { return m_at >= m_size; }

 private:
  std::uint8_t byte() { return m_at < m_size ? m_data[m_at++] : 0; }
  const std::uint8_t* m_data;
  std::size_t m_size, m_at = 0;
};

standard random_standard(choices& c) {
  standard s;
  s.name = "random";
  organisation& o = s.org;
  o.data_bits = 8 << c.below(4);
  o.burst_beats = 4 << c.below(3);
  o.pseudo_channels = c.below(4) == 0 ? 2 : 1;
  o.ranks = o.pseudo_channels << c.below(2);
  o.bank_groups = 1 << c.below(4);
  o.banks_per_group = 1 << c.below(4);
  o.rows = std::int64_t{16} << c.below(10);
  o.columns = 4 << c.below(6);
  timing& t = s.t;
  t.tck_fs = 250'000 + static_cast<std::int64_t>(c.below(1'000'000));
  t.BL = c.between(1, 8);
  t.CL = c.between(3, 60);
  t.CWL = c.between(1, t.CL);
  t.RCDRD = c.between(2, 50);
  t.RCDWR = c.between(2, 50);
  t.RP = c.between(2, 60);
  t.RAS = t.RCDRD + c.between(1, 60);
  t.RC = t.RAS + t.RP + c.between(0, 10);
  t.RPab = c.flag() ? t.RP + c.between(0, 10) : 0;
  t.CCD_S = c.between(1, 8);
  t.CCD_L = t.CCD_S + c.between(0, 8);
  t.CCD_S_WR = c.between(1, 8);
  t.CCD_L_WR = t.CCD_S_WR + c.between(0, 40);
  t.CCD_R = c.below(4) == 0 ? c.between(1, 10) : 0;
  t.RRD_S = c.between(1, 12);
  t.RRD_L = t.RRD_S + c.between(0, 8);
  t.FAW = c.flag() ? c.between(0, 64) : 0;
  t.WTR_S = c.between(0, 20);
  t.WTR_L = t.WTR_S + c.between(0, 20);
  t.RTP = c.between(1, 25);
  t.WR = c.between(0, 60);
  t.RTW = c.flag() ? std::max(1, t.CL + t.BL - t.CWL + c.between(0, 20)) : 0;  // less would let data meet on the bus
  t.CS = c.between(0, 4);
  t.PPD = c.between(0, 4);
  t.RFC = c.between(20, 700);
  t.REFI = t.RFC * c.between(2, 12);
  if (c.flag()) {
    t.RFCpb = c.between(10, t.RFC);
    t.same_bank_refresh = c.below(3) == 0;
    const int parts = t.same_bank_refresh ? o.banks_per_group : o.banks_per_rank();
    // A device whose refreshes alone fill its time could do nothing else.
    t.RREFD = c.between(0, 10);
    t.REFIpb = std::max({t.REFI / parts, t.RFCpb / 2 + t.RP + 8, 3 * (t.RREFD + 4)});
  }
  t.ACT_CK = c.between(1, 3);
  t.CAS_CK = c.between(1, 2);
  t.dual_command_bus = c.flag();
  return s;
}

controller_params random_controller(choices& c, const standard& s) {
  controller_params p;
  const char* schedulers[] = {"frfcfs", "frfcfs_cap", "fcfs"};
  p.scheduler = schedulers[c.below(3)];
  p.cap = c.between(1, 20);
  p.read_queue = c.between(1, 64);
  p.write_queue = c.between(1, 64);
  p.write_mode = c.flag() ? "drain" : "unified";
  p.write_high = 0.3 + 0.1 * c.between(0, 7);
  p.write_low = 0.1 * c.between(0, 2);
  const char* pages[] = {"open", "closed", "timeout", "adaptive"};
  p.page_policy = pages[c.below(4)];
  p.page_timeout = duration(1e-9 * c.between(10, 500));
  const char* refreshes[] = {"all_bank", "none", "per_bank"};
  p.refresh = refreshes[c.below(s.t.RFCpb != 0 ? 3 : 2)];
  p.refresh_postpone = c.between(0, 8);
  p.refresh_stagger = c.flag();
  p.age_limit = c.between(200, 20'000);
  p.max_transfers = c.between(1, 200);
  p.front_end = duration(1e-9 * c.between(0, 20));
  p.back_end = duration(1e-9 * c.between(0, 20));
  p.replay = c.flag();
  return p;
}

}  // namespace

std::string fuzz_memory(const std::uint8_t* data, std::size_t size) {
  choices c(data, size);
  const standard s = random_standard(c);
  const controller_params p = random_controller(c, s);
  const char* maps[] = {"row bank column bankgroup rank", "row rank bank bankgroup column",
                        "row column rank bank bankgroup", "row bank column:1 rank column bankgroup ; bank ^= row[0]"};
  std::string expression = maps[c.below(4)];
  if (s.org.banks_per_group < 2 && expression.find('^') != std::string::npos) expression = maps[0];
  const int channels = c.between(1, 5);
  std::unique_ptr<address_map> map;
  try {
    map = std::make_unique<address_map>(
        address_map_params{expression, channels, std::int64_t{s.org.access_bytes()} << c.below(3)}, s.org);
  } catch (const input_error& e) {
    return {};  // the interleave may be larger than a tiny channel
  }

  memory m(s, *map, p);
  dram_timing_checker checker(s);
  if (c.below(4) != 0) m.listen(&checker);
  const auto capacity = static_cast<std::uint64_t>(map->capacity_bytes());
  const auto access = static_cast<std::uint64_t>(s.org.access_bytes());
  const int count = 1 + static_cast<int>(c.below(400));
  std::vector<int> seen(static_cast<std::size_t>(count));
  std::vector<ps_t> arrivals(static_cast<std::size_t>(count));
  std::vector<completion> done;
  std::string problem;
  ps_t now = 0, last_done = 0, time = 0, longest = 0;
  std::int64_t bursts = 0;
  const auto take = [&] {
    done.clear();
    m.take_completions(done);
    for (const auto& d : done) {
      if (d.id >= seen.size() || seen[static_cast<std::size_t>(d.id)]++ != 0)
        problem = fmt::format("completion {} given twice", d.id);
      if (d.done < last_done) problem = "completions out of order";
      if (d.done > now) problem = "a completion from the future";
      if (d.first_data > d.done) problem = "first data after the last";
      if (d.id < arrivals.size() && d.parts.sum() != d.done - arrivals[static_cast<std::size_t>(d.id)])
        problem = fmt::format("parts of {} sum to {}, not {}", d.id, d.parts.sum(),
                              d.done - arrivals[static_cast<std::size_t>(d.id)]);
      last_done = d.done;
      longest = std::max(longest, d.done - arrivals[static_cast<std::size_t>(d.id)]);
    }
  };
  std::uint64_t state = c.below(1u << 30) + 1;
  const auto next_random = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 20;
  };
  const std::uint64_t locality = 1 + c.below(8);
  std::uint64_t at = 0;
  for (int i = 0; i < count && problem.empty(); ++i) {
    transfer t;
    t.id = static_cast<std::uint64_t>(i);
    t.address = next_random() % 8 < locality ? at += access : at = next_random() % capacity;
    t.bytes = next_random() % 10 == 0 ? 1 + next_random() % (40 * access) : access;
    t.write = next_random() % 3 == 0;
    t.source = static_cast<std::uint32_t>(next_random() % 3);
    if (next_random() % 30 == 0) t.pace = static_cast<ps_t>(next_random() % 20'000);
    if (next_random() % 10 == 0) time += static_cast<ps_t>(next_random() % 3'000'000);
    int stuck = 0;
    while (!m.can_accept() && problem.empty()) {
      const ps_t next = m.advance(now);
      if (next == never || (next <= now && ++stuck > 2)) return "no room, and no progress";
      now = next;
      take();
    }
    t.arrival = std::max(time, now);
    arrivals[static_cast<std::size_t>(i)] = t.arrival;
    bursts += static_cast<std::int64_t>((t.address % access + t.bytes + access - 1) / access);
    m.submit(t);
  }
  int steps = 0;
  for (ps_t next = m.advance(now); next != never && problem.empty(); next = m.advance(now)) {
    if (next <= now) return "advance asks to come back in the past";
    now = next;
    take();
    if (++steps > 10'000'000) return "never ends";
  }
  take();
  if (!problem.empty()) return problem;
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (seen[i] != 1) return fmt::format("request {} of {} was lost", i, count);
  const statistics n = m.stats(now);
  if (n.reads + n.writes != bursts) return fmt::format("{} bursts counted of {}", n.reads + n.writes, bursts);
  if (n.row_hits + n.row_misses + n.row_conflicts != bursts) return "row counts do not sum to the bursts";
  if (!checker.violations().empty()) return checker.report();
  // No request waits longer than it takes to serve everything one burst after another, each with a whole row
  // cycle and both turnarounds, three times as long for refreshes, plus the pace and the pauses of the
  // traffic.
  const double row = s.t.RC + s.t.CL + s.t.CWL + s.t.BL + s.t.WR + s.t.WTR_L + s.t.read_to_write() + s.t.FAW +
                     s.t.CCD_L + s.t.CCD_L_WR;
  const double clocks = 3 * (static_cast<double>(bursts) * row + 12.0 * s.t.RFC + static_cast<double>(p.age_limit));
  if (static_cast<double>(longest) > clocks * static_cast<double>(s.t.tck_fs) * 1e-3 + 3e6 + 40.0 * 20'000 + 100'000)
    return fmt::format("a request waited {} ps", longest);
  return {};
}

}  // namespace memwall::test

#ifdef MEMWALL_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string problem = memwall::test::fuzz_memory(data, size);
  if (!problem.empty()) {
    fmt::print(stderr, "{}\n", problem);
    __builtin_trap();
  }
  return 0;
}
#endif
