// SPDX-License-Identifier: Apache-2.0
// The containers that are on the way of every transfer, beside Boost's: why ours stay. Not a test:
//   cmake --build build/release --target bench_containers && build/release/tests/bench_containers
#include <benchmark/benchmark.h>

#include <array>
#include <boost/circular_buffer.hpp>
#include <boost/histogram.hpp>
#include <boost/pool/object_pool.hpp>
#include <random>
#include <vector>

#include "hw/common/statistics.h"
#include "hw/ports/arena.h"
#include "hw/ports/ring.h"

namespace {

using namespace memwall;

struct item {
  std::int64_t at = 0;
  void* what = nullptr;
};

/// A queue whose length goes up and down between 0 and `depth`, as a bus's does.
template <class Queue>
void churn(benchmark::State& state, Queue& q) {
  const auto depth = state.range(0);
  std::int64_t sum = 0;
  for (auto unused : state) {
    (void)unused;
    for (std::int64_t i = 0; i < depth; ++i) q.push_back({i, nullptr});
    for (std::int64_t i = 0; i < depth; ++i) {
      sum += q.front().at;
      q.pop_front();
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * depth);
}

void queue_ring(benchmark::State& state) {
  ring<item> q;
  churn(state, q);
}
BENCHMARK(queue_ring)->Arg(4)->Arg(64)->Arg(4096);

/// It does not grow by itself: who pushes has to look.
struct growing_buffer : boost::circular_buffer<item> {
  growing_buffer() : boost::circular_buffer<item>(8) {}
  void push_back(const item& v) {
    if (full()) set_capacity(2 * capacity());
    boost::circular_buffer<item>::push_back(v);
  }
};
void queue_boost_circular_buffer(benchmark::State& state) {
  growing_buffer q;
  churn(state, q);
}
BENCHMARK(queue_boost_circular_buffer)->Arg(4)->Arg(64)->Arg(4096);

std::vector<ps_t> latencies() {
  std::mt19937_64 random(1);
  std::vector<ps_t> out(4096);
  for (auto& v : out) v = static_cast<ps_t>(random() % 10'000'000);
  return out;
}

void histogram_latency(benchmark::State& state) {
  const auto values = latencies();
  latency_histogram h;
  for (auto unused : state) {
    (void)unused;
    for (const ps_t v : values) h.add(v);
  }
  benchmark::DoNotOptimize(h.count());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(values.size()));
}
BENCHMARK(histogram_latency);

/// Bins of the same relative width: 16 an octave of a logarithmic axis, over the same range of values.
void histogram_boost(benchmark::State& state) {
  namespace bh = boost::histogram;
  const auto values = latencies();
  auto h = bh::make_histogram_with(bh::dense_storage<std::uint64_t>(),
                                   bh::axis::regular<double, bh::axis::transform::log>(16 * 60, 1.0, 1.15e18));
  for (auto unused : state) {
    (void)unused;
    for (const ps_t v : values) h(static_cast<double>(v));
  }
  benchmark::DoNotOptimize(h.at(0));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(values.size()));
}
BENCHMARK(histogram_boost);

struct payload {
  std::array<std::byte, 640> room;
};

/// Payloads are made once and given back to a list: tens of thousands are touched in turn.
template <class Make>
void touch(benchmark::State& state, Make make) {
  std::vector<payload*> all;
  for (int i = 0; i < 32768; ++i) all.push_back(make());
  std::size_t at = 0;
  for (auto unused : state) {
    (void)unused;
    all[at]->room[0] = std::byte{1};
    at = (at + 12347) & 32767;
  }
  state.SetItemsProcessed(state.iterations());
}

void payloads_arena(benchmark::State& state) {
  arena<payload> store;
  touch(state, [&] { return &store.emplace(); });
}
BENCHMARK(payloads_arena);

void payloads_boost_object_pool(benchmark::State& state) {
  boost::object_pool<payload> store;
  touch(state, [&] { return store.construct(); });
}
BENCHMARK(payloads_boost_object_pool);

}  // namespace

BENCHMARK_MAIN();
