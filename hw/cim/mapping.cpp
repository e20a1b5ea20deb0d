// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/mapping.h"

#include <algorithm>
#include <numeric>

#include "hw/common/checked.h"
#include "hw/common/error.h"
#include "hw/common/parallel.h"

namespace memwall::cim {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// The smallest of first ... last that is good, when all behind one that is good are good, too; `last` when none is.
template <class Good>
std::int64_t smallest(std::int64_t first, std::int64_t last, Good good) {
  while (first < last) {
    const std::int64_t middle = first + (last - first) / 2;
    if (good(middle))
      last = middle;
    else
      first = middle + 1;
  }
  return first;
}

// What a copy of a layer takes: weight sets of macros, or weights where macros are flexible.
struct demand {
  fold folded;
  std::int64_t units = 0;
};

}  // namespace

fold fold_layer(const macro& m, std::int64_t k, std::int64_t n, int w_bits, std::int64_t macros_wanted) {
  if (k < 1 || n < 1)
    throw input_error(
        problem{"", "layer", "got " + std::to_string(k) + " x " + std::to_string(n), "at least 1 x 1", ""});
  if (w_bits < 1 || w_bits > m.max_w_bits())
    throw input_error(problem{"", "w_bits", "got " + std::to_string(w_bits) + " for '" + m.kind() + "'",
                              "1 to " + std::to_string(m.max_w_bits()), ""});
  const geometry g = m.shape(w_bits);
  if (g.rows < 1 || g.cols < 1)
    throw input_error(problem{"", "w_bits",
                              "not one weight of " + std::to_string(w_bits) + " bits fits a row of the array",
                              "narrower weights or more columns", ""});
  fold f;
  f.k = k;
  f.n = n;
  if (g.flexible) {
    // Outputs are spread over the macros; where that leaves units without an output, the inputs are shared
    // out as well.
    const std::int64_t wanted = std::max<std::int64_t>(macros_wanted, 1);
    f.col_folds = std::min(wanted, ceil_div(n, g.col_quantum));
    f.row_folds = std::clamp<std::int64_t>(wanted / f.col_folds, 1, ceil_div(k, g.row_quantum));
    // More folds until a piece fits: along N as far as that goes, then along K.
    const auto fits = [&](std::int64_t row_folds, std::int64_t col_folds) {
      return static_cast<double>(ceil_div(k, row_folds)) * static_cast<double>(ceil_div(n, col_folds)) <=
             static_cast<double>(g.weights);
    };
    f.col_folds = smallest(f.col_folds, n, [&](std::int64_t folds) { return fits(f.row_folds, folds); });
    f.row_folds = smallest(f.row_folds, k, [&](std::int64_t folds) { return fits(folds, f.col_folds); });
  } else {
    f.row_folds = ceil_div(k, g.rows);
    f.col_folds = ceil_div(n, g.cols);
  }
  checked_product(f.row_folds, f.col_folds);  // pieces() of a layer that no number of macros holds
  f.piece_rows = ceil_div(k, f.row_folds);
  f.piece_cols = ceil_div(n, f.col_folds);
  const double held = static_cast<double>(f.pieces()) * static_cast<double>(g.flexible ? g.weights : g.rows * g.cols);
  f.utilisation = static_cast<double>(k) * static_cast<double>(n) / held;
  return f;
}

mapped_layers place_layers(const macro& m, const std::vector<layer_request>& layers, const placement_options& options) {
  if (options.macro_count < 1)
    throw input_error(problem{"", "macro_count", "got " + std::to_string(options.macro_count), "at least 1", ""});
  mapped_layers out;
  std::vector<demand> demands;
  bool flexible = false;
  double wanted = 0;
  std::int64_t per_macro = 1;
  for (const layer_request& l : layers) {
    const geometry g = m.shape(l.w_bits);
    flexible = g.flexible;
    per_macro = g.flexible ? g.weights : g.sets;
    demand d;
    d.folded = fold_layer(m, l.k, l.n, l.w_bits, g.flexible ? options.macro_count : 0);
    d.units = g.flexible ? checked_product(l.k, l.n) : d.folded.pieces();
    wanted += static_cast<double>(d.units) * static_cast<double>(l.copies);
    demands.push_back(d);
  }
  out.macro_slots = options.macro_count * per_macro;
  // Streaming needs macros of its own only when something streams.
  const bool all_fit = wanted <= static_cast<double>(out.macro_slots);
  out.stream_slots = all_fit ? 0 : std::min(options.stream_macros, options.macro_count) * per_macro;
  std::int64_t left = out.macro_slots - out.stream_slots;

  std::vector<std::size_t> order(layers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options.policy == placement_policy::most_used)
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return layers[a].uses_per_token > layers[b].uses_per_token; });
  out.layers.resize(layers.size());
  for (const std::size_t i : order) {
    const layer_request& l = layers[i];
    const demand& d = demands[i];
    layer_placement& p = out.layers[i];
    p.name = l.name;
    p.folded = d.folded;
    p.resident = std::min(l.copies, left / d.units);
    p.streamed = l.copies - p.resident;
    left -= p.resident * d.units;
    p.macros = flexible ? (p.resident > 0 ? options.macro_count : 0) : ceil_div(p.resident * d.units, per_macro);
    const double bytes = static_cast<double>(l.k) * static_cast<double>(l.n) * l.w_bits / 8;
    out.resident_bytes += bytes * static_cast<double>(p.resident);
    out.streamed_bytes += bytes * static_cast<double>(p.streamed);
    if (p.streamed > 0) {
      p.rounds = out.stream_slots > 0 ? ceil_div(d.units, out.stream_slots) : 0;
      p.reason =
          (p.resident > 0 ? std::to_string(p.resident) + " of " + std::to_string(l.copies) + " copies resident, then "
                          : std::string()) +
          "no room: a copy takes " + std::to_string(d.units) + (flexible ? " weights, " : " weight sets, ") +
          std::to_string(left) + " are left";
    } else {
      p.reason = "resident: every copy fits";
    }
  }
  if (options.max_replicas > 1 && all_fit && !flexible) {
    // The layer with the most work for one replica gets the next one. A replica beside another set of its macro would
    // wait for it: replicas take macros of their own, all their sets.
    while (true) {
      std::size_t best = layers.size();
      double most = 0;
      for (std::size_t i = 0; i < layers.size(); ++i) {
        const std::int64_t cost = demands[i].units * layers[i].copies * per_macro;
        const double load = layers[i].uses_per_token / static_cast<double>(out.layers[i].replicas);
        if (cost <= left && load > most && out.layers[i].replicas < options.max_replicas) best = i, most = load;
      }
      if (best == layers.size()) break;
      left -= demands[best].units * layers[best].copies * per_macro;
      layer_placement& p = out.layers[best];
      ++p.replicas;
      p.macros += p.resident * demands[best].units;
      p.reason = "resident, " + std::to_string(p.replicas) + " replicas: macros were left";
    }
  }
  out.slots_used = out.macro_slots - out.stream_slots - left;
  return out;
}

folded_array::folded_array(const macro& m, std::int64_t k, std::int64_t n, int bits, std::int64_t macros_wanted)
    : m_fold(fold_layer(m, k, n, bits, macros_wanted)) {
  for (std::int64_t i = 0; i <= m_fold.row_folds; ++i) m_row_start.push_back(i * k / m_fold.row_folds);
  for (std::int64_t j = 0; j <= m_fold.col_folds; ++j) m_col_start.push_back(j * n / m_fold.col_folds);
  m_pieces.resize(static_cast<std::size_t>(m_fold.pieces()));
}

template <class Number, class Make>
void folded_array::make_pieces(const piece_source<Number>& weights, int threads, Make&& make) {
  parallel_for(m_fold.pieces(), threads, [&](std::int64_t at) {
    const auto i = static_cast<std::size_t>(at / m_fold.col_folds), j = static_cast<std::size_t>(at % m_fold.col_folds);
    const std::int64_t rows = m_row_start[i + 1] - m_row_start[i], cols = m_col_start[j + 1] - m_col_start[j];
    const std::unique_ptr<Number[]> piece(new Number[static_cast<std::size_t>(rows * cols)]);
    weights(m_row_start[i], m_row_start[i + 1], m_col_start[j], m_col_start[j + 1], piece.get());
    m_pieces[static_cast<std::size_t>(at)] = make(piece.get(), rows, cols, static_cast<std::uint64_t>(at));
  });
}

folded_array::folded_array(const macro& m, const std::int32_t* weights, std::int64_t k, std::int64_t n,
                           number_format format, std::uint64_t seed)
    : folded_array(
          m,
          [weights, n](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::int32_t* out) {
            for (std::int64_t r = r0; r < r1; ++r) out = std::copy(weights + r * n + c0, weights + r * n + c1, out);
          },
          k, n, format, seed, 0, std::nullopt, 1) {}

folded_array::folded_array(const macro& m, const piece_source<std::int32_t>& weights, std::int64_t k, std::int64_t n,
                           number_format format, std::uint64_t seed, std::int64_t macros_wanted,
                           std::optional<double> age, int threads)
    : folded_array(m, k, n, format.bits, macros_wanted) {
  make_pieces(weights, threads,
              [&](const std::int32_t* piece, std::int64_t rows, std::int64_t cols, std::uint64_t number) {
                auto array = m.program_weights(piece, rows, cols, format, seed + number);
                if (age) array->settle(*age);
                return array;
              });
}

folded_array::folded_array(const macro& m, const piece_source<float>& weights, std::int64_t k, std::int64_t n,
                           std::int64_t macros_wanted, int threads)
    : folded_array(m, k, n, m.max_w_bits(), macros_wanted) {
  make_pieces(weights, threads, [&](const float* piece, std::int64_t rows, std::int64_t cols, std::uint64_t) {
    return m.hold_reals(piece, rows, cols);
  });
}

// Columns and blocks of vectors are shared out; the partial sums of one output are added by one thread, in order.
template <class Input, class Output, class Compute>
void folded_array::for_each_piece(const Input* inputs, std::int64_t vectors, Output* outputs, int threads,
                                  Compute&& compute_piece) const {
  constexpr std::int64_t block = 16;  // vectors
  const std::int64_t blocks = (vectors + block - 1) / block;
  parallel_for(blocks * m_fold.col_folds, threads, [&](std::int64_t task) {
    const std::int64_t first = task / m_fold.col_folds * block, count = std::min(block, vectors - first);
    const auto j = static_cast<std::size_t>(task % m_fold.col_folds);
    const std::int64_t c0 = m_col_start[j], cols = m_col_start[j + 1] - c0;
    for (std::int64_t v = first; v < first + count; ++v) std::fill_n(outputs + v * m_fold.n + c0, cols, Output{0});
    std::vector<Input> x;
    std::vector<Output> y(static_cast<std::size_t>(count * cols));
    for (std::size_t i = 0; i + 1 < m_row_start.size(); ++i) {
      x.clear();
      for (std::int64_t v = first; v < first + count; ++v)
        x.insert(x.end(), inputs + v * m_fold.k + m_row_start[i], inputs + v * m_fold.k + m_row_start[i + 1]);
      compute_piece(*m_pieces[i * static_cast<std::size_t>(m_fold.col_folds) + j], x.data(), first, count, y.data());
      for (std::int64_t v = 0; v < count; ++v)
        for (std::int64_t c = 0; c < cols; ++c)
          outputs[(first + v) * m_fold.n + c0 + c] += y[static_cast<std::size_t>(v * cols + c)];
    }
  });
}

void folded_array::compute(const std::int32_t* inputs, number_format in, double* outputs, double age,
                           std::uint64_t read) const {
  compute_many(inputs, 1, in, outputs, age, read, 1);
}

void folded_array::compute_many(const std::int32_t* inputs, std::int64_t vectors, number_format in, double* outputs,
                                double age, std::uint64_t read, int threads) const {
  for_each_piece(inputs, vectors, outputs, threads,
                 [&](const programmed_array& a, const std::int32_t* x, std::int64_t first, std::int64_t count,
                     double* y) { a.compute_many(x, count, in, y, age, read + static_cast<std::uint64_t>(first)); });
}

void folded_array::compute_reals(const float* inputs, std::int64_t vectors, float* outputs, int threads) const {
  for_each_piece(inputs, vectors, outputs, threads,
                 [&](const programmed_array& a, const float* x, std::int64_t, std::int64_t count, float* y) {
                   a.compute_reals(x, count, y);
                 });
}

}  // namespace memwall::cim
