// SPDX-License-Identifier: Apache-2.0
#include "platforms/values/machine.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "hw/cim/circuit.h"
#include "hw/common/parallel.h"
#include "platforms/describe/rule_match.h"
#include "platforms/values/operator_parts.h"

namespace memwall::platforms {
namespace {

const mapping_rule& rule_for(const platform_description& p, const trace::op& op) {
  const auto found = std::find_if(p.mapping.begin(), p.mapping.end(), [&](const mapping_rule& r) {
    return matches(r, op.name, trace::name_of(op.kind), op.layer, trace::name_of(op.phase));
  });
  if (found == p.mapping.end())
    throw input_error(
        problem{p.name, "mapping", "no rule matches operator '" + op.name + "'", "a last rule without conditions", ""});
  return *found;
}

/// Latent attention rotates a part of each head that stands by itself.
model rotated_part(model m) {
  if (m.mla) {
    m.head_dim = m.mla->rope;
    m.rope_fraction = 1;
  }
  return m;
}

constexpr std::int64_t measured_rows = 4;  // of a pass, for the SNR

}  // namespace

double machine::layer_quality::snr_db() const {
  return error > 0 ? 10 * std::log10(signal / error) : std::numeric_limits<double>::infinity();
}

machine::machine(const model& m, const numerics& n, const weight_source& source, const platform_description* platform,
                 const value_settings& settings, std::map<std::string, float> ranges)
    : m_model(m),
      m_numerics(n),
      m_source(source),
      m_platform(platform),
      m_settings(settings),
      m_ranges(std::move(ranges)),
      m_activation(settings.types.activations, "--dtype", "activations"),
      m_cache(settings.types.kv, "--dtype", "kv"),
      m_rotations(rotated_part(m), n),
      m_local_rotations(rotated_part(m), n, true) {
  if (m.positions == model::position_kind::alibi) m_slopes = alibi_slopes(m.heads);
  for (const codec* c : {&m_activation, &m_cache})
    if (c->has_scale())
      throw input_error(problem{"--dtype", "", "activations and cache of integers have no values here",
                                "fp32, fp16 or bf16 for both", ""});
  for (const weight& w : weights_of(m)) m_weights.emplace(w.name, w);
  if (platform == nullptr) return;
  for (const auto& d : platform->modules) m_cores.emplace(d.name, std::make_unique<value_core>(d));
}
machine::~machine() = default;

const value_core* machine::core_for(const trace::op& op) const {
  if (m_platform == nullptr || (m_settings.only_layer > -2 && op.layer != m_settings.only_layer)) return nullptr;
  const auto group = m_platform->group(rule_for(*m_platform, op).executor);
  // Devices of a group are alike; how many share a product does not change what it is.
  return m_cores.at(group.front()->name).get();
}

const weight& machine::weight_named(const std::string& name) const {
  return m_weights.at(name);
}

const held_matrix& machine::matrix(const std::string& name) {
  if (const auto found = m_matrices.find(name); found != m_matrices.end()) return found->second;
  const weight& w = weight_named(name);
  const dtype type = type_of(w, m_settings.types);
  held_matrix h{w.rows, w.columns, codec(type, "--dtype", "weights"), {}, nullptr, &m_source, &w, 0};
  if (h.type.has_scale()) {
    const bool by_column =
        std::any_of(m_cores.begin(), m_cores.end(), [](const auto& c) { return c.second->scales_by_column(); });
    constexpr std::int64_t block = 64;
    std::vector<float> largest(static_cast<std::size_t>(w.rows));
    if (!m_source.largest_of_rows(w, largest.data()))
      parallel_for((w.rows + block - 1) / block, m_settings.threads, [&](std::int64_t b) {
        const std::int64_t first = b * block, count = std::min(block, w.rows - first);
        std::vector<float> rows(static_cast<std::size_t>(count * w.columns));
        m_source.rows(w, first, count, rows.data());
        for (std::int64_t r = 0; r < count; ++r)
          largest[static_cast<std::size_t>(first + r)] =
              largest_magnitude(&rows[static_cast<std::size_t>(r * w.columns)], w.columns);
      });
    m_source.rest(w);
    for (const float v : largest)
      if (!std::isfinite(v))
        throw input_error(problem{m_model.name, name, "holds numbers that are infinite or none (NaN)",
                                  "finite weights, to be held as integers", ""});
    if (!by_column) largest = {*std::max_element(largest.begin(), largest.end())};
    for (const float v : largest) h.scales.push_back(v > 0 ? v / static_cast<float>(h.type.top()) : 1.0F);
  }
  const held_matrix& kept = m_matrices.emplace(name, std::move(h)).first->second;
  m_matrices.at(name).read = [this, &kept, &w](std::int64_t first, std::int64_t count, unsigned char* out) {
    std::vector<float> row(static_cast<std::size_t>(w.columns));
    const std::int64_t bytes = kept.type.row_bytes(w.columns);
    for (std::int64_t r = first; r < first + count; ++r, out += bytes) {
      m_source.rows(w, r, 1, row.data());
      kept.type.encode(row.data(), w.columns, kept.scale_of(r), out);
    }
  };
  return kept;
}

void machine::encode(const std::string& name, std::int64_t first, std::int64_t count, unsigned char* out) {
  matrix(name).read(first, count, out);
}

std::int64_t machine::row_bytes(const std::string& name) {
  return matrix(name).type.row_bytes(weight_named(name).columns);
}

std::unique_ptr<product_unit> machine::new_unit(const std::string& name, const trace::op& op, const held_matrix& w,
                                                std::uint64_t part, bool ranged) {
  unit_options o;
  o.threads = m_settings.threads;
  o.age = m_settings.age;
  const auto index = static_cast<std::uint64_t>(std::distance(m_weights.begin(), m_weights.find(name)));
  o.seed = cim::hash(m_settings.seed, index);
  if (part > 0) o.seed = cim::hash(o.seed, part);
  const value_core* core = core_for(op);
  static const value_core reference{module_description{}};
  if (core == nullptr) return make_unit(reference, w, o);
  const dtype& in = m_settings.types.activations;
  o.arithmetic = in.bits_e4 >= 320000 ? "fp32" : in.number == dtype::kind::bf ? "bf16" : "fp16";
  // Routers keep their floating-point type: the vector unit beside the arrays multiplies them.
  if (core->on_integers() && op.kind == trace::op_kind::router) return make_unit(reference, w, o);
  if (ranged && core->on_integers() && !core->ranges_by_vector())
    if (const auto found = m_ranges.find(name); found != m_ranges.end()) o.range = found->second;
  return make_unit(*core, w, o);
}

const product_unit& machine::unit(const std::string& name, const trace::op& op) {
  const value_core* core = core_for(op);
  auto& kept = m_units[{name, core == nullptr ? "" : core->name()}];
  if (kept == nullptr) kept = new_unit(name, op, matrix(name));
  return *kept;
}

const product_unit& machine::expert_unit(const std::string& name, const trace::op& op, std::int64_t expert) {
  const value_core* core = core_for(op);
  // Where nothing is kept, one place is enough for all.
  auto& kept = m_settings.once ? m_units[{"", ""}]
                               : m_units[{name + "#" + std::to_string(expert), core == nullptr ? "" : core->name()}];
  if (kept != nullptr && !m_settings.once) return *kept;
  kept.reset();
  kept = new_unit(name, op, part_of_expert(name, expert), static_cast<std::uint64_t>(expert));
  return *kept;
}

/// An expert's rows of the stack.
held_matrix machine::part_of_expert(const std::string& name, std::int64_t expert) {
  held_matrix part = matrix(name);
  part.rows /= m_model.moe->experts;
  part.first_row = expert * part.rows;
  if (part.scales.size() > 1)
    part.scales = {part.scales.begin() + part.first_row, part.scales.begin() + part.first_row + part.rows};
  const held_matrix& whole = matrix(name);
  part.read = [&whole, first = part.first_row](std::int64_t r, std::int64_t count, unsigned char* out) {
    whole.read(first + r, count, out);
  };
  return part;
}

/// One bias an output and expert, of those experts that came over the wires; else of all.
std::vector<float> machine::expert_bias(const trace::op& op, const trace::header& header, const std::string& name,
                                        operand_bytes& bytes) {
  if (m_weights.count(name) == 0) return {};
  const held_matrix& h = matrix(name);
  const std::int64_t row = h.type.row_bytes(h.columns);
  std::vector<float> out;
  for (std::size_t u = 0; u < op.uses.size(); ++u) {
    if (header.tensors[op.uses[u].tensor].name != name) continue;
    const unsigned char* given = bytes.read(u);
    if (given == nullptr) break;
    out.resize(static_cast<std::size_t>(h.rows * h.columns));
    for (std::int64_t r = 0; r < op.uses[u].bytes / row; ++r)
      h.type.decode(given + r * row, h.columns, 1,
                    &out[static_cast<std::size_t>((op.uses[u].offset / row + r) * h.columns)]);
  }
  return out.empty() ? vector_of(name, nullptr) : out;
}

std::vector<float> machine::vector_of(const std::string& name, const unsigned char* bytes) {
  const held_matrix& h = matrix(name);
  const std::int64_t row = h.type.row_bytes(h.columns);
  std::vector<unsigned char> own;
  if (bytes == nullptr) {
    own.resize(static_cast<std::size_t>(h.rows * row));
    h.read(0, h.rows, own.data());
    bytes = own.data();
  }
  std::vector<float> out(static_cast<std::size_t>(h.rows * h.columns));
  for (std::int64_t r = 0; r < h.rows; ++r)
    h.type.decode(bytes + r * row, h.columns, h.scale_of(r), &out[static_cast<std::size_t>(r * h.columns)]);
  return out;
}

std::vector<float> machine::values(const unsigned char* bytes, std::int64_t count) const {
  std::vector<float> out(static_cast<std::size_t>(count));
  m_activation.decode(bytes, count, 1, out.data());
  return out;
}

void machine::store(operand_bytes& bytes, std::size_t use, const std::vector<float>& v) const {
  const auto n = static_cast<std::int64_t>(v.size());
  m_activation.encode(v.data(), n, 1, bytes.write(use, m_activation.row_bytes(n)));
}

void machine::measure(const std::string& name, const float* x, std::int64_t rows, const float* y) {
  const weight& w = weight_named(name);
  const auto [at, fresh] = m_quality_index.emplace(name, m_quality.size());
  if (fresh) m_quality.push_back({name});
  layer_quality& q = m_quality[at->second];
  const std::int64_t measured = std::min(rows, measured_rows);
  std::vector<float> exact(static_cast<std::size_t>(measured * w.rows));
  static const value_core single{module_description{}};
  unit_options o;
  o.threads = m_settings.threads;
  const held_matrix whole{
      w.rows, w.columns, codec(dtypes::parse("fp32").weights, "--dtype", "weights"), {}, nullptr, &m_source, &w, 0};
  make_unit(single, whole, o)->run(x, measured, 0, exact.data());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double e = static_cast<double>(y[i]) - exact[i];
    q.signal += static_cast<double>(exact[i]) * exact[i];
    q.error += e * e;
  }
}

std::vector<float> machine::product_of(const trace::op& op, const std::string& name, const std::vector<float>& x,
                                       std::int64_t rows, std::int64_t first, const unsigned char* given) {
  float& largest = m_largest[name];
  largest = std::max(largest, largest_magnitude(x.data(), static_cast<std::int64_t>(x.size())));
  if (m_settings.ranges_only && op.kind == trace::op_kind::lm_head) return {};  // nothing follows that asks for logits
  std::vector<float> y(static_cast<std::size_t>(rows * op.n));
  if (given != nullptr) {
    // The matrix came over the wires: what they brought is what is multiplied.
    held_matrix arrived = matrix(name);
    arrived.source = nullptr;
    const std::int64_t row = arrived.type.row_bytes(arrived.columns);
    arrived.read = [given, row](std::int64_t r, std::int64_t count, unsigned char* out) {
      std::copy_n(given + r * row, count * row, out);
    };
    new_unit(name, op, arrived)->run(x.data(), rows, first, y.data());
  } else if (m_settings.once) {
    new_unit(name, op, matrix(name))->run(x.data(), rows, first, y.data());
  } else {
    unit(name, op).run(x.data(), rows, first, y.data());
  }
  if (const value_core* core = core_for(op); m_settings.measure && core != nullptr && core->macro() != nullptr)
    measure(name, x.data(), rows, y.data());
  m_source.rest(weight_named(name));
  return y;
}

void machine::multiply(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes) {
  const std::size_t in = use_of(op, trace::access::read), table = use_of(op, trace::access::read, 1);
  const std::string& name = header.tensors[op.uses[table].tensor].name;
  const std::int64_t rows = op.kind == trace::op_kind::lm_head && pass.all_logits ? pass.rows : op.m;
  const std::int64_t first = op.kind == trace::op_kind::lm_head ? pass.past + pass.rows - rows : pass.past;
  std::vector<float> x;
  if (local_name(op) == "attn.q_b") {
    // The latent of queries stands before that of keys and values.
    const std::int64_t width = op.k + m_model.mla->kv_rank + m_model.mla->rope;
    const auto all = values(bytes.read(in), rows * width);
    for (std::int64_t r = 0; r < rows; ++r) x.insert(x.end(), all.begin() + r * width, all.begin() + r * width + op.k);
  } else {
    x = values(bytes.read(in), rows * op.k);
  }
  auto y = product_of(op, name, x, rows, first, bytes.read(table));
  if (y.empty()) return;
  std::vector<float> bias;
  if (m_weights.count(name + ".bias") != 0)
    bias = vector_of(name + ".bias", bytes.read(use_of(op, trace::access::read, 2)));
  const bool corrects = op.kind == trace::op_kind::router && m_numerics.experts_grouped;
  if (!bias.empty() && !corrects)
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[i % bias.size()];
  if (op.kind == trace::op_kind::lm_head && m_numerics.logit_cap > 0)
    soft_cap(y.data(), static_cast<std::int64_t>(y.size()), m_numerics.logit_cap);
  if (op.kind == trace::op_kind::router) route(op, pass, y, corrects ? bias : std::vector<float>());
  store(bytes, use_of(op, trace::access::write), y);
}

/// Which experts compute which rows. The operators of experts follow in the same layer.
void machine::route(const trace::op& op, const pass_facts& pass, const std::vector<float>& logits,
                    const std::vector<float>& correction) {
  m_routing.clear();
  for (std::int64_t r = 0; r < pass.rows; ++r) {
    const float* row = &logits[static_cast<std::size_t>(r * op.n)];
    m_routing.push_back(m_numerics.experts_grouped
                            ? choose_in_groups(row, correction.empty() ? nullptr : correction.data(), op.n,
                                               m_model.moe->active, m_numerics)
                            : choose_experts(row, op.n, m_model.moe->active, m_numerics.experts_normalised));
  }
  for (std::int64_t r = 0; r < pass.rows; ++r)
    m_routes.emplace(std::pair{pass.past + r, std::int64_t{op.layer}}, m_routing[static_cast<std::size_t>(r)].expert);
}

/// Rows of one expert together; the j-th choice of row r is row r x active + j of what comes out (and of what the
/// second product takes).
void machine::run_experts(const trace::op& op, const trace::header& header, const pass_facts& pass,
                          operand_bytes& bytes) {
  const std::size_t in = use_of(op, trace::access::read), table = use_of(op, trace::access::read, 1);
  const std::string& name = header.tensors[op.uses[table].tensor].name;
  const std::int64_t active = m_model.moe->active, columns = op.k;
  const bool inner = name.compare(name.size() - 4, 4, "down") == 0;  // rows have been multiplied once
  const auto x = values(bytes.read(in), pass.rows * (inner ? active : 1) * columns);
  m_largest[name] = std::max(m_largest[name], largest_magnitude(x.data(), static_cast<std::int64_t>(x.size())));
  std::map<std::int64_t, std::vector<std::int64_t>> rows_of;
  for (std::int64_t r = 0; r < pass.rows; ++r)
    for (std::int64_t j = 0; j < active; ++j)
      rows_of[m_routing[static_cast<std::size_t>(r)].expert[static_cast<std::size_t>(j)]].push_back(r * active + j);
  const std::vector<float> bias = expert_bias(op, header, name + ".bias", bytes);
  // Where an expert's matrix lies in what came over the wires.
  const std::int64_t one = matrix(name).type.row_bytes(columns) * op.n;
  const auto arrived = [&](std::int64_t expert) -> const unsigned char* {
    for (std::size_t u = 0; u < op.uses.size(); ++u) {
      const auto& use = op.uses[u];
      if (use.tensor == op.uses[table].tensor && use.offset <= expert * one &&
          (expert + 1) * one <= use.offset + use.bytes)
        if (const unsigned char* given = bytes.read(u)) return given + (expert * one - use.offset);
    }
    return nullptr;
  };
  std::vector<float> y(static_cast<std::size_t>(pass.rows * active * op.n));
  for (const auto& [expert, rows] : rows_of) {
    const auto count = static_cast<std::int64_t>(rows.size());
    std::vector<float> own, part(static_cast<std::size_t>(count * op.n));
    for (const std::int64_t row : rows) {
      const auto* from = &x[static_cast<std::size_t>((inner ? row : row / active) * columns)];
      own.insert(own.end(), from, from + columns);
    }
    if (const unsigned char* given = arrived(expert)) {
      held_matrix m = part_of_expert(name, expert);
      m.source = nullptr;
      const std::int64_t row = m.type.row_bytes(columns);
      m.read = [given, row](std::int64_t r, std::int64_t n, unsigned char* out) {
        std::copy_n(given + r * row, n * row, out);
      };
      new_unit(name, op, m, static_cast<std::uint64_t>(expert))->run(own.data(), count, pass.past, part.data());
    } else {
      expert_unit(name, op, expert).run(own.data(), count, pass.past, part.data());
    }
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t c = 0; c < op.n; ++c)
        y[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)] * op.n + c)] =
            part[static_cast<std::size_t>(i * op.n + c)] +
            (bias.empty() ? 0.0F : bias[static_cast<std::size_t>(expert * op.n + c)]);
  }
  m_source.rest(weight_named(name));
  store(bytes, use_of(op, trace::access::write), y);
}

void machine::combine(const trace::op& op, const pass_facts& pass, operand_bytes& bytes) {
  const std::int64_t active = m_model.moe->active, h = op.n;
  const auto x = values(bytes.read(use_of(op, trace::access::read)), pass.rows * active * h);
  std::vector<float> y(static_cast<std::size_t>(pass.rows * h), 0.0F);
  for (std::int64_t r = 0; r < pass.rows; ++r)
    for (std::int64_t j = 0; j < active; ++j) {
      const float share = m_routing[static_cast<std::size_t>(r)].share[static_cast<std::size_t>(j)];
      for (std::int64_t c = 0; c < h; ++c)
        y[static_cast<std::size_t>(r * h + c)] += share * x[static_cast<std::size_t>((r * active + j) * h + c)];
    }
  if (m_model.moe->shared > 0) {
    const auto shared = values(bytes.read(use_of(op, trace::access::read, 1)), pass.rows * h);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += shared[i];
  }
  store(bytes, use_of(op, trace::access::write), y);
}

/// One query after another over the cache: scores, softmax, values. Where the units beside the banks that hold the
/// cache attend, they multiply keys and values in their arithmetic.
void machine::attend(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes) {
  const std::int64_t d = m_model.head_dim, q_width = m_model.heads * d, kv_width = m_model.kv_heads * d;
  const std::size_t query_use = use_of(op, trace::access::read);
  // Queries that are not rotated stand among keys and values.
  const std::int64_t q_row = m_model.positions == model::position_kind::rope ? q_width : q_width + 2 * kv_width;
  const auto q = values(bytes.read(query_use), pass.rows * q_row);
  std::vector<float> sinks;
  // Positions in the order of the uses; a ring's part behind its end comes second.
  std::vector<float> cache;
  const std::int64_t unit_bytes = 2 * m_model.kv_heads * m_cache.row_bytes(d);
  for (std::size_t u = query_use + 1; u < op.uses.size(); ++u) {
    if (op.uses[u].what != trace::access::read) continue;
    const trace::tensor& t = header.tensors[op.uses[u].tensor];
    if (t.cls == trace::tensor_class::weights) {
      sinks = vector_of(t.name, bytes.read(u));
      continue;
    }
    const std::int64_t positions = op.uses[u].bytes / unit_bytes;
    const auto at = cache.size();
    cache.resize(at + static_cast<std::size_t>(positions * 2 * kv_width));
    const unsigned char* from = bytes.read(u);
    for (std::int64_t h = 0; h < positions * 2 * m_model.kv_heads; ++h)
      m_cache.decode(from + h * m_cache.row_bytes(d), d, 1, &cache[at + static_cast<std::size_t>(h * d)]);
  }
  const std::int64_t seen = static_cast<std::int64_t>(cache.size()) / (2 * kv_width);
  const std::int64_t first_seen = pass.past + pass.rows - seen;
  const std::int64_t window = m_model.window_of(op.layer), group = m_model.heads / m_model.kv_heads;
  const value_core* core = core_for(op);
  const bool beside_banks = core != nullptr && core->attends_in_banks();
  const float scale =
      m_numerics.score_scale > 0 ? static_cast<float>(m_numerics.score_scale) : 1.0F / std::sqrt(static_cast<float>(d));
  std::vector<float> out(static_cast<std::size_t>(pass.rows * q_width), 0.0F);
  parallel_for(pass.rows * m_model.kv_heads, m_settings.threads, [&](std::int64_t task) {
    const std::int64_t r = task / m_model.kv_heads, head = task % m_model.kv_heads;
    const std::int64_t position = pass.past + r;
    const std::int64_t begin = std::max(first_seen, window > 0 ? position - window + 1 : 0) - first_seen;
    const std::int64_t count = position - first_seen + 1 - begin;
    const auto key = [&](std::int64_t p) {
      return &cache[static_cast<std::size_t>((begin + p) * 2 * kv_width + head * d)];
    };
    std::unique_ptr<cim::programmed_array> keys, contents;
    if (beside_banks) {
      std::vector<float> k(static_cast<std::size_t>(d * count)), v(k.size());
      for (std::int64_t p = 0; p < count; ++p)
        for (std::int64_t i = 0; i < d; ++i) {
          k[static_cast<std::size_t>(i * count + p)] = key(p)[i];
          v[static_cast<std::size_t>(p * d + i)] = key(p)[kv_width + i];
        }
      keys = core->macro()->hold_reals(k.data(), d, count);
      contents = core->macro()->hold_reals(v.data(), count, d);
    }
    // A sink takes part in the softmax and has no value.
    std::vector<float> scores(static_cast<std::size_t>(count) + (sinks.empty() ? 0 : 1));
    for (std::int64_t g = 0; g < group; ++g) {
      const std::int64_t h = head * group + g;
      const float* query = &q[static_cast<std::size_t>(r * q_row + h * d)];
      float* to = &out[static_cast<std::size_t>(r * q_width + h * d)];
      if (keys != nullptr) {
        keys->compute_reals(query, 1, scores.data());
      } else {
        for (std::int64_t p = 0; p < count; ++p) {
          float sum = 0;
          for (std::int64_t i = 0; i < d; ++i) sum += query[i] * key(p)[i];
          scores[static_cast<std::size_t>(p)] = sum;
        }
      }
      for (std::int64_t p = 0; p < count; ++p) scores[static_cast<std::size_t>(p)] *= scale;
      if (m_numerics.score_cap > 0) soft_cap(scores.data(), count, m_numerics.score_cap);
      if (!m_slopes.empty()) {
        const float slope = m_slopes[static_cast<std::size_t>(h)] * (m_numerics.alibi_scaled ? scale : 1.0F);
        for (std::int64_t p = 0; p < count; ++p)
          scores[static_cast<std::size_t>(p)] -= slope * static_cast<float>(count - 1 - p);
      }
      if (!sinks.empty()) scores.back() = sinks[static_cast<std::size_t>(h)];
      softmax(scores.data(), static_cast<std::int64_t>(scores.size()));
      if (contents != nullptr) {
        contents->compute_reals(scores.data(), 1, to);
        continue;
      }
      for (std::int64_t p = 0; p < count; ++p)
        for (std::int64_t i = 0; i < d; ++i) to[i] += scores[static_cast<std::size_t>(p)] * key(p)[kv_width + i];
    }
  });
  store(bytes, use_of(op, trace::access::write), out);
}

void machine::embed(const trace::op& op, const pass_facts& pass, operand_bytes& bytes) {
  const std::int64_t h = m_model.hidden;
  std::vector<float> rows(static_cast<std::size_t>(pass.rows * h));
  std::map<std::int32_t, std::size_t> use_of_token;  // which use brings a token's row
  for (std::int64_t r = 0; r < pass.rows; ++r) use_of_token.emplace(pass.tokens[r], use_of_token.size());
  const auto row_of = [&](const held_matrix& table, std::int64_t row, const unsigned char* from, float* out) {
    std::vector<unsigned char> own;
    if (from == nullptr) {
      own.resize(static_cast<std::size_t>(table.type.row_bytes(h)));
      table.read(row, 1, own.data());
      from = own.data();
    }
    table.type.decode(from, h, table.scale_of(row), out);
  };
  const held_matrix& table = matrix("embed");
  const float scale = m_model.embed_scale ? std::sqrt(static_cast<float>(h)) : 1.0F;
  for (std::int64_t r = 0; r < pass.rows; ++r) {
    const std::int32_t token = pass.tokens[r];
    float* row = &rows[static_cast<std::size_t>(r * h)];
    row_of(table, token, bytes.read(use_of_token.at(token)), row);
    if (m_model.embed_scale)
      for (std::int64_t i = 0; i < h; ++i) row[i] *= scale;
  }
  if (m_model.positions == model::position_kind::learned) {
    const held_matrix& positions = matrix("positions");
    const unsigned char* from = bytes.read(use_of_token.size());
    std::vector<float> added(static_cast<std::size_t>(h));
    for (std::int64_t r = 0; r < pass.rows; ++r) {
      row_of(positions, pass.past + m_model.position_offset + r,
             from == nullptr ? nullptr : from + r * positions.type.row_bytes(h), added.data());
      for (std::int64_t i = 0; i < h; ++i)
        rows[static_cast<std::size_t>(r * h + i)] += added[static_cast<std::size_t>(i)];
    }
  }
  store(bytes, use_of(op, trace::access::write), rows);
}

void machine::normalise(const trace::op& op, const trace::header& header, const pass_facts& pass,
                        operand_bytes& bytes) {
  const std::size_t gain_use = use_of(op, trace::access::read, 1);
  auto gain = vector_of(header.tensors[op.uses[gain_use].tensor].name, bytes.read(gain_use));
  if (m_numerics.gain_offset != 0)
    for (float& g : gain) g += static_cast<float>(m_numerics.gain_offset);
  const std::int64_t d = m_model.head_dim, h = m_model.hidden;
  const std::size_t from_use = use_of(op, trace::access::read), out = use_of(op, trace::access::write);
  if (local_name(op) == "attn.qk_norm") {
    const std::int64_t heads = m_model.heads + m_model.kv_heads, width = (heads + m_model.kv_heads) * d;
    const auto x = values(bytes.read(from_use), pass.rows * width);
    std::vector<float> y = x;
    for (std::int64_t r = 0; r < pass.rows; ++r)
      for (std::int64_t i = 0; i < heads; ++i) {
        const auto from = static_cast<std::size_t>(r * width + i * d);
        rms_norm(&x[from], &gain[i < m_model.heads ? 0 : static_cast<std::size_t>(d)], 1, d, m_numerics.norm_eps,
                 &y[from]);
      }
    store(bytes, out, y);
    return;
  }
  if (local_name(op) == "attn.qkv_a_norm") {
    // The latents of queries and of keys and values, each by itself; what is rotated stays.
    const auto& a = *m_model.mla;
    const std::int64_t query = m_model.heads * (a.nope + a.rope), before = a.q_rank > 0 ? a.q_rank : query,
                       width = before + a.kv_rank + a.rope;
    auto x = values(bytes.read(from_use), pass.rows * width);
    for (std::int64_t r = 0; r < pass.rows; ++r) {
      float* row = &x[static_cast<std::size_t>(r * width)];
      if (a.q_rank > 0) rms_norm(row, gain.data(), 1, a.q_rank, m_numerics.norm_eps, row);
      rms_norm(row + before, &gain[static_cast<std::size_t>(a.q_rank)], 1, a.kv_rank, m_numerics.norm_eps,
               row + before);
    }
    store(bytes, out, x);
    return;
  }
  const std::int64_t rows = op.layer < 0 && local_name(op) == "norm" && !pass.all_logits ? 1 : pass.rows;
  const auto x = values(bytes.read(from_use), rows * h);
  std::vector<float> y(x.size());
  if (m_model.norm == model::norm_kind::layernorm)
    layer_norm(x.data(), gain.data(), &gain[static_cast<std::size_t>(h)], rows, h, m_numerics.norm_eps, y.data());
  else
    rms_norm(x.data(), gain.data(), rows, h, m_numerics.norm_eps, y.data());
  store(bytes, out, y);
}

/// Rotates queries and keys where the model does, and writes keys and values into the cache.
void machine::rotate(const trace::op& op, const pass_facts& pass, operand_bytes& bytes) {
  const std::int64_t d = m_model.head_dim, q = m_model.heads * d, kv = m_model.kv_heads * d, width = q + 2 * kv;
  const bool rotated = op.kind == trace::op_kind::rope;
  const rotations& turn = m_model.window_of(op.layer) > 0 ? m_local_rotations : m_rotations;
  auto x = values(bytes.read(use_of(op, trace::access::read)), pass.rows * width);
  std::vector<float> queries;
  std::vector<unsigned char> cached;
  for (std::int64_t r = 0; r < pass.rows; ++r) {
    float* row = &x[static_cast<std::size_t>(r * width)];
    if (rotated)
      for (std::int64_t i = 0; i < m_model.heads + m_model.kv_heads; ++i) turn.apply(pass.past + r, row + i * d);
    queries.insert(queries.end(), row, row + q);
    for (std::int64_t i = 0; i < 2 * m_model.kv_heads; ++i) {
      cached.resize(cached.size() + static_cast<std::size_t>(m_cache.row_bytes(d)));
      m_cache.encode(row + q + i * d, d, 1, &cached[cached.size() - static_cast<std::size_t>(m_cache.row_bytes(d))]);
    }
  }
  std::size_t u = use_of(op, trace::access::write);
  if (rotated) store(bytes, u++, queries);
  // A ring's end, then its begin.
  std::size_t done = 0;
  for (; u < op.uses.size(); ++u) {
    const auto n = static_cast<std::size_t>(op.uses[u].bytes);
    std::copy_n(cached.data() + done, n, bytes.write(u, op.uses[u].bytes));
    done += n;
  }
}

void machine::execute(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes) {
  const std::string name = local_name(op);
  const auto read = [&](std::size_t nth, std::int64_t count) {
    return values(bytes.read(use_of(op, trace::access::read, nth)), count);
  };
  switch (op.kind) {
    case trace::op_kind::embed:
      return embed(op, pass, bytes);
    case trace::op_kind::norm:
      return normalise(op, header, pass, bytes);
    case trace::op_kind::gemm:
      if (name == "attn.kv_b") return expand(op, header, pass, bytes);
      if (name == "attn.absorb_k" || name == "attn.absorb_v") return absorb(op, header, pass, bytes);
      return multiply(op, header, pass, bytes);
    case trace::op_kind::router:
    case trace::op_kind::lm_head:
      return multiply(op, header, pass, bytes);
    case trace::op_kind::expert_gemm:
      return run_experts(op, header, pass, bytes);
    case trace::op_kind::rope:
      return m_model.mla ? rotate_latent(op, pass, bytes) : rotate(op, pass, bytes);
    case trace::op_kind::attention:
      return m_model.mla ? attend_latent(op, header, pass, bytes) : attend(op, header, pass, bytes);
    case trace::op_kind::elementwise: {
      if (name == "attn.cache") return rotate(op, pass, bytes);
      if (name == "moe.combine") return combine(op, pass, bytes);
      const std::int64_t rows = name == "moe.act" ? pass.rows * m_model.moe->active : pass.rows;
      std::vector<float> y(static_cast<std::size_t>(rows * op.n));
      if (name == "mlp.act" || name == "moe.act" || name == "moe.shared.act") {
        const auto x = read(0, rows * op.k);
        mlp_activation(m_model, m_numerics, x.data(), rows, op.n, y.data());
      } else {
        const auto a = read(0, rows * op.n), b = read(1, rows * op.n);
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = a[i] + b[i];
      }
      store(bytes, use_of(op, trace::access::write), y);
      return;
    }
    case trace::op_kind::sample:
      return;
    default:
      throw std::logic_error("operator '" + op.name + "' has no values");
  }
}

}  // namespace memwall::platforms
