// SPDX-License-Identifier: Apache-2.0
// Requests per second of wall time: one DDR4-3200 channel, FR-FCFS over 32 entries; and an H100's worth of HBM3.
#include <benchmark/benchmark.h>

#include "tests/dram/traffic.h"

namespace memwall::dram {
namespace {

controller_params with_replay(bool on) {
  controller_params p;
  p.replay = on;
  return p;
}

/// One transfer of n bursts, or of every channel's share of it.
void stream(benchmark::State& state, const standard& s, const char* map, int channels, std::int64_t bytes,
            bool replay) {
  std::int64_t bursts = 0;
  for (auto unused : state) {
    memory m(s, address_map({map, channels, s.org.access_bytes() * 8}, s.org), with_replay(replay));
    const auto r = traffic::offer(m, 1, [&](std::int64_t) {
      transfer t;
      t.bytes = static_cast<std::uint64_t>(bytes);
      return t;
    });
    bursts += r.stats.reads;
  }
  state.SetItemsProcessed(bursts);
}

void sequential(benchmark::State& state) {
  stream(state, traffic::ddr4_3200(), "row bank column bankgroup", 1, state.range(0) << 20, state.range(1) != 0);
}
BENCHMARK(sequential)->Args({64, 0})->Args({4096, 1})->ArgNames({"MiB", "replay"})->Unit(benchmark::kMillisecond);

void random_single_bursts(benchmark::State& state) {
  const auto s = traffic::ddr4_3200();
  for (auto unused : state)
    benchmark::DoNotOptimize(traffic::run('b', 200'000, s, traffic::map_of(s, "row bank column bankgroup"), {}).end);
  state.SetItemsProcessed(state.iterations() * 200'000);
}
BENCHMARK(random_single_bursts)->Unit(benchmark::kMillisecond);

void reads_and_writes(benchmark::State& state) {
  const auto s = traffic::ddr4_3200();
  for (auto unused : state)
    benchmark::DoNotOptimize(traffic::run('c', 300'000, s, traffic::map_of(s, "row bank column bankgroup"), {}).end);
  state.SetItemsProcessed(state.iterations() * 300'000);
}
BENCHMARK(reads_and_writes)->Unit(benchmark::kMillisecond);

/// Transfers of 32 KiB to 1 MiB that arrive as earlier ones complete, 4 MiB outstanding.
void closed_loop(benchmark::State& state) {
  const auto s = load_standard("HBM3");
  const std::uint64_t bytes = static_cast<std::uint64_t>(state.range(0)) << 10;
  const std::int64_t n = 2000;
  for (auto unused : state) {
    controller_params p;
    p.max_transfers = static_cast<int>((4u << 20) / bytes);
    memory m(s, address_map({"", 160, 256}, s.org), p);
    traffic::offer(m, n, [&](std::int64_t i) {
      transfer t;
      t.address = static_cast<std::uint64_t>(i) * bytes;
      t.bytes = bytes;
      return t;
    });
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(closed_loop)->Arg(32)->Arg(256)->Arg(1024)->ArgName("KiB")->Unit(benchmark::kMillisecond);

void hbm3_stream(benchmark::State& state) {
  const auto s = load_standard("HBM3");
  for (auto unused : state) {
    memory m(s, address_map({"", 160, 256}, s.org), {});
    benchmark::DoNotOptimize(traffic::offer(m, 1, [&](std::int64_t) {
                               transfer t;
                               t.bytes = static_cast<std::uint64_t>(state.range(0)) * 1'000'000'000;
                               return t;
                             }).end);
  }
}
BENCHMARK(hbm3_stream)->Arg(2)->Arg(75)->ArgName("GB")->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace memwall::dram

BENCHMARK_MAIN();
