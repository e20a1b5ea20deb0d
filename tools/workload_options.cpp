// SPDX-License-Identifier: Apache-2.0
#include "tools/workload_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "hw/common/params.h"
#include "traces/words.h"

namespace memwall::tools {

void workload_options::add_to(CLI::App& app, bool with_model) {
  if (with_model)
    app.add_option("--model", model, "a model by name, a folder with a config.json, or a config.json")
        ->group("Workload");
  app.add_option("--phase", phase, "prefill, decode, or both (prefill, then the tokens)")
      ->group("Workload")
      ->capture_default_str();
  app.add_option("--batch", batch, "sequences (1)")->group("Workload");
  app.add_option("--prompt", prompt, "prefill: tokens of each sequence (512)")->group("Workload");
  app.add_option("--context", context,
                 "decode: positions the first new token attends to, its own included (2048, or all that the model has)")
      ->group("Workload");
  app.add_option("--tokens", tokens, "decode: steps, each a token of every sequence (1)")->group("Workload");
  app.add_option("--prefill-chunk", prefill_chunk, "prompt tokens a prefill pass takes at most (all)")
      ->group("Workload");
  app.add_option("--dtype", dtype,
                 "types of weights/activations/kv; one name: see README (those of a quantised checkpoint, else fp16)")
      ->group("Workload");
  app.add_option("--seed", seed, "of everything that is drawn at random (1)")->group("Workload");
}

std::int64_t option_integer(const std::string& text, const std::string& option, std::int64_t lowest,
                            std::int64_t highest, problem_list& problems) {
  std::int64_t v = lowest;
  if (!detail::read_integer(text, lowest, highest, v)) {
    problems.add({option, "", "got '" + text + "'",
                  "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest), ""});
    return lowest;
  }
  return v;
}

trace::workload workload_options::resolve() const {
  problem_list problems;
  trace::workload w;
  const auto read = [&](const std::string& text, const char* option, std::int64_t& out, std::int64_t highest) {
    if (!text.empty()) out = option_integer(text, option, 1, highest, problems);
  };
  constexpr std::int64_t most = std::int64_t{1} << 24;
  read(batch, "--batch", w.batch, std::int64_t{1} << 20);
  read(prompt, "--prompt", w.prompt, most);
  read(context, "--context", w.context, most);
  read(tokens, "--tokens", w.tokens, std::int64_t{1} << 20);
  read(prefill_chunk, "--prefill-chunk", w.prefill_chunk, most);
  if (!seed.empty()) w.seed = static_cast<std::uint64_t>(option_integer(seed, "--seed", 0, INT64_MAX, problems));

  if (const auto found = trace::find_word<trace::workload::phases>(trace::phases_words, phase))
    w.phase = *found;
  else
    problems.add({"--phase", "", "unknown phase '" + phase + "'", "one of: " + joined(trace::phases_words),
                  nearest_name(phase, trace::all_words(trace::phases_words))});
  try {
    if (!dtype.empty())
      w.types = dtypes::parse(dtype, "--dtype");
    else if (!model.empty())
      w.types = load().stored.value_or(w.types);
  } catch (const input_error& e) {
    for (const auto& p : e.problems()) problems.add(p);
  }
  if (w.phase == trace::workload::phases::prefill && !context.empty())
    problems.add({"--context", "", "is for decode; --phase is prefill", "--prompt for the length of a prefill", ""});
  if (w.phase == trace::workload::phases::prefill && !tokens.empty())
    problems.add(
        {"--tokens", "", "are generated in decode; --phase is prefill", "--phase both for a prompt and tokens", ""});
  if (w.phase == trace::workload::phases::decode && !prefill_chunk.empty())
    problems.add({"--prefill-chunk", "", "is for prompts; --phase is decode", "--phase prefill or both", ""});
  if (w.phase == trace::workload::phases::both) {
    if (!context.empty() && w.context != w.prompt + 1)
      problems.add({"--context", "",
                    "got " + context + ", but decode follows a prompt of " + std::to_string(w.prompt) + " tokens",
                    "no --context with --phase both", ""});
    w.context = w.prompt + 1;
  }
  // Decoding behind a prompt of that length.
  if (w.phase == trace::workload::phases::decode && context.empty() && !prompt.empty()) w.context = w.prompt + 1;
  // Nobody asked for more positions than a short model has.
  if (w.phase == trace::workload::phases::decode && context.empty() && prompt.empty() && !model.empty())
    if (const std::int64_t positions = load().max_positions; positions > 0)
      w.context = std::clamp(positions - w.tokens + 1, std::int64_t{1}, w.context);
  problems.check();
  return w;
}

std::string workload_options::types() const {
  if (!dtype.empty()) return dtype;
  const auto stored = model.empty() ? std::nullopt : load().stored;
  return stored ? stored->name() : "fp16";
}

memwall::model workload_options::load() const {
  if (model.empty())
    throw input_error(problem{"--model", "", "is missing", "a model's name, folder or config.json", ""});
  return load_model(model);
}

}  // namespace memwall::tools
