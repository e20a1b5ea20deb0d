// SPDX-License-Identifier: Apache-2.0
// How an architecture family reads its config.json. A new family is one file in models/families/.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hw/common/config.h"
#include "hw/common/registry.h"
#include "models/model.h"

namespace memwall {

/// The fields of a config.json. Problems are collected, so that all are reported together; null counts as
/// absent. A field may have several spellings; where more than one is there, they must agree.
///
/// Every field that is asked for is remembered: refuse_unknown() then reports each key of the file that nobody asked
/// for and that is not known to be without influence on the shape, so that nothing structural is passed over.
class fields {
 public:
  using names = std::initializer_list<const char*>;

  /// `around`: the file's outer object where the language model is a part of it (a multimodal file). Fields that `root`
  /// does not have are looked up there.
  fields(const config::node& root, problem_list& problems, const config::node* around = nullptr)
      : m_root(root), m_around(around), m_problems(problems) {}

  bool has(names spellings) { return find(spellings) != nullptr; }
  /// Given as null: "none", where a family has a default of its own for an absent field.
  bool is_null(names spellings);
  /// A required integer in [1, highest]; 1 after a problem.
  std::int64_t count(names spellings, std::int64_t highest);
  /// An optional integer in [lowest, highest].
  std::int64_t count_or(names spellings, std::int64_t fallback, std::int64_t lowest, std::int64_t highest);
  double number_or(names spellings, double fallback, double lowest, double highest);
  bool flag_or(names spellings, bool fallback);
  std::string text_or(names spellings, const std::string& fallback);
  /// A list of integers in [lowest, highest], or of words; empty when absent.
  std::vector<std::int64_t> integers(const char* name, std::int64_t lowest, std::int64_t highest);
  std::vector<std::string> words(const char* name);
  bool is_list(const char* name);

  /// A feature memwall does not model: the field must be absent or equal to `supported`.
  void only(const char* name, const std::string& supported, const std::string& why);
  /// A problem at the first of some fields that is there.
  void problem_at(names spellings, const std::string& message, const std::string& expected);
  /// Fields of this family that do not change shape, bytes or operators.
  void irrelevant(names spellings) { m_known.insert(spellings.begin(), spellings.end()); }

  /// Reports keys that were neither asked for nor are known to be irrelevant.
  void refuse_unknown();
  /// Names asked for so far.
  const std::set<std::string>& known() const { return m_known; }

 private:
  const config::node* find(names spellings, std::string* used = nullptr);
  std::optional<std::int64_t> integer(names spellings, std::int64_t lowest, std::int64_t highest);
  const config::node* list(const char* name);

  const config::node& m_root;
  const config::node* m_around;
  problem_list& m_problems;
  std::set<std::string> m_known;
  std::set<std::string> m_contradicting;  ///< spellings that were reported
};

/// Keys that say nothing about any family's shape: tokenizer, generation, training, storage, comments. Sorted.
const std::vector<std::string>& irrelevant_keys();

/// Fills the shape from the fields. hidden, layers, heads and vocab come from common_shape().
using family_reader = std::function<void(fields&, model&)>;

/// Readers by `model_type`, the field that names the architecture in a config.json.
registry<family_reader>& families();

/// Adds a family from its own .cpp: static const family_entry llama{"llama", "LLaMA 1 to 3", read_llama};
using family_entry = registered<&families>;

/// What a family takes for a field that its file leaves out. 0: the field is required, or follows from others.
struct shape_defaults {
  bool tied = false;
  bool grouped = true;             ///< false: every head has keys and values of its own
  std::int64_t heads = 0;          ///< 0: required
  std::int64_t kv_heads = 0;       ///< 0: as many as heads
  std::int64_t head_dim = 0;       ///< 0: hidden / heads
  std::int64_t vocab = 0;          ///< 0: required
  std::int64_t max_positions = 0;  ///< 0: not known
};

/// What nearly every family has, under its usual names: hidden, layers, heads, kv_heads, head_dim, vocab,
/// max_positions, tied.
void common_shape(fields& f, model& m, const shape_defaults& defaults);

/// Which layers have a sliding window, from `layer_types` or else from the family's own rule. `size` 0: no window.
/// `has_window(layer)` is that rule. Both given and contradicting each other is a problem.
void read_windows(fields& f, model& m, std::int64_t size, const std::function<bool(std::int64_t)>& has_window,
                  bool rule_is_given);

constexpr std::int64_t most_hidden = 1 << 20, most_layers = 1 << 14, most_heads = 1 << 16, most_vocab = 1 << 24,
                       most_ffn = 1 << 24, most_positions = std::int64_t{1} << 30, most_experts = 1 << 16;

}  // namespace memwall
