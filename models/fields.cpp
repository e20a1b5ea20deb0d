// SPDX-License-Identifier: Apache-2.0
#include "models/fields.h"

#include <algorithm>
#include <cmath>

#include "hw/common/params.h"

namespace memwall {
namespace {

/// No library's field has a name as long as this: such a key holds data.
constexpr std::size_t longest_field_name = 200;

std::string got(const config::node& n) {
  if (n.is_sequence()) return "got a list: a value for each layer is not modelled here";
  return "got " + (n.is_scalar() ? "'" + n.text() + "'" : std::string("a map"));
}

std::string between(std::int64_t lowest, std::int64_t highest) {
  return "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest);
}

std::string joined(fields::names spellings) {
  std::string out;
  for (const char* name : spellings) out += (out.empty() ? "" : " or ") + std::string(name);
  return out;
}

}  // namespace

registry<family_reader>& families() {
  static registry<family_reader> all("architecture (model_type)");
  return all;
}

const config::node* fields::find(names spellings, std::string* used) {
  m_known.insert(spellings.begin(), spellings.end());
  const config::node* first = nullptr;
  std::string first_name;
  for (const config::node* object : {&m_root, m_around}) {
    if (object == nullptr) continue;
    for (const char* name : spellings) {
      const auto* n = object->find(name);
      if (n == nullptr || n->is_null()) continue;
      if (first == nullptr) {
        first = n;
        first_name = name;
      } else if (n->is_scalar() && first->is_scalar() && n->text() != first->text() &&
                 m_contradicting.insert(name).second) {
        m_problems.add({n->where(), name,
                        "got '" + n->text() + "', but '" + first_name + "' is '" + first->text() + "'",
                        "one value for both, or one of them", ""});
      }
    }
  }
  if (used != nullptr) *used = first_name;
  return first;
}

bool fields::is_null(names spellings) {
  if (has(spellings)) return false;
  return std::any_of(spellings.begin(), spellings.end(), [this](const char* name) {
    const auto* n = m_root.find(name);
    return n != nullptr && n->is_null();
  });
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
  std::vector<std::string> present;
  for (const auto& [key, unused] : m_root.entries()) present.push_back(key);
  const std::string near = nearest_name(*spellings.begin(), present);
  m_problems.add({m_root.where(), joined(spellings),
                  near.empty() ? "is missing" : "is missing; there is a field '" + near + "'", between(1, highest),
                  ""});
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

bool fields::is_list(const char* name) {
  const auto* n = find({name});
  return n != nullptr && n->is_sequence();
}

const config::node* fields::list(const char* name) {
  const auto* n = find({name});
  if (n == nullptr || n->is_sequence()) return n;
  m_problems.add(
      {n->where(), name, "got " + (n->is_scalar() ? "'" + n->text() + "'" : std::string("a map")), "a list", ""});
  return nullptr;
}

std::vector<std::int64_t> fields::integers(const char* name, std::int64_t lowest, std::int64_t highest) {
  std::vector<std::int64_t> out;
  const auto* n = list(name);
  if (n == nullptr) return out;
  for (const auto& [unused, child] : n->entries()) {
    std::int64_t v = lowest;
    if (!child.is_scalar() || !detail::read_integer(child.text(), lowest, highest, v))
      m_problems.add({child.where(), name, got(child), "a list, each " + between(lowest, highest), ""});
    out.push_back(v);
  }
  return out;
}

std::vector<std::string> fields::words(const char* name) {
  std::vector<std::string> out;
  if (const auto* n = list(name))
    for (const auto& [unused, child] : n->entries()) out.push_back(child.is_scalar() ? child.text() : "");
  return out;
}

void fields::only(const char* name, const std::string& supported, const std::string& why) {
  const auto* n = find({name});
  if (n != nullptr && (!n->is_scalar() || n->text() != supported))
    m_problems.add({n->where(), name,
                    "got " + (n->is_scalar() ? "'" + n->text() + "'" : std::string("a list or map")) + ": " + why,
                    supported, ""});
}

void fields::problem_at(names spellings, const std::string& message, const std::string& expected) {
  for (const config::node* object : {&m_root, m_around})
    for (const char* name : spellings)
      if (const auto* n = object == nullptr ? nullptr : object->find(name); n != nullptr && !n->is_null()) {
        m_problems.add({n->where(), name, message, expected, ""});
        return;
      }
  m_problems.add({m_root.where(), *spellings.begin(), message, expected, ""});
}

void fields::refuse_unknown() {
  const auto& harmless = irrelevant_keys();
  const std::vector<std::string> known(m_known.begin(), m_known.end());
  for (const auto& [key, value] : m_root.entries()) {
    if (value.is_null() || m_known.count(key) != 0 || key.size() > longest_field_name) continue;
    if (std::binary_search(harmless.begin(), harmless.end(), key)) continue;
    m_problems.add({value.where(), key, "is not known for this architecture: it may change the model's shape",
                    "a field that memwall reads or knows to be without influence (models/README.md)",
                    nearest_name(key, known)});
  }
}

void common_shape(fields& f, model& m, const shape_defaults& d) {
  const auto by_default = [&](const char* name, std::int64_t value) {
    m.notes.push_back(std::string(name) + " is not in the file: " + std::to_string(value) + ", the family's default");
    return value;
  };
  const auto required_or = [&](fields::names spellings, std::int64_t fallback, std::int64_t highest) {
    if (fallback == 0 || f.has(spellings)) return f.count(spellings, highest);
    return by_default(*spellings.begin(), fallback);
  };
  m.hidden = f.count({"hidden_size", "n_embd", "n_embed", "d_model"}, most_hidden);
  m.layers = f.count({"num_hidden_layers", "n_layer", "num_layers"}, most_layers);
  m.heads = required_or({"num_attention_heads", "n_head"}, d.heads, most_heads);
  m.kv_heads = m.heads;
  if (d.grouped) {
    const fields::names kv = {"num_key_value_heads", "num_kv_heads"};
    if (f.has(kv))
      m.kv_heads = f.count(kv, most_heads);
    else if (d.kv_heads != 0 && !f.is_null(kv))
      m.kv_heads = by_default(*kv.begin(), d.kv_heads);
    if (m.heads % m.kv_heads != 0)
      f.problem_at({"num_key_value_heads", "num_kv_heads", "num_attention_heads", "n_head"},
                   std::to_string(m.kv_heads) + " KV heads do not divide " + std::to_string(m.heads) + " query heads",
                   "a divisor of the number of heads");
  }
  m.vocab = required_or({"vocab_size"}, d.vocab, most_vocab);
  m.max_positions = f.count_or({"max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_sequence_length"},
                               d.max_positions, 1, most_positions);
  m.tied = f.flag_or({"tie_word_embeddings"}, d.tied);
  if (f.has({"head_dim"})) {
    m.head_dim = f.count({"head_dim"}, most_hidden);
  } else if (d.head_dim != 0) {
    m.head_dim = by_default("head_dim", d.head_dim);
  } else if (m.hidden % m.heads == 0) {
    m.head_dim = m.hidden / m.heads;
  } else {
    f.problem_at({"num_attention_heads", "n_head"},
                 std::to_string(m.heads) + " heads do not divide a hidden size of " + std::to_string(m.hidden),
                 "a divisor of it, or a field head_dim");
    m.head_dim = 1;
  }
}

void read_windows(fields& f, model& m, std::int64_t size, const std::function<bool(std::int64_t)>& has_window,
                  bool rule_is_given) {
  std::vector<std::int64_t> by_rule;
  for (std::int64_t i = 0; i < m.layers; ++i) by_rule.push_back(has_window(i) ? size : 0);
  const auto types = f.words("layer_types");
  std::vector<std::int64_t> listed;
  for (const auto& type : types) {
    listed.push_back(type == "sliding_attention" ? size : 0);
    if (type != "sliding_attention" && type != "full_attention") {
      f.problem_at({"layer_types"}, "got '" + type + "': such a layer is not modelled",
                   "full_attention or sliding_attention");
      return;
    }
    if (type == "sliding_attention" && size == 0) {
      f.problem_at({"layer_types"}, "has sliding_attention, but there is no window", "a field sliding_window");
      return;
    }
  }
  if (!types.empty() && static_cast<std::int64_t>(types.size()) != m.layers) {
    f.problem_at({"layer_types"},
                 "has " + std::to_string(types.size()) + " entries for " + std::to_string(m.layers) + " layers",
                 "one for each layer");
    return;
  }
  if (!types.empty() && rule_is_given && listed != by_rule)
    f.problem_at({"layer_types"}, "contradicts the file's other fields about which layers have a window",
                 "one of the two");
  m.windows = types.empty() ? by_rule : listed;
  if (std::all_of(m.windows.begin(), m.windows.end(), [](std::int64_t w) { return w == 0; })) m.windows.clear();
}

}  // namespace memwall
