// SPDX-License-Identifier: Apache-2.0
// A model's words: tokens through a machine, without a simulation.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "platforms/values/machine.h"
#include "traces/generator.h"

namespace memwall::platforms {

/// A trace whose tokens are known: the embedding reads their rows, and the model's end the last position.
/// `tokens` may grow while the trace is read. `routes`: experts that positions took, instead of drawn ones, where all
/// of a pass are known.
std::unique_ptr<trace::op_stream> with_tokens(std::unique_ptr<trace::op_stream> plain, const model& m,
                                              std::shared_ptr<const std::vector<std::int32_t>> tokens,
                                              bool all_logits = false, const expert_routes* routes = nullptr);

/// The pass that an operator of a trace of one sequence belongs to.
pass_facts pass_of(const trace::op& op, const trace::workload& w, const std::vector<std::int32_t>& tokens,
                   bool all_logits);

/// Tensors of a trace in plain memory; weights stay with the machine.
class tensor_image {
 public:
  explicit tensor_image(const trace::header& h) : m_header(h), m_bytes(h.tensors.size()) {}
  void execute(machine& by, const trace::op& op, const pass_facts& pass);
  const unsigned char* at(const std::string& tensor) const;

 private:
  const trace::header& m_header;
  std::vector<std::vector<unsigned char>> m_bytes;
};

/// Logits of every position of a text, `vocab` numbers each: one pass.
std::vector<float> logits_of(machine& by, const model& m, const dtypes& types, const std::vector<std::int32_t>& tokens);

/// The same pass, of which nothing is wanted but what the machine notes (value_settings::ranges_only).
void pass_over(machine& by, const model& m, const dtypes& types, const std::vector<std::int32_t>& tokens);

struct generated {
  std::vector<std::int32_t> tokens;        ///< the new ones
  std::vector<std::vector<float>> logits;  ///< that each was chosen from
};
/// Takes the likeliest token `count` times. The trace that does it is workload_for().
generated generate_tokens(machine& by, const model& m, const trace::workload& w, std::vector<std::int32_t> prompt,
                          std::int64_t count, const std::function<void(std::int64_t)>& on_token = {});
/// The prompt in one pass, which makes the first token, and a pass for each further one.
trace::workload workload_for(const dtypes& types, std::int64_t prompt, std::int64_t count);

}  // namespace memwall::platforms
