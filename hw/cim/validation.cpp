// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/validation.h"

#include <functional>
#include <map>

#include "hw/cim/dram_bank.h"
#include "hw/cim/figures.h"
#include "hw/common/csv.h"
#include "hw/common/data_dir.h"

namespace memwall::cim {
namespace {

constexpr int pseudo_channels = 64;               // of the simulated HBM2-PIM system
constexpr std::int64_t elements_a_tile = 131072;  // its element-wise kernels run whole tiles

// Calls `use` with each record of a shipped table.
void read_table(const std::string& file, std::size_t columns,
                const std::function<void(const std::vector<std::string>&)>& use) {
  const std::string path = data_path("hw/cim/data/" + file);
  if (path.empty())
    throw input_error(problem{file, "", "the validation data of hw/cim are not installed", "hw/cim/data", ""});
  csv_reader in(path, "validation data of hw/cim", '#');
  if (in.head().size() != columns)
    throw input_error(
        problem{in.where(), "", "has " + std::to_string(in.head().size()) + " columns", std::to_string(columns), ""});
  for (std::vector<std::string> cells; in.next(cells);) use(cells);
}

std::unique_ptr<const macro> preset_with(const std::string& preset, const std::string& changes,
                                         const std::string& where) {
  config::node tree = load_macro_tree(preset);
  std::size_t begin = 0;
  while (begin < changes.size()) {
    const std::size_t end = std::min(changes.find('|', begin), changes.size());
    const std::string change = changes.substr(begin, end - begin);
    const std::size_t equals = change.find('=');
    tree.set(change.substr(0, equals), change.substr(equals + 1), where);
    begin = end + 1;
  }
  return make_macro(tree);
}

using measure = std::function<double(const macro&, int count, int in, int w, int out)>;

const std::map<std::string, measure>& measures() {
  const auto energy_per_column = [](component c) {
    return [c](const macro& m, int, int in, int w, int out) {
      const geometry g = m.shape(w);
      return m.mvm({g.rows, g.cols, 1, in, w, out}).energy[c] / static_cast<double>(g.cols);
    };
  };
  static const std::map<std::string, measure> table = {
      {"mvm_time", [](const macro& m, int, int in, int w, int out) { return figures(m, in, w, out).mvm_ns; }},
      {"energy_per_mvm", [](const macro& m, int, int in, int w, int out) { return figures(m, in, w, out).energy_pj; }},
      {"energy_per_mac",
       [](const macro& m, int, int in, int w, int out) { return figures(m, in, w, out).energy_per_mac_fj; }},
      {"tops", [](const macro& m, int count, int in, int w, int out) { return count * figures(m, in, w, out).tops; }},
      {"tops_w", [](const macro& m, int, int in, int w, int out) { return figures(m, in, w, out).tops_per_w; }},
      {"tops_mm2", [](const macro& m, int, int in, int w, int out) { return figures(m, in, w, out).tops_per_mm2; }},
      {"mb_mm2", [](const macro& m, int, int in, int w, int out) { return figures(m, in, w, out).mb_per_mm2; }},
      {"adc_per_column", energy_per_column(component::adc)},
      {"array_per_column", energy_per_column(component::array)},
      {"digital_per_column", energy_per_column(component::digital)},
      {"tops_w_array_adc",
       [](const macro& m, int, int in, int w, int out) {
         const geometry g = m.shape(w);
         const breakdown e = m.mvm({g.rows, g.cols, 1, in, w, out}).energy;
         return 2 * static_cast<double>(g.rows * g.cols) /
                (e[component::array] + e[component::dac] + e[component::adc]);
       }},
      {"weights", [](const macro& m, int count, int, int w,
                     int) { return count * static_cast<double>(m.shape(w).weights) * 1e-6; }},
      {"inside_bandwidth", [](const macro& m, int count, int, int,
                              int) { return count * dynamic_cast<const dram_bank&>(m).bytes_per_s_inside() * 1e-9; }},
      {"peak_tflops", [](const macro& m, int count, int, int, int) { return count * 2 * m.peak_macs_per_s() * 1e-12; }},
  };
  return table;
}

void add_silicon(std::vector<validation_row>& rows) {
  enum column { name, preset, set, count, in, w, out, quantity, unit, measured, kind, source, columns };
  read_table("silicon.csv", columns, [&](const std::vector<std::string>& c) {
    const auto m = preset_with(c[preset], c[set], "hw/cim/data/silicon.csv");
    validation_row r;
    r.category = m->shares_memory() ? "cim dram-bank" : "cim macro";
    r.name = c[name];
    r.quantity = c[quantity];
    r.unit = c[unit];
    r.measured = std::stod(c[measured]);
    r.simulated =
        measures().at(c[quantity])(*m, std::stoi(c[count]), std::stoi(c[in]), std::stoi(c[w]), std::stoi(c[out]));
    r.kind = c[kind];
    r.source = c[source];
    rows.push_back(r);
  });
}

void add_bank_cycles(std::vector<validation_row>& rows) {
  enum column { kernel, out, in, batch, host, pim, columns };
  const auto m = load_macro("hbm_pim");
  const dram_bank& bank = dynamic_cast<const dram_bank&>(*m);
  constexpr std::int64_t bytes = 2;  // FP16
  read_table("hbm_pim_cycles.csv", columns, [&](const std::vector<std::string>& c) {
    const std::int64_t n = std::stoll(c[out]), k = std::stoll(c[in]), b = std::stoll(c[batch]);
    validation_row r;
    r.unit = "cycles";
    r.kind = "validation";
    r.source = "SAITPublic/PIMSimulator, 64 pseudo-channels of HBM2 at tCK 1 ns";
    const bool gemv = c[kernel] == "GEMV";
    r.category = gemv ? "cim dram-bank GEMV" : "cim dram-bank element-wise";
    r.name = c[kernel] + " " + c[out] +
             (gemv ? " x " + c[in] + (b > 1 ? ", batch " + c[batch] : std::string()) : std::string());
    std::int64_t cycles = 0, read = 0;
    if (gemv) {
      cycles = bank.gemv_cycles(k, (n + pseudo_channels - 1) / pseudo_channels, b).total;
      read = (n * k + k * b) * bytes;
    } else {
      const auto op = c[kernel] == "ADD" ? elementwise::add : c[kernel] == "MUL" ? elementwise::mul : elementwise::relu;
      cycles = bank.elementwise_cycles(op, n / elements_a_tile * elements_a_tile / pseudo_channels).total;
      read = n * bytes * (op == elementwise::relu ? 1 : 2);
    }
    r.quantity = "cycles_pim";
    r.measured = std::stod(c[pim]);
    r.simulated = static_cast<double>(cycles);
    rows.push_back(r);
    r.quantity = "cycles_host";
    r.measured = std::stod(c[host]);
    r.simulated = static_cast<double>(bank.host_cycles(read / pseudo_channels, n * b * bytes / pseudo_channels).total);
    rows.push_back(r);
  });
}

}  // namespace

std::vector<validation_row> validate_cim() {
  std::vector<validation_row> rows;
  add_silicon(rows);
  add_bank_cycles(rows);
  return rows;
}

}  // namespace memwall::cim
