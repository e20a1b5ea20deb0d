// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/cim_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "hw/cim/figures.h"
#include "hw/common/checked.h"
#include "hw/core/plan_accesses.h"

namespace memwall {

const param_table<cim_params>& cim_param_table() {
  static const auto table =
      param_table<cim_params>("cim")
          .add("in_bits", &cim_params::in_bits, "bits of an input vector's numbers")
          .range<std::int64_t>(1, 16)
          .add("stream_macros", &cim_params::stream_macros,
               "macros that weights from outside are streamed through; 0: all")
          .range<std::int64_t>(0, 1 << 30)
          .add("vector_rate", &cim_params::vector_rate, "vector unit beside the arrays: norms, activations, attention")
          .range(op_rate(1e6), op_rate(1e18))
          .add("buffer", &cim_params::buffer, "global buffer of activations")
          .range(byte_size(0), byte_size(1e12))
          .add("port_bandwidth", &cim_params::port_bandwidth, "between the bus and the global buffer")
          .range(bandwidth(1e6), bandwidth(1e15))
          .add("load_latency", &cim_params::load_latency, "from the arrays' controller to memory and back")
          .range(duration(0), duration(1e-3))
          .add("operator_overhead", &cim_params::operator_overhead,
               "instruction issue and synchronisation of the tiles")
          .range(duration(0), duration(1))
          .add("memory", &cim_params::memory,
               "DRAM-bank macros: the dram module whose banks they sit in; weights and caches there are used in place")
          .add("attention", &cim_params::attention,
               "auto: beside the banks that hold the cache, else on the vector unit; vector: on the vector unit; "
               "macros: keys and values are written into the arrays each time")
          .choices({"auto", "vector", "macros"})
          .add("input_range", &cim_params::input_range,
               "of integer macros: fixed beforehand, costs nothing; vector: the largest value of each input vector, "
               "two operations an input on the vector unit")
          .choices({"fixed", "vector"})
          .add("weight_scale", &cim_params::weight_scale,
               "of integer macros: tensor: one, folded into what follows (types with groups: one a group, each with a "
               "partial sum of its own); column: one an output, an operation and two bytes of the global buffer each")
          .choices({"tensor", "column"})
          .add("max_replicas", &cim_params::max_replicas,
               "macros left over hold copies of the weights, at most so many of each, for throughput")
          .range<std::int64_t>(1, 1 << 20)
          .add("pipeline", &cim_params::pipeline,
               "layers in different arrays work at the same time on different vectors")
          .add("energy_per_flop", &cim_params::energy_per_flop, "vector unit")
          .range(energy(0), energy(1e-6))
          .add("energy_per_buffer_byte", &cim_params::energy_per_buffer_byte, "global buffer, one byte")
          .range(energy(0), energy(1e-6));
  return table;
}

cim_model::cim_model(cim_params p, cim::hierarchy_params h, std::unique_ptr<const cim::macro> m,
                     nlohmann::ordered_json macro_config)
    : m_p(p),
      m_hierarchy(h),
      m_macro(std::move(m)),
      m_macro_config(std::move(macro_config)),
      m_buffer(to_bytes(p.buffer)) {}

int cim_model::stored_bits(double bits) const {
  // The arrays hold the plain integers of grouped types.
  return std::clamp(static_cast<int>(std::floor(bits)), 1, m_macro->max_w_bits());
}

std::int64_t cim_model::scale_group(const operation& op) const {
  return m_macro->is_floating() || m_p.weight_scale == "column" ? 0 : op.weight_group;
}

double cim_model::peak_rate(const std::string& type) const {
  if (type == "fp32") return m_p.vector_rate.value;
  if (m_macro->peak_macs_per_s() > 0) return 2 * m_macro->peak_macs_per_s() * static_cast<double>(m_hierarchy.macros());
  const int bits = std::min(8, m_macro->max_w_bits());
  const auto g = m_macro->shape(bits);
  cim::mvm_shape s;
  s.rows = g.rows;
  s.cols = g.cols;
  s.in_bits = std::min<int>(static_cast<int>(m_p.in_bits), m_macro->max_in_bits());
  s.w_bits = bits;
  const auto cost = m_macro->mvm(s);
  const double interval =
      static_cast<double>(std::max<ps_t>(1, cost.interval > 0 ? cost.interval : cost.total)) * 1e-12;
  return 2.0 * static_cast<double>(s.rows * s.cols) / interval * static_cast<double>(m_hierarchy.macros());
}

std::int64_t cim_model::weight_capacity() const {
  const int bits = m_macro->max_w_bits();
  return m_hierarchy.macros() * m_macro->shape(bits).weights * bits / 8;
}

std::string cim_model::reserve(std::int64_t rows, std::int64_t columns, double bits) {
  if (bits >= m_macro->max_w_bits() + 1)
    return fmt::format("weights have {} bits, its macros take at most {}", bits, m_macro->max_w_bits());
  const int b = stored_bits(bits);
  const auto g = m_macro->shape(b);
  if (g.flexible) {
    const double capacity = static_cast<double>(g.weights) * static_cast<double>(m_hierarchy.macros());
    const double wanted = static_cast<double>(rows) * static_cast<double>(columns);
    if (m_weights_used + wanted > capacity)
      return fmt::format("its banks hold {:.4g} weights, {:.4g} are taken", capacity, m_weights_used);
    m_weights_used += wanted;
    return {};
  }
  const std::int64_t pieces = cim::fold_layer(*m_macro, rows, columns, b).pieces();
  if (m_slots_used + pieces > slots())
    return fmt::format("a {} x {} matrix takes {} of its {} arrays, {} are left", rows, columns, pieces, slots(),
                       slots() - m_slots_used);
  m_slots_used += pieces;
  return {};
}

double cim_model::cells_used() const {
  if (!flexible()) return static_cast<double>(m_slots_used) / static_cast<double>(slots());
  const auto weights = m_macro->shape(m_macro->max_w_bits()).weights;
  return m_weights_used / (static_cast<double>(weights) * static_cast<double>(m_hierarchy.macros()));
}

weight_arrays::program_total cim_model::make_resident(std::uint64_t tensor, std::int64_t rows, std::int64_t columns,
                                                      double bits) {
  const int b = stored_bits(bits);
  const auto f = cim::fold_layer(*m_macro, rows, columns, b, m_macro->shape(b).flexible ? m_hierarchy.macros() : 0);
  const auto one = m_macro->program(f.piece_rows, f.piece_cols, b);
  m_resident[tensor] = {rows, columns, b, 1};
  program_total out;
  // Macros are written side by side, a weight set after another.
  const std::int64_t rounds = (f.pieces() + m_hierarchy.macros() - 1) / m_hierarchy.macros();
  out.time = one.total * rounds;
  out.energy_pj = one.energy.sum() * static_cast<double>(f.pieces());
  out.cell_writes = static_cast<double>(one.cell_writes) * static_cast<double>(f.pieces());
  return out;
}

weight_arrays::program_total cim_model::replicate() {
  program_total out;
  if (m_p.max_replicas < 2 || flexible() || m_resident.empty()) return out;
  std::vector<cim::layer_request> wanted;
  for (const auto& [tensor, l] : m_resident)
    wanted.push_back({std::to_string(tensor), l.rows, l.columns, l.bits, 1, 1});
  cim::placement_options options;
  options.macro_count = m_hierarchy.macros();
  options.max_replicas = m_p.max_replicas;
  const auto placed = cim::place_layers(*m_macro, wanted, options);
  std::size_t i = 0;
  for (auto& [tensor, l] : m_resident) {
    const auto& p = placed.layers[i++];
    l.replicas = p.replicas;
    const auto one = m_macro->program(p.folded.piece_rows, p.folded.piece_cols, l.bits);
    const double copies = static_cast<double>(p.folded.pieces()) * static_cast<double>(p.replicas - 1);
    out.time += p.replicas > 1 ? one.total : 0;  // copies are written side by side
    out.energy_pj += one.energy.sum() * copies;
    out.cell_writes += static_cast<double>(one.cell_writes) * copies;
  }
  return out;
}

void cim_model::spend(work& w, double pj, energy_part part) {
  w.energy_pj += pj;
  m_energy[part] += pj;
}

// Leakage runs whether a macro computes or not: idle_power(). What power gating saves is missing there and comes back
// here, for as long as the layer's macros and tiles are powered.
void cim_model::spend(work& w, const cim::layer_cost& cost, double times) {
  cim::breakdown e = cost.macro_energy.scaled(times);
  const double powered =
      cost.total > 0 ? 1 + static_cast<double>(to_ps(m_hierarchy.wake_ahead)) / static_cast<double>(cost.total) : 1;
  e[cim::component::leakage] *= (1 - m_hierarchy.gated_leakage) * powered;
  m_macro_energy += e;
  w.energy_pj += e.sum();
  spend(w, cost.network_pj * times, network);
  spend(w, cost.accumulate_pj * times, accumulate);
}

void cim_model::plan_resident(const operation& op, std::int64_t replicas, work& w) {
  const int b = stored_bits(op.weight_bits);
  // More pieces than macros: weight sets selected one after another.
  std::int64_t turns = 1, n = op.n;
  cim::fold f = cim::fold_layer(*m_macro, op.k, n, b);
  while (f.pieces() > m_hierarchy.macros() && n > 1) {
    turns *= 2;
    n = std::max<std::int64_t>(1, (n + 1) / 2);
    f = cim::fold_layer(*m_macro, op.k, n, b);
  }
  // Experts lie in arrays of their own and work side by side, as far as there are arrays; those of one chip share its
  // port.
  const std::int64_t side = std::clamp<std::int64_t>(m_hierarchy.macros() / f.pieces(), 1, op.batch);
  const std::int64_t on_chip =
      std::clamp<std::int64_t>(m_hierarchy.macros_per_tile * m_hierarchy.tiles_per_chip / f.pieces(), 1, side);
  const std::int64_t rounds = checked_product(turns, (op.batch + side - 1) / side);
  const std::int64_t each = (op.m + replicas - 1) / replicas;  // vectors of the busiest replica
  const std::int64_t group = scale_group(op);
  const auto first = cim::cost_layer(m_hierarchy, *m_macro, f, 1, input_bits(), b, group);
  const auto all = cim::cost_layer(m_hierarchy, *m_macro, f, each, input_bits(), b, group);
  check_time(all.total, static_cast<double>(rounds));
  check_time(all.port_interval, static_cast<double>(rounds) * static_cast<double>(each) * static_cast<double>(on_chip));
  const ps_t alone = first.total * rounds;
  ps_t exposed = alone + std::max<ps_t>(0, all.total - first.total) * rounds;
  // What several experts on a chip add: the port carries their vectors one after another, beyond the time that one
  // takes anyway.
  const ps_t port = on_chip * each * all.port_interval;
  const ps_t shared_port =
      on_chip > 1 ? std::max<ps_t>(0, port - each * std::max(all.own_interval, all.port_interval)) * rounds : 0;
  if (op.batch == 1 && m_p.pipeline) {
    cim::stage_load load;
    const ps_t behind = (each - 1) * rounds;
    load.own = behind * (all.shares_chip ? all.own_interval : std::max(all.own_interval, all.port_interval));
    load.port = all.shares_chip ? behind * all.port_interval : 0;
    exposed = m_pipeline.add(op.m, alone, load);
  } else {
    m_pipeline.drain();
  }
  stall_stack rest;
  for (std::size_t c = 0; c < stall_count; ++c) {
    w.compute.part[c] += first.parts.part[c] * rounds;
    rest.part[c] = std::max<ps_t>(0, all.parts.part[c] - first.parts.part[c]);
  }
  w.compute += apportion(exposed - alone, rest, stall::cim_array);
  w.compute[stall::bus_transfer] += shared_port;
  spend(w, all, static_cast<double>(turns * op.batch) * static_cast<double>(op.m) / static_cast<double>(each));
}

// Weights that lie elsewhere are written into the arrays, as much of them at a time as fits.
void cim_model::plan_streamed(std::int64_t k, std::int64_t n, std::int64_t vectors, std::int64_t repeats, int bits,
                              std::int64_t group, work& w) {
  const std::int64_t available =
      m_p.stream_macros == 0 ? m_hierarchy.macros() : std::min(m_p.stream_macros, m_hierarchy.macros());
  std::int64_t rounds = 1, columns = n;
  cim::fold f = cim::fold_layer(*m_macro, k, columns, bits, m_macro->shape(bits).flexible ? available : 0);
  while (f.pieces() > available && columns > 1) {
    rounds *= 2;
    columns = std::max<std::int64_t>(1, (n + rounds - 1) / rounds);
    f = cim::fold_layer(*m_macro, k, columns, bits, m_macro->shape(bits).flexible ? available : 0);
  }
  const auto cost = cim::cost_layer(m_hierarchy, *m_macro, f, vectors, input_bits(), bits, group);
  const std::int64_t times = checked_product(rounds, repeats);
  check_time(cost.total, static_cast<double>(times));
  for (std::size_t c = 0; c < stall_count; ++c) w.compute.part[c] += cost.parts.part[c] * times;
  spend(w, cost, static_cast<double>(times));
  const auto one = m_macro->program(f.piece_rows, f.piece_cols, bits);
  check_time(one.total, static_cast<double>(times));
  spend(w,
        (one.energy.sum() - one.energy[cim::component::leakage]) * static_cast<double>(f.pieces()) *
            static_cast<double>(times),
        programming);
  m_programmings += static_cast<double>(times);
  // Written while the previous round computes, where the macro can.
  w.compute[stall::cim_program] +=
      (m_macro->concurrent_program() ? std::max<ps_t>(0, one.total - cost.total) : one.total) * times;
}

void cim_model::plan_in_banks(std::int64_t k, std::int64_t n, std::int64_t vectors, std::int64_t repeats, int bits,
                              work& w) {
  const auto f = cim::fold_layer(*m_macro, k, n, bits, m_hierarchy.macros());
  const auto cost = cim::cost_layer(m_hierarchy, *m_macro, f, vectors, input_bits(), bits);
  check_time(cost.total, static_cast<double>(repeats));
  for (std::size_t c = 0; c < stall_count; ++c) w.compute.part[c] += cost.parts.part[c] * repeats;
  spend(w, cost, static_cast<double>(repeats));
}

// Scores: head dimension by positions; values: positions by head dimension. Sequences and heads lie side by side, so
// that positions are spread over all macros; the queries of a group of heads share keys and values.
void cim_model::plan_attention(const operation& op, work& w) {
  const std::int64_t queries = checked_product(op.m, op.group);
  for (const auto& [k, n] :
       {std::pair{op.k, checked_product(op.n, op.batch)}, std::pair{op.n, checked_product(op.k, op.batch)}}) {
    if (flexible())
      plan_in_banks(k, n, queries, 1, m_macro->max_w_bits(), w);
    else
      plan_streamed(k, n, queries, 1, stored_bits(op.weight_bits), 0, w);
  }
  constexpr double operations_a_score = 5;  // maximum, subtraction, exponential, sum, scaling
  plan_vector(
      operations_a_score * static_cast<double>(queries) * static_cast<double>(op.n) * static_cast<double>(op.batch), 1,
      false, w);
}

// Integers in and out of the arrays: ranges of inputs and scales of outputs, on the vector unit.
void cim_model::plan_scales(const operation& op, work& w) {
  if (m_macro->is_floating()) return;
  const double vectors = static_cast<double>(op.m) * static_cast<double>(op.batch);
  double flops = 0;
  if (m_p.input_range == "vector") flops += 2 * vectors * static_cast<double>(op.k);
  if (m_p.weight_scale == "column") {
    flops += vectors * static_cast<double>(op.n);
    spend(w, 2 * static_cast<double>(op.n * op.batch) * to_pj(m_p.energy_per_buffer_byte), global_buffer);
  }
  if (flops > 0) plan_vector(flops, op.m, true, w);
}

void cim_model::plan_vector(double flops, std::int64_t vectors, bool chained, work& w) {
  const ps_t whole = checked_ps(flops / m_p.vector_rate.value * 1e12);
  ps_t exposed = whole;
  if (chained && m_p.pipeline) {
    cim::stage_load load;
    load.vector = whole - whole / vectors;
    exposed = m_pipeline.add(vectors, whole / vectors, load);
  } else {
    m_pipeline.drain();
  }
  w.compute[stall::compute] += exposed;
  spend(w, flops * to_pj(m_p.energy_per_flop), vector_unit);
}

bool cim_model::in_place(const operation& op, const operand& o) const {
  if (!o.resident) return false;
  if (op.kind == work_kind::gemm) return o.kind == traffic::weights;
  if (m_p.memory.empty()) return true;  // nothing to read it from
  return op.kind == work_kind::attention && m_p.attention != "vector";
}

work cim_model::plan(const operation& op) {
  work w;
  w.launch = op.fused ? 0 : to_ps(m_p.operator_overhead);
  std::int64_t touched = 0;
  bool resident = false;
  std::int64_t replicas = 1;
  operation outside = op;
  outside.operands.clear();
  for (const auto& o : op.operands) {
    if (!in_place(op, o)) {
      outside.operands.push_back(o);
      continue;
    }
    resident = true;
    if (const auto found = m_resident.find(o.tensor); found != m_resident.end())
      replicas = std::max(replicas, found->second.replicas);
  }
  w.accesses = through_cache(outside, m_buffer, touched);
  if (!w.accesses.empty()) m_pipeline.drain();
  const bool separate = op.kind == work_kind::attention && (m_p.attention == "macros" || (resident && flexible()));
  if (op.kind == work_kind::gemm) {
    if (!resident)
      m_pipeline.drain(), plan_streamed(op.k, op.n, op.m, op.batch, stored_bits(op.weight_bits), scale_group(op), w);
    else if (flexible())
      m_pipeline.drain(), plan_in_banks(op.k, op.n, op.m, op.batch, stored_bits(op.weight_bits), w);
    else
      plan_resident(op, replicas, w);
    plan_scales(op, w);
  } else if (separate) {
    plan_attention(op, w);
  } else {
    plan_vector(op.flops, op.m, op.kind == work_kind::elementwise && w.accesses.empty(), w);
  }
  spend(w, static_cast<double>(touched) * to_pj(m_p.energy_per_buffer_byte), global_buffer);
  w.load_latency = to_ps(m_p.load_latency);
  w.fill_bandwidth = m_p.port_bandwidth.value;
  w.window =
      std::max<std::int64_t>(65536, static_cast<std::int64_t>(m_p.port_bandwidth.value * m_p.load_latency.value * 2));
  return w;
}

std::vector<std::pair<std::string, double>> cim_model::energy_parts() const {
  std::vector<std::pair<std::string, double>> out;
  for (std::size_t i = 0; i < cim::component_count; ++i)
    if (const auto c = static_cast<cim::component>(i); c != cim::component::leakage || m_macro_energy[c] > 0)
      out.emplace_back(cim::component_name(c), m_macro_energy[c]);
  const char* names[energy_part_count] = {"network", "accumulate", "vector_unit", "global_buffer", "programming"};
  for (std::size_t i = 0; i < energy_part_count; ++i) out.emplace_back(names[i], m_energy[i]);
  return out;
}

power cim_model::idle_power() const {
  return power(m_hierarchy.gated_leakage *
               (m_macro->leakage_mw() * 1e-3 * static_cast<double>(m_hierarchy.macros()) +
                m_hierarchy.tile_leakage.value * static_cast<double>(m_hierarchy.tiles_per_chip * m_hierarchy.chips)));
}

nlohmann::ordered_json cim_model::figures(ps_t elapsed) const {
  const int bits = std::min(8, m_macro->max_w_bits());
  const auto f = cim::figures(*m_macro, std::min<int>(static_cast<int>(m_p.in_bits), m_macro->max_in_bits()), bits);
  const double count = static_cast<double>(m_hierarchy.macros());
  nlohmann::ordered_json out{
      {"macros", m_hierarchy.macros()}, {"macro_tops", f.tops}, {"macro_tops_per_w", f.tops_per_w}};
  if (f.area_mm2 > 0) {
    out["macro_tops_per_mm2"] = f.tops_per_mm2;
    out["area_mm2"] = f.area_mm2 * count + m_hierarchy.tile_area.value * 1e6 *
                                               static_cast<double>(m_hierarchy.tiles_per_chip * m_hierarchy.chips);
  }
  out["peak_tops"] = f.peak_tops * count;
  out["programmings_per_macro"] = m_programmings;
  if (elapsed > 0)
    out["endurance_used_per_day"] =
        cim::endurance_per_day(*m_macro, m_programmings / (static_cast<double>(elapsed) * 1e-12));
  return out;
}

nlohmann::ordered_json cim_model::config() const {
  auto out = cim_param_table().write(m_p);
  out["hierarchy"] = cim::hierarchy_table().write(m_hierarchy);
  out["macro"] = m_macro_config;
  return out;
}

namespace {

std::unique_ptr<core_model> make_cim(const config::node& n, problem_list& problems, const std::string& path) {
  cim_params p;
  cim::hierarchy_params h;
  cim_param_table().read(n, p, problems, path, {"type", "count", "macro", "hierarchy"});
  if (const auto* sub = n.find("hierarchy")) cim::hierarchy_table().read(*sub, h, problems, path + ".hierarchy");
  const config::node* macro = n.find("macro");
  if (macro == nullptr) {
    problems.add(
        {n.where(), path + ".macro", "is missing", "a macro preset (hermes, ...) or a map {base: PRESET, ...}", ""});
    return nullptr;
  }
  try {
    auto m = macro->is_scalar() ? cim::load_macro(macro->text()) : cim::make_macro(*macro, path + ".macro");
    auto resolved = m->parameters();
    resolved["type"] = m->kind();
    return std::make_unique<cim_model>(p, h, std::move(m), std::move(resolved));
  } catch (const input_error& e) {
    for (const auto& problem : e.problems()) problems.add(problem);
    return nullptr;
  }
}

const bool registered = [] {
  core_kinds().add("cim", "arrays of compute-in-memory macros with a vector unit",
                   core_kind{make_cim, [] {
                               auto out = cim_param_table().describe();
                               for (auto& p : cim::hierarchy_table().describe()) {
                                 p.name = "hierarchy." + p.name;
                                 out.push_back(p);
                               }
                               for (const auto& [kind, item] : cim::macros().items())
                                 for (auto& p : item.factory.describe()) {
                                   p.name = "macro(" + kind + ")." + p.name;
                                   out.push_back(p);
                                 }
                               return out;
                             }});
  return true;
}();

}  // namespace
}  // namespace memwall
