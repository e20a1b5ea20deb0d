// SPDX-License-Identifier: Apache-2.0
#include "models/fields.h"

#include <cmath>

#include "hw/common/params.h"

namespace memwall {
namespace {

std::string got(const config::node& n) {
  return "got " + (n.is_scalar() ? "'" + n.text() + "'" : std::string("a list or map"));
}

std::string between(std::int64_t lowest, std::int64_t highest) {
  return "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest);
}

}  // namespace

registry<family_reader>& families() {
  static registry<family_reader> all("architecture (model_type)");
  return all;
}

const config::node* fields::find(names spellings, std::string* used) const {
  for (const char* name : spellings)
    if (const auto* n = m_root.find(name); n != nullptr && !n->is_null()) {
      if (used != nullptr) *used = name;
      return n;
    }
  return nullptr;
}

std::optional<std::int64_t> fields::integer(names spellings, std::int64_t lowest, std::int64_t highest) {
  std::string name;
  const auto* n = find(spellings, &name);
  std::int64_t v = 0;
  if (n == nullptr) return std::nullopt;
  if (n->is_scalar() && detail::read_integer(n->text(), lowest, highest, v)) return v;
  m_problems.add({n->where(), name, got(*n), between(lowest, highest), ""});
  return lowest;
}

std::int64_t fields::count(names spellings, std::int64_t highest) {
  if (const auto v = integer(spellings, 1, highest)) return *v;
  std::string known;
  std::vector<std::string> present;
  for (const auto& [key, unused] : m_root.entries()) present.push_back(key);
  for (const char* name : spellings) known += (known.empty() ? "" : " or ") + std::string(name);
  const std::string near = nearest_name(*spellings.begin(), present);
  m_problems.add({m_root.where(), known, near.empty() ? "is missing" : "is missing; there is a field '" + near + "'",
                  between(1, highest), ""});
  return 1;
}

std::int64_t fields::count_or(names spellings, std::int64_t fallback, std::int64_t lowest, std::int64_t highest) {
  return integer(spellings, lowest, highest).value_or(fallback);
}

double fields::number_or(names spellings, double fallback, double lowest, double highest) {
  std::string name;
  const auto* n = find(spellings, &name);
  if (n == nullptr) return fallback;
  double v = 0;
  if (n->is_scalar() && detail::read_number(n->text(), v) && v >= lowest && v <= highest) return v;
  m_problems.add(
      {n->where(), name, got(*n), "a number from " + std::to_string(lowest) + " to " + std::to_string(highest), ""});
  return fallback;
}

bool fields::flag_or(names spellings, bool fallback) {
  std::string name;
  const auto* n = find(spellings, &name);
  if (n == nullptr) return fallback;
  if (n->is_scalar() && (n->text() == "true" || n->text() == "false")) return n->text() == "true";
  m_problems.add({n->where(), name, got(*n), "true or false", ""});
  return fallback;
}

std::string fields::text_or(names spellings, const std::string& fallback) {
  std::string name;
  const auto* n = find(spellings, &name);
  if (n == nullptr) return fallback;
  if (n->is_scalar()) return n->text();
  m_problems.add({n->where(), name, got(*n), "text", ""});
  return fallback;
}

void fields::only(const char* name, const std::string& supported, const std::string& why) {
  const auto* n = find({name});
  if (n != nullptr && (!n->is_scalar() || n->text() != supported))
    m_problems.add({n->where(), name, got(*n) + ": " + why, supported, ""});
}

void fields::problem_at(names spellings, const std::string& message, const std::string& expected) {
  std::string name = *spellings.begin();
  const auto* n = find(spellings, &name);
  m_problems.add({n == nullptr ? m_root.where() : n->where(), name, message, expected, ""});
}

void common_shape(fields& f, model& m, bool tied_by_default) {
  m.hidden = f.count({"hidden_size", "n_embd", "n_embed", "d_model"}, most_hidden);
  m.layers = f.count({"num_hidden_layers", "n_layer", "num_layers"}, most_layers);
  m.heads = f.count({"num_attention_heads", "n_head"}, most_heads);
  m.kv_heads = f.count_or({"num_key_value_heads", "num_kv_heads"}, m.heads, 1, most_heads);
  m.vocab = f.count({"vocab_size"}, most_vocab);
  m.max_positions = f.count_or({"max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_sequence_length"},
                               0, 1, most_positions);
  m.tied = f.flag_or({"tie_word_embeddings"}, tied_by_default);
  if (f.has({"head_dim"})) {
    m.head_dim = f.count({"head_dim"}, most_hidden);
  } else if (m.hidden % m.heads == 0) {
    m.head_dim = m.hidden / m.heads;
  } else {
    f.problem_at({"num_attention_heads", "n_head"},
                 std::to_string(m.heads) + " heads do not divide a hidden size of " + std::to_string(m.hidden),
                 "a divisor of it, or a field head_dim");
    m.head_dim = 1;
  }
  if (m.heads % m.kv_heads != 0)
    f.problem_at({"num_key_value_heads", "num_kv_heads", "num_attention_heads", "n_head"},
                 std::to_string(m.kv_heads) + " KV heads do not divide " + std::to_string(m.heads) + " query heads",
                 "a divisor of the number of heads");
}

}  // namespace memwall
