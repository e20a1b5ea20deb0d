// SPDX-License-Identifier: Apache-2.0
// memwall fit: which models, in which types, fit in which memories.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "models/device.h"
#include "platforms/place/capacity.h"
#include "tools/commands.h"
#include "tools/fit_train.h"
#include "tools/workload_options.h"
#include "traces/generator.h"

namespace memwall::tools {
namespace {

struct fit_options {
  std::vector<std::string> models, types, devices;
  std::string phase = "decode", batch = "1", context;
  training_options training;
  bool json = false;
};

/// How a model in one set of types sits on a group of devices.
struct fit_cell {
  std::int64_t on_each = 0;  ///< bytes on the fullest device
  std::size_t needed = 0;    ///< devices of that kind that hold it; 0: no number that was tried does
};

struct fit_row {
  std::string model, type;
  std::int64_t parameters = 0;
  footprint need;
  std::vector<fit_cell> cells;  ///< by device group
};

bool fits(const fit_cell& c, const device_group& d) {
  return c.on_each <= to_bytes(d.what.memory);
}

constexpr double gib = 1024.0 * 1024.0 * 1024.0;
double in_gib(std::int64_t bytes) {
  return static_cast<double>(bytes) / gib;
}

/// Places the model's tensors as `run` does. What does not fit and could not run is refused as there.
std::vector<fit_cell> place_on(const model& m, const trace::workload& w, const std::vector<device_group>& devices) {
  const platforms::trace_source source = [&m, &w] { return trace::generate(m, w); };
  std::map<std::int64_t, std::int64_t> on_each;  // by number of devices
  std::vector<fit_cell> out;
  for (const auto& d : devices) {
    if (on_each.count(d.count) == 0)
      on_each[d.count] = platforms::load_of_each(source, static_cast<std::size_t>(d.count)).bytes;
    fit_cell cell{on_each[d.count], 0};
    cell.needed = fits(cell, d) && d.count == 1 ? 1 : platforms::devices_needed(source, to_bytes(d.what.memory));
    out.push_back(cell);
  }
  return out;
}

void print_json(const std::vector<fit_row>& rows, const std::vector<device_group>& devices,
                const std::vector<std::string>& notes) {
  auto out = nlohmann::ordered_json::object();
  out["notes"] = notes;
  out["devices"] = nlohmann::ordered_json::array();
  for (const auto& d : devices)
    out["devices"].push_back({{"name", d.name},
                              {"device", d.what.name},
                              {"count", d.count},
                              {"memory_bytes", d.memory()},
                              {"memory_type", d.what.memory_type},
                              {"bandwidth_gbps", d.what.memory_bandwidth.value / 1e9 * static_cast<double>(d.count)}});
  out["rows"] = nlohmann::ordered_json::array();
  for (const auto& r : rows) {
    nlohmann::ordered_json row = {{"model", r.model},           {"dtype", r.type},
                                  {"parameters", r.parameters}, {"weight_bytes", r.need.weights},
                                  {"kv_bytes", r.need.kv},      {"total_bytes", r.need.total()}};
    row["fits"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < devices.size(); ++i) {
      const auto& d = devices[i];
      const auto& cell = r.cells[i];
      const std::int64_t missing = std::max<std::int64_t>(0, cell.on_each - to_bytes(d.what.memory));
      row["fits"].push_back(
          {{"name", d.name},
           {"fits", fits(cell, d)},
           {"bytes_on_each_device", cell.on_each},
           {"missing_bytes", missing * d.count},
           {"devices_needed", cell.needed == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(cell.needed)}});
    }
    out["rows"].push_back(std::move(row));
  }
  std::cout << out.dump(2) << '\n';
}

std::string word_of(const fit_cell& c, const device_group& d) {
  if (fits(c, d)) return "fits";
  return c.needed == 0 ? "no" : fmt::format("no, {}x", c.needed);
}

void print_table(const std::vector<fit_row>& rows, const std::vector<device_group>& devices, bool with_kv,
                 const std::vector<std::string>& notes) {
  std::size_t model_width = 5, type_width = 4;
  for (const auto& r : rows) {
    model_width = std::max(model_width, r.model.size());
    type_width = std::max(type_width, r.type.size());
  }
  std::string first = fmt::format("{:<{}}  {:<{}}  {:>9}", "model", model_width, "type", type_width, "weights");
  std::string second = fmt::format("{:<{}}  {:<{}}  {:>9}", "", model_width, "", type_width, "GiB");
  if (with_kv) {
    first += fmt::format("  {:>9}  {:>9}", "KV cache", "total");
    second += fmt::format("  {:>9}  {:>9}", "GiB", "GiB");
  }
  std::vector<std::size_t> widths;
  for (const auto& d : devices) {
    const std::string memory = fmt::format("{:.1f} GiB", in_gib(d.memory()));
    widths.push_back(std::max({d.name.size(), memory.size(), std::size_t{8}}));
    first += fmt::format("  {:>{}}", d.name, widths.back());
    second += fmt::format("  {:>{}}", memory, widths.back());
  }
  std::cout << first << '\n' << second << '\n';
  for (const auto& r : rows) {
    std::string line =
        fmt::format("{:<{}}  {:<{}}  {:>9.1f}", r.model, model_width, r.type, type_width, in_gib(r.need.weights));
    if (with_kv) line += fmt::format("  {:>9.2f}  {:>9.1f}", in_gib(r.need.kv), in_gib(r.need.total()));
    for (std::size_t i = 0; i < devices.size(); ++i)
      line += fmt::format("  {:>{}}", word_of(r.cells[i], devices[i]), widths[i]);
    std::cout << line << '\n';
  }
  for (const auto& note : notes) std::cout << "note: " << note << '\n';
  std::cout
      << "\n'no, 3x': three such devices hold it, sharing every layer; a KV head is never cut, devices without one "
         "of their\nown hold a copy. Counted: all weights"
      << (with_kv ? ", the KV cache" : "") << " and the activations of a step, not the runtime's own memory"
      << (with_kv ? ".\n" : ".\nAdd the KV cache with --context N --batch N.\n");
}

/// The types to try: those asked for, else those of the checkpoint and a few more.
std::vector<std::string> types_for(const model& m, const std::vector<std::string>& asked) {
  if (!asked.empty()) return asked;
  std::vector<std::string> out = {"fp16", "int8", "int4g32s32", "int4g32"};
  if (m.stored) out.insert(out.begin(), m.stored->name());
  return out;
}

void run(const fit_options& o) {
  problem_list problems;
  const bool training = o.phase == "train";
  const std::int64_t most = std::int64_t{1} << 24;
  const std::int64_t batch = option_integer(o.batch, "--batch", 1, std::int64_t{1} << 20, problems);
  const std::int64_t context = o.context.empty() ? 0 : option_integer(o.context, "--context", 1, most, problems);
  const auto collect = [&](auto&& action) {
    try {
      action();
    } catch (const input_error& e) {
      for (const auto& p : e.problems()) problems.add(p);
    }
  };
  if (const std::string option = o.training.given(); !training && !option.empty())
    problems.add({option, "", "is of a training step", "--phase train, or no " + option, ""});
  if (training && !o.types.empty())
    problems.add({"--dtype", "", "is not for --phase train, which is in 16 bits",
                  "train.main_weights, train.gradients and train.states for what is kept beside", ""});
  if (training && !o.context.empty())
    problems.add({"--context", "", "is not for --phase train, whose sequences have --prompt tokens", "--prompt N", ""});
  const auto known = load_devices();
  std::vector<device_group> devices;
  for (const auto& name : o.devices) collect([&] { devices.push_back(find_devices(known, name)); });
  for (const auto& name : o.types) collect([&] { dtypes::parse(name, "--dtype"); });
  std::vector<model> models;
  for (const auto& name : o.models) collect([&] { models.push_back(load_model(name)); });
  problems.check();
  if (training) return print_training_fit(o.training.resolve(o.batch), models, devices, o.json);

  std::vector<fit_row> rows;
  std::vector<std::string> notes;
  for (const auto& m : models) {
    for (const auto& name : types_for(m, o.types)) {
      trace::workload w;
      w.batch = batch;
      w.context = std::max<std::int64_t>(1, context);
      w.types = dtypes::parse(name, "--dtype");
      auto cells = place_on(m, w, devices);
      rows.push_back({m.name, name, parameter_count(m), footprint_of(m, w.types, batch, context), std::move(cells)});
    }
    for (const auto& note : m.notes) notes.push_back(m.name + ": " + note);
    if (const auto beyond = check_positions(m, std::max<std::int64_t>(1, context)); !beyond.empty())
      notes.push_back(beyond);
  }
  if (o.json)
    print_json(rows, devices, notes);
  else
    print_table(rows, devices, context > 0, notes);
}

}  // namespace

void add_fit(CLI::App& app) {
  auto* command = app.add_subcommand("fit", "which models, in which types, fit in which memories");
  auto o = std::make_shared<fit_options>();
  o->devices = {"rtx-4090", "a40", "a100", "h100", "h200", "mi300x", "4xh100", "8xh100"};
  command->add_option("--model", o->models, "models by name, folder or config.json")->required();
  command->add_option(
      "--dtype", o->types,
      "types of weights/activations/kv (those of a quantised checkpoint; fp16 int8 int4g32s32 int4g32)");
  command->add_option("--device", o->devices, "devices, or several of them: 4xh100")->capture_default_str();
  command->add_option("--phase", o->phase, "decode, or train: what a training step keeps")
      ->check(CLI::IsMember({"decode", "train"}))
      ->capture_default_str();
  command->add_option("--context", o->context, "count the KV cache of that many positions a sequence");
  command->add_option("--batch", o->batch, "sequences in the KV cache, or of a whole training step")
      ->capture_default_str();
  command->add_flag("--json", o->json, "print JSON");
  o->training.add_to(*command);
  command->callback([o] { run(*o); });
}

}  // namespace memwall::tools
