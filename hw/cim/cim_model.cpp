// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/cim_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "hw/cim/figures.h"
#include "hw/common/plan_accesses.h"

namespace memwall {

const param_table<cim_params>& cim_param_table() {
  static const auto table =
      param_table<cim_params>("cim")
          .add("in_bits", &cim_params::in_bits, "bits of an input vector's numbers").range<std::int64_t>(1, 16)
          .add("stream_macros", &cim_params::stream_macros, "macros that weights from outside are streamed through; 0: all").range<std::int64_t>(0, 1 << 30)
          .add("vector_rate", &cim_params::vector_rate, "vector unit beside the arrays: norms, activations, attention").range(op_rate(1e6), op_rate(1e18))
          .add("buffer", &cim_params::buffer, "global buffer of activations").range(byte_size(0), byte_size(1e12))
          .add("port_bandwidth", &cim_params::port_bandwidth, "between the bus and the global buffer").range(bandwidth(1e6), bandwidth(1e15))
          .add("load_latency", &cim_params::load_latency, "from the arrays' controller to memory and back").range(duration(0), duration(1e-3))
          .add("operator_overhead", &cim_params::operator_overhead, "instruction issue and synchronisation of the tiles").range(duration(0), duration(1))
          .add("memory", &cim_params::memory, "DRAM-bank macros: the dram module whose banks they sit in; weights and caches there are used in place")
          .add("energy_per_flop", &cim_params::energy_per_flop, "vector unit").range(energy(0), energy(1e-6))
          .add("energy_per_buffer_byte", &cim_params::energy_per_buffer_byte, "global buffer, one byte").range(energy(0), energy(1e-6));
  return table;
}

cim_model::cim_model(cim_params p, cim::hierarchy_params h, std::unique_ptr<const cim::macro> m, nlohmann::ordered_json macro_config)
    : m_p(p), m_hierarchy(h), m_macro(std::move(m)), m_macro_config(std::move(macro_config)), m_buffer(to_bytes(p.buffer)) {}

int cim_model::stored_bits(double bits) const {
  // Scales of grouped types are applied by the vector unit: the arrays hold the plain integers.
  return std::clamp(static_cast<int>(std::floor(bits)), 1, m_macro->max_w_bits());
}

double cim_model::peak_rate(const std::string& type) const {
  if (type == "fp32") return m_p.vector_rate.value;
  const int bits = std::min(8, m_macro->max_w_bits());
  const auto g = m_macro->shape(bits);
  cim::mvm_shape s;
  s.rows = g.flexible ? std::min<std::int64_t>(g.rows, 4096) : g.rows;
  s.cols = g.flexible ? std::min<std::int64_t>(g.cols, 4096) : g.cols;
  while (g.flexible && s.rows * s.cols > g.weights) s.cols /= 2;
  s.in_bits = std::min<int>(static_cast<int>(m_p.in_bits), m_macro->max_in_bits());
  s.w_bits = bits;
  const auto cost = m_macro->mvm(s);
  const double interval = static_cast<double>(std::max<ps_t>(1, cost.interval > 0 ? cost.interval : cost.total)) * 1e-12;
  return 2.0 * static_cast<double>(s.rows * s.cols) / interval * static_cast<double>(m_hierarchy.macros());
}

std::int64_t cim_model::weight_capacity() const {
  if (!m_p.memory.empty()) return 0;  // the memory's own room
  const int bits = std::min(8, m_macro->max_w_bits());
  return m_hierarchy.macros() * m_macro->shape(bits).weights * bits / 8;
}

bool cim_model::reserve(std::int64_t rows, std::int64_t columns, double bits) {
  const int b = stored_bits(bits);
  const auto g = m_macro->shape(b);
  if (g.flexible) {
    const double capacity = static_cast<double>(g.weights) * static_cast<double>(m_hierarchy.macros());
    const double wanted = static_cast<double>(rows) * static_cast<double>(columns);
    if (m_weights_used + wanted > capacity) return false;
    m_weights_used += wanted;
    return true;
  }
  const std::int64_t pieces = cim::fold_layer(*m_macro, rows, columns, b).pieces();
  if (m_slots_used + pieces > slots()) return false;
  m_slots_used += pieces;
  return true;
}

core_model::program_total cim_model::make_resident(std::uint64_t, std::int64_t rows, std::int64_t columns, double bits) {
  const int b = stored_bits(bits);
  const auto f = cim::fold_layer(*m_macro, rows, columns, b, m_macro->shape(b).flexible ? m_hierarchy.macros() : 0);
  const auto one = m_macro->program(f.piece_rows, f.piece_cols, b);
  program_total out;
  // Macros are written side by side, a weight set after another.
  const std::int64_t rounds = (f.pieces() + m_hierarchy.macros() - 1) / m_hierarchy.macros();
  out.time = one.total * rounds;
  out.energy_pj = one.energy.sum() * static_cast<double>(f.pieces());
  out.cell_writes = static_cast<double>(one.cell_writes) * static_cast<double>(f.pieces());
  return out;
}

void cim_model::plan_product(const operation& op, bool resident, work& w) {
  const int b = stored_bits(op.weight_bits);
  const int in = std::min<int>(static_cast<int>(m_p.in_bits), m_macro->max_in_bits());
  const bool flexible = m_macro->shape(b).flexible;
  const std::int64_t available = resident || m_p.stream_macros == 0 ? m_hierarchy.macros() : std::min(m_p.stream_macros, m_hierarchy.macros());
  cim::fold f = cim::fold_layer(*m_macro, op.k, op.n, b, flexible ? available : 0);
  // More pieces than macros: rounds over column slices that fit. (Resident: weight sets selected one after another.)
  std::int64_t rounds = 1;
  std::int64_t n = op.n;
  while (!flexible && f.pieces() > available && n > 1) {
    rounds *= 2;
    n = std::max<std::int64_t>(1, (op.n + rounds - 1) / rounds);
    f = cim::fold_layer(*m_macro, op.k, n, b);
  }
  const auto cost = cim::cost_layer(m_hierarchy, *m_macro, f, op.m, in, b);
  const double repeats = static_cast<double>(rounds) * static_cast<double>(op.batch);
  for (std::size_t c = 0; c < stall_count; ++c)
    w.compute.part[c] += static_cast<ps_t>(std::llround(static_cast<double>(cost.parts.part[c]) * repeats));
  w.energy_pj += (cost.macro_energy.sum() + cost.network_pj + cost.accumulate_pj) * repeats;
  if (resident) return;
  const auto one = m_macro->program(f.piece_rows, f.piece_cols, b);
  const ps_t program = static_cast<ps_t>(static_cast<double>(one.total) * repeats);
  w.energy_pj += one.energy.sum() * static_cast<double>(f.pieces()) * repeats;
  m_programmings += repeats;
  // Written while the previous round computes, where the macro can.
  w.compute[stall::cim_program] += m_macro->concurrent_program() ? std::max<ps_t>(0, program - static_cast<ps_t>(static_cast<double>(cost.total) * repeats)) : program;
}

// Positions of the cache are spread over all macros. Scores: head dimension by positions; values: positions by head dimension.
void cim_model::plan_attention(const operation& op, work& w) const {
  const int bits = m_macro->max_w_bits(), in = std::min<int>(static_cast<int>(m_p.in_bits), m_macro->max_in_bits());
  for (const auto& [k, n] : {std::pair{op.k, op.n * op.batch}, std::pair{op.n, op.k * op.batch}}) {
    const auto f = cim::fold_layer(*m_macro, k, n, bits, m_hierarchy.macros());
    const auto cost = cim::cost_layer(m_hierarchy, *m_macro, f, op.m, in, bits);
    w.compute += cost.parts;
    w.energy_pj += cost.macro_energy.sum() + cost.network_pj + cost.accumulate_pj;
  }
  constexpr double operations_a_score = 5;  // maximum, subtraction, exponential, sum, scaling
  const double softmax = operations_a_score * static_cast<double>(op.m * op.n * op.batch);
  w.compute[stall::compute] += static_cast<ps_t>(std::llround(softmax / m_p.vector_rate.value * 1e12));
  w.energy_pj += softmax * to_pj(m_p.energy_per_flop);
}

work cim_model::plan(const operation& op) {
  work w;
  w.launch = op.fused ? 0 : to_ps(m_p.operator_overhead);
  std::int64_t touched = 0;
  bool resident = false;
  operation outside = op;
  outside.operands.clear();
  for (const auto& o : op.operands) {
    if (o.resident)
      resident = true;
    else
      outside.operands.push_back(o);
  }
  w.accesses = through_cache(outside, m_buffer, touched);
  if (op.kind == work_kind::gemm) {
    plan_product(op, resident, w);
  } else if (op.kind == work_kind::attention && resident && m_macro->shape(m_macro->max_w_bits()).flexible) {
    plan_attention(op, w);
  } else {
    w.compute[stall::compute] = static_cast<ps_t>(std::llround(op.flops / m_p.vector_rate.value * 1e12));
    w.energy_pj += op.flops * to_pj(m_p.energy_per_flop);
  }
  w.energy_pj += static_cast<double>(touched) * to_pj(m_p.energy_per_buffer_byte);
  w.load_latency = to_ps(m_p.load_latency);
  w.fill_bandwidth = m_p.port_bandwidth.value;
  w.window = std::max<std::int64_t>(65536, static_cast<std::int64_t>(m_p.port_bandwidth.value * m_p.load_latency.value * 2));
  return w;
}

power cim_model::idle_power() const {
  return power(m_macro->leakage_mw() * 1e-3 * static_cast<double>(m_hierarchy.macros()) +
               m_hierarchy.tile_leakage.value * static_cast<double>(m_hierarchy.tiles_per_chip * m_hierarchy.chips));
}

nlohmann::ordered_json cim_model::figures(ps_t elapsed) const {
  const int bits = std::min(8, m_macro->max_w_bits());
  const auto f = cim::figures(*m_macro, std::min<int>(static_cast<int>(m_p.in_bits), m_macro->max_in_bits()), bits);
  const double count = static_cast<double>(m_hierarchy.macros());
  nlohmann::ordered_json out{{"macros", m_hierarchy.macros()}, {"macro_tops", f.tops}, {"macro_tops_per_w", f.tops_per_w}};
  if (f.area_mm2 > 0) {
    out["macro_tops_per_mm2"] = f.tops_per_mm2;
    out["area_mm2"] = f.area_mm2 * count + m_hierarchy.tile_area.value * 1e6 * static_cast<double>(m_hierarchy.tiles_per_chip * m_hierarchy.chips);
  }
  out["peak_tops"] = f.tops * count;
  out["programmings_per_macro"] = m_programmings;
  if (elapsed > 0) out["endurance_used_per_day"] = cim::endurance_per_day(*m_macro, m_programmings / (static_cast<double>(elapsed) * 1e-12));
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
    problems.add({n.where(), path + ".macro", "is missing", "a macro preset (hermes, ...) or a map {base: PRESET, ...}", ""});
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
  core_kinds().add("cim", "arrays of compute-in-memory macros with a vector unit", core_kind{make_cim, [] {
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
