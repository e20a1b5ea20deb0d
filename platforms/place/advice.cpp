// SPDX-License-Identifier: Apache-2.0
#include "platforms/place/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

namespace memwall::platforms {
namespace {

/// A trace whose weight matrices are held in another type.
class retyped final : public trace::op_stream {
 public:
  retyped(std::unique_ptr<trace::op_stream> inner, const dtype& type)
      : m_inner(std::move(inner)), m_header(m_inner->header()) {
    for (auto& t : m_header.tensors)
      if (is_matrix(t) && t.type.bits() > type.bits()) {
        m_changed = true;
        t.type = type;
        t.bytes = bytes_of(type, t.shape[0], t.shape[1]);
      }
  }
  const trace::header& header() const override { return m_header; }
  bool next(trace::op& out) override { return m_inner->next(out); }
  bool changed() const { return m_changed; }

 private:
  /// Norms have one or two rows, biases one; routers keep 16 bits, as runtimes keep them.
  static bool is_matrix(const trace::tensor& t) {
    const auto dot = t.name.rfind('.');
    return t.cls == trace::tensor_class::weights && t.shape.size() == 2 && t.shape[0] > 2 &&
           (dot == std::string::npos || t.name.substr(dot) != ".router");
  }

  std::unique_ptr<trace::op_stream> m_inner;
  trace::header m_header;
  bool m_changed = false;
};

std::vector<memory_slot> emptied(std::vector<memory_slot> slots) {
  for (auto& s : slots) {
    s.used = 0;
    s.by_class = {};
  }
  return slots;
}

/// The memories after placing, or nothing when it does not fit.
std::optional<std::vector<memory_slot>> try_to_place(const platform_description& platform,
                                                     const std::vector<memory_slot>& slots,
                                                     const trace_source& source) {
  try {
    return placement(platform, emptied(slots), source, false).slots();
  } catch (const capacity_error&) {
    return std::nullopt;
  }
}

bool has_arrays(const std::vector<memory_slot>& slots) {
  return std::any_of(slots.begin(), slots.end(), [](const memory_slot& s) { return s.in_core; });
}

/// "57.27 GiB of 79.10 GiB in each of 2"
std::string fullest(const std::vector<memory_slot>& slots) {
  const auto worst = std::max_element(slots.begin(), slots.end(), [](const memory_slot& a, const memory_slot& b) {
    return static_cast<double>(a.used) / static_cast<double>(a.capacity) <
           static_cast<double>(b.used) / static_cast<double>(b.capacity);
  });
  const auto gib = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1073741824.0; };
  return fmt::format("{:.2f} of {:.2f} GiB in {}", gib(worst->used), gib(worst->capacity), worst->name);
}

/// Types that would fit, as words; empty when none does. `tried`: whether a smaller type exists.
std::string types_that_fit(const platform_description& platform, const std::vector<memory_slot>& slots,
                           const trace_source& source, bool& tried) {
  std::string out;
  for (const auto& [name, type] : {std::pair{"fp8 or int8", "int8"}, {"int4g32", "int4g32"}, {"int4", "int4"}}) {
    const auto other = dtype::parse(type);
    if (!retyped(source(), other).changed()) continue;
    tried = true;
    const auto placed = try_to_place(platform, slots, [&] { return std::make_unique<retyped>(source(), other); });
    if (placed) out += fmt::format("{}weights in {} ({})", out.empty() ? "" : ", ", name, fullest(*placed));
  }
  return out;
}

}  // namespace

bool with_devices(std::size_t devices, platform_description& platform, std::vector<memory_slot>& slots) {
  std::set<std::string> grown;
  std::size_t present = 0;
  for (const auto& r : platform.mapping) {
    const std::size_t cores = platform.group(r.executor).size();
    for (const auto& name : {r.executor, r.weights, r.kv_cache, r.activations}) {
      if (platform.group(name).size() != cores || (present != 0 && present != cores)) return false;
      grown.insert(name);
    }
    present = cores;
  }
  for (const auto& name : grown) {
    const module_description last = *platform.group(name).back();
    const auto slot = std::find_if(slots.begin(), slots.end(), [&](const auto& s) { return s.name == last.name; });
    const std::optional<memory_slot> memory = slot == slots.end() ? std::nullopt : std::optional(*slot);
    for (std::size_t i = present; i < devices; ++i) {
      module_description more = last;
      more.name = name + std::to_string(i);
      more.index = static_cast<int>(i);
      if (memory) {
        slots.push_back(*memory);
        slots.back().name = more.name;
      }
      platform.modules.push_back(std::move(more));
    }
  }
  return true;
}

std::size_t devices_that_hold(const platform_description& platform, const std::vector<memory_slot>& slots,
                              const trace_source& source) {
  constexpr std::size_t most_tries = 32;
  const std::size_t present = platform.group(platform.mapping.front().executor).size();
  std::size_t first = present + 1;
  const bool spills = std::any_of(platform.mapping.begin(), platform.mapping.end(),
                                  [](const mapping_rule& r) { return !r.overflow.empty(); });
  if (!spills) {
    // With room without end, what each memory would take; an even part of that at best is on each of more devices.
    std::vector<memory_slot> endless = slots;
    for (auto& s : endless) s.capacity = std::int64_t{1} << 60;
    const auto placed = try_to_place(platform, endless, source);
    for (std::size_t i = 0; placed && i < slots.size(); ++i) {
      const double fullness = static_cast<double>((*placed)[i].used) / static_cast<double>(slots[i].capacity);
      first = std::max(first, static_cast<std::size_t>(fullness * static_cast<double>(present)));
    }
  }
  for (std::size_t n = first; n < first + most_tries; ++n) {
    platform_description more = platform;
    std::vector<memory_slot> memories = slots;
    if (!with_devices(n, more, memories)) return 0;
    if (try_to_place(more, memories, source)) return n;
  }
  return 0;
}

std::string what_would_fit(const platform_description& platform, const std::vector<memory_slot>& slots,
                           const trace_source& source) {
  const std::string policy = "an overflow policy (overflow: <memory> in the mapping rule streams the rest)";
  // Arrays remember what was programmed into them; what else would go in is not tried.
  if (has_arrays(slots)) return "What would fit: a type of fewer bits, more macros, or " + policy + ".";
  bool tried = false;
  const std::string types = types_that_fit(platform, slots, source, tried);
  std::string out = !types.empty() ? "What would fit: " + types + "." : tried ? "No smaller type makes it fit." : "";
  if (const std::size_t devices = devices_that_hold(platform, slots, source); devices > 0)
    out += fmt::format("{}Or {} such devices in all, or {}.", out.empty() ? "" : " ", devices, policy);
  else
    out += fmt::format("{}Or {}.", out.empty() ? "" : " ", policy);
  return out;
}

}  // namespace memwall::platforms
