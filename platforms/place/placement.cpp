// SPDX-License-Identifier: Apache-2.0
#include "platforms/place/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "platforms/describe/rule_match.h"
#include "platforms/place/advice.h"

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
double gib(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1073741824.0;
}

}  // namespace

placement::placement(const platform_description& platform, std::vector<memory_slot> slots, const trace_source& source,
                     bool advise)
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
  m_wanted.resize(m_slots.size(), 0);
  scan(source);
  place_all();
  if (!m_short.empty()) refuse(source, advise);
}

std::size_t placement::rule_index(const trace::op& op) const {
  for (std::size_t i = 0; i < m_platform.mapping.size(); ++i)
    if (matches(m_platform.mapping[i], op.name, trace::name_of(op.kind), op.layer, trace::name_of(op.phase))) return i;
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

std::size_t placement::pipeline_stage(const trace::op& op, std::size_t devices) const {
  if (op.layer >= 0) return stage_of_layer(op.layer, devices);
  return m_behind.count(op.name) > 0 ? devices - 1 : 0;
}

std::size_t placement::stage_of_layer(std::int64_t layer, std::size_t devices) const {
  // (A trace may have layers whose operators use no tensor of theirs.)
  if (layer >= m_layers) return devices - 1;
  return static_cast<std::size_t>(layer * static_cast<std::int64_t>(devices) / m_layers);
}

bool placement::in_stage(std::uint32_t tensor, std::size_t device, std::size_t devices) const {
  const std::int64_t layer = m_header.tensors[tensor].layer;
  if (layer >= 0) return device == stage_of_layer(layer, devices);
  // A table that both ends use (tied embeddings) has a copy at either.
  const ends& e = m_ends[tensor];
  return (device == 0 && (e.before || !e.behind)) || (device == devices - 1 && e.behind);
}

void placement::note_ends(const trace::op& op) {
  const std::pair pass{op.phase, op.step};
  if (op.layer >= 0) {
    m_in_layers = pass;
    return;
  }
  const bool behind = m_in_layers == pass;
  if (behind) m_behind.insert(op.name);
  for (const auto& u : op.uses) (behind ? m_ends[u.tensor].behind : m_ends[u.tensor].before) = true;
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
  m_ends.resize(m_header.tensors.size());
  std::size_t open = m_header.tensors.size();
  for (const auto& t : m_header.tensors) m_layers = std::max(m_layers, t.layer + 1);
  trace::op op;
  // Up to the end of the pass in which the last tensor is met: what follows the layers is of the last stage.
  while (stream->next(op)) {
    if (open == 0 && m_in_layers != std::pair{op.phase, op.step}) break;
    const std::size_t by = rule_index(op);
    note_ends(op);
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
      const executor_group& g = m_groups[by];
      const trace::tensor& t = m_header.tensors[u.tensor];
      f = {true, by, op.kind == trace::op_kind::embed ? std::optional(by) : f.gathered_by,
           g.pipeline || t.cls == trace::tensor_class::activations
               ? portion()
               : part_of(op, t, u.what, static_cast<std::int64_t>(g.cores.size()))};
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
  auto& wanted = m_wanted[static_cast<std::size_t>(slot)];
  wanted = align_up(wanted, s.alignment) + h.bytes;
  if (s.in_core) {
    // Biases take no array: the units that add up partial sums keep them.
    const matrix m = matrix_of(tensor, bytes);
    if (std::string why = is_bias(t, m.outputs) ? "" : s.reserve(m.inputs, m.outputs, m.bits); !why.empty()) return why;
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

int placement::slot_of_group(const std::string& name, std::size_t device) const {
  const auto memories = m_platform.group(name);
  return slot_index(memories.size() == 1 ? memories[0]->name : memories[device]->name);
}

int placement::slot_for(const mapping_rule& r, trace::tensor_class cls, std::size_t device) const {
  const std::string& name = cls == trace::tensor_class::weights    ? r.weights
                            : cls == trace::tensor_class::kv_cache ? r.kv_cache
                                                                   : r.activations;
  return slot_of_group(name, device);
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
      const bool shared = devices > 1 && slot_for(r, cls, 0) == slot_for(r, cls, 1);
      // Parts that overlap lie once in a memory that all devices share: whole.
      const portion part = m_first[t].part;
      const bool split = !part.whole() && (!shared || part.part * static_cast<std::int64_t>(devices) == part.of);
      for (std::size_t d = 0; d < devices; ++d) {
        if (g.pipeline && cls != trace::tensor_class::activations && !in_stage(t, d, devices)) continue;
        if (shared && d > 0 && !split) {  // one shared memory holds one copy
          m_homes[t].resize(devices, m_homes[t][0]);
          m_homes[t][d] = m_homes[t][0];
          continue;
        }
        place_part(t, d, split ? part.count(tensor.bytes) : tensor.bytes, split);
      }
    }
  }
}

void placement::place_part(std::uint32_t t, std::size_t device, std::int64_t bytes, bool split) {
  const trace::tensor& tensor = m_header.tensors[t];
  const mapping_rule& r = m_platform.mapping[m_first[t].rule];
  const auto said = [&](int slot, const std::string& why) {
    m_reasons.try_emplace({tensor.cls, m_first[t].rule, slot}, why);
  };
  const int slot = slot_for(r, tensor.cls, device);
  std::string why = put(t, device, slot, bytes, split);
  if (why.empty()) {
    said(slot, "the mapping's choice, and it fits");
    if (m_first[t].gathered_by && m_slots[static_cast<std::size_t>(slot)].in_core && m_copies.count(t) == 0)
      copy_rows(t, device);
    return;
  }
  if (tensor.cls != trace::tensor_class::weights || r.overflow.empty()) {
    m_short.push_back({slot, bytes, tensor.cls, why});
    return;
  }
  const int other = slot_of_group(r.overflow, device);
  if (const std::string nor = put(t, device, other, bytes, split); !nor.empty()) {
    m_short.push_back({other, bytes, tensor.cls, nor});
    return;
  }
  const std::string& from = m_slots[static_cast<std::size_t>(slot)].name;
  const std::string& to = m_slots[static_cast<std::size_t>(other)].name;
  said(other, fmt::format("from {} on they do not fit {} ({})", tensor.name, from, why));
  if (m_notes.empty() || m_notes.back().find(to) == std::string::npos)
    m_notes.push_back(fmt::format("from {} on, weights do not fit {} and are streamed from {}", tensor.name, from, to));
}

void placement::copy_rows(std::uint32_t t, std::size_t device) {
  const trace::tensor& tensor = m_header.tensors[t];
  const int rows = slot_of_group(m_platform.mapping[*m_first[t].gathered_by].weights, 0);
  const home product = m_homes[t][device];
  const std::string no_room = put(t, device, rows, tensor.bytes, false);
  if (!no_room.empty()) m_short.push_back({rows, tensor.bytes, tensor.cls, no_room});
  m_copies[t] = std::exchange(m_homes[t][device], product);
  m_notes.push_back(fmt::format("{} is multiplied in {} and has a copy in {} for its rows", tensor.name,
                                m_slots[static_cast<std::size_t>(product.memory)].name,
                                m_slots[static_cast<std::size_t>(rows)].name));
}

void placement::refuse(const trace_source& source, bool advise) const {
  std::string text = fmt::format("'{}' does not fit platform '{}'.\n", m_header.model, m_platform.name);
  std::vector<std::int64_t> missing(m_slots.size(), 0);
  for (const auto& s : m_short) missing[static_cast<std::size_t>(s.slot)] += s.bytes;
  for (std::size_t i = 0; i < m_slots.size(); ++i) {
    if (missing[i] == 0) continue;
    const auto& s = m_slots[i];
    if (s.in_core) {
      const auto first = std::find_if(m_short.begin(), m_short.end(),
                                      [i](const shortage& x) { return x.slot == static_cast<int>(i); });
      text += fmt::format("  {}: {} B ({:.2f} GiB) of weights are in its arrays, {} B ({:.2f} GiB) are left over: {}\n",
                          s.name, s.used, gib(s.used), missing[i], gib(missing[i]), first->why);
      continue;
    }
    const std::int64_t needed = m_wanted[i];
    text +=
        fmt::format("  {}: needs {} B ({:.2f} GiB), has {} B ({:.2f} GiB), missing {} B ({:.2f} GiB)\n", s.name, needed,
                    gib(needed), s.capacity, gib(s.capacity), needed - s.capacity, gib(needed - s.capacity));
  }
  std::int64_t weights = 0, cache = 0;
  for (const auto& t : m_header.tensors) {
    if (t.cls == trace::tensor_class::kv_cache) cache += t.bytes;
    if (t.cls == trace::tensor_class::weights) weights += t.bytes;
  }
  text += fmt::format("  weights {:.2f} GiB, KV cache {:.2f} GiB.", gib(weights), gib(cache));
  if (advise) text += " " + what_would_fit(m_platform, m_slots, source);
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
        if (g.pipeline && tensor.cls != trace::tensor_class::activations && !in_stage(t, d, g.cores.size())) continue;
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
    if (s.cells_used) m["cells_used"] = s.cells_used();
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
