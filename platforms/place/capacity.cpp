// SPDX-License-Identifier: Apache-2.0
#include "platforms/place/capacity.h"

#include <algorithm>

#include "platforms/place/placement.h"

namespace memwall::platforms {
namespace {

constexpr std::int64_t endless = std::int64_t{1} << 60;

}  // namespace

device_load load_of_each(const trace_source& source, std::size_t devices) {
  platform_description platform;
  std::vector<memory_slot> slots;
  for (std::size_t i = 0; i < devices; ++i) {
    const std::string number = std::to_string(i);
    platform.modules.push_back({"device" + number, "gpu", {}, "device", static_cast<int>(i)});
    platform.modules.push_back({"memory" + number, "dram", {}, "memory", static_cast<int>(i)});
    memory_slot s;
    s.name = "memory" + number;
    s.capacity = endless;
    slots.push_back(std::move(s));
  }
  mapping_rule all;
  all.executor = "device";
  all.weights = all.kv_cache = all.activations = "memory";
  platform.mapping.push_back(std::move(all));
  const placement where(platform, std::move(slots), source, false);
  const auto fullest = std::max_element(where.slots().begin(), where.slots().end(),
                                        [](const memory_slot& a, const memory_slot& b) { return a.used < b.used; });
  return {fullest->used, fullest->by_class};
}

std::size_t devices_needed(const trace_source& source, std::int64_t capacity) {
  constexpr std::size_t most_tries = 32;
  const std::int64_t alone = load_of_each(source, 1).bytes;
  if (alone <= capacity) return 1;
  // Each holds an even part at best.
  const auto first = static_cast<std::size_t>((alone + capacity - 1) / capacity);
  for (std::size_t n = first; n < first + most_tries && n <= 4096; ++n)
    if (load_of_each(source, n).bytes <= capacity) return n;
  return 0;
}

}  // namespace memwall::platforms
