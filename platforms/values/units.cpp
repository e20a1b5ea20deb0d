// SPDX-License-Identifier: Apache-2.0
#include "platforms/values/units.h"

#include <algorithm>
#include <cmath>

#include "hw/cim/cim_model.h"
#include "hw/common/parallel.h"
#include "models/forward/forward.h"
#include "models/weights/safetensors.h"

namespace memwall::platforms {
namespace {

constexpr std::int64_t block_rows = 64;  // decoded at a time

void round(float* v, std::int64_t n, const std::string& arithmetic) {
  if (arithmetic == "fp16")
    for (std::int64_t i = 0; i < n; ++i) v[i] = from_half(to_half(v[i]));
  else if (arithmetic == "bf16")
    for (std::int64_t i = 0; i < n; ++i) v[i] = from_bfloat(to_bfloat(v[i]));
}

/// GPUs, CPUs and vector units: operands in their type, sums in single precision. Keeps its weights in their type;
/// those of single precision stay where they come from, which holds them in two bytes or draws them.
class float_unit final : public product_unit {
 public:
  float_unit(const held_matrix& w, const unit_options& o) : m_weights(w), m_options(o) {
    if (w.source != nullptr && w.type.is_single()) return;
    m_bytes.resize(static_cast<std::size_t>(w.rows * w.type.row_bytes(w.columns)));
    w.read(0, w.rows, m_bytes.data());
    m_weights.source = nullptr;
    m_weights.read = [this](std::int64_t first, std::int64_t count, unsigned char* out) {
      const std::int64_t row = m_weights.type.row_bytes(m_weights.columns);
      std::copy_n(&m_bytes[static_cast<std::size_t>(first * row)], count * row, out);
    };
  }

  void run(const float* x, std::int64_t m, std::int64_t, float* y) const override {
    const std::int64_t rows = m_weights.rows, columns = m_weights.columns;
    std::vector<float> in(x, x + m * columns);
    round(in.data(), m * columns, m_options.arithmetic);
    parallel_for((rows + block_rows - 1) / block_rows, m_options.threads, [&](std::int64_t b) {
      const std::int64_t first = b * block_rows, count = std::min(block_rows, rows - first);
      const std::unique_ptr<float[]> w(new float[static_cast<std::size_t>(count * columns)]);
      std::vector<float> part(static_cast<std::size_t>(count * m));
      m_weights.reals(first, count, w.get());
      round(w.get(), count * columns, m_options.arithmetic);
      product(in.data(), m, columns, w.get(), count, part.data());
      for (std::int64_t v = 0; v < m; ++v)
        std::copy_n(&part[static_cast<std::size_t>(v * count)], count, y + v * rows + first);
    });
  }

 private:
  held_matrix m_weights;
  unit_options m_options;
  std::vector<unsigned char> m_bytes;
};

/// A piece's columns are rows of ours: square tiles, so that both sides stay in the cache.
template <class Number>
void transpose(const Number* from, std::int64_t rows, std::int64_t columns, Number* to) {
  constexpr std::int64_t tile = 16;
  for (std::int64_t c0 = 0; c0 < columns; c0 += tile)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = c0; c < std::min(c0 + tile, columns); ++c) to[c * rows + r] = from[r * columns + c];
}

/// Digital and analog arrays: integers in, integers out (or what noise makes of them), scaled outside.
class integer_unit final : public product_unit {
 public:
  integer_unit(const value_core& core, const held_matrix& w, const unit_options& o)
      : m_scales(w.scales),
        m_rows(w.rows),
        m_columns(w.columns),
        m_in_bits(std::min(core.in_bits(), core.macro()->max_in_bits())),
        m_options(o),
        m_array(
            *core.macro(),
            [&w](std::int64_t k0, std::int64_t k1, std::int64_t n0, std::int64_t n1, std::int32_t* out) {
              const std::unique_ptr<std::int32_t[]> rows(
                  new std::int32_t[static_cast<std::size_t>((n1 - n0) * (k1 - k0))]);
              w.integers(n0, n1 - n0, k0, k1 - k0, rows.get());
              transpose(rows.get(), n1 - n0, k1 - k0, out);
            },
            w.columns, w.rows, {w.type.bits(), true}, o.seed, 0, o.age, o.threads) {}

  void run(const float* x, std::int64_t m, std::int64_t first, float* y) const override {
    const auto top = static_cast<float>(std::max(1, (1 << (m_in_bits - 1)) - 1));
    std::vector<std::int32_t> q(static_cast<std::size_t>(m * m_columns));
    std::vector<float> unit(static_cast<std::size_t>(m));
    for (std::int64_t v = 0; v < m; ++v) {
      const float* in = x + v * m_columns;
      float range = m_options.range.value_or(0);
      if (!m_options.range) range = largest_magnitude(in, m_columns);
      const float scale = unit[static_cast<std::size_t>(v)] = range > 0 ? range / top : 1.0F;
      quantise_to(top, in, m_columns, scale, &q[static_cast<std::size_t>(v * m_columns)]);
    }
    std::vector<double> out(static_cast<std::size_t>(m * m_rows));
    m_array.compute_many(q.data(), m, {m_in_bits, true}, out.data(), m_options.age, static_cast<std::uint64_t>(first),
                         m_options.threads);
    for (std::int64_t v = 0; v < m; ++v)
      for (std::int64_t r = 0; r < m_rows; ++r)
        y[v * m_rows + r] =
            static_cast<float>(out[static_cast<std::size_t>(v * m_rows + r)] *
                               static_cast<double>(unit[static_cast<std::size_t>(v)] *
                                                   m_scales[m_scales.size() == 1 ? 0 : static_cast<std::size_t>(r)]));
  }

 private:
  std::vector<float> m_scales;
  std::int64_t m_rows, m_columns;
  int m_in_bits;
  unit_options m_options;
  cim::folded_array m_array;
};

/// Units beside DRAM banks.
class bank_unit final : public product_unit {
 public:
  bank_unit(const value_core& core, const held_matrix& w, const unit_options& o)
      : m_threads(o.threads),
        m_array(
            *core.macro(),
            [&w](std::int64_t k0, std::int64_t k1, std::int64_t n0, std::int64_t n1, float* out) {
              std::vector<unsigned char> bytes(static_cast<std::size_t>(w.type.row_bytes(w.columns)));
              std::vector<float> row(static_cast<std::size_t>(w.columns));
              for (std::int64_t n = n0; n < n1; ++n) {
                w.read(n, 1, bytes.data());
                w.type.decode(bytes.data(), w.columns, w.scale_of(n), row.data());
                for (std::int64_t k = k0; k < k1; ++k)
                  out[(k - k0) * (n1 - n0) + n - n0] = row[static_cast<std::size_t>(k)];
              }
            },
            w.columns, w.rows, core.macros(), o.threads) {}

  void run(const float* x, std::int64_t m, std::int64_t, float* y) const override {
    m_array.compute_reals(x, m, y, m_threads);
  }

 private:
  int m_threads;
  cim::folded_array m_array;
};

}  // namespace

void held_matrix::reals(std::int64_t first, std::int64_t count, float* out) const {
  if (source != nullptr && type.is_single()) return source->rows(*origin, first_row + first, count, out);
  const std::int64_t row = type.row_bytes(columns);
  std::vector<unsigned char> bytes(static_cast<std::size_t>(count * row));
  read(first, count, bytes.data());
  for (std::int64_t r = 0; r < count; ++r)
    type.decode(&bytes[static_cast<std::size_t>(r * row)], columns, scale_of(first + r), out + r * columns);
}

void held_matrix::integers(std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t width,
                           std::int32_t* out) const {
  if (source != nullptr) {
    const std::unique_ptr<float[]> numbers(new float[static_cast<std::size_t>(count * width)]);
    source->block(*origin, first_row + first, count, column, width, numbers.get());
    for (std::int64_t r = 0; r < count; ++r)
      type.quantise(numbers.get() + r * width, width, scale_of(first + r), out + r * width);
    return;
  }
  std::vector<unsigned char> bytes(static_cast<std::size_t>(type.row_bytes(columns)));
  std::vector<std::int32_t> row(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < count; ++r) {
    read(first + r, 1, bytes.data());
    type.decode_integers(bytes.data(), columns, row.data());
    std::copy_n(row.begin() + column, width, out + r * width);
  }
}

value_core::value_core(const module_description& d) : m_name(d.name) {
  if (d.type != "cim") return;
  cim_params p;
  problem_list problems;
  cim_param_table().read(d.tree, p, problems, "modules." + d.name, {"type", "count", "macro", "hierarchy"});
  cim::hierarchy_params h;
  if (const auto* sub = d.tree.find("hierarchy"))
    cim::hierarchy_table().read(*sub, h, problems, "modules." + d.name + ".hierarchy");
  problems.check();
  const config::node* macro = d.tree.find("macro");
  if (macro == nullptr)
    throw input_error(problem{d.tree.where(), "modules." + d.name + ".macro", "is missing", "a macro", ""});
  m_macro =
      macro->is_scalar() ? cim::load_macro(macro->text()) : cim::make_macro(*macro, "modules." + d.name + ".macro");
  m_in_bits = static_cast<int>(p.in_bits);
  m_macros = h.macros();
  m_attention = p.attention;
  m_input_range = p.input_range;
  m_weight_scale = p.weight_scale;
  if (m_attention == "macros" && on_integers())
    throw input_error(problem{d.tree.where(), "modules." + d.name + ".attention",
                              "values of keys written into integer arrays at each use are not computed",
                              "auto or vector", ""});
}

std::unique_ptr<product_unit> make_unit(const value_core& core, const held_matrix& matrix,
                                        const unit_options& options) {
  if (core.in_banks()) return std::make_unique<bank_unit>(core, matrix, options);
  if (!core.on_integers()) return std::make_unique<float_unit>(matrix, options);
  if (!matrix.type.has_scale() || matrix.type.bits() > core.macro()->max_w_bits())
    throw input_error(problem{"--dtype", "weights", "the arrays of '" + core.name() + "' hold integers",
                              "int2 to int" + std::to_string(std::min(8, core.macro()->max_w_bits())), ""});
  return std::make_unique<integer_unit>(core, matrix, options);
}

}  // namespace memwall::platforms
