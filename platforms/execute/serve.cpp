// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "hw/core/core_model.h"
#include "platforms/describe/rule_match.h"
#include "platforms/place/placement.h"
#include "platforms/tell/machine.h"
#include "platforms/tell/result.h"
#include "platforms/watch/served_timeline.h"
#include "traces/serving/served_source.h"
#include "traces/totals.h"

namespace memwall::platforms {
namespace {

using serving::step_operators;
using serving::step_shape;

/// A step of a prompt and one of decodes, and copies of a block where sequences are swapped: by them the run places the
/// tensors.
std::vector<trace::op> both_steps(const step_operators& steps) {
  step_shape prompt, decode;
  prompt.rows = 2;
  prompt.sampled = 1;
  prompt.chunks = {{2, 0}};
  decode.rows = decode.sampled = 1;
  decode.contexts = {3};
  std::vector<trace::op> out;
  for (const auto* shape : {&prompt, &decode}) {
    const auto base = static_cast<std::uint64_t>(out.size());
    for (auto& o : steps.make(*shape, 0)) {
      o.op.id += base;
      for (auto& d : o.op.deps) d += base;
      out.push_back(std::move(o.op));
    }
  }
  const auto base = static_cast<std::uint64_t>(out.size());
  for (auto& o : steps.swaps(1, 1, 0)) {
    o.op.id += base;
    for (auto& d : o.op.deps) d += base;
    out.push_back(std::move(o.op));
  }
  return out;
}

trace_source source_of(const step_operators& steps) {
  return [header = steps.header(), ops = both_steps(steps)] { return std::make_unique<trace::op_list>(header, ops); };
}

/// Room in arrays like those of a core.
std::function<std::string(std::int64_t, std::int64_t, double)> spare_arrays(const platform_description& platform,
                                                                            const std::string& name) {
  const module_description* d = platform.find(name);
  problem_list problems;
  std::shared_ptr<core_model> model = core_kinds().get(d->type).make(d->tree, problems, name);
  problems.check();
  return [model](std::int64_t rows, std::int64_t columns, double bits) {
    return model->arrays()->reserve(rows, columns, bits);
  };
}

/// Preempted sequences are swapped: what computes a layer's attention copies its keys and values to the host's memory,
/// the first one that holds none of any layer, and back. Adds the rules for that unless the platform has some, and
/// returns that memory's name.
std::string map_swaps(platform_description& platform, const step_operators& steps) {
  std::vector<const trace::op*> attention;
  const std::vector<trace::op> ops = both_steps(steps);
  for (const auto& o : ops)
    if (o.kind == trace::op_kind::attention && o.phase == trace::phase::decode) attention.push_back(&o);
  const auto rule_of = [&](const trace::op& o) -> const mapping_rule& {
    for (const auto& r : platform.mapping)
      if (matches(r, o.name, trace::name_of(o.kind), o.layer, trace::name_of(o.phase))) return r;
    return platform.mapping.back();
  };
  std::set<std::string> caches;
  for (const auto* o : attention)
    for (const auto* m : platform.group(rule_of(*o).kv_cache)) caches.insert(m->name);
  const auto host = std::find_if(platform.modules.begin(), platform.modules.end(), [&](const module_description& m) {
    return m.type == "dram" && caches.count(m.name) == 0 && platform.group(m.name).size() == 1;
  });
  if (host == platform.modules.end())
    throw input_error(problem{platform.name, "server.preemption", "swap, but no memory beside the KV cache's",
                              "recompute, or a platform with a DRAM for the host", ""});
  std::vector<mapping_rule> rules;
  for (const auto* o : attention) {
    mapping_rule r = rule_of(*o);
    r.kinds = {std::string(trace::name_of(trace::op_kind::elementwise))};
    r.name_pattern = "*kv_swap*";
    r.first_layer = r.last_layer = o->layer;
    r.phase.clear();
    r.kv_cache = host->name;
    const bool same = !rules.empty() && rules.back().executor == r.executor && rules.back().where == r.where;
    if (same)
      rules.back().last_layer = o->layer;
    else
      rules.push_back(std::move(r));
  }
  platform.mapping.insert(platform.mapping.begin(), rules.begin(), rules.end());
  return host->name;
}

/// KV blocks that the memories have room for beside everything else, as an engine counts when it starts: its share of
/// each memory, less what lies there, less what the runtime holds. `swap`: the memory that preempted sequences go to.
std::int64_t blocks_that_fit(const serve_options& o, const platform_description& platform, const std::string& swap,
                             const serving::server_params& server, std::vector<memory_slot> slots) {
  const std::int64_t sample = server.block_size;  // positions that the trial placement has
  const step_operators steps(o.model, o.types, server, sample, o.run.seed);
  // Arrays remember what they are given room for: the trial has arrays of its own.
  for (auto& slot : slots)
    if (slot.in_core) slot.reserve = spare_arrays(platform, slot.name);
  const placement where(platform, std::move(slots), source_of(steps));
  const auto kv = static_cast<std::size_t>(trace::tensor_class::kv_cache);
  std::int64_t blocks = INT64_MAX;
  std::string tightest;
  for (const auto& slot : where.slots()) {
    const std::int64_t per_block = slot.by_class[kv];
    if (per_block == 0 || slot.name == swap) continue;
    const double budget = server.gpu_memory_utilization * static_cast<double>(slot.capacity) -
                          static_cast<double>(slot.used - per_block) - server.reserve.value;
    const auto fit = static_cast<std::int64_t>(std::max(0.0, budget) / static_cast<double>(per_block));
    if (fit >= blocks) continue;
    blocks = fit;
    tightest = fmt::format(
        "'{}' has {:.2f} GiB, the engine takes {:.0f} % of it; weights and activations take {:.2f} GiB, the runtime "
        "{:.2f} "
        "GiB; a KV block of {} tokens takes {:.3f} MiB",
        slot.name, static_cast<double>(slot.capacity) / 1073741824.0, 100 * server.gpu_memory_utilization,
        static_cast<double>(slot.used - per_block) / 1073741824.0, server.reserve.value / 1073741824.0,
        server.block_size, static_cast<double>(per_block) / 1048576.0);
  }
  if (blocks < 1)
    throw capacity_error("no KV block fits: " + tightest +
                         ". A platform with more memory, smaller types (--dtype), or server.gpu_memory_utilization "
                         "nearer to 1 would fit.");
  return blocks;
}

/// Whether the mapping sends prompts and decodes to different executors or memories.
bool phases_differ(const platform_description& platform) {
  return std::any_of(platform.mapping.begin(), platform.mapping.end(),
                     [](const mapping_rule& r) { return !r.phase.empty(); });
}

/// Where the time of all replicas went, host and idle times included; sums to the duration of each, times replicas.
stall_stack stack_of(const serving::engine& server, int replicas) {
  stall_stack out = server.device().stack();
  out[stall::host] += server.host_time();
  out[stall::idle] += server.now() * replicas - out.sum();
  return out;
}

std::vector<json*> values_of(json& object) {
  std::vector<json*> out;
  for (auto& [unused, v] : object.items()) out.push_back(&v);
  return out;
}

/// Of the busiest, in the service.
double busiest(const json& modules, const movement& moved, double slower) {
  double most = 0;
  for (const auto& m : modules)
    if (!m.value("on_chip", false))
      most = std::max(most, m["utilization"].get<double>() * moved.grown.at(m["name"]) * slower);
  return most;
}

/// Bytes, rates: of all that was served. `slower`: how much longer that took than what was given.
void count_all(const json& r, const movement& moved, double slower, run_summary& s) {
  double dram = 0, buses = 0, links = 0, busiest_rate = 0;
  for (const auto& m : r["memories"]) {
    if (m.value("on_chip", false)) continue;
    const double grown = moved.grown.at(m["name"]);
    dram += grown * (m["read_bytes"].get<double>() + m["write_bytes"].get<double>());
    busiest_rate = std::max(busiest_rate, m["bandwidth_gbps"].get<double>() * 1e9 * grown * slower);
  }
  for (const auto& b : r["buses"]) buses += moved.grown.at(b["name"]) * b["bytes"].get<double>();
  for (const auto& l : r["links"]) links += moved.grown.at(l["name"]) * l["bytes"].get<double>();
  s.dram_bytes = std::llround(dram);
  s.bus_bytes = std::llround(buses);
  s.link_bytes = std::llround(links);
  s.dram_bytes_per_s = busiest_rate;
  s.dram_utilization = busiest(r["memories"], moved, slower);
  s.bus_utilization = busiest(r["buses"], moved, slower);
}

/// Turns the result of what was simulated into that of the service. Returns what moving a byte takes outside of the
/// cores, in picojoules.
double told(json& r, run_summary s, const movement& moved, const serve_options& o, const serving::server_params& server,
            const step_operators& steps, const serving::engine& engine, const reuse_report& reuse) {
  const serving::outcome& all = engine.device();
  const double simulated_ns = ns(s.time), duration_ns = ns(engine.now());
  const movement::component given = moved.sum();
  // How much more of each there is than was simulated.
  const double time = simulated_ns > 0 ? all.time() / 1000 / simulated_ns : 0.0,
               pauses = simulated_ns > 0 ? duration_ns / simulated_ns * o.replicas : 0.0,
               operators = given.given_pj > 0 ? all.energy_pj / given.given_pj : 0.0;
  const double moving_pj = given.moving_pj + given.timely_pj * time;
  const double per_byte = all.memory_bytes > 0 ? moving_pj / all.memory_bytes : 0.0;
  const double energy = all.energy_pj + moving_pj + given.idle_pj * pauses;
  json& told_energy = r["energy"];
  told_energy["by_component_pj"] = json::object();
  for (const auto& c : moved.components)
    told_energy["by_component_pj"][c.name] =
        c.given_pj * operators + c.moving_pj + c.timely_pj * time + c.idle_pj * pauses;
  told_energy["idle_pj"] = given.idle_pj * pauses;
  told_energy["total_pj"] = energy;

  r["workload"] = {{"requests", o.requests.origin}, {"dtype", o.types.name()}, {"replicas", o.replicas}};
  r["config"]["workload"] = r["workload"];
  r["config"]["platform"]["server"] = serving::server_param_table().write(server);
  r["fidelity"]["reuse"] = reuse_json(reuse);
  s.time = engine.now();
  s.tokens = engine.tokens();
  const stall_stack where = stack_of(engine, o.replicas);
  r["stall_stack_ns"] = stack_json(where);
  for (auto& [unused, part] : r["stall_stack_ns"].items()) part = part.get<double>() / o.replicas;
  stall_stack active = where;
  active[stall::idle] = 0;  // nobody asked: not a property of the machine
  s.booked_most = booked_most(active);
  s.energy_pj = energy;
  s.energy_per_request_pj = engine.completed() > 0 ? energy / static_cast<double>(engine.completed()) : 0.0;
  count_all(r, moved, duration_ns > 0 ? simulated_ns / duration_ns / o.replicas : 0.0, s);
  s.flops = all.flops;
  s.kv_bytes = steps.pool_bytes();
  r["serving"] = serving_json(o.requests, engine, server, o.slo);
  // Of requests, not of the run that stood for their steps.
  const auto mean_ns = [&r](const char* key) -> std::optional<double> {
    const json& times = r["serving"][key];
    const auto mean = times.is_object() ? times.find("mean") : times.end();
    return mean != times.end() && mean->is_number() ? std::optional(1e6 * mean->get<double>()) : std::nullopt;
  };
  s.ttft_ns = mean_ns("ttft_ms");
  s.tpot_ns = mean_ns("tpot_ms");
  r["summary"] = summary_table().write(s);
  // A replica is a machine of its own: what was simulated is one of them.
  r["machine"] = machine_of(r);
  for (auto& [key, v] : r["machine"].items()) {
    if (key == "power_w") continue;
    for (json* n : v.is_object() ? values_of(v) : std::vector<json*>{&v})
      if (n->is_number()) *n = n->get<double>() * o.replicas;
  }
  return per_byte;
}

}  // namespace

serving::server_params server_of(const platform_description& platform) {
  serving::server_params out;
  problem_list problems;
  if (const config::node* n = platform.tree.find("server"))
    serving::server_param_table().read(*n, out, problems, "server");
  problems.check();
  return out;
}

serve_outcome serve(const serve_options& options) {
  const serving::server_params server = server_of(options.run.platform);
  reuse_report reuse;
  reuse.on = options.reuse;
  reuse.bound = options.reuse_bound;
  // Made when the memories are known: they say how many KV blocks there are.
  std::optional<step_operators> steps;
  std::optional<serving::engine> engine;
  std::optional<served_timeline> timeline;
  if (!options.timeline_file.empty()) timeline.emplace(options.timeline_file, options.replicas);
  std::int64_t number = 0;
  run_options run_with = options.run;
  run_with.reuse = options.reuse;
  run_with.reuse_bound = options.reuse_bound;
  std::string swap;
  if (server.preemption == "swap")
    swap = map_swaps(run_with.platform, {options.model, options.types, server, server.block_size, options.run.seed});
  run_with.on_memories = [&](const std::vector<memory_slot>& slots) {
    const std::int64_t blocks =
        server.kv_blocks > 0 ? server.kv_blocks : blocks_that_fit(options, run_with.platform, swap, server, slots);
    steps.emplace(options.model, options.types, server, blocks * server.block_size, options.run.seed);
    engine.emplace(options.requests, server, blocks, options.replicas, options.model.max_positions);
    if (options.steps_csv || timeline)
      engine->on_step = [&](const serving::served_step& s) {
        if (options.steps_csv) options.steps_csv(steps_csv_line(number++, s));
        if (timeline) timeline->step(s);
      };
  };
  run_with.source = [&] { return source_of(*steps)(); };
  run_with.operators = [&] {
    return std::make_unique<serving::served_source>(*engine, *steps, phases_differ(options.run.platform), reuse);
  };
  run_outcome ran = run(run_with);
  reuse.simulated = options.reuse ? ran.reuse.simulated : reuse.operators;

  if (timeline) timeline->finish(options.requests, *engine);
  serve_outcome out;
  out.partial = ran.partial;
  out.result = std::move(ran.result);
  const double pj_per_byte = told(out.result, ran.summary, ran.moved, options, server, *steps, *engine, reuse);
  for (std::size_t i = 0; i < options.requests.requests.size(); ++i)
    if (engine->requests()[i].completed)
      out.requests_csv.push_back(requests_csv_line(options.requests.requests[i], engine->requests()[i], pj_per_byte));
  return out;
}

}  // namespace memwall::platforms
