// SPDX-License-Identifier: Apache-2.0
// The words for a workload, the same in every command: --model --phase --batch --prompt --context --tokens
// --dtype --seed.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "models/model.h"
#include "traces/trace.h"

namespace CLI {
class App;
}

namespace memwall::tools {

/// Adds the options to a command, and turns what was typed into a model and a workload.
/// The object must outlive the parsing (hold it in a shared_ptr that the command's callback captures).
struct workload_options {
  std::string model, phase = "decode";
  std::string dtype;  ///< empty: what the model's checkpoint is stored in, where its file says so, else fp16
  std::string batch, prompt, context, tokens, prefill_chunk, seed;

  /// `with_model`: --model too. It is not marked required: say so in the command where there is no other way
  /// to a trace.
  void add_to(CLI::App& app, bool with_model = true);

  /// Throws input_error with every problem found.
  trace::workload resolve() const;
  memwall::model load() const;
  /// The types as typed, or what stands for them.
  std::string types() const;
};

/// An integer typed after `option`; adds a problem that names the option when it is not one in [lowest,
/// highest].
std::int64_t option_integer(const std::string& text, const std::string& option, std::int64_t lowest,
                            std::int64_t highest, problem_list& problems);

}  // namespace memwall::tools
