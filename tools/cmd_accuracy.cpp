// SPDX-License-Identifier: Apache-2.0
// memwall accuracy: how wrong a platform's macros, or one macro, compute a layer.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "hw/cim/accuracy.h"
#include "platforms/describe/description.h"
#include "tools/commands.h"
#include "tools/npy.h"
#include "tools/number_between.h"

namespace memwall::tools {
namespace {

struct options {
  std::string platform, macro_name, layer, weights, inputs;
  std::vector<std::string> sets;
  std::vector<int> adc_bits{4, 5, 6, 7, 8, 10, 12}, rows{16, 32, 64, 128};
  std::vector<double> ages{20, 3600, 86400, 2.6e6, 3.15e7};
  int in_bits = 8, w_bits = 8;
  std::int64_t vectors = 8, columns = 256;
  std::uint64_t seed = 1;
  bool transpose = false, json = false;
};

// Every `macro:` of a platform, where it stands.
void find_macros(const config::node& n, const std::string& path,
                 std::vector<std::pair<std::string, config::node>>& out) {
  for (const auto& [key, child] : n.entries()) {
    const std::string here = path.empty() ? key : path + "." + key;
    if (n.is_map() && key == "macro" && (child.is_scalar() || child.is_map())) {
      config::node tree = child;
      if (child.is_scalar()) {
        tree = config::node::map(child.where());
        tree.insert("base", child);
      }
      out.emplace_back(here, tree);
    } else {
      find_macros(child, here, out);
    }
  }
}

std::vector<std::pair<std::string, config::node>> chosen_macros(const options& o) {
  std::vector<std::pair<std::string, config::node>> out;
  if (!o.macro_name.empty()) {
    config::node tree = config::node::map("--macro");
    tree.insert("base", config::node::scalar(o.macro_name, "--macro"));
    out.emplace_back(o.macro_name, tree);
  } else if (!o.platform.empty()) {
    find_macros(platforms::load_platform(o.platform, o.sets).tree, "", out);
    if (out.empty())
      throw input_error(problem{"--platform", "", "'" + o.platform + "' has no compute-in-memory macro",
                                "a cim_ platform, or --macro", ""});
  } else {
    throw input_error(problem{"memwall accuracy", "", "nothing to measure", "--platform NAME or --macro PRESET", ""});
  }
  if (o.macro_name.empty()) return out;  // a platform has taken the settings already
  for (auto& [name, tree] : out)
    for (const auto& s : o.sets) {
      const std::size_t equals = s.find('=');
      if (equals == std::string::npos) throw input_error(problem{"--set", s, "has no '='", "key=value", ""});
      tree.set(s.substr(0, equals), s.substr(equals + 1), "--set");
    }
  return out;
}

// Columns are alike: a part of them measures the layer. Rows are not: they all add up.
void keep_columns(cim::real_layer& l, std::int64_t columns) {
  if (columns <= 0 || l.n <= columns) return;
  std::vector<double> kept;
  for (std::int64_t r = 0; r < l.k; ++r)
    for (std::int64_t c = 0; c < columns; ++c) kept.push_back(l.weights[static_cast<std::size_t>(r * l.n + c)]);
  l.weights = std::move(kept);
  l.n = columns;
}

cim::real_layer chosen_layer(const options& o) {
  cim::real_layer l;
  std::int64_t k = 1024, n = 1024;
  if (!o.weights.empty()) {
    const npy_array w = read_npy(o.weights);
    if (w.shape.size() != 2 || w.values.empty())
      throw input_error(
          problem{o.weights, "", "has " + std::to_string(w.shape.size()) + " dimensions", "two: inputs x outputs", ""});
    l.k = w.shape[o.transpose ? 1 : 0];
    l.n = w.shape[o.transpose ? 0 : 1];
    l.weights = w.values;
    if (o.transpose)
      for (std::int64_t r = 0; r < l.k; ++r)
        for (std::int64_t c = 0; c < l.n; ++c)
          l.weights[static_cast<std::size_t>(r * l.n + c)] = w.values[static_cast<std::size_t>(c * l.k + r)];
    k = l.k;
    n = l.n;
  } else if (!o.layer.empty()) {
    char x = 0, rest = 0;
    if (std::sscanf(o.layer.c_str(), "%ld%c%ld%c", &k, &x, &n, &rest) != 3 || (x != 'x' && x != 'X') || k < 1 ||
        n < 1 || k > 1 << 20 || n > 1 << 20)
      throw input_error(problem{"--layer", "", "got '" + o.layer + "'", "INPUTSxOUTPUTS, each 1 to 1048576", ""});
  }
  const std::int64_t kept = o.columns > 0 ? std::min(n, o.columns) : n;
  cim::real_layer drawn = cim::random_layer(k, o.weights.empty() ? kept : 1, o.vectors, o.seed);
  if (o.weights.empty()) {
    l = drawn;
  } else {
    l.vectors = drawn.vectors;
    l.inputs = drawn.inputs;
    keep_columns(l, o.columns);
  }
  if (!o.inputs.empty()) {
    const npy_array x = read_npy(o.inputs);
    if (x.shape.empty() || x.values.empty() || x.shape.back() != l.k)
      throw input_error(problem{o.inputs, "",
                                "the last dimension is " + std::to_string(x.shape.empty() ? 0 : x.shape.back()),
                                std::to_string(l.k) + ", the layer's inputs", ""});
    l.inputs = x.values;
    l.vectors = static_cast<std::int64_t>(x.values.size()) / l.k;
  }
  return l;
}

std::string age_text(double seconds) {
  if (seconds >= 2 * 86400) return fmt::format("{:.3g} days", seconds / 86400);
  return seconds >= 2 * 3600 ? fmt::format("{:.3g} h", seconds / 3600) : fmt::format("{:.3g} s", seconds);
}

/// Says what is all zero, by the file it came from.
void refuse_zeros(const std::vector<double>& values, const std::string& file, const std::string& what) {
  if (std::all_of(values.begin(), values.end(), [](double v) { return v == 0; }))
    throw input_error(problem{file, "", "all " + what + " are zero: no error relates to their products",
                              what + " that are not all zero", ""});
}

/// One line on the terminal's error stream, overwritten; silent when that is not a terminal.
class progress_line {
 public:
  void update(const std::string& name, double fraction) {
    const int percent = static_cast<int>(100 * fraction);
    if (!m_on || percent == m_percent) return;
    m_percent = percent;
    fmt::print(stderr, "\r{}: {} %\033[K", name, percent);
    std::fflush(stderr);
  }
  void clear() {
    if (m_percent >= 0) fmt::print(stderr, "\r\033[K");
    m_percent = -1;
  }

 private:
  const bool m_on = isatty(STDERR_FILENO) != 0;
  int m_percent = -1;
};

std::string decibels(double v) {
  return std::isinf(v) ? "exact" : fmt::format("{:.2f} dB", v);
}

void run(const options& o) {
  const auto macros = chosen_macros(o);
  const cim::real_layer layer = chosen_layer(o);
  refuse_zeros(layer.weights, o.weights.empty() ? "--layer" : o.weights, "weights");
  refuse_zeros(layer.inputs, o.inputs.empty() ? "--vectors" : o.inputs, "inputs");
  progress_line progress;
  auto all = nlohmann::ordered_json::array();
  for (const auto& [name, tree] : macros) {
    cim::accuracy_options a;
    a.in_bits = o.in_bits;
    a.w_bits = o.w_bits;
    a.adc_bits = o.adc_bits;
    a.rows = o.rows;
    a.ages = o.ages;
    a.seed = o.seed;
    a.on_progress = [&, label = name](double fraction) { progress.update(label, fraction); };
    const auto m = cim::make_macro(tree);
    const auto points = cim::measure_accuracy(tree, layer, a);
    progress.clear();
    const int in_bits = std::min(o.in_bits, m->max_in_bits()), w_bits = std::min(o.w_bits, m->max_w_bits());
    auto list = nlohmann::ordered_json::array();
    if (!o.json)
      fmt::print("{}: {} x {} of {}-bit weights, {} vectors of {}-bit inputs\n  {:<24} {:>12} {:>16} {:>24}\n", name,
                 layer.k, layer.n, w_bits, layer.vectors, in_bits, "", "SNR", "relative error",
                 "SNR with quantisation");
    for (const auto& p : points) {
      const std::string label =
          p.varied == "preset" ? "as the preset says"
          : p.varied == "age"
              ? "after " + age_text(p.value)
              : fmt::format("{} {}", p.varied == "adc_bits" ? "converter bits" : "rows at once", p.value);
      if (!o.json)
        fmt::print("  {:<24} {:>12} {:>14.4f} % {:>24}\n", label, decibels(p.snr_db), p.relative_error * 100,
                   decibels(p.total_snr_db));
      const auto number = [](double v) {
        return std::isinf(v) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(v);
      };
      list.push_back({{"varied", p.varied},
                      {"value", p.value},
                      {"snr_db", number(p.snr_db)},
                      {"relative_error", p.relative_error},
                      {"snr_with_quantisation_db", number(p.total_snr_db)}});
    }
    all.push_back({{"macro", name},
                   {"k", layer.k},
                   {"n", layer.n},
                   {"vectors", layer.vectors},
                   {"in_bits", in_bits},
                   {"w_bits", w_bits},
                   {"seed", o.seed},
                   {"points", list},
                   {"parameters", m->parameters()}});
  }
  if (o.json) std::cout << nlohmann::ordered_json{{"schema", "memwall-accuracy-1"}, {"macros", all}}.dump(2) << '\n';
}

}  // namespace

void add_accuracy(CLI::App& app) {
  auto o = std::make_shared<options>();
  CLI::App* c = app.add_subcommand("accuracy", "how wrong compute-in-memory macros compute a layer");
  c->add_option("--platform", o->platform, "platform preset or YAML file: every macro in it");
  c->add_option("--macro", o->macro_name, "macro preset or YAML file")->excludes("--platform");
  c->add_option("--layer", o->layer, "INPUTSxOUTPUTS with normally distributed numbers (1024x1024)");
  c->add_option("--weights", o->weights, "weights from a .npy file, inputs x outputs")->excludes("--layer");
  c->add_flag("--transpose", o->transpose, "the weight file is outputs x inputs");
  c->add_option("--inputs", o->inputs, "inputs from a .npy file, vectors x inputs");
  c->add_option("--set", o->sets, "key=value of the macro, or path=value of the platform");
  c->add_option("--in-bits", o->in_bits, "input width (8)")->check(CLI::Range(1, 16));
  c->add_option("--weight-bits", o->w_bits, "weight width (8)")->check(CLI::Range(2, 16));
  c->add_option("--adc-bits", o->adc_bits, "converter widths to try")->delimiter(',')->check(CLI::Range(1, 24));
  c->add_option("--rows", o->rows, "rows read at once to try")->delimiter(',')->check(CLI::Range(1, 65536));
  c->add_option("--ages", o->ages, "seconds since programming to try")
      ->delimiter(',')
      ->check(number_between(0.0, 1e12));
  c->add_option("--vectors", o->vectors, "input vectors drawn (8)")->check(CLI::Range(1, 1 << 20));
  c->add_option("--columns", o->columns, "columns measured; 0: all (256)")->check(CLI::Range(0, 1 << 20));
  c->add_option("--seed", o->seed, "of the numbers drawn and of all noise (1)");
  c->add_flag("--json", o->json, "JSON on standard output");
  c->callback([o] { run(*o); });
}

}  // namespace memwall::tools
