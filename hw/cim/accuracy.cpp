// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/accuracy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "hw/cim/circuit.h"
#include "hw/cim/mapping.h"

namespace memwall::cim {
namespace {

// Numbers beyond this many standard deviations are drawn in, as they are when models are quantised.
constexpr double clip_sigmas = 4;

struct integers {
  std::vector<std::int32_t> values;
  double scale = 1;  // real value of 1
};

integers quantise(const std::vector<double>& v, int bits) {
  integers out;
  double largest = 0;
  for (const double x : v) largest = std::max(largest, std::fabs(x));
  const double top = std::max(1.0, std::ldexp(1.0, bits - 1) - 1);
  out.scale = largest > 0 ? largest / top : 1;
  out.values.reserve(v.size());
  for (const double x : v)
    out.values.push_back(static_cast<std::int32_t>(
        std::clamp(std::floor(x / out.scale + 0.5), -std::ldexp(1.0, bits - 1), std::ldexp(1.0, bits - 1) - 1)));
  return out;
}

double decibels(double signal, double error) {
  return error > 0 ? 10 * std::log10(signal / error) : std::numeric_limits<double>::infinity();
}

struct reference {
  std::vector<double> exact, real;  // vectors x n, in units of the integer product
};

reference products(const real_layer& l, const integers& w, const integers& x) {
  reference out;
  out.exact.assign(static_cast<std::size_t>(l.vectors * l.n), 0);
  out.real = out.exact;
  const double unit = w.scale * x.scale;
  for (std::int64_t v = 0; v < l.vectors; ++v)
    for (std::int64_t r = 0; r < l.k; ++r) {
      const double xi = x.values[static_cast<std::size_t>(v * l.k + r)],
                   xr = l.inputs[static_cast<std::size_t>(v * l.k + r)] / unit;
      const std::size_t to = static_cast<std::size_t>(v * l.n), from = static_cast<std::size_t>(r * l.n);
      for (std::size_t c = 0; c < static_cast<std::size_t>(l.n); ++c) {
        out.exact[to + c] += xi * w.values[from + c];
        out.real[to + c] += xr * l.weights[from + c];
      }
    }
  return out;
}

}  // namespace

real_layer random_layer(std::int64_t k, std::int64_t n, std::int64_t vectors, std::uint64_t seed) {
  real_layer out;
  out.k = k;
  out.n = n;
  out.vectors = vectors;
  const auto fill = [](std::vector<double>& v, std::int64_t count, std::uint64_t from) {
    v.resize(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::clamp(gaussian(from, i), -clip_sigmas, clip_sigmas);
  };
  fill(out.weights, k * n, hash(seed, 1));
  fill(out.inputs, vectors * k, hash(seed, 2));
  return out;
}

std::vector<accuracy_point> measure_accuracy(const config::node& tree, const real_layer& layer,
                                             const accuracy_options& options) {
  const auto preset = make_macro(tree);
  const int in_bits = std::min(options.in_bits, preset->max_in_bits()),
            w_bits = std::min(options.w_bits, preset->max_w_bits());
  const integers w = quantise(layer.weights, w_bits), x = quantise(layer.inputs, in_bits);
  const reference exact = products(layer, w, x);
  double signal = 0, real_signal = 0;
  for (std::size_t i = 0; i < exact.exact.size(); ++i) {
    signal += exact.exact[i] * exact.exact[i];
    real_signal += exact.real[i] * exact.real[i];
  }

  if (!(signal > 0))
    throw input_error(problem{"", "layer", "every product of its weights and inputs is zero: no error relates to it",
                              "weights and inputs that are not all zero", ""});

  std::vector<accuracy_point> out;
  const std::size_t points =
      1 +
      (preset->kind() == "analog_crossbar" ? options.adc_bits.size() + options.rows.size() + options.ages.size() : 0);
  const auto measure = [&](const macro& m, const std::string& varied, double value, double age) {
    const folded_array array(m, w.values.data(), layer.k, layer.n, {w_bits, true}, options.seed);
    std::vector<double> y(static_cast<std::size_t>(layer.n));
    double error = 0, total = 0;
    for (std::int64_t v = 0; v < layer.vectors; ++v) {
      if (options.on_progress)
        options.on_progress(
            (static_cast<double>(out.size()) + static_cast<double>(v) / static_cast<double>(layer.vectors)) /
            static_cast<double>(points));
      array.compute(&x.values[static_cast<std::size_t>(v * layer.k)], {in_bits, true}, y.data(), age,
                    static_cast<std::uint64_t>(v));
      for (std::size_t c = 0; c < y.size(); ++c) {
        const std::size_t at = static_cast<std::size_t>(v * layer.n) + c;
        error += (y[c] - exact.exact[at]) * (y[c] - exact.exact[at]);
        total += (y[c] - exact.real[at]) * (y[c] - exact.real[at]);
      }
    }
    out.push_back({varied, value, decibels(signal, error), std::sqrt(error / signal), decibels(real_signal, total)});
  };
  const auto vary = [&](const std::string& key, const std::vector<int>& values) {
    for (const int v : values) {
      config::node changed = tree;
      changed.set(key, std::to_string(v), "accuracy");
      measure(*make_macro(changed), key, v, 0);
    }
  };
  measure(*preset, "preset", 0, 0);
  if (preset->kind() != "analog_crossbar") return out;  // nothing of the following exists elsewhere
  vary("adc_bits", options.adc_bits);
  vary("rows_parallel", options.rows);
  for (const double age : options.ages) measure(*preset, "age", age, age);
  return out;
}

}  // namespace memwall::cim
