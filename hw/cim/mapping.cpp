// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/mapping.h"

#include <algorithm>
#include <numeric>

#include "hw/common/checked.h"
#include "hw/common/error.h"

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

placement place_layers(const macro& m, const std::vector<layer_request>& layers, const placement_options& options) {
  if (options.macro_count < 1)
    throw input_error(problem{"", "macro_count", "got " + std::to_string(options.macro_count), "at least 1", ""});
  placement out;
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

folded_array::folded_array(const macro& m, const std::int32_t* weights, std::int64_t k, std::int64_t n,
                           number_format format, std::uint64_t seed)
    : m_fold(fold_layer(m, k, n, format.bits)) {
  for (std::int64_t i = 0; i <= m_fold.row_folds; ++i) m_row_start.push_back(i * k / m_fold.row_folds);
  for (std::int64_t j = 0; j <= m_fold.col_folds; ++j) m_col_start.push_back(j * n / m_fold.col_folds);
  std::vector<std::int32_t> piece;
  for (std::size_t i = 0; i + 1 < m_row_start.size(); ++i)
    for (std::size_t j = 0; j + 1 < m_col_start.size(); ++j) {
      piece.clear();
      for (std::int64_t r = m_row_start[i]; r < m_row_start[i + 1]; ++r)
        piece.insert(piece.end(), weights + r * n + m_col_start[j], weights + r * n + m_col_start[j + 1]);
      m_pieces.push_back(m.program_weights(piece.data(), m_row_start[i + 1] - m_row_start[i],
                                           m_col_start[j + 1] - m_col_start[j], format, seed + m_pieces.size()));
    }
}

void folded_array::compute(const std::int32_t* inputs, number_format in, double* outputs, double age,
                           std::uint64_t read) const {
  std::fill(outputs, outputs + m_fold.n, 0.0);
  std::vector<double> partial(static_cast<std::size_t>(m_fold.piece_cols));
  std::size_t at = 0;
  for (std::size_t i = 0; i + 1 < m_row_start.size(); ++i)
    for (std::size_t j = 0; j + 1 < m_col_start.size(); ++j, ++at) {
      m_pieces[at]->compute(inputs + m_row_start[i], in, partial.data(), age, read);
      for (std::int64_t c = m_col_start[j]; c < m_col_start[j + 1]; ++c)
        outputs[c] += partial[static_cast<std::size_t>(c - m_col_start[j])];
    }
}

}  // namespace memwall::cim
