// SPDX-License-Identifier: Apache-2.0
// memwall fit: which models, in which types, fit in which memories.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "models/device.h"
#include "tools/commands.h"
#include "tools/workload_options.h"

namespace memwall::tools {
namespace {

struct fit_options {
  std::vector<std::string> models, types, devices;
  std::string batch = "1", context;
  bool json = false;
};

struct fit_row {
  std::string model, type;
  std::int64_t parameters = 0;
  footprint need;
};

constexpr double gib = 1024.0 * 1024.0 * 1024.0;
double in_gib(std::int64_t bytes) {
  return static_cast<double>(bytes) / gib;
}

void print_json(const std::vector<fit_row>& rows, const std::vector<device_group>& devices) {
  auto out = nlohmann::ordered_json::object();
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
    for (const auto& d : devices) {
      const std::int64_t missing = std::max<std::int64_t>(0, r.need.total() - d.memory());
      row["fits"].push_back({{"name", d.name},
                             {"fits", missing == 0},
                             {"missing_bytes", missing},
                             {"devices_needed", devices_needed(r.need.total(), d.what)}});
    }
    out["rows"].push_back(std::move(row));
  }
  std::cout << out.dump(2) << '\n';
}

void print_table(const std::vector<fit_row>& rows, const std::vector<device_group>& devices, bool with_kv) {
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
    const std::string memory = fmt::format("{:.6g} GiB", in_gib(d.memory()));
    widths.push_back(std::max({d.name.size(), memory.size(), std::size_t{8}}));
    first += fmt::format("  {:>{}}", d.name, widths.back());
    second += fmt::format("  {:>{}}", memory, widths.back());
  }
  std::cout << first << '\n' << second << '\n';
  for (const auto& r : rows) {
    std::string line =
        fmt::format("{:<{}}  {:<{}}  {:>9.1f}", r.model, model_width, r.type, type_width, in_gib(r.need.weights));
    if (with_kv) line += fmt::format("  {:>9.2f}  {:>9.1f}", in_gib(r.need.kv), in_gib(r.need.total()));
    for (std::size_t i = 0; i < devices.size(); ++i) {
      const auto& d = devices[i];
      const std::int64_t needed = devices_needed(r.need.total(), d.what);
      line +=
          fmt::format("  {:>{}}", needed <= d.count ? std::string("fits") : fmt::format("no, {}x", needed), widths[i]);
    }
    std::cout << line << '\n';
  }
  std::cout << "\n'no, 3x': three such devices would hold it. Counted: all weights"
            << (with_kv ? " and the KV cache" : "") << ", not activations nor the runtime's own memory"
            << (with_kv ? ".\n" : ".\nAdd the KV cache with --context N --batch N.\n");
}

void run(const fit_options& o) {
  problem_list problems;
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
  const auto known = load_devices();
  std::vector<device_group> devices;
  for (const auto& name : o.devices) collect([&] { devices.push_back(find_devices(known, name)); });
  std::vector<dtypes> types;
  for (const auto& name : o.types) collect([&] { types.push_back(dtypes::parse(name, "--dtype")); });
  std::vector<model> models;
  for (const auto& name : o.models) collect([&] { models.push_back(load_model(name)); });
  problems.check();

  std::vector<fit_row> rows;
  for (const auto& m : models)
    for (std::size_t i = 0; i < types.size(); ++i) {
      try {
        rows.push_back({m.name, o.types[i], parameter_count(m), footprint_of(m, types[i], batch, context)});
      } catch (const std::overflow_error& e) {
        throw input_error(
            problem{"--context, --batch", "", std::string("the cache would have ") + e.what(), "smaller numbers", ""});
      }
    }
  if (o.json)
    print_json(rows, devices);
  else
    print_table(rows, devices, context > 0);
}

}  // namespace

void add_fit(CLI::App& app) {
  auto* command = app.add_subcommand("fit", "which models, in which types, fit in which memories");
  auto o = std::make_shared<fit_options>();
  o->types = {"fp16", "int8", "int4g32s32", "int4g32"};
  o->devices = {"rtx-4090", "a40", "a100", "h100", "h200", "mi300x", "4xh100", "8xh100"};
  command->add_option("--model", o->models, "models by name, folder or config.json")->required();
  command->add_option("--dtype", o->types, "types of weights/activations/kv")->capture_default_str();
  command->add_option("--device", o->devices, "devices, or several of them: 4xh100")->capture_default_str();
  command->add_option("--context", o->context, "count the KV cache of that many positions a sequence");
  command->add_option("--batch", o->batch, "sequences in the KV cache")->capture_default_str();
  command->add_flag("--json", o->json, "print JSON");
  command->callback([o] { run(*o); });
}

}  // namespace memwall::tools
