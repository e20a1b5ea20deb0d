// SPDX-License-Identifier: Apache-2.0
// Host speed of the fabric: transfers a second through initiator -> bus -> DRAM module. One platform a
// process: give
//   --benchmark_filter=NAME
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "hw/bus/bus.h"
#include "hw/bus/link.h"
#include "hw/dram/dram.h"
#include "tests/support/traffic.h"

namespace memwall {
namespace {

struct bench_case {
  int initiators;
  std::uint64_t bytes;
  bool real_dram;
  bool through_link;
};

void fabric(benchmark::State& state, bench_case c) {
  bus_params p;
  p.width = byte_size(64);
  p.clock = frequency(2e9);
  p.arbitration_latency = duration(2e-9);
  p.pipeline_latency = duration(5e-9);
  bus b("fabric", p);
  dram_params d;
  d.standard = "DDR5-4800";
  d.channels = 8;
  std::unique_ptr<dram_module> memory = c.real_dram ? std::make_unique<dram_module>("dram", d)
                                                    : plain_memory("dram", 400, 40'000, std::uint64_t{1} << 36);
  std::unique_ptr<link> l;
  if (c.through_link) {
    l = std::make_unique<link>("pcie", link_preset("pcie5"));
    b.add_target("dram", 0, memory->size()).bind(l->upstream);
    l->downstream.bind(memory->port);
  } else {
    b.add_target("dram", 0, memory->size()).bind(memory->port);
  }
  std::vector<std::unique_ptr<traffic_source>> sources;
  for (int i = 0; i < c.initiators; ++i) {
    const std::uint64_t base = static_cast<std::uint64_t>(i) << 32, bytes = c.bytes;
    sources.push_back(std::make_unique<traffic_source>(
        fmt::format("source{}", i).c_str(), i, SIZE_MAX,
        [=](std::size_t k) {
          return order{base + (k * bytes) % (std::uint64_t{1} << 30), bytes, false, 0};
        },
        std::max<std::uint64_t>(bytes * 2, 4096)));
    sources.back()->keep_records = false;
    sources.back()->port.bind(b.add_initiator(fmt::format("source{}", i)));
  }
  sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_US));
  const auto done = [&] {
    std::size_t sum = 0;
    for (const auto& s : sources) sum += s->completed;
    return sum;
  };
  const std::size_t before = done();
  for (auto unused : state) sc_core::sc_start(sc_core::sc_time(10, sc_core::SC_US));
  const auto transfers = static_cast<std::int64_t>(done() - before);
  state.SetItemsProcessed(transfers);
  state.SetBytesProcessed(transfers * static_cast<std::int64_t>(c.bytes));
}

BENCHMARK_CAPTURE(fabric, one_64B, bench_case{1, 64, false, false})->Iterations(2000);
BENCHMARK_CAPTURE(fabric, four_64B, bench_case{4, 64, false, false})->Iterations(1000);
BENCHMARK_CAPTURE(fabric, one_64B_ddr5x8, bench_case{1, 64, true, false})->Iterations(500);
BENCHMARK_CAPTURE(fabric, one_64KiB_ddr5x8, bench_case{1, 65536, true, false})->Iterations(500);
BENCHMARK_CAPTURE(fabric, one_64B_pcie5, bench_case{1, 64, false, true})->Iterations(1000);

}  // namespace
}  // namespace memwall

BENCHMARK_MAIN();
