// SPDX-License-Identifier: Apache-2.0
// memwall trace: a model and a workload become a layer trace.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <memory>

#include "tools/commands.h"
#include "tools/terminal.h"
#include "tools/workload_options.h"
#include "traces/file.h"
#include "traces/generator.h"
#include "traces/importer.h"
#include "traces/totals.h"

namespace memwall::tools {
namespace {

struct trace_options {
  workload_options workload;
  std::string output, from, kind;
  bool quiet = false;
};

/// "34.2 GiB"
std::string readable(std::int64_t bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return fmt::format("{:.4g} {}", value, units[unit]);
}

void run(const trace_options& o) {
  const auto w = o.workload.resolve();
  if (o.from.empty() == o.workload.model.empty())
    throw input_error(problem{"--model", "", o.from.empty() ? "is missing" : "and --from exclude each other",
                              "either --model or --from", ""});
  if (o.from.empty() && !o.kind.empty())
    throw input_error(problem{"--importer", "", "is given without --from", "--from FILE", ""});
  const auto source = o.from.empty() ? trace::generate(o.workload.load(), w) : trace::open(o.from, o.kind, w.types);
  if (!o.quiet)
    for (const auto& note : source->header().notes) std::cerr << "note: " << note << '\n';
  trace::tally counted(*source);
  trace::write_file(counted, o.output);
  if (o.quiet || o.output == "-") return;
  const auto& sum = counted.sum();
  std::int64_t held = 0, cached = 0;
  for (const auto& t : source->header().tensors) {
    if (t.cls == trace::tensor_class::weights) held += t.bytes;
    if (t.cls == trace::tensor_class::kv_cache) cached += t.bytes;
  }
  std::cerr << fmt::format("{}: {} operators, {}\n  {:<12}{:>12}{:>12}{:>12}\n", o.output, sum.ops,
                           human_flops(static_cast<double>(sum.flops())), "", "held", "read", "written");
  const auto line = [](const char* name, std::string held_text, std::int64_t read, std::int64_t written) {
    std::cerr << fmt::format("  {:<12}{:>12}{:>12}{:>12}\n", name, held_text, readable(read), readable(written));
  };
  line("weights", readable(held), sum.read[0], sum.written[0]);
  line("KV cache", readable(cached), sum.read[1], sum.written[1]);
  line("activations", "", sum.read[2], sum.written[2]);
}

}  // namespace

void add_trace(CLI::App& app) {
  auto* command = app.add_subcommand("trace", "make a layer trace of a model (JSON Lines, see traces/README.md)");
  auto o = std::make_shared<trace_options>();
  o->workload.add_to(*command);
  std::string kinds;
  for (const auto& [name, item] : trace::importers().items())
    kinds += (kinds.empty() ? "" : "; ") + name + " (" + item.description + ")";
  command->add_option("--from", o->from, "take the operators from a file instead of a model");
  command->add_option("--importer", o->kind, "what kind of file --from is: " + kinds);
  command->add_option("-o,--output", o->output, "the file to write; - is standard output")->required();
  command->add_flag("--quiet", o->quiet, "no summary");
  command->callback([o] { run(*o); });
}

}  // namespace memwall::tools
