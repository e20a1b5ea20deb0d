// SPDX-License-Identifier: Apache-2.0
// What a transfer carries; shared by the plain cores, the reports and the SystemC shells.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace memwall {

/// What the bytes of a transfer are for. Reports count bytes by it, and law 2 (bytes conserved) is checked by
/// it.
enum class traffic : std::uint8_t { weights, kv_cache, activations, program, control, count_ };

constexpr std::size_t traffic_count = static_cast<std::size_t>(traffic::count_);

constexpr const char* traffic_name(traffic t) {
  constexpr const char* names[traffic_count] = {"weights", "kv_cache", "activations", "program", "control"};
  return names[static_cast<std::size_t>(t)];
}

/// Bytes by traffic class.
struct traffic_bytes {
  std::array<std::int64_t, traffic_count> part{};
  std::int64_t& operator[](traffic t) { return part[static_cast<std::size_t>(t)]; }
  std::int64_t operator[](traffic t) const { return part[static_cast<std::size_t>(t)]; }
  std::int64_t sum() const {
    std::int64_t total = 0;
    for (const auto b : part) total += b;
    return total;
  }
  traffic_bytes& operator+=(const traffic_bytes& o) {
    for (std::size_t i = 0; i < traffic_count; ++i) part[i] += o.part[i];
    return *this;
  }
};

}  // namespace memwall
