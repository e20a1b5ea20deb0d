// SPDX-License-Identifier: Apache-2.0
// How an architecture family reads its config.json. A new family is one file in models/families/.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>

#include "hw/common/config.h"
#include "hw/common/registry.h"
#include "models/model.h"

namespace memwall {

/// The fields of a config.json. Problems are collected, so that all are reported together; null counts as
/// absent. A field may have several spellings: the first that is there is read.
class fields {
 public:
  using names = std::initializer_list<const char*>;

  fields(const config::node& root, problem_list& problems) : m_root(root), m_problems(problems) {}

  bool has(names spellings) const { return find(spellings) != nullptr; }
  /// A required integer in [1, highest]; 1 after a problem.
  std::int64_t count(names spellings, std::int64_t highest);
  /// An optional integer in [lowest, highest].
  std::int64_t count_or(names spellings, std::int64_t fallback, std::int64_t lowest, std::int64_t highest);
  double number_or(names spellings, double fallback, double lowest, double highest);
  bool flag_or(names spellings, bool fallback);
  std::string text_or(names spellings, const std::string& fallback);

  /// A feature memwall does not model: the field must be absent or equal to `supported`.
  void only(const char* name, const std::string& supported, const std::string& why);
  /// A problem at a field.
  void problem_at(names spellings, const std::string& message, const std::string& expected);

 private:
  const config::node* find(names spellings, std::string* used = nullptr) const;
  std::optional<std::int64_t> integer(names spellings, std::int64_t lowest, std::int64_t highest);

  const config::node& m_root;
  problem_list& m_problems;
};

/// Fills the shape from the fields. hidden, layers, heads and vocab come from common_shape().
using family_reader = std::function<void(fields&, model&)>;

/// Readers by `model_type`, the field that names the architecture in a config.json.
registry<family_reader>& families();

/// Adds a family from its own .cpp: static const family_entry llama{"llama", "LLaMA 1 to 3", read_llama};
struct family_entry {
  family_entry(const char* model_type, const char* description, family_reader read) {
    families().add(model_type, description, std::move(read));
  }
};

/// What nearly every family has, under its usual names: hidden, layers, heads, kv_heads, head_dim, vocab,
/// max_positions, tied.
void common_shape(fields& f, model& m, bool tied_by_default);

constexpr std::int64_t most_hidden = 1 << 20, most_layers = 1 << 14, most_heads = 1 << 16, most_vocab = 1 << 24,
                       most_ffn = 1 << 24, most_positions = std::int64_t{1} << 30, most_experts = 1 << 16;

}  // namespace memwall
