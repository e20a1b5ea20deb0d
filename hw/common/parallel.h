// SPDX-License-Identifier: Apache-2.0
// Threads for values, never for the simulation.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace memwall {

/// Calls f(0) ... f(count - 1) on up to `threads` threads, in any order; returns when all are done. The first exception
/// is thrown again. What is computed must not depend on the number of threads: f(i) writes what is its own.
template <class F>
void parallel_for(std::int64_t count, int threads, F&& f) {
  const auto workers = static_cast<int>(std::min<std::int64_t>(count, threads));
  if (workers <= 1) {
    for (std::int64_t i = 0; i < count; ++i) f(i);
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto work = [&] {
    try {
      for (std::int64_t i = next++; i < count; i = next++) f(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < workers; ++t) others.emplace_back(work);
  work();
  for (auto& t : others) t.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace memwall
