// SPDX-License-Identifier: Apache-2.0
#include "platforms/place/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

namespace memwall::platforms {
namespace {

std::int64_t align_up(std::int64_t v, std::int64_t a) {
  return (v + a - 1) / a * a;
}
bool is_bias(const trace::tensor& t, std::int64_t outputs) {
  constexpr std::string_view end = ".bias";
  return outputs == 1 ||
         (t.name.size() > end.size() && t.name.compare(t.name.size() - end.size(), end.size(), end) == 0);
}
double gib(double bytes) {
  return bytes / 1073741824.0;
}

}  // namespace

placement::placement(const platform_description& platform, std::vector<memory_slot> slots, const trace_source& source)
    : m_platform(platform), m_slots(std::move(slots)) {
  for (const auto& rule : m_platform.mapping) {
    executor_group g;
    for (const auto* m : m_platform.group(rule.executor)) g.cores.push_back(m->name);
    g.pipeline = m_platform.parallel == "pipeline" && g.cores.size() > 1;
    for (const auto* memory : {&rule.weights, &rule.kv_cache, &rule.activations}) {
      const std::size_t n = m_platform.group(*memory).size();
      if (n != 1 && n != g.cores.size())
        throw input_error(problem{rule.where, "mapping",
                                  "'" + *memory + "' has " + std::to_string(n) + " modules, the executor '" +
                                      rule.executor + "' " + std::to_string(g.cores.size()),
                                  "one memory for all, or one each", ""});
    }
    m_groups.push_back(std::move(g));
  }
  scan(source);
  place_all();
}

std::size_t placement::rule_index(const trace::op& op) const {
  for (std::size_t i = 0; i < m_platform.mapping.size(); ++i) {
    const auto& r = m_platform.mapping[i];
    if (!r.matches_layer(op.layer)) continue;
    if (!r.kinds.empty() && std::find(r.kinds.begin(), r.kinds.end(), trace::name_of(op.kind)) == r.kinds.end())
      continue;
    if (!r.name_pattern.empty() && !matches_glob(r.name_pattern, op.name)) continue;
    if (!r.phase.empty() && r.phase != trace::name_of(op.phase)) continue;
    return i;
  }
  throw input_error(problem{m_platform.name, "mapping",
                            "no rule matches operator '" + op.name + "' (" + std::string(trace::name_of(op.kind)) + ")",
                            "a last rule without conditions", ""});
}

const mapping_rule& placement::rule(const trace::op& op) const {
  return m_platform.mapping[rule_index(op)];
}

const executor_group& placement::executors(const mapping_rule& r) const {
  return m_groups[static_cast<std::size_t>(&r - m_platform.mapping.data())];
}

int placement::pipeline_stage(std::int64_t layer, std::size_t devices) const {
  if (layer < 0 || m_layers <= 0) return layer < 0 ? 0 : static_cast<int>(devices) - 1;
  return static_cast<int>(layer * static_cast<std::int64_t>(devices) / m_layers);
}

int placement::slot_index(const std::string& name) const {
  for (std::size_t i = 0; i < m_slots.size(); ++i)
    if (m_slots[i].name == name) return static_cast<int>(i);
  throw input_error(problem{m_platform.name, "mapping", "'" + name + "' is not a memory",
                            "a dram, an sram or a compute-in-memory core", ""});
}

bool placement::in_arrays(const std::string& memory) const {
  const auto group = m_platform.group(memory);
  return !group.empty() && m_slots[static_cast<std::size_t>(slot_index(group[0]->name))].in_core;
}

void placement::scan(const trace_source& source) {
  const auto stream = source();
  m_header = stream->header();
  m_first.resize(m_header.tensors.size());
  m_homes.resize(m_header.tensors.size());
  m_users.resize(m_header.tensors.size());
  std::size_t open = m_header.tensors.size();
  for (const auto& t : m_header.tensors) m_layers = std::max(m_layers, t.layer + 1);
  trace::op op;
  while (open > 0 && stream->next(op)) {
    const std::size_t by = rule_index(op);
    for (const auto& u : op.uses) {
      first_use& f = m_first[u.tensor];
      if (auto& users = m_users[u.tensor]; std::find(users.begin(), users.end(), by) == users.end())
        users.push_back(by);
      // A cache belongs with the operator that reads all of it, not with the one that appends to it.
      const bool better =
          m_header.tensors[u.tensor].cls == trace::tensor_class::kv_cache && op.kind == trace::op_kind::attention;
      // A table that a product in arrays uses too belongs into them.
      const bool multiplied =
          f.seen && f.gathered_by && trace::is_gemm(op.kind) && in_arrays(m_platform.mapping[by].weights);
      if (f.seen && !better && !multiplied) continue;
      if (!f.seen) --open;
      f = {true, by, op.kind == trace::op_kind::embed ? std::optional(by) : f.gathered_by, op.shard};
    }
  }
}

std::string placement::put(std::uint32_t tensor, std::size_t device, int slot, std::int64_t bytes, bool split) {
  memory_slot& s = m_slots[static_cast<std::size_t>(slot)];
  const trace::tensor& t = m_header.tensors[tensor];
  home h{slot, 0, bytes, split, 1};
  if (!s.computed_by.empty() && t.cls != trace::tensor_class::activations && t.type.bits() > 0)
    h.scale = std::max(1.0, s.held_bits(t.type.bits()) / t.type.bits());
  h.bytes = static_cast<std::int64_t>(static_cast<double>(bytes) * h.scale);
  const std::int64_t start = align_up(s.used, s.alignment);
  if (s.in_core) {
    // Biases take no array: the units that add up partial sums keep them.
    const matrix m = matrix_of(tensor, bytes);
    if (const std::string why = is_bias(t, m.outputs) ? "" : s.reserve(m.inputs, m.outputs, m.bits); !why.empty())
      return why;
  } else if (start + h.bytes > s.capacity) {
    return fmt::format("{} B are left of {} B", std::max<std::int64_t>(0, s.capacity - start), s.capacity);
  }
  s.used = start + h.bytes;
  s.by_class[static_cast<std::size_t>(t.cls)] += h.bytes;
  h.address = s.base + static_cast<std::uint64_t>(start);
  auto& homes = m_homes[tensor];
  if (homes.size() <= device) homes.resize(device + 1);
  homes[device] = h;
  return {};
}

void placement::refuse_rules_without_sense() const {
  problem_list problems;
  for (const auto& r : m_platform.mapping)
    for (const auto& [key, name] :
         {std::pair<const char*, const std::string&>{"kv_cache", r.kv_cache}, {"activations", r.activations}})
      for (const auto* m : m_platform.group(name))
        if (m_slots[static_cast<std::size_t>(slot_index(m->name))].in_core)
          problems.add({r.where, std::string("mapping.") + key, "'" + name + "' is a core whose arrays hold weights",
                        "a dram or an sram; attention: macros writes the cache into the arrays at each use", ""});
  problems.check();
}

void placement::place_all() {
  refuse_rules_without_sense();
  // Activations first: they must be somewhere. Then the cache, then weights in the order of use.
  for (const auto cls :
       {trace::tensor_class::activations, trace::tensor_class::kv_cache, trace::tensor_class::weights}) {
    for (std::uint32_t t = 0; t < m_header.tensors.size(); ++t) {
      const trace::tensor& tensor = m_header.tensors[t];
      if (tensor.cls != cls || !m_first[t].seen) continue;
      const mapping_rule& r = m_platform.mapping[m_first[t].rule];
      const executor_group& g = m_groups[m_first[t].rule];
      const std::size_t devices = g.cores.size();
      const std::string& name = cls == trace::tensor_class::weights    ? r.weights
                                : cls == trace::tensor_class::kv_cache ? r.kv_cache
                                                                       : r.activations;
      const auto memories = m_platform.group(name);
      const bool split = devices > 1 && !g.pipeline && m_first[t].shard != trace::shard::none &&
                         cls != trace::tensor_class::activations;
      const auto part =
          split ? (tensor.bytes + static_cast<std::int64_t>(devices) - 1) / static_cast<std::int64_t>(devices)
                : tensor.bytes;
      for (std::size_t d = 0; d < devices; ++d) {
        if (g.pipeline && cls != trace::tensor_class::activations &&
            static_cast<int>(d) != pipeline_stage(tensor.layer, devices))
          continue;
        if (memories.size() == 1 && d > 0 && !split) {  // one shared memory holds one copy
          m_homes[t].resize(devices, m_homes[t][0]);
          m_homes[t][d] = m_homes[t][0];
          continue;
        }
        const auto said = [&](int slot, const std::string& why) {
          m_reasons.try_emplace({cls, m_first[t].rule, slot}, why);
        };
        const int slot = slot_index(memories.size() == 1 ? memories[0]->name : memories[d]->name);
        std::string why = put(t, d, slot, part, split);
        if (why.empty()) {
          said(slot, "the mapping's choice, and it fits");
          if (m_first[t].gathered_by && m_slots[static_cast<std::size_t>(slot)].in_core && m_copies.count(t) == 0) {
            const int rows = slot_index(m_platform.group(m_platform.mapping[*m_first[t].gathered_by].weights)[0]->name);
            const home product = m_homes[t][d];
            const std::string no_room = put(t, d, rows, tensor.bytes, false);
            if (!no_room.empty()) m_short.push_back({rows, tensor.bytes, cls, no_room});
            m_copies[t] = std::exchange(m_homes[t][d], product);
            m_notes.push_back(fmt::format("{} is multiplied in {} and has a copy in {} for its rows", tensor.name,
                                          m_slots[static_cast<std::size_t>(slot)].name,
                                          m_slots[static_cast<std::size_t>(rows)].name));
          }
          continue;
        }
        int full = slot;
        if (cls == trace::tensor_class::weights && !r.overflow.empty()) {
          const auto spill = m_platform.group(r.overflow);
          const int other = slot_index(spill.size() == 1 ? spill[0]->name : spill[d]->name);
          const std::string nor = put(t, d, other, part, split);
          if (nor.empty()) {
            const std::string& from = m_slots[static_cast<std::size_t>(slot)].name;
            said(other, fmt::format("from {} on they do not fit {} ({})", tensor.name, from, why));
            if (m_notes.empty() ||
                m_notes.back().find(m_slots[static_cast<std::size_t>(other)].name) == std::string::npos)
              m_notes.push_back(fmt::format("from {} on, weights do not fit {} and are streamed from {}", tensor.name,
                                            from, m_slots[static_cast<std::size_t>(other)].name));
            continue;
          }
          full = other;
          why = nor;
        }
        m_short.push_back({full, part, cls, why});
      }
    }
  }
  if (!m_short.empty()) refuse();
}

void placement::refuse() const {
  std::string text = fmt::format("'{}' does not fit platform '{}'.\n", m_header.model, m_platform.name);
  std::vector<std::int64_t> missing(m_slots.size(), 0);
  for (const auto& s : m_short) missing[static_cast<std::size_t>(s.slot)] += s.bytes;
  double worst = 1;
  for (std::size_t i = 0; i < m_slots.size(); ++i) {
    if (missing[i] == 0) continue;
    const auto& s = m_slots[i];
    if (s.in_core) {
      const auto first = std::find_if(m_short.begin(), m_short.end(),
                                      [i](const shortage& x) { return x.slot == static_cast<int>(i); });
      text += fmt::format("  {}: {} B ({:.2f} GiB) of weights are in its arrays, {} B ({:.2f} GiB) are left over: {}\n",
                          s.name, s.used, gib(static_cast<double>(s.used)), missing[i],
                          gib(static_cast<double>(missing[i])), first->why);
      worst = std::max(worst, static_cast<double>(s.used + missing[i]) /
                                  static_cast<double>(std::max<std::int64_t>(s.used, s.capacity)));
      continue;
    }
    const std::int64_t needed = s.used + missing[i];
    text += fmt::format("  {}: needs {} B ({:.2f} GiB), has {} B ({:.2f} GiB), missing {} B ({:.2f} GiB)\n", s.name,
                        needed, gib(static_cast<double>(needed)), s.capacity, gib(static_cast<double>(s.capacity)),
                        needed - s.capacity, gib(static_cast<double>(needed - s.capacity)));
    worst = std::max(worst, static_cast<double>(needed) / static_cast<double>(std::max<std::int64_t>(1, s.capacity)));
  }
  std::int64_t elements = 0, cache = 0, now = 0;
  for (const auto& t : m_header.tensors) {
    if (t.cls == trace::tensor_class::kv_cache) cache += t.bytes;
    if (t.cls != trace::tensor_class::weights) continue;
    std::int64_t n = 1;
    for (const auto d : t.shape) n *= d;
    elements += n;
    now += t.bytes;
  }
  const std::int64_t capacity = m_slots[static_cast<std::size_t>(m_short.front().slot)].capacity;
  text += fmt::format("  weights {:.2f} GiB, KV cache {:.2f} GiB.", gib(static_cast<double>(now)),
                      gib(static_cast<double>(cache)));
  std::string fits;
  for (const auto& [type, bits] : {std::pair{"fp8 or int8", 8.0}, std::pair{"int4g32", 4.5}, std::pair{"int4", 4.0}}) {
    const double need = static_cast<double>(elements) * bits / 8 + static_cast<double>(cache);
    if (need <= static_cast<double>(capacity) && need < static_cast<double>(now + cache))
      fits += fmt::format("{}weights in {} ({:.2f} GiB)", fits.empty() ? "" : ", ", type, gib(need));
  }
  text += fits.empty() ? " No 8-bit or 4-bit type makes it fit." : " What would fit: " + fits + ".";
  text += fmt::format(
      " Or {} such devices, or an overflow policy (overflow: <memory> in the mapping rule streams the rest).",
      static_cast<std::int64_t>(worst) + 1);
  throw capacity_error(text);
}

const home& placement::of(std::uint32_t tensor, std::size_t device) const {
  const auto& homes = m_homes[tensor];
  if (homes.empty())
    throw input_error(problem{m_platform.name, "",
                              "tensor '" + m_header.tensors[tensor].name + "' is used but was not placed", "", ""});
  if (device < homes.size() && homes[device].memory >= 0) return homes[device];
  for (const auto& h : homes)
    if (h.memory >= 0) return h;  // placed for another group of executors: read from there
  return homes.front();
}

const home& placement::rows_of(std::uint32_t tensor, std::size_t device) const {
  const auto copy = m_copies.find(tensor);
  return copy != m_copies.end() ? copy->second : of(tensor, device);
}

void placement::refuse_unreachable(const std::function<bool(const std::string&, std::uint64_t)>& reaches) const {
  problem_list problems;
  std::set<std::pair<std::string, int>> known;  // core and memory
  for (std::uint32_t t = 0; t < m_users.size(); ++t)
    for (const std::size_t by : m_users[t]) {
      const trace::tensor& tensor = m_header.tensors[t];
      const executor_group& g = m_groups[by];
      for (std::size_t d = 0; d < g.cores.size(); ++d) {
        if (g.pipeline && tensor.cls != trace::tensor_class::activations &&
            static_cast<int>(d) != pipeline_stage(tensor.layer, g.cores.size()))
          continue;
        const home& h = of(t, d);
        const memory_slot& slot = m_slots[static_cast<std::size_t>(h.memory)];
        if (slot.in_core || !known.emplace(g.cores[d], h.memory).second || reaches(g.cores[d], h.address)) continue;
        const auto cls = std::string(trace::name_of(tensor.cls));
        problems.add(
            {m_platform.mapping[by].where, "mapping",
             fmt::format("'{}' uses '{}' ({}), which is in '{}' because '{}' uses it first; no connection leads from "
                         "'{}' to '{}'",
                         g.cores[d], tensor.name, cls, slot.name, m_platform.mapping[m_first[t].rule].executor,
                         g.cores[d], slot.name),
             fmt::format("one memory for {} that both reach, or lines under connect that lead from '{}' to '{}'", cls,
                         g.cores[d], slot.name),
             ""});
      }
    }
  problems.check();
}

nlohmann::ordered_json placement::report() const {
  nlohmann::ordered_json out;
  out["memories"] = nlohmann::ordered_json::array();
  for (const auto& s : m_slots) {
    nlohmann::ordered_json m;
    m["name"] = s.name;
    m["capacity_bytes"] = s.capacity;
    m["used_bytes"] = s.used;
    for (std::size_t c = 0; c < trace::tensor_classes; ++c)
      m["by_class"][std::string(trace::name_of(static_cast<trace::tensor_class>(c)))] = s.by_class[c];
    out["memories"].push_back(m);
  }
  out["decisions"] = nlohmann::ordered_json::array();
  for (const auto& [key, why] : m_reasons) {
    const auto& [cls, rule, slot] = key;
    std::int64_t tensors = 0, bytes = 0;
    double scale = 1;
    for (std::uint32_t t = 0; t < m_homes.size(); ++t) {
      if (!m_first[t].seen || m_header.tensors[t].cls != cls || m_first[t].rule != rule) continue;
      for (const auto& h : m_homes[t])
        if (h.memory == slot) {
          ++tensors;
          bytes += h.bytes;
          scale = std::max(scale, h.scale);
          if (!h.split) break;  // one copy, seen by every device
        }
    }
    const memory_slot& s = m_slots[static_cast<std::size_t>(slot)];
    const mapping_rule& r = m_platform.mapping[rule];
    const auto& cores = m_groups[rule].cores;
    const bool beside =
        cls != trace::tensor_class::activations && std::any_of(cores.begin(), cores.end(), [&](const std::string& c) {
          return std::find(s.computed_by.begin(), s.computed_by.end(), c) != s.computed_by.end();
        });
    const std::string way = s.in_core ? "stay in the arrays that multiply them"
                            : beside  ? "are used beside the banks they lie in"
                                      : "cross the bus at each use";
    nlohmann::ordered_json d{{"what", std::string(trace::name_of(cls))},
                             {"tensors", tensors},
                             {"bytes", bytes},
                             {"memory", s.name},
                             {"used_by", r.executor},
                             {"way", way},
                             {"why", why}};
    if (scale > 1) d["held_wider"] = scale;
    out["decisions"].push_back(d);
  }
  out["notes"] = m_notes;
  return out;
}

placement::matrix placement::matrix_of(std::uint32_t tensor, std::int64_t part_bytes) const {
  const trace::tensor& t = m_header.tensors[tensor];
  std::int64_t count = 1;
  for (const auto d : t.shape) count *= d;
  const std::int64_t inputs = t.shape.empty() ? 1 : t.shape.back();
  const double share = t.bytes > 0 ? static_cast<double>(part_bytes) / static_cast<double>(t.bytes) : 1;
  const auto outputs =
      static_cast<std::int64_t>(static_cast<double>(count / std::max<std::int64_t>(1, inputs)) * share + 0.5);
  return {inputs, std::max<std::int64_t>(1, outputs), t.type.bits()};
}

void placement::for_each_resident(
    const std::function<void(const std::string&, std::uint32_t, std::int64_t, std::int64_t, double)>& f) const {
  for (std::uint32_t t = 0; t < m_homes.size(); ++t)
    for (const auto& h : m_homes[t])
      if (h.memory >= 0 && m_slots[static_cast<std::size_t>(h.memory)].in_core) {
        const matrix m = matrix_of(t, h.bytes);
        if (is_bias(m_header.tensors[t], m.outputs)) continue;
        f(m_slots[static_cast<std::size_t>(h.memory)].name, t, m.inputs, m.outputs, m.bits);
      }
}

}  // namespace memwall::platforms
