// SPDX-License-Identifier: Apache-2.0
#include "tools/fit_train.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/workload_options.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

const std::vector<std::string> optimizers = {"adamw", "momentum", "sgd"};
const std::vector<std::string> recomputes = {"none", "selective", "full"};
const std::vector<std::string> shardings = {"none", "zero1", "zero2", "zero3"};

double gib(std::int64_t bytes) {
  return static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0);
}

std::int64_t peak_of(const std::vector<stage_memory>& stages) {
  std::int64_t out = 0;
  for (const auto& s : stages) out = std::max(out, s.peak());
  return out;
}

/// The peak with a setup that may make no sense; nothing then.
std::optional<std::int64_t> peak_with(const training_setup& t, const model& m) {
  try {
    return peak_of(training_memory(t, m));
  } catch (const input_error&) {
    return std::nullopt;
  }
}

/// A change of the setup, in the words that make it.
struct change {
  std::string words;
  training_setup setup;
};

/// Changes that leave the step and its devices as they are.
std::vector<change> changes_of(const training_setup& t) {
  std::vector<change> out;
  const auto add = [&](const std::string& words, auto&& apply) {
    change c{words, t};
    apply(c.setup);
    out.push_back(std::move(c));
  };
  for (auto r = std::find(recomputes.begin(), recomputes.end(), t.recompute) + 1; r < recomputes.end(); ++r)
    add("--recompute " + *r, [&](training_setup& s) { s.recompute = *r; });
  for (auto r = std::find(shardings.begin(), shardings.end(), t.sharding) + 1; r < shardings.end(); ++r)
    add("--sharding " + *r, [&](training_setup& s) { s.sharding = *r; });
  if (t.micro_batch > 1) add("--micro-batch 1", [](training_setup& s) { s.micro_batch = 1; });
  for (std::int64_t n = 2 * t.tensor; n <= 8 && n <= t.devices; n *= 2)
    add(fmt::format("--set train.tensor={} --set train.sequence=true", n), [n](training_setup& s) {
      s.tensor = n;
      s.sequence = true;
    });
  if (t.context > 1 || t.devices > 1)
    for (std::int64_t n = 2 * t.pipeline; n <= t.devices; n *= 2)
      add(fmt::format("--set train.pipeline={}", n), [n](training_setup& s) { s.pipeline = n; });
  return out;
}

/// What would fit: single changes, else pairs of them, and the fewest devices (twice as many each time, with as many
/// sequences for each).
std::vector<std::string> what_would_fit(const training_setup& t, const model& m, std::int64_t capacity) {
  std::vector<std::string> out;
  const auto fits = [&](const training_setup& s) {
    const auto peak = peak_with(s, m);
    return peak && *peak <= capacity;
  };
  const auto singles = changes_of(t);
  for (const auto& c : singles)
    if (fits(c.setup)) out.push_back(c.words);
  if (out.empty())
    for (const auto& first : singles)
      for (const auto& second : changes_of(first.setup)) {
        const bool same = second.words.substr(0, 16) == first.words.substr(0, 16);
        if (!same && out.size() < 4 && second.words > first.words && fits(second.setup))
          out.push_back(first.words + " " + second.words);
      }
  training_setup more = t;
  more.data = 0;
  for (int i = 0; i < 10; ++i) {
    more.devices *= 2;
    more.batch *= 2;
    if (!fits(more)) continue;
    out.push_back(fmt::format("{} devices and --batch {}", more.devices, more.batch));
    break;
  }
  return out;
}

json to_json(const training_setup& t, const model& m, const device_group& d, const std::vector<stage_memory>& stages,
             double ratio, const std::vector<std::string>& advice) {
  json memory = json::array();
  for (const auto& s : stages) {
    json by_class = json::object();
    for (const auto& [name, bytes] : s.by_class) by_class[name] = bytes;
    memory.push_back({{"device", fmt::format("stage {}", s.stage)},
                      {"peak_bytes", s.peak()},
                      {"moment", s.moment},
                      {"by_class", std::move(by_class)}});
  }
  return {{"model", m.name},
          {"device", d.name},
          {"parameters", parameter_count(m)},
          {"setup",
           {{"batch", t.batch},
            {"micro_batch", t.micro_batch},
            {"prompt", t.length},
            {"optimizer", t.optimizer},
            {"recompute", t.recompute},
            {"sharding", t.sharding},
            {"devices", t.devices},
            {"data", t.replicas()},
            {"train", training_table().write(t)}}},
          {"training", {{"memory", std::move(memory)}}},
          {"capacity_bytes", to_bytes(d.what.memory)},
          {"fits", peak_of(stages) <= to_bytes(d.what.memory)},
          {"stored_activations_over_parameters", ratio},
          {"would_fit", advice}};
}

void print_one(const training_setup& t, const model& m, const device_group& d, const std::vector<stage_memory>& stages,
               double ratio, const std::vector<std::string>& advice) {
  std::cout << fmt::format(
      "{} on {}: batch {}, micro-batches of {} x {} tokens, {}, recompute {}, sharding {}\n  {} devices: {} replicas x "
      "tensor {} x pipeline {} x context {}\n",
      m.name, d.name, t.batch, t.micro_batch, t.length, t.optimizer, t.recompute, t.sharding, t.devices, t.replicas(),
      t.tensor, t.pipeline, t.context);
  const auto most =
      std::max_element(stages.begin(), stages.end(), [](const auto& a, const auto& b) { return a.peak() < b.peak(); });
  std::cout << fmt::format("  GiB on a device of the fullest stage ({} of {}), {}\n", most->stage, stages.size(),
                           most->moment);
  for (const auto& [name, bytes] : most->by_class) std::cout << fmt::format("    {:<30}{:>10.3f}\n", name, gib(bytes));
  const std::int64_t capacity = to_bytes(d.what.memory), peak = most->peak();
  std::cout << fmt::format("    {:<30}{:>10.3f}   of {:.1f} GiB: {}\n", "peak", gib(peak), gib(capacity),
                           peak <= capacity
                               ? std::string("fits")
                               : fmt::format("does not fit, {:.2f} GiB are missing", gib(peak - capacity)));
  std::cout << fmt::format(
      "  Stored activations of all layers of a micro-batch: {:.2f} times the parameters (16 bits, without "
      "embeddings).\n",
      ratio);
  if (peak > capacity) {
    std::cout << (advice.empty() ? "  Nothing that was tried makes it fit.\n" : "  What would fit:\n");
    for (const auto& a : advice) std::cout << "    " << a << '\n';
  }
  std::cout << "  Not counted: the context of the runtime, buffers of collectives, what an allocator wastes.\n\n";
}

/// Stored activations of a micro-batch on one device that has all layers, over the bytes of the blocks' parameters.
double activation_ratio(const training_setup& t, const model& m) {
  training_setup alone = t;
  alone.tensor = alone.context = 1;
  std::int64_t stored = 0;
  for (std::int64_t layer = 0; layer < m.layers; ++layer) stored += layer_activation_bytes(alone, m, layer);
  return static_cast<double>(stored) / static_cast<double>(block_weight_bytes(m));
}

}  // namespace

void training_options::add_to(CLI::App& app) {
  const auto add = [&](const char* name, std::string& to, const std::string& text) {
    app.add_option(name, to, text)->group("Training (--phase train)")->capture_default_str();
  };
  add("--micro-batch", micro_batch, "sequences a device takes at a time");
  add("--prompt", prompt, "tokens of a sequence");
  add("--optimizer", optimizer, joined(optimizers));
  add("--recompute", recompute, joined(recomputes) + ": what the backward pass computes again");
  add("--sharding", sharding, joined(shardings) + ": over the replicas, optimizer states, gradients, weights");
  app.add_option("--set", sets,
                 "train.KEY=VALUE: how devices share the step and what is kept (memwall describe param train)")
      ->group("Training (--phase train)")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

std::string training_options::given() const {
  const training_options usual;
  if (micro_batch != usual.micro_batch) return "--micro-batch";
  if (prompt != usual.prompt) return "--prompt";
  if (optimizer != usual.optimizer) return "--optimizer";
  if (recompute != usual.recompute) return "--recompute";
  if (sharding != usual.sharding) return "--sharding";
  return sets.empty() ? "" : "--set";
}

training_setup training_options::resolve(const std::string& batch) const {
  problem_list problems;
  config::node tree = config::node::map("--set");
  for (const auto& text : sets) {
    const auto equal = text.find('=');
    const std::string path = text.substr(0, equal);
    if (equal == std::string::npos || path.rfind("train.", 0) != 0) {
      problems.add({"--set", "", "got '" + text + "'", "train.KEY=VALUE", ""});
      continue;
    }
    tree.set(path.substr(6), text.substr(equal + 1), "--set " + path);
  }
  training_setup t;
  training_table().read(tree, t, problems, "train");
  constexpr std::int64_t most = std::int64_t{1} << 24;
  t.batch = option_integer(batch, "--batch", 1, most, problems);
  t.micro_batch = option_integer(micro_batch, "--micro-batch", 1, most, problems);
  t.length = option_integer(prompt, "--prompt", 1, most, problems);
  const auto word = [&](const char* option, const std::string& text, const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), text) == known.end())
      problems.add({option, "", "got '" + text + "'", "one of: " + joined(known), nearest_name(text, known)});
    return text;
  };
  t.optimizer = word("--optimizer", optimizer, optimizers);
  t.recompute = word("--recompute", recompute, recomputes);
  t.sharding = word("--sharding", sharding, shardings);
  problems.check();
  return t;
}

void print_training_fit(const training_setup& setup, const std::vector<model>& models,
                        const std::vector<device_group>& devices, bool as_json) {
  json rows = json::array();
  for (const auto& m : models) {
    const std::string beyond = check_positions(m, setup.length);
    for (const auto& d : devices) {
      training_setup t = setup;
      t.devices = d.count;
      const auto stages = training_memory(t, m);
      const std::int64_t capacity = to_bytes(d.what.memory);
      const double ratio = activation_ratio(t, m);
      const auto advice = peak_of(stages) > capacity ? what_would_fit(t, m, capacity) : std::vector<std::string>();
      if (as_json)
        rows.push_back(to_json(t, m, d, stages, ratio, advice));
      else
        print_one(t, m, d, stages, ratio, advice);
    }
    if (!as_json && !beyond.empty()) std::cout << "note: " << beyond << '\n';
  }
  if (as_json) std::cout << json{{"rows", std::move(rows)}}.dump(2) << '\n';
}

}  // namespace memwall::tools
