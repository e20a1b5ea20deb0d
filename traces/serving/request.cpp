// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/request.h"

#include <algorithm>
#include <cmath>

#include "traces/layout.h"

namespace memwall::serving {

std::uint64_t block_hash(const request& r, std::int64_t block, std::int64_t block_size, std::uint64_t before) {
  std::uint64_t hash = trace::mix(before, static_cast<std::uint64_t>(block_size));
  std::int64_t at = block * block_size, left = block_size, begin = 0;
  for (std::size_t i = 0; i < r.content.size() && left > 0; ++i) {
    const bool last = i + 1 == r.content.size();
    const std::int64_t end = last ? INT64_MAX : begin + r.content[i].tokens;
    if (at < end) {
      const std::int64_t taken = std::min(left, end - at);
      hash = trace::mix(hash, r.content[i].content);
      hash = trace::mix(hash, static_cast<std::uint64_t>(at - begin));
      hash = trace::mix(hash, static_cast<std::uint64_t>(taken));
      at += taken;
      left -= taken;
    }
    begin = end;
  }
  return hash;
}

void scale_rate(request_list& list, double rate) {
  ps_t last = 0;
  std::int64_t open = 0;
  for (const auto& r : list.requests)
    if (r.after < 0) {
      last = std::max(last, r.arrival);
      ++open;
    }
  if (open < 2 || last == 0) return;
  const double factor = static_cast<double>(open - 1) / rate / (static_cast<double>(last) * 1e-12);
  for (auto& r : list.requests) {
    r.arrival = static_cast<ps_t>(std::llround(static_cast<double>(r.arrival) * factor));
    r.pause = static_cast<ps_t>(std::llround(static_cast<double>(r.pause) * factor));
  }
}

void keep_first(request_list& list, std::int64_t count) {
  if (static_cast<std::size_t>(count) < list.requests.size()) list.requests.resize(static_cast<std::size_t>(count));
}

}  // namespace memwall::serving
